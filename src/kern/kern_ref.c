/* kern_ref.c - the portable tables, and the product of float rows that the float reference uses.
 * Sums run in eight lanes that are added pairwise at the end, the order that the vector files use
 * too. kern_ref_product.c, kern_attend_ref.c and kern_rows_ref.c have the rest. */
#include "kern/kern.h"

#include <math.h>
#include <string.h>

enum { LANES = 8 };

static float add_lanes(const float s[LANES]) {
    float a = s[0] + s[4], b = s[1] + s[5], c = s[2] + s[6], d = s[3] + s[7];
    return (a + c) + (b + d);
}

static float dot_f32(const float *a, const float *b, int64_t n) {
    float s[LANES] = {0}, rest = 0;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++) s[l] = fmaf(a[i + l], b[i + l], s[l]);
    for (; i < n; i++) rest = fmaf(a[i], b[i], rest);
    return add_lanes(s) + rest;
}

static void gemm_f32(const float *x, int64_t T, const float *w, int64_t rows, int64_t k, float *y,
                     int64_t ldy) {
    for (int64_t t = 0; t < T; t++)
        for (int64_t r = 0; r < rows; r++) y[t * ldy + r] = dot_f32(x + t * k, w + r * k, k);
}

static void axpy_f32(float a, const float *x, float *y, int64_t n) {
    for (int64_t i = 0; i < n; i++) y[i] = fmaf(a, x[i], y[i]);
}

const kern_table kern_f32_table = {.name = "f32",
                                   .int8 = false,
                                   .attend = &kern_attend_ref,
                                   .rows = &kern_rows_ref,
                                   .gemm_f32 = gemm_f32,
                                   .dot_f32 = dot_f32,
                                   .axpy_f32 = axpy_f32};
const kern_table kern_ref_table = {.name = "ref",
                                   .int8 = true,
                                   .attend = &kern_attend_ref,
                                   .rows = &kern_rows_ref,
                                   .products = &kern_ref_products,
                                   .gemm_f32 = gemm_f32,
                                   .dot_f32 = dot_f32,
                                   .axpy_f32 = axpy_f32};
