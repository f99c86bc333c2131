/* token_charsmap.h - SentencePiece's "precompiled charsmap": which pieces of text become which.
 *
 * Format: 4 bytes little-endian, the bytes of the trie; the trie; the replacements, each ended by a
 * zero byte. The trie is a double array of 32-bit units (Darts): bits 0-7 and 31 the label, bit 8
 * whether a value hangs here, bits 10-30 the offset of the children (bit 9: times 256); a value
 * unit has bit 31 set and the place of the replacement below. Damaged maps end a search, never an
 * over-read. Immutable once made; any thread. */
#ifndef BANTAM_TOKEN_TOKEN_CHARSMAP_H
#define BANTAM_TOKEN_TOKEN_CHARSMAP_H

#include "base/arena.h"
#include "base/err.h"

typedef struct token_charsmap {
    const uint32_t *units; /* [count] */
    size_t count;
    str texts;               /* ends with a zero byte */
    bool ascii_changes[128]; /* this character alone is replaced */
} token_charsmap;

/* Copies `written` into a; E_CORRUPT when it is no charsmap. */
err token_charsmap_read(token_charsmap *out, arena *a, str written, fail *f) MUST_CHECK;
/* The replacement of the longest (or shortest) beginning of s that has one, and that beginning's
 * bytes; false: none. */
bool token_charsmap_find(const token_charsmap *m, str s, bool longest, str *to, size_t *bytes);

#endif
