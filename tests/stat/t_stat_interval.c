/* t_stat_interval.c - tests stat/stat_interval.c against scipy 1.x:
 *   stats.binomtest(k, n).proportion_ci(.95, 'wilson' | 'exact'), stats.binom.cdf/sf,
 *   special.betainc, stats.norm.ppf */
#include "stat/stat_interval.h"
#include "test.h"

#include <math.h>

static void assert_near(double got, double want, double relative) {
    if (fabs(got - want) <= relative * fmax(fabs(want), 1e-300) || fabs(got - want) < 1e-300)
        return;
    fail_msg("got %.15g, want %.15g", got, want);
}

static void intervals_like_scipy(void **state) {
    (void)state;
    static const struct {
        int64_t k, n;
        double wilson_low, wilson_high, exact_low, exact_high;
    } rows[] = {
        {0, 10, 0, 0.277532799863, 0, 0.308497107819},
        {1, 10, 0.017876213095, 0.404150026795, 0.002528578544, 0.445016117028},
        {5, 10, 0.236593090513, 0.763406909487, 0.187086028447, 0.812913971553},
        {10, 10, 0.722467200137, 1, 0.691502892181, 1},
        {3, 150, 0.006824751323, 0.057146683270, 0.004143625281, 0.057334222288},
        {27, 33, 0.656117683653, 0.913892317911, 0.645399440550, 0.930212116334},
        {960, 1000, 0.945990355879, 0.970489026315, 0.945927303181, 0.971272374714},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        stat_interval w = stat_wilson(rows[i].k, rows[i].n, 0.95);
        stat_interval c = stat_clopper_pearson(rows[i].k, rows[i].n, 0.95);
        assert_true(fabs(w.low - rows[i].wilson_low) < 1e-11);
        assert_true(fabs(w.high - rows[i].wilson_high) < 1e-11);
        assert_true(fabs(c.low - rows[i].exact_low) < 1e-11);
        assert_true(fabs(c.high - rows[i].exact_high) < 1e-11);
    }
    assert_true(stat_wilson(0, 0, 0.95).high == 1 && stat_clopper_pearson(0, 0, 0.95).low == 0);
}

static void binomial_tails_like_scipy(void **state) {
    (void)state;
    static const struct {
        int64_t k, n;
        double p, below, above;
    } rows[] = {
        {0, 149, .02, 4.928165433008960e-02, 1},
        {3, 20, .1, 8.670466765656649e-01, 3.230731948105340e-01},
        {50, 1000, .05, 5.375290408014273e-01, 5.202589429126795e-01},
        {2, 100000, 1e-5, 9.196995226356394e-01, 2.642411176540496e-01},
        {700, 1000, .6, 9.999999999799434e-01, 3.149945928472072e-11},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_near(stat_binomial_below(rows[i].k, rows[i].n, rows[i].p), rows[i].below, 1e-10);
        assert_near(stat_binomial_above(rows[i].k, rows[i].n, rows[i].p), rows[i].above, 1e-9);
    }
    assert_true(stat_binomial_below(-1, 5, .5) == 0 && stat_binomial_above(0, 5, .5) == 1);
}

/* Zero errors certify max_wrong at confidence 1 - delta from n >= ln(delta) / ln(1 - max_wrong) on.
 */
static void zero_errors_need_114_or_149(void **state) {
    (void)state;
    assert_true(stat_binomial_below(0, 114, .02) <= .10 && stat_binomial_below(0, 113, .02) > .10);
    assert_true(stat_binomial_below(0, 149, .02) <= .05 && stat_binomial_below(0, 148, .02) > .05);
}

static void beta_and_normal(void **state) {
    (void)state;
    assert_near(stat_beta(.5, .5, .3), 3.690101195655454e-01, 1e-12);
    assert_near(stat_beta(2, 3, .9), 9.963e-01, 1e-12);
    assert_near(stat_beta(50, 1, .95), 7.694497527671318e-02, 1e-12);
    assert_near(stat_beta(1000, 2000, .34), 7.812150911606441e-01, 1e-10);
    assert_near(stat_beta_inverse(1000, 2000, stat_beta(1000, 2000, .34)), .34, 1e-10);
    assert_near(stat_normal_quantile(.975), 1.959963984540054, 1e-12);
    assert_near(stat_normal_quantile(1e-6), -4.753424308822899, 1e-12);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intervals_like_scipy),
        cmocka_unit_test(binomial_tails_like_scipy),
        cmocka_unit_test(zero_errors_need_114_or_149),
        cmocka_unit_test(beta_and_normal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
