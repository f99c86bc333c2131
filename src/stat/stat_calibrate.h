/* stat_calibrate.h - scores into probabilities: logistic regression on a few features (Platt's
 * scaling is the case of one feature), and isotonic regression. Fits are deterministic. */
#ifndef BANTAM_STAT_CALIBRATE_H
#define BANTAM_STAT_CALIBRATE_H

#include "base/arena.h"
#include "base/err.h"

enum { STAT_LOGISTIC_FEATURES_MAX = 16 };

/* p = 1 / (1 + exp(-(bias + sum weight[j] * (x[j] - mean[j]) / scale[j]))) */
typedef struct stat_logistic {
    int features;
    double bias;
    double weight[STAT_LOGISTIC_FEATURES_MAX];
    double mean[STAT_LOGISTIC_FEATURES_MAX], scale[STAT_LOGISTIC_FEATURES_MAX];
} stat_logistic;

typedef struct stat_logistic_rows {
    const double *x;      /* [n, features] */
    const bool *positive; /* [n] */
    const double *weight; /* [n] > 0, or NULL: all 1 */
    size_t n;
    int features;
} stat_logistic_rows;

/* Weighted maximum likelihood by Newton's method, features standardised, with an L2 penalty of
 * `ridge` (in rows; 1 is weak) on the standardised weights, the bias free, and Platt's smoothed
 * targets, so that the fit stays finite where the classes are separable or one is absent.
 * E_INPUT for no rows or a feature that is not finite. */
err stat_logistic_fit(stat_logistic *out, const stat_logistic_rows *rows, double ridge,
                      fail *f) MUST_CHECK;
double stat_logistic_p(const stat_logistic *m, const double *x /* [features] */);

/* Isotonic (non-decreasing) least squares by pooling adjacent violators; a step function. */
typedef struct stat_isotonic {
    size_t n;
    const double *from;  /* [n] ascending: the lowest score of each step */
    const double *value; /* [n] non-decreasing, in [0, 1] */
} stat_isotonic;
/* Steps live in `a`. */
err stat_isotonic_fit(arena *a, stat_isotonic *out, const double *score, const bool *positive,
                      size_t n, fail *f) MUST_CHECK;
double stat_isotonic_p(const stat_isotonic *m, double score); /* below the first step: its value */

#endif
