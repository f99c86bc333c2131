/* stat_threshold.c - see stat_threshold.h: sort by confidence, walk down, keep the last point at
 * which the corrected share of wrong answers holds. */
#include "stat/stat_threshold.h"

#include "base/mem.h"
#include "stat/stat_interval.h"

#include <stdlib.h>

#define THRESHOLD_NONE 2.0   /* no confidence reaches it */
#define THRESHOLD_LEVEL 0.90 /* two-sided, so the upper end is a one-sided 95 % limit */

typedef struct candidate {
    double confidence, weight;
    bool wrong;
} candidate;

static int candidate_compare(const void *a, const void *b) {
    double x = ((const candidate *)a)->confidence, y = ((const candidate *)b)->confidence;
    return (x < y) - (x > y); /* descending */
}

static double other_weight(const stat_threshold_rows *rows, double other_share) {
    double others = 0, total = (double)rows->n;
    for (size_t i = 0; i < rows->n; i++) others += rows->other && rows->other[i];
    if (others == 0 || others / total >= other_share) return 1;
    return other_share / (1 - other_share) * (total - others) / others;
}

static size_t candidates_collect(candidate *list, const stat_threshold_rows *rows,
                                 double weight_of_other) {
    size_t n = 0;
    for (size_t i = 0; i < rows->n; i++) {
        if (rows->eligible && !rows->eligible[i]) continue;
        bool other = rows->other && rows->other[i];
        list[n++] = (candidate){.confidence = rows->confidence[i],
                                .weight = other ? weight_of_other : 1,
                                .wrong = other || !rows->correct[i]};
    }
    return n;
}

static void candidates_walk(stat_threshold *t, const candidate *list, size_t n, double max_wrong) {
    double answered = 0, wrong = 0;
    size_t wrong_rows = 0;
    for (size_t i = 0; i < n; i++) {
        answered += list[i].weight;
        wrong += list[i].wrong ? list[i].weight : 0;
        wrong_rows += list[i].wrong;
        if (i + 1 < n && list[i + 1].confidence == list[i].confidence) continue;
        if (wrong + 1 > max_wrong * (answered + 1)) continue;
        if ((double)wrong_rows + 1 > max_wrong * ((double)i + 2)) continue;
        t->any = true;
        t->at = list[i].confidence;
        t->answered = i + 1;
        t->wrong = wrong_rows;
    }
}

err stat_threshold_choose(stat_threshold *out, const stat_threshold_rows *rows, double max_wrong,
                          double other_share, fail *f) {
    if (!(max_wrong >= 0 && max_wrong < 1) || !(other_share >= 0 && other_share < 1))
        return fail_set(f, E_INPUT, "max_wrong %g and other_share %g must be in [0, 1)", max_wrong,
                        other_share);
    size_t bytes = 0;
    candidate *list = mem_size(rows->n, sizeof *list, &bytes) ? mem_alloc(bytes) : NULL;
    if (!list) return fail_memory(f, "the choice of a threshold");
    size_t n = candidates_collect(list, rows, other_weight(rows, other_share));
    qsort(list, n, sizeof *list, candidate_compare);
    stat_threshold t = {.at = THRESHOLD_NONE, .n = rows->n, .high = 1};
    candidates_walk(&t, list, n, max_wrong);
    mem_free(list);
    if (t.any)
        t.high = stat_clopper_pearson((int64_t)t.wrong, (int64_t)t.answered, THRESHOLD_LEVEL).high;
    *out = t;
    return E_OK;
}
