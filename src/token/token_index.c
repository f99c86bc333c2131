/* token_index.c - open addressing, linear probing, load at most one half; see token_index.h. */
#include "token/token_index.h"

static str token_index_key(const token_index *x, int32_t id) {
    uint32_t from = x->starts[id] + x->skip;
    return (str){x->bytes + from, x->starts[id + 1] - from};
}

bool token_index_init(token_index *x, arena *a, size_t count) {
    size_t cap = 16;
    while (cap < count * 2) cap *= 2;
    x->slots = arena_new_n(a, token_slot, cap);
    x->mask = cap - 1;
    return x->slots != NULL;
}

/* The slot that holds `key`, or the empty one where it belongs. */
static token_slot *token_index_probe(const token_index *x, str key, uint32_t hash) {
    for (size_t i = hash & x->mask;; i = (i + 1) & x->mask) {
        token_slot *s = &x->slots[i];
        if (!s->id_plus_1) return s;
        if (s->hash == hash && str_eq(token_index_key(x, s->id_plus_1 - 1), key)) return s;
    }
}

void token_index_put(token_index *x, str key, int32_t id) {
    uint32_t hash = token_hash(key);
    token_slot *s = token_index_probe(x, key, hash);
    if (!s->id_plus_1) *s = (token_slot){hash, id + 1};
}

int32_t token_index_find(const token_index *x, str key, uint32_t hash) {
    return token_index_probe(x, key, hash)->id_plus_1 - 1;
}
