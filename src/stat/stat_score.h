/* stat_score.h - figures about scores: AUROC, calibration error, quantiles. Any thread.
 *
 * Functions that sort work on a copy and return err (E_NO_MEMORY). An undefined figure (one class
 * only, no rows) is NAN; callers print it as null. Scores must not be NAN. */
#ifndef BANTAM_STAT_SCORE_H
#define BANTAM_STAT_SCORE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* P(score of a positive > score of a negative) + half the ties, by ranks. */
err stat_auroc(const double *score, const bool *positive, size_t n, double *out,
               fail *f) MUST_CHECK;

/* Expected calibration error: `bins` bins of equal width over [0, 1] (a confidence of 1 falls into
 * the last), sum of share * |mean confidence - accuracy|. Confidences outside are clamped. */
enum { STAT_ECE_BINS = 15, STAT_ECE_BINS_MAX = 100 };
double stat_ece(const double *confidence, const bool *correct, size_t n, int bins);

/* Linear interpolation between order statistics (type 7, numpy's default); q in [0, 1]. */
err stat_quantile(const double *values, size_t n, double q, double *out, fail *f) MUST_CHECK;

#endif
