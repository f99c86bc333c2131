/* kern_block.h - quantised blocks as GGUF files store them: little endian, byte aligned, packed.
 *
 * Rows of a matrix are whole blocks one after the other. Small blocks hold 32 numbers; the K types
 * hold 256 (KERN_SUPER) in sub-blocks of 16 or 32, whose scales are small integers times one f16.
 * The comments give the value of number i of a block or sub-block. */
#ifndef BANTAM_KERN_KERN_BLOCK_H
#define BANTAM_KERN_KERN_BLOCK_H

#include <stdint.h>

enum { KERN_BLOCK = 32, KERN_SUPER = 256 };

typedef struct kern_q8_0 {
    uint16_t d; /* f16 scale */
    int8_t q[KERN_BLOCK];
} kern_q8_0; /* d * q */
typedef struct kern_q4_0 {
    uint16_t d;
    uint8_t q[KERN_BLOCK / 2]; /* low nibble: number i, high nibble: number i + 16 */
} kern_q4_0;                   /* d * (q - 8) */
typedef struct kern_q4_1 {
    uint16_t d, m;
    uint8_t q[KERN_BLOCK / 2];
} kern_q4_1; /* d * q + m */
typedef struct kern_q5_0 {
    uint16_t d;
    uint8_t high[4]; /* bit i: the fifth bit of number i */
    uint8_t q[KERN_BLOCK / 2];
} kern_q5_0; /* d * (q - 16) */
typedef struct kern_q5_1 {
    uint16_t d, m;
    uint8_t high[4];
    uint8_t q[KERN_BLOCK / 2];
} kern_q5_1; /* d * q + m */
typedef struct kern_iq4_nl {
    uint16_t d;
    uint8_t q[KERN_BLOCK / 2];
} kern_iq4_nl; /* d * kern_iq4_values[q] */

typedef struct kern_q2_K {
    uint8_t scales[KERN_SUPER / 16]; /* low nibble: scale, high nibble: minimum */
    uint8_t q[KERN_SUPER / 4];       /* bits 2j..2j+1 of byte i of half h: 128 h + 32 j + i */
    uint16_t d, dmin;
} kern_q2_K; /* d * scale * q - dmin * minimum */
typedef struct kern_q3_K {
    uint8_t high[KERN_SUPER / 8]; /* bit 4 h + j of byte i: the third bit of 128 h + 32 j + i */
    uint8_t q[KERN_SUPER / 4];    /* as in Q2_K */
    uint8_t scales[12];           /* 16 scales of 6 bits, offset 32 */
    uint16_t d;
} kern_q3_K; /* d * (scale - 32) * (q - 4) */
typedef struct kern_q4_K {
    uint16_t d, dmin;
    uint8_t scales[12];        /* 8 scales and 8 minima of 6 bits */
    uint8_t q[KERN_SUPER / 2]; /* byte 32 j + i, low nibble: 64 j + i, high: 64 j + 32 + i */
} kern_q4_K;                   /* d * scale * q - dmin * minimum */
typedef struct kern_q5_K {
    uint16_t d, dmin;
    uint8_t scales[12];
    uint8_t high[KERN_SUPER / 8]; /* bit b of byte i: the fifth bit of number 32 b + i */
    uint8_t q[KERN_SUPER / 2];
} kern_q5_K; /* as Q4_K */
typedef struct kern_q6_K {
    uint8_t low[KERN_SUPER / 2];  /* 64 bytes a half: low nibbles 128 h + i, high 128 h + 64 + i */
    uint8_t high[KERN_SUPER / 4]; /* bits 2j..2j+1 of byte i of half h: of 128 h + 32 j + i */
    int8_t scales[KERN_SUPER / 16];
    uint16_t d;
} kern_q6_K; /* d * scale * (q - 32) */
typedef struct kern_iq4_xs {
    uint16_t d;
    uint16_t scales_high;                /* bits 2b..2b+1: of sub-block b */
    uint8_t scales_low[KERN_SUPER / 64]; /* nibbles: of sub-blocks 2i and 2i + 1 */
    uint8_t q[KERN_SUPER / 2];           /* sub-blocks of 32 laid out as IQ4_NL */
} kern_iq4_xs;                           /* d * (scale - 32) * kern_iq4_values[q] */

_Static_assert(sizeof(kern_q8_0) == 34 && sizeof(kern_q4_0) == 18 && sizeof(kern_q4_1) == 20 &&
                   sizeof(kern_q5_0) == 22 && sizeof(kern_q5_1) == 24 &&
                   sizeof(kern_iq4_nl) == 18 && sizeof(kern_q2_K) == 84 &&
                   sizeof(kern_q3_K) == 110 && sizeof(kern_q4_K) == 144 &&
                   sizeof(kern_q5_K) == 176 && sizeof(kern_q6_K) == 210 &&
                   sizeof(kern_iq4_xs) == 136,
               "block sizes of GGUF");

/* The 16 values of IQ4_NL and IQ4_XS. */
extern const int8_t kern_iq4_values[16];

#endif
