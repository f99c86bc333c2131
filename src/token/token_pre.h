/* token_pre.h - pre-tokenizers: how a text is cut into words before BPE merges within each.
 *
 * One table row per family. A row is up to six stages, whose matches and what lies between them are
 * words (token_cut.c runs them). A matcher is a hand-written
 * scanner for one regular expression of the published tokenizers; it is quoted beside it. Pure
 * functions over immutable tables: any thread. */
#ifndef BANTAM_TOKEN_TOKEN_PRE_H
#define BANTAM_TOKEN_TOKEN_PRE_H

#include "base/str.h"

enum { TOKEN_PRE_STAGES = 6 };

/* Bytes that match at `at` (< s.n), 0 = none. s is one fragment: its end is the end of the text. */
typedef size_t (*token_match)(str s, size_t at);

typedef struct token_pre {
    const char *names;                        /* tokenizer.ggml.pre, separated by blanks */
    token_match stages[TOKEN_PRE_STAGES + 1]; /* NULL ends */
    bool ignore_merges;                       /* a word that is in the vocabulary is one token */
    bool add_bos;                             /* where the file does not say */
} token_pre;

const token_pre *token_pre_find(str name); /* NULL: not one of ours; "" is "default" */
/* The regular expression of a tokenizer.json's Split, as published; NULL: not one of ours. */
token_match token_pre_regex(str regex);
token_match token_pre_gpt2(void); /* what ByteLevel with use_regex does */
/* \p{N} and \p{N}+: what Digits does, individually or not */
token_match token_pre_digits(bool individual);

/* One white-space character, one punctuation character (WhitespaceSplit, Punctuation, BERT) */
token_match token_pre_space(void);
token_match token_pre_mark(void);
/* \w+|[^\w\s]+, which is what Whitespace keeps */
token_match token_pre_word_or_marks(void);
/* Whether the last, the first character of s is one of \w. */
bool token_pre_ends_in_word(str s);
bool token_pre_begins_in_word(str s);

#endif
