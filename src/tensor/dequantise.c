/* dequantise.c - single numbers and blocks of 32. See dequantise.h; layouts in kern_block.h. */
#include "tensor/dequantise.h"

#include "kern/kern.h"

#include <string.h>

void dequantise_f32(const void *from, float *to, int64_t n) {
    memcpy(to, from, (size_t)n * sizeof *to);
}

void dequantise_f16(const void *from, float *to, int64_t n) {
    const unsigned char *p = from;
    for (int64_t i = 0; i < n; i++)
        to[i] = kern_f16_to_f32((uint16_t)(p[2 * i] | p[2 * i + 1] << 8));
}

void dequantise_bf16(const void *from, float *to, int64_t n) {
    const unsigned char *p = from;
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)(p[2 * i] | p[2 * i + 1] << 8) << 16;
        memcpy(&to[i], &bits, sizeof bits);
    }
}

void dequantise_q8_0(const void *from, float *to, int64_t n) {
    const kern_q8_0 *b = from;
    for (const float *end = to + n; to < end; b++, to += KERN_BLOCK) {
        float scale = kern_f16_to_f32(b->d);
        for (int i = 0; i < KERN_BLOCK; i++) to[i] = scale * (float)b->q[i];
    }
}

/* value = scale * (nibble - zero) + least, as the gguf package rounds it */
static void from_nibbles(const uint8_t *q, float scale, int zero, float least, float *to) {
    for (int i = 0; i < KERN_BLOCK / 2; i++) {
        to[i] = scale * (float)((q[i] & 15) - zero) + least;
        to[i + KERN_BLOCK / 2] = scale * (float)((q[i] >> 4) - zero) + least;
    }
}

void dequantise_q4_0(const void *from, float *to, int64_t n) {
    const kern_q4_0 *b = from;
    for (const float *end = to + n; to < end; b++, to += KERN_BLOCK)
        from_nibbles(b->q, kern_f16_to_f32(b->d), 8, 0, to);
}

void dequantise_q4_1(const void *from, float *to, int64_t n) {
    const kern_q4_1 *b = from;
    for (const float *end = to + n; to < end; b++, to += KERN_BLOCK)
        from_nibbles(b->q, kern_f16_to_f32(b->d), 0, kern_f16_to_f32(b->m), to);
}

static int fifth_bit(const uint8_t high[4], int i) {
    return high[i / 8] >> i % 8 & 1;
}

static void from_five_bits(const uint8_t *q, const uint8_t high[4], float scale, int zero,
                           float least, float *to) {
    enum { HALF = KERN_BLOCK / 2 };
    for (int i = 0; i < HALF; i++) {
        int low = (q[i] & 15) | fifth_bit(high, i) << 4,
            upper = (q[i] >> 4) | fifth_bit(high, i + HALF) << 4;
        to[i] = scale * (float)(low - zero) + least;
        to[i + HALF] = scale * (float)(upper - zero) + least;
    }
}

void dequantise_q5_0(const void *from, float *to, int64_t n) {
    const kern_q5_0 *b = from;
    for (const float *end = to + n; to < end; b++, to += KERN_BLOCK)
        from_five_bits(b->q, b->high, kern_f16_to_f32(b->d), 16, 0, to);
}

void dequantise_q5_1(const void *from, float *to, int64_t n) {
    const kern_q5_1 *b = from;
    for (const float *end = to + n; to < end; b++, to += KERN_BLOCK)
        from_five_bits(b->q, b->high, kern_f16_to_f32(b->d), 0, kern_f16_to_f32(b->m), to);
}

void dequantise_iq4_nl(const void *from, float *to, int64_t n) {
    const kern_iq4_nl *b = from;
    for (const float *end = to + n; to < end; b++, to += KERN_BLOCK) {
        float scale = kern_f16_to_f32(b->d);
        for (int i = 0; i < KERN_BLOCK / 2; i++) {
            to[i] = scale * (float)kern_iq4_values[b->q[i] & 15];
            to[i + KERN_BLOCK / 2] = scale * (float)kern_iq4_values[b->q[i] >> 4];
        }
    }
}
