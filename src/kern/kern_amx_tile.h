/* kern_amx_tile.h - the machine that kern_product_amx.c is written for: tiles that multiply bytes
 * (AMX-INT8), and sixteen floats at a time. Two of them under the same names:
 *
 *   hardware    AMX's instructions, and AVX-512 for the floats
 *   in C        where KERN_AMX_EMULATED is defined: Intel's definition of the instructions
 * (Software Developer's Manual, TDPBSSD) in loops, with the shapes checked that would be faults.
 *               Only the tests use it, so that the same kernel is held to the reference anywhere.
 *
 * Tiles: TOKENS (a), CODES (b), and two of SUMS (c): c[m][n] += sum over k, i of
 * a[m][4 k + i] * b[k][4 n + i], in 32 bits, both of signed bytes. */
#ifndef BANTAM_KERN_KERN_AMX_TILE_H
#define BANTAM_KERN_KERN_AMX_TILE_H

#include "kern/kern.h"

#include <string.h>

/* What LDTILECFG reads: bytes of a row and rows of tiles 0 to 7. */
typedef struct tile_shapes {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_shapes;
_Static_assert(sizeof(tile_shapes) == 64, "as LDTILECFG reads it");
enum { TILE_TOKENS, TILE_CODES, TILE_SUMS, TILE_SUMS_TOO };

#define TILE static inline __attribute__((always_inline))

#if !defined(KERN_AMX_EMULATED)

#include <immintrin.h>

/* what is left to the kernels without tiles: few tokens, float weights, rounding */
#define TILE_ELSE kern_avx512_products

/* Written out, as a compiler's own words for them need not tell it that they read memory. */
TILE void tile_begin(const tile_shapes *s) {
    __asm__ volatile("ldtilecfg %0" : : "m"(*s) : "memory");
}
TILE void tile_end(void) {
    __asm__ volatile("tilerelease" : : : "memory");
}
/* rows are `stride` bytes apart */
TILE void tile_load_tokens(const int8_t *p, int64_t stride) {
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm0" : : "r"(p), "r"(stride) : "memory");
}
TILE void tile_load_codes(const uint8_t *p, int64_t stride) {
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm1" : : "r"(p), "r"(stride) : "memory");
}
/* to[m][16] = tokens x codes, through one of two tiles so that one product need not wait for
 * another's rows to be stored */
TILE void tile_multiply(const int which, int32_t *to) {
    const int64_t stride = 64;
    if (which)
        __asm__ volatile("tilezero %%tmm3\n\ttdpbssd %%tmm1, %%tmm0, %%tmm3\n\t"
                         "tilestored %%tmm3, (%0,%1,1)"
                         :
                         : "r"(to), "r"(stride)
                         : "memory");
    else
        __asm__ volatile("tilezero %%tmm2\n\ttdpbssd %%tmm1, %%tmm0, %%tmm2\n\t"
                         "tilestored %%tmm2, (%0,%1,1)"
                         :
                         : "r"(to), "r"(stride)
                         : "memory");
}

typedef __m512 lanes;

TILE lanes lanes_all(float x) {
    return _mm512_set1_ps(x);
}
TILE lanes lanes_load(const float *p) {
    return _mm512_loadu_ps(p);
}
TILE lanes lanes_of_ints(const int32_t *p) {
    return _mm512_cvtepi32_ps(_mm512_loadu_si512(p));
}
TILE lanes lanes_add(lanes a, lanes b) {
    return _mm512_add_ps(a, b);
}
TILE lanes lanes_mul(lanes a, lanes b) {
    return _mm512_mul_ps(a, b);
}
TILE lanes lanes_fma(lanes a, lanes b, lanes c) { /* a * b + c, rounded once */
    return _mm512_fmadd_ps(a, b, c);
}
/* the first n of them, 1 to 16 */
TILE lanes lanes_load_some(const float *p, int n) {
    return _mm512_maskz_loadu_ps((__mmask16)(0xffffu >> (16 - n)), p);
}
TILE void lanes_store_some(float *p, lanes v, int n) {
    _mm512_mask_storeu_ps(p, (__mmask16)(0xffffu >> (16 - n)), v);
}

static inline void open_f16s(const uint8_t *p, float to[16]) {
    _mm512_storeu_ps(to, _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p)));
}
static inline void open_values(uint8_t code[512]) {
    __m128i values = _mm_loadu_si128((const __m128i *)(const void *)kern_iq4_values);
    __m512i table = _mm512_broadcast_i32x4(_mm_xor_si128(values, _mm_set1_epi8((char)0x80)));
    for (int i = 0; i < 512; i += 64)
        _mm512_storeu_si512(code + i, _mm512_shuffle_epi8(table, _mm512_loadu_si512(code + i)));
}

#else

#include <math.h>

#define TILE_ELSE kern_ref_products

static _Thread_local struct {
    tile_shapes shapes;
    int8_t row[TILE_SUMS_TOO + 1][16][64];
} tiles;

static void tile_begin(const tile_shapes *s) {
    CHECK(s->palette == 1 && !s->start_row);
    for (int i = 0; i <= TILE_SUMS_TOO; i++)
        CHECK(s->rows[i] >= 1 && s->rows[i] <= 16 && s->row_bytes[i] >= 1 &&
              s->row_bytes[i] <= 64 && s->row_bytes[i] % 4 == 0);
    memset(&tiles, 0, sizeof tiles);
    tiles.shapes = *s;
}
static void tile_end(void) {
    memset(&tiles, 0, sizeof tiles);
}
static void tile_load(int tile, const void *p, int64_t stride) {
    CHECK(tiles.shapes.palette == 1);
    memset(tiles.row[tile], 0, sizeof tiles.row[tile]);
    for (int m = 0; m < tiles.shapes.rows[tile]; m++)
        memcpy(tiles.row[tile][m], (const char *)p + m * stride, tiles.shapes.row_bytes[tile]);
}
static void tile_load_tokens(const int8_t *p, int64_t stride) {
    tile_load(TILE_TOKENS, p, stride);
}
static void tile_load_codes(const uint8_t *p, int64_t stride) {
    tile_load(TILE_CODES, p, stride);
}
static int32_t tile_sum(int m, int n) {
    int32_t sum = 0;
    for (int k = 0; k < tiles.shapes.row_bytes[TILE_TOKENS] / 4; k++)
        for (int i = 0; i < 4; i++)
            sum += tiles.row[TILE_TOKENS][m][4 * k + i] * tiles.row[TILE_CODES][k][4 * n + i];
    return sum;
}
static void tile_multiply(int which, int32_t *to) {
    const tile_shapes *s = &tiles.shapes;
    int sums = which ? TILE_SUMS_TOO : TILE_SUMS;
    CHECK(s->rows[TILE_TOKENS] == s->rows[sums] && s->row_bytes[TILE_CODES] == s->row_bytes[sums] &&
          s->row_bytes[TILE_TOKENS] / 4 == s->rows[TILE_CODES]);
    for (int m = 0; m < s->rows[sums]; m++)
        for (int n = 0; n < s->row_bytes[sums] / 4; n++) to[m * KERN_ROWS + n] = tile_sum(m, n);
}

typedef struct lanes {
    float v[16];
} lanes;

#define LANES_EACH(expression)                              \
    do {                                                    \
        lanes out;                                          \
        for (int i = 0; i < 16; i++) out.v[i] = expression; \
        return out;                                         \
    } while (0)

TILE lanes lanes_all(float x) {
    LANES_EACH(x);
}
TILE lanes lanes_load(const float *p) {
    LANES_EACH(p[i]);
}
TILE lanes lanes_of_ints(const int32_t *p) {
    LANES_EACH((float)p[i]);
}
TILE lanes lanes_add(lanes a, lanes b) {
    LANES_EACH(a.v[i] + b.v[i]);
}
TILE lanes lanes_mul(lanes a, lanes b) {
    LANES_EACH(a.v[i] * b.v[i]);
}
TILE lanes lanes_fma(lanes a, lanes b, lanes c) {
    LANES_EACH(fmaf(a.v[i], b.v[i], c.v[i]));
}
TILE lanes lanes_load_some(const float *p, int n) {
    LANES_EACH(i < n ? p[i] : 0);
}
TILE void lanes_store_some(float *p, lanes v, int n) {
    memcpy(p, v.v, (size_t)n * sizeof *p);
}

static inline void open_f16s(const uint8_t *p, float to[16]) {
    for (int i = 0; i < 16; i++) {
        uint16_t h;
        memcpy(&h, p + 2 * i, sizeof h);
        to[i] = kern_f16_to_f32(h);
    }
}
static inline void open_values(uint8_t code[512]) {
    for (int i = 0; i < 512; i++) code[i] = (uint8_t)(kern_iq4_values[code[i]] + 128);
}

#endif
#endif
