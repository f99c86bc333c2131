/* kern_probe_avx2.c - peaks of AVX2; see kern_probe.h. An int8 product is three instructions:
 * bytes to 16 bits, 16 to 32 bits, add. */
#if defined(__x86_64__)
#include "kern/kern_probe.h"
#include "kern/kern_unroll.h"

#include <immintrin.h>

enum { SUMS = 10, LINE = 64, AHEAD = 4096 };

/* an operand that the compiler must take as new, so that no round can be left out */
#define KEEP(v) __asm__ volatile("" : "+x"(v))

static void int8(int64_t rounds) {
    __m256i sum[SUMS], a = _mm256_set1_epi8(1), b = a;
    const __m256i ones = _mm256_set1_epi16(1);
    UNROLL for (int i = 0; i < SUMS; i++) sum[i] = _mm256_setzero_si256();
    for (int64_t r = 0; r < rounds; r++) {
        UNROLL for (int i = 0; i < SUMS; i++) {
            KEEP(a);
            sum[i] = _mm256_add_epi32(sum[i], _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), ones));
        }
        UNROLL for (int i = 0; i < SUMS; i++) KEEP(sum[i]);
    }
}

static void f32(int64_t rounds) {
    __m256 sum[SUMS], a = _mm256_set1_ps(1), b = a;
    UNROLL for (int i = 0; i < SUMS; i++) sum[i] = _mm256_setzero_ps();
    for (int64_t r = 0; r < rounds; r++) {
        UNROLL for (int i = 0; i < SUMS; i++) sum[i] = _mm256_fmadd_ps(a, b, sum[i]);
        UNROLL for (int i = 0; i < SUMS; i++) KEEP(sum[i]);
    }
}

static uint64_t read(const void *p, size_t bytes) {
    const char *from = p;
    __m256i sum[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    for (size_t i = 0; i < bytes; i += LINE) {
        _mm_prefetch(from + i + AHEAD, _MM_HINT_T0);
        for (int h = 0; h < 2; h++)
            sum[h] = _mm256_add_epi64(
                sum[h],
                _mm256_loadu_si256((const __m256i *)(const void *)(from + i + h * (LINE / 2))));
    }
    uint64_t lane[4];
    _mm256_storeu_si256((__m256i *)(void *)lane, _mm256_add_epi64(sum[0], sum[1]));
    return lane[0] + lane[1] + lane[2] + lane[3];
}

const kern_probe kern_probe_avx2 = {
    .int8_ops = SUMS * 64, .f32_ops = SUMS * 16, .int8 = int8, .f32 = f32, .read = read};
#endif
