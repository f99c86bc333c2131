/* kern_avx512.c - products with AVX-512 VNNI: the table, and activations to int8. Compiled with its
 * own flags (Makefile), as all kern_*avx512.c; run only where kern.c saw them.
 *
 *   kern_block_avx512.h    one block in registers; few tokens straight from the packed bytes
 *   kern_small_avx512.c    types of 32 columns,  kern_super_avx512.c  of 256: a function each
 *   kern_tile_avx512.c     many tokens over an unpacked panel
 *   kern_float_avx512.c    F32, F16, BF16 */
#if defined(__x86_64__)
#include "kern/kern_avx512.h"

/* 32 numbers of one token; the same rounding as kern_ref's */
INLINE void quantise_block(const float *x, int8_t *q, float *d, float *sum, int32_t *neg,
                           int32_t *neg16, int64_t n) {
    __m512 v[2] = {_mm512_loadu_ps(x), _mm512_loadu_ps(x + HALF)};
    float top = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(v[0]), _mm512_abs_ps(v[1])));
    __m512 inverse = _mm512_set1_ps(top > 0 ? 127.0f / top : 0);
    int32_t total = 0;
    UNROLL for (int h = 0; h < 2; h++) {
        __m512i r = _mm512_cvtps_epi32(_mm512_mul_ps(v[h], inverse));
        _mm_storeu_si128((__m128i *)(void *)(q + h * HALF), _mm512_cvtepi32_epi8(r));
        int32_t half = _mm512_reduce_add_epi32(r);
        neg16[h * n] = -half;
        total += half;
    }
    *d = top / 127.0f;
    *sum = *d * (float)total;
    *neg = -total;
}

static void quantise_tile(const kern_input *in, int64_t i) {
    int64_t first = kern_tile_start(in, i), n = kern_tile_start(in, i + 1) - first,
            blocks = in->cols / KERN_BLOCK, base = first * blocks;
    for (int64_t t = 0; t < n; t++)
        for (int64_t b = 0; b < blocks; b++) {
            int64_t at = base + b * n + t;
            quantise_block(in->x + (first + t) * in->cols + b * KERN_BLOCK, in->q + at * KERN_BLOCK,
                           in->d + at, in->sum + at, in->neg + at,
                           in->neg16 + 2 * (base + b * n) + t, n);
        }
}

const kern_products kern_avx512_products = {.gemm = {[KERN_F32] = kern_avx512_F32,
                                                     [KERN_F16] = kern_avx512_F16,
                                                     [KERN_BF16] = kern_avx512_BF16,
                                                     [KERN_Q8_0] = kern_avx512_Q8_0,
                                                     [KERN_Q4_0] = kern_avx512_Q4_0,
                                                     [KERN_Q4_1] = kern_avx512_Q4_1,
                                                     [KERN_Q5_0] = kern_avx512_Q5_0,
                                                     [KERN_Q5_1] = kern_avx512_Q5_1,
                                                     [KERN_Q2_K] = kern_avx512_Q2_K,
                                                     [KERN_Q3_K] = kern_avx512_Q3_K,
                                                     [KERN_Q4_K] = kern_avx512_Q4_K,
                                                     [KERN_Q5_K] = kern_avx512_Q5_K,
                                                     [KERN_Q6_K] = kern_avx512_Q6_K,
                                                     [KERN_IQ4_NL] = kern_avx512_IQ4_NL,
                                                     [KERN_IQ4_XS] = kern_avx512_IQ4_XS},
                                            .quantise_tile = quantise_tile};
#endif
