/* kern_block_neon.h - what the products of NEON share: a block of a strip in the open
 * (kern_open.h), the float sums of a tile, and the way through strips and tiles. A strip is four
 * vectors of four rows. Private to kern_product_neon.c and kern_product_i8mm.c, which bring
 *
 *     ready(type, block)                        once a block: makes its codes what the next reads
 *     meet(type, block, tokens, sums)           one block and a tile's tokens: a step of the sums
 */
#ifndef BANTAM_KERN_KERN_BLOCK_NEON_H
#define BANTAM_KERN_KERN_BLOCK_NEON_H

#include "kern/kern_block.h"

#include <arm_neon.h>

static inline void open_f16s(const uint8_t *p, float to[16]) {
    for (int i = 0; i < 4; i++)
        vst1q_f32(to + 4 * i, vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(p + 8 * i))));
}

static inline void open_values(uint8_t code[512]) {
    uint8x16_t table = veorq_u8(vreinterpretq_u8_s8(vld1q_s8(kern_iq4_values)), vdupq_n_u8(0x80));
    for (int i = 0; i < 512; i += 16) vst1q_u8(code + i, vqtbl1q_u8(table, vld1q_u8(code + i)));
}

#include "kern/kern_open.h"
#include "kern/kern_unroll.h"

enum { V = 4, LANES = 4 }; /* vectors of a strip, rows of a vector */

typedef struct tokens {
    int64_t n;
    const int8_t *q;      /* [blocks][n][32] */
    const float *d, *sum; /* [blocks][n] */
    const int32_t *neg;   /* [blocks][n] or, with halves, [blocks][2][n] */
} tokens;

typedef struct sums {
    float32x4_t acc[KERN_TILE][V], low[KERN_TILE][V];
} sums;

/* codes to numbers: the zero point taken away */
OPEN void take_zero(const open_type *y, open_block *k) {
    if (y->zero)
        for (int i = 0; i < BYTES; i++) k->code[i] = (uint8_t)(k->code[i] - y->zero);
}

/* One block's sums of one token, rows 4v .. 4v + 3, into its float sums. */
OPEN void add_sums(const open_type *y, const open_block *k, const tokens *x, int64_t t, int h,
                   const int32x4_t s[V], sums *to) {
    float d = x->d[t], sum = y->halves ? d * (float)-x->neg[h * x->n + t] : x->sum[t];
    UNROLL for (int v = 0; v < V; v++) {
        float32x4_t scale = vmulq_f32(vld1q_f32(k->scale[h] + v * LANES), vdupq_n_f32(d));
        to->acc[t][v] = vfmaq_f32(to->acc[t][v], vcvtq_f32_s32(s[v]), scale);
        if (y->least)
            to->low[t][v] =
                vfmaq_f32(to->low[t][v], vld1q_f32(k->least[h] + v * LANES), vdupq_n_f32(sum));
    }
}

/* y[0 .. rows) = the sixteen values of a strip */
static void store(const float32x4_t v[V], int64_t rows, float *y) {
    float all[KERN_ROWS];
    for (int i = 0; i < V; i++) vst1q_f32(all + i * LANES, v[i]);
    memcpy(y, all, (size_t)(rows < KERN_ROWS ? rows : KERN_ROWS) * sizeof *y);
}

typedef void (*ready_step)(const open_type *y, open_block *k);
typedef void (*meet_step)(const open_type *y, const open_block *k, const tokens *x, sums *to);

OPEN void strip_tile(const open_type *y, ready_step ready, meet_step meet, const uint8_t *p,
                     int64_t blocks, tokens x, float *out, int64_t ldy, int64_t rows) {
    sums s;
    for (int64_t t = 0; t < x.n; t++)
        for (int v = 0; v < V; v++) s.acc[t][v] = s.low[t][v] = vdupq_n_f32(0);
    for (int64_t b = 0; b < blocks; b++) {
        int in_unit = (int)(b % y->unit_blocks);
        if (b && !in_unit) p += y->unit_bytes;
        open_block k;
        y->open(p, in_unit, &k);
        ready(y, &k);
        meet(y, &k, &x, &s);
        x.q += x.n * KERN_BLOCK;
        x.d += x.n;
        x.sum += x.n;
        x.neg += x.n * (y->halves ? 2 : 1);
    }
    for (int64_t t = 0; t < x.n; t++) {
        for (int v = 0; v < V; v++) s.acc[t][v] = vaddq_f32(s.acc[t][v], s.low[t][v]);
        store(s.acc[t], rows, out + t * ldy);
    }
}

OPEN void product(const open_type *k, ready_step ready, meet_step meet, const kern_weight *w,
                  const kern_input *in, kern_part part, float *y, int64_t ldy) {
    int64_t blocks = in->cols / KERN_BLOCK;
    for (int64_t s = part.strip; s < part.strip + part.strips; s++)
        for (int64_t i = part.tile; i < part.tile + part.tiles; i++) {
            int64_t first = kern_tile_start(in, i), at = first * blocks;
            tokens x = {kern_tile_start(in, i + 1) - first, in->q + at * KERN_BLOCK, in->d + at,
                        in->sum + at, k->halves ? in->neg16 + 2 * at : in->neg + at};
            strip_tile(k, ready, meet, (const uint8_t *)w->strips + (size_t)s * w->strip_bytes,
                       blocks, x, y + first * ldy + s * KERN_ROWS, ldy, w->rows - s * KERN_ROWS);
        }
}

#endif
