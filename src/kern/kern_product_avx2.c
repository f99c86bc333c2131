/* kern_product_avx2.c - products on strips with AVX2 and FMA: a strip is two vectors of eight rows.
 *
 * A block is put in the open (kern_open.h), then meets a tile's tokens one to four at a time.
 * Products of bytes go by vpmaddubsw, which adds two of them in 16 bits: codes up to 4 bits are
 * summed over the whole block there, 5 bits over four groups, 6 bits over two, and codes of eight
 * bits as |code - 128| times an activation of the right sign, so that nothing saturates. Integer
 * sums equal kern_ref_product.c's, and so do the floats, bit for bit. */
#if defined(__x86_64__)
#include "kern/kern_block.h"

#include <immintrin.h>

static inline void open_f16s(const uint8_t *p, float to[16]) {
    for (int i = 0; i < 2; i++)
        _mm256_storeu_ps(to + 8 * i, _mm256_cvtph_ps(_mm_loadu_si128(
                                         (const __m128i *)(const void *)(p + 16 * i))));
}

static inline void open_values(uint8_t code[512]) {
    __m128i values = _mm_loadu_si128((const __m128i *)(const void *)kern_iq4_values);
    __m256i table = _mm256_broadcastsi128_si256(_mm_xor_si128(values, _mm_set1_epi8((char)0x80)));
    for (int i = 0; i < 512; i += 32) {
        __m256i *at = (__m256i *)(void *)(code + i);
        _mm256_storeu_si256(at, _mm256_shuffle_epi8(table, _mm256_loadu_si256(at)));
    }
}

#include "kern/kern_open.h"
#include "kern/kern_unroll.h"

enum { V = 2, LANES = 8, QUAD = 4, AHEAD = 2048 }; /* vectors of a strip, rows of a vector */

typedef struct tokens {
    int64_t n;
    const int8_t *q;      /* [blocks][n][32] */
    const float *d, *sum; /* [blocks][n] */
    const int32_t *neg;   /* [blocks][n] or, with halves, [blocks][2][n] */
} tokens;

typedef struct sums {
    __m256 acc[KERN_TILE][V], low[KERN_TILE][V];
} sums;

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
            float sum = y->halves ? x->d[t + i] * (float)-neg : x->sum[t + i];
            UNROLL for (int v = 0; v < V; v++) {
                __m256 total = _mm256_cvtepi32_ps(_mm256_add_epi32(s[i][v], zero)),
                       scale = _mm256_mul_ps(_mm256_loadu_ps(k->scale[h] + v * LANES),
                                             _mm256_set1_ps(x->d[t + i]));
                to->acc[t + i][v] = _mm256_fmadd_ps(total, scale, to->acc[t + i][v]);
                if (y->least)
                    to->low[t + i][v] = _mm256_fmadd_ps(_mm256_loadu_ps(k->least[h] + v * LANES),
                                                        _mm256_set1_ps(sum), to->low[t + i][v]);
            }
        }
    }
}

/* y[0 .. rows) = the sixteen values of a strip */
static void store(const __m256 v[V], int64_t rows, float *y) {
    float all[KERN_ROWS];
    for (int i = 0; i < V; i++) _mm256_storeu_ps(all + i * LANES, v[i]);
    memcpy(y, all, (size_t)(rows < KERN_ROWS ? rows : KERN_ROWS) * sizeof *y);
}

OPEN void strip_tile(const open_type *y, const uint8_t *p, int64_t blocks, tokens x, float *out,
                     int64_t ldy, int64_t rows) {
    sums s;
    for (int64_t t = 0; t < x.n; t++)
        for (int v = 0; v < V; v++) s.acc[t][v] = s.low[t][v] = _mm256_setzero_ps();
    for (int64_t b = 0; b < blocks; b++) {
        int in_unit = (int)(b % y->unit_blocks);
        if (b && !in_unit) p += y->unit_bytes;
        for (int l = 0; l < y->unit_bytes / y->unit_blocks; l += LINE)
            _mm_prefetch(p + in_unit * (y->unit_bytes / y->unit_blocks) + AHEAD + l, _MM_HINT_T0);
        open_block k;
        y->open(p, in_unit, &k);
        int64_t t = 0;
        for (; t + QUAD <= x.n; t += QUAD) step(y, QUAD, &k, &x, t, &s);
        if (t + 2 <= x.n) {
            step(y, 2, &k, &x, t, &s);
            t += 2;
        }
        if (t < x.n) step(y, 1, &k, &x, t, &s);
        x.q += x.n * KERN_BLOCK;
        x.d += x.n;
        x.sum += x.n;
        x.neg += x.n * (y->halves ? 2 : 1);
    }
    for (int64_t t = 0; t < x.n; t++) {
        for (int v = 0; v < V; v++) s.acc[t][v] = _mm256_add_ps(s.acc[t][v], s.low[t][v]);
        store(s.acc[t], rows, out + t * ldy);
    }
}

OPEN void product(const open_type *k, const kern_weight *w, const kern_input *in, kern_part part,
                  float *y, int64_t ldy) {
    int64_t blocks = in->cols / KERN_BLOCK;
    for (int64_t s = part.strip; s < part.strip + part.strips; s++)
        for (int64_t i = part.tile; i < part.tile + part.tiles; i++) {
            int64_t first = kern_tile_start(in, i), at = first * blocks;
            tokens x = {kern_tile_start(in, i + 1) - first, in->q + at * KERN_BLOCK, in->d + at,
                        in->sum + at, k->halves ? in->neg16 + 2 * at : in->neg + at};
            strip_tile(k, (const uint8_t *)w->strips + (size_t)s * w->strip_bytes, blocks, x,
                       y + first * ldy + s * KERN_ROWS, ldy, w->rows - s * KERN_ROWS);
        }
}

#define PRODUCT(name, bytes, blocks, zero, sums, halves, least)                                  \
    static void gemm_##name(const kern_weight *w, const kern_input *x, kern_part part, float *y, \
                            int64_t ldy, void *scratch) {                                        \
        static const open_type k = {open_##name, bytes, blocks, zero, sums, halves, least};      \
        (void)scratch;                                                                           \
        product(&k, w, x, part, y, ldy);                                                         \
    }
OPEN_TYPES(PRODUCT)

/* ---- float weights ---- */

enum { SIX = 6 };

/* 16 rows of column c of a strip */
OPEN void widen(kern_layout l, const char *strip, int64_t c, __m256 v[V]) {
    for (int i = 0; i < V; i++) {
        if (l == KERN_F32) {
            v[i] = _mm256_loadu_ps((const float *)(const void *)(strip + c * LINE + i * LINE / V));
        } else if (l == KERN_F16) {
            v[i] = _mm256_cvtph_ps(_mm_loadu_si128(
                (const __m128i *)(const void *)(strip + c * LINE / 2 + i * LINE / 4)));
        } else {
            __m256i pair = load(strip + c / 2 * LINE + i * LINE / V);
            v[i] = _mm256_castsi256_ps(
                c % 2 ? _mm256_and_si256(pair, _mm256_set1_epi32((int)0xffff0000))
                      : _mm256_slli_epi32(pair, 16));
        }
    }
}

OPEN void float_tile(kern_layout l, const int n, const char *strip, const float *x, int64_t cols,
                     float *y, int64_t ldy, int64_t rows) {
    __m256 s[SIX][V];
    UNROLL for (int t = 0; t < n; t++) UNROLL for (int v = 0; v < V; v++) s[t][v] =
        _mm256_setzero_ps();
    for (int64_t c = 0; c < cols; c++) {
        __m256 w[V];
        widen(l, strip, c, w);
        UNROLL for (int t = 0; t < n; t++) {
            __m256 one = _mm256_set1_ps(x[t * cols + c]);
            UNROLL for (int v = 0; v < V; v++) s[t][v] = _mm256_fmadd_ps(w[v], one, s[t][v]);
        }
    }
    for (int t = 0; t < n; t++) store(s[t], rows, y + t * ldy);
}

OPEN void float_product(kern_layout l, const kern_weight *w, const kern_input *in, kern_part part,
                        float *y, int64_t ldy) {
    int64_t cols = in->cols, first = kern_tile_start(in, part.tile),
            end = kern_tile_start(in, part.tile + part.tiles);
    for (int64_t s = part.strip; s < part.strip + part.strips; s++) {
        const char *strip = (const char *)w->strips + (size_t)s * w->strip_bytes;
        int64_t rows = w->rows - s * KERN_ROWS, t = first;
        for (; t + SIX <= end; t += SIX)
            float_tile(l, SIX, strip, in->x + t * cols, cols, y + t * ldy + s * KERN_ROWS, ldy,
                       rows);
        for (; t + 2 <= end; t += 2)
            float_tile(l, 2, strip, in->x + t * cols, cols, y + t * ldy + s * KERN_ROWS, ldy, rows);
        if (t < end)
            float_tile(l, 1, strip, in->x + t * cols, cols, y + t * ldy + s * KERN_ROWS, ldy, rows);
    }
}

#define FLOATS(name)                                                                             \
    static void gemm_##name(const kern_weight *w, const kern_input *x, kern_part part, float *y, \
                            int64_t ldy, void *scratch) {                                        \
        (void)scratch;                                                                           \
        float_product(KERN_##name, w, x, part, y, ldy);                                          \
    }
FLOATS(F32)
FLOATS(F16)
FLOATS(BF16)

/* ---- activations ---- */

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

static void quantise_tile(const kern_input *in, int64_t i) {
    int64_t first = kern_tile_start(in, i), n = kern_tile_start(in, i + 1) - first,
            blocks = in->cols / KERN_BLOCK;
    for (int64_t t = 0; t < n; t++)
        for (int64_t b = 0; b < blocks; b++) {
            int64_t at = first * blocks + b * n + t;
            int32_t sum[2];
            quantise_block(in->x + (first + t) * in->cols + b * KERN_BLOCK, in->q + at * KERN_BLOCK,
                           in->d + at, sum);
            in->neg[at] = -(sum[0] + sum[1]);
            in->sum[at] = in->d[at] * (float)(sum[0] + sum[1]);
            for (int h = 0; h < 2; h++)
                in->neg16[2 * (first * blocks + b * n) + h * n + t] = -sum[h];
        }
}

#define ENTRY(name, ...) [KERN_##name] = gemm_##name,
const kern_products kern_avx2_products = {
    .gemm = {OPEN_TYPES(ENTRY) ENTRY(F32) ENTRY(F16) ENTRY(BF16)}, .quantise_tile = quantise_tile};
#endif
