/* kern_block_avx512.h - one block of a strip in registers, and the products made of it. Included by
 * the files that hold the types; a type is one function load_TYPE and one line PRODUCT.
 *
 *   few tokens   (up to KERN_FEW) load, eight vpdpbusd a token, one step of the float sums; the
 *                strip is read from one end to the other, AHEAD bytes of prefetch before
 *   many tokens  two strips are unpacked into a panel, kern_tile_avx512.c does the rest
 * Sums are those of kern_product.h: equal to kern_ref_product.c's, bit for bit. */
#ifndef BANTAM_KERN_KERN_BLOCK_AVX512_H
#define BANTAM_KERN_KERN_BLOCK_AVX512_H

#include "kern/kern_avx512.h"

#include <string.h>

enum { F16S = 2 * KERN_ROWS, NIBBLES = 4 * LINE, BYTES = 8 * LINE, PAIRS = 2 * LINE };
enum { AHEAD = 4096, EIGHT = KERN_TILE };

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
/* What the code below must know of a type as constants; kern_pack.c has the same for run time. */
typedef struct type {
    void (*load)(const uint8_t *p, int b, block *k);
    int unit_bytes, unit_blocks, zero;
    bool halves, least;
} type;

/* sum += codes x four numbers of q. Written out because gcc 12 does not fold the broadcast into the
 * instruction, which costs one more in three. */
INLINE __m512i dot_four(__m512i sum, __m512i code, const int8_t *q) {
    typedef int32_t unaligned __attribute__((aligned(1), may_alias));
    __asm__("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(code), "m"(*(const unaligned *)q));
    return sum;
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
            s[t - u][h] = dot_four(s[t - u][h], k->code[g], x->q + t * KERN_BLOCK + 4 * g);
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

/* ---- many tokens ---- */

INLINE void unpack_strip(const type *y, const uint8_t *p, int64_t blocks, int r,
                         const kern_panel *to) {
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

INLINE void panel_product(const type *k, const kern_weight *w, const kern_input *in, kern_part part,
                          float *y, int64_t ldy, void *scratch) {
    const int64_t blocks = in->cols / KERN_BLOCK, end = part.strip + part.strips;
    const int pieces = k->halves ? 2 : 1;
    kern_panel to = {.code = scratch,
                     .scale = (float *)(void *)((char *)scratch + blocks * STRIPS * BYTES)};
    to.least = to.scale + blocks * pieces * STRIPS * KERN_ROWS;
    kern_tile t = {.w = to,
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
        kern_avx512_tiles(&t, in, part, R, y + s * KERN_ROWS,
                          strips + (size_t)next * w->strip_bytes,
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
#define PRODUCT(name, bytes, blocks, zero, halves, least)                                     \
    static const type type_##name = {load_##name, bytes, blocks, zero, halves, least};        \
    FEW(name, 1)                                                                              \
    FEW(name, 2)                                                                              \
    FEW(name, 4)                                                                              \
    FEW(name, 6)                                                                              \
    FEW(name, 8)                                                                              \
    KERN_AVX512_GEMM(name) {                                                                  \
        static const few_kernel few[EIGHT] = {few_##name##_1, few_##name##_2, few_##name##_4, \
                                              few_##name##_4, few_##name##_6, few_##name##_6, \
                                              few_##name##_8, few_##name##_8};                \
        product(&type_##name, few, w, x, part, y, ldy, scratch);                              \
    }

#endif
