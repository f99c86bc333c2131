/* t_eval.c - tests eval/: the definitions that eval.h promises, on rows small enough to count by
 * hand. */
#include "eval/eval.h"
#include "test.h"

#include <math.h>

typedef struct said { /* what the subject says of row i */
    const char *best, *label;
    double confidence;
    gen_tier tier;
} said;

typedef struct script {
    const said *rows;
    size_t at;
} script;

static err answer(void *self, str text, eval_result *out, fail *f) {
    (void)text, (void)f;
    script *s = self;
    const said *x = &s->rows[s->at++];
    *out = (eval_result){.best_label = str_from(x->best),
                         .label = str_from(x->label),
                         .confidence = x->confidence,
                         .tier = x->tier,
                         .cost_usd = 0.5,
                         .latency_us = 1000};
    return E_OK;
}

static void counts_as_defined(void **state) {
    (void)state;
    static const eval_row rows[] = {{{"a", 1}, {"x", 1}, {"in", 2}},
                                    {{"b", 1}, {"x", 1}, {"in", 2}},
                                    {{"c", 1}, {"y", 1}, {"in", 2}},
                                    {{"d", 1}, {"other", 5}, {"out", 3}},
                                    {{"e", 1}, {"other", 5}, {"out", 3}}};
    static const said says[] = {
        {"x", "x", 0.9, GEN_TIER_SLM},       /* right */
        {"y", "y", 0.8, GEN_TIER_SLM},       /* wrong */
        {"y", "", 0.4, GEN_TIER_HUMAN},      /* best label right, goes up */
        {"x", "x", 0.95, GEN_TIER_SLM},      /* an answered `other` row is wrong */
        {"other", "", 0.1, GEN_TIER_HUMAN}}; /* rightly up */
    script s = {says, 0};
    arena a;
    fail f;
    eval_report r;
    arena_init(&a, 0);
    assert_ok(eval_run(&a, (eval_subject){&s, answer}, rows, 5, NULL, NULL, &r, &f), &f);
    assert_int_equal(r.answered, 3);
    assert_int_equal(r.answered_right, 1);
    assert_int_equal(r.in_scope, 3);
    assert_true(fabs(r.accuracy - 2.0 / 3) < 1e-12);
    assert_true(fabs(r.auto_rate - 0.6) < 1e-12 && fabs(r.accuracy_answered - 1.0 / 3) < 1e-12);
    assert_true(fabs(r.oos_auroc - 0.5) < 1e-12); /* of 6 pairs .95 ranks below all, .1 above all */
    assert_int_equal(r.by_tier[GEN_TIER_SLM], 3);
    assert_int_equal(r.by_tier[GEN_TIER_HUMAN], 2);
    assert_int_equal(r.n_groups, 2);
    assert_int_equal(r.groups[1].answered, 1);
    assert_true(fabs(r.cost_usd - 2.5) < 1e-12);
    arena_deinit(&a);
}

static void undefined_is_null(void **state) {
    (void)state;
    static const eval_row rows[] = {{{"a", 1}, {"x", 1}, {"", 0}}};
    static const said says[] = {{"x", "", (double)NAN, GEN_TIER_HUMAN}};
    script s = {says, 0};
    arena a;
    fail f;
    eval_report r;
    buf b = {0};
    json_writer w = {.out = &b};
    arena_init(&a, 0);
    assert_ok(eval_run(&a, (eval_subject){&s, answer}, rows, 1, NULL, NULL, &r, &f), &f);
    eval_put_json(&w, &r);
    assert_non_null(strstr(
        buf_z(&b), "\"oos_auroc\":null,\"ece\":null,\"answered\":0,\"accuracy_answered\":null"));
    assert_int_equal(eval_run(&a, (eval_subject){&s, answer}, rows, 0, NULL, NULL, &r, &f),
                     E_INPUT);
    buf_deinit(&b);
    arena_deinit(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(counts_as_defined),
                                       cmocka_unit_test(undefined_is_null)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
