/* op_rows.h - operators that work on each row by itself: norms, activations, sums, rotation. */
#ifndef BANTAM_TENSOR_OP_ROWS_H
#define BANTAM_TENSOR_OP_ROWS_H

#include "tensor/op.h"

/* y [T, n] = x / sqrt(mean(x^2) + eps) * weight (Zhang and Sennrich 2019); y may be x. A norm of
 * each head is one of T * heads rows of a head's width. */
void op_rmsnorm(op_context *c, const float *x, const float *weight, float eps, int64_t T, int64_t n,
                float *y);
/* bias NULL: none */
void op_layernorm(op_context *c, const float *x, const float *weight, const float *bias, float eps,
                  int64_t T, int64_t n, float *y);
/* x += other, and then its layernorm in place: one pass over the rows, bits as op_add's and
 * op_layernorm's */
void op_add_layernorm(op_context *c, const float *other, const float *weight, const float *bias,
                      float eps, int64_t T, int64_t n, float *x);

typedef enum op_activation {
    OP_SILU = KERN_SILU,          /* x / (1 + e^-x) */
    OP_GELU = KERN_GELU,          /* x Phi(x) */
    OP_GELU_TANH = KERN_GELU_TANH /* its tanh approximation (Hendrycks and Gimpel 2016) */
} op_activation;
void op_activate(op_context *c, op_activation kind, float *x, int64_t T, int64_t n);
/* y = activation(gate) * up, all [T, n]; y may be either */
void op_glu(op_context *c, op_activation kind, const float *gate, const float *up, float *y,
            int64_t T, int64_t n);
void op_add(op_context *c, const float *x, float *y, int64_t T, int64_t n); /* y += x */
void op_scale(op_context *c, float by, float *x, int64_t T, int64_t n);     /* x *= by */

/* Cosines and sines of a step's rows, filled once and used by every layer of the same rotation. */
typedef struct op_angles {
    float *cosine, *sine; /* [rows, half] */
    int64_t half;         /* pairs that turn; the numbers of a head behind 2 half stay */
} op_angles;
err op_angles_open(op_angles *a, int64_t rows_max, int64_t half, fail *f) MUST_CHECK;
void op_angles_close(op_angles *a);
/* angle = position[t] * freq[i] radians; both numbers times magnitude (YaRN's and LongRoPE's
 * attention factor; else 1). freq: [half] */
void op_angles_fill(op_angles *a, const int32_t *position, int64_t T, const float *freq,
                    float magnitude);

/* Rotary embedding (Su et al. 2021) of heads in place, x [T, heads, dim]. `pairs` says which
 * numbers turn together: ROPE_NEXT: 2i and 2i+1 (GGUF's Llama files, whose q and k rows are
 * permuted for it); ROPE_HALF: i and i + half (NEOX; Hugging Face's order). */
typedef enum rope_pairs { ROPE_NEXT, ROPE_HALF } rope_pairs;
void op_rope(op_context *c, float *x, int64_t T, int64_t heads, int64_t dim, const op_angles *a,
             rope_pairs pairs);

#endif
