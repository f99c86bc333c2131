/* token_norm.h - normalisers: what happens to a text before it is cut into words.
 *
 * A tokenizer has a list of steps, made once; each reads the text that the one before wrote. The
 * steps are those of Hugging Face's tokenizers by their names there, and TOKEN_NORM_WORDS, which is
 * what SentencePiece does to blanks. Immutable once made; a run writes only into its work. */
#ifndef BANTAM_TOKEN_TOKEN_NORM_H
#define BANTAM_TOKEN_TOKEN_NORM_H

#include "token/token_bert_chars.h"
#include "token/token_charsmap.h"
#include "token/token_regex.h"

#define TOKEN_BLANK "\xE2\x96\x81" /* U+2581, which stands for a blank in many vocabularies */
enum { TOKEN_BLANK_BYTES = 3, TOKEN_NORM_STEPS = 16 };

typedef enum token_norm_kind {
    TOKEN_NORM_NFC,
    TOKEN_NORM_NFD,
    TOKEN_NORM_NFKC,
    TOKEN_NORM_NFKD,
    TOKEN_NORM_LOWERCASE,
    TOKEN_NORM_STRIP,           /* white space at the left, at the right */
    TOKEN_NORM_STRIP_ACCENTS,   /* every mark goes */
    TOKEN_NORM_REPLACE,         /* from, or what the expression finds, becomes to */
    TOKEN_NORM_PREPEND,         /* to, before a text that is not empty */
    TOKEN_NORM_BLANKS,          /* a blank becomes U+2581; left: one more in front */
    TOKEN_NORM_WORDS,           /* the same, and right: runs of blanks are one, none at the end */
    TOKEN_NORM_BERT,            /* BertNormalizer */
    TOKEN_NORM_NMT,             /* controls go, odd blanks are blanks */
    TOKEN_NORM_CHARSMAP,        /* the longest match at each place, as SentencePiece does */
    TOKEN_NORM_CHARSMAP_CLUSTER /* a character cluster at a time, as Hugging Face does */
} token_norm_kind;

/* BertNormalizer's four switches. */
typedef struct token_normaliser {
    bool clean_text, chinese_apart, strip_accents, lowercase;
} token_normaliser;

typedef struct token_norm_step {
    token_norm_kind kind;
    bool left, right;
    str from, to; /* CHARSMAP: from is the map as written, until the tokenizer is built */
    const token_regex *regex; /* REPLACE: instead of from, where not NULL */
    token_normaliser bert;
    token_charsmap map;
} token_norm_step;

typedef struct token_norm {
    token_norm_step steps[TOKEN_NORM_STEPS];
    size_t count;
} token_norm;

struct token_work;
/* s (valid UTF-8, not empty) through all steps; the result may be s itself, or lies in the work
 * until its next run. On failure the work's `failed` is set and the result is empty. */
str token_norm_run(const token_norm *n, struct token_work *w, str s);

/* Where the older tables of Hugging Face's BERT pipeline differ from today's. */
token_bert_class token_norm_bert_class(int32_t c);
/* Characters that BertNormalizer sets apart as Chinese, and that it cleans away. */
bool token_norm_is_chinese(int32_t c);
bool token_norm_is_cleaned_away(int32_t c);

#endif
