/* op_attend.h - attention of rows over keys and values in pages, or of a batch over itself.
 *
 * A page holds OP_PAGE positions of one sequence in one layer, keys and values apart. How numbers
 * lie inside is known to op_attend.c alone: others ask for bytes, op_keep writes, op_attend reads.
 * The float operations of a row depend on its own sequence and position alone: the same bits
 * whether tokens come one by one, in chunks, or beside other sequences. */
#ifndef BANTAM_TENSOR_OP_ATTEND_H
#define BANTAM_TENSOR_OP_ATTEND_H

#include "tensor/op.h"

enum { OP_PAGE = KERN_PAGE };

typedef enum op_kv_type {
    OP_KV_F16 = KERN_KV_F16,
    OP_KV_F32 = KERN_KV_F32,
    OP_KV_Q8 = KERN_KV_Q8 /* int8, one scale for a head's keys and one for its values a position */
} op_kv_type;

/* Bytes of the keys (or of the values) of one page of one layer: a multiple of 64, as where they
 * begin must be. */
size_t op_page_bytes(op_kv_type type, int64_t kv_heads, int64_t dim);

typedef kern_page op_page; /* { k, v } */

typedef struct op_attention {
    int64_t heads, kv_heads, dim; /* heads a multiple of kv_heads */
    float scale;                  /* of q . k, 1 / sqrt(dim) as a rule */
    int32_t window;               /* sees positions p - window < j <= p; 0: all */
    bool both_ways;               /* also those behind it: all, or |p - j| <= window / 2 */
    op_kv_type type;              /* of the pages */
} op_attention;

/* The rows of one sequence in a batch, at positions position, position + 1, ... */
typedef struct op_sequence {
    int64_t first_row, rows;
    int32_t position;
    const op_page *pages; /* of positions 0 up to its last row; NULL: without pages */
} op_sequence;

/* Keys and values k, v [T, kv_heads, dim] of the sequences' rows into their pages. */
void op_keep(op_context *c, const op_attention *o, const op_sequence *s, int64_t n, const float *k,
             const float *v);
/* out [T, heads, dim] from q [T, heads, dim]: each row sees what its pages hold, up to itself. */
void op_attend(op_context *c, const op_attention *o, const op_sequence *s, int64_t n,
               const float *q, float *out);
/* The same without pages: rows see the k, v [T, kv_heads, dim] of their own sequence in this batch,
 * whose first row is at position 0. */
void op_attend_batch(op_context *c, const op_attention *o, const op_sequence *s, int64_t n,
                     const float *q, const float *k, const float *v, float *out);

#endif
