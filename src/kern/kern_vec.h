/* kern_vec.h - a vector of floats under one set of names, for kernels that read the same in every
 * instruction set. The flags of the including file choose: AVX-512 (16 lanes), AVX2 with FMA and
 * F16C (8), NEON (4). Only ISA files include it.
 *
 * vec_load_first, vec_store_first: n lanes of memory; what lies behind is not touched, loaded as 0.
 * vec_transpose: lane j of v[i] <-> lane i of v[j].
 * vec_exp2: within 2e-7 relative; exactly 1 at 0, exactly 0 below -126 (-inf too).
 * vec_exp: within 2e-7 relative on [-87, 88]; exactly 1 at 0, exactly 0 below -87, limited above.
 */
#ifndef BANTAM_KERN_KERN_VEC_H
#define BANTAM_KERN_KERN_VEC_H

#include "kern/kern.h"

#include <string.h>

#define INLINE static inline __attribute__((always_inline))

#if defined(__AVX512F__)

#include <immintrin.h>
enum { LANES = 16 };
typedef __m512 vec;

INLINE vec vec_set(float x) {
    return _mm512_set1_ps(x);
}
INLINE vec vec_load(const float *p) {
    return _mm512_loadu_ps(p);
}
INLINE void vec_store(float *p, vec v) {
    _mm512_storeu_ps(p, v);
}
INLINE vec vec_add(vec a, vec b) {
    return _mm512_add_ps(a, b);
}
INLINE vec vec_sub(vec a, vec b) {
    return _mm512_sub_ps(a, b);
}
INLINE vec vec_mul(vec a, vec b) {
    return _mm512_mul_ps(a, b);
}
INLINE vec vec_div(vec a, vec b) {
    return _mm512_div_ps(a, b);
}
INLINE vec vec_max(vec a, vec b) {
    return _mm512_max_ps(a, b);
}
INLINE vec vec_min(vec a, vec b) {
    return _mm512_min_ps(a, b);
}
INLINE vec vec_abs(vec a) {
    return _mm512_abs_ps(a);
}
/* a * b + c; c - a * b */
INLINE vec vec_fma(vec a, vec b, vec c) {
    return _mm512_fmadd_ps(a, b, c);
}
INLINE vec vec_fnma(vec a, vec b, vec c) {
    return _mm512_fnmadd_ps(a, b, c);
}
INLINE vec vec_round(vec a) {
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/* v * 2^n where x >= least, else 0; n whole */
INLINE vec vec_scale_if(vec v, vec n, vec x, float least) {
    return _mm512_maskz_scalef_ps(_mm512_cmp_ps_mask(x, _mm512_set1_ps(least), _CMP_GE_OQ), v, n);
}
/* |a| with the sign of s */
INLINE vec vec_sign_of(vec a, vec s) {
    const __m512i sign = _mm512_set1_epi32((int)0x80000000u);
    return _mm512_castsi512_ps(
        _mm512_ternarylogic_epi32(sign, _mm512_castps_si512(s), _mm512_castps_si512(a), 0xca));
}
/* lanes [from, to) of v, the others of `other` */
INLINE vec vec_lanes(vec v, int from, int to, vec other) {
    unsigned below = to >= LANES ? 0xffffu : to <= 0 ? 0 : (1u << to) - 1u;
    unsigned before = from <= 0 ? 0 : from >= LANES ? 0xffffu : (1u << from) - 1u;
    return _mm512_mask_blend_ps((__mmask16)(below & ~before), other, v);
}
INLINE float vec_add_lanes(vec v) {
    __m256 h = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
INLINE float vec_max_lanes(vec v) {
    return _mm512_reduce_max_ps(v);
}
INLINE vec vec_load_f16(const uint16_t *p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}
INLINE void vec_store_f16(uint16_t *p, vec v) {
    _mm256_storeu_si256((__m256i *)(void *)p, _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}
INLINE vec vec_load_i8(const int8_t *p) {
    return _mm512_cvtepi32_ps(
        _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p)));
}
/* rounded to nearest; within int8 */
INLINE void vec_store_i8(int8_t *p, vec v) {
    _mm_storeu_si128((__m128i *)(void *)p, _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v)));
}
/* even[i], odd[i] <-> 2i, 2i + 1 of two vectors that lie together */
INLINE void vec_load_pairs(const float *p, vec *even, vec *odd) {
    const __m512i e = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i o = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    vec a = vec_load(p), b = vec_load(p + LANES);
    *even = _mm512_permutex2var_ps(a, e, b);
    *odd = _mm512_permutex2var_ps(a, o, b);
}
INLINE void vec_store_pairs(float *p, vec even, vec odd) {
    const __m512i l = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i h =
        _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    vec_store(p, _mm512_permutex2var_ps(even, l, odd));
    vec_store(p + LANES, _mm512_permutex2var_ps(even, h, odd));
}
INLINE vec vec_load_first(const float *p, int n) {
    return _mm512_maskz_loadu_ps((__mmask16)(n >= LANES ? 0xffffu : (1u << n) - 1u), p);
}
INLINE void vec_store_first(float *p, vec v, int n) {
    _mm512_mask_storeu_ps(p, (__mmask16)(n >= LANES ? 0xffffu : (1u << n) - 1u), v);
}
/* four by four inside each quarter, then the quarters */
INLINE void vec_transpose(vec v[LANES]) {
    vec a[LANES], b[LANES];
    for (int i = 0; i < LANES; i += 4) {
        __m512d x0 = _mm512_castps_pd(_mm512_unpacklo_ps(v[i], v[i + 1]));
        __m512d x1 = _mm512_castps_pd(_mm512_unpackhi_ps(v[i], v[i + 1]));
        __m512d y0 = _mm512_castps_pd(_mm512_unpacklo_ps(v[i + 2], v[i + 3]));
        __m512d y1 = _mm512_castps_pd(_mm512_unpackhi_ps(v[i + 2], v[i + 3]));
        a[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(x0, y0));
        a[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(x0, y0));
        a[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(x1, y1));
        a[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(x1, y1));
    }
    for (int i = 0; i < 4; i++) {
        b[i] = _mm512_shuffle_f32x4(a[i], a[i + 4], 0x88);
        b[i + 4] = _mm512_shuffle_f32x4(a[i], a[i + 4], 0xdd);
        b[i + 8] = _mm512_shuffle_f32x4(a[i + 8], a[i + 12], 0x88);
        b[i + 12] = _mm512_shuffle_f32x4(a[i + 8], a[i + 12], 0xdd);
    }
    for (int i = 0; i < 4; i++) {
        v[i] = _mm512_shuffle_f32x4(b[i], b[i + 8], 0x88);
        v[i + 8] = _mm512_shuffle_f32x4(b[i], b[i + 8], 0xdd);
        v[i + 4] = _mm512_shuffle_f32x4(b[i + 4], b[i + 12], 0x88);
        v[i + 12] = _mm512_shuffle_f32x4(b[i + 4], b[i + 12], 0xdd);
    }
}

#elif defined(__AVX2__)

#include <immintrin.h>
enum { LANES = 8 };
typedef __m256 vec;

INLINE vec vec_set(float x) {
    return _mm256_set1_ps(x);
}
INLINE vec vec_load(const float *p) {
    return _mm256_loadu_ps(p);
}
INLINE void vec_store(float *p, vec v) {
    _mm256_storeu_ps(p, v);
}
INLINE vec vec_add(vec a, vec b) {
    return _mm256_add_ps(a, b);
}
INLINE vec vec_sub(vec a, vec b) {
    return _mm256_sub_ps(a, b);
}
INLINE vec vec_mul(vec a, vec b) {
    return _mm256_mul_ps(a, b);
}
INLINE vec vec_div(vec a, vec b) {
    return _mm256_div_ps(a, b);
}
INLINE vec vec_max(vec a, vec b) {
    return _mm256_max_ps(a, b);
}
INLINE vec vec_min(vec a, vec b) {
    return _mm256_min_ps(a, b);
}
INLINE vec vec_abs(vec a) {
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a);
}
INLINE vec vec_fma(vec a, vec b, vec c) {
    return _mm256_fmadd_ps(a, b, c);
}
INLINE vec vec_fnma(vec a, vec b, vec c) {
    return _mm256_fnmadd_ps(a, b, c);
}
INLINE vec vec_round(vec a) {
    return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
INLINE vec vec_scale_if(vec v, vec n, vec x, float least) {
    __m256i power = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    vec scaled = _mm256_mul_ps(v, _mm256_castsi256_ps(_mm256_slli_epi32(power, 23)));
    return _mm256_and_ps(scaled, _mm256_cmp_ps(x, _mm256_set1_ps(least), _CMP_GE_OQ));
}
INLINE vec vec_sign_of(vec a, vec s) {
    const vec sign = _mm256_set1_ps(-0.0f);
    return _mm256_or_ps(_mm256_andnot_ps(sign, a), _mm256_and_ps(sign, s));
}
INLINE vec vec_lanes(vec v, int from, int to, vec other) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    __m256i before = _mm256_cmpgt_epi32(_mm256_set1_epi32(from), lane);
    __m256i below = _mm256_cmpgt_epi32(_mm256_set1_epi32(to), lane);
    return _mm256_blendv_ps(other, v, _mm256_castsi256_ps(_mm256_andnot_si256(before, below)));
}
INLINE float vec_add_lanes(vec v) {
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
INLINE float vec_max_lanes(vec v) {
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}
INLINE vec vec_load_f16(const uint16_t *p) {
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p));
}
INLINE void vec_store_f16(uint16_t *p, vec v) {
    _mm_storeu_si128((__m128i *)(void *)p, _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}
INLINE vec vec_load_i8(const int8_t *p) {
    return _mm256_cvtepi32_ps(
        _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p)));
}
INLINE void vec_store_i8(int8_t *p, vec v) {
    __m256i n = _mm256_cvtps_epi32(v);
    __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(n), _mm256_extracti128_si256(n, 1));
    _mm_storel_epi64((__m128i *)(void *)p, _mm_packs_epi16(words, words));
}
INLINE void vec_load_pairs(const float *p, vec *even, vec *odd) {
    vec a = vec_load(p), b = vec_load(p + LANES);
    __m256d e = _mm256_castps_pd(_mm256_shuffle_ps(a, b, 0x88));
    __m256d o = _mm256_castps_pd(_mm256_shuffle_ps(a, b, 0xdd));
    *even = _mm256_castpd_ps(_mm256_permute4x64_pd(e, 0xd8));
    *odd = _mm256_castpd_ps(_mm256_permute4x64_pd(o, 0xd8));
}
INLINE void vec_store_pairs(float *p, vec even, vec odd) {
    vec l = _mm256_unpacklo_ps(even, odd), h = _mm256_unpackhi_ps(even, odd);
    vec_store(p, _mm256_permute2f128_ps(l, h, 0x20));
    vec_store(p + LANES, _mm256_permute2f128_ps(l, h, 0x31));
}
INLINE __m256i vec_first(int n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
INLINE vec vec_load_first(const float *p, int n) {
    return _mm256_maskload_ps(p, vec_first(n));
}
INLINE void vec_store_first(float *p, vec v, int n) {
    _mm256_maskstore_ps(p, vec_first(n), v);
}
INLINE void vec_transpose(vec v[LANES]) {
    vec a[LANES];
    for (int i = 0; i < LANES; i += 4) {
        __m256d x0 = _mm256_castps_pd(_mm256_unpacklo_ps(v[i], v[i + 1]));
        __m256d x1 = _mm256_castps_pd(_mm256_unpackhi_ps(v[i], v[i + 1]));
        __m256d y0 = _mm256_castps_pd(_mm256_unpacklo_ps(v[i + 2], v[i + 3]));
        __m256d y1 = _mm256_castps_pd(_mm256_unpackhi_ps(v[i + 2], v[i + 3]));
        a[i] = _mm256_castpd_ps(_mm256_unpacklo_pd(x0, y0));
        a[i + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(x0, y0));
        a[i + 2] = _mm256_castpd_ps(_mm256_unpacklo_pd(x1, y1));
        a[i + 3] = _mm256_castpd_ps(_mm256_unpackhi_pd(x1, y1));
    }
    for (int i = 0; i < 4; i++) {
        v[i] = _mm256_permute2f128_ps(a[i], a[i + 4], 0x20);
        v[i + 4] = _mm256_permute2f128_ps(a[i], a[i + 4], 0x31);
    }
}

#elif defined(__aarch64__)

#include <arm_neon.h>
enum { LANES = 4 };
typedef float32x4_t vec;

INLINE vec vec_set(float x) {
    return vdupq_n_f32(x);
}
INLINE vec vec_load(const float *p) {
    return vld1q_f32(p);
}
INLINE void vec_store(float *p, vec v) {
    vst1q_f32(p, v);
}
INLINE vec vec_add(vec a, vec b) {
    return vaddq_f32(a, b);
}
INLINE vec vec_sub(vec a, vec b) {
    return vsubq_f32(a, b);
}
INLINE vec vec_mul(vec a, vec b) {
    return vmulq_f32(a, b);
}
INLINE vec vec_div(vec a, vec b) {
    return vdivq_f32(a, b);
}
INLINE vec vec_max(vec a, vec b) {
    return vmaxq_f32(a, b);
}
INLINE vec vec_min(vec a, vec b) {
    return vminq_f32(a, b);
}
INLINE vec vec_abs(vec a) {
    return vabsq_f32(a);
}
INLINE vec vec_fma(vec a, vec b, vec c) {
    return vfmaq_f32(c, a, b);
}
INLINE vec vec_fnma(vec a, vec b, vec c) {
    return vfmsq_f32(c, a, b);
}
INLINE vec vec_round(vec a) {
    return vrndnq_f32(a);
}
INLINE vec vec_scale_if(vec v, vec n, vec x, float least) {
    int32x4_t power = vshlq_n_s32(vaddq_s32(vcvtnq_s32_f32(n), vdupq_n_s32(127)), 23);
    uint32x4_t scaled = vreinterpretq_u32_f32(vmulq_f32(v, vreinterpretq_f32_s32(power)));
    return vreinterpretq_f32_u32(vandq_u32(scaled, vcgeq_f32(x, vdupq_n_f32(least))));
}
INLINE vec vec_sign_of(vec a, vec s) {
    return vbslq_f32(vdupq_n_u32(0x80000000u), s, a);
}
INLINE vec vec_lanes(vec v, int from, int to, vec other) {
    static const int32_t lanes[LANES] = {0, 1, 2, 3};
    int32x4_t lane = vld1q_s32(lanes);
    uint32x4_t in = vandq_u32(vcgeq_s32(lane, vdupq_n_s32(from)), vcltq_s32(lane, vdupq_n_s32(to)));
    return vbslq_f32(in, v, other);
}
INLINE float vec_add_lanes(vec v) {
    return vaddvq_f32(v);
}
INLINE float vec_max_lanes(vec v) {
    return vmaxvq_f32(v);
}
INLINE vec vec_load_f16(const uint16_t *p) {
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
}
INLINE void vec_store_f16(uint16_t *p, vec v) {
    vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(v)));
}
INLINE vec vec_load_i8(const int8_t *p) {
    int32_t four;
    memcpy(&four, p, sizeof four);
    int16x8_t words = vmovl_s8(vreinterpret_s8_s32(vdup_n_s32(four)));
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(words)));
}
INLINE void vec_store_i8(int8_t *p, vec v) {
    int16x4_t words = vqmovn_s32(vcvtnq_s32_f32(v));
    int8x8_t bytes = vqmovn_s16(vcombine_s16(words, words));
    int32_t four = vget_lane_s32(vreinterpret_s32_s8(bytes), 0);
    memcpy(p, &four, sizeof four);
}
INLINE void vec_load_pairs(const float *p, vec *even, vec *odd) {
    float32x4x2_t both = vld2q_f32(p);
    *even = both.val[0];
    *odd = both.val[1];
}
INLINE void vec_store_pairs(float *p, vec even, vec odd) {
    float32x4x2_t both = {{even, odd}};
    vst2q_f32(p, both);
}
INLINE vec vec_load_first(const float *p, int n) {
    float whole[LANES] = {0};
    memcpy(whole, p, (size_t)(n < LANES ? n : LANES) * sizeof *p);
    return vec_load(whole);
}
INLINE void vec_store_first(float *p, vec v, int n) {
    float whole[LANES];
    vec_store(whole, v);
    memcpy(p, whole, (size_t)(n < LANES ? n : LANES) * sizeof *p);
}
INLINE void vec_transpose(vec v[LANES]) {
    float32x4x2_t a = vtrnq_f32(v[0], v[1]), b = vtrnq_f32(v[2], v[3]);
    for (int i = 0; i < 2; i++) {
        v[i] = vcombine_f32(vget_low_f32(a.val[i]), vget_low_f32(b.val[i]));
        v[i + 2] = vcombine_f32(vget_high_f32(a.val[i]), vget_high_f32(b.val[i]));
    }
}

#else
#error "kern_vec.h: no vectors for this file's flags"
#endif

/* 2^r on [-1/2, 1/2]: minimax of degree 5 with constant 1, 9.2e-8 */
INLINE vec vec_exp2(vec x) {
    vec n = vec_round(x), r = vec_sub(x, n), p = vec_set(0x1.5bba14p-10f);
    p = vec_fma(p, r, vec_set(0x1.3cea88p-7f));
    p = vec_fma(p, r, vec_set(0x1.c6b752p-5f));
    p = vec_fma(p, r, vec_set(0x1.ebf9bcp-3f));
    p = vec_fma(p, r, vec_set(0x1.62e42ap-1f));
    p = vec_fma(p, r, vec_set(1));
    return vec_scale_if(p, n, x, -126);
}

/* e^r on [-ln2/2, ln2/2]: minimax of degree 6 beginning 1 + r, 3.1e-9; ln2 in two parts */
INLINE vec vec_exp(vec x) {
    vec y = vec_min(x, vec_set(88)), n = vec_round(vec_mul(y, vec_set(0x1.715476p0f)));
    vec r = vec_fnma(n, vec_set(0x1.62e4p-1f), y), p = vec_set(0x1.6a2434p-10f);
    r = vec_fnma(n, vec_set(0x1.7f7d1cp-20f), r);
    p = vec_fma(p, r, vec_set(0x1.1239e2p-7f));
    p = vec_fma(p, r, vec_set(0x1.5558f2p-5f));
    p = vec_fma(p, r, vec_set(0x1.555492p-3f));
    p = vec_fma(p, r, vec_set(0x1.fffffcp-2f));
    p = vec_fma(p, r, vec_set(1));
    p = vec_fma(p, r, vec_set(1));
    return vec_scale_if(p, n, x, -87);
}

#endif
