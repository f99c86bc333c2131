/* kern_strip.h - products on strips for instruction sets that put a block in the open
 * (kern_open.h): the float sums of a tile and the way through strips, blocks and tiles, over the
 * vectors of kern_vec.h. Before it is included a file defines open_values (kern_open.h) and
 *
 *     enum { AHEAD = n };        bytes of a strip that are prefetched; 0: none
 *
 * and brings, for STRIP_PRODUCT,
 *
 *     ready(type, block)                  once a block: makes its codes what the next reads
 *     meet(type, block, tokens, sums)     one block and a tile's tokens: their integer sums, which
 *                                         add_sum makes a step of the float sums
 *
 * Sums equal kern_ref_product.c's, bit for bit. kern_strip_float.h has the rest of a table. */
#ifndef BANTAM_KERN_KERN_STRIP_H
#define BANTAM_KERN_KERN_STRIP_H

#include "kern/kern_block.h"
#include "kern/kern_vec.h"

static inline void open_f16s(const uint8_t *p, float to[16]) {
    for (int i = 0; i < KERN_ROWS; i += LANES)
        vec_store(to + i, vec_load_f16((const uint16_t *)(const void *)(p + 2 * i)));
}

#include "kern/kern_open.h"
#include "kern/kern_unroll.h"

enum { V = KERN_ROWS / LANES }; /* vectors of a strip */

typedef struct tokens {
    int64_t n;
    const int8_t *q;      /* [blocks][n][32] */
    const float *d, *sum; /* [blocks][n] */
    const int32_t *neg;   /* [blocks][n] or, with halves, [blocks][2][n] */
} tokens;

typedef struct sums {
    vec acc[KERN_TILE][V], low[KERN_TILE][V];
} sums;

/* codes to numbers: the zero point taken away */
OPEN void take_zero(const open_type *y, open_block *k) {
    if (y->zero)
        for (int i = 0; i < BYTES; i++) k->code[i] = (uint8_t)(k->code[i] - y->zero);
}

/* Vector v of one block's (or half's) integer sums of token t, as floats, into its float sums. */
OPEN void add_sum(const open_type *y, const open_block *k, const tokens *x, int64_t t, int h, int v,
                  vec s, sums *to) {
    float d = x->d[t], sum = y->halves ? d * (float)-x->neg[h * x->n + t] : x->sum[t];
    vec scale = vec_mul(vec_load(k->scale[h] + v * LANES), vec_set(d));
    to->acc[t][v] = vec_fma(s, scale, to->acc[t][v]);
    if (y->least)
        to->low[t][v] = vec_fma(vec_load(k->least[h] + v * LANES), vec_set(sum), to->low[t][v]);
}

/* y[0 .. rows) = the sixteen values of a strip */
static inline void store(const vec v[V], int64_t rows, float *y) {
    float all[KERN_ROWS];
    for (int i = 0; i < V; i++) vec_store(all + i * LANES, v[i]);
    memcpy(y, all, (size_t)(rows < KERN_ROWS ? rows : KERN_ROWS) * sizeof *y);
}

typedef void (*ready_step)(const open_type *y, open_block *k);
typedef void (*meet_step)(const open_type *y, const open_block *k, const tokens *x, sums *to);

/* block `b` of the unit at p, prefetching its share of what comes AHEAD */
OPEN void open_ahead(const open_type *y, const uint8_t *p, int b, open_block *k) {
    const int share = y->unit_bytes / y->unit_blocks;
    for (int l = AHEAD > 0 ? 0 : share; l < share; l += LINE)
        __builtin_prefetch(p + b * share + AHEAD + l, 0, 3);
    y->open(p, b, k);
}

OPEN void strip_tile(const open_type *y, ready_step ready, meet_step meet, const uint8_t *p,
                     int64_t blocks, tokens x, float *out, int64_t ldy, int64_t rows) {
    sums s;
    for (int64_t t = 0; t < x.n; t++)
        for (int v = 0; v < V; v++) s.acc[t][v] = s.low[t][v] = vec_set(0);
    for (int64_t b = 0; b < blocks; b++) {
        int in_unit = (int)(b % y->unit_blocks);
        if (b && !in_unit) p += y->unit_bytes;
        open_block k;
        open_ahead(y, p, in_unit, &k);
        ready(y, &k);
        meet(y, &k, &x, &s);
        x.q += x.n * KERN_BLOCK;
        x.d += x.n;
        x.sum += x.n;
        x.neg += x.n * (y->halves ? 2 : 1);
    }
    for (int64_t t = 0; t < x.n; t++) {
        for (int v = 0; v < V; v++) s.acc[t][v] = vec_add(s.acc[t][v], s.low[t][v]);
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

#define STRIP_GEMM(name)                                                                         \
    static void gemm_##name(const kern_weight *w, const kern_input *x, kern_part part, float *y, \
                            int64_t ldy, void *scratch)
/* ready and meet are the file's own */
#define STRIP_PRODUCT(name, bytes, blocks, zero, sums, halves, least)                       \
    STRIP_GEMM(name) {                                                                      \
        static const open_type k = {open_##name, bytes, blocks, zero, sums, halves, least}; \
        (void)scratch;                                                                      \
        product(&k, ready, meet, w, x, part, y, ldy);                                       \
    }
#define STRIP_ENTRY(name, ...) [KERN_##name] = gemm_##name,

#endif
