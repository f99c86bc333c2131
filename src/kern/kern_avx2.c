/* kern_avx2.c - the tables of AVX2 and AVX-512, and the float reference's product of rows with AVX2
 * and FMA. Compiled with its own flags (Makefile); run only where kern.c saw them.
 *
 * gemm_f32 is tiles of dot products along k, 4 tokens x 3 rows: each output has its own accumulator
 * of eight lanes, whatever the tile, so that bits do not depend on the batch. Within 1e-5 of the
 * largest term of kern_ref.c's. */
#if defined(__x86_64__)
#include "kern/kern.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

enum { LANES = 8, TILE_T = 4, TILE_R = 3 };

static inline float add_lanes(__m256 v) {
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

static float dot_f32(const float *a, const float *b, int64_t n) {
    __m256 s = _mm256_setzero_ps();
    float rest = 0;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        s = _mm256_fmadd_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i), s);
    for (; i < n; i++) rest = fmaf(a[i], b[i], rest);
    return add_lanes(s) + rest;
}

/* nt tokens x nr rows, both constants at the call, so the compiler unrolls; k a multiple of 8 */
static inline __attribute__((always_inline)) void
tile_f32(const float *x, int nt, const float *w, int nr, int64_t k, float *y, int64_t ldy) {
    __m256 s[TILE_T][TILE_R];
    for (int t = 0; t < nt; t++)
        for (int r = 0; r < nr; r++) s[t][r] = _mm256_setzero_ps();
    for (int64_t i = 0; i < k; i += LANES) {
        __m256 row[TILE_R];
        for (int r = 0; r < nr; r++) row[r] = _mm256_loadu_ps(w + r * k + i);
        for (int t = 0; t < nt; t++) {
            __m256 v = _mm256_loadu_ps(x + t * k + i);
            for (int r = 0; r < nr; r++) s[t][r] = _mm256_fmadd_ps(v, row[r], s[t][r]);
        }
    }
    for (int t = 0; t < nt; t++)
        for (int r = 0; r < nr; r++) y[t * ldy + r] = add_lanes(s[t][r]);
}

static void gemm_f32(const float *x, int64_t T, const float *w, int64_t rows, int64_t k, float *y,
                     int64_t ldy) {
    if (k % LANES) {
        for (int64_t t = 0; t < T; t++)
            for (int64_t r = 0; r < rows; r++) y[t * ldy + r] = dot_f32(x + t * k, w + r * k, k);
        return;
    }
    for (int64_t r = 0; r < rows;) {
        int nr = rows - r >= TILE_R ? TILE_R : 1;
        const float *row = w + r * k;
        int64_t t = 0;
        for (; t + TILE_T <= T; t += TILE_T) {
            if (nr == TILE_R)
                tile_f32(x + t * k, TILE_T, row, TILE_R, k, y + t * ldy + r, ldy);
            else
                tile_f32(x + t * k, TILE_T, row, 1, k, y + t * ldy + r, ldy);
        }
        for (; t < T; t++) {
            if (nr == TILE_R)
                tile_f32(x + t * k, 1, row, TILE_R, k, y + t * ldy + r, ldy);
            else
                tile_f32(x + t * k, 1, row, 1, k, y + t * ldy + r, ldy);
        }
        r += nr;
    }
}

static void axpy_f32(float a, const float *x, float *y, int64_t n) {
    int64_t i = 0;
    __m256 all = _mm256_set1_ps(a);
    for (; i + LANES <= n; i += LANES)
        _mm256_storeu_ps(y + i,
                         _mm256_fmadd_ps(all, _mm256_loadu_ps(x + i), _mm256_loadu_ps(y + i)));
    for (; i < n; i++) y[i] = fmaf(a, x[i], y[i]);
}

const kern_table kern_avx2_table = {.name = "avx2",
                                    .int8 = true,
                                    .attend = &kern_attend_avx2,
                                    .rows = &kern_rows_avx2,
                                    .products = &kern_avx2_products,
                                    .gemm_f32 = gemm_f32,
                                    .dot_f32 = dot_f32,
                                    .axpy_f32 = axpy_f32};
const kern_table kern_avx512_table = {.name = "avx512",
                                      .int8 = true,
                                      .attend = &kern_attend_avx512,
                                      .rows = &kern_rows_avx512,
                                      .products = &kern_avx512_products,
                                      .gemm_f32 = gemm_f32,
                                      .dot_f32 = dot_f32,
                                      .axpy_f32 = axpy_f32};
/* the same but for products of many tokens */
const kern_table kern_amx_table = {.name = "amx",
                                   .int8 = true,
                                   .attend = &kern_attend_avx512,
                                   .rows = &kern_rows_avx512,
                                   .products = &kern_amx_products,
                                   .gemm_f32 = gemm_f32,
                                   .dot_f32 = dot_f32,
                                   .axpy_f32 = axpy_f32};
/* the float reference at a bearable speed: the same products, in the same order, as kern_ref.c's */
const kern_table kern_avx2_f32_table = {.name = "f32",
                                        .int8 = false,
                                        .attend = &kern_attend_avx2,
                                        .rows = &kern_rows_avx2,
                                        .gemm_f32 = gemm_f32,
                                        .dot_f32 = dot_f32,
                                        .axpy_f32 = axpy_f32};
#endif
