/* t_engine_same.c - tests the engine's promise on a tiny random model: a sequence says the same
 * alone, one row at a time, and in an engine where everything happens at once: company, small
 * steps, known prefixes, guesses from the past and by a draft model, adapters, masks, too few
 * pages. And what a mask may do, and that no failing allocation does harm. */
#include "engine/engine.h"

#include <math.h>

#include "base/mem.h"
#include "base/rand.h"
#include "base/thread.h"
#include "model/tiny_adapter.h"
#include "said.h"

enum { ASKS = 48, TEXT_MAX = 100, V = TINY_VOCABULARY };

typedef struct rig {
    tiny base;
    tiny_adapter adapter_files;
    team *team;
    model *m;
    model_adapter *adapters[2];
} rig;

static void rig_open(rig *r, const char *name) {
    fail f = {0};
    memset(r, 0, sizeof *r);
    tiny_open(&r->base, name);
    assert_ok(team_open(&r->team, 2, &f), &f);
    model_options o = {.team = r->team};
    assert_ok(model_open(&r->m, tiny_folder(&r->base, "config"), &o, &f), &f);
    if (strcmp(name, "llama") != 0) return;
    tiny_adapter_open(&r->adapter_files, name);
    const char *path = tiny_adapter_peft(&r->adapter_files);
    assert_ok(model_adapter_open(&r->adapters[0], r->m, path, &f), &f);
    r->adapter_files.alpha = 3;
    tiny_adapter_config(&r->adapter_files, "");
    assert_ok(model_adapter_open(&r->adapters[1], r->m, path, &f), &f);
}

static void rig_close(rig *r) {
    for (int i = 0; i < 2; i++) model_adapter_close(r->adapters[i]);
    if (r->adapters[0]) tiny_close(&r->adapter_files.t);
    model_close(r->m);
    team_close(r->team);
    tiny_close(&r->base);
}

static engine *open_engine(engine_options o) {
    fail f = {0};
    engine *e = NULL;
    assert_ok(engine_open(&e, &o, &f), &f);
    return e;
}

/* ---- a mask with a state: of the ids, those that do not fit the count of taken ones ---- */

typedef struct rule {
    int64_t taken;
    int force_each; /* every so many tokens two are forced; 0 = never */
    err fails;
} rule;

static err rule_allowed(void *self, uint64_t *bits, bool *all, fail *f) {
    const rule *r = self;
    if (r->fails) return fail_set(f, r->fails, "the rule fails");
    *all = r->taken % 5 == 4;
    for (int64_t id = 4; id < V && !*all; id++)
        if ((id + r->taken) % 3) bits[id / 64] |= (uint64_t)1 << id % 64;
    return E_OK;
}
static err rule_accept(void *self, int32_t id, fail *f) {
    rule *r = self;
    (void)f;
    assert_true(r->taken % 5 == 4 || (id >= 4 && (id + r->taken) % 3));
    r->taken++;
    return E_OK;
}
static int32_t rule_forced(void *self, int32_t *ids, int32_t max) {
    rule *r = self;
    if (!r->force_each || r->taken % r->force_each || max < 2) return 0;
    for (int i = 0; i < 2; i++) ids[i] = 10 + (int32_t)(r->taken++ % 3);
    return 2;
}

/* ---- everything at once ---- */

typedef struct question {
    engine_ask ask;
    engine_mask mask;
    rule rule;
    said alone;
} question;

static const engine_bias bias[] = {{7, 2.5f}, {9, -INFINITY}};
static int32_t texts[3][TEXT_MAX];

static void make_texts(void) {
    for (int t = 0; t < 3; t++)
        for (int i = 0; i < TEXT_MAX; i++)
            texts[t][i] = t == 2 ? 20 + i % 6 /* repeats itself */
                                 : (int32_t)(4 + rand_at((uint64_t)t, (uint64_t)i) % (V - 4));
}

static void make_question(question *q, const rig *r, uint64_t number) {
    rand_stream s = {.seed = 100 + number};
    *q = (question){.rule = {.force_each = (int)(number % 2) * 3}};
    q->mask = (engine_mask){&q->rule, rule_allowed, rule_accept, rule_forced};
    bool drawn = number % 3 > 0, penalised = number % 4 == 1;
    q->ask = (engine_ask){.prompt = texts[number % 3],
                          .n_prompt = 1 + (size_t)rand_next_below(&s, TEXT_MAX - 20),
                          .max_tokens = 1 + (int32_t)rand_next_below(&s, 44),
                          .sampling = {.temperature = drawn ? 0.3 + rand_next_unit(&s) : 0,
                                       .top_k = number % 5 == 2 ? 20 : 0,
                                       .top_p = number % 5 == 3 ? 0.9 : 0,
                                       .typical_p = number % 7 == 3 ? 0.9 : 0,
                                       .repeat_penalty = penalised ? 1.2 : 0,
                                       .frequency_penalty = penalised ? 0.1 : 0,
                                       .dry_multiplier = number % 6 == 4 ? 0.5 : 0,
                                       .bias = bias,
                                       .n_bias = number % 8 == 5 ? 2 : 0,
                                       .seed = number},
                          .ignore_end = number % 9 != 0,
                          .top_logprobs = number % 2 ? -1 : 3,
                          .cache_scope = number % 11 == 0,
                          .mask = number % 4 == 3 ? &q->mask : NULL};
    if (r->adapters[0] && number % 5 < 2) q->ask.adapter = r->adapters[number % 5];
}

static void ask_alone(engine *e, question *q) {
    engine_ask a = q->ask;
    a.cache_off = a.draft_off = true;
    said_run(e, &a, &q->alone);
    q->rule.taken = 0;
}

/* Six at a time, the oldest read first. */
static void ask_in_company(engine *e, question *q, int n) {
    enum { WAVE = 6 };
    said got;
    for (int from = 0; from < n; from += WAVE) {
        engine_sequence *s[WAVE];
        for (int i = 0; i < WAVE; i++) s[i] = said_submit(e, &q[from + i].ask);
        for (int i = 0; i < WAVE; i++) {
            said_read(s[i], &got);
            if (memcmp(&got, &q[from + i].alone, sizeof got))
                fail_msg("question %d: %d tokens in company, %d alone", from + i, got.n,
                         q[from + i].alone.n);
            engine_release(s[i]);
            q[from + i].rule.taken = 0;
        }
    }
}

static void the_same_in_every_way(const char *name) {
    static question q[ASKS];
    rig r;
    engine_stats stats;
    rig_open(&r, name);
    make_texts();
    engine *plain = open_engine((engine_options){
        .model = r.m, .sequences_max = 1, .rows_max = 1, .draft_max = -1, .context_max = 128});
    for (int i = 0; i < ASKS; i++) {
        make_question(&q[i], &r, (uint64_t)i);
        ask_alone(plain, &q[i]);
    }
    engine_close(plain);
    kv_shape shape = {model_about(r.m)->layers, model_about(r.m)->kv_heads,
                      model_about(r.m)->head_width, OP_KV_F16};
    engine_options o = {.model = r.m,
                        .sequences_max = 4,
                        .waiting_max = 8,
                        .rows_max = 23,
                        .rows_busy = 9,
                        .reserve = 2,
                        .context_max = 128,
                        .kv_bytes_max = 9 * kv_page_bytes(&shape)};
    for (int how = 0; how < 3; how++) { /* guesses that pay; all; all, by a draft model too */
        o.draft_always = how > 0;
        if (how == 2) o.draft = r.m;
        engine *e = open_engine(o);
        for (int round = 0; round < 2; round++) ask_in_company(e, q, ASKS);
        engine_stats_get(e, &stats);
        print_message("%s: %lld of %lld steps' rows, %lld known, %lld postponed, %lld of %lld "
                      "guesses held\n",
                      name, (long long)stats.rows, (long long)stats.steps,
                      (long long)stats.known_tokens, (long long)stats.postponed,
                      (long long)stats.drafts_held, (long long)stats.drafted);
        assert_true(stats.known_tokens > 0 && stats.postponed > 0);
        assert_true(how == 0 || (stats.drafts_held > 0 && stats.drafted > stats.drafts_held));
        assert_int_equal(stats.running + stats.waiting, 0);
        assert_int_equal(stats.pages_free, stats.pages);
        engine_close(e);
    }
    rig_close(&r);
}

static void the_same_with_adapters(void **state) {
    (void)state;
    the_same_in_every_way("llama");
}
static void the_same_with_windows(void **state) {
    (void)state;
    the_same_in_every_way("gemma3");
}

/* ---- masks ---- */

static void masks_are_obeyed_and_may_fail(void **state) {
    (void)state;
    fail f = {0};
    rig r;
    said got;
    engine_event ev;
    rule rule = {.force_each = 3};
    engine_mask mask = {&rule, rule_allowed, rule_accept, rule_forced};
    int64_t taken = 0;
    rig_open(&r, "qwen3");
    make_texts();
    engine *e = open_engine((engine_options){.model = r.m, .sequences_max = 2});
    engine_ask a = {.prompt = texts[0],
                    .n_prompt = 9,
                    .max_tokens = 40,
                    .mask = &mask,
                    .ignore_end = true,
                    .top_logprobs = -1};
    said_run(e, &a, &got);
    assert_int_equal(got.n, 40);
    for (int i = 0; i < got.n; taken++, i++) {
        if (taken % 3 == 0 && i + 1 < got.n) {
            assert_int_equal(got.ids[i++], 10 + taken++ % 3);
            assert_int_equal(got.ids[i], 10 + taken % 3);
        } else if (taken % 5 != 4) {
            assert_true(got.ids[i] >= 4 && (got.ids[i] + taken) % 3);
        }
    }
    rule.fails = E_CORRUPT;
    engine_sequence *s = said_submit(e, &a);
    assert_int_equal(engine_next(s, WAIT_MS, &ev, &f), E_CORRUPT);
    assert_string_equal(f.text, "the rule fails");
    engine_release(s);
    engine_close(e);
    rig_close(&r);
}

/* Choices are scored with the adapter as tokens are made with it, after a known prefix too. */
static void scores_have_the_adapter(void **state) {
    (void)state;
    fail f = {0};
    rig r;
    said got[2];
    double want[2] = {0, 0}, have, plain;
    rig_open(&r, "llama");
    make_texts();
    engine *e = open_engine((engine_options){.model = r.m, .context_max = 128});
    token_ids prompt = {texts[0], 70};
    for (int i = 0; i < 2; i++) {
        engine_ask a = {.prompt = prompt.p,
                        .n_prompt = prompt.n,
                        .max_tokens = 9,
                        .adapter = r.adapters[i],
                        .ignore_end = true,
                        .top_logprobs = 0};
        said_run(e, &a, &got[i]);
        for (int j = 0; j < got[i].n; j++) want[i] += (double)got[i].logprobs[j];
    }
    for (int i = 0; i < 2; i++) {
        token_ids choice = {got[i].ids, (size_t)got[i].n};
        assert_ok(engine_score(e, &prompt, &choice, 1, r.adapters[i], &have, &f), &f);
        assert_ok(engine_score(e, &prompt, &choice, 1, NULL, &plain, &f), &f);
        assert_true(fabs(have - want[i]) < 1e-4);
        assert_true(fabs(plain - want[i]) > 1e-2);
    }
    engine_close(e);
    rig_close(&r);
}

/* ---- engines side by side ---- */

typedef struct asker {
    engine *e;
    question *q;
    thread thread;
} asker;

static void ask_in_thread(void *arg) {
    asker *a = arg;
    ask_in_company(a->e, a->q, 12);
}

/* Two engines on one model and one team, at the same time. */
static void engines_share_a_team(void **state) {
    (void)state;
    static question q[2][12];
    fail f = {0};
    rig r;
    asker a[2];
    rig_open(&r, "llama");
    make_texts();
    for (int i = 0; i < 2; i++) {
        a[i] = (asker){.e = open_engine((engine_options){.model = r.m, .context_max = 128}),
                       .q = q[i]};
        for (int j = 0; j < 12; j++) {
            make_question(&q[i][j], &r, (uint64_t)(20 * i + j));
            ask_alone(a[i].e, &q[i][j]);
        }
    }
    for (int i = 0; i < 2; i++)
        assert_ok(thread_start(&a[i].thread, "asker", ask_in_thread, &a[i], &f), &f);
    for (int i = 0; i < 2; i++) thread_join(&a[i].thread);
    for (int i = 0; i < 2; i++) engine_close(a[i].e);
    rig_close(&r);
}

/* ---- failing allocations ---- */

static void no_allocation_fails_badly(void **state) {
    (void)state;
    fail f = {0};
    rig r;
    said got, want;
    int failed = 0;
    rig_open(&r, "llama");
    make_texts();
    engine_ask a = {.prompt = texts[0],
                    .n_prompt = 40,
                    .max_tokens = 30,
                    .sampling = {.temperature = 0.8, .top_p = 0.9, .dry_multiplier = 1, .seed = 4},
                    .ignore_end = true,
                    .adapter = r.adapters[0],
                    .top_logprobs = 2};
    engine_options o = {.model = r.m, .draft = r.m, .sequences_max = 2, .context_max = 128};
    for (int64_t n = 1; n < 300; n++, failed++) {
        engine *e = NULL;
        mem_fail_at(n, false);
        err result = engine_open(&e, &o, &f);
        mem_fail_at(0, false);
        if (result == E_OK) {
            engine_close(e);
            break;
        }
        assert_int_equal(result, E_NO_MEMORY);
        assert_null(e);
    }
    assert_in_range(failed, 20, 290);
    engine *e = open_engine(o);
    said_run(e, &a, &want);
    mem_fail_at(1, true); /* nothing is allocated any more */
    said_run(e, &a, &got);
    mem_fail_at(0, false);
    assert_memory_equal(&got, &want, sizeof got);
    engine_close(e);
    rig_close(&r);
}

/* ---- refusals ---- */

static void what_does_not_fit_is_named(void **state) {
    (void)state;
    fail f = {0};
    rig r, other;
    engine *e = NULL;
    engine_sequence *s = NULL;
    rig_open(&r, "llama");
    rig_open(&other, "bert");
    engine_options o = {.model = other.m};
    assert_int_equal(engine_open(&e, &o, &f), E_UNSUPPORTED);
    o = (engine_options){.model = r.m, .draft = other.m};
    assert_int_equal(engine_open(&e, &o, &f), E_UNSUPPORTED);
    rig_close(&other);
    rig_open(&other, "qwen3");
    e = open_engine((engine_options){.model = other.m});
    engine_ask a = {.prompt = texts[0], .n_prompt = 4, .adapter = r.adapters[0]};
    assert_int_equal(engine_submit(e, &a, &s, &f), E_INPUT);
    assert_non_null(strstr(f.text, "was opened for another model"));
    a.adapter = NULL;
    const struct {
        engine_sampling o;
        const char *named;
    } bad[] = {{{.top_p = 1.5}, "top_p 1.5"},
               {{.typical_p = -1}, "typical_p -1"},
               {{.repeat_penalty = NAN}, "repeat_penalty"},
               {{.frequency_penalty = 11}, "frequency_penalty 11"},
               {{.dry_base = -2}, "dry_base -2"},
               {{.penalty_last_n = -2}, "penalty_last_n -2"},
               {{.n_bias = 1, .bias = &(engine_bias){V, 1}}, "token 160"},
               {{.n_bias = 1, .bias = &(engine_bias){1, INFINITY}}, "bias"},
               {{.n_dry_breakers = 1, .dry_breakers = &STR("")}, "a breaker of 0 bytes"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        a.sampling = bad[i].o;
        assert_int_equal(engine_submit(e, &a, &s, &f), E_INPUT);
        if (!strstr(f.text, bad[i].named)) fail_msg("\"%s\", not %s", f.text, bad[i].named);
    }
    engine_close(e);
    rig_close(&r);
    rig_close(&other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_with_adapters),
        cmocka_unit_test(the_same_with_windows),
        cmocka_unit_test(masks_are_obeyed_and_may_fail),
        cmocka_unit_test(engines_share_a_team),
        cmocka_unit_test(scores_have_the_adapter),
        cmocka_unit_test(no_allocation_fails_badly),
        cmocka_unit_test(what_does_not_fit_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
