/* t_stat_score.c - tests stat/stat_score.c; numbers from scikit-learn's roc_auc_score and numpy's
 * quantile. */
#include "base/mem.h"
#include "stat/stat_score.h"
#include "test.h"

#include <math.h>

static void auroc_counts_ties_half(void **state) {
    (void)state;
    fail f;
    double out = 0;
    const double score[] = {.1, .4, .4, .35, .8, .8, .8, .2, .9, .5};
    const bool positive[] = {0, 0, 1, 1, 1, 0, 1, 0, 1, 0};
    assert_ok(stat_auroc(score, positive, 10, &out, &f), &f);
    assert_true(fabs(out - .74) < 1e-12);
    const double flat[] = {1, 1, 1, 1};
    assert_ok(stat_auroc(flat, positive, 4, &out, &f), &f);
    assert_true(fabs(out - .5) < 1e-12);
    assert_ok(stat_auroc(flat, positive, 2, &out, &f), &f);
    assert_true(isnan(out)); /* one class only */
}

static void ece_in_15_bins(void **state) {
    (void)state;
    const double sure[] = {1, 1, 1, 1};
    const bool half[] = {1, 0, 1, 0};
    assert_true(fabs(stat_ece(sure, half, 4, STAT_ECE_BINS) - .5) < 1e-12);
    const double two[] = {.03, .5, .52, .97}; /* bins 0, 7, 7, 14 */
    const bool right[] = {0, 1, 0, 1};
    double want = (.03 + fabs(1.02 - 1) + .03) / 4;
    assert_true(fabs(stat_ece(two, right, 4, STAT_ECE_BINS) - want) < 1e-12);
    assert_true(isnan(stat_ece(two, right, 0, STAT_ECE_BINS)));
}

static void quantiles_like_numpy(void **state) {
    (void)state;
    fail f;
    double out = 0;
    const double v[] = {3, 1, 4, 1, 5, 9, 2, 6};
    const double q[] = {0, .1, .5, .99, 1}, want[] = {1, 1, 3.5, 8.79, 9};
    for (size_t i = 0; i < 5; i++) {
        assert_ok(stat_quantile(v, 8, q[i], &out, &f), &f);
        assert_true(fabs(out - want[i]) < 1e-12);
    }
    assert_ok(stat_quantile(v, 0, .5, &out, &f), &f);
    assert_true(isnan(out));
}

static void out_of_memory_is_said(void **state) {
    (void)state;
    fail f;
    double out = 7, v[] = {1, 2};
    bool positive[] = {true, false};
    mem_fail_at(1, true);
    assert_int_equal(stat_quantile(v, 2, .5, &out, &f), E_NO_MEMORY);
    assert_int_equal(stat_auroc(v, positive, 2, &out, &f), E_NO_MEMORY);
    mem_fail_at(0, false);
    assert_true(out == 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(auroc_counts_ties_half),
        cmocka_unit_test(ece_in_15_bins),
        cmocka_unit_test(quantiles_like_numpy),
        cmocka_unit_test(out_of_memory_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
