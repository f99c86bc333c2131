/* token_cut.h - pre-tokenizers as published: how a text is cut into the words that the model sees.
 *
 * A list of stages, made once; each cuts every piece that it is given and hands the parts on, the
 * last one to the model. What a stage finds are its matches; what becomes of them and of what lies
 * between is its behaviour, by Hugging Face's names. Immutable once made. */
#ifndef BANTAM_TOKEN_TOKEN_CUT_H
#define BANTAM_TOKEN_TOKEN_CUT_H

#include "token/token_pre.h"
#include "token/token_regex.h"

enum { TOKEN_CUTS = 10 }; /* stages of a pre-tokenizer */

typedef enum token_behaviour {
    TOKEN_CUT_ISOLATED,        /* matches are words, and so is what lies between */
    TOKEN_CUT_REMOVED,         /* only what lies between */
    TOKEN_CUT_MERGED_PREVIOUS, /* a match ends the word before it */
    TOKEN_CUT_MERGED_NEXT,     /* a match begins the word behind it */
    TOKEN_CUT_CONTIGUOUS       /* matches side by side are one word */
} token_behaviour;

typedef enum token_cut_kind {
    TOKEN_CUT_MATCH,       /* a scanner of token_pre.c */
    TOKEN_CUT_REGEX,       /* anything else */
    TOKEN_CUT_TEXT,        /* a literal text */
    TOKEN_CUT_METASPACE,   /* blanks become `text`, one more in front, a word begins at each */
    TOKEN_CUT_BLANK_BEFORE /* a blank before a piece that does not begin with one */
} token_cut_kind;

typedef enum token_prepend {
    TOKEN_PREPEND_NEVER,
    TOKEN_PREPEND_FIRST,
    TOKEN_PREPEND_ALWAYS
} token_prepend;

typedef struct token_cut {
    token_cut_kind kind;
    token_behaviour how;
    bool invert; /* what lies between are the matches */
    token_match match;
    const token_regex *regex;
    str text;
    token_prepend prepend; /* METASPACE */
    bool split;            /* METASPACE */
} token_cut;

struct token_work;
/* Calls put(w, word) for the words of s in order. On failure the work's `failed` is set. */
void token_cut_run(const token_cut *stages, size_t count, struct token_work *w, str s);

#endif
