/* dequantise.h - blocks of every type to floats, n a multiple of the type's block. Plain C, the
 * truth that kernels are compared with: equal to the gguf Python package bit for bit. Any thread.
 * Reached through dtype_get(t)->dequantise. */
#ifndef BANTAM_TENSOR_DEQUANTISE_H
#define BANTAM_TENSOR_DEQUANTISE_H

#include <stdint.h>

void dequantise_f32(const void *from, float *to, int64_t n);
void dequantise_f16(const void *from, float *to, int64_t n);
void dequantise_bf16(const void *from, float *to, int64_t n);
void dequantise_q8_0(const void *from, float *to, int64_t n);
void dequantise_q4_0(const void *from, float *to, int64_t n);
void dequantise_q4_1(const void *from, float *to, int64_t n);
void dequantise_q5_0(const void *from, float *to, int64_t n);
void dequantise_q5_1(const void *from, float *to, int64_t n);
void dequantise_iq4_nl(const void *from, float *to, int64_t n);
/* dequantise_k.c: blocks of 256 */
void dequantise_q2_k(const void *from, float *to, int64_t n);
void dequantise_q3_k(const void *from, float *to, int64_t n);
void dequantise_q4_k(const void *from, float *to, int64_t n);
void dequantise_q5_k(const void *from, float *to, int64_t n);
void dequantise_q6_k(const void *from, float *to, int64_t n);
void dequantise_iq4_xs(const void *from, float *to, int64_t n);

/* Group g's scale and offset of Q4_K and Q5_K out of their twelve bytes: groups 0..3 in the low six
 * bits of bytes g and g + 4; groups 4..7 as nibbles of byte g + 4, above them the top two bits of
 * bytes g - 4 and g. */
static inline void dequantise_k_scales(const uint8_t s[12], int g, uint8_t *scale,
                                       uint8_t *offset) {
    if (g < 4) {
        *scale = s[g] & 63;
        *offset = s[g + 4] & 63;
    } else {
        *scale = (uint8_t)((s[g + 4] & 15) | s[g - 4] >> 6 << 4);
        *offset = (uint8_t)(s[g + 4] >> 4 | s[g] >> 6 << 4);
    }
}

#endif
