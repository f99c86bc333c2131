/* kern_super_avx512.c - types with blocks of 256 columns; see kern_block_avx512.h. Each function
 * takes sub-block b (a constant) of the unit at p. */
#if defined(__x86_64__)
#include "kern/kern_block_avx512.h"

/* 16 numbers of six bits: a nibble of low (0 or 1), two bits of high from bit `bits` on */
INLINE __m512i six(const uint8_t *low, int nibble, const uint8_t *high, int bits) {
    __m128i l = _mm_loadu_si128((const __m128i *)(const void *)low),
            h = _mm_loadu_si128((const __m128i *)(const void *)high);
    l = _mm_and_si128(shift_128(l, -4 * nibble), _mm_set1_epi8(15));
    h = _mm_and_si128(shift_128(h, 4 - bits), _mm_set1_epi8(0x30));
    return _mm512_cvtepu8_epi32(_mm_or_si128(l, h));
}

INLINE void super_scales(const uint8_t *p, int b, block *k) {
    const uint8_t *low = p + LINE + KERN_ROWS * (b % 4), *high = low + 2 * LINE;
    k->scale[0] = _mm512_mul_ps(f16s(p), _mm512_cvtepi32_ps(six(low, b / 4, high, b / 4 * 2)));
    __m512 least = _mm512_cvtepi32_ps(six(low + LINE, b / 4, high, 4 + b / 4 * 2));
    k->least[0] = _mm512_sub_ps(_mm512_setzero_ps(), _mm512_mul_ps(f16s(p + F16S), least));
}
INLINE void load_Q4_K(const uint8_t *p, int b, block *k) {
    nibbles(p + 4 * LINE + b * NIBBLES, k);
    super_scales(p, b, k);
}
INLINE void load_Q5_K(const uint8_t *p, int b, block *k) {
    const uint8_t *at = p + 4 * LINE + b * (NIBBLES + LINE);
    nibbles(at, k);
    add_bit(at + NIBBLES, 4, k);
    super_scales(p, b, k);
}
INLINE void load_Q6_K(const uint8_t *p, int b, block *k) {
    const uint8_t *at = p + 5 * LINE + b * (NIBBLES + PAIRS);
    nibbles(at, k);
    add_pairs(at + NIBBLES, k);
    UNROLL for (int h = 0; h < 2; h++) {
        __m128i by =
            _mm_loadu_si128((const __m128i *)(const void *)(p + LINE + KERN_ROWS * (2 * b + h)));
        k->scale[h] = _mm512_mul_ps(f32s(p), _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(by)));
    }
}
INLINE void load_Q2_K(const uint8_t *p, int b, block *k) {
    pairs(p + 5 * LINE + b * PAIRS, k);
    UNROLL for (int h = 0; h < 2; h++) {
        __m512i both = _mm512_cvtepu8_epi32(
            _mm_loadu_si128((const __m128i *)(const void *)(p + LINE + KERN_ROWS * (2 * b + h))));
        __m512 by = _mm512_cvtepi32_ps(_mm512_and_si512(both, _mm512_set1_epi32(15))),
               least = _mm512_cvtepi32_ps(_mm512_srli_epi32(both, 4));
        k->scale[h] = _mm512_mul_ps(f16s(p), by);
        k->least[h] = _mm512_sub_ps(_mm512_setzero_ps(), _mm512_mul_ps(f16s(p + F16S), least));
    }
}
INLINE void load_Q3_K(const uint8_t *p, int b, block *k) {
    const uint8_t *at = p + 4 * LINE + b * (PAIRS + LINE);
    pairs(at, k);
    add_bit(at + PAIRS, 2, k);
    UNROLL for (int h = 0; h < 2; h++) {
        int s = 2 * b + h;
        const uint8_t *low = p + LINE + KERN_ROWS * (s % 8),
                      *high = p + 3 * LINE + KERN_ROWS * (s % 4);
        __m512i by = _mm512_sub_epi32(six(low, s / 8, high, s / 4 * 2), _mm512_set1_epi32(32));
        k->scale[h] = _mm512_mul_ps(f32s(p), _mm512_cvtepi32_ps(by));
    }
}
INLINE void load_IQ4_XS(const uint8_t *p, int b, block *k) {
    nibbles(p + 2 * LINE + b * NIBBLES, k);
    look_up(k);
    const uint8_t *low = p + F16S + KERN_ROWS * (b % 4),
                  *high = p + F16S + LINE + KERN_ROWS * (b % 2);
    __m512i by = _mm512_sub_epi32(six(low, b / 4, high, b / 2 * 2), _mm512_set1_epi32(32));
    k->scale[0] = _mm512_mul_ps(f16s(p), _mm512_cvtepi32_ps(by));
}

PRODUCT(Q4_K, 2304, 8, 0, false, true)
PRODUCT(Q5_K, 2816, 8, 0, false, true)
PRODUCT(Q6_K, 3392, 8, 32, true, false)
PRODUCT(Q2_K, 1344, 8, 0, true, true)
PRODUCT(Q3_K, 1792, 8, 4, true, false)
PRODUCT(IQ4_XS, 2176, 8, 128, false, false)
#endif
