/* stat_threshold.h - from which confidence on may be answered: the lowest threshold at which the
 * cross-validated rows say that at most `max_wrong` of what would be answered is wrong.
 *
 * Rule: over the rows sorted by confidence, the threshold is the confidence of the last row at
 * which (W + 1) / (N + 1) <= max_wrong where N is the weight of the rows at or above it and W that
 * of the wrong ones among them (an answered `other` row is wrong). The +1 (conformal risk control's
 * correction, arXiv 2208.02814) asks for at least 1/max_wrong - 1 answered rows (49 at 2 %) even
 * when none is wrong, and keeps the choice off lucky short prefixes. Rows of equal confidence stand
 * or fall together.
 *
 * `other` rows are as many as somebody wrote, not as many as will come. Where they are less than
 * `other_share` of all rows they are weighted up to that share, and the bound must hold weighted
 * and unweighted alike.
 *
 * What it rests on: questions to come are like the rows (same mix, same writers), and labels are
 * right. What it does not cover: this is a plug-in choice on n rows, not a certificate; on fresh
 * rows of the same kind the share of wrong ones is about max_wrong on average and above it in a
 * part of all draws. stat_threshold.high is the upper end of the exact interval of what was seen; a
 * certificate needs an audited sample of real traffic (fixed-sequence test, later). */
#ifndef BANTAM_STAT_THRESHOLD_H
#define BANTAM_STAT_THRESHOLD_H

#include "base/err.h"

#include <stddef.h>

typedef struct stat_threshold_rows {
    size_t n;
    const double *confidence; /* [n] in [0, 1] */
    const bool *correct;      /* [n] the label was right; ignored for `other` rows */
    const bool *other;        /* [n] in nobody's scope: wrong when answered; NULL: none is */
    const bool *eligible; /* [n] false: never answered, whatever the confidence; NULL: all may */
} stat_threshold_rows;

typedef struct stat_threshold {
    bool any;        /* false: no threshold holds the bound, nothing may be automatic */
    double at;       /* answer where confidence >= at; above 1 when !any */
    size_t n;        /* rows that were looked at */
    size_t answered; /* rows at or above the threshold */
    size_t wrong;    /* of these */
    double high; /* one-sided 95 % upper limit of wrong/answered (Clopper-Pearson), unweighted */
} stat_threshold;

/* max_wrong in [0, 1); other_share in [0, 1), 0 = leave the rows as they are. E_INPUT otherwise. */
err stat_threshold_choose(stat_threshold *out, const stat_threshold_rows *rows, double max_wrong,
                          double other_share, fail *f) MUST_CHECK;

#endif
