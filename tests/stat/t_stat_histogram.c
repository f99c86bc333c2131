/* t_stat_histogram.c - tests stat/stat_histogram.c: quantiles within 3.2 %, merging, extremes. */
#include "stat/stat_histogram.h"
#include "test.h"

static stat_histogram h, other;

static void quantiles_within_a_step(void **state) {
    (void)state;
    memset(&h, 0, sizeof h);
    assert_int_equal(stat_histogram_quantile(&h, .5), 0);
    for (int64_t v = 1; v <= 100000; v++) stat_histogram_put(&h, v);
    const double q[] = {.01, .5, .9, .99};
    for (size_t i = 0; i < 4; i++) {
        double got = (double)stat_histogram_quantile(&h, q[i]), want = q[i] * 100000;
        assert_true(got >= want && got <= want * 1.032);
    }
    assert_int_equal(stat_histogram_quantile(&h, 1), 100000);
    assert_int_equal(h.sum, (int64_t)100000 * 100001 / 2);
}

static void small_values_are_exact(void **state) {
    (void)state;
    memset(&h, 0, sizeof h);
    for (int64_t v = 0; v < 32; v++) stat_histogram_put(&h, v);
    for (int64_t v = 0; v < 32; v++)
        assert_int_equal(stat_histogram_quantile(&h, (double)(v + 1) / 32), v);
}

static void merged_and_extreme(void **state) {
    (void)state;
    memset(&h, 0, sizeof h);
    memset(&other, 0, sizeof other);
    stat_histogram_put(&h, -5);
    stat_histogram_put(&other, INT64_MAX / 4);
    stat_histogram_put(&other, ((int64_t)1 << 48) - 1);
    stat_histogram_merge(&h, &other);
    assert_int_equal(h.n, 3);
    assert_int_equal(h.max, INT64_MAX / 4);
    assert_int_equal(stat_histogram_quantile(&h, .3), 0);
    assert_int_equal(stat_histogram_quantile(&h, .9), ((int64_t)1 << 48) - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_within_a_step),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(merged_and_extreme),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
