/* dequantise_k.c - blocks of 256 numbers. See dequantise.h; layouts in kern_block.h.
 *
 * Each group's scale is multiplied out first (scale = d * small scale, rounded to float), then the
 * number: the order of the gguf package, which fixes the bits. */
#include "kern/kern.h"
#include "tensor/dequantise.h"

#include <string.h>

/* number i of a block whose bytes hold four numbers of two bits, 32 apart */
static int two_bits(const uint8_t q[64], int i) {
    return q[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3;
}

void dequantise_q2_k(const void *from, float *to, int64_t n) {
    const kern_q2_K *b = from;
    for (const float *end = to + n; to < end; b++, to += KERN_SUPER) {
        float d = kern_f16_to_f32(b->d), m = kern_f16_to_f32(b->dmin);
        for (int i = 0; i < KERN_SUPER; i++) {
            float scale = d * (float)(b->scales[i / 16] & 15),
                  offset = m * (float)(b->scales[i / 16] >> 4);
            to[i] = scale * (float)two_bits(b->q, i) - offset;
        }
    }
}

static int q3_scale(const uint8_t s[12], int g) {
    int low = g < 8 ? s[g] & 15 : s[g - 8] >> 4, high = s[8 + g % 4] >> g / 4 * 2 & 3;
    return (low | high << 4) - 32;
}

void dequantise_q3_k(const void *from, float *to, int64_t n) {
    const kern_q3_K *b = from;
    for (const float *end = to + n; to < end; b++, to += KERN_SUPER) {
        float d = kern_f16_to_f32(b->d);
        for (int i = 0; i < KERN_SUPER; i++) {
            float scale = d * (float)q3_scale(b->scales, i / 16);
            int high = b->high[i % 32] >> i / 32 & 1;
            to[i] = scale * (float)(two_bits(b->q, i) - (high ? 0 : 4));
        }
    }
}

/* Q4_K and Q5_K; high NULL: four bits */
static void from_scaled(const uint8_t scales[12], const uint8_t *q, const uint8_t *high, float d,
                        float m, float *to) {
    for (int g = 0; g < 8; g++) {
        uint8_t s, o;
        dequantise_k_scales(scales, g, &s, &o);
        float scale = d * (float)s, offset = m * (float)o;
        for (int i = 0; i < 32; i++) {
            int v = q[g / 2 * 32 + i] >> g % 2 * 4 & 15;
            if (high) v |= (high[i] >> g & 1) << 4;
            to[g * 32 + i] = scale * (float)v - offset;
        }
    }
}

void dequantise_q4_k(const void *from, float *to, int64_t n) {
    const kern_q4_K *b = from;
    for (const float *end = to + n; to < end; b++, to += KERN_SUPER)
        from_scaled(b->scales, b->q, NULL, kern_f16_to_f32(b->d), kern_f16_to_f32(b->dmin), to);
}

void dequantise_q5_k(const void *from, float *to, int64_t n) {
    const kern_q5_K *b = from;
    for (const float *end = to + n; to < end; b++, to += KERN_SUPER)
        from_scaled(b->scales, b->q, b->high, kern_f16_to_f32(b->d), kern_f16_to_f32(b->dmin), to);
}

void dequantise_q6_k(const void *from, float *to, int64_t n) {
    const kern_q6_K *b = from;
    for (const float *end = to + n; to < end; b++, to += KERN_SUPER) {
        float d = kern_f16_to_f32(b->d);
        for (int i = 0; i < KERN_SUPER; i++) {
            int h = i / 128, k = i % 128 / 32, at = i % 32;
            int low = b->low[h * 64 + k % 2 * 32 + at] >> k / 2 * 4 & 15,
                high = b->high[h * 32 + at] >> 2 * k & 3;
            float scale = d * (float)b->scales[i / 16];
            to[i] = scale * (float)((low | high << 4) - 32);
        }
    }
}

void dequantise_iq4_xs(const void *from, float *to, int64_t n) {
    const kern_iq4_xs *b = from;
    for (const float *end = to + n; to < end; b++, to += KERN_SUPER) {
        float d = kern_f16_to_f32(b->d);
        for (int g = 0; g < 8; g++) {
            int low = b->scales_low[g / 2] >> g % 2 * 4 & 15, high = b->scales_high >> 2 * g & 3;
            float scale = d * (float)((low | high << 4) - 32);
            for (int i = 0; i < 16; i++) {
                to[g * 32 + i] = scale * (float)kern_iq4_values[b->q[g * 16 + i] & 15];
                to[g * 32 + i + 16] = scale * (float)kern_iq4_values[b->q[g * 16 + i] >> 4];
            }
        }
    }
}
