/* kern_product_avx2.c - products on strips with AVX2 and FMA: a strip is two vectors of eight rows.
 *
 * A block is put in the open, then meets a tile's tokens one to four at a time (kern_strip.h).
 * Products of bytes go by vpmaddubsw, which adds two of them in 16 bits: codes up to 4 bits are
 * summed over the whole block there, 5 bits over four groups, 6 bits over two, and codes of eight
 * bits as |code - 128| times an activation of the right sign, so that nothing saturates. Integer
 * sums equal kern_ref_product.c's, and so do the floats, bit for bit. */
#if defined(__x86_64__)
#include "kern/kern_block.h"

#include <immintrin.h>

static inline void open_values(uint8_t code[512]) {
    __m128i values = _mm_loadu_si128((const __m128i *)(const void *)kern_iq4_values);
    __m256i table = _mm256_broadcastsi128_si256(_mm_xor_si128(values, _mm_set1_epi8((char)0x80)));
    for (int i = 0; i < 512; i += 32) {
        __m256i *at = (__m256i *)(void *)(code + i);
        _mm256_storeu_si256(at, _mm256_shuffle_epi8(table, _mm256_loadu_si256(at)));
    }
}

enum { AHEAD = 2048, FLOAT_TOKENS = 6, QUAD = 4 };

#include "kern/kern_strip.h"

static inline __m256i load(const void *p) {
    return _mm256_loadu_si256(p);
}

/* sum of products of codes and activations, in 16 bits */
OPEN __m256i multiply(const open_type *y, const uint8_t *code, __m256i x) {
    __m256i w = load(code);
    if (y->sums) return _mm256_maddubs_epi16(w, x);
    w = _mm256_xor_si256(w, _mm256_set1_epi8((char)0x80));
    return _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
}

/* the integer sums of groups [from, from + count) for N tokens from t on, without zero points */
OPEN void dots(const open_type *y, const int N, const open_block *k, const tokens *x, int64_t t,
               int from, int count, __m256i s[QUAD][V]) {
    const int depth = y->sums == 0 ? 1 : y->sums < count ? y->sums : count;
    const __m256i ones = _mm256_set1_epi16(1);
    UNROLL for (int i = 0; i < N; i++) UNROLL for (int v = 0; v < V; v++) s[i][v] =
        _mm256_setzero_si256();
    for (int g = from; g < from + count; g += depth) {
        __m256i part[QUAD][V];
        UNROLL for (int i = 0; i < N; i++) UNROLL for (int v = 0; v < V; v++) part[i][v] =
            _mm256_setzero_si256();
        UNROLL for (int e = 0; e < depth; e++) {
            UNROLL for (int i = 0; i < N; i++) {
                int32_t four;
                memcpy(&four, x->q + (t + i) * KERN_BLOCK + 4 * (g + e), sizeof four);
                UNROLL for (int v = 0; v < V; v++) part[i][v] = _mm256_add_epi16(
                    part[i][v],
                    multiply(y, k->code + (g + e) * LINE + v * LINE / V, _mm256_set1_epi32(four)));
            }
        }
        UNROLL for (int i = 0; i < N; i++) UNROLL for (int v = 0; v < V; v++) s[i][v] =
            _mm256_add_epi32(s[i][v], _mm256_madd_epi16(part[i][v], ones));
    }
}

/* tokens [t, t + N) */
OPEN void step(const open_type *y, const int N, const open_block *k, const tokens *x, int64_t t,
               sums *to) {
    const int pieces = y->halves ? 2 : 1;
    for (int h = 0; h < pieces; h++) {
        __m256i s[QUAD][V];
        dots(y, N, k, x, t, h * GROUPS / 2, GROUPS / pieces, s);
        UNROLL for (int i = 0; i < N; i++) {
            int32_t neg = x->neg[h * x->n + t + i];
            __m256i zero = _mm256_set1_epi32(y->sums ? neg * y->zero : 0);
            UNROLL for (int v = 0; v < V; v++) add_sum(
                y, k, x, t + i, h, v, _mm256_cvtepi32_ps(_mm256_add_epi32(s[i][v], zero)), to);
        }
    }
}

OPEN void ready(const open_type *y, open_block *k) { /* codes are multiplied as they lie */
    (void)y;
    (void)k;
}
OPEN void meet(const open_type *y, const open_block *k, const tokens *x, sums *to) {
    int64_t t = 0;
    for (; t + QUAD <= x->n; t += QUAD) step(y, QUAD, k, x, t, to);
    if (t + 2 <= x->n) {
        step(y, 2, k, x, t, to);
        t += 2;
    }
    if (t < x->n) step(y, 1, k, x, t, to);
}

OPEN_TYPES(STRIP_PRODUCT)

/* 32 numbers of one token; the same rounding as kern_ref_product.c's */
static void quantise_block(const float *x, int8_t *q, float *d, int32_t sum[2]) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    __m256 v[4], most = _mm256_setzero_ps();
    for (int i = 0; i < 4; i++) {
        v[i] = _mm256_loadu_ps(x + LANES * i);
        most = _mm256_max_ps(most, _mm256_andnot_ps(sign, v[i]));
    }
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(most), _mm256_extractf128_ps(most, 1));
    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    float top = _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
    __m256 inverse = _mm256_set1_ps(top > 0 ? 127.0f / top : 0);
    __m256i n[4];
    for (int i = 0; i < 4; i++) n[i] = _mm256_cvtps_epi32(_mm256_mul_ps(v[i], inverse));
    __m256i low = _mm256_packs_epi32(n[0], n[1]), high = _mm256_packs_epi32(n[2], n[3]);
    __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high), order);
    _mm256_storeu_si256((__m256i *)(void *)q, bytes);
    for (int h = 0; h < 2; h++) {
        __m256i two = _mm256_add_epi32(n[2 * h], n[2 * h + 1]);
        __m128i t = _mm_add_epi32(_mm256_castsi256_si128(two), _mm256_extracti128_si256(two, 1));
        t = _mm_add_epi32(t, _mm_shuffle_epi32(t, 0x4e));
        sum[h] = _mm_cvtsi128_si32(_mm_add_epi32(t, _mm_shuffle_epi32(t, 0xb1)));
    }
    *d = top / 127.0f;
}

#include "kern/kern_strip_float.h"

const kern_products kern_avx2_products = {
    .gemm = {OPEN_TYPES(STRIP_ENTRY) STRIP_ENTRY(F32) STRIP_ENTRY(F16) STRIP_ENTRY(BF16)},
    .quantise_tile = quantise_tile};
#endif
