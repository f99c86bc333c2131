/* fit_linear.h - linear classifiers, "this label against all others": L2-regularised, squared
 * hinge loss, by dual coordinate descent with shrinking (Hsieh et al., ICML 2008, the method of
 * LIBLINEAR's -s 1; own code).
 *
 *     min over w:  |w|^2 / 2 + cost * sum_i max(0, 1 - y_i w.x_i)^2
 *
 * A row is dense [dim] and sparse side by side and a constant 1 (the bias). Deterministic given the
 * seed; a call works on its own memory, so blocks of labels are fitted in parallel. */
#ifndef BANTAM_FIT_LINEAR_H
#define BANTAM_FIT_LINEAR_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* Rows as the classifier sees them; borrowed, read only. */
typedef struct fit_matrix {
    size_t rows, dim, features;
    const float *dense; /* [rows, dim], used times dense_scale */
    float dense_scale;
    const size_t *start;    /* [rows + 1] into column and value */
    const uint32_t *column; /* < features */
    const float *value;
    const float *squared; /* [rows] |x|^2 with the bias */
} fit_matrix;

typedef struct fit_linear_options {
    const uint32_t *rows; /* [n] which rows to learn from */
    size_t n;
    const int32_t *labels; /* [matrix rows] */
    int32_t first_label;   /* the classifiers for labels first_label .. first_label + count - 1: */
    int count;             /* rows of a label are +1, all others -1; at most FIT_LINEAR_BLOCK */
    float cost;
    uint64_t seed;
} fit_linear_options;

/* A few labels learn side by side, so that a row that was fetched from memory serves them all. */
enum { FIT_LINEAR_BLOCK = 4, FIT_LINEAR_PASSES_MAX = 200 };

/* What a worker needs, allocated once by the caller. */
typedef struct fit_linear_room {
    float *alpha;    /* [n, FIT_LINEAR_BLOCK] */
    uint8_t *aside;  /* [n, FIT_LINEAR_BLOCK] */
    uint32_t *order; /* [n] */
} fit_linear_room;

/* weight: [count, features + dim + 1], sparse weights first, then dense (for unscaled input), then
 * bias; overwritten. Returns the passes made. */
int fit_linear_train(const fit_matrix *m, const fit_linear_options *o, const fit_linear_room *room,
                     float *weight);
/* weight . row */
float fit_linear_score(const fit_matrix *m, size_t row, const float *weight);

#endif
