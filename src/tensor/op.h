/* op.h - operators on raw float rows, spread over the compute team. Forward only so far; a backward
 * joins its forward in the same file.
 *
 * An op_context is what every operator needs: the kernels, the team, scratch memory. One thread at
 * a time uses it; the team works for it. Rows (tokens) are independent: results of a row never
 * depend on the others, except through attention. */
#ifndef BANTAM_TENSOR_OP_H
#define BANTAM_TENSOR_OP_H

#include "base/arena.h"
#include "base/team.h"
#include "kern/kern.h"
#include "tensor/tensor.h"

/* A weight matrix ready for use: y = x W^T + bias. */
typedef struct weight {
    const tensor *w;    /* [rows, cols] */
    const float *bias;  /* [rows]; NULL none */
    const void *packed; /* the rows laid out for the kernels in use (op_pack); NULL none */
} weight;

/* Lays w out for these kernels, in the arena, where they have a faster layout for its type and
 * shape; else leaves it as it is. Call once per linear layer at load; the tensor's own bytes are
 * then read only by op_row and by other kernels. */
err op_pack(const kern_table *kern, arena *a, weight *w, fail *f) MUST_CHECK;

typedef struct op_context {
    const kern_table *kern;
    team *team;
    int64_t rows_max;      /* tokens of one step */
    int64_t cols_max;      /* widest input of a linear layer */
    int64_t positions_max; /* longest attention span */
    kern_act act;          /* [rows_max, cols_max] */
    float *workspace; /* dequantised rows ("f32"), attention scores: [threads, workspace_floats] */
    int64_t workspace_floats;
    const float
        *act_of; /* input that `act` holds, so that q, k, v share one quantisation; NULL none */
    int64_t act_rows, act_cols;
} op_context;

/* Allocates all scratch memory; nothing is allocated afterwards. */
err op_open(op_context *c, const kern_table *kern, team *team, int64_t rows_max, int64_t cols_max,
            int64_t positions_max, fail *f) MUST_CHECK;
void op_close(op_context *c);
/* Says that x has new contents: call before the first linear layer of a new input in the same
 * buffer. */
void op_new_input(op_context *c);

/* y[T, ldy] (rows of W used) = x[T, cols] W^T + bias. ldy >= rows. */
void op_linear(op_context *c, const weight *w, const float *x, int64_t T, float *y, int64_t ldy);
/* out [n] = row `index` of w, as float */
void op_row(const tensor *w, int64_t index, float *out);
void op_rmsnorm(op_context *c, const float *x, const float *weight, float eps, int64_t T, int64_t n,
                float *y);
void op_layernorm(op_context *c, const float *x, const float *weight, const float *bias, float eps,
                  int64_t T, int64_t n, float *y);
void op_silu_mul(op_context *c, const float *gate, const float *up, float *y, int64_t T, int64_t n);
void op_gelu(op_context *c, float *x, int64_t T, int64_t n);
void op_add(op_context *c, const float *x, float *y, int64_t T, int64_t n); /* y += x */

/* Rotary embedding of heads in place, x [T, heads, dim], position[t]. `pairs` says which numbers
 * turn together: ROPE_NEXT: 2i and 2i+1 (GGUF's Llama files, whose q and k rows are permuted for
 * it); ROPE_HALF: i and i + dim/2 (NEOX; Hugging Face's order). freq: [dim / 2] radians per
 * position. */
typedef enum rope_pairs { ROPE_NEXT, ROPE_HALF } rope_pairs;
void op_rope(op_context *c, float *x, int64_t T, int64_t heads, int64_t dim,
             const int32_t *position, const float *freq, rope_pairs pairs);

/* One span of keys and values that lie together: [count, kv_heads, dim], float or half. */
typedef struct op_kv_span {
    const void *k, *v;
    int32_t count; /* positions */
} op_kv_span;
/* What one query row sees: the first `length` positions of its spans, in order. */
typedef struct op_attend_row {
    const op_kv_span *spans;
    int32_t length;
} op_attend_row;
typedef struct op_attention {
    int64_t heads, kv_heads, dim; /* heads a multiple of kv_heads */
    float scale;                  /* 1 / sqrt(dim) */
    bool half;                    /* spans hold f16 */
} op_attention;
/* out[T, heads, dim] from q[T, heads, dim]; rows[T]. A causal model gives length = position + 1, an
 * encoder the whole sequence. */
void op_attend(op_context *c, const op_attention *o, const float *q, const op_attend_row *rows,
               int64_t T, float *out);

#endif
