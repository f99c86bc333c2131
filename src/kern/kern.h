/* kern.h - numeric kernels on raw pointers, behind one table that is picked once.
 *
 * Matrix products are in kern_product.h, over the layouts of kern_layout.h; attention in
 * kern_attend.h; operators on rows in kern_rows.h. Each is born readable in a _ref file; an
 * instruction set is one file of each with its own compiler flags and one row in kern.c. No thread
 * here knows another; the compute team splits the work above. The order of additions of one output
 * depends on its row alone, never on how many tokens or rows are computed together: a token gives
 * the same bits alone and in a batch.
 *
 * Quantised weights meet activations rounded to int8. With table->int8 == false they are
 * dequantised instead, in float: the reference that is compared with PyTorch. */
#ifndef BANTAM_KERN_KERN_H
#define BANTAM_KERN_KERN_H

#include "base/err.h"
#include "kern/kern_attend.h"
#include "kern/kern_product.h"
#include "kern/kern_rows.h"

#include <stdint.h>

/* y[t * ldy + r] = x[t] . w[r] for t in [0, T), r in [0, rows) */
typedef void (*kern_gemm_f32)(const float *x, int64_t T, const float *w, int64_t rows, int64_t k,
                              float *y, int64_t ldy);
typedef struct kern_table {
    const char *name;
    bool int8; /* quantised weights are multiplied in int8 */
    const kern_attend_table *attend;
    const kern_rows_table *rows;
    const kern_products *products; /* NULL: weights are dequantised */
    kern_gemm_f32 gemm_f32;
    float (*dot_f32)(const float *a, const float *b, int64_t n);
    void (*axpy_f32)(float a, const float *x, float *y, int64_t n); /* y += a x */
} kern_table;

/* name: "f32" (reference on dequantised weights), "ref" (portable int8), "avx2", "avx512", "amx",
 * "neon", "i8mm"; NULL = the fastest this machine has. E_UNSUPPORTED names what there is. */
err kern_select(const char *name, const kern_table **out, fail *f) MUST_CHECK;

float kern_f16_to_f32(uint16_t h);
uint16_t kern_f32_to_f16(float x);

extern const kern_table kern_f32_table, kern_ref_table, kern_avx2_table, kern_avx2_f32_table,
    kern_avx512_table, kern_amx_table, kern_neon_table, kern_i8mm_table;

#endif
