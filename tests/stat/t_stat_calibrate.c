/* t_stat_calibrate.c - tests stat/stat_calibrate.c. Logistic: the same loss minimised by scipy's
 * BFGS; isotonic: scikit-learn's IsotonicRegression. */
#include "base/mem.h"
#include "stat/stat_calibrate.h"
#include "test.h"

#include <math.h>

static const double points[] = {.1, 2, .4, 1, .5, 3, .7, 0, .9, 5, 1.3, 2, 1.1, 4, .2, 2.5};
static const bool yes[] = {0, 0, 1, 0, 1, 1, 1, 0};
static const double weights[] = {1, 1, 1, 2, 1, 1, .5, 1};

static void logistic_like_scipy(void **state) {
    (void)state;
    static const double want[] = {0.23598511, 0.24591079, 0.46002718, 0.256114,
                                  0.77870904, 0.65870225, 0.76128569, 0.30571686};
    stat_logistic m;
    fail f;
    stat_logistic_rows rows = {
        .x = points, .positive = yes, .weight = weights, .n = 8, .features = 2};
    assert_ok(stat_logistic_fit(&m, &rows, 1, &f), &f);
    for (size_t i = 0; i < 8; i++)
        assert_true(fabs(stat_logistic_p(&m, points + 2 * i) - want[i]) < 1e-6);
}

static void separable_and_one_class_stay_finite(void **state) {
    (void)state;
    const double x[] = {0, 1, 2, 10, 11, 12};
    const bool split[] = {0, 0, 0, 1, 1, 1}, all[] = {1, 1, 1, 1, 1, 1};
    stat_logistic m;
    fail f;
    stat_logistic_rows rows = {.x = x, .positive = split, .n = 6, .features = 1};
    assert_ok(stat_logistic_fit(&m, &rows, 1e-6, &f), &f);
    assert_true(isfinite(m.bias) && stat_logistic_p(&m, x) < .25 &&
                stat_logistic_p(&m, x + 5) > .75);
    rows.positive = all;
    assert_ok(stat_logistic_fit(&m, &rows, 1, &f), &f);
    assert_true(stat_logistic_p(&m, x) > .8 && stat_logistic_p(&m, x) < 1);
    const double flat[] = {3, 3, 3, 3, 3, 3};
    rows = (stat_logistic_rows){.x = flat, .positive = split, .n = 6, .features = 1};
    assert_ok(stat_logistic_fit(&m, &rows, 1, &f), &f);
    assert_true(fabs(stat_logistic_p(&m, flat) - .5) < 1e-6);
}

static void bad_rows_are_refused(void **state) {
    (void)state;
    const double x[] = {0, NAN};
    stat_logistic m;
    fail f;
    stat_logistic_rows rows = {.x = x, .positive = yes, .n = 2, .features = 1};
    assert_int_equal(stat_logistic_fit(&m, &rows, 1, &f), E_INPUT);
    rows.n = 0;
    assert_int_equal(stat_logistic_fit(&m, &rows, 1, &f), E_INPUT);
    rows = (stat_logistic_rows){.x = x, .positive = yes, .n = 1, .features = 17};
    assert_int_equal(stat_logistic_fit(&m, &rows, 1, &f), E_INPUT);
}

static void isotonic_like_sklearn(void **state) {
    (void)state;
    const double score[] = {9, 1, 2, 3, 3, 4, 5, 6, 7, 8};
    const bool positive[] = {1, 0, 1, 0, 1, 0, 0, 1, 1, 0};
    static const double at[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    static const double want[] = {0, .4, .4, .4, .4, 2. / 3, 2. / 3, 2. / 3, 1};
    arena a;
    arena_init(&a, 0);
    stat_isotonic m;
    fail f;
    assert_ok(stat_isotonic_fit(&a, &m, score, positive, 10, &f), &f);
    for (size_t i = 0; i < 9; i++) assert_true(fabs(stat_isotonic_p(&m, at[i]) - want[i]) < 1e-12);
    assert_true(stat_isotonic_p(&m, -5) == 0 && stat_isotonic_p(&m, 99) == 1);
    mem_fail_at(1, true);
    assert_int_equal(stat_isotonic_fit(&a, &m, score, positive, 10, &f), E_NO_MEMORY);
    mem_fail_at(0, false);
    arena_deinit(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logistic_like_scipy),
        cmocka_unit_test(separable_and_one_class_stay_finite),
        cmocka_unit_test(bad_rows_are_refused),
        cmocka_unit_test(isotonic_like_sklearn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
