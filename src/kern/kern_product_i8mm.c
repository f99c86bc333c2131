/* kern_product_i8mm.c - products on strips with NEON's matrix instruction (FEAT_I8MM): smmla
 * multiplies two rows by two tokens over eight columns, 32 products where sdot has 16.
 *
 * A block is put in the open and its groups of four columns are zipped to eights once; a tile's
 * tokens meet it in pairs, up to three pairs (24 sums) at a time. The last of an odd number is its
 * own partner and half of the result is dropped; a token alone goes to kern_product_neon.c, as do
 * float weights and the rounding of activations. Sums equal kern_ref_product.c's bit for bit.
 * Checked under an emulator (tests/slow/t_neon.sh); its speed on a real machine is not known. */
#if defined(__aarch64__)
#include "kern/kern_block_neon.h"

enum { EIGHTS = GROUPS / 2, ROW_PAIRS = KERN_ROWS / 2, PAIRS_MOST = 3 };

/* line 2e, line 2e + 1 of the groups to [row pair][2 rows][8 columns] */
OPEN void ready(const open_type *y, open_block *k) {
    take_zero(y, k);
    for (int e = 0; e < EIGHTS; e++) {
        uint8_t *p = k->code + 2 * e * LINE;
        uint32x4_t a[V], b[V];
        UNROLL for (int v = 0; v < V; v++) {
            a[v] = vreinterpretq_u32_u8(vld1q_u8(p + 16 * v));
            b[v] = vreinterpretq_u32_u8(vld1q_u8(p + LINE + 16 * v));
        }
        UNROLL for (int v = 0; v < V; v++) {
            vst1q_u8(p + 32 * v, vreinterpretq_u8_u32(vzip1q_u32(a[v], b[v])));
            vst1q_u8(p + 32 * v + 16, vreinterpretq_u8_u32(vzip2q_u32(a[v], b[v])));
        }
    }
}

/* the sums of one of the two tokens (0, 1) by rows, from [2 rows][2 tokens] each */
OPEN void of_token(const int32x4_t s[ROW_PAIRS], int token, int32x4_t to[V]) {
    UNROLL for (int v = 0; v < V; v++) to[v] =
        token ? vuzp2q_s32(s[2 * v], s[2 * v + 1]) : vuzp1q_s32(s[2 * v], s[2 * v + 1]);
}

/* tokens [t, t + 2 N), of which the last may be missing */
OPEN void step(const open_type *y, const int N, const open_block *k, const tokens *x, int64_t t,
               sums *to) {
    const int pieces = y->halves ? 2 : 1;
    for (int h = 0; h < pieces; h++) {
        int32x4_t s[PAIRS_MOST][ROW_PAIRS];
        UNROLL for (int i = 0; i < N; i++) UNROLL for (int r = 0; r < ROW_PAIRS; r++) s[i][r] =
            vdupq_n_s32(0);
        for (int e = h * EIGHTS / 2; e < h * EIGHTS / 2 + EIGHTS / pieces; e++) {
            int8x16_t two[PAIRS_MOST];
            UNROLL for (int i = 0; i < N; i++) {
                int64_t first = t + 2 * i, second = first + 1 < x->n ? first + 1 : first;
                two[i] = vcombine_s8(vld1_s8(x->q + first * KERN_BLOCK + 8 * e),
                                     vld1_s8(x->q + second * KERN_BLOCK + 8 * e));
            }
            UNROLL for (int r = 0; r < ROW_PAIRS; r++) {
                int8x16_t w = vreinterpretq_s8_u8(vld1q_u8(k->code + 2 * e * LINE + 16 * r));
                UNROLL for (int i = 0; i < N; i++) s[i][r] = vmmlaq_s32(s[i][r], w, two[i]);
            }
        }
        UNROLL for (int i = 0; i < N; i++) UNROLL for (int u = 0; u < 2; u++) {
            int32x4_t rows[V];
            of_token(s[i], u, rows);
            if (t + 2 * i + u < x->n) add_integers(y, k, x, t + 2 * i + u, h, rows, to);
        }
    }
}

OPEN void meet(const open_type *y, const open_block *k, const tokens *x, sums *to) {
    int64_t t = 0;
    while (t < x->n) {
        int64_t pairs = (x->n - t + 1) / 2;
        if (pairs == 3)
            step(y, 3, k, x, t, to), t += 6;
        else if (pairs >= 2)
            step(y, 2, k, x, t, to), t += 4;
        else
            step(y, 1, k, x, t, to), t += 2;
    }
}

#define PRODUCT(name, bytes, blocks, zero, sums, halves, least)                             \
    STRIP_GEMM(name) {                                                                      \
        static const open_type k = {open_##name, bytes, blocks, zero, sums, halves, least}; \
        if (x->T == 1)                                                                      \
            kern_neon_products.gemm[KERN_##name](w, x, part, y, ldy, scratch);              \
        else                                                                                \
            product(&k, ready, meet, w, x, part, y, ldy);                                   \
    }
OPEN_TYPES(PRODUCT)

/* what smmla has no part in */
#define FLOATS(name)                                                       \
    STRIP_GEMM(name) {                                                     \
        kern_neon_products.gemm[KERN_##name](w, x, part, y, ldy, scratch); \
    }
FLOATS(F32)
FLOATS(F16)
FLOATS(BF16)

static void quantise_tile(const kern_input *in, int64_t i) {
    kern_neon_products.quantise_tile(in, i);
}

const kern_products kern_i8mm_products = {
    .gemm = {OPEN_TYPES(STRIP_ENTRY) STRIP_ENTRY(F32) STRIP_ENTRY(F16) STRIP_ENTRY(BF16)},
    .quantise_tile = quantise_tile};
#endif
