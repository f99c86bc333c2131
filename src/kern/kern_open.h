/* kern_open.h - one block of a strip in the open, for instruction sets that need not hold it in
 * registers: codes as bytes in the order of the groups, scales and minima as floats. Plain loops
 * over whole lines, which the compiler turns into the vectors of the file that includes this; two
 * things are that file's own, and defined before:
 *
 *     static inline void open_f16s(const uint8_t *p, float to[16]);  sixteen f16 numbers
 *     static inline void open_values(uint8_t code[512]);   nibbles to kern_iq4_values + 128
 *
 * Layouts are those of kern_layout.h; b is which block of the unit at p. */
#ifndef BANTAM_KERN_KERN_OPEN_H
#define BANTAM_KERN_KERN_OPEN_H

#include "kern/kern.h"

#include <string.h>

#define OPEN static inline __attribute__((always_inline))

enum { LINE = 64, GROUPS = KERN_BLOCK / 4, F16S = 2 * KERN_ROWS };
enum { NIBBLES = 4 * LINE, BYTES = 8 * LINE, PAIRS = 2 * LINE };

typedef struct open_block {
    _Alignas(64) uint8_t code[GROUPS * LINE]; /* [8][16 rows][4] */
    float scale[2][KERN_ROWS], least[2][KERN_ROWS];
} open_block;

OPEN void open_nibbles(const uint8_t *p, uint8_t *code) {
    for (int i = 0; i < NIBBLES; i++) {
        code[i] = p[i] & 15;
        code[i + NIBBLES] = p[i] >> 4;
    }
}
OPEN void open_bit(const uint8_t *p, int bit, uint8_t *code) {
    for (int g = 0; g < GROUPS; g++)
        for (int i = 0; i < LINE; i++) code[g * LINE + i] |= (uint8_t)((p[i] >> g & 1) << bit);
}
/* bit: where the pair goes */
OPEN void open_pairs(const uint8_t *p, int bit, uint8_t *code) {
    for (int g = 0; g < GROUPS; g++)
        for (int i = 0; i < LINE; i++)
            code[g * LINE + i] |= (uint8_t)((p[g / 4 * LINE + i] >> 2 * (g % 4) & 3) << bit);
}
/* scale[r] = d[r] * (six-bit number + offset) */
OPEN void open_six(const uint8_t *low, int nibble, const uint8_t *high, int bits, int offset,
                   const float d[KERN_ROWS], float *scale) {
    for (int r = 0; r < KERN_ROWS; r++) {
        int v = (low[r] >> 4 * nibble & 15) | (high[r] >> bits & 3) << 4;
        scale[r] = d[r] * (float)(v + offset);
    }
}
OPEN void open_super_scales(const uint8_t *p, int b, open_block *k) {
    const uint8_t *low = p + LINE + KERN_ROWS * (b % 4), *high = low + 2 * LINE;
    float d[KERN_ROWS], dmin[KERN_ROWS];
    open_f16s(p, d);
    open_f16s(p + F16S, dmin);
    open_six(low, b / 4, high, b / 4 * 2, 0, d, k->scale[0]);
    open_six(low + LINE, b / 4, high, 4 + b / 4 * 2, 0, dmin, k->least[0]);
    for (int r = 0; r < KERN_ROWS; r++) k->least[0][r] = 0 - k->least[0][r];
}

OPEN void open_Q8_0(const uint8_t *p, int b, open_block *k) {
    memcpy(k->code, p + 2 * F16S + b * BYTES, BYTES);
    open_f16s(p + b * F16S, k->scale[0]);
}
OPEN void open_Q4_0(const uint8_t *p, int b, open_block *k) {
    open_nibbles(p + 2 * F16S + b * NIBBLES, k->code);
    open_f16s(p + b * F16S, k->scale[0]);
}
OPEN void open_IQ4_NL(const uint8_t *p, int b, open_block *k) {
    open_Q4_0(p, b, k);
    open_values(k->code);
}
OPEN void open_Q4_1(const uint8_t *p, int b, open_block *k) {
    open_nibbles(p + 4 * F16S + b * NIBBLES, k->code);
    open_f16s(p + b * F16S, k->scale[0]);
    open_f16s(p + (2 + b) * F16S, k->least[0]);
}
OPEN void open_Q5_0(const uint8_t *p, int b, open_block *k) {
    const uint8_t *at = p + 2 * F16S + b * (NIBBLES + LINE);
    open_nibbles(at, k->code);
    open_bit(at + NIBBLES, 4, k->code);
    open_f16s(p + b * F16S, k->scale[0]);
}
OPEN void open_Q5_1(const uint8_t *p, int b, open_block *k) {
    const uint8_t *at = p + 4 * F16S + b * (NIBBLES + LINE);
    open_nibbles(at, k->code);
    open_bit(at + NIBBLES, 4, k->code);
    open_f16s(p + b * F16S, k->scale[0]);
    open_f16s(p + (2 + b) * F16S, k->least[0]);
}
OPEN void open_Q4_K(const uint8_t *p, int b, open_block *k) {
    open_nibbles(p + 4 * LINE + b * NIBBLES, k->code);
    open_super_scales(p, b, k);
}
OPEN void open_Q5_K(const uint8_t *p, int b, open_block *k) {
    const uint8_t *at = p + 4 * LINE + b * (NIBBLES + LINE);
    open_nibbles(at, k->code);
    open_bit(at + NIBBLES, 4, k->code);
    open_super_scales(p, b, k);
}
OPEN void open_Q6_K(const uint8_t *p, int b, open_block *k) {
    const uint8_t *at = p + 5 * LINE + b * (NIBBLES + PAIRS), *by = p + LINE + 2 * b * KERN_ROWS;
    float d[KERN_ROWS];
    memcpy(d, p, sizeof d);
    open_nibbles(at, k->code);
    open_pairs(at + NIBBLES, 4, k->code);
    for (int h = 0; h < 2; h++)
        for (int r = 0; r < KERN_ROWS; r++)
            k->scale[h][r] = d[r] * (float)(int8_t)by[h * KERN_ROWS + r];
}
OPEN void open_Q2_K(const uint8_t *p, int b, open_block *k) {
    const uint8_t *by = p + LINE + 2 * b * KERN_ROWS;
    float d[KERN_ROWS], dmin[KERN_ROWS];
    open_f16s(p, d);
    open_f16s(p + F16S, dmin);
    memset(k->code, 0, BYTES);
    open_pairs(p + 5 * LINE + b * PAIRS, 0, k->code);
    for (int h = 0; h < 2; h++)
        for (int r = 0; r < KERN_ROWS; r++) {
            k->scale[h][r] = d[r] * (float)(by[h * KERN_ROWS + r] & 15);
            k->least[h][r] = 0 - dmin[r] * (float)(by[h * KERN_ROWS + r] >> 4);
        }
}
OPEN void open_Q3_K(const uint8_t *p, int b, open_block *k) {
    const uint8_t *at = p + 4 * LINE + b * (PAIRS + LINE);
    float d[KERN_ROWS];
    memcpy(d, p, sizeof d);
    memset(k->code, 0, BYTES);
    open_pairs(at, 0, k->code);
    open_bit(at + PAIRS, 2, k->code);
    for (int h = 0; h < 2; h++) {
        int s = 2 * b + h;
        open_six(p + LINE + KERN_ROWS * (s % 8), s / 8, p + 3 * LINE + KERN_ROWS * (s % 4),
                 s / 4 * 2, -32, d, k->scale[h]);
    }
}
OPEN void open_IQ4_XS(const uint8_t *p, int b, open_block *k) {
    float d[KERN_ROWS];
    open_f16s(p, d);
    open_nibbles(p + 2 * LINE + b * NIBBLES, k->code);
    open_values(k->code);
    open_six(p + F16S + KERN_ROWS * (b % 4), b / 4, p + F16S + LINE + KERN_ROWS * (b % 2),
             b / 2 * 2, -32, d, k->scale[0]);
}

/* What a product must know of a type as constants. `sums`: how many groups' products of bytes fit a
 * 16-bit sum of two: 2 * 127 * (largest code) * sums <= 32767; 0: codes of eight bits. */
typedef struct open_type {
    void (*open)(const uint8_t *p, int b, open_block *k);
    int unit_bytes, unit_blocks, zero, sums;
    bool halves, least;
} open_type;

#define OPEN_TYPES(X)                       \
    X(Q8_0, 1088, 2, 128, 0, false, false)  \
    X(Q4_0, 576, 2, 8, 8, false, false)     \
    X(IQ4_NL, 576, 2, 128, 0, false, false) \
    X(Q4_1, 640, 2, 0, 8, false, true)      \
    X(Q5_0, 704, 2, 16, 4, false, false)    \
    X(Q5_1, 768, 2, 0, 4, false, true)      \
    X(Q2_K, 1344, 8, 0, 8, true, true)      \
    X(Q3_K, 1792, 8, 4, 8, true, false)     \
    X(Q4_K, 2304, 8, 0, 8, false, true)     \
    X(Q5_K, 2816, 8, 0, 4, false, true)     \
    X(Q6_K, 3392, 8, 32, 2, true, false)    \
    X(IQ4_XS, 2176, 8, 128, 0, false, false)

#endif
