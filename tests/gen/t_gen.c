/* t_gen.c - tests gen/gen.c: names both ways, the trace as JSON, stages in order. */
#include "gen/gen.h"
#include "test.h"

#include <math.h>

static void names(void **state) {
    (void)state;
    gen_tier t;
    assert_true(gen_tier_of(STR("human"), &t) && t == GEN_TIER_HUMAN);
    assert_false(gen_tier_of(STR("none"), &t));
    for (int r = 0; r < GEN_REASON_COUNT; r++) {
        assert_true(strlen(gen_reason_code((gen_reason)r)) > 0);
        for (int k = 0; k < r; k++)
            assert_string_not_equal(gen_reason_code((gen_reason)r), gen_reason_code((gen_reason)k));
    }
}

static void trace_is_json(void **state) {
    (void)state;
    gen_trace t = {.request_id = STR("req_1"),
                   .question = STR("a \"quoted\"\nline"),
                   .confidence = (double)NAN,
                   .tier = GEN_TIER_HUMAN};
    t.steps[t.n_steps++] = (gen_step){.tier = GEN_TIER_SLM,
                                      .outcome = GEN_PASSED_ON,
                                      .reason = GEN_WHY_UNSURE,
                                      .confidence = 0.5,
                                      .threshold = (double)NAN,
                                      .signals = {{"novelty", 0.25}},
                                      .n_signals = 1};
    buf b = {0};
    json_writer w = {.out = &b};
    arena a;
    fail f;
    const json *v;
    arena_init(&a, 0);
    gen_trace_put_json(&w, &t);
    assert_ok(json_parse(&a, buf_str(&b), &v, &f), &f);
    assert_true(str_eq(json_get(v, "question")->string, t.question));
    assert_int_equal(json_get(v, "confidence")->kind, JSON_NULL);
    assert_int_equal(json_get(v, "answer")->kind, JSON_NULL);
    const json *step = json_at(json_get(v, "steps"), 0);
    assert_true(str_is(json_get(step, "reason")->string, "unsure"));
    assert_true(json_get(json_get(step, "signals"), "novelty")->number > 0.24);
    buf_deinit(&b);
    arena_deinit(&a);
}

static char order[8];
static err outer(void *self, gen_exchange *x, const gen_stage *rest, fail *f) {
    (void)self;
    strcat(order, "<");
    err e = gen_next(x, rest, f);
    strcat(order, ">");
    return e;
}
static err inner(void *self, gen_exchange *x, const gen_stage *rest, fail *f) {
    (void)self, (void)x, (void)rest, (void)f;
    strcat(order, ".");
    return E_BUSY;
}

static void stages_wrap(void **state) {
    (void)state;
    const gen_stage stages[] = {{"outer", NULL, outer}, {"inner", NULL, inner}, {0}};
    gen_exchange x = {0};
    fail f;
    assert_int_equal(gen_next(&x, stages, &f), E_BUSY);
    assert_string_equal(order, "<.>");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(names), cmocka_unit_test(trace_is_json),
                                       cmocka_unit_test(stages_wrap)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
