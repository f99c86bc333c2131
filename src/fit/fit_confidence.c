/* fit_confidence.c - see fit_confidence.h. Pure functions. */
#include "fit/fit_confidence.h"

#include <math.h>

fit_best fit_best_of(const float *scores, const bool *usable, size_t labels_n, int32_t other) {
    fit_best b = {.label = -1, .next = -1, .other = other, .score = -2, .next_score = -2};
    b.other_score = other >= 0 ? scores[other] : -1;
    for (size_t i = 0; i < labels_n; i++) {
        if (!usable[i] || (int32_t)i == other) continue;
        if (b.label < 0 || scores[i] > b.score) {
            b.next = b.label;
            b.next_score = b.score;
            b.label = (int32_t)i;
            b.score = scores[i];
        } else if (b.next < 0 || scores[i] > b.next_score) {
            b.next = (int32_t)i;
            b.next_score = scores[i];
        }
    }
    return b;
}

void fit_evidence(double x[FIT_FEATURES], const fit_best *best, const fit_near *near) {
    double same = near->same > FIT_NEAR_NONE ? (double)near->same : 0;
    x[0] = fmin(fmax((double)best->score, -2), 2);
    x[1] = best->next >= 0 ? fmin((double)(best->score - best->next_score), 4) : 1;
    x[2] = fmin(fmax((double)best->other_score, -2), 2);
    x[3] = fit_near_mean(near);
    x[4] = near->outside > FIT_NEAR_NONE ? same - (double)near->outside : 0.5;
}
