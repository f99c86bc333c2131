/* kern_product_neon.c - products on strips with NEON and its dot products (Arm 8.2, FEAT_DotProd):
 * a strip is four vectors of four rows.
 *
 * A block is put in the open (kern_open.h), its codes made signed, then meets a tile's tokens one
 * to four at a time, 16 products an instruction. Sums equal kern_ref_product.c's bit for bit.
 * Checked under an emulator (tests/slow/t_neon.sh); its speed on a real machine is not known. */
#if defined(__aarch64__)
#include "kern/kern_block_neon.h"

enum { QUAD = 4, FLOAT_TOKENS = QUAD };

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
        UNROLL for (int i = 0; i < N; i++) add_integers(y, k, x, t + i, h, s[i], to);
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

OPEN_TYPES(STRIP_PRODUCT)

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

#include "kern/kern_strip_float.h"

const kern_products kern_neon_products = {
    .gemm = {OPEN_TYPES(STRIP_ENTRY) STRIP_ENTRY(F32) STRIP_ENTRY(F16) STRIP_ENTRY(BF16)},
    .quantise_tile = quantise_tile};
#endif
