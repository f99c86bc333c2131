/* kern_rows.h - kernels that work on one row by itself: norms, activations, sums, rotation.
 *
 * n >= 1 numbers; what is computed in place says so. Sums run in float lanes (the reference: in
 * double). Exponentials are within 2e-7 of the true value, erf within 2e-7 absolute. Against
 * PyTorch in float: 1e-6 of a row's largest number. */
#ifndef BANTAM_KERN_KERN_ROWS_H
#define BANTAM_KERN_KERN_ROWS_H

#include <stdbool.h>
#include <stdint.h>

typedef enum kern_curve {
    KERN_SILU,      /* x / (1 + e^-x) */
    KERN_GELU,      /* x Phi(x) */
    KERN_GELU_TANH, /* x / (1 + e^-2u), u = sqrt(2 / pi) (x + 0.044715 x^3) */
    KERN_CURVES
} kern_curve;

typedef struct kern_norm {
    const float *weight, *bias; /* [n]; layernorm's bias may be NULL */
    float eps;
} kern_norm;

typedef struct kern_rows_table {
    /* y = x / sqrt(mean(x^2) + eps) * weight; y may be x. */
    void (*rmsnorm)(const float *x, const kern_norm *o, int64_t n, float *y);
    /* y = (x - mean) / sqrt(variance + eps) * weight + bias; y may be x. */
    void (*layernorm)(const float *x, const kern_norm *o, int64_t n, float *y);
    void (*activate[KERN_CURVES])(float *x, int64_t n); /* in place */
    /* y = curve(gate) * up; y may be either. */
    void (*glu[KERN_CURVES])(const float *gate, const float *up, float *y, int64_t n);
    void (*add)(const float *x, float *y, int64_t n); /* y += x */
    /* What follows a product: T rows of n numbers, ldy apart, get the bias (NULL: none), and in
     * `finish` pass the curve. Bits as add's and activate's. */
    void (*add_each)(const float *bias, int64_t T, int64_t n, float *y, int64_t ldy);
    void (*finish[KERN_CURVES])(const float *bias, int64_t T, int64_t n, float *y, int64_t ldy);
    void (*scale)(float by, float *x, int64_t n); /* x *= by */
    void (*softmax)(float *x, int64_t n);         /* in place */
    /* Heads in place, dim numbers apart: pairs (i, i + half), or (2i, 2i + 1) with `next`, turn by
     * the angle of cosine[i], sine[i], i < half. */
    void (*turn)(float *x, int64_t heads, int64_t dim, const float *cosine, const float *sine,
                 int64_t half, bool next);
} kern_rows_table;

extern const kern_rows_table kern_rows_ref, kern_rows_avx2, kern_rows_avx512, kern_rows_neon;

#endif
