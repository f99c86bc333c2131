/* kern_probe_avx512.c - peaks of AVX-512 VNNI and BF16; see kern_probe.h. Twelve sums in flight
 * cover the latency of two multipliers. */
#if defined(__x86_64__)
#include "kern/kern_probe.h"
#include "kern/kern_unroll.h"

#include <immintrin.h>

enum { SUMS = 12, LINE = 64, AHEAD = 4096 };

/* an operand that the compiler must take as new, so that no round can be left out */
#define KEEP(v) __asm__ volatile("" : "+v"(v))

static void int8(int64_t rounds) {
    __m512i sum[SUMS], a = _mm512_set1_epi8(1), b = a;
    UNROLL for (int i = 0; i < SUMS; i++) sum[i] = _mm512_setzero_si512();
    for (int64_t r = 0; r < rounds; r++) {
        UNROLL for (int i = 0; i < SUMS; i++) sum[i] = _mm512_dpbusd_epi32(sum[i], a, b);
        UNROLL for (int i = 0; i < SUMS; i++) KEEP(sum[i]);
    }
}

static void f32(int64_t rounds) {
    __m512 sum[SUMS], a = _mm512_set1_ps(1), b = a;
    UNROLL for (int i = 0; i < SUMS; i++) sum[i] = _mm512_setzero_ps();
    for (int64_t r = 0; r < rounds; r++) {
        UNROLL for (int i = 0; i < SUMS; i++) sum[i] = _mm512_fmadd_ps(a, b, sum[i]);
        UNROLL for (int i = 0; i < SUMS; i++) KEEP(sum[i]);
    }
}

__attribute__((target("avx512bf16"))) static void bf16(int64_t rounds) {
    __m512 sum[SUMS];
    __m512bh a = (__m512bh)_mm512_set1_epi16(0x3f80), b = a;
    UNROLL for (int i = 0; i < SUMS; i++) sum[i] = _mm512_setzero_ps();
    for (int64_t r = 0; r < rounds; r++) {
        UNROLL for (int i = 0; i < SUMS; i++) sum[i] = _mm512_dpbf16_ps(sum[i], a, b);
        UNROLL for (int i = 0; i < SUMS; i++) KEEP(sum[i]);
    }
}

static uint64_t read(const void *p, size_t bytes) {
    const char *from = p;
    __m512i sum = _mm512_setzero_si512();
    for (size_t i = 0; i < bytes; i += LINE) {
        _mm_prefetch(from + i + AHEAD, _MM_HINT_T0);
        sum = _mm512_add_epi64(sum, _mm512_loadu_si512(from + i));
    }
    return (uint64_t)_mm512_reduce_add_epi64(sum);
}

#define COMMON .int8_ops = SUMS * 128, .f32_ops = SUMS * 32, .int8 = int8, .f32 = f32, .read = read
const kern_probe kern_probe_avx512 = {COMMON};
const kern_probe kern_probe_avx512_bf16 = {COMMON, .bf16 = bf16, .bf16_ops = SUMS * 64};
#endif
