/* kern.h - numeric kernels on raw pointers, behind one table that is picked once.
 *
 * A kernel is born readable in kern_ref.c; each instruction set is one file with one constant table
 * and its own compiler flags. Adding one: kern_NAME.c, one row in kern.c. No thread here knows
 * another; the compute team splits rows above. The order of additions of one output depends on its
 * row alone, never on how many tokens or rows are computed together: a token gives the same bits
 * alone and in a batch.
 *
 * Quantised weights meet int8 activations: blocks of 32 numbers, each with scale and sum
 * (kern_act). With table->int8 == false they are dequantised instead, in float: the reference that
 * is compared with PyTorch. */
#ifndef BANTAM_KERN_KERN_H
#define BANTAM_KERN_KERN_H

#include "base/err.h"
#include "kern/kern_attend.h"
#include "kern/kern_product.h"
#include "kern/kern_rows.h"

#include <stdint.h>

/* Activations of T rows of k numbers (k a multiple of 32), quantised a block at a time:
 * value ~ d * q with d = max|value| / 127; sum = d * (sum of q). */
typedef struct kern_act {
    int8_t *q;  /* [T, k] */
    float *d;   /* [T, k / 32] */
    float *sum; /* [T, k / 32] */
} kern_act;

/* y[t * ldy + r] = x[t] . w[r] for t in [0, T), r in [0, rows) */
typedef void (*kern_gemm_f32)(const float *x, int64_t T, const float *w, int64_t rows, int64_t k,
                              float *y, int64_t ldy);
typedef void (*kern_gemm_f16)(const float *x, int64_t T, const uint16_t *w, int64_t rows, int64_t k,
                              float *y, int64_t ldy);
/* w: rows of k / 32 blocks, row_bytes apart */
typedef void (*kern_gemm_q)(kern_act x, int64_t T, const void *w, int64_t row_bytes, int64_t rows,
                            int64_t k, float *y, int64_t ldy);

/* Weights laid out for speed once, at load: KERN_STRIP rows side by side, so that a vector lane is
 * a row. As many bytes as before, strip r at r * KERN_STRIP * row_bytes; rows a multiple of
 * KERN_STRIP. gemm is a kern_gemm_q over that layout. Both NULL: this table has none. */
enum { KERN_STRIP = 8 };
typedef struct kern_packed {
    void (*pack)(const void *w, int64_t row_bytes, int64_t rows, int64_t k, void *out);
    kern_gemm_q gemm;
} kern_packed;

typedef struct kern_table {
    const char *name;
    bool int8; /* quantised weights are multiplied in int8 */
    const kern_attend_table *attend;
    const kern_rows_table *rows;
    const kern_products *products; /* on strips; NULL: none */
    kern_gemm_f32 gemm_f32;
    kern_gemm_f16 gemm_f16;
    kern_gemm_q gemm_q8_0, gemm_q4_0, gemm_q4_1;
    kern_packed packed_q4_0, packed_q4_1;
    void (*quantise)(const float *x, int64_t k, int8_t *q, float *d, float *sum); /* one row */
    float (*dot_f32)(const float *a, const float *b, int64_t n);
    float (*dot_f16)(const float *a, const uint16_t *b, int64_t n);
    void (*axpy_f32)(float a, const float *x, float *y, int64_t n); /* y += a x */
    void (*axpy_f16)(float a, const uint16_t *x, float *y, int64_t n);
    void (*f32_to_f16)(const float *x, uint16_t *y, int64_t n); /* round to nearest even */
    void (*f16_to_f32)(const uint16_t *x, float *y, int64_t n);
} kern_table;

/* name: "f32" (reference on dequantised weights), "ref" (portable int8), "avx2"; NULL = the fastest
 * this machine has. E_UNSUPPORTED names what there is. */
err kern_select(const char *name, const kern_table **out, fail *f) MUST_CHECK;

float kern_f16_to_f32(uint16_t h);
uint16_t kern_f32_to_f16(float x);

extern const kern_table kern_f32_table, kern_ref_table, kern_avx2_table, kern_avx2_f32_table,
    kern_avx512_table;

#endif
