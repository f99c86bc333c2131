/* t_engine_sample.c - tests engine/engine_sample.c: frequencies match the distribution, the cuts
 * cut where they say, nothing but seed and position decides, and every chain of cuts leaves what a
 * plain one in doubles with full sorts leaves. */
#include "engine/engine_sample.h"

#include "base/rand.h"
#include "test.h"

#include <math.h>

enum { N = 6, DRAWS = 40000 };
/* probabilities .4 .3 .15 .1 .04 .01, not in order */
static const double p[N] = {0.1, 0.4, 0.01, 0.3, 0.15, 0.04};
static float logits[N];

static int setup(void **state) {
    static sampler s;
    fail f = {0};
    assert_ok(sampler_open(&s, N, DRAWS, &f), &f);
    for (int i = 0; i < N; i++) logits[i] = (float)log(p[i]) + 3;
    *state = &s;
    return 0;
}
static int teardown(void **state) {
    sampler_close(*state);
    return 0;
}

/* The token at `position`, nothing penalised. */
static err pick(sampler *s, const float *x, const engine_sampling *o, int64_t position, int32_t *id,
                fail *f) {
    return sampler_pick(s, x, o, &(sampler_past){.n = position}, NULL, id, f);
}

static void draw(sampler *s, engine_sampling o, double out[N]) {
    fail f = {0};
    memset(out, 0, N * sizeof *out);
    for (int i = 0; i < DRAWS; i++) {
        int32_t id = -1;
        assert_ok(pick(s, logits, &o, i, &id, &f), &f);
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
    /* cuts are at temperature 1, whatever the draw's is: .16/.25, .09/.25 */
    draw(*state, (engine_sampling){.temperature = 0.5, .top_p = 0.65, .seed = 1}, got);
    expect(got, (double[N]){0, 0.64, 0, 0.36, 0, 0});
    /* surprise expected: 1.42; surprises .92 1.20 1.90 2.30 3.22 4.61, so .3, .15, .4 are nearest
     */
    draw(*state, (engine_sampling){.temperature = 1, .typical_p = 0.29, .seed = 1}, got);
    expect(got, (double[N]){0, 0, 0, 1, 0, 0});
    draw(*state, (engine_sampling){.temperature = 1, .typical_p = 0.44, .seed = 1}, got);
    expect(got, (double[N]){0, 0, 0, 2 / 3.0, 1 / 3.0, 0});
    draw(*state, (engine_sampling){.temperature = 1, .typical_p = 0.8, .seed = 1}, got);
    expect(got, (double[N]){0, 40 / 85.0, 0, 30 / 85.0, 15 / 85.0, 0});
}

static void greedy_takes_the_lower_id_at_a_tie(void **state) {
    fail f = {0};
    int32_t id = -1;
    float tie[N] = {1, 5, 2, 5, 5, 0};
    assert_ok(pick(*state, tie, &(engine_sampling){0}, 3, &id, &f), &f);
    assert_int_equal(id, 1);
    tie[0] = NAN;
    assert_int_equal(pick(*state, tie, &(engine_sampling){0}, 3, &id, &f), E_CORRUPT);
}

static void only_seed_and_position_decide(void **state) {
    fail f = {0};
    int differ = 0;
    for (int i = 0; i < 200; i++) {
        int32_t a = -1, b = -1, c = -1;
        engine_sampling o = {.temperature = 1, .seed = 5};
        assert_ok(pick(*state, logits, &o, i, &a, &f), &f);
        assert_ok(pick(*state, logits, &o, i, &b, &f), &f);
        o.seed = 6;
        assert_ok(pick(*state, logits, &o, i, &c, &f), &f);
        assert_int_equal(a, b);
        differ += a != c;
    }
    assert_true(differ > 50);
}

static void the_likeliest_are_listed(void **state) {
    engine_candidate top[3];
    double sum = sampler_log_sum(logits, N);
    assert_true(fabs(sum - 3) < 1e-6);
    sampler_top(*state, logits, sum, 3, top);
    assert_int_equal(top[0].id, 1);
    assert_int_equal(top[1].id, 3);
    assert_int_equal(top[2].id, 4);
    assert_true(fabs((double)top[2].logprob - log(0.15)) < 1e-5);
}

/* ---- against a plain chain ---- */

enum { BIG = 1500 };
typedef struct plain {
    int id;
    double logit, p, key;
} plain;

static int by_p(const void *a, const void *b) {
    const plain *x = a, *y = b;
    return x->logit != y->logit ? (x->logit > y->logit ? -1 : 1) : x->id - y->id;
}
static int by_key(const void *a, const void *b) {
    const plain *x = a, *y = b;
    return x->key != y->key ? (x->key < y->key ? -1 : 1) : x->id - y->id;
}

static void normalise(plain *c, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += exp(c[i].logit - c[0].logit);
    for (int i = 0; i < n; i++) c[i].p = exp(c[i].logit - c[0].logit) / sum;
}

static int first_to_reach(const plain *c, int n, double p, bool above) {
    double sum = 0;
    for (int i = 0; i < n; i++) {
        sum += c[i].p;
        if (above ? sum > p : sum >= p) return i + 1;
    }
    return n;
}

/* What the cuts leave, likeliest first. */
static int plain_cut(const engine_sampling *o, plain *c, int n) {
    double entropy = 0;
    qsort(c, (size_t)n, sizeof *c, by_p);
    if (o->top_k > 0 && o->top_k < n) n = o->top_k;
    if (o->typical_p > 0) {
        normalise(c, n);
        for (int i = 0; i < n; i++) entropy -= c[i].p > 0 ? c[i].p * log(c[i].p) : 0;
        for (int i = 0; i < n; i++) c[i].key = fabs(-log(c[i].p) - entropy);
        qsort(c, (size_t)n, sizeof *c, by_key);
        n = first_to_reach(c, n, o->typical_p, true);
        qsort(c, (size_t)n, sizeof *c, by_p);
    }
    normalise(c, n);
    if (o->top_p > 0) n = first_to_reach(c, n, o->top_p, false);
    if (o->min_p > 0)
        while (n > 1 && c[n - 1].logit < c[0].logit + log(o->min_p)) n--;
    return n;
}

static int plain_draw(const plain *c, int n, double temperature, double unit) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += exp((c[i].logit - c[0].logit) / temperature);
    sum *= unit;
    for (int i = 0; i < n; i++) {
        sum -= exp((c[i].logit - c[0].logit) / temperature);
        if (sum < 0) return c[i].id;
    }
    return c[n - 1].id;
}

static void every_chain_is_the_plain_one(void **state) {
    (void)state;
    static float x[BIG];
    static plain c[BIG];
    fail f = {0};
    sampler s;
    rand_stream r = {.seed = 5};
    int checked = 0;
    assert_ok(sampler_open(&s, BIG, 16, &f), &f);
    for (int round = 0; round < 400; round++) {
        double spread = 1 + 12 * rand_next_unit(&r);
        for (int i = 0; i < BIG; i++) {
            x[i] = (float)(spread * (rand_next_unit(&r) + rand_next_unit(&r)));
            c[i] = (plain){.id = i, .logit = (double)x[i]};
        }
        bool k = round & 1, typical = round & 2, p = round & 4, m = round & 8;
        engine_sampling o = {.temperature = 0.3 + rand_next_unit(&r),
                             .top_k = k ? 1 + (int32_t)rand_next_below(&r, 300) : 0,
                             .typical_p = typical ? 0.05 + 0.9 * rand_next_unit(&r) : 0,
                             .top_p = p ? 0.05 + 0.94 * rand_next_unit(&r) : 0,
                             .min_p = m ? 0.3 * rand_next_unit(&r) : 0,
                             .seed = (uint64_t)round};
        int n = plain_cut(&o, c, BIG);
        if (!(k || typical || p || m)) continue; /* then the order of the draw is that of ids */
        for (int position = 0; position < 20; position++, checked++) {
            int32_t id = -1;
            assert_ok(pick(&s, x, &o, position, &id, &f), &f);
            int want = plain_draw(c, n, o.temperature, rand_unit_at(o.seed, (uint64_t)position));
            if (id != want)
                fail_msg("round %d: id %d, not %d (%d left, list %d)", round, id, want, n,
                         (int)s.list_n);
        }
        assert_int_equal(s.list_n, n);
    }
    assert_true(checked > 7000);
    sampler_close(&s);
}

/* ---- mask, bias, penalties ---- */

static void masks_and_biases_rule(void **state) {
    double got[N];
    fail f = {0};
    sampler *s = *state;
    uint64_t mask = 1u << 0 | 1u << 4, none = 0;
    for (int i = 0; i < N; i++) got[i] = 0;
    engine_sampling o = {.temperature = 1, .seed = 3};
    for (int i = 0; i < DRAWS; i++) {
        int32_t id = -1;
        assert_ok(sampler_pick(s, logits, &o, &(sampler_past){.n = i}, &mask, &id, &f), &f);
        got[id] += 1.0 / DRAWS;
    }
    expect(got, (double[N]){0.4, 0, 0, 0, 0.6, 0});
    int32_t id = 77;
    assert_int_equal(sampler_pick(s, logits, &o, &(sampler_past){.n = 9}, &none, &id, &f), E_INPUT);
    assert_int_equal(id, 77);
    const engine_bias bias[] = {{1, -INFINITY}, {2, (float)log(40)}};
    o.bias = bias;
    o.n_bias = 2;
    draw(s, o, got);
    expect(got, (double[N]){0.1, 0, 0.4, 0.3, 0.15, 0.04});
    o.temperature = 0;
    o.top_k = 3; /* greedy looks at nothing else */
    assert_ok(pick(s, logits, &o, 4, &id, &f), &f);
    assert_int_equal(id, 2);
    for (int i = 0; i < N; i++) assert_int_equal(s->counts[i], 0);
}

/* Logits after penalties, by the formulas of llama.cpp's documentation. */
static void penalties_are_the_formulas(void **state) {
    sampler *s = *state;
    const float x[N] = {2, -1, 4, 0.5f, 3, 1};
    const int32_t tokens[] = {5, 0, 0, 1, 2, 0};
    engine_sampling o = {.repeat_penalty = 2, .frequency_penalty = 0.25, .presence_penalty = 0.5};
    sampler_past past = {tokens, 6, NULL};
    const float *y = sampler_adjust(s, x, &o, &past, NULL);
    const float want[N] = {
        2 / 2.0f - 3 * 0.25f - 0.5f, -1 * 2 - 0.75f, 4 / 2.0f - 0.75f, 0.5f, 3, 1 / 2.0f - 0.75f};
    for (int i = 0; i < N; i++) assert_true(fabsf(y[i] - want[i]) < 1e-6f);
    o.penalty_last_n = 2; /* only 2 and the last 0 */
    y = sampler_adjust(s, x, &o, &past, NULL);
    assert_true(y[5] == 1 && y[1] == -1 && fabsf(y[0] - (1 - 0.75f)) < 1e-6f);
    assert_ptr_equal(sampler_adjust(s, x, &(engine_sampling){0}, &past, NULL), x);
}

/* 1 2 3 4 | 1 2 3: going on with 4 makes a repetition of three longer. */
static void dry_counts_what_repeats(void **state) {
    sampler *s = *state;
    const float x[N] = {0};
    const int32_t tokens[] = {1, 2, 3, 4, 0, 3, 5, 1, 2, 3};
    uint8_t breaks[10] = {0};
    engine_sampling o = {.dry_multiplier = 0.8};
    sampler_past past = {tokens, 10, breaks};
    const float *y = sampler_adjust(s, x, &o, &past, NULL);
    for (int i = 0; i < N; i++) /* after the lone 3 stands 5: one alone is allowed */
        assert_true(fabs((double)y[i] - (i == 4 ? -0.8 * 1.75 : 0)) < 1e-6);
    o.dry_allowed_length = 1;
    o.dry_base = 2;
    y = sampler_adjust(s, x, &o, &past, NULL);
    assert_true(fabs((double)y[4] + 0.8 * 4) < 1e-6 && fabs((double)y[5] + 0.8) < 1e-6);
    breaks[7] = 1; /* the 1 before 2 3: two tokens since */
    y = sampler_adjust(s, x, &o, &past, NULL);
    assert_true(fabs((double)y[4] + 0.8 * 2) < 1e-6);
    breaks[9] = 1; /* the last one breaks: nothing repeats */
    y = sampler_adjust(s, x, &o, &past, NULL);
    assert_true(y[4] == 0 && y[5] == 0);
    breaks[7] = breaks[9] = 0;
    o.dry_last_n = 6; /* the first 1 2 3 lies before */
    y = sampler_adjust(s, x, &o, &past, NULL);
    assert_true(y[4] == 0 && y[5] < 0);
    for (int i = 0; i < N; i++) assert_int_equal(s->counts[i], 0);
}

/* The lengths that DRY finds, against looking at every pair. */
static void repetitions_are_found_in_random_texts(void **state) {
    enum { LONG = 60 };
    sampler *s = *state;
    const float x[N] = {0};
    rand_stream r = {.seed = 6};
    for (int round = 0; round < 300; round++) {
        int32_t tokens[LONG], n = 2 + (int32_t)rand_next_below(&r, LONG - 2);
        int longest[N] = {0};
        for (int i = 0; i < n; i++) tokens[i] = (int32_t)rand_next_below(&r, 2 + round % 3);
        for (int i = 1; i < n; i++) { /* tokens[i] follows what ends at i - 1 */
            int length = 0;
            while (length < i && tokens[i - 1 - length] == tokens[n - 1 - length]) length++;
            if (length > longest[tokens[i]]) longest[tokens[i]] = length;
        }
        sampler_past past = {tokens, n, NULL};
        const float *y = sampler_adjust(
            s, x, &(engine_sampling){.dry_multiplier = 1, .dry_base = 1.01}, &past, NULL);
        for (int i = 0; i < N; i++) {
            double want = longest[i] >= 2 ? pow(1.01, longest[i] - 2) : 0;
            assert_true(fabs((double)y[i] + want) < 1e-5);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frequencies_match),
        cmocka_unit_test(cuts_cut),
        cmocka_unit_test(greedy_takes_the_lower_id_at_a_tie),
        cmocka_unit_test(only_seed_and_position_decide),
        cmocka_unit_test(the_likeliest_are_listed),
        cmocka_unit_test(every_chain_is_the_plain_one),
        cmocka_unit_test(masks_and_biases_rule),
        cmocka_unit_test(penalties_are_the_formulas),
        cmocka_unit_test(dry_counts_what_repeats),
        cmocka_unit_test(repetitions_are_found_in_random_texts),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
