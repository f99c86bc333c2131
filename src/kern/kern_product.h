/* kern_product.h - matrix products on strips (kern_layout.h): what each instruction set offers.
 *
 *   kern_input in;  kern_input_place(&in, x, T, cols, memory);
 *   for each tile:  products->quantise_tile(&in, tile);            any thread, tiles in any order
 *   products->gemm[layout](&weight, &in, part, y, ldy, scratch);    any thread, parts in any order
 */
#ifndef BANTAM_KERN_KERN_PRODUCT_H
#define BANTAM_KERN_KERN_PRODUCT_H

#include "kern/kern_layout.h"

/* A matrix in strips (kern_layout.h): strip s holds rows 16s .. 16s + 15. */
typedef struct kern_weight {
    kern_layout layout;
    int64_t rows, cols;
    size_t strip_bytes; /* kern_strip_bytes */
    const void *strips; /* on a 64-byte line */
} kern_weight;

/* The input of a product, cut into tiles of neighbouring tokens: up to KERN_TILE a tile for a batch
 * of KERN_FEW, up to KERN_TILE_MANY for more; tile i of `tiles` holds tokens i T / tiles up to
 * (i + 1) T / tiles. For a tile that begins at token t and has n tokens, q + t * cols is
 * [cols / 32][n][32], d + t * cols / 32 is [cols / 32][n] and so on: a product reads a tile from
 * one end to the other. d * q is the number that x was rounded to. */
enum { KERN_TILE = 8, KERN_TILE_MANY = 5, KERN_FEW = 16 };
typedef struct kern_input {
    const float *x; /* [T, cols], what the float layouts read */
    int64_t T, cols, tiles;
    int8_t *q;      /* [cols / 32][n][32] */
    float *d;       /* [cols / 32][n] largest magnitude / 127 */
    float *sum;     /* [cols / 32][n] d * (sum of q) */
    int32_t *neg;   /* [cols / 32][n] minus the sum of q */
    int32_t *neg16; /* [cols / 32][2][n] the same by 16 columns */
    bool by_halves; /* neg16 is wanted: a layout with a scale by 16 columns will read it */
} kern_input;
size_t kern_input_bytes(int64_t T, int64_t cols);
/* Points into `memory` (64-byte aligned), with by_halves; quantise_tile then fills it, tile by
 * tile.
 */
void kern_input_place(kern_input *in, const float *x, int64_t T, int64_t cols, void *memory);
int64_t kern_tile_start(const kern_input *in, int64_t tile); /* first token; tile <= tiles */

/* y[t * ldy + r] = x[t] . w[r] for the tokens of tiles [tile, tile + tiles) and the rows of strips
 * [strip, strip + strips). One output's additions are
 *     acc = fma((float)(integer sum of a block), scale * d, acc)      in order of the blocks, and
 *     low = fma(least, sum, low)                                    where the type has minima;
 * the result is acc + low. Float weights: acc = fma(w, x, acc) in order of the columns. The same
 * bits for any T, tile, strip count, thread and instruction set. */
typedef struct kern_part {
    int64_t strip, strips, tile, tiles;
} kern_part;
typedef void (*kern_gemm)(const kern_weight *w, const kern_input *x, kern_part part, float *y,
                          int64_t ldy, void *scratch);
size_t kern_scratch_bytes(int64_t cols); /* what a gemm unpacks into, 64-byte aligned */

typedef struct kern_products {
    kern_gemm gemm[KERN_LAYOUTS]; /* NULL: this layout has none here */
    void (*quantise_tile)(const kern_input *in, int64_t tile);
} kern_products;

extern const kern_products kern_ref_products, kern_avx2_products, kern_avx512_products,
    kern_amx_products, kern_neon_products, kern_i8mm_products;

#endif
