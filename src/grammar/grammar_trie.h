/* grammar_trie.h - a vocabulary's pieces as tries in preorder, and the masks of lexers over them.
 *
 * Tokens are grouped by the kinds of characters that they are made of (lower case, digits, ...) and
 * their length; each group has a trie of its own. Where a lexer's state reads any characters of
 * these kinds, the group is allowed as a whole and its trie is not walked.
 *
 * A group's nodes lie from its root on; a node's subtree is the nodes behind it up to `end`. A
 * vocabulary is shared by threads: the tries never change, the cache of masks has a lock. */
#ifndef BANTAM_GRAMMAR_TRIE_H
#define BANTAM_GRAMMAR_TRIE_H

#include "base/map.h"
#include "base/thread.h"
#include "grammar/grammar.h"
#include "grammar/grammar_automaton.h"

enum {
    TRIE_TOKEN_BYTES_MAX = 512, /* longer pieces are never allowed */
    TRIE_MASKS_BYTES_MAX = 96 << 20,
    TRIE_GROUPS_MAX = 256 * 4,
    TRIE_PLAIN_CHARS = 32 /* lengths of plain tokens that are told apart */
};

/* Kinds of characters; a token's bits are those of all its characters. */
enum {
    TRIE_LOWER = 1,
    TRIE_UPPER = 2,
    TRIE_DIGIT = 4,
    TRIE_SPACE = 8,    /* the blank alone */
    TRIE_MARK = 16,    /* what else is ASCII and may stand in a JSON string */
    TRIE_WIDE = 32,    /* not ASCII, all bytes of it in the token */
    TRIE_PLAIN = 63,   /* all the above: whole characters that a JSON string holds as they are */
    TRIE_ESCAPED = 64, /* quotation mark, backslash, control characters */
    TRIE_BROKEN = 128  /* a part of a character */
};

typedef struct trie_group {
    uint8_t kinds;
    int32_t root;    /* node */
    int32_t longest; /* characters; bytes where TRIE_BROKEN */
    byte_set first;  /* what its tokens begin with */
    uint64_t *bits;  /* [words] its tokens; NULL: few, see trie_group_tokens */
} trie_group;

typedef struct trie {
    int32_t n;            /* nodes */
    int32_t *end;         /* [n] */
    int32_t *first_token; /* [n + 1] tokens[first_token[i] .. first_token[i + 1]) end at node i */
    int32_t *tokens;
    uint16_t *depth; /* [n] bytes from the root */
    uint8_t *byte;   /* [n] */
    trie_group *groups;
    int32_t n_groups;
} trie;

/* Plain tokens by their characters. */
typedef struct trie_plain {
    uint64_t *upto[TRIE_PLAIN_CHARS + 1]; /* [words] tokens of at most that many characters */
    int32_t *longer, *longer_chars;       /* [n_longer] the others */
    int32_t n_longer;
} trie_plain;

/* What one state of a lexer allows: tokens that stay inside it, and the nodes right behind those at
 * which it may end, by their byte: children[first_child[b] .. first_child[b + 1]). */
typedef struct lexer_mask {
    uint64_t key[2];
    uint64_t *bits;  /* [words]; NULL: few */
    int32_t *tokens; /* [n_tokens] where bits is NULL */
    int32_t n_tokens;
    int32_t first_child[257];
    int32_t *children;
    size_t bytes;
    int32_t users;
} lexer_mask;

struct grammar_vocabulary {
    arena arena;
    trie trie;
    trie_plain plain;
    int32_t n;     /* tokens */
    int32_t words; /* (n + 63) / 64 */
    const str *bytes;
    uint64_t *ends; /* [words] tokens that end a text */
    mutex lock;     /* of what follows */
    map masks;      /* key -> lexer_mask */
    size_t mask_bytes;
};

static inline void trie_set(uint64_t *bits, int32_t token) {
    bits[token / 64] |= 1ull << (token % 64);
}

void trie_mask_free(lexer_mask *m); /* NULL is fine */

/* ---- grammar_mask.c ---- */

/* The mask of a lexer's state, made where it is not known; given back by trie_mask_give. */
err trie_mask_take(grammar_vocabulary *v, const lexer *l, int32_t state, lexer_mask **out,
                   fail *f) MUST_CHECK;
void trie_mask_give(grammar_vocabulary *v, lexer_mask *m);

#endif
