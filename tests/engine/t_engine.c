/* t_engine.c - tests engine/ on SmolLM2: greedy tokens as PyTorch's, the same alone and in company,
 * limits, stops, cancelling, scores. Needs the model. */
#include "engine/engine.h"

#include "model/golden_llama.h"
#include "said.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

#include <math.h>
#include <unistd.h>

static const char *const model_file = "smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";

typedef struct rig {
    team *team;
    model *m;
    engine *e;
} rig;

static void rig_open(rig *r, const char *kernels, engine_options o) {
    fail f = {0};
    const kern_table *kern = NULL;
    const char *path = test_model(model_file);
    *r = (rig){0};
    assert_ok(kern_select(kernels, &kern, &f), &f);
    assert_ok(team_open(&r->team, 2, &f), &f);
    assert_ok(model_open(&r->m, path, &(model_options){.kern = kern, .team = r->team}, &f), &f);
    o.model = r->m;
    assert_ok(engine_open(&r->e, &o, &f), &f);
}

static void rig_close(rig *r) {
    engine_close(r->e);
    model_close(r->m);
    team_close(r->team);
}

static void greedy_is_pytorchs(void **state) {
    (void)state;
    static golden g[GOLDEN_PROMPTS];
    static said out;
    rig r;
    golden_read(g);
    rig_open(&r, "f32", (engine_options){.kv = OP_KV_F32, .sequences_max = 2, .context_max = 256});
    engine_ask a = {.prompt = g[1].ids,
                    .n_prompt = (size_t)g[1].n,
                    .max_tokens = GOLDEN_GREEDY,
                    .top_logprobs = -1};
    said_run(r.e, &a, &out);
    assert_int_equal(out.n, GOLDEN_GREEDY);
    assert_int_equal(out.finish, ENGINE_LENGTH);
    for (int i = 0; i < GOLDEN_GREEDY; i++) assert_int_equal(out.ids[i], g[1].greedy[i]);
    assert_non_null(strstr(out.text, "When your card was stolen, it's crucial to act fast"));
    rig_close(&r);
}

/* Sampled with a seed, alone; then three of them beside others, in an engine with small steps. */
static void company_changes_nothing(void **state) {
    (void)state;
    static golden g[GOLDEN_PROMPTS];
    static said alone, other, crowd[6];
    rig r;
    golden_read(g);
    engine_sampling sampling = {.temperature = 0.9, .top_p = 0.95, .min_p = 0.01, .seed = 42};
    engine_ask a = {.prompt = g[0].ids,
                    .n_prompt = (size_t)g[0].n,
                    .max_tokens = 24,
                    .sampling = sampling,
                    .ignore_end = true,
                    .top_logprobs = 2};
    rig_open(&r, NULL, (engine_options){.sequences_max = 4, .context_max = 512});
    said_run(r.e, &a, &alone);
    said_run(r.e, &a, &other);
    assert_memory_equal(&alone, &other, sizeof alone);
    engine_sequence *s[6];
    for (int i = 0; i < 6; i++) { /* six on four places: two wait */
        engine_ask b = a;
        b.prompt = g[i % 2 ? 2 : 0].ids;
        b.n_prompt = (size_t)g[i % 2 ? 2 : 0].n;
        b.sampling.seed = i == 4 ? 43 : 42;
        s[i] = said_submit(r.e, &b);
    }
    for (int i = 0; i < 6; i++) said_read(s[i], &crowd[i]);
    for (int i = 0; i < 6; i++) engine_release(s[i]);
    assert_memory_equal(&alone, &crowd[0], sizeof alone);
    assert_memory_equal(&alone, &crowd[2], sizeof alone);
    assert_memory_equal(&crowd[1], &crowd[3], sizeof alone);
    assert_memory_equal(&crowd[1], &crowd[5], sizeof alone);
    assert_memory_not_equal(alone.ids, crowd[4].ids, sizeof alone.ids);
    engine_stats stats;
    engine_stats_get(r.e, &stats);
    assert_int_equal(stats.running, 0);
    assert_int_equal(stats.waiting, 0);
    assert_int_equal(stats.made_tokens, 8 * 24);
    rig_close(&r);
}

/* A prompt computed before, in part or whole, under its scope only: the same tokens and numbers as
 * with nothing known. */
static void prefixes_are_computed_once(void **state) {
    (void)state;
    static golden g[GOLDEN_PROMPTS];
    static said plain, known;
    rig r;
    golden_read(g);
    rig_open(&r, NULL, (engine_options){.sequences_max = 4, .context_max = 512});
    engine_ask a = {.prompt = g[2].ids,
                    .n_prompt = 110,
                    .max_tokens = 20,
                    .sampling = {.temperature = 0.8, .top_k = 40, .seed = 3},
                    .ignore_end = true,
                    .cache_off = true,
                    .top_logprobs = 1};
    said_run(r.e, &a, &plain);
    a.cache_off = false;
    const int64_t saved[] = {0, 96, 0, 96};
    for (int i = 0; i < 4; i++) {
        engine_timings t;
        a.cache_scope = i >= 2 ? 9 : 0;
        engine_sequence *s = said_submit(r.e, &a);
        said_read(s, &known);
        engine_timings_get(s, &t);
        assert_int_equal(t.known_tokens, saved[i]);
        assert_memory_equal(&plain, &known, sizeof plain);
        engine_release(s);
    }
    a.n_prompt = 70; /* parts from it inside the third page */
    a.cache_off = true;
    said_run(r.e, &a, &plain);
    a.cache_off = false;
    said_run(r.e, &a, &known);
    assert_memory_equal(&plain, &known, sizeof plain);
    engine_stats stats;
    engine_stats_get(r.e, &stats);
    assert_int_equal(stats.known_hits, 3);
    assert_int_equal(stats.known_tokens, 96 + 96 + 64);
    assert_true(stats.pages_kept > 0 && stats.pages_free == stats.pages);
    rig_close(&r);
}

/* Guessing, from the past and by a draft model (the model itself: then nearly all hold), changes
 * no token and no number, drawn or greedy. */
static void guesses_change_nothing(void **state) {
    (void)state;
    static golden g[GOLDEN_PROMPTS];
    static said plain[2], guessed;
    rig r;
    golden_read(g);
    for (int with_model = 0; with_model < 2; with_model++) {
        rig_open(&r, NULL, (engine_options){.sequences_max = 2, .context_max = 512});
        if (with_model) {
            fail f = {0};
            engine_close(r.e);
            engine_options o = {.model = r.m, .draft = r.m, .sequences_max = 2, .context_max = 512};
            assert_ok(engine_open(&r.e, &o, &f), &f);
        }
        for (int drawn = 0; drawn < 2; drawn++) {
            engine_ask a = {.prompt = g[0].ids,
                            .n_prompt = (size_t)g[0].n,
                            .max_tokens = 60,
                            .sampling = {.temperature = drawn ? 0.7 : 0, .top_p = 0.9, .seed = 3},
                            .ignore_end = true,
                            .draft_off = true,
                            .top_logprobs = 1};
            if (!with_model) said_run(r.e, &a, &plain[drawn]);
            a.draft_off = false;
            said_run(r.e, &a, &guessed);
            assert_memory_equal(&plain[drawn], &guessed, sizeof guessed);
        }
        engine_stats stats;
        engine_stats_get(r.e, &stats);
        print_message("%s: %lld guessed, %lld held\n", with_model ? "draft model" : "past",
                      (long long)stats.drafted, (long long)stats.drafts_held);
        assert_true(stats.drafted > 0 && stats.drafts_held <= stats.drafted);
        if (with_model) assert_true(stats.drafts_held > stats.drafted / 3);
        rig_close(&r);
    }
}

/* A prefix goes to disk and into another engine, which then need not compute it. */
static void snapshots_come_back(void **state) {
    (void)state;
    static golden g[GOLDEN_PROMPTS];
    static said plain, known;
    fail f = {0};
    rig r;
    char path[64];
    int64_t n = 0;
    golden_read(g);
    rig_open(&r, NULL, (engine_options){.sequences_max = 2, .context_max = 512});
    engine_ask a = {.prompt = g[2].ids,
                    .n_prompt = 110,
                    .max_tokens = 12,
                    .sampling = {.temperature = 0.8, .seed = 5},
                    .ignore_end = true,
                    .top_logprobs = 1};
    said_run(r.e, &a, &plain);
    snprintf(path, sizeof path, "build/t_engine-%d.kv", (int)getpid());
    engine_snapshot_options o = {.path = path, .model = STR("m1"), .build = STR("b1")};
    token_ids tokens = {g[2].ids, 110};
    assert_ok(engine_snapshot_save(r.e, &tokens, &o, &n, &f), &f);
    assert_int_equal(n, 96);
    tokens.n = 31;
    assert_int_equal(engine_snapshot_save(r.e, &tokens, &o, &n, &f), E_INPUT);
    rig_close(&r);
    rig_open(&r, NULL, (engine_options){.sequences_max = 2, .context_max = 512});
    for (int i = 0; i < 2; i++) { /* once more changes nothing */
        assert_ok(engine_snapshot_load(r.e, &o, &n, &f), &f);
        assert_int_equal(n, 96);
    }
    said_run(r.e, &a, &known);
    assert_memory_equal(&plain, &known, sizeof plain);
    engine_stats stats;
    engine_stats_get(r.e, &stats);
    assert_int_equal(stats.known_tokens, 96);
    o.model = STR("m2");
    assert_int_equal(engine_snapshot_load(r.e, &o, &n, &f), E_UNSUPPORTED);
    assert_non_null(strstr(f.text, "another model"));
    o.path = "build/no-such.kv";
    assert_int_equal(engine_snapshot_load(r.e, &o, &n, &f), E_NOT_FOUND);
    engine_stats_get(r.e, &stats);
    assert_int_equal(stats.running, 0);
    assert_int_equal(stats.pages_free, stats.pages);
    unlink(path);
    rig_close(&r);
}

static void limits_are_named(void **state) {
    (void)state;
    fail f = {0};
    rig r;
    int32_t ids[200] = {504, 3575};
    engine_sequence *s[3];
    rig_open(&r, NULL,
             (engine_options){.sequences_max = 1,
                              .waiting_max = 2,
                              .context_max = 128,
                              .kv_bytes_max = (size_t)3 * 737280});
    engine_ask a = {.prompt = ids, .n_prompt = 100, .max_tokens = 29, .top_logprobs = -1};
    assert_int_equal(engine_submit(r.e, &a, &s[0], &f), E_CONTEXT);
    assert_non_null(strstr(f.text, "100 tokens and 29 to be made are above the context of 128"));
    a.max_tokens = 28;
    assert_int_equal(engine_submit(r.e, &a, &s[0], &f), E_TOO_LARGE);
    a.n_prompt = 0;
    assert_int_equal(engine_submit(r.e, &a, &s[0], &f), E_INPUT);
    a.n_prompt = 2;
    ids[1] = 49152;
    assert_int_equal(engine_submit(r.e, &a, &s[0], &f), E_INPUT);
    ids[1] = 3575;
    a.sampling.temperature = NAN;
    assert_int_equal(engine_submit(r.e, &a, &s[0], &f), E_INPUT);
    a.sampling.temperature = 0;
    a.ignore_end = true;
    a.max_tokens = 60; /* more than the queue of tokens holds: it stays until we read */
    s[0] = said_submit(r.e, &a);
    engine_stats stats = {0};
    while (stats.running == 0) {
        engine_stats_get(r.e, &stats);
        clock_sleep_ms(1);
    }
    s[1] = said_submit(r.e, &a);
    s[2] = said_submit(r.e, &a);
    engine_sequence *none = NULL;
    assert_int_equal(engine_submit(r.e, &a, &none, &f), E_LIMIT);
    assert_non_null(strstr(f.text, "1 requests are being answered and 2 are waiting"));
    engine_event ev;
    assert_int_equal(engine_next(s[2], 1, &ev, &f), E_TIMEOUT);
    engine_release(s[1]); /* a waiting one that leaves */
    static said out;
    said_read(s[0], &out);
    assert_int_equal(out.n, 60);
    engine_release(s[0]);
    assert_ok(engine_next(s[2], WAIT_MS, &ev, &f), &f);
    engine_cancel(s[2]);
    said_read(s[2], &out);
    assert_int_equal(out.finish, ENGINE_CANCELLED);
    assert_true(out.n < 60);
    engine_release(s[2]);
    rig_close(&r);
}

static void stops_stop(void **state) {
    (void)state;
    static golden g[GOLDEN_PROMPTS];
    static said out;
    rig r;
    golden_read(g);
    rig_open(&r, NULL, (engine_options){.sequences_max = 2, .context_max = 256});
    engine_ask a = {
        .prompt = g[0].ids, .n_prompt = (size_t)g[0].n, .max_tokens = 30, .top_logprobs = 0};
    char whole[512];
    said_run(r.e, &a, &out); /* " Madrid.\n\n...": what follows is the kernels' own */
    assert_in_range(strlen(out.text), 30, sizeof whole - 1);
    strcpy(whole, out.text);
    const str stops[] = {{whole + 16, 10}}; /* begins and ends inside tokens */
    a.stops = stops;
    a.n_stops = 1;
    said_run(r.e, &a, &out);
    whole[str_find(str_from(whole), stops[0])] = 0;
    assert_int_equal(out.finish, ENGINE_STOP);
    assert_string_equal(out.text, whole);
    assert_true(out.logprobs[0] < 0 && out.logprobs[0] > -5);
    a.n_stops = 0;
    a.stop_ids = &(int32_t){30}; /* "." */
    a.n_stop_ids = 1;
    said_run(r.e, &a, &out);
    assert_int_equal(out.finish, ENGINE_STOP);
    assert_int_equal(out.n, 1);
    assert_string_equal(out.text, " Madrid");
    rig_close(&r);
}

/* Scores are the log-probabilities that generation itself reports. */
static void scores_are_the_models(void **state) {
    (void)state;
    static golden g[GOLDEN_PROMPTS];
    static said out;
    fail f = {0};
    rig r;
    golden_read(g);
    rig_open(&r, NULL, (engine_options){.sequences_max = 2, .context_max = 256});
    engine_ask a = {.prompt = g[0].ids,
                    .n_prompt = (size_t)g[0].n,
                    .max_tokens = 20,
                    .top_logprobs = 0,
                    .ignore_end = true};
    said_run(r.e, &a, &out);
    double want = 0, got[3];
    for (int i = 0; i < 20; i++) want += (double)out.logprobs[i];
    token_ids prompt = {g[0].ids, (size_t)g[0].n};
    const token_ids choices[] = {{out.ids, 1}, {out.ids, 20}, {g[2].ids, 40}};
    assert_ok(engine_score(r.e, &prompt, choices, 3, NULL, got, &f), &f);
    assert_true(fabs(got[0] - (double)out.logprobs[0]) < 1e-5);
    assert_true(fabs(got[1] - want) < 1e-3);
    assert_true(got[2] < got[1]);
    const token_ids empty = {out.ids, 0}, huge = {g[2].ids, 300};
    assert_int_equal(engine_score(r.e, &prompt, &empty, 1, NULL, got, &f), E_INPUT);
    (void)huge;
    engine_timings t;
    engine_sequence *s = said_submit(r.e, &a);
    said_read(s, &out);
    engine_timings_get(s, &t);
    assert_int_equal(t.prompt_tokens, g[0].n);
    assert_int_equal(t.made_tokens, 20);
    assert_true(t.first_token_ms > 0 && t.decode_tok_s > 0 && t.prefill_tok_s > 0);
    print_message("prefill %.0f tok/s (%d tokens), decode %.0f tok/s, first token %.0f ms\n",
                  t.prefill_tok_s, g[0].n, t.decode_tok_s, t.first_token_ms);
    engine_release(s);
    rig_close(&r);
}

/* Closing with work under way, and after start-up no allocation by the engine thread. */
static void closes_in_the_middle(void **state) {
    (void)state;
    fail f = {0};
    rig r;
    int32_t ids[2] = {504, 3575};
    rig_open(&r, NULL, (engine_options){.sequences_max = 2, .context_max = 256});
    engine_ask a = {.prompt = ids, .n_prompt = 2, .max_tokens = 20, .top_logprobs = 3};
    static said out;
    said_run(r.e, &a, &out);
    int64_t before = mem_count();
    said_run(r.e, &a, &out);
    assert_int_equal(mem_count(), before);
    a.max_tokens = 200;
    a.ignore_end = true;
    engine_sequence *s = said_submit(r.e, &a);
    engine_event ev;
    assert_ok(engine_next(s, WAIT_MS, &ev, &f), &f);
    engine_release(s);
    rig_close(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_are_named),           cmocka_unit_test(stops_stop),
        cmocka_unit_test(scores_are_the_models),      cmocka_unit_test(closes_in_the_middle),
        cmocka_unit_test(company_changes_nothing),    cmocka_unit_test(greedy_is_pytorchs),
        cmocka_unit_test(prefixes_are_computed_once), cmocka_unit_test(guesses_change_nothing),
        cmocka_unit_test(snapshots_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
