/* index_flat.h - exact nearest neighbours: a scan over unit vectors, rows of f32, dot product.
 *
 * Owner: one thread writes (put, remove); many may search while nobody writes; the caller's lock
 * keeps them apart. Memory: rows grow by doubling on the heap, dim * 4 + 16 bytes a row.
 * Results are exact and do not depend on the order of rows except that equal similarities are
 * ordered by id. HNSW comes when a task has more than a few hundred thousand rows. */
#ifndef BANTAM_INDEX_FLAT_H
#define BANTAM_INDEX_FLAT_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

typedef struct index_flat index_flat;

typedef struct index_hit {
    int64_t id;
    int32_t tag;      /* the caller's, e.g. a label */
    float similarity; /* dot product; the cosine of unit vectors */
    size_t row;       /* position now; changes when rows are removed */
} index_hit;

enum { INDEX_DIM_MAX = 8192 };

err index_flat_open(index_flat **out, size_t dim, fail *f) MUST_CHECK;
void index_flat_close(index_flat *x); /* NULL is fine */
size_t index_flat_rows(const index_flat *x);
size_t index_flat_dim(const index_flat *x);

/* Copies the vector [dim]. An id that is there already is replaced. E_INPUT when a number is not
 * finite; E_NO_MEMORY leaves the index as it was. */
err index_flat_put(index_flat *x, int64_t id, int32_t tag, const float *vector, fail *f) MUST_CHECK;
/* Makes room for `rows` in all, so that the puts that follow do not allocate. */
err index_flat_reserve(index_flat *x, size_t rows, fail *f) MUST_CHECK;
bool index_flat_remove(index_flat *x, int64_t id); /* false when it was not there */
/* Borrowed until the next write; NULL when absent. */
const float *index_flat_get(const index_flat *x, int64_t id);

/* The up to k rows most similar to query [dim], best first, into hits [k]; returns how many. */
size_t index_flat_search(const index_flat *x, const float *query, size_t k, index_hit *hits);

#endif
