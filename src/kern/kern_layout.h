/* kern_layout.h - weights as the kernels read them: strips of 16 rows, so that a vector lane is a
 * row.
 *
 * A strip holds 16 rows side by side; rows that a matrix lacks are zeros. Along the columns it is a
 * chain of units, each a few blocks of 32 columns with their scales, in the order of reading. Codes
 * are unsigned: value + zero point. The same bytes serve every instruction set, so that one cache
 * file does. Bits per weight are the file's (+1 % for Q6_K, +2 % for Q3_K: units are whole lines).
 *
 * Inside a block, columns go by fours: group g = columns 4g..4g+3, one 32-bit lane a row. "Byte
 * 4r+j" below is row r, column j of a group. bytes   64 x 8       byte 4r+j of line g: the code
 *   nibbles 64 x 4       byte 4r+j of line i: group i low, group i+4 high
 *   bit     64           byte 4r+j: bit g is the highest bit of group g's code
 *   pairs   64 x 2       byte 4r+j of line h: bits 2f..2f+1 are those of group 4h+f
 *
 *   layout  unit                                                                 columns  bytes
 *   F32     f32[16]                                                                    1     64
 *   F16     f16[16]                                                                    1     32
 *   BF16    bf16[16][2]: two neighbouring columns of a row lie together                2     64
 *   Q8_0    f16 d[2][16], bytes x 2                                 zero 128          64   1088
 *   Q4_0    f16 d[2][16], nibbles x 2                               zero 8            64    576
 *   IQ4_NL  the same                       code = value of the nibble + 128           64    576
 *   Q4_1    f16 d[2][16], f16 m[2][16], nibbles x 2                                   64    640
 *   Q5_0    f16 d[2][16], (nibbles, bit) x 2                        zero 16           64    704
 *   Q5_1    f16 d[2][16], f16 m[2][16], (nibbles, bit) x 2                            64    768
 *   Q4_K    f16 d[16], f16 dmin[16], six, nibbles x 8                                256   2304
 *   Q5_K    f16 d[16], f16 dmin[16], six, (nibbles, bit) x 8                         256   2816
 *   Q6_K    f32 d[16], i8 scale[16][16], (nibbles, pairs) x 8       zero 32          256   3392
 *   Q2_K    f16 d[16], f16 dmin[16], u8 scale|min<<4 [16][16], pairs x 8             256   1344
 *   Q3_K    f32 d[16], six16, (pairs, bit) x 8                      zero 4           256   1792
 *   IQ4_XS  f16 d[16], six8, nibbles x 8                            zero 128         256   2176
 * Scales of six bits, of sub-block s and row r:
 *   six     low 64: byte 16(s%4)+r, nibble s/4; the minima's 64 alike; high 64: byte 16(s%4)+r,
 *           bits 2(s/4) for the scale, 4 + 2(s/4) for the minimum
 *   six16   low 128: byte 16(s%8)+r, nibble s/8; high 64: byte 16(s%4)+r, bits 2(s/4); offset 32
 *   six8    low 64: byte 16(s%4)+r, nibble s/4; high 32: byte 16(s%2)+r, bits 2(s/2); offset 32 */
#ifndef BANTAM_KERN_KERN_LAYOUT_H
#define BANTAM_KERN_KERN_LAYOUT_H

#include "kern/kern_block.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum kern_layout {
    KERN_NONE,
    KERN_F32,
    KERN_F16,
    KERN_BF16,
    KERN_Q8_0,
    KERN_Q4_0,
    KERN_Q4_1,
    KERN_Q5_0,
    KERN_Q5_1,
    KERN_Q2_K,
    KERN_Q3_K,
    KERN_Q4_K,
    KERN_Q5_K,
    KERN_Q6_K,
    KERN_IQ4_NL,
    KERN_IQ4_XS,
    KERN_LAYOUTS
} kern_layout;

enum { KERN_ROWS = 16 }; /* rows of a strip */

typedef struct kern_shape {
    const char *name;
    int32_t unit_cols, unit_bytes;
    int32_t block_cols, block_bytes; /* of the file */
    int32_t zero;                    /* subtracted from every code */
    bool halves;                     /* a scale by 16 columns, not by 32 */
    bool least;                      /* blocks have a minimum that is added */
} kern_shape;

/* KERN_NONE and anything unknown: all zero */
const kern_shape *kern_shape_of(kern_layout l);
/* columns that a row may have: whole blocks of the file */
bool kern_fits(kern_layout l, int64_t cols);
size_t kern_strip_bytes(kern_layout l, int64_t cols);
/* Lays rows (1 to 16, row_bytes apart, as in the file) out as one strip; lacking rows are zero. */
void kern_pack_rows(kern_layout l, const void *rows, size_t row_bytes, int64_t n, int64_t cols,
                    void *strip);

/* One block of 32 columns of a quantised strip, in the open: value [r][c] =
 * scale[c / 16][r] * (code[r][c] - zero) + least[c / 16][r]; both halves are equal where the type
 * has one scale a block. Readable and slow: the reference kernels and tests use it. */
typedef struct kern_codes {
    uint8_t code[KERN_ROWS][KERN_BLOCK];
    float scale[2][KERN_ROWS], least[2][KERN_ROWS];
} kern_codes;
void kern_unpack(kern_layout l, const void *strip, int64_t block, kern_codes *out);

#endif
