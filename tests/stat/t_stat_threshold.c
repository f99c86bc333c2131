/* t_stat_threshold.c - tests stat/stat_threshold.c: the rule by hand, its corner cases, and what it
 * gives on fresh draws. */
#include "base/mem.h"
#include "base/rand.h"
#include "stat/stat_interval.h"
#include "stat/stat_threshold.h"
#include "test.h"

#include <math.h>

enum { N = 2000 };
static double confidence[N];
static bool correct[N], other[N], eligible[N];

static stat_threshold choose(size_t n, double max_wrong, double share, const bool *may) {
    stat_threshold t;
    fail f;
    stat_threshold_rows rows = {
        .n = n, .confidence = confidence, .correct = correct, .other = other, .eligible = may};
    assert_ok(stat_threshold_choose(&t, &rows, max_wrong, share, &f), &f);
    return t;
}

/* n rows with falling confidence, all right and in scope */
static void all_right(size_t n) {
    for (size_t i = 0; i < n; i++) {
        confidence[i] = 1 - (double)i / N;
        correct[i] = eligible[i] = true;
        other[i] = false;
    }
}

static void fortynine_right_ones_are_the_least(void **state) {
    (void)state;
    all_right(49);
    stat_threshold t = choose(48, .02, 0, NULL);
    assert_true(!t.any && t.at > 1 && t.answered == 0);
    t = choose(49, .02, 0, NULL);
    assert_true(t.any && t.answered == 49 && t.wrong == 0 && t.at == confidence[48]);
    assert_true(fabs(t.high - stat_clopper_pearson(0, 49, .9).high) < 1e-12);
}

static void the_lowest_that_holds(void **state) {
    (void)state;
    all_right(500);
    correct[10] = correct[400] = false; /* (1+1)/(n+1) <= .02 from n = 99 on, 3/(n+1) at 401 too */
    for (size_t i = 450; i < 500; i++) correct[i] = false;
    stat_threshold t = choose(500, .02, 0, NULL);
    /* W = 2 + k at n = 450 + k: (3 + k)/(451 + k) <= .02 up to k = 6 */
    assert_int_equal(t.answered, 456);
    assert_int_equal(t.wrong, 8);
    assert_true(t.at == confidence[455]);
}

static void equal_confidences_stand_or_fall_together(void **state) {
    (void)state;
    all_right(200);
    for (size_t i = 100; i < 200; i++) confidence[i] = .3;
    for (size_t i = 150; i < 200; i++) correct[i] = false;
    stat_threshold t = choose(200, .02, 0, NULL);
    assert_int_equal(t.answered, 100);
}

static void other_rows_are_wrong_and_weigh_more(void **state) {
    (void)state;
    all_right(1000);
    for (size_t i = 500; i < 510; i++) other[i] = true; /* 1 % of the rows, in the middle */
    assert_int_equal(choose(1000, .02, 0, NULL).answered, 1000);
    stat_threshold t = choose(1000, .02, .20, NULL); /* each counts 24.75 */
    assert_int_equal(t.answered, 500);
    assert_int_equal(t.wrong, 0);
}

static void not_eligible_is_not_answered(void **state) {
    (void)state;
    all_right(100);
    for (size_t i = 0; i < 20; i++) eligible[i] = correct[i] = false;
    stat_threshold t = choose(100, .02, 0, eligible);
    assert_int_equal(t.answered, 80);
    assert_int_equal(t.n, 100);
}

static void nonsense_is_refused(void **state) {
    (void)state;
    stat_threshold t;
    fail f;
    stat_threshold_rows rows = {.n = 0};
    assert_int_equal(stat_threshold_choose(&t, &rows, 1, 0, &f), E_INPUT);
    assert_int_equal(stat_threshold_choose(&t, &rows, NAN, 0, &f), E_INPUT);
    assert_int_equal(stat_threshold_choose(&t, &rows, .02, 1, &f), E_INPUT);
    assert_ok(stat_threshold_choose(&t, &rows, .02, .1, &f), &f);
    assert_false(t.any);
    mem_fail_at(1, true);
    assert_int_equal(stat_threshold_choose(&t, &rows, .02, .1, &f), E_NO_MEMORY);
    mem_fail_at(0, false);
}

/* P(right | confidence c) = c, c = 1 - u^2: the true share of wrong ones above t is known. A
 * plug-in choice breaks its bound in some draws; the +1 keeps the mean at or below it. */
static void on_average_it_holds_on_fresh_rows(void **state) {
    (void)state;
    double sum = 0;
    int draws = 0, broken = 0;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        rand_stream r = {seed, 0};
        for (size_t i = 0; i < 500; i++) {
            double u = rand_next_unit(&r);
            confidence[i] = 1 - u * u;
            correct[i] = rand_next_unit(&r) < confidence[i];
            other[i] = false;
        }
        stat_threshold t = choose(500, .05, 0, NULL);
        if (!t.any) continue;
        double true_wrong = (1 - t.at) / 3; /* mean of u^2 over u < sqrt(1 - t) */
        sum += true_wrong;
        broken += true_wrong > .05;
        draws++;
    }
    print_message("mean true share wrong %.4f for a bound of 0.05; above it in %d of %d draws\n",
                  sum / draws, broken, draws);
    assert_true(sum / draws < .055);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fortynine_right_ones_are_the_least),
        cmocka_unit_test(the_lowest_that_holds),
        cmocka_unit_test(equal_confidences_stand_or_fall_together),
        cmocka_unit_test(other_rows_are_wrong_and_weigh_more),
        cmocka_unit_test(not_eligible_is_not_answered),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(on_average_it_holds_on_fresh_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
