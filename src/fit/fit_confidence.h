/* fit_confidence.h - what is known about one answer, boiled down to one probability.
 *
 * Evidence: the linear scores and how near the stored examples are. Features (in this order):
 *     0 score of the best label that is not `other`, cut to [-2, 2]
 *     1 its lead over the next such label, cut to 4
 *     2 score of `other`, cut to [-2, 2] (-1 where the task has none)
 *     3 mean similarity to the 5 nearest examples that are not `other`
 *     4 similarity to the nearest example of the best label minus that to the nearest `other`
 * example (0.5 where there is none) A logistic regression on the cross-validated rows turns them
 * into P(best label right and in scope). `other` rows count as at least FIT_OTHER_SHARE of all
 * (stat_threshold.h says why). */
#ifndef BANTAM_FIT_CONFIDENCE_H
#define BANTAM_FIT_CONFIDENCE_H

#include "fit/fit_near.h"
#include "stat/stat_calibrate.h"

#include <stddef.h>
#include <stdint.h>

enum { FIT_FEATURES = 5 };
#define FIT_OTHER_SHARE 0.20

/* The two best labels in scope, and `other`. */
typedef struct fit_best {
    int32_t label, next, other; /* -1: there is none */
    float score, next_score, other_score;
} fit_best;
/* usable [labels_n]: labels that have rows. */
fit_best fit_best_of(const float *scores, const bool *usable, size_t labels_n, int32_t other);

void fit_evidence(double x[FIT_FEATURES], const fit_best *best, const fit_near *near);

#endif
