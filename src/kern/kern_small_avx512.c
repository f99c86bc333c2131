/* kern_small_avx512.c - types with blocks of 32 columns; see kern_block_avx512.h. Each function
 * takes block b (a constant) of the unit at p. */
#if defined(__x86_64__)
#include "kern/kern_block_avx512.h"

INLINE void load_Q8_0(const uint8_t *p, int b, block *k) {
    UNROLL for (int g = 0; g < GROUPS; g++) k->code[g] = load(p + 2 * F16S + b * BYTES + LINE * g);
    k->scale[0] = f16s(p + b * F16S);
}
INLINE void load_Q4_0(const uint8_t *p, int b, block *k) {
    nibbles(p + 2 * F16S + b * NIBBLES, k);
    k->scale[0] = f16s(p + b * F16S);
}
INLINE void load_IQ4_NL(const uint8_t *p, int b, block *k) {
    load_Q4_0(p, b, k);
    look_up(k);
}
INLINE void load_Q4_1(const uint8_t *p, int b, block *k) {
    nibbles(p + 4 * F16S + b * NIBBLES, k);
    k->scale[0] = f16s(p + b * F16S);
    k->least[0] = f16s(p + (2 + b) * F16S);
}
INLINE void load_Q5_0(const uint8_t *p, int b, block *k) {
    const uint8_t *at = p + 2 * F16S + b * (NIBBLES + LINE);
    nibbles(at, k);
    add_bit(at + NIBBLES, 4, k);
    k->scale[0] = f16s(p + b * F16S);
}
INLINE void load_Q5_1(const uint8_t *p, int b, block *k) {
    const uint8_t *at = p + 4 * F16S + b * (NIBBLES + LINE);
    nibbles(at, k);
    add_bit(at + NIBBLES, 4, k);
    k->scale[0] = f16s(p + b * F16S);
    k->least[0] = f16s(p + (2 + b) * F16S);
}
PRODUCT(Q8_0, 1088, 2, 128, false, false)
PRODUCT(Q4_0, 576, 2, 8, false, false)
PRODUCT(IQ4_NL, 576, 2, 128, false, false)
PRODUCT(Q4_1, 640, 2, 0, false, true)
PRODUCT(Q5_0, 704, 2, 16, false, false)
PRODUCT(Q5_1, 768, 2, 0, false, true)
#endif
