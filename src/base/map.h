/* map.h - hash map from byte strings to 64-bit values or pointers. Owner: one thread at a time;
 * read by many once it no longer changes. Keys are borrowed unless map_init was given an arena. */
#ifndef BANTAM_BASE_MAP_H
#define BANTAM_BASE_MAP_H

#include "base/arena.h"
#include "base/err.h"

typedef struct map_slot {
    str key; /* .p == NULL: empty */
    uint64_t hash;
    union {
        int64_t i;
        void *p;
    } value;
} map_slot;

typedef struct map {
    map_slot *slots;
    size_t cap, count;
    arena *keys; /* copies keys here when not NULL */
} map;

void map_init(map *m, arena *keys); /* keys may be NULL: then keys are borrowed */
void map_deinit(map *m);
err map_put(map *m, str key, int64_t value, fail *f) MUST_CHECK; /* replaces */
err map_put_ptr(map *m, str key, void *value, fail *f) MUST_CHECK;
bool map_get(const map *m, str key, int64_t *out);
void *map_get_ptr(const map *m, str key); /* NULL when absent */
const map_slot *map_find(const map *m, str key);
/* for (const map_slot *s = NULL; (s = map_next(&m, s));) in no particular order */
const map_slot *map_next(const map *m, const map_slot *after);

#endif
