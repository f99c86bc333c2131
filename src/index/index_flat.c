/* index_flat.c - see index_flat.h: rows side by side, a map from id to row, and a small sorted list
 * of the best while scanning. A removed row is filled with the last one, so rows stay dense. */
#include "index/index_flat.h"

#include "base/mem.h"
#include "kern/kern_dot.h"

#include <math.h>
#include <string.h>

enum { ROWS_FIRST = 16 };

typedef struct entry {
    int64_t id;
    int32_t tag;
} entry;

struct index_flat {
    size_t dim, rows, cap;
    float *vectors; /* [cap, dim] */
    entry *entries; /* [cap] */
    size_t *slots;  /* [slots_n] row + 1 by hash of the id, 0: empty; linear probing */
    size_t slots_n; /* a power of two, at least 2 * cap */
};

static size_t slot_of(const index_flat *x, int64_t id) {
    uint64_t hash = (uint64_t)id * 0x9e3779b97f4a7c15u;
    return (size_t)(hash >> 32) & (x->slots_n - 1);
}

/* The slot that holds the id, or the empty one where it would go. */
static size_t slot_find(const index_flat *x, int64_t id) {
    size_t at = slot_of(x, id);
    while (x->slots[at] && x->entries[x->slots[at] - 1].id != id) at = (at + 1) & (x->slots_n - 1);
    return at;
}

/* Empties slot `at` and moves later ones of its run back, so that no search stops too early. */
static void slot_empty(index_flat *x, size_t at) {
    size_t next = at, mask = x->slots_n - 1;
    x->slots[at] = 0;
    for (;;) {
        next = (next + 1) & mask;
        if (!x->slots[next]) return;
        size_t home = slot_of(x, x->entries[x->slots[next] - 1].id);
        if (((next - home) & mask) < ((next - at) & mask)) continue;
        x->slots[at] = x->slots[next];
        x->slots[next] = 0;
        at = next;
    }
}

err index_flat_open(index_flat **out, size_t dim, fail *f) {
    if (dim < 1 || dim > INDEX_DIM_MAX)
        return fail_set(f, E_INPUT, "vectors of %zu numbers; 1 to %d are possible", dim,
                        INDEX_DIM_MAX);
    index_flat *x = mem_zero(sizeof *x);
    if (!x) return fail_memory(f, "a vector index");
    x->dim = dim;
    err e = index_flat_reserve(x, ROWS_FIRST, f);
    if (e == E_OK)
        *out = x;
    else
        index_flat_close(x);
    return e;
}

void index_flat_close(index_flat *x) {
    if (!x) return;
    mem_free(x->vectors);
    mem_free(x->entries);
    mem_free(x->slots);
    mem_free(x);
}

size_t index_flat_rows(const index_flat *x) {
    return x->rows;
}
size_t index_flat_dim(const index_flat *x) {
    return x->dim;
}

/* Larger copies of everything, taken over only when all of them are there. */
static err index_grow(index_flat *x, size_t cap, fail *f) {
    size_t slots_n = 2 * ROWS_FIRST, row_bytes = x->dim * sizeof(float), bytes = 0;
    while (slots_n < 2 * cap) slots_n *= 2;
    float *vectors = mem_size(cap, row_bytes, &bytes) ? mem_alloc(bytes) : NULL;
    entry *entries = vectors ? mem_alloc(cap * sizeof *entries) : NULL;
    size_t *slots = entries ? mem_zero(slots_n * sizeof *slots) : NULL;
    if (!slots) {
        mem_free(vectors);
        mem_free(entries);
        return fail_memory(f, "more rows of a vector index");
    }
    if (x->rows) {
        memcpy(vectors, x->vectors, x->rows * row_bytes);
        memcpy(entries, x->entries, x->rows * sizeof *entries);
    }
    mem_free(x->vectors);
    mem_free(x->entries);
    mem_free(x->slots);
    x->vectors = vectors;
    x->entries = entries;
    x->slots = slots;
    x->slots_n = slots_n;
    x->cap = cap;
    for (size_t i = 0; i < x->rows; i++) x->slots[slot_find(x, entries[i].id)] = i + 1;
    return E_OK;
}

err index_flat_reserve(index_flat *x, size_t rows, fail *f) {
    if (rows <= x->cap) return E_OK;
    if (rows > SIZE_MAX / 64) return fail_memory(f, "more rows of a vector index");
    return index_grow(x, rows, f);
}

err index_flat_put(index_flat *x, int64_t id, int32_t tag, const float *vector, fail *f) {
    for (size_t k = 0; k < x->dim; k++)
        if (!isfinite(vector[k])) return fail_set(f, E_INPUT, "a vector with a number not finite");
    size_t slot = slot_find(x, id);
    if (!x->slots[slot]) {
        if (x->rows == x->cap) TRY(index_grow(x, 2 * x->cap, f));
        slot = slot_find(x, id);
        x->slots[slot] = ++x->rows;
    }
    size_t row = x->slots[slot] - 1;
    x->entries[row] = (entry){id, tag};
    memcpy(x->vectors + row * x->dim, vector, x->dim * sizeof(float));
    return E_OK;
}

bool index_flat_remove(index_flat *x, int64_t id) {
    size_t slot = slot_find(x, id);
    if (!x->slots[slot]) return false;
    size_t row = x->slots[slot] - 1, last = x->rows - 1;
    slot_empty(x, slot);
    if (row != last) {
        x->slots[slot_find(x, x->entries[last].id)] = row + 1;
        x->entries[row] = x->entries[last];
        memcpy(x->vectors + row * x->dim, x->vectors + last * x->dim, x->dim * sizeof(float));
    }
    x->rows = last;
    return true;
}

const float *index_flat_get(const index_flat *x, int64_t id) {
    size_t slot = slot_find(x, id);
    return x->slots[slot] ? x->vectors + (x->slots[slot] - 1) * x->dim : NULL;
}

static bool hit_before(const index_hit *a, const index_hit *b) {
    if (a->similarity != b->similarity) return a->similarity > b->similarity;
    return a->id < b->id;
}

size_t index_flat_search(const index_flat *x, const float *query, size_t k, index_hit *hits) {
    size_t n = 0;
    for (size_t row = 0; row < x->rows && k > 0; row++) {
        index_hit hit = {.id = x->entries[row].id,
                         .tag = x->entries[row].tag,
                         .similarity = kern_dot(query, x->vectors + row * x->dim, x->dim),
                         .row = row};
        if (n == k && !hit_before(&hit, &hits[n - 1])) continue;
        size_t at = n < k ? n++ : n - 1;
        for (; at > 0 && hit_before(&hit, &hits[at - 1]); at--) hits[at] = hits[at - 1];
        hits[at] = hit;
    }
    return n;
}
