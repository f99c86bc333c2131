/* kern_block_neon.h - kern_strip.h for NEON: a strip is four vectors of four rows. Private to
 * kern_product_neon.c and kern_product_i8mm.c. */
#ifndef BANTAM_KERN_KERN_BLOCK_NEON_H
#define BANTAM_KERN_KERN_BLOCK_NEON_H

#include "kern/kern_block.h"

#include <arm_neon.h>

static inline void open_values(uint8_t code[512]) {
    uint8x16_t table = veorq_u8(vreinterpretq_u8_s8(vld1q_s8(kern_iq4_values)), vdupq_n_u8(0x80));
    for (int i = 0; i < 512; i += 16) vst1q_u8(code + i, vqtbl1q_u8(table, vld1q_u8(code + i)));
}

enum { AHEAD = 0 };

#include "kern/kern_strip.h"

/* integer sums into the float sums */
OPEN void add_integers(const open_type *y, const open_block *k, const tokens *x, int64_t t, int h,
                       const int32x4_t s[V], sums *to) {
    UNROLL for (int v = 0; v < V; v++) add_sum(y, k, x, t, h, v, vcvtq_f32_s32(s[v]), to);
}

#endif
