/* token_bert_chars.h - where Hugging Face's BERT tokenizer, whose tables follow Unicode 8, classes
 * a character otherwise than today's Unicode. Sorted ranges; immutable. */
#ifndef BANTAM_TOKEN_TOKEN_BERT_CHARS_H
#define BANTAM_TOKEN_TOKEN_BERT_CHARS_H

#include <stddef.h>
#include <stdint.h>

typedef enum token_bert_class {
    BERT_AS_UNICODE, /* not in the table */
    BERT_LETTER,
    BERT_APART,  /* punctuation: a word of its own */
    BERT_DROPPED /* a mark without width, or a format character */
} token_bert_class;

typedef struct token_bert_range {
    int32_t first, last;
    token_bert_class is;
} token_bert_range;

extern const token_bert_range token_bert_ranges[];
extern const size_t token_bert_range_count;

#endif
