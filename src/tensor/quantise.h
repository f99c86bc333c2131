/* quantise.h - floats to blocks: the inverse of dequantise.h, reached through
 * dtype_get(t)->quantise. Plain C, deterministic, any thread.
 *
 * x [n], n a multiple of the type's block, finite and at most QUANTISE_MAX in size (the caller's
 * duty: quantise_fits). importance [n], not negative: how much an error of that number costs beyond
 * what its size says; NULL = all alike.
 *
 * Types of blocks choose scales (and offsets) by weighted least squares: candidates around the
 * plain one are tried, each is refitted to the whole numbers it gives, the least weighted squared
 * error wins. The K types then choose the small integers of each group by the error they really
 * give, and refit the block's two halves. */
#ifndef BANTAM_TENSOR_QUANTISE_H
#define BANTAM_TENSOR_QUANTISE_H

#include <stdbool.h>
#include <stdint.h>

/* largest half: beyond it no type with half scales is sure to hold a number */
#define QUANTISE_MAX 65504.0f

/* Is each of the n numbers finite and at most QUANTISE_MAX? */
bool quantise_fits(const float *x, int64_t n);

void quantise_f32(const float *x, const float *importance, void *to, int64_t n);
void quantise_f16(const float *x, const float *importance, void *to, int64_t n);
void quantise_bf16(const float *x, const float *importance, void *to, int64_t n);
void quantise_q8_0(const float *x, const float *importance, void *to, int64_t n);
void quantise_q4_0(const float *x, const float *importance, void *to, int64_t n);
void quantise_q4_1(const float *x, const float *importance, void *to, int64_t n);
void quantise_q5_0(const float *x, const float *importance, void *to, int64_t n);
void quantise_q5_1(const float *x, const float *importance, void *to, int64_t n);
void quantise_iq4_nl(const float *x, const float *importance, void *to, int64_t n);
/* quantise_k.c */
void quantise_q4_k(const float *x, const float *importance, void *to, int64_t n);
void quantise_q5_k(const float *x, const float *importance, void *to, int64_t n);
void quantise_q6_k(const float *x, const float *importance, void *to, int64_t n);

#endif
