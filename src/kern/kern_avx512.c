/* kern_avx512.c - matrix products on strips with AVX-512 VNNI. Compiled with its own flags
 * (Makefile); run only where kern.c saw them.
 *
 * A type is one function, load_TYPE: one block of 32 columns x 16 rows from its packed bytes into
 * eight vectors of codes (a lane is a row, four columns in it), its scales and minima. Everything
 * else is written once and instantiated by a constant layout:
 *   few tokens   load, eight vpdpbusd a token, one step of the float sums; the strip is read from
 *                one end to the other, AHEAD bytes of prefetch before
 *   many tokens  two strips are unpacked into a panel of codes and float scales (it stays in the
 *                cache), then tiles of up to 5 tokens x 32 rows in registers go over it
 * Sums are those of kern.h: equal to kern_ref's, bit for bit.
 *
 * Why 5 x 2: vpdpbusd, vmulps and vfmadd share two ports on Zen 5 (8 + 1 + 1 a block, so 80 % of
 * the peak is the ceiling; 73 % with minima); 10 integer and 10 float sums, two codes and two
 * scales fit the 32 registers without a spill. docs/SPEED.md has what else was tried. */
#if defined(__x86_64__)
#include "kern/kern.h"

#include <immintrin.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

enum { LINE = 64, GROUPS = KERN_BLOCK / 4, HALF = KERN_BLOCK / 2, F16S = 2 * KERN_ROWS };
enum { NIBBLES = 4 * LINE, BYTES = 8 * LINE, PAIRS = 2 * LINE, AHEAD = 4096, STRIPS = 2 };
enum { EIGHT = KERN_TILE, FIVE = KERN_TILE_MANY }; /* tokens of a tile without and with a panel */

typedef struct block {
    __m512i code[GROUPS];
    __m512 scale[2], least[2]; /* of the two halves; one of each where the type has no halves */
} block;

/* ---- pieces of a block ---- */

INLINE __m512i load(const uint8_t *p) {
    return _mm512_loadu_si512(p);
}
INLINE __m512 f16s(const uint8_t *p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}
INLINE __m512 f32s(const uint8_t *p) {
    return _mm512_loadu_ps(p);
}
/* 16-bit shifts by a constant, left when positive; what crosses a byte is masked away after */
typedef uint16_t u16x32 __attribute__((vector_size(64)));
typedef uint16_t u16x8 __attribute__((vector_size(16)));
INLINE __m512i shift(__m512i v, int left) {
    return left < 0 ? (__m512i)((u16x32)v >> -left) : (__m512i)((u16x32)v << left);
}
INLINE __m128i shift_128(__m128i v, int left) {
    return left < 0 ? (__m128i)((u16x8)v >> -left) : (__m128i)((u16x8)v << left);
}
/* a | (v & mask) */
INLINE __m512i or_masked(__m512i a, __m512i v, char mask) {
    return _mm512_ternarylogic_epi32(a, v, _mm512_set1_epi8(mask), 0xf8);
}

INLINE void nibbles(const uint8_t *p, block *k) {
    const __m512i mask = _mm512_set1_epi8(15);
    UNROLL for (int i = 0; i < GROUPS / 2; i++) {
        __m512i v = load(p + LINE * i);
        k->code[i] = _mm512_and_si512(v, mask);
        k->code[i + GROUPS / 2] = _mm512_and_si512(shift(v, -4), mask);
    }
}
INLINE void add_bit(const uint8_t *p, int bit, block *k) {
    __m512i v = load(p);
    UNROLL for (int g = 0; g < GROUPS; g++) k->code[g] =
        or_masked(k->code[g], shift(v, bit - g), (char)(1 << bit));
}
INLINE void pairs(const uint8_t *p, block *k) {
    UNROLL for (int g = 0; g < GROUPS; g++) k->code[g] =
        _mm512_and_si512(shift(load(p + LINE * (g / 4)), -2 * (g % 4)), _mm512_set1_epi8(3));
}
INLINE void add_pairs(const uint8_t *p, block *k) { /* bits 4 and 5 */
    UNROLL for (int g = 0; g < GROUPS; g++) k->code[g] =
        or_masked(k->code[g], shift(load(p + LINE * (g / 4)), 4 - 2 * (g % 4)), 0x30);
}
/* nibbles to the codes of the IQ4 types */
INLINE void look_up(block *k) {
    __m128i values = _mm_loadu_si128((const __m128i *)(const void *)kern_iq4_values);
    __m512i table = _mm512_broadcast_i32x4(_mm_xor_si128(values, _mm_set1_epi8((char)0x80)));
    UNROLL for (int g = 0; g < GROUPS; g++) k->code[g] = _mm512_shuffle_epi8(table, k->code[g]);
}
/* 16 numbers of six bits: a nibble of low (0 or 1), two bits of high from bit `bits` on */
INLINE __m512i six(const uint8_t *low, int nibble, const uint8_t *high, int bits) {
    __m128i l = _mm_loadu_si128((const __m128i *)(const void *)low),
            h = _mm_loadu_si128((const __m128i *)(const void *)high);
    l = _mm_and_si128(shift_128(l, -4 * nibble), _mm_set1_epi8(15));
    h = _mm_and_si128(shift_128(h, 4 - bits), _mm_set1_epi8(0x30));
    return _mm512_cvtepu8_epi32(_mm_or_si128(l, h));
}

/* ---- types: block b (a constant) of the unit at p ---- */

INLINE void load_Q8_0(const uint8_t *p, int b, block *k) {
    UNROLL for (int g = 0; g < GROUPS; g++) k->code[g] = load(p + 2 * F16S + b * BYTES + LINE * g);
    k->scale[0] = f16s(p + b * F16S);
}
INLINE void load_Q4_0(const uint8_t *p, int b, block *k) {
    nibbles(p + 2 * F16S + b * NIBBLES, k);
    k->scale[0] = f16s(p + b * F16S);
}
INLINE void load_IQ4_NL(const uint8_t *p, int b, block *k) {
    load_Q4_0(p, b, k);
    look_up(k);
}
INLINE void load_Q4_1(const uint8_t *p, int b, block *k) {
    nibbles(p + 4 * F16S + b * NIBBLES, k);
    k->scale[0] = f16s(p + b * F16S);
    k->least[0] = f16s(p + (2 + b) * F16S);
}
INLINE void load_Q5_0(const uint8_t *p, int b, block *k) {
    const uint8_t *at = p + 2 * F16S + b * (NIBBLES + LINE);
    nibbles(at, k);
    add_bit(at + NIBBLES, 4, k);
    k->scale[0] = f16s(p + b * F16S);
}
INLINE void load_Q5_1(const uint8_t *p, int b, block *k) {
    const uint8_t *at = p + 4 * F16S + b * (NIBBLES + LINE);
    nibbles(at, k);
    add_bit(at + NIBBLES, 4, k);
    k->scale[0] = f16s(p + b * F16S);
    k->least[0] = f16s(p + (2 + b) * F16S);
}
INLINE void super_scales(const uint8_t *p, int b, block *k) {
    const uint8_t *low = p + LINE + KERN_ROWS * (b % 4), *high = low + 2 * LINE;
    k->scale[0] = _mm512_mul_ps(f16s(p), _mm512_cvtepi32_ps(six(low, b / 4, high, b / 4 * 2)));
    __m512 least = _mm512_cvtepi32_ps(six(low + LINE, b / 4, high, 4 + b / 4 * 2));
    k->least[0] = _mm512_sub_ps(_mm512_setzero_ps(), _mm512_mul_ps(f16s(p + F16S), least));
}
INLINE void load_Q4_K(const uint8_t *p, int b, block *k) {
    nibbles(p + 4 * LINE + b * NIBBLES, k);
    super_scales(p, b, k);
}
INLINE void load_Q5_K(const uint8_t *p, int b, block *k) {
    const uint8_t *at = p + 4 * LINE + b * (NIBBLES + LINE);
    nibbles(at, k);
    add_bit(at + NIBBLES, 4, k);
    super_scales(p, b, k);
}
INLINE void load_Q6_K(const uint8_t *p, int b, block *k) {
    const uint8_t *at = p + 5 * LINE + b * (NIBBLES + PAIRS);
    nibbles(at, k);
    add_pairs(at + NIBBLES, k);
    UNROLL for (int h = 0; h < 2; h++) {
        __m128i by =
            _mm_loadu_si128((const __m128i *)(const void *)(p + LINE + KERN_ROWS * (2 * b + h)));
        k->scale[h] = _mm512_mul_ps(f32s(p), _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(by)));
    }
}
INLINE void load_Q2_K(const uint8_t *p, int b, block *k) {
    pairs(p + 5 * LINE + b * PAIRS, k);
    UNROLL for (int h = 0; h < 2; h++) {
        __m512i both = _mm512_cvtepu8_epi32(
            _mm_loadu_si128((const __m128i *)(const void *)(p + LINE + KERN_ROWS * (2 * b + h))));
        __m512 by = _mm512_cvtepi32_ps(_mm512_and_si512(both, _mm512_set1_epi32(15))),
               least = _mm512_cvtepi32_ps(_mm512_srli_epi32(both, 4));
        k->scale[h] = _mm512_mul_ps(f16s(p), by);
        k->least[h] = _mm512_sub_ps(_mm512_setzero_ps(), _mm512_mul_ps(f16s(p + F16S), least));
    }
}
INLINE void load_Q3_K(const uint8_t *p, int b, block *k) {
    const uint8_t *at = p + 4 * LINE + b * (PAIRS + LINE);
    pairs(at, k);
    add_bit(at + PAIRS, 2, k);
    UNROLL for (int h = 0; h < 2; h++) {
        int s = 2 * b + h;
        const uint8_t *low = p + LINE + KERN_ROWS * (s % 8),
                      *high = p + 3 * LINE + KERN_ROWS * (s % 4);
        __m512i by = _mm512_sub_epi32(six(low, s / 8, high, s / 4 * 2), _mm512_set1_epi32(32));
        k->scale[h] = _mm512_mul_ps(f32s(p), _mm512_cvtepi32_ps(by));
    }
}
INLINE void load_IQ4_XS(const uint8_t *p, int b, block *k) {
    nibbles(p + 2 * LINE + b * NIBBLES, k);
    look_up(k);
    const uint8_t *low = p + F16S + KERN_ROWS * (b % 4),
                  *high = p + F16S + LINE + KERN_ROWS * (b % 2);
    __m512i by = _mm512_sub_epi32(six(low, b / 4, high, b / 2 * 2), _mm512_set1_epi32(32));
    k->scale[0] = _mm512_mul_ps(f16s(p), _mm512_cvtepi32_ps(by));
}

/* What the code below must know of a type as constants; kern_pack.c has the same for run time. */
typedef struct type {
    void (*load)(const uint8_t *p, int b, block *k);
    int unit_bytes, unit_blocks, zero;
    bool halves, least;
} type;

INLINE __mmask16 rows_mask(const kern_weight *w, int64_t strip) {
    int64_t n = w->rows - strip * KERN_ROWS;
    return n >= KERN_ROWS ? (__mmask16)0xffff : (__mmask16)((1u << n) - 1);
}
INLINE __m512i four(const int8_t *q) { /* four numbers to every lane */
    int32_t v;
    memcpy(&v, q, sizeof v);
    return _mm512_set1_epi32(v);
}

/* ---- up to eight tokens: straight from the packed bytes ---- */

/* A tile of n tokens; a kernel of N >= n tokens reads on into what lies behind and drops it. */
typedef struct tokens {
    int64_t n;
    const int8_t *q;      /* [blocks][n][32] */
    const float *d, *sum; /* [blocks][n] */
    const int32_t *neg;   /* [blocks][n] or, with halves, [blocks][2][n] */
} tokens;

/* One block of 16 rows and N tokens: a step of the float sums acc and of the minima's sums low.
 * Four tokens at a time, so that N = 8 with minima still fits the registers; where there are fewer,
 * two chains of integer sums each hide the latency. */
INLINE void step(const type *y, const int N, const block *k, const tokens *x, __m512 acc[],
                 __m512 low[]) {
    const bool split = y->halves || N <= 2;
    const int pieces = y->halves ? 2 : 1;
    const __m512i zero = _mm512_set1_epi32(y->zero ? __builtin_ctz((unsigned)y->zero) : 0);
    UNROLL for (int u = 0; u < N; u += 4) {
        const int end = N < u + 4 ? N : u + 4;
        __m512i s[4][2];
        UNROLL for (int t = u; t < end; t++) UNROLL for (int h = 0; h < 2; h++) s[t - u][h] =
            y->zero && h < pieces ? _mm512_sllv_epi32(_mm512_set1_epi32(x->neg[h * x->n + t]), zero)
                                  : _mm512_setzero_si512();
        UNROLL for (int g = 0; g < GROUPS; g++) UNROLL for (int t = u; t < end; t++) {
            const int h = split ? g / 4 : 0;
            s[t - u][h] =
                _mm512_dpbusd_epi32(s[t - u][h], k->code[g], four(x->q + t * KERN_BLOCK + 4 * g));
        }
        UNROLL for (int t = u; t < end; t++) {
            __m512 d = _mm512_set1_ps(x->d[t]);
            if (split && !y->halves) s[t - u][0] = _mm512_add_epi32(s[t - u][0], s[t - u][1]);
            UNROLL for (int h = 0; h < pieces; h++) {
                acc[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(s[t - u][h]),
                                         _mm512_mul_ps(k->scale[h], d), acc[t]);
                if (!y->least) continue;
                __m512 sum =
                    _mm512_set1_ps(y->halves ? x->d[t] * (float)-x->neg[h * x->n + t] : x->sum[t]);
                low[t] = _mm512_fmadd_ps(k->least[h], sum, low[t]);
            }
        }
    }
}

/* One strip, from end to end. */
INLINE void few_tokens(const type *y, const int N, const uint8_t *p, int64_t blocks, tokens x,
                       float *out, int64_t ldy, __mmask16 mask) {
    const int lines = y->unit_bytes / LINE, pieces = y->halves ? 2 : 1;
    __m512 acc[EIGHT], low[EIGHT];
    UNROLL for (int t = 0; t < N; t++) acc[t] = low[t] = _mm512_setzero_ps();
    for (int64_t b = 0; b < blocks; b += y->unit_blocks, p += y->unit_bytes) {
        UNROLL for (int i = 0; i < y->unit_blocks; i++) {
            if (y->unit_blocks == 2 && i && b + i >= blocks) break; /* half a unit left */
            UNROLL for (int l = lines * i / y->unit_blocks; l < lines * (i + 1) / y->unit_blocks;
                        l++) _mm_prefetch(p + AHEAD + LINE * l, _MM_HINT_T0);
            block k;
            y->load(p, i, &k);
            step(y, N, &k, &x, acc, low);
            x.q += x.n * KERN_BLOCK;
            x.d += x.n;
            x.sum += x.n;
            x.neg += x.n * pieces;
        }
    }
    UNROLL for (int t = 0; t < N; t++) if (t < x.n)
        _mm512_mask_storeu_ps(out + t * ldy, mask, _mm512_add_ps(acc[t], low[t]));
}

/* ---- many tokens: over a panel ---- */

/* STRIPS strips in the open, in the caller's scratch; a block has one piece, or two halves. */
typedef struct panel {
    uint8_t *code; /* [blocks][GROUPS][STRIPS][64] */
    float *scale;  /* [blocks][pieces][STRIPS][16] */
    float *least;  /* the same */
} panel;

INLINE void unpack_strip(const type *y, const uint8_t *p, int64_t blocks, int r, const panel *to) {
    const int pieces = y->halves ? 2 : 1;
    for (int64_t b = 0; b < blocks; b += y->unit_blocks, p += y->unit_bytes) {
        UNROLL for (int i = 0; i < y->unit_blocks; i++) {
            if (y->unit_blocks == 2 && i && b + i >= blocks) break;
            block k;
            y->load(p, i, &k);
            uint8_t *code = to->code + (b + i) * STRIPS * BYTES + r * LINE;
            UNROLL for (int g = 0; g < GROUPS; g++)
                _mm512_store_si512(code + g * STRIPS * LINE, k.code[g]);
            int64_t at = ((b + i) * pieces * STRIPS + r) * KERN_ROWS;
            UNROLL for (int h = 0; h < pieces; h++, at += STRIPS * KERN_ROWS) {
                _mm512_store_ps(to->scale + at, k.scale[h]);
                if (y->least) _mm512_store_ps(to->least + at, k.least[h]);
            }
        }
    }
}

typedef struct tile {
    panel w;
    const int8_t *q; /* [blocks][n][32] */
    const float *d, *sum;
    const int32_t *neg; /* [blocks][pieces][n] */
    int64_t blocks;
    int32_t zero_bits; /* zero point = 1 << bits; 32: none */
    bool halves, least;
    float *y; /* [n, ldy] at the first strip's first row */
    int64_t ldy;
    __mmask16 mask[STRIPS];
    const char *ahead; /* what to prefetch meanwhile, `lines` a block */
    int32_t lines;
} tile;

/* y = the minima's share: [n] sums x [R x 16] minima over the pieces. */
INLINE void least_tile(const int n, const int R, const tile *t) {
    __m512 low[FIVE][STRIPS];
    UNROLL for (int i = 0; i < n; i++) UNROLL for (int r = 0; r < R; r++) low[i][r] =
        _mm512_setzero_ps();
    const float *least = t->w.least, *sum = t->sum, *d = t->d;
    const int32_t *neg = t->neg;
    for (int64_t b = 0; b < t->blocks; b++, sum += n, d += n) {
        for (int h = 0; h < (t->halves ? 2 : 1); h++, least += STRIPS * KERN_ROWS, neg += n) {
            UNROLL for (int i = 0; i < n; i++) {
                __m512 s = _mm512_set1_ps(t->halves ? d[i] * (float)-neg[i] : sum[i]);
                UNROLL for (int r = 0; r < R; r++) low[i][r] =
                    _mm512_fmadd_ps(_mm512_load_ps(least + r * KERN_ROWS), s, low[i][r]);
            }
        }
    }
    UNROLL for (int i = 0; i < n; i++) UNROLL for (int r = 0; r < R; r++)
        _mm512_mask_storeu_ps(t->y + i * t->ldy + r * KERN_ROWS, t->mask[r], low[i][r]);
}

/* n tokens x R strips x all blocks. All sums in registers. */
INLINE void code_tile(const int n, const int R, const bool halves, const tile *t) {
    const int pieces = halves ? 2 : 1;
    __m512 acc[FIVE][STRIPS];
    UNROLL for (int i = 0; i < n; i++) UNROLL for (int r = 0; r < R; r++) acc[i][r] =
        _mm512_setzero_ps();
    const __m512i zero_bits = _mm512_set1_epi32(t->zero_bits);
    const uint8_t *code = t->w.code;
    const float *scale = t->w.scale, *d = t->d;
    const int8_t *q = t->q;
    const int32_t *neg = t->neg;
    const char *ahead = t->ahead;
    for (int64_t b = 0; b < t->blocks; b++, d += n, q += n * KERN_BLOCK) {
        for (int l = 0; l < t->lines; l++, ahead += LINE) _mm_prefetch(ahead, _MM_HINT_T1);
        UNROLL for (int h = 0; h < pieces; h++, neg += n) {
            __m512i s[FIVE][STRIPS];
            UNROLL for (int i = 0; i < n; i++) {
                s[i][0] = _mm512_sllv_epi32(_mm512_set1_epi32(neg[i]), zero_bits);
                UNROLL for (int r = 1; r < R; r++) s[i][r] = s[i][0];
            }
            UNROLL for (int g = 0; g < GROUPS / pieces; g++, code += STRIPS * LINE) {
                __m512i w[STRIPS];
                UNROLL for (int r = 0; r < R; r++) w[r] = _mm512_load_si512(code + r * LINE);
                UNROLL for (int i = 0; i < n; i++) {
                    __m512i x = four(q + i * KERN_BLOCK + h * HALF + g * 4);
                    UNROLL for (int r = 0; r < R; r++) s[i][r] =
                        _mm512_dpbusd_epi32(s[i][r], w[r], x);
                }
            }
            __m512 by[STRIPS];
            UNROLL for (int r = 0; r < R; r++, scale += KERN_ROWS) by[r] = _mm512_load_ps(scale);
            scale += (STRIPS - R) * KERN_ROWS;
            UNROLL for (int i = 0; i < n; i++) {
                __m512 di = _mm512_set1_ps(d[i]);
                UNROLL for (int r = 0; r < R; r++) acc[i][r] = _mm512_fmadd_ps(
                    _mm512_cvtepi32_ps(s[i][r]), _mm512_mul_ps(by[r], di), acc[i][r]);
            }
        }
    }
    UNROLL for (int i = 0; i < n; i++) UNROLL for (int r = 0; r < R; r++) {
        float *y = t->y + i * t->ldy + r * KERN_ROWS;
        __m512 low = t->least ? _mm512_maskz_loadu_ps(t->mask[r], y) : _mm512_setzero_ps();
        _mm512_mask_storeu_ps(y, t->mask[r], _mm512_add_ps(acc[i][r], low));
    }
}

#define TILES(n, R)                                                         \
    static __attribute__((noinline)) void code_##n##x##R(const tile *t) {   \
        code_tile(n, R, false, t);                                          \
    }                                                                       \
    static __attribute__((noinline)) void halves_##n##x##R(const tile *t) { \
        code_tile(n, R, true, t);                                           \
    }                                                                       \
    static __attribute__((noinline)) void least_##n##x##R(const tile *t) {  \
        least_tile(n, R, t);                                                \
    }
TILES(1, 1)
TILES(2, 1)
TILES(3, 1)
TILES(4, 1) TILES(5, 1) TILES(1, 2) TILES(2, 2) TILES(3, 2) TILES(4, 2) TILES(5, 2)
#define ROW(name, R) \
    { name##_1x##R, name##_2x##R, name##_3x##R, name##_4x##R, name##_5x##R }
    typedef void (*tile_kernel)(const tile *);
static const tile_kernel code_tiles[STRIPS][FIVE] = {ROW(code, 1), ROW(code, 2)},
                         halves_tiles[STRIPS][FIVE] = {ROW(halves, 1), ROW(halves, 2)},
                         least_tiles[STRIPS][FIVE] = {ROW(least, 1), ROW(least, 2)};

/* The tiles of tokens over one panel of R strips; `ahead`, `bytes`: what will be unpacked next. */
static void run_tiles(tile *t, const kern_input *in, kern_part part, int R, float *y,
                      const char *ahead, size_t bytes) {
    int64_t lines = (int64_t)(bytes / LINE), each = part.tiles * t->blocks;
    t->ahead = ahead;
    t->lines = (int32_t)((lines + each - 1) / each);
    for (int64_t i = part.tile; i < part.tile + part.tiles; i++) {
        int64_t first = kern_tile_start(in, i), n = kern_tile_start(in, i + 1) - first;
        t->q = in->q + first * in->cols;
        t->d = in->d + first * t->blocks;
        t->sum = in->sum + first * t->blocks;
        t->neg = t->halves ? in->neg16 + 2 * first * t->blocks : in->neg + first * t->blocks;
        t->y = y + first * t->ldy;
        if (t->least) least_tiles[R - 1][n - 1](t);
        (t->halves ? halves_tiles : code_tiles)[R - 1][n - 1](t);
        t->ahead += t->lines * t->blocks * LINE;
        if (t->ahead >= ahead + bytes) t->lines = 0;
    }
}

INLINE void panel_product(const type *k, const kern_weight *w, const kern_input *in, kern_part part,
                          float *y, int64_t ldy, void *scratch) {
    const int64_t blocks = in->cols / KERN_BLOCK, end = part.strip + part.strips;
    const int pieces = k->halves ? 2 : 1;
    panel to = {.code = scratch,
                .scale = (float *)(void *)((char *)scratch + blocks * STRIPS * BYTES)};
    to.least = to.scale + blocks * pieces * STRIPS * KERN_ROWS;
    tile t = {.w = to,
              .blocks = blocks,
              .zero_bits = k->zero ? __builtin_ctz((unsigned)k->zero) : 32,
              .halves = k->halves,
              .least = k->least,
              .ldy = ldy};
    const char *strips = w->strips;
    for (int64_t s = part.strip; s < end; s += STRIPS) {
        int R = end - s < STRIPS ? (int)(end - s) : STRIPS;
        for (int r = 0; r < R; r++) {
            unpack_strip(k, (const uint8_t *)strips + (size_t)(s + r) * w->strip_bytes, blocks, r,
                         &to);
            t.mask[r] = rows_mask(w, s + r);
        }
        int64_t next = s + R < end ? s + R : s, left = end - s - R;
        run_tiles(&t, in, part, R, y + s * KERN_ROWS, strips + (size_t)next * w->strip_bytes,
                  (size_t)(left < STRIPS ? left : STRIPS) * w->strip_bytes);
    }
}

typedef void (*few_kernel)(const uint8_t *p, int64_t blocks, tokens x, float *y, int64_t ldy,
                           __mmask16 mask);

INLINE void product(const type *k, const few_kernel few[EIGHT], const kern_weight *w,
                    const kern_input *in, kern_part part, float *y, int64_t ldy, void *scratch) {
    if (in->T > KERN_FEW) {
        panel_product(k, w, in, part, y, ldy, scratch);
        return;
    }
    const int64_t blocks = in->cols / KERN_BLOCK;
    for (int64_t s = part.strip; s < part.strip + part.strips; s++)
        for (int64_t i = part.tile; i < part.tile + part.tiles; i++) {
            int64_t first = kern_tile_start(in, i), n = kern_tile_start(in, i + 1) - first,
                    at = first * blocks;
            tokens x = {n, in->q + at * KERN_BLOCK, in->d + at, in->sum + at,
                        k->halves ? in->neg16 + 2 * at : in->neg + at};
            few[n - 1]((const uint8_t *)w->strips + (size_t)s * w->strip_bytes, blocks, x,
                       y + first * ldy + s * KERN_ROWS, ldy, rows_mask(w, s));
        }
}

#define FEW(name, N)                                                                   \
    static void few_##name##_##N(const uint8_t *p, int64_t blocks, tokens x, float *y, \
                                 int64_t ldy, __mmask16 mask) {                        \
        few_tokens(&type_##name, N, p, blocks, x, y, ldy, mask);                       \
    }
#define PRODUCT(name, bytes, blocks, zero, halves, least)                                        \
    static const type type_##name = {load_##name, bytes, blocks, zero, halves, least};           \
    FEW(name, 1)                                                                                 \
    FEW(name, 2)                                                                                 \
    FEW(name, 4)                                                                                 \
    FEW(name, 6)                                                                                 \
    FEW(name, 8)                                                                                 \
    static void gemm_##name(const kern_weight *w, const kern_input *x, kern_part part, float *y, \
                            int64_t ldy, void *scratch) {                                        \
        static const few_kernel few[EIGHT] = {few_##name##_1, few_##name##_2, few_##name##_4,    \
                                              few_##name##_4, few_##name##_6, few_##name##_6,    \
                                              few_##name##_8, few_##name##_8};                   \
        product(&type_##name, few, w, x, part, y, ldy, scratch);                                 \
    }
PRODUCT(Q8_0, 1088, 2, 128, false, false)
PRODUCT(Q4_0, 576, 2, 8, false, false)
PRODUCT(IQ4_NL, 576, 2, 128, false, false)
PRODUCT(Q4_1, 640, 2, 0, false, true)
PRODUCT(Q5_0, 704, 2, 16, false, false)
PRODUCT(Q5_1, 768, 2, 0, false, true)
PRODUCT(Q4_K, 2304, 8, 0, false, true)
PRODUCT(Q5_K, 2816, 8, 0, false, true)
PRODUCT(Q6_K, 3392, 8, 32, true, false)
PRODUCT(Q2_K, 1344, 8, 0, true, true)
PRODUCT(Q3_K, 1792, 8, 4, true, false)
PRODUCT(IQ4_XS, 2176, 8, 128, false, false)

/* ---- activations ---- */

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

const kern_products kern_avx512_products = {.gemm = {[KERN_Q8_0] = gemm_Q8_0,
                                                     [KERN_Q4_0] = gemm_Q4_0,
                                                     [KERN_Q4_1] = gemm_Q4_1,
                                                     [KERN_Q5_0] = gemm_Q5_0,
                                                     [KERN_Q5_1] = gemm_Q5_1,
                                                     [KERN_Q2_K] = gemm_Q2_K,
                                                     [KERN_Q3_K] = gemm_Q3_K,
                                                     [KERN_Q4_K] = gemm_Q4_K,
                                                     [KERN_Q5_K] = gemm_Q5_K,
                                                     [KERN_Q6_K] = gemm_Q6_K,
                                                     [KERN_IQ4_NL] = gemm_IQ4_NL,
                                                     [KERN_IQ4_XS] = gemm_IQ4_XS},
                                            .quantise_tile = quantise_tile};
#endif
