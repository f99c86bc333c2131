/* quantise_fit.h - weighted least squares of a few numbers to whole numbers; what quantise.c and
 * quantise_k.c share. n is 16 or 32 everywhere. */
#ifndef BANTAM_TENSOR_QUANTISE_FIT_H
#define BANTAM_TENSOR_QUANTISE_FIT_H

#include <stdbool.h>

enum { QUANTISE_GROUP_MAX = 32 };

/* Weights of errors: the importance, or 1 where there is none. An output is a sum of weight times
 * input, so an error costs its square times the input's: nothing else belongs in here (weights that
 * grow with the number were tried: worse perplexity at four bits). */
void quantise_weights(const float *importance, int n, float *weight);

/* Whole number nearest to v, |v| < 2^22; ties to even. Branch-free, so loops become vectors. */
static inline float quantise_nearest(float v) {
    const float shift = 12582912.0f; /* 1.5 * 2^23: the sum has no fraction left */
    return (v + shift) - shift;
}
/* nearest whole number in [least, most], which are whole themselves */
static inline float quantise_whole(float v, float least, float most) {
    v = v < least ? least : v;
    v = v > most ? most : v;
    return quantise_nearest(v);
}

/* scale such that x ~ scale * q, q whole in [least, most], least < 0 < most */
float quantise_fit_scale(const float *x, const float *weight, int n, float least, float most);

/* x ~ scale * q + offset, q whole in [0, most]; scale >= 0 */
typedef struct quantise_line {
    float scale, offset;
} quantise_line;
/* below: the offset must not be positive */
quantise_line quantise_fit_line(const float *x, const float *weight, int n, float most, bool below);

/* q[i] = whole number nearest to (x - offset) / scale in [least, most] (0 where the scale is 0);
 * returns the weighted squared error. */
float quantise_round(const float *x, const float *weight, int n, quantise_line line, float least,
                     float most, float *q);

#endif
