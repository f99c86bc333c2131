/* map.c - open addressing, linear probing, load at most 2/3; nothing is ever removed. See map.h. */
#include "base/map.h"

#include "base/mem.h"

void map_init(map *m, arena *keys) {
    *m = (map){.keys = keys};
}
void map_deinit(map *m) {
    mem_free(m->slots);
    *m = (map){.keys = m->keys};
}

/* The slot of `key`, or the empty one where it belongs. */
static map_slot *map_probe(map_slot *slots, size_t cap, str key, uint64_t hash) {
    for (size_t i = hash & (cap - 1);; i = (i + 1) & (cap - 1)) {
        map_slot *s = &slots[i];
        if (!s->key.p || (s->hash == hash && str_eq(s->key, key))) return s;
    }
}

static err map_grow(map *m, fail *f) {
    size_t cap = m->cap ? m->cap * 2 : 16, bytes;
    map_slot *slots = mem_size(cap, sizeof *slots, &bytes) ? mem_zero(bytes) : NULL;
    if (!slots) return fail_memory(f, "a table");
    for (size_t i = 0; i < m->cap; i++)
        if (m->slots[i].key.p)
            *map_probe(slots, cap, m->slots[i].key, m->slots[i].hash) = m->slots[i];
    mem_free(m->slots);
    m->slots = slots;
    m->cap = cap;
    return E_OK;
}

static err map_slot_of(map *m, str key, map_slot **out, fail *f) {
    if ((m->count + 1) * 3 > m->cap * 2) TRY(map_grow(m, f));
    if (!key.p) key = STR("");
    uint64_t hash = str_hash(key);
    map_slot *s = map_probe(m->slots, m->cap, key, hash);
    if (!s->key.p) {
        str kept = m->keys ? arena_str(m->keys, key) : key;
        if (!kept.p) return fail_memory(f, "a table key");
        *s = (map_slot){.key = kept, .hash = hash};
        m->count++;
    }
    *out = s;
    return E_OK;
}

err map_put(map *m, str key, int64_t value, fail *f) {
    map_slot *s;
    TRY(map_slot_of(m, key, &s, f));
    s->value.i = value;
    return E_OK;
}

err map_put_ptr(map *m, str key, void *value, fail *f) {
    map_slot *s;
    TRY(map_slot_of(m, key, &s, f));
    s->value.p = value;
    return E_OK;
}

const map_slot *map_find(const map *m, str key) {
    if (!m->cap) return NULL;
    const map_slot *s = map_probe(m->slots, m->cap, key, str_hash(key));
    return s->key.p ? s : NULL;
}

bool map_get(const map *m, str key, int64_t *out) {
    const map_slot *s = map_find(m, key);
    if (s) *out = s->value.i;
    return s != NULL;
}

void *map_get_ptr(const map *m, str key) {
    const map_slot *s = map_find(m, key);
    return s ? s->value.p : NULL;
}

const map_slot *map_next(const map *m, const map_slot *after) {
    for (size_t i = after ? (size_t)(after - m->slots) + 1 : 0; i < m->cap; i++)
        if (m->slots[i].key.p) return &m->slots[i];
    return NULL;
}
