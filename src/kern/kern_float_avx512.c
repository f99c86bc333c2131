/* kern_float_avx512.c - F32, F16 and BF16 weights against float activations. An output is one chain
 * of fma along the columns, as in kern_ref_product.c: the same bits.
 *
 * Many tokens: tiles of 6 tokens x 4 strips, 24 sums in registers; half-wide weights are widened as
 * they are loaded, on ports that the products leave free. Few tokens are bound by memory: one tile
 * of up to 12 x 2, so that each weight is read once, the fewest of them one strip after the other.
 */
#if defined(__x86_64__)
#include "kern/kern_avx512.h"

enum { SIX = 6, TWELVE = 12, FOUR = 4, FEW = 4, AHEAD = 4096 };

/* tokens x strips [n][R] at x [n, cols], w, y */
typedef struct piece {
    const float *x;
    const char *w;
    float *y;
    int64_t cols, ldy;
    size_t strip_bytes;
    __mmask16 mask; /* of the last strip */
} piece;

typedef enum width { F32, F16, BF16 } width;

/* 16 rows of one column; half: which of the two columns that a unit of BF16 holds */
INLINE __m512 widen(width k, const char *unit, int half) {
    if (k == F32) return _mm512_loadu_ps(unit);
    if (k == F16) return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)unit));
    __m512i pair = _mm512_loadu_si512(unit);
    return _mm512_castsi512_ps(half ? _mm512_and_si512(pair, _mm512_set1_epi32((int)0xffff0000))
                                    : _mm512_slli_epi32(pair, 16));
}

INLINE void tile(const width k, const int n, const int R, const piece *p) {
    const int64_t unit = k == F16 ? 32 : 64, side = k == BF16 ? 2 : 1;
    __m512 s[TWELVE][FOUR];
    UNROLL for (int t = 0; t < n; t++) UNROLL for (int r = 0; r < R; r++) s[t][r] =
        _mm512_setzero_ps();
    const char *w = p->w;
    for (int64_t c = 0; c < p->cols; c += side, w += unit) {
        UNROLL for (int r = 0; r < R; r++) _mm_prefetch(
            w + (size_t)r * p->strip_bytes + (R <= 2 ? AHEAD : AHEAD / FOUR), _MM_HINT_T0);
        UNROLL for (int h = 0; h < (int)side; h++) {
            if (h && c + h >= p->cols) break;
            __m512 v[FOUR];
            UNROLL for (int r = 0; r < R; r++) v[r] = widen(k, w + (size_t)r * p->strip_bytes, h);
            UNROLL for (int t = 0; t < n; t++) {
                __m512 x = _mm512_set1_ps(p->x[t * p->cols + c + h]);
                UNROLL for (int r = 0; r < R; r++) s[t][r] = _mm512_fmadd_ps(v[r], x, s[t][r]);
            }
        }
    }
    UNROLL for (int t = 0; t < n; t++) UNROLL for (int r = 0; r < R; r++) _mm512_mask_storeu_ps(
        p->y + t * p->ldy + r * KERN_ROWS, r == R - 1 ? p->mask : (__mmask16)0xffff, s[t][r]);
}

typedef void (*tile_kernel)(const piece *);

#define TILE(k, n, R)                           \
    static void k##_##n##x##R(const piece *p) { \
        tile(k, n, R, p);                       \
    }
#define SIX_TILES(k, R) \
    TILE(k, 1, R) TILE(k, 2, R) TILE(k, 3, R) TILE(k, 4, R) TILE(k, 5, R) TILE(k, 6, R)
#define TWELVE_TILES(k, R) \
    SIX_TILES(k, R)        \
    TILE(k, 7, R) TILE(k, 8, R) TILE(k, 9, R) TILE(k, 10, R) TILE(k, 11, R) TILE(k, 12, R)
#define SIX_NAMES(k, R) k##_1x##R, k##_2x##R, k##_3x##R, k##_4x##R, k##_5x##R, k##_6x##R
#define TWELVE_NAMES(k, R) \
    SIX_NAMES(k, R), k##_7x##R, k##_8x##R, k##_9x##R, k##_10x##R, k##_11x##R, k##_12x##R
#define WIDTH(k)                                         \
    TWELVE_TILES(k, 1)                                   \
    TWELVE_TILES(k, 2)                                   \
    SIX_TILES(k, 3)                                      \
    SIX_TILES(k, 4)                                      \
    static const tile_kernel k##_tiles[FOUR][TWELVE] = { \
        {TWELVE_NAMES(k, 1)}, {TWELVE_NAMES(k, 2)}, {SIX_NAMES(k, 3)}, {SIX_NAMES(k, 4)}}
WIDTH(F32);
WIDTH(F16);
WIDTH(BF16);

static void product(const tile_kernel tiles[FOUR][TWELVE], const kern_weight *w,
                    const kern_input *in, kern_part part, float *y, int64_t ldy) {
    int64_t first = kern_tile_start(in, part.tile),
            T = kern_tile_start(in, part.tile + part.tiles) - first, end = part.strip + part.strips,
            count = T <= TWELVE ? 1 : (T + SIX - 1) / SIX;
    /* a lone chain of sums is slower than memory where a line holds two columns */
    int64_t strips = T > TWELVE                                           ? FOUR
                     : T > SIX || (T <= FEW / 2 && w->layout != KERN_F32) ? 2
                     : T > FEW                                            ? FOUR
                                                                          : 1;
    for (int64_t s = part.strip; s < end;) {
        int64_t R = end - s < strips ? end - s : strips;
        for (int64_t i = 0; i < count; i++) {
            int64_t from = i * T / count, n = (i + 1) * T / count - from, t = first + from;
            piece p = {.x = in->x + t * in->cols,
                       .w = (const char *)w->strips + (size_t)s * w->strip_bytes,
                       .y = y + t * ldy + s * KERN_ROWS,
                       .cols = in->cols,
                       .ldy = ldy,
                       .strip_bytes = w->strip_bytes,
                       .mask = rows_mask(w, s + R - 1)};
            tiles[R - 1][n - 1](&p);
        }
        s += R;
    }
}

#define PRODUCT(k)                              \
    KERN_AVX512_GEMM(k) {                       \
        (void)scratch;                          \
        product(k##_tiles, w, x, part, y, ldy); \
    }
PRODUCT(F32)
PRODUCT(F16)
PRODUCT(BF16)
#endif
