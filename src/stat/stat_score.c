/* stat_score.c - see stat_score.h. Sorting is on a copy; ties are handled exactly. */
#include "stat/stat_score.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

typedef struct scored {
    double score;
    bool positive;
} scored;

static int scored_compare(const void *a, const void *b) {
    double x = ((const scored *)a)->score, y = ((const scored *)b)->score;
    return (x > y) - (x < y);
}

static int double_compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sum over positives of (negatives below + half the negatives tied), rows ascending. */
static double auroc_wins(const scored *rows, size_t n) {
    double wins = 0, negatives_below = 0;
    for (size_t i = 0; i < n;) {
        size_t end = i;
        double positives = 0, negatives = 0;
        for (; end < n && rows[end].score == rows[i].score; end++) {
            if (rows[end].positive)
                positives++;
            else
                negatives++;
        }
        wins += positives * (negatives_below + negatives / 2);
        negatives_below += negatives;
        i = end;
    }
    return wins;
}

err stat_auroc(const double *score, const bool *positive, size_t n, double *out, fail *f) {
    size_t bytes = 0;
    scored *rows = mem_size(n, sizeof *rows, &bytes) ? mem_alloc(bytes) : NULL;
    if (!rows) return fail_memory(f, "the AUROC of scores");
    double positives = 0;
    for (size_t i = 0; i < n; i++) {
        rows[i] = (scored){score[i], positive[i]};
        positives += positive[i];
    }
    double negatives = (double)n - positives;
    qsort(rows, n, sizeof *rows, scored_compare);
    *out = positives > 0 && negatives > 0 ? auroc_wins(rows, n) / (positives * negatives) : NAN;
    mem_free(rows);
    return E_OK;
}

double stat_ece(const double *confidence, const bool *correct, size_t n, int bins) {
    double sum[STAT_ECE_BINS_MAX] = {0}, right[STAT_ECE_BINS_MAX] = {0}, gap = 0;
    if (bins < 1) bins = 1;
    if (bins > STAT_ECE_BINS_MAX) bins = STAT_ECE_BINS_MAX;
    if (n == 0) return NAN;
    for (size_t i = 0; i < n; i++) {
        double p = fmin(fmax(confidence[i], 0), 1);
        int bin = (int)(p * bins);
        if (bin == bins) bin--;
        sum[bin] += p;
        right[bin] += correct[i];
    }
    for (int bin = 0; bin < bins; bin++) gap += fabs(sum[bin] - right[bin]);
    return gap / (double)n;
}

err stat_quantile(const double *values, size_t n, double q, double *out, fail *f) {
    if (n == 0) {
        *out = NAN;
        return E_OK;
    }
    size_t bytes = 0;
    double *sorted = mem_size(n, sizeof *sorted, &bytes) ? mem_alloc(bytes) : NULL;
    if (!sorted) return fail_memory(f, "a quantile");
    for (size_t i = 0; i < n; i++) sorted[i] = values[i];
    qsort(sorted, n, sizeof *sorted, double_compare);
    double at = fmin(fmax(q, 0), 1) * (double)(n - 1);
    size_t below = (size_t)at, above = below + 1 < n ? below + 1 : below;
    *out = sorted[below] + (at - (double)below) * (sorted[above] - sorted[below]);
    mem_free(sorted);
    return E_OK;
}
