/* kern_tile_avx512.c - many tokens: tiles of up to 5 tokens x 2 strips of 16 rows, all sums in
 * registers, over a panel of unpacked codes and float scales that stays in the cache.
 *
 * Why 5 x 2: vpdpbusd, vmulps and vfmadd share two ports on Zen 5 (8 + 1 + 1 a block, so 80 % of
 * the peak is the ceiling; 73 % with minima, 67 % with scales by 16); 10 integer and 10 float sums,
 * two codes and two scales fit the 32 registers without a spill. docs/SPEED.md has what else was
 * tried. */
#if defined(__x86_64__)
#include "kern/kern_avx512.h"

#include <string.h>

enum { FIVE = KERN_TILE_MANY, BYTES = 8 * LINE };

INLINE __m512i four(const int8_t *q) { /* four numbers to every lane */
    int32_t v;
    memcpy(&v, q, sizeof v);
    return _mm512_set1_epi32(v);
}

/* y = the minima's share: [n] sums x [R x 16] minima over the pieces. */
INLINE void least_tile(const int n, const int R, const kern_tile *t) {
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
INLINE void code_tile(const int n, const int R, const bool halves, const kern_tile *t) {
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

#define TILES(n, R)                                                              \
    static __attribute__((noinline)) void code_##n##x##R(const kern_tile *t) {   \
        code_tile(n, R, false, t);                                               \
    }                                                                            \
    static __attribute__((noinline)) void halves_##n##x##R(const kern_tile *t) { \
        code_tile(n, R, true, t);                                                \
    }                                                                            \
    static __attribute__((noinline)) void least_##n##x##R(const kern_tile *t) {  \
        least_tile(n, R, t);                                                     \
    }
TILES(1, 1)
TILES(2, 1)
TILES(3, 1)
TILES(4, 1)
TILES(5, 1)
TILES(1, 2)
TILES(2, 2)
TILES(3, 2)
TILES(4, 2)
TILES(5, 2)
#define ROW(name, R) \
    { name##_1x##R, name##_2x##R, name##_3x##R, name##_4x##R, name##_5x##R }
typedef void (*tile_kernel)(const kern_tile *);
static const tile_kernel code_tiles[STRIPS][FIVE] = {ROW(code, 1), ROW(code, 2)},
                         halves_tiles[STRIPS][FIVE] = {ROW(halves, 1), ROW(halves, 2)},
                         least_tiles[STRIPS][FIVE] = {ROW(least, 1), ROW(least, 2)};

void kern_avx512_tiles(kern_tile *t, const kern_input *in, kern_part part, int R, float *y,
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
        CHECK(n >= 1 && n <= FIVE && R >= 1 && R <= STRIPS);
        if (t->least) least_tiles[R - 1][n - 1](t);
        if (t->halves)
            halves_tiles[R - 1][n - 1](t);
        else
            code_tiles[R - 1][n - 1](t);
        t->ahead += t->lines * t->blocks * LINE;
        if (t->ahead >= ahead + bytes) t->lines = 0;
    }
}
#endif
