/* Tests of app/parameters.c: names, bounds, and that a saved chat's parameters come back. */
#include "test_arena.h"

#include "app/parameters.h"

static void names_and_bounds(void **state) {
    (void)state;
    fail f;
    parameters p;
    parameters_init(&p);
    assert_true(p.sampling.temperature == 0 && p.sampling.top_p == 1 && p.max_tokens == 0);
    static const char *const same[][2] = {{"temperature", "temp"},
                                          {"top_p", "top-p"},
                                          {"num_predict", "max-tokens"},
                                          {"typical_p", "typical"}};
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < 2; k++)
            assert_ok(parameters_set(&p, &a, str_from(same[i][k]), STR("1"), &f), &f);
    assert_true(p.sampling.temperature == 1 && p.max_tokens == 1 && p.sampling.typical_p == 1);
    assert_ok(parameters_set(&p, &a, STR("seed"), STR("123456789012345"), &f), &f);
    assert_true(p.sampling.seed == 123456789012345);
    static const char *const bad[][2] = {{"top_p", "1.5"},
                                         {"top_p", "-1"},
                                         {"top_p", "nan"},
                                         {"top_k", "2.5"},
                                         {"seed", "-1"},
                                         {"temperature", ""},
                                         {"heat", "1"},
                                         {"", "1"},
                                         {"num_predict", "99999999999"},
                                         {"stop", ""},
                                         {"repeat_last_n", "-2"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(parameters_set(&p, &a, str_from(bad[i][0]), str_from(bad[i][1]), &f),
                         E_USAGE);
    assert_true(p.sampling.top_p == 1 && p.sampling.top_k == 0); /* untouched */
    for (int i = 0; i < PARAMETERS_STOPS_MAX; i++)
        assert_ok(parameters_set(&p, &a, STR("stop"), STR("x"), &f), &f);
    assert_int_equal(parameters_set(&p, &a, STR("stop"), STR("x"), &f), E_USAGE);
}

static void json_and_back(void **state) {
    (void)state;
    fail f;
    parameters p, q;
    buf b = {0};
    json_writer w = {.out = &b};
    const json *v;
    parameters_init_chat(&p, 42);
    assert_ok(parameters_set(&p, &a, STR("dry_multiplier"), STR("0.8"), &f), &f);
    assert_ok(parameters_set(&p, &a, STR("top_k"), STR("40"), &f), &f);
    assert_ok(parameters_set(&p, &a, STR("stop"), STR("a\n\"b"), &f), &f);
    parameters_put_json(&p, &w);
    assert_ok(json_parse(&a, buf_str(&b), &v, &f), &f);
    assert_ok(parameters_from_json(&q, &a, v, &f), &f);
    assert_memory_equal(&p.sampling, &q.sampling, sizeof p.sampling);
    assert_true(q.n_stops == 1 && str_is(q.stops[0], "a\n\"b"));
    buf_deinit(&b);
    assert_ok(json_parse(&a, STR("{\"top_p\": 7}"), &v, &f), &f);
    assert_int_equal(parameters_from_json(&q, &a, v, &f), E_INPUT);
    assert_ok(parameters_from_json(&q, &a, NULL, &f), &f); /* none: the defaults */
    assert_true(q.sampling.top_p == 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(names_and_bounds, setup, teardown),
        cmocka_unit_test_setup_teardown(json_and_back, setup, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
