/* kern_ref_product.c - products on strips in portable C: what every instruction-set file must equal
 * bit for bit. A block is put in the open once and meets all tokens. */
#include "kern/kern.h"

#include <math.h>
#include <string.h>

enum { HALF = KERN_BLOCK / 2 };

/* ---- activations ---- */

static void quantise_block(const float *x, int8_t *q, float *d, float *sum, int32_t *neg,
                           int32_t neg16[2]) {
    float most = 0;
    for (int i = 0; i < KERN_BLOCK; i++) most = fmaxf(most, fabsf(x[i]));
    float inverse = most > 0 ? 127.0f / most : 0;
    neg16[0] = neg16[1] = 0;
    for (int i = 0; i < KERN_BLOCK; i++) {
        q[i] = (int8_t)lrintf(x[i] * inverse);
        neg16[i / HALF] -= q[i];
    }
    *d = most / 127.0f;
    *neg = neg16[0] + neg16[1];
    *sum = *d * (float)-*neg;
}

static void quantise_tile(const kern_input *in, int64_t tile) {
    int64_t first = kern_tile_start(in, tile), n = kern_tile_start(in, tile + 1) - first,
            blocks = in->cols / KERN_BLOCK;
    for (int64_t t = 0; t < n; t++)
        for (int64_t b = 0; b < blocks; b++) {
            int64_t at = first * blocks + b * n + t;
            int32_t halves[2];
            quantise_block(in->x + (first + t) * in->cols + b * KERN_BLOCK, in->q + at * KERN_BLOCK,
                           in->d + at, in->sum + at, in->neg + at, halves);
            for (int h = 0; h < 2; h++)
                in->neg16[2 * first * blocks + (2 * b + h) * n + t] = halves[h];
        }
}

/* ---- products ---- */

/* one row and one token of a block */
static void add_block(const kern_shape *s, const kern_codes *k, int r, const int8_t *q, float d,
                      float *acc, float *low) {
    for (int h = 0; h < (s->halves ? 2 : 1); h++) {
        int32_t total = 0, ones = 0;
        for (int c = h * HALF; c < (s->halves ? (h + 1) * HALF : KERN_BLOCK); c++) {
            total += (k->code[r][c] - s->zero) * q[c];
            ones += q[c];
        }
        *acc = fmaf((float)total, k->scale[h][r] * d, *acc);
        if (s->least) *low = fmaf(k->least[h][r], d * (float)ones, *low);
    }
}

/* all tokens of a tile and one strip */
static void strip_tile(const kern_weight *w, const kern_input *in, int64_t strip, int64_t tile,
                       float *y, int64_t ldy) {
    int64_t first = kern_tile_start(in, tile), n = kern_tile_start(in, tile + 1) - first,
            blocks = in->cols / KERN_BLOCK, rows = w->rows - strip * KERN_ROWS;
    float acc[KERN_TILE][KERN_ROWS] = {0}, low[KERN_TILE][KERN_ROWS] = {0};
    if (rows > KERN_ROWS) rows = KERN_ROWS;
    for (int64_t b = 0; b < blocks; b++) {
        kern_codes k;
        kern_unpack(w->layout, (const char *)w->strips + (size_t)strip * w->strip_bytes, b, &k);
        for (int64_t t = 0; t < n; t++) {
            int64_t at = first * blocks + b * n + t;
            for (int r = 0; r < rows; r++)
                add_block(kern_shape_of(w->layout), &k, r, in->q + at * KERN_BLOCK, in->d[at],
                          &acc[t][r], &low[t][r]);
        }
    }
    for (int64_t t = 0; t < n; t++)
        for (int r = 0; r < rows; r++)
            y[(first + t) * ldy + strip * KERN_ROWS + r] = acc[t][r] + low[t][r];
}

static void gemm(const kern_weight *w, const kern_input *x, kern_part part, float *y, int64_t ldy,
                 void *scratch) {
    (void)scratch;
    for (int64_t s = part.strip; s < part.strip + part.strips; s++)
        for (int64_t i = part.tile; i < part.tile + part.tiles; i++) strip_tile(w, x, s, i, y, ldy);
}

/* ---- float weights ---- */

static float float_at(const kern_weight *w, int64_t strip, int64_t r, int64_t c) {
    const char *p = (const char *)w->strips + (size_t)strip * w->strip_bytes;
    uint16_t half;
    uint32_t bits;
    float v;
    switch (w->layout) {
    case KERN_F32: memcpy(&v, p + (c * KERN_ROWS + r) * 4, sizeof v); return v;
    case KERN_F16:
        memcpy(&half, p + (c * KERN_ROWS + r) * 2, sizeof half);
        return kern_f16_to_f32(half);
    default: /* BF16: two columns side by side */
        memcpy(&half, p + (c / 2 * KERN_ROWS + r) * 4 + c % 2 * 2, sizeof half);
        bits = (uint32_t)half << 16;
        memcpy(&v, &bits, sizeof v);
        return v;
    }
}

/* one chain of fma along the columns for each output */
static void gemm_float(const kern_weight *w, const kern_input *x, kern_part part, float *y,
                       int64_t ldy, void *scratch) {
    (void)scratch;
    int64_t first = kern_tile_start(x, part.tile), end = kern_tile_start(x, part.tile + part.tiles);
    for (int64_t row = part.strip * KERN_ROWS;
         row < w->rows && row < (part.strip + part.strips) * KERN_ROWS; row++)
        for (int64_t t = first; t < end; t++) {
            float acc = 0;
            for (int64_t c = 0; c < w->cols; c++)
                acc = fmaf(float_at(w, row / KERN_ROWS, row % KERN_ROWS, c), x->x[t * w->cols + c],
                           acc);
            y[t * ldy + row] = acc;
        }
}

const kern_products kern_ref_products = {.gemm = {[KERN_F32] = gemm_float,
                                                  [KERN_F16] = gemm_float,
                                                  [KERN_BF16] = gemm_float,
                                                  [KERN_Q8_0] = gemm,
                                                  [KERN_Q4_0] = gemm,
                                                  [KERN_Q4_1] = gemm,
                                                  [KERN_Q5_0] = gemm,
                                                  [KERN_Q5_1] = gemm,
                                                  [KERN_Q2_K] = gemm,
                                                  [KERN_Q3_K] = gemm,
                                                  [KERN_Q4_K] = gemm,
                                                  [KERN_Q5_K] = gemm,
                                                  [KERN_Q6_K] = gemm,
                                                  [KERN_IQ4_NL] = gemm,
                                                  [KERN_IQ4_XS] = gemm},
                                         .quantise_tile = quantise_tile};
