/* kern_product_neon.c - products on strips with NEON and its dot products (Arm 8.2, FEAT_DotProd):
 * a strip is four vectors of four rows.
 *
 * A block is put in the open (kern_open.h), its codes made signed, then meets a tile's tokens one
 * to four at a time, 16 products an instruction. Sums equal kern_ref_product.c's bit for bit.
 * Checked under an emulator (tests/slow/t_neon.sh); its speed on a real machine is not known. */
#if defined(__aarch64__)
#include "kern/kern_block_neon.h"

enum { QUAD = 4 };

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
        UNROLL for (int i = 0; i < N; i++) add_sums(y, k, x, t + i, h, s[i], to);
    }
}

OPEN void ready(const open_type *y, open_block *k) {
    take_zero(y, k);
}
OPEN void meet(const open_type *y, const open_block *k, const tokens *x, sums *to) {
    int64_t t = 0;
    for (; t + QUAD <= x->n; t += QUAD) step(y, QUAD, k, x, t, to);
    if (t + 2 <= x->n) {
        step(y, 2, k, x, t, to);
        t += 2;
    }
    if (t < x->n) step(y, 1, k, x, t, to);
}

#define PRODUCT(name, bytes, blocks, zero, sums, halves, least)                                  \
    static void gemm_##name(const kern_weight *w, const kern_input *x, kern_part part, float *y, \
                            int64_t ldy, void *scratch) {                                        \
        static const open_type k = {open_##name, bytes, blocks, zero, sums, halves, least};      \
        (void)scratch;                                                                           \
        product(&k, ready, meet, w, x, part, y, ldy);                                            \
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
