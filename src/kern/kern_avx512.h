/* kern_avx512.h - what the AVX-512 files share: the tiles that run over an unpacked panel, and the
 * products that the table names. Private to kern_*avx512.c. */
#ifndef BANTAM_KERN_KERN_AVX512_H
#define BANTAM_KERN_KERN_AVX512_H

#include "kern/kern.h"
#include "kern/kern_unroll.h"

#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

enum { LINE = 64, GROUPS = KERN_BLOCK / 4, HALF = KERN_BLOCK / 2, STRIPS = 2 };

/* the rows of a strip that the matrix has */
INLINE __mmask16 rows_mask(const kern_weight *w, int64_t strip) {
    int64_t n = w->rows - strip * KERN_ROWS;
    return (__mmask16)(n >= KERN_ROWS ? 0xffffu : (1u << n) - 1);
}
/* STRIPS strips in the open, in the caller's scratch; a block has one piece, or two halves. */
typedef struct kern_panel {
    uint8_t *code; /* [blocks][GROUPS][STRIPS][64] */
    float *scale;  /* [blocks][pieces][STRIPS][16] */
    float *least;  /* the same */
} kern_panel;

typedef struct kern_tile {
    kern_panel w;
    const int8_t *q; /* [blocks][n][32] */
    const float *d, *sum;
    const int32_t *neg; /* [blocks][pieces][n] */
    int64_t blocks;
    int32_t zero_bits; /* zero point = 1 << bits; 32: none */
    bool halves, least;
    float *y; /* [n, ldy] at the first strip's first row */
    int64_t ldy;
    __mmask16 mask[STRIPS];
    const char *ahead; /* what to prefetch meanwhile, `lines` a block */
    int32_t lines;
} kern_tile;

/* The tiles of tokens of `part` over one panel of R strips: y at the panel's first row. Meanwhile
 * `bytes` from `ahead` on, what will be unpacked next, are prefetched. */
void kern_avx512_tiles(kern_tile *t, const kern_input *in, kern_part part, int R, float *y,
                       const char *ahead, size_t bytes);

#define KERN_AVX512_GEMM(layout)                                                                   \
    void kern_avx512_##layout(const kern_weight *w, const kern_input *x, kern_part part, float *y, \
                              int64_t ldy, void *scratch)
KERN_AVX512_GEMM(F32);
KERN_AVX512_GEMM(F16);
KERN_AVX512_GEMM(BF16);
KERN_AVX512_GEMM(Q8_0);
KERN_AVX512_GEMM(Q4_0);
KERN_AVX512_GEMM(Q4_1);
KERN_AVX512_GEMM(Q5_0);
KERN_AVX512_GEMM(Q5_1);
KERN_AVX512_GEMM(Q2_K);
KERN_AVX512_GEMM(Q3_K);
KERN_AVX512_GEMM(Q4_K);
KERN_AVX512_GEMM(Q5_K);
KERN_AVX512_GEMM(Q6_K);
KERN_AVX512_GEMM(IQ4_NL);
KERN_AVX512_GEMM(IQ4_XS);

#endif
