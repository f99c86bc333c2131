/* kern_product_neon.c - products on strips with NEON and its dot products (Arm 8.2, FEAT_DotProd):
 * a strip is four vectors of four rows.
 *
 * A block is put in the open (kern_open.h), its codes made signed, then meets a tile's tokens one
 * to four at a time, 16 products an instruction. Sums equal kern_ref_product.c's bit for bit.
 * Checked under an emulator (tests/slow/t_neon.sh); its speed on a real machine is not known. */
#if defined(__aarch64__)
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

enum { V = 4, LANES = 4, QUAD = 4 }; /* vectors of a strip, rows of a vector */

typedef struct tokens {
    int64_t n;
    const int8_t *q;      /* [blocks][n][32] */
    const float *d, *sum; /* [blocks][n] */
    const int32_t *neg;   /* [blocks][n] or, with halves, [blocks][2][n] */
} tokens;

typedef struct sums {
    float32x4_t acc[KERN_TILE][V], low[KERN_TILE][V];
} sums;

/* tokens [t, t + N); codes are signed here */
OPEN void step(const open_type *y, const int N, const open_block *k, const tokens *x, int64_t t,
               sums *to) {
    const int pieces = y->halves ? 2 : 1;
    for (int h = 0; h < pieces; h++) {
        int32x4_t s[QUAD][V];
        UNROLL for (int i = 0; i < N; i++) UNROLL for (int v = 0; v < V; v++) s[i][v] =
            vdupq_n_s32(0);
        for (int g = h * GROUPS / 2; g < h * GROUPS / 2 + GROUPS / pieces; g++) {
            int8x16_t w[V];
            UNROLL for (int v = 0; v < V; v++) w[v] =
                vreinterpretq_s8_u8(vld1q_u8(k->code + g * LINE + v * LINE / V));
            UNROLL for (int i = 0; i < N; i++) {
                int32_t four;
                memcpy(&four, x->q + (t + i) * KERN_BLOCK + 4 * g, sizeof four);
                int8x16_t all = vreinterpretq_s8_s32(vdupq_n_s32(four));
                UNROLL for (int v = 0; v < V; v++) s[i][v] = vdotq_s32(s[i][v], w[v], all);
            }
        }
        UNROLL for (int i = 0; i < N; i++) {
            float d = x->d[t + i],
                  sum = y->halves ? d * (float)-x->neg[h * x->n + t + i] : x->sum[t + i];
            UNROLL for (int v = 0; v < V; v++) {
                float32x4_t scale = vmulq_f32(vld1q_f32(k->scale[h] + v * LANES), vdupq_n_f32(d));
                to->acc[t + i][v] = vfmaq_f32(to->acc[t + i][v], vcvtq_f32_s32(s[i][v]), scale);
                if (y->least)
                    to->low[t + i][v] = vfmaq_f32(
                        to->low[t + i][v], vld1q_f32(k->least[h] + v * LANES), vdupq_n_f32(sum));
            }
        }
    }
}

/* y[0 .. rows) = the sixteen values of a strip */
static void store(const float32x4_t v[V], int64_t rows, float *y) {
    float all[KERN_ROWS];
    for (int i = 0; i < V; i++) vst1q_f32(all + i * LANES, v[i]);
    memcpy(y, all, (size_t)(rows < KERN_ROWS ? rows : KERN_ROWS) * sizeof *y);
}

OPEN void strip_tile(const open_type *y, const uint8_t *p, int64_t blocks, tokens x, float *out,
                     int64_t ldy, int64_t rows) {
    sums s;
    for (int64_t t = 0; t < x.n; t++)
        for (int v = 0; v < V; v++) s.acc[t][v] = s.low[t][v] = vdupq_n_f32(0);
    for (int64_t b = 0; b < blocks; b++) {
        int in_unit = (int)(b % y->unit_blocks);
        if (b && !in_unit) p += y->unit_bytes;
        open_block k;
        y->open(p, in_unit, &k);
        if (y->zero)
            for (int i = 0; i < BYTES; i++) k.code[i] = (uint8_t)(k.code[i] - y->zero);
        int64_t t = 0;
        for (; t + QUAD <= x.n; t += QUAD) step(y, QUAD, &k, &x, t, &s);
        if (t + 2 <= x.n) {
            step(y, 2, &k, &x, t, &s);
            t += 2;
        }
        if (t < x.n) step(y, 1, &k, &x, t, &s);
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

OPEN void product(const open_type *k, const kern_weight *w, const kern_input *in, kern_part part,
                  float *y, int64_t ldy) {
    int64_t blocks = in->cols / KERN_BLOCK;
    for (int64_t s = part.strip; s < part.strip + part.strips; s++)
        for (int64_t i = part.tile; i < part.tile + part.tiles; i++) {
            int64_t first = kern_tile_start(in, i), at = first * blocks;
            tokens x = {kern_tile_start(in, i + 1) - first, in->q + at * KERN_BLOCK, in->d + at,
                        in->sum + at, k->halves ? in->neg16 + 2 * at : in->neg + at};
            strip_tile(k, (const uint8_t *)w->strips + (size_t)s * w->strip_bytes, blocks, x,
                       y + first * ldy + s * KERN_ROWS, ldy, w->rows - s * KERN_ROWS);
        }
}

#define PRODUCT(name, bytes, blocks, zero, sums, halves, least)                                  \
    static void gemm_##name(const kern_weight *w, const kern_input *x, kern_part part, float *y, \
                            int64_t ldy, void *scratch) {                                        \
        static const open_type k = {open_##name, bytes, blocks, zero, sums, halves, least};      \
        (void)scratch;                                                                           \
        product(&k, w, x, part, y, ldy);                                                         \
    }
OPEN_TYPES(PRODUCT)

/* ---- float weights ---- */

/* 16 rows of column c of a strip */
OPEN void widen(kern_layout l, const char *strip, int64_t c, float32x4_t v[V]) {
    for (int i = 0; i < V; i++) {
        const uint8_t *p = (const uint8_t *)strip;
        if (l == KERN_F32) {
            v[i] = vreinterpretq_f32_u8(vld1q_u8(p + c * LINE + i * 16));
        } else if (l == KERN_F16) {
            v[i] = vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(p + c * LINE / 2 + i * 8)));
        } else {
            uint32x4_t pair = vreinterpretq_u32_u8(vld1q_u8(p + c / 2 * LINE + i * 16));
            v[i] = vreinterpretq_f32_u32(c % 2 ? vandq_u32(pair, vdupq_n_u32(0xffff0000u))
                                               : vshlq_n_u32(pair, 16));
        }
    }
}

OPEN void float_tile(kern_layout l, const int n, const char *strip, const float *x, int64_t cols,
                     float *y, int64_t ldy, int64_t rows) {
    float32x4_t s[QUAD][V];
    UNROLL for (int t = 0; t < n; t++) UNROLL for (int v = 0; v < V; v++) s[t][v] = vdupq_n_f32(0);
    for (int64_t c = 0; c < cols; c++) {
        float32x4_t w[V];
        widen(l, strip, c, w);
        UNROLL for (int t = 0; t < n; t++) UNROLL for (int v = 0; v < V; v++) s[t][v] =
            vfmaq_n_f32(s[t][v], w[v], x[t * cols + c]);
    }
    for (int t = 0; t < n; t++) store(s[t], rows, y + t * ldy);
}

OPEN void float_product(kern_layout l, const kern_weight *w, const kern_input *in, kern_part part,
                        float *y, int64_t ldy) {
    int64_t cols = in->cols, first = kern_tile_start(in, part.tile),
            end = kern_tile_start(in, part.tile + part.tiles);
    for (int64_t s = part.strip; s < part.strip + part.strips; s++) {
        const char *strip = (const char *)w->strips + (size_t)s * w->strip_bytes;
        int64_t rows = w->rows - s * KERN_ROWS, t = first;
        for (; t + QUAD <= end; t += QUAD)
            float_tile(l, QUAD, strip, in->x + t * cols, cols, y + t * ldy + s * KERN_ROWS, ldy,
                       rows);
        for (; t < end; t++)
            float_tile(l, 1, strip, in->x + t * cols, cols, y + t * ldy + s * KERN_ROWS, ldy, rows);
    }
}

#define FLOATS(name)                                                                             \
    static void gemm_##name(const kern_weight *w, const kern_input *x, kern_part part, float *y, \
                            int64_t ldy, void *scratch) {                                        \
        (void)scratch;                                                                           \
        float_product(KERN_##name, w, x, part, y, ldy);                                          \
    }
FLOATS(F32)
FLOATS(F16)
FLOATS(BF16)

/* ---- activations ---- */

/* 32 numbers of one token; the same rounding as kern_ref_product.c's */
static void quantise_block(const float *x, int8_t *q, float *d, int32_t sum[2]) {
    float32x4_t v[8], most = vdupq_n_f32(0);
    for (int i = 0; i < 8; i++) {
        v[i] = vld1q_f32(x + 4 * i);
        most = vmaxq_f32(most, vabsq_f32(v[i]));
    }
    float top = vmaxvq_f32(most), inverse = top > 0 ? 127.0f / top : 0;
    for (int h = 0; h < 2; h++) {
        int32x4_t n[4], total = vdupq_n_s32(0);
        for (int i = 0; i < 4; i++) {
            n[i] = vcvtnq_s32_f32(vmulq_n_f32(v[4 * h + i], inverse));
            total = vaddq_s32(total, n[i]);
        }
        int16x8_t low = vcombine_s16(vqmovn_s32(n[0]), vqmovn_s32(n[1])),
                  high = vcombine_s16(vqmovn_s32(n[2]), vqmovn_s32(n[3]));
        vst1q_s8(q + 16 * h, vcombine_s8(vqmovn_s16(low), vqmovn_s16(high)));
        sum[h] = vaddvq_s32(total);
    }
    *d = top / 127.0f;
}

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
            for (int h = 0; h < 2; h++)
                in->neg16[2 * (first * blocks + b * n) + h * n + t] = -sum[h];
        }
}

#define ENTRY(name, ...) [KERN_##name] = gemm_##name,
const kern_products kern_neon_products = {
    .gemm = {OPEN_TYPES(ENTRY) ENTRY(F32) ENTRY(F16) ENTRY(BF16)}, .quantise_tile = quantise_tile};
#endif
