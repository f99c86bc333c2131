/* grammar_trie.h - a vocabulary's pieces as a trie in preorder, and the masks of lexers over it.
 *
 * Node 0 is the root; a node's subtree is the nodes behind it up to `end`. A vocabulary is shared
 * by threads: the trie never changes, the cache of masks has a lock. */
#ifndef BANTAM_GRAMMAR_TRIE_H
#define BANTAM_GRAMMAR_TRIE_H

#include "base/map.h"
#include "base/thread.h"
#include "grammar/grammar.h"
#include "grammar/grammar_lexer.h"

enum {
    TRIE_TOKEN_BYTES_MAX = 512, /* longer pieces are never allowed */
    TRIE_MASKS_BYTES_MAX = 96 << 20
};

typedef struct trie {
    int32_t n;            /* nodes */
    int32_t *end;         /* [n] */
    int32_t *first_token; /* [n + 1] tokens[first_token[i] .. first_token[i + 1]) end at node i */
    int32_t *tokens;
    uint16_t *depth; /* [n] bytes from the root */
    uint8_t *byte;   /* [n] */
    int32_t deepest;
} trie;

/* What one state of a lexer allows: tokens that stay inside it, and the nodes right behind those at
 * which it may end, by their byte: children[first_child[b] .. first_child[b + 1]). */
typedef struct lexer_mask {
    uint64_t key[2];
    uint64_t *bits;
    int32_t first_child[257];
    int32_t *children;
    size_t bytes;
    int32_t users;
} lexer_mask;

struct grammar_vocabulary {
    arena arena;
    trie trie;
    int32_t n; /* tokens */
    const str *bytes;
    uint64_t *ends; /* [(n + 63) / 64] tokens that end a text */
    mutex lock;     /* of what follows */
    map masks;      /* key -> lexer_mask */
    map kinds;      /* lexer hash -> int32_t[states]: states that no token tells apart */
    size_t mask_bytes;
};

/* The mask of a lexer's state, made where it is not known; given back by trie_mask_give. */
err trie_mask_take(grammar_vocabulary *v, const lexer *l, int32_t state, lexer_mask **out,
                   fail *f) MUST_CHECK;
void trie_mask_give(grammar_vocabulary *v, lexer_mask *m);

#endif
