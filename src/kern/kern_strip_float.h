/* kern_strip_float.h - what a table of kern_strip.h has beside quantised weights: products of
 * F32, F16 and BF16 strips, and the rounding of activations. Before it is included a file defines
 *
 *     enum { FLOAT_TOKENS = n };                                  tokens of a register tile
 *     static void quantise_block(const float *x, int8_t *q, float *d, int32_t sum[2]);
 *         32 numbers of one token, with the rounding of kern_ref_product.c; sums by halves */
#ifndef BANTAM_KERN_KERN_STRIP_FLOAT_H
#define BANTAM_KERN_KERN_STRIP_FLOAT_H

#include "kern/kern_strip.h"

typedef uint32_t bits __attribute__((vector_size(4 * LANES)));

/* 16 rows of column c of a strip */
OPEN void widen(kern_layout l, const char *strip, int64_t c, vec v[V]) {
    UNROLL for (int i = 0; i < V; i++) {
        if (l == KERN_F32) {
            v[i] = vec_load((const float *)(const void *)(strip + c * LINE) + i * LANES);
        } else if (l == KERN_F16) {
            v[i] = vec_load_f16((const uint16_t *)(const void *)(strip + c * F16S) + i * LANES);
        } else { /* two columns lie together: the second is the upper half */
            const char *pair = strip + c / 2 * LINE;
            bits b = (bits)vec_load((const float *)(const void *)pair + i * LANES);
            v[i] = (vec)(c % 2 ? b & 0xffff0000u : b << 16);
        }
    }
}

OPEN void float_tile(kern_layout l, const int n, const char *strip, const float *x, int64_t cols,
                     float *y, int64_t ldy, int64_t rows) {
    vec s[FLOAT_TOKENS][V];
    UNROLL for (int t = 0; t < n; t++) UNROLL for (int v = 0; v < V; v++) s[t][v] = vec_set(0);
    for (int64_t c = 0; c < cols; c++) {
        vec w[V];
        widen(l, strip, c, w);
        UNROLL for (int t = 0; t < n; t++) {
            vec one = vec_set(x[t * cols + c]);
            UNROLL for (int v = 0; v < V; v++) s[t][v] = vec_fma(w[v], one, s[t][v]);
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
        const float *x = in->x;
        float *out = y + s * KERN_ROWS;
        int64_t rows = w->rows - s * KERN_ROWS, t = first;
        for (; t + FLOAT_TOKENS <= end; t += FLOAT_TOKENS)
            float_tile(l, FLOAT_TOKENS, strip, x + t * cols, cols, out + t * ldy, ldy, rows);
        for (; t + 2 <= end; t += 2)
            float_tile(l, 2, strip, x + t * cols, cols, out + t * ldy, ldy, rows);
        if (t < end) float_tile(l, 1, strip, x + t * cols, cols, out + t * ldy, ldy, rows);
    }
}

#define FLOATS(name)                                    \
    STRIP_GEMM(name) {                                  \
        (void)scratch;                                  \
        float_product(KERN_##name, w, x, part, y, ldy); \
    }
FLOATS(F32)
FLOATS(F16)
FLOATS(BF16)

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
            for (int h = 0; in->by_halves && h < 2; h++)
                in->neg16[2 * (first * blocks + b * n) + h * n + t] = -sum[h];
        }
}

#endif
