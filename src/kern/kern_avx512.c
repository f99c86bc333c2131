/* kern_avx512.c - products with AVX-512 VNNI: the table, and activations to int8. Compiled with its
 * own flags (Makefile), as all kern_*avx512.c; run only where kern.c saw them.
 *
 *   kern_block_avx512.h    one block in registers; few tokens straight from the packed bytes
 *   kern_small_avx512.c    types of 32 columns,  kern_super_avx512.c  of 256: a function each
 *   kern_tile_avx512.c     many tokens over an unpacked panel
 *   kern_float_avx512.c    F32, F16, BF16 */
#if defined(__x86_64__)
#include "kern/kern_avx512.h"

enum { FOUR = 4 };

/* the largest lane of each of four vectors */
INLINE __m128 most_of_four(const __m512 v[FOUR]) {
    __m512 a = _mm512_max_ps(_mm512_unpacklo_ps(v[0], v[1]), _mm512_unpackhi_ps(v[0], v[1]));
    __m512 b = _mm512_max_ps(_mm512_unpacklo_ps(v[2], v[3]), _mm512_unpackhi_ps(v[2], v[3]));
    __m512d x = _mm512_castps_pd(a), y = _mm512_castps_pd(b);
    __m512 c = _mm512_max_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(x, y)),
                             _mm512_castpd_ps(_mm512_unpackhi_pd(x, y)));
    __m256 h = _mm256_max_ps(_mm512_castps512_ps256(c), _mm512_extractf32x8_ps(c, 1));
    return _mm_max_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
}
/* the sum of the lanes of each */
INLINE __m128i sums_of_four(const __m512i v[FOUR]) {
    __m512i a =
        _mm512_add_epi32(_mm512_unpacklo_epi32(v[0], v[1]), _mm512_unpackhi_epi32(v[0], v[1]));
    __m512i b =
        _mm512_add_epi32(_mm512_unpacklo_epi32(v[2], v[3]), _mm512_unpackhi_epi32(v[2], v[3]));
    __m512i c = _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
    __m256i h = _mm256_add_epi32(_mm512_castsi512_si256(c), _mm512_extracti64x4_epi64(c, 1));
    return _mm_add_epi32(_mm256_castsi256_si128(h), _mm256_extracti128_si256(h, 1));
}

/* Token t of a tile of n, at block `block` of the whole input (kern_product.h). */
typedef struct place {
    int64_t block, n, t;
} place;

/* Up to four blocks of one token, [count][32]. The same rounding as kern_ref's. */
INLINE void quantise_four(const kern_input *in, const float *x, place p, int count) {
    __m512 v[FOUR][2], top[FOUR];
    __m512i total[FOUR], half[FOUR];
    UNROLL for (int b = 0; b < FOUR; b++) {
        __mmask16 has = b < count ? 0xffff : 0;
        UNROLL for (int h = 0; h < 2; h++) v[b][h] =
            _mm512_maskz_loadu_ps(has, x + b * KERN_BLOCK + h * HALF);
        top[b] = _mm512_max_ps(_mm512_abs_ps(v[b][0]), _mm512_abs_ps(v[b][1]));
    }
    __m128 most = most_of_four(top), full = _mm_set1_ps(127.0f);
    __m128 inverse =
        _mm_maskz_div_ps(_mm_cmp_ps_mask(most, _mm_setzero_ps(), _CMP_GT_OQ), full, most);
    UNROLL for (int b = 0; b < FOUR; b++) {
        int8_t *q = in->q + (p.block + b * p.n + p.t) * KERN_BLOCK;
        __m512 by = _mm512_broadcastss_ps(_mm_permutevar_ps(inverse, _mm_set1_epi32(b)));
        __m512i r[2];
        UNROLL for (int h = 0; h < 2; h++) {
            r[h] = _mm512_cvtps_epi32(_mm512_mul_ps(v[b][h], by));
            if (b < count)
                _mm_storeu_si128((__m128i *)(void *)(q + h * HALF), _mm512_cvtepi32_epi8(r[h]));
        }
        half[b] = r[0];
        total[b] = _mm512_add_epi32(r[0], r[1]);
    }
    __m128i all = sums_of_four(total);
    __m128 d = _mm_div_ps(most, full), sum = _mm_mul_ps(d, _mm_cvtepi32_ps(all));
    float each_d[FOUR], each_sum[FOUR];
    int32_t each[FOUR], first[FOUR];
    _mm_storeu_ps(each_d, d);
    _mm_storeu_ps(each_sum, sum);
    _mm_storeu_si128((__m128i *)(void *)each, all);
    if (in->by_halves) _mm_storeu_si128((__m128i *)(void *)first, sums_of_four(half));
    for (int b = 0; b < count; b++) {
        int64_t at = p.block + b * p.n + p.t;
        in->d[at] = each_d[b];
        in->sum[at] = each_sum[b];
        in->neg[at] = -each[b];
        if (!in->by_halves) continue;
        at = 2 * (p.block + b * p.n) + p.t;
        in->neg16[at] = -first[b];
        in->neg16[at + p.n] = first[b] - each[b];
    }
}

static void quantise_tile(const kern_input *in, int64_t i) {
    int64_t first = kern_tile_start(in, i), n = kern_tile_start(in, i + 1) - first,
            blocks = in->cols / KERN_BLOCK, base = first * blocks;
    for (int64_t t = 0; t < n; t++) {
        const float *x = in->x + (first + t) * in->cols;
        int64_t b = 0;
        for (; b + FOUR <= blocks; b += FOUR)
            quantise_four(in, x + b * KERN_BLOCK, (place){base + b * n, n, t}, FOUR);
        if (b < blocks)
            quantise_four(in, x + b * KERN_BLOCK, (place){base + b * n, n, t}, (int)(blocks - b));
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
