/* kern_neon.c - the tables of NEON (Arm 8.2 with dot products, and with i8mm). Compiled with its
 * own flags (Makefile), as all kern_*neon.c; run only where kern.c saw them. */
#if defined(__aarch64__)
#include "kern/kern.h"

#include <arm_neon.h>
#include <math.h>

enum { LANES = 4 };

static float dot_f32(const float *a, const float *b, int64_t n) {
    float32x4_t s[2] = {vdupq_n_f32(0), vdupq_n_f32(0)};
    float rest = 0;
    int64_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES)
        for (int h = 0; h < 2; h++)
            s[h] = vfmaq_f32(s[h], vld1q_f32(a + i + h * LANES), vld1q_f32(b + i + h * LANES));
    for (; i < n; i++) rest = fmaf(a[i], b[i], rest);
    return vaddvq_f32(vaddq_f32(s[0], s[1])) + rest;
}

static void axpy_f32(float a, const float *x, float *y, int64_t n) {
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        vst1q_f32(y + i, vfmaq_n_f32(vld1q_f32(y + i), vld1q_f32(x + i), a));
    for (; i < n; i++) y[i] = fmaf(a, x[i], y[i]);
}

static void gemm_f32(const float *x, int64_t T, const float *w, int64_t rows, int64_t k, float *y,
                     int64_t ldy) {
    for (int64_t t = 0; t < T; t++)
        for (int64_t r = 0; r < rows; r++) y[t * ldy + r] = dot_f32(x + t * k, w + r * k, k);
}

const kern_table kern_neon_table = {.name = "neon",
                                    .int8 = true,
                                    .attend = &kern_attend_neon,
                                    .rows = &kern_rows_neon,
                                    .products = &kern_neon_products,
                                    .gemm_f32 = gemm_f32,
                                    .dot_f32 = dot_f32,
                                    .axpy_f32 = axpy_f32};
/* the same but for products of several tokens */
const kern_table kern_i8mm_table = {.name = "i8mm",
                                    .int8 = true,
                                    .attend = &kern_attend_neon,
                                    .rows = &kern_rows_neon,
                                    .products = &kern_i8mm_products,
                                    .gemm_f32 = gemm_f32,
                                    .dot_f32 = dot_f32,
                                    .axpy_f32 = axpy_f32};
#endif
