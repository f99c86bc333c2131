/* t_engine_select.c - tests engine/engine_select.c against sorting and the C library's exp. */
#include "engine/engine_select.h"

#include "base/mem.h"
#include "base/rand.h"
#include "test.h"

#include <math.h>

enum { N_MAX = 5000 };
static float row[N_MAX];

static int by_key(const void *a, const void *b) {
    const select_item *x = a, *y = b;
    if (x->key != y->key) return x->key > y->key ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Sizes around the block, values with many ties. */
static void the_largest_come_first(void **state) {
    (void)state;
    static const int sizes[] = {1, 2, 63, 64, 65, 127, 128, 1000, 4096, N_MAX};
    static select_item want[N_MAX];
    fail f = {0};
    rand_stream r = {.seed = 3};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int n = sizes[i];
        selection s;
        bool finite = false;
        assert_ok(select_open(&s, n, &f), &f);
        for (int round = 0; round < 20; round++) {
            for (int j = 0; j < n; j++) {
                row[j] = round % 2 ? (float)rand_next_below(&r, 40)
                                   : (float)(rand_next_unit(&r) * 30 - 15);
                want[j] = (select_item){j, row[j]};
            }
            qsort(want, (size_t)n, sizeof *want, by_key);
            assert_true(select_look(&s, row, &finite) == want[0].key);
            assert_true(finite);
            assert_int_equal(select_first(&s, row), want[0].id);
            int64_t k = 1 + rand_next_below(&r, n), have = select_gather(&s, row, k);
            assert_true(have >= k);
            for (int64_t j = 0; j < have; j++) {
                select_item got = select_pop(&s);
                assert_int_equal(got.id, want[j].id);
            }
        }
        row[n - 1] = NAN;
        select_look(&s, row, &finite);
        assert_false(finite);
        row[n - 1] = -INFINITY;
        select_look(&s, row, &finite);
        assert_false(finite);
        select_close(&s);
    }
}

static void sums_are_those_of_exp(void **state) {
    (void)state;
    fail f = {0};
    rand_stream r = {.seed = 4};
    selection s;
    bool finite;
    assert_ok(select_open(&s, N_MAX, &f), &f);
    for (int round = 0; round < 10; round++) {
        double sum = 0, half = 0, moment = 0;
        for (int i = 0; i < N_MAX; i++) row[i] = (float)(rand_next_unit(&r) * (1 + 10 * round));
        float most = select_look(&s, row, &finite);
        for (int i = 0; i < N_MAX; i++) {
            double d = (double)row[i] - (double)most;
            sum += exp(d);
            half += exp(d / 2);
            moment += exp(d) * d;
        }
        assert_true(fabs(select_exp_sum(&s, row, most, 1) / sum - 1) < 1e-6);
        assert_true(fabs(select_exp_total(row, N_MAX, most) / sum - 1) < 1e-6);
        assert_true(fabs(select_exp_moment(row, N_MAX, most) / moment - 1) < 2e-6);
        assert_true(fabs(select_exp_sum(&s, row, most, 0.5f) / half - 1) < 1e-6);
    }
    select_close(&s);
}

/* Walking by equal shares of the sum meets every index in proportion, and none that is banned. */
static void the_find_is_the_sum_undone(void **state) {
    (void)state;
    enum { N = 200, DRAWS = 100000 };
    fail f = {0};
    selection s;
    bool finite;
    static int hits[N];
    assert_ok(select_open(&s, N, &f), &f);
    for (int i = 0; i < N; i++) row[i] = i % 7 ? (float)log(1 + i % 13) : -INFINITY;
    float most = select_look(&s, row, &finite);
    double sum = select_exp_sum(&s, row, most, 1);
    for (int i = 0; i < DRAWS; i++)
        hits[select_exp_find(&s, row, most, 1, sum * (i + 0.5) / DRAWS)]++;
    for (int i = 0; i < N; i++) {
        double want = i % 7 ? (1 + i % 13) / 13.0 / sum * DRAWS : 0;
        assert_true(fabs(hits[i] - want) <= 1.01);
    }
    assert_true(row[select_exp_find(&s, row, most, 1, sum * 2)] > -INFINITY);
    select_close(&s);
}

static void no_memory_is_said(void **state) {
    (void)state;
    fail f = {0};
    selection s;
    for (int64_t n = 1; n <= 4; n++) {
        mem_fail_at(n, false);
        assert_int_equal(select_open(&s, 100, &f), E_NO_MEMORY);
        mem_fail_at(0, false);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_largest_come_first),
        cmocka_unit_test(sums_are_those_of_exp),
        cmocka_unit_test(the_find_is_the_sum_undone),
        cmocka_unit_test(no_memory_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
