/* kern_avx2.c - AVX2, FMA and F16C. Compiled with its own flags (Makefile); run only where kern.c
 * saw them.
 *
 * Matrix products are tiles of dot products along k: 4 tokens x 3 rows in float, 4 tokens x 1 row
 * in int8, so a weight is loaded (and its nibbles unpacked) once for four tokens. Each output has
 * its own accumulator of eight lanes, whatever the tile: bits do not depend on the batch. Against
 * kern_ref: float sums within 1e-5 of the largest term, integer sums of a block exactly. */
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

/* ---- float ---- */

static inline __m256 load_f16(const uint16_t *p) {
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
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

static float dot_f16(const float *a, const uint16_t *b, int64_t n) {
    __m256 s = _mm256_setzero_ps();
    float rest = 0;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        s = _mm256_fmadd_ps(_mm256_loadu_ps(a + i), load_f16(b + i), s);
    for (; i < n; i++) rest = fmaf(a[i], kern_f16_to_f32(b[i]), rest);
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

static void gemm_f16(const float *x, int64_t T, const uint16_t *w, int64_t rows, int64_t k,
                     float *y, int64_t ldy) {
    for (int64_t t = 0; t < T; t++)
        for (int64_t r = 0; r < rows; r++) y[t * ldy + r] = dot_f16(x + t * k, w + r * k, k);
}

/* ---- int8 ---- */

static void quantise(const float *x, int64_t k, int8_t *q, float *d, float *sum) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    for (int64_t b = 0; b < k / KERN_BLOCK; b++, x += KERN_BLOCK, q += KERN_BLOCK) {
        __m256 v[4], most = _mm256_setzero_ps();
        for (int i = 0; i < 4; i++) {
            v[i] = _mm256_loadu_ps(x + 8 * i);
            most = _mm256_max_ps(most, _mm256_andnot_ps(sign, v[i]));
        }
        __m128 m = _mm_max_ps(_mm256_castps256_ps128(most), _mm256_extractf128_ps(most, 1));
        m = _mm_max_ps(m, _mm_movehl_ps(m, m));
        float top = _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
        float scale = top / 127.0f, inverse = top > 0 ? 127.0f / top : 0;
        __m256i n[4], total = _mm256_setzero_si256();
        for (int i = 0; i < 4; i++) {
            n[i] = _mm256_cvtps_epi32(_mm256_mul_ps(v[i], _mm256_set1_ps(inverse)));
            total = _mm256_add_epi32(total, n[i]);
        }
        __m256i low = _mm256_packs_epi32(n[0], n[1]), high = _mm256_packs_epi32(n[2], n[3]);
        __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high), order);
        _mm256_storeu_si256((__m256i *)q, bytes);
        __m128i t =
            _mm_add_epi32(_mm256_castsi256_si128(total), _mm256_extracti128_si256(total, 1));
        t = _mm_add_epi32(t, _mm_shuffle_epi32(t, 0x4e));
        t = _mm_add_epi32(t, _mm_shuffle_epi32(t, 0xb1));
        d[b] = scale;
        sum[b] = scale * (float)_mm_cvtsi128_si32(t);
    }
}

/* 32 nibbles as bytes 0..15: numbers 0..15 in the low half, 16..31 in the high one */
static inline __m256i nibbles(const uint8_t *p) {
    __m128i v = _mm_loadu_si128((const __m128i *)p);
    __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(v), _mm_srli_epi16(v, 4), 1);
    return _mm256_and_si256(both, _mm256_set1_epi8(15));
}

/* unsigned weights x signed activations, eight sums of four; 2 * 15 * 127 fits int16 */
static inline __m256i dot_unsigned(__m256i w, __m256i x) {
    return _mm256_madd_epi16(_mm256_maddubs_epi16(w, x), _mm256_set1_epi16(1));
}
/* signed weights: |w| x (x with w's sign); 2 * 128 * 127 fits int16 */
static inline __m256i dot_signed(__m256i w, __m256i x) {
    return dot_unsigned(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
}

static inline float half(uint16_t h) {
    return _cvtsh_ss(h);
}

#define LOAD_X(t) _mm256_loadu_si256((const __m256i *)(q + (t)*k + b * KERN_BLOCK))

static inline __attribute__((always_inline)) void tile_q8_0(const int8_t *q, const float *d,
                                                            const float *sum, int nt,
                                                            const kern_q8_0 *w, int64_t k, float *y,
                                                            int64_t ldy) {
    (void)sum;
    int64_t blocks = k / KERN_BLOCK;
    __m256 s[TILE_T];
    for (int t = 0; t < nt; t++) s[t] = _mm256_setzero_ps();
    for (int64_t b = 0; b < blocks; b++) {
        __m256i v = _mm256_loadu_si256((const __m256i *)w[b].q);
        float scale = half(w[b].d);
        for (int t = 0; t < nt; t++)
            s[t] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot_signed(v, LOAD_X(t))),
                                   _mm256_set1_ps(scale * d[t * blocks + b]), s[t]);
    }
    for (int t = 0; t < nt; t++) y[t * ldy] = add_lanes(s[t]);
}

static inline __attribute__((always_inline)) void tile_q4_0(const int8_t *q, const float *d,
                                                            const float *sum, int nt,
                                                            const kern_q4_0 *w, int64_t k, float *y,
                                                            int64_t ldy) {
    int64_t blocks = k / KERN_BLOCK;
    __m256 s[TILE_T];
    float offset[TILE_T] = {0};
    for (int t = 0; t < nt; t++) s[t] = _mm256_setzero_ps();
    for (int64_t b = 0; b < blocks; b++) {
        __m256i v = nibbles(w[b].q);
        float scale = half(w[b].d);
        for (int t = 0; t < nt; t++) {
            s[t] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot_unsigned(v, LOAD_X(t))),
                                   _mm256_set1_ps(scale * d[t * blocks + b]), s[t]);
            offset[t] += scale * sum[t * blocks + b];
        }
    }
    for (int t = 0; t < nt; t++) y[t * ldy] = add_lanes(s[t]) - 8 * offset[t];
}

static inline __attribute__((always_inline)) void tile_q4_1(const int8_t *q, const float *d,
                                                            const float *sum, int nt,
                                                            const kern_q4_1 *w, int64_t k, float *y,
                                                            int64_t ldy) {
    int64_t blocks = k / KERN_BLOCK;
    __m256 s[TILE_T];
    float offset[TILE_T] = {0};
    for (int t = 0; t < nt; t++) s[t] = _mm256_setzero_ps();
    for (int64_t b = 0; b < blocks; b++) {
        __m256i v = nibbles(w[b].q);
        float scale = half(w[b].d), least = half(w[b].m);
        for (int t = 0; t < nt; t++) {
            s[t] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot_unsigned(v, LOAD_X(t))),
                                   _mm256_set1_ps(scale * d[t * blocks + b]), s[t]);
            offset[t] += least * sum[t * blocks + b];
        }
    }
    for (int t = 0; t < nt; t++) y[t * ldy] = add_lanes(s[t]) + offset[t];
}

enum { PREFETCH_BYTES = 2048 };

#define GEMM_Q(name)                                                                               \
    static void gemm_##name(kern_act x, int64_t T, const void *w, int64_t row_bytes, int64_t rows, \
                            int64_t k, float *y, int64_t ldy) {                                    \
        int64_t blocks = k / KERN_BLOCK;                                                           \
        for (int64_t r = 0; r < rows; r++) {                                                       \
            const char *at = (const char *)w + r * row_bytes;                                      \
            for (int64_t i = 0; i < row_bytes; i += 64)                                            \
                _mm_prefetch(at + PREFETCH_BYTES + i, _MM_HINT_T0);                                \
            const kern_##name *row = (const kern_##name *)at;                                      \
            int64_t t = 0;                                                                         \
            for (; t + TILE_T <= T; t += TILE_T)                                                   \
                tile_##name(x.q + t * k, x.d + t * blocks, x.sum + t * blocks, TILE_T, row, k,     \
                            y + t * ldy + r, ldy);                                                 \
            for (; t < T; t++)                                                                     \
                tile_##name(x.q + t * k, x.d + t * blocks, x.sum + t * blocks, 1, row, k,          \
                            y + t * ldy + r, ldy);                                                 \
        }                                                                                          \
    }
GEMM_Q(q8_0)
GEMM_Q(q4_0)
GEMM_Q(q4_1)

/* ---- packed strips: eight rows side by side, a lane is a row ----
 *
 * A block of a strip: f16 d[8], (Q4_1: f16 m[8],) then four vectors of nibbles; vector j holds for
 * each row the bytes 4j..4j+3 of its block: low nibbles are the numbers 4j.., high ones 16 + 4j...
 * The eight products of a block add up in int16: 8 * 2 * 15 * 127 = 30480 fits. */

enum { STRIP_PREFETCH_BYTES = 4096, STRIP_Q_BYTES = KERN_STRIP * KERN_BLOCK / 2 };

static void pack_nibbles(const uint8_t *const q[KERN_STRIP], uint8_t *out) {
    for (int j = 0; j < 4; j++)
        for (int r = 0; r < KERN_STRIP; r++, out += 4) memcpy(out, q[r] + 4 * j, 4);
}

static void pack_q4_0(const void *w, int64_t row_bytes, int64_t rows, int64_t k, void *to) {
    uint8_t *out = to;
    for (int64_t r = 0; r < rows; r += KERN_STRIP)
        for (int64_t b = 0; b < k / KERN_BLOCK; b++) {
            const uint8_t *q[KERN_STRIP];
            for (int i = 0; i < KERN_STRIP; i++) {
                const kern_q4_0 *from =
                    (const kern_q4_0 *)((const char *)w + (r + i) * row_bytes) + b;
                memcpy(out + 2 * i, &from->d, 2);
                q[i] = from->q;
            }
            pack_nibbles(q, out + 2 * KERN_STRIP);
            out += 2 * KERN_STRIP + STRIP_Q_BYTES;
        }
}

static void pack_q4_1(const void *w, int64_t row_bytes, int64_t rows, int64_t k, void *to) {
    uint8_t *out = to;
    for (int64_t r = 0; r < rows; r += KERN_STRIP)
        for (int64_t b = 0; b < k / KERN_BLOCK; b++) {
            const uint8_t *q[KERN_STRIP];
            for (int i = 0; i < KERN_STRIP; i++) {
                const kern_q4_1 *from =
                    (const kern_q4_1 *)((const char *)w + (r + i) * row_bytes) + b;
                memcpy(out + 2 * i, &from->d, 2);
                memcpy(out + 2 * KERN_STRIP + 2 * i, &from->m, 2);
                q[i] = from->q;
            }
            pack_nibbles(q, out + 4 * KERN_STRIP);
            out += 4 * KERN_STRIP + STRIP_Q_BYTES;
        }
}

static inline __m256i four_numbers(const int8_t *q) {
    int32_t v;
    memcpy(&v, q, sizeof v);
    return _mm256_set1_epi32(v);
}

/* nt tokens x one strip; `least`: Q4_1's m stands behind d, else the offset is -8 d */
static inline __attribute__((always_inline)) void strip_q4(const int8_t *q, const float *d,
                                                           const float *sum, int nt, bool least,
                                                           const uint8_t *w, int64_t k, float *y,
                                                           int64_t ldy) {
    const __m256i low = _mm256_set1_epi8(15), ones = _mm256_set1_epi16(1);
    const int head = least ? 4 * KERN_STRIP : 2 * KERN_STRIP;
    int64_t blocks = k / KERN_BLOCK;
    __m256 s[TILE_T];
    for (int t = 0; t < nt; t++) s[t] = _mm256_setzero_ps();
    for (int64_t b = 0; b < blocks; b++, w += head + STRIP_Q_BYTES) {
        __m256i total[TILE_T];
        for (int t = 0; t < nt; t++) total[t] = _mm256_setzero_si256();
        if (nt == 1) {
            _mm_prefetch((const char *)w + STRIP_PREFETCH_BYTES, _MM_HINT_T0);
            _mm_prefetch((const char *)w + STRIP_PREFETCH_BYTES + 64, _MM_HINT_T0);
            _mm_prefetch((const char *)w + STRIP_PREFETCH_BYTES + 128, _MM_HINT_T0);
        }
        for (int j = 0; j < 4; j++) {
            __m256i v = _mm256_loadu_si256((const __m256i *)(w + head + 32 * j));
            __m256i v0 = _mm256_and_si256(v, low);
            __m256i v1 = _mm256_and_si256(_mm256_srli_epi16(v, 4), low);
            for (int t = 0; t < nt; t++) {
                const int8_t *x = q + t * k + b * KERN_BLOCK + 4 * j;
                total[t] = _mm256_add_epi16(total[t], _mm256_maddubs_epi16(v0, four_numbers(x)));
                total[t] =
                    _mm256_add_epi16(total[t], _mm256_maddubs_epi16(v1, four_numbers(x + 16)));
            }
        }
        __m256 scale = load_f16((const uint16_t *)(const void *)w);
        __m256 offset = least ? load_f16((const uint16_t *)(const void *)(w + 2 * KERN_STRIP))
                              : _mm256_mul_ps(scale, _mm256_set1_ps(-8));
        for (int t = 0; t < nt; t++) {
            __m256 f = _mm256_cvtepi32_ps(_mm256_madd_epi16(total[t], ones));
            __m256 both = _mm256_mul_ps(scale, _mm256_set1_ps(d[t * blocks + b]));
            s[t] = _mm256_fmadd_ps(f, both, s[t]);
            s[t] = _mm256_fmadd_ps(offset, _mm256_set1_ps(sum[t * blocks + b]), s[t]);
        }
    }
    for (int t = 0; t < nt; t++) _mm256_storeu_ps(y + t * ldy, s[t]);
}

#define GEMM_STRIP(name, least)                                                                   \
    static void gemm_packed_##name(kern_act x, int64_t T, const void *w, int64_t row_bytes,       \
                                   int64_t rows, int64_t k, float *y, int64_t ldy) {              \
        int64_t blocks = k / KERN_BLOCK;                                                          \
        for (int64_t r = 0; r < rows; r += KERN_STRIP) {                                          \
            const uint8_t *at = (const uint8_t *)w + r * row_bytes;                               \
            int64_t t = 0;                                                                        \
            for (; t + TILE_T <= T; t += TILE_T)                                                  \
                strip_q4(x.q + t * k, x.d + t * blocks, x.sum + t * blocks, TILE_T, least, at, k, \
                         y + t * ldy + r, ldy);                                                   \
            for (; t < T; t++)                                                                    \
                strip_q4(x.q + t * k, x.d + t * blocks, x.sum + t * blocks, 1, least, at, k,      \
                         y + t * ldy + r, ldy);                                                   \
        }                                                                                         \
    }
GEMM_STRIP(q4_0, false)
GEMM_STRIP(q4_1, true)

/* ---- vectors ---- */

static void axpy_f32(float a, const float *x, float *y, int64_t n) {
    __m256 v = _mm256_set1_ps(a);
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        _mm256_storeu_ps(y + i, _mm256_fmadd_ps(v, _mm256_loadu_ps(x + i), _mm256_loadu_ps(y + i)));
    for (; i < n; i++) y[i] = fmaf(a, x[i], y[i]);
}

static void axpy_f16(float a, const uint16_t *x, float *y, int64_t n) {
    __m256 v = _mm256_set1_ps(a);
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        _mm256_storeu_ps(y + i, _mm256_fmadd_ps(v, load_f16(x + i), _mm256_loadu_ps(y + i)));
    for (; i < n; i++) y[i] = fmaf(a, kern_f16_to_f32(x[i]), y[i]);
}

static void f32_to_f16(const float *x, uint16_t *y, int64_t n) {
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        _mm_storeu_si128((__m128i *)(y + i),
                         _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT));
    for (; i < n; i++) y[i] = kern_f32_to_f16(x[i]);
}

static void f16_to_f32(const uint16_t *x, float *y, int64_t n) {
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) _mm256_storeu_ps(y + i, load_f16(x + i));
    for (; i < n; i++) y[i] = kern_f16_to_f32(x[i]);
}

#define AVX2_ROWS                                                                               \
    .gemm_f32 = gemm_f32, .gemm_f16 = gemm_f16, .gemm_q8_0 = gemm_q8_0, .gemm_q4_0 = gemm_q4_0, \
    .gemm_q4_1 = gemm_q4_1, .quantise = quantise, .dot_f32 = dot_f32, .dot_f16 = dot_f16,       \
    .axpy_f32 = axpy_f32, .axpy_f16 = axpy_f16, .f32_to_f16 = f32_to_f16, .f16_to_f32 = f16_to_f32

const kern_table kern_avx2_table = {.name = "avx2",
                                    .int8 = true,
                                    .attend = &kern_attend_avx2,
                                    .rows = &kern_rows_avx2,
                                    .packed_q4_0 = {pack_q4_0, gemm_packed_q4_0},
                                    .packed_q4_1 = {pack_q4_1, gemm_packed_q4_1},
                                    AVX2_ROWS};
/* operators on rows are those of AVX2 */
const kern_table kern_avx512_table = {.name = "avx512",
                                      .int8 = true,
                                      .attend = &kern_attend_avx512,
                                      .rows = &kern_rows_avx512,
                                      .products = &kern_avx512_products,
                                      AVX2_ROWS};
/* the float reference at a bearable speed: the same products, in the same order, as kern_ref.c's */
const kern_table kern_avx2_f32_table = {
    .name = "f32", .int8 = false, .attend = &kern_attend_avx2, .rows = &kern_rows_avx2, AVX2_ROWS};
#endif
