/* token_regex.h - a regular expression of a tokenizer.json, run by PCRE2 within limits.
 *
 * The files are written for Oniguruma (Ruby's dialect); what the two read differently is refused
 * when compiling (E_UNSUPPORTED), never guessed. Immutable once open, shared by threads; each
 * searching call has its own token_regex_state. Cost: at most STEPS_MAX steps a search. */
#ifndef BANTAM_TOKEN_TOKEN_REGEX_H
#define BANTAM_TOKEN_TOKEN_REGEX_H

#include "base/err.h"
#include "base/str.h"

typedef struct token_regex token_regex;

enum { TOKEN_REGEX_BYTES_MAX = 16384 };

err token_regex_open(token_regex **out, str pattern, fail *f) MUST_CHECK;
void token_regex_close(token_regex *r); /* NULL is fine */

typedef struct token_regex_state {
    void *match; /* made by the first search, gone with deinit */
} token_regex_state;
void token_regex_state_deinit(token_regex_state *s);

typedef struct token_regex_hit {
    size_t from, to;
} token_regex_hit;
typedef enum token_regex_result {
    TOKEN_REGEX_HIT,
    TOKEN_REGEX_NONE,
    TOKEN_REGEX_LIMIT, /* the expression would take too long on this text */
    TOKEN_REGEX_MEMORY
} token_regex_result;
/* The first match in s at or behind `at`; s is valid UTF-8 and a text of its own: its ends are the
 * text's ends. */
token_regex_result token_regex_find(const token_regex *r, token_regex_state *state, str s,
                                    size_t at, token_regex_hit *hit);

#endif
