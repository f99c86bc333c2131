/* token_index.h - from a piece's bytes to its id; 8 bytes a slot, keys stay in the tokenizer's
 * pool.
 *
 * Filled once by one thread, then read by many. */
#ifndef BANTAM_TOKEN_TOKEN_INDEX_H
#define BANTAM_TOKEN_TOKEN_INDEX_H

#include "base/arena.h"

typedef struct token_slot {
    uint32_t hash;
    int32_t id_plus_1; /* 0: empty */
} token_slot;

typedef struct token_index {
    token_slot *slots;
    size_t mask;            /* slots - 1 */
    const char *bytes;      /* pool of pieces */
    const uint32_t *starts; /* [ids + 1] into it */
    uint32_t skip;          /* bytes of each piece before its key */
} token_index;

/* FNV-1a in steps, so that all prefixes of a word are hashed in one pass. */
#define TOKEN_HASH_START 14695981039346656037u
static inline uint64_t token_hash_step(uint64_t h, char c) {
    return (h ^ (unsigned char)c) * 1099511628211u;
}
static inline uint32_t token_hash_end(uint64_t h) {
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93u;
    return (uint32_t)(h >> 32);
}
static inline uint32_t token_hash(str key) {
    uint64_t h = TOKEN_HASH_START;
    for (size_t i = 0; i < key.n; i++) h = token_hash_step(h, key.p[i]);
    return token_hash_end(h);
}

/* Room for `count` keys; false when memory is out. The other fields are the caller's to set. */
bool token_index_init(token_index *x, arena *a, size_t count);
/* The first of two equal keys stays. */
void token_index_put(token_index *x, str key, int32_t id);
int32_t token_index_find(const token_index *x, str key, uint32_t hash); /* -1 when absent */

#endif
