/* kern_ref.c - the readable kernels: what every instruction-set file is compared with. Two tables
 * share them: "f32" multiplies dequantised weights in float, "ref" multiplies in int8. Sums run in
 * eight lanes that are added pairwise at the end, the order that the vector files use too. */
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

static float dot_f16(const float *a, const uint16_t *b, int64_t n) {
    float s[LANES] = {0}, rest = 0;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++) s[l] = fmaf(a[i + l], kern_f16_to_f32(b[i + l]), s[l]);
    for (; i < n; i++) rest = fmaf(a[i], kern_f16_to_f32(b[i]), rest);
    return add_lanes(s) + rest;
}

static void gemm_f32(const float *x, int64_t T, const float *w, int64_t rows, int64_t k, float *y,
                     int64_t ldy) {
    for (int64_t t = 0; t < T; t++)
        for (int64_t r = 0; r < rows; r++) y[t * ldy + r] = dot_f32(x + t * k, w + r * k, k);
}

static void gemm_f16(const float *x, int64_t T, const uint16_t *w, int64_t rows, int64_t k,
                     float *y, int64_t ldy) {
    for (int64_t t = 0; t < T; t++)
        for (int64_t r = 0; r < rows; r++) y[t * ldy + r] = dot_f16(x + t * k, w + r * k, k);
}

/* ---- int8 ---- */

static void quantise(const float *x, int64_t k, int8_t *q, float *d, float *sum) {
    for (int64_t b = 0; b < k / KERN_BLOCK; b++, x += KERN_BLOCK, q += KERN_BLOCK) {
        float most = 0;
        for (int i = 0; i < KERN_BLOCK; i++) most = fmaxf(most, fabsf(x[i]));
        float scale = most / 127.0f, inverse = most > 0 ? 127.0f / most : 0;
        int total = 0;
        for (int i = 0; i < KERN_BLOCK; i++) {
            q[i] = (int8_t)lrintf(x[i] * inverse);
            total += q[i];
        }
        d[b] = scale;
        sum[b] = scale * (float)total;
    }
}

static float row_q8_0(const int8_t *q, const float *d, const kern_q8_0 *w, int64_t blocks) {
    float s = 0;
    for (int64_t b = 0; b < blocks; b++, q += KERN_BLOCK) {
        int total = 0;
        for (int i = 0; i < KERN_BLOCK; i++) total += q[i] * w[b].q[i];
        s += (float)total * (kern_f16_to_f32(w[b].d) * d[b]);
    }
    return s;
}

static int nibble_dot(const int8_t *q, const uint8_t *w) {
    int total = 0;
    for (int i = 0; i < KERN_BLOCK / 2; i++)
        total += q[i] * (w[i] & 15) + q[i + KERN_BLOCK / 2] * (w[i] >> 4);
    return total;
}

static float row_q4_0(const int8_t *q, const float *d, const float *sum, const kern_q4_0 *w,
                      int64_t blocks) {
    float s = 0;
    for (int64_t b = 0; b < blocks; b++, q += KERN_BLOCK) {
        float scale = kern_f16_to_f32(w[b].d);
        s += (float)nibble_dot(q, w[b].q) * (scale * d[b]) - 8 * scale * sum[b];
    }
    return s;
}

static float row_q4_1(const int8_t *q, const float *d, const float *sum, const kern_q4_1 *w,
                      int64_t blocks) {
    float s = 0;
    for (int64_t b = 0; b < blocks; b++, q += KERN_BLOCK)
        s += (float)nibble_dot(q, w[b].q) * (kern_f16_to_f32(w[b].d) * d[b]) +
             kern_f16_to_f32(w[b].m) * sum[b];
    return s;
}

#define GEMM_Q(name, type, call)                                                                   \
    static void gemm_##name(kern_act x, int64_t T, const void *w, int64_t row_bytes, int64_t rows, \
                            int64_t k, float *y, int64_t ldy) {                                    \
        int64_t blocks = k / KERN_BLOCK;                                                           \
        for (int64_t t = 0; t < T; t++) {                                                          \
            const int8_t *q = x.q + t * k;                                                         \
            const float *d = x.d + t * blocks, *sum = x.sum + t * blocks;                          \
            (void)sum;                                                                             \
            for (int64_t r = 0; r < rows; r++) {                                                   \
                const type *row = (const type *)((const char *)w + r * row_bytes);                 \
                y[t * ldy + r] = call;                                                             \
            }                                                                                      \
        }                                                                                          \
    }
GEMM_Q(q8_0, kern_q8_0, row_q8_0(q, d, row, blocks))
GEMM_Q(q4_0, kern_q4_0, row_q4_0(q, d, sum, row, blocks))
GEMM_Q(q4_1, kern_q4_1, row_q4_1(q, d, sum, row, blocks))

/* ---- vectors ---- */

static void axpy_f32(float a, const float *x, float *y, int64_t n) {
    for (int64_t i = 0; i < n; i++) y[i] = fmaf(a, x[i], y[i]);
}
static void axpy_f16(float a, const uint16_t *x, float *y, int64_t n) {
    for (int64_t i = 0; i < n; i++) y[i] = fmaf(a, kern_f16_to_f32(x[i]), y[i]);
}
static void f32_to_f16(const float *x, uint16_t *y, int64_t n) {
    for (int64_t i = 0; i < n; i++) y[i] = kern_f32_to_f16(x[i]);
}
static void f16_to_f32(const uint16_t *x, float *y, int64_t n) {
    for (int64_t i = 0; i < n; i++) y[i] = kern_f16_to_f32(x[i]);
}

#define REF_ROWS                                                                                  \
    .attend = &kern_attend_ref, .rows = &kern_rows_ref, .gemm_f32 = gemm_f32,                     \
    .gemm_f16 = gemm_f16, .gemm_q8_0 = gemm_q8_0, .gemm_q4_0 = gemm_q4_0, .gemm_q4_1 = gemm_q4_1, \
    .quantise = quantise, .dot_f32 = dot_f32, .dot_f16 = dot_f16, .axpy_f32 = axpy_f32,           \
    .axpy_f16 = axpy_f16, .f32_to_f16 = f32_to_f16, .f16_to_f32 = f16_to_f32

const kern_table kern_f32_table = {.name = "f32", .int8 = false, REF_ROWS};
const kern_table kern_ref_table = {
    .name = "ref", .int8 = true, .products = &kern_ref_products, REF_ROWS};
