/* kern_attend.h - attention of a tile of queries over the pages of one key/value head.
 *
 * A page part is what one layer of one page keeps of one head, KERN_PAGE positions:
 *
 *     keys    [dim][KERN_PAGE]            transposed: a vector lane is a position
 *     values  [KERN_PAGE][dim rounded up to 16], the padding finite
 *     Q8      int8 of those shapes, then KERN_PAGE float scales: number = scale[position] * int8
 *
 * Positions are summed in segments of KERN_SEGMENT, counted from position 0. In a segment one query
 * takes the maximum of its scores, their exponentials, and the weighted sum of values, position by
 * position in order; segments are merged in order. So the float operations of one query are the
 * same alone, in a tile, in any chunking of the prompt and with any number of threads: same bits.
 * A position that a query does not see adds nothing at all, whether it is computed or skipped.
 *
 * Exponentials are powers of two (scores carry log2 e), within 2e-7 of the true value; below 2^-126
 * they are 0. */
#ifndef BANTAM_KERN_KERN_ATTEND_H
#define BANTAM_KERN_KERN_ATTEND_H

#include <stddef.h>
#include <stdint.h>

enum {
    KERN_PAGE = 32,
    KERN_SEGMENT = 256,    /* positions; whole pages */
    KERN_QUERIES_MAX = 64, /* of one tile: tokens x group */
    KERN_HEAD_MAX = 1024   /* largest head dimension */
};

typedef enum kern_kv { KERN_KV_F16, KERN_KV_F32, KERN_KV_Q8, KERN_KV_TYPES } kern_kv;

/* Bytes of one head's keys / values in one page: multiples of 64. */
size_t kern_keys_bytes(kern_kv type, int64_t dim);
size_t kern_values_bytes(kern_kv type, int64_t dim);

/* What one layer keeps of KERN_PAGE positions: every head's keys, every head's values. */
typedef struct kern_page {
    void *k, *v;
} kern_page;

/* One head's keys and values of one sequence. */
typedef struct kern_pages {
    const kern_page *page;     /* page p holds positions [p * KERN_PAGE, (p + 1) * KERN_PAGE) */
    size_t keys_at, values_at; /* bytes from a page's k, v to this head's; multiples of 64 */
    kern_kv type;
    int64_t dim;
} kern_pages;

/* The queries of some tokens for that head: `group` heads a token share it. */
typedef struct kern_queries {
    const float *q; /* [tokens][group][dim], tokens q_stride floats apart */
    float *out;     /* the same shape, out_stride apart */
    int64_t q_stride, out_stride;
    int32_t tokens, group;    /* tokens * group <= KERN_QUERIES_MAX */
    const int32_t *from, *to; /* [tokens] token t sees positions [from[t], to[t]) */
    float scale;              /* of the scores: 1 / sqrt(dim) as a rule */
} kern_queries;

/* Floats of a worker's scratch for heads of `dim`; 64-byte aligned. */
int64_t kern_attend_scratch(int64_t dim);
/* Floats of what one segment leaves of `queries` queries: each a sum of values [dim rounded up to
 * 16], the maximum, the sum of weights. */
int64_t kern_partial_row(int64_t dim);

typedef struct kern_attend_table {
    /* Everything that the queries see. */
    void (*attend)(const kern_pages *kv, const kern_queries *q, float *scratch);
    /* The same in pieces that may run anywhere: partial [queries, kern_partial_row] of one segment,
     * then all of them, [segments][queries, kern_partial_row] in order, into out. Bits as attend's.
     */
    void (*segment)(const kern_pages *kv, const kern_queries *q, int32_t segment, float *scratch,
                    float *partial);
    void (*merge)(const kern_queries *q, int64_t dim, int32_t segments, float *partials);
    /* Rows k, v [n][dim], stride floats apart, into positions [slot, slot + n) of one page part.
     * F16 saturates at +-65504. */
    void (*keep)(kern_kv type, int64_t dim, const float *k, const float *v, int64_t stride,
                 int32_t n, int32_t slot, void *keys, void *values);
} kern_attend_table;

extern const kern_attend_table kern_attend_ref, kern_attend_avx2, kern_attend_avx512,
    kern_attend_neon;

#endif
