/* t_engine_sample.c - tests engine/engine_sample.c: frequencies match the distribution, the cuts
 * cut where they say, nothing but seed and position decides. */
#include "engine/engine_sample.h"

#include "test.h"

#include <math.h>

enum { N = 6, DRAWS = 40000 };
/* probabilities .4 .3 .15 .1 .04 .01, not in order */
static const double p[N] = {0.1, 0.4, 0.01, 0.3, 0.15, 0.04};
static float logits[N];

static int setup(void **state) {
    static sampler s;
    fail f = {0};
    assert_ok(sampler_open(&s, N, &f), &f);
    for (int i = 0; i < N; i++) logits[i] = (float)log(p[i]) + 3;
    *state = &s;
    return 0;
}
static int teardown(void **state) {
    sampler_close(*state);
    return 0;
}

static void draw(sampler *s, engine_sampling o, double out[N]) {
    fail f = {0};
    memset(out, 0, N * sizeof *out);
    for (int i = 0; i < DRAWS; i++) {
        int32_t id = -1;
        assert_ok(sampler_pick(s, logits, &o, i, &id, &f), &f);
        out[id] += 1.0 / DRAWS;
    }
}

static void expect(const double got[N], const double want[N]) {
    for (int i = 0; i < N; i++) {
        if (want[i] == 0) assert_true(got[i] == 0);
        if (fabs(got[i] - want[i]) > 0.01) fail_msg("id %d: %g, not %g", i, got[i], want[i]);
    }
}

static void frequencies_match(void **state) {
    double got[N], sharp[N], sum = 0;
    draw(*state, (engine_sampling){.temperature = 1, .seed = 7}, got);
    expect(got, p);
    draw(*state, (engine_sampling){.temperature = 0.5, .seed = 7}, got);
    for (int i = 0; i < N; i++) sum += p[i] * p[i];
    for (int i = 0; i < N; i++) sharp[i] = p[i] * p[i] / sum;
    expect(got, sharp);
}

static void cuts_cut(void **state) {
    double got[N];
    draw(*state, (engine_sampling){.temperature = 1, .top_k = 2, .seed = 1}, got);
    expect(got, (double[N]){0, 4 / 7.0, 0, 3 / 7.0, 0, 0});
    draw(*state, (engine_sampling){.temperature = 1, .top_p = 0.75, .seed = 1}, got);
    expect(got, (double[N]){0, 40 / 85.0, 0, 30 / 85.0, 15 / 85.0, 0});
    draw(*state, (engine_sampling){.temperature = 1, .min_p = 0.3, .seed = 1}, got);
    expect(got, (double[N]){0, 40 / 85.0, 0, 30 / 85.0, 15 / 85.0, 0});
    /* the nucleus is of the three likeliest: .4/.85 = .47, .82 */
    draw(*state, (engine_sampling){.temperature = 1, .top_k = 3, .top_p = 0.8, .seed = 1}, got);
    expect(got, (double[N]){0, 4 / 7.0, 0, 3 / 7.0, 0, 0});
    draw(*state, (engine_sampling){.temperature = 1, .top_k = 1, .seed = 1}, got);
    expect(got, (double[N]){0, 1, 0, 0, 0, 0});
}

static void greedy_takes_the_lower_id_at_a_tie(void **state) {
    fail f = {0};
    int32_t id = -1;
    float tie[N] = {1, 5, 2, 5, 5, 0};
    assert_ok(sampler_pick(*state, tie, &(engine_sampling){0}, 3, &id, &f), &f);
    assert_int_equal(id, 1);
    tie[0] = NAN;
    assert_int_equal(sampler_pick(*state, tie, &(engine_sampling){0}, 3, &id, &f), E_INTERNAL);
}

static void only_seed_and_position_decide(void **state) {
    fail f = {0};
    int differ = 0;
    for (int i = 0; i < 200; i++) {
        int32_t a = -1, b = -1, c = -1;
        engine_sampling o = {.temperature = 1, .seed = 5};
        assert_ok(sampler_pick(*state, logits, &o, i, &a, &f), &f);
        assert_ok(sampler_pick(*state, logits, &o, i, &b, &f), &f);
        o.seed = 6;
        assert_ok(sampler_pick(*state, logits, &o, i, &c, &f), &f);
        assert_int_equal(a, b);
        differ += a != c;
    }
    assert_true(differ > 50);
}

static void the_likeliest_are_listed(void **state) {
    (void)state;
    engine_candidate top[3];
    double sum = sampler_log_sum(logits, N);
    assert_true(fabs(sum - 3) < 1e-6);
    sampler_top(logits, N, sum, 3, top);
    assert_int_equal(top[0].id, 1);
    assert_int_equal(top[1].id, 3);
    assert_int_equal(top[2].id, 4);
    assert_true(fabs((double)top[2].logprob - log(0.15)) < 1e-5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frequencies_match),
        cmocka_unit_test(cuts_cut),
        cmocka_unit_test(greedy_takes_the_lower_id_at_a_tie),
        cmocka_unit_test(only_seed_and_position_decide),
        cmocka_unit_test(the_likeliest_are_listed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
