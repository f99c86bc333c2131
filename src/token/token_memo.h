/* token_memo.h - words met before and their ids: a table of fixed size, shared by all threads.
 *
 * A short word has one place, where the latest one stays. Each place is one cache line behind a
 * sequence number: a reader that meets a writer sees that and takes the word as not known; a writer
 * that meets another goes without. What is kept is a function of the vocabulary, so it does not
 * matter who writes. */
#ifndef BANTAM_TOKEN_TOKEN_MEMO_H
#define BANTAM_TOKEN_TOKEN_MEMO_H

#include "base/str.h"

enum { TOKEN_MEMO_WORD_BYTES = 24, TOKEN_MEMO_IDS = 8 };

typedef struct token_memo token_memo;

token_memo *token_memo_open(void);    /* NULL: no memory */
void token_memo_close(token_memo *m); /* NULL is fine */

/* The word as the memo compares it; `usable` false: too long. */
typedef struct token_memo_key {
    uint64_t bytes[TOKEN_MEMO_WORD_BYTES / 8];
    size_t place;
    bool usable;
} token_memo_key;
token_memo_key token_memo_key_of(str word);

/* The number of ids written to `ids`; 0: not known. */
size_t token_memo_get(const token_memo *m, const token_memo_key *key, size_t word_bytes,
                      int32_t ids[TOKEN_MEMO_IDS]);
/* Keeps n ids; more than TOKEN_MEMO_IDS, or none, are not kept. */
void token_memo_put(token_memo *m, const token_memo_key *key, size_t word_bytes, const int32_t *ids,
                    size_t n);

#endif
