/* kern_half.c - the numbers that blocks are made of: half precision to float and back, IQ4's
 * values. See kern.h and kern_block.h. */
#include "kern/kern.h"

#include <string.h>

const int8_t kern_iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                    1,    13,   25,  38,  53,  69,  89,  113};

float kern_f16_to_f32(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exponent = (h >> 10) & 0x1f,
             fraction = h & 0x3ffu, bits;
    if (exponent == 0x1f)
        bits = sign | 0x7f800000u | fraction << 13;
    else if (exponent)
        bits = sign | (exponent + 112) << 23 | fraction << 13;
    else { /* zero and subnormals: fraction * 2^-24 is exact in float */
        float small = (float)fraction * 0x1p-24f;
        memcpy(&bits, &small, sizeof bits);
        bits |= sign;
    }
    float out;
    memcpy(&out, &bits, sizeof out);
    return out;
}

uint16_t kern_f32_to_f16(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint32_t sign = (bits >> 16) & 0x8000u, magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return (uint16_t)(sign | 0x7e00u);  /* not a number */
    if (magnitude >= 0x47800000u) return (uint16_t)(sign | 0x7c00u); /* 65536 and more: infinity */
    if (magnitude < 0x38800000u) { /* subnormal: adding 0.5 rounds at 2^-24 */
        float m;
        memcpy(&m, &magnitude, sizeof m);
        m += 0.5f;
        uint32_t rounded;
        memcpy(&rounded, &m, sizeof rounded);
        return (uint16_t)(sign | (rounded - 0x3f000000u));
    }
    uint32_t odd = (magnitude >> 13) & 1;
    return (uint16_t)(sign | (magnitude - 0x38000000u + 0xfffu + odd) >> 13);
}
