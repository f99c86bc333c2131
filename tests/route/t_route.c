/* t_route.c - tests route/: a task over a small embedder made of words, a provider that says what
 * the test wants, and a queue that only counts. What goes out, what goes up and why, what a label
 * changes. */
#include "base/file.h"
#include "base/mem.h"
#include "route/route.h"
#include "text/utf8.h"
#include "test.h"

#include <math.h>
#include <unistd.h>

enum { WIDTH = 64 };

/* A text's vector: its words hashed into WIDTH places, unit length. Like words, like vectors. */
static err embed(void *self, const str *texts, size_t n, bool truncate, float *out, int64_t *tokens,
                 fail *f) {
    (void)self, (void)truncate, (void)f;
    for (size_t i = 0; i < n; i++) {
        float *v = out + i * WIDTH, sum = 0;
        memset(v, 0, WIDTH * sizeof *v);
        str rest = texts[i];
        while (rest.p) {
            str word = str_cut(&rest, ' ');
            if (word.n) v[str_hash(word) % WIDTH] += 1;
        }
        for (int k = 0; k < WIDTH; k++) sum += v[k] * v[k];
        for (int k = 0; k < WIDTH; k++) v[k] /= sqrtf(sum > 0 ? sum : 1);
    }
    if (tokens) *tokens = 1;
    return E_OK;
}

typedef struct stub {
    const char *says; /* NULL: fails with `code` */
    err code;
    int asked;
} stub;

static err generate(void *self, const gen_request *rq, gen_sink sink, gen_reply *out, fail *f) {
    (void)rq, (void)sink;
    stub *s = self;
    s->asked++;
    if (!s->says) return fail_set(f, s->code, "the stub failed");
    *out = (gen_reply){.text = str_from(s->says), .prompt_tokens = 1000, .completion_tokens = 10};
    return E_OK;
}

static int queued;
static gen_review last_review;
static err ask_people(void *self, store_tx *tx, const gen_review *review, arena *a, gen_ticket *out,
                      fail *f) {
    (void)self, (void)tx, (void)a, (void)f;
    queued++;
    last_review = *review;
    *out = (gen_ticket){.ref = STR("ref12345"), .expected_by_ms = 1};
    return E_OK;
}

static const char *const topics[4][3] = {{"cancel", "end stop policy", "please cancel"},
                                         {"glass", "windscreen broken chip", "my glass"},
                                         {"hours", "open phone time", "which hours"},
                                         {"payment", "due amount owe", "my payment"}};
static const char *const labels[4] = {"cancel", "glass", "hours", "payment"};

typedef struct bench {
    char dir[32], path[64], db[64];
    arena a;
    store *store;
    team *team;
    stub stub;
    gen_provider large;
    gen_embedder embedder;
    route *route;
    bool drafts;
} bench;

static void write_task(bench *b, const char *mode, bool large) {
    buf text = {0};
    fail f;
    buf_printf(&text,
               "id: t-demo\nkind: answer\nmode: %s\nmax_wrong: 0.1\ntiers:\n  - slm:\n      "
               "cost_usd: 0.001\n",
               mode);
    if (large)
        buf_put_z(&text, "  - llm:\n      url: http://127.0.0.1:1/v1\n      usd_per_million_in: "
                         "10\n      usd_per_million_out: 100\n");
    buf_put_z(&text, "  - human:\n      cost_usd: 6\npassages:\n  - id: p1\n    title: "
                     "Cancelling\n    text: You may cancel any day. "
                     "The fee is 35 pounds.\nlabels:\n");
    for (int l = 0; l < 4; l++) {
        buf_printf(&text, "  - name: %s\n", labels[l]);
        if (l == 3)
            buf_put_z(&text, "    needs_record: true\n");
        else if (l != 2)
            buf_printf(&text, "    passage: p1\n    reply: The reply about %s.\n", labels[l]);
        buf_put_z(&text, "    examples:\n");
        for (int i = 0; i < 24; i++)
            buf_printf(&text, "      - %s %s %s n%d\n", topics[l][0], topics[l][1], topics[l][2],
                       i);
    }
    buf_put_z(&text, "  - name: other\n    examples:\n");
    for (int i = 0; i < 24; i++)
        buf_printf(&text, "      - weather football music planet w%d x%d\n", i, i * 7);
    assert_ok(file_write(b->path, buf_str(&text), 0600, &f), &f);
    buf_deinit(&text);
}

static void open_route(bench *b) {
    fail f;
    route_options o = {.task_path = b->path,
                       .store = b->store,
                       .embedder = &b->embedder,
                       .large = &b->large,
                       .drafter = b->drafts ? &b->large : NULL,
                       .people = {.ask = ask_people},
                       .team = b->team,
                       .embedder_digest = "words",
                       .url_base = "http://h"};
    assert_ok(route_open(&b->route, &o, &f), &f);
}

static void setup(bench *b, const char *mode, bool large) {
    fail f;
    size_t n;
    memset(b, 0, sizeof *b);
    strcpy(b->dir, "/tmp/bantam-t-XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    snprintf(b->path, sizeof b->path, "%s/demo.yaml", b->dir);
    snprintf(b->db, sizeof b->db, "%s/db", b->dir);
    arena_init(&b->a, 0);
    b->large = (gen_provider){.name = "stub", .self = &b->stub, .generate = generate};
    b->embedder =
        (gen_embedder){.name = "words", .width = WIDTH, .tokens_max = 100, .embed = embed};
    const store_migration *m = route_migrations(&n);
    assert_ok(store_open(&b->store, b->db, m, n, &f), &f);
    assert_ok(team_open(&b->team, 2, &f), &f);
    write_task(b, mode, large);
    open_route(b);
    queued = 0;
}

static void teardown(bench *b) {
    fail f;
    route_close(b->route);
    team_close(b->team);
    store_close(b->store);
    assert_ok(file_remove_tree(b->dir, &f), &f);
    arena_deinit(&b->a);
}

static gen_trace ask(bench *b, const char *text) {
    fail f;
    gen_trace t = {0};
    gen_message m = {.role = GEN_USER, .content = str_from(text)};
    gen_request rq = {.id = STR("req_1"), .messages = &m, .n_messages = 1, .arena = &b->a};
    assert_ok(route_run(b->route, &rq, NULL, &t, &f), &f);
    return t;
}

static void answers_word_for_word(void **state) {
    (void)state;
    bench b;
    setup(&b, "auto", false);
    gen_trace t = ask(&b, "please cancel end stop policy cancel");
    assert_int_equal(t.tier, GEN_TIER_SLM);
    assert_true(str_is(t.answer, "The reply about cancel."));
    assert_int_equal(t.n_passages, 1);
    assert_true(t.cost_usd > 0.0009 && t.cost_usd < 0.0011);
    assert_int_equal(queued, 0);
    teardown(&b);
}

static void goes_up_and_says_why(void **state) {
    (void)state;
    static const struct {
        const char *text;
        gen_reason why;
    } rows[] = {
        {"payment due amount owe my payment", GEN_WHY_NEEDS_RECORD},
        {"hours open phone time which hours", GEN_WHY_NO_REPLY},
        {"weather football music planet", GEN_WHY_OTHER},
        {"I want to talk to a human being please", GEN_WHY_WANTS_PERSON},
        {"wie kann ich bitte meine Versicherung kündigen und was kostet das", GEN_WHY_LANGUAGE},
        {"and what about that one?", GEN_WHY_FOLLOW_UP},
    };
    bench b;
    setup(&b, "auto", false);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        gen_trace t = ask(&b, rows[i].text);
        assert_int_equal(t.tier, GEN_TIER_HUMAN);
        assert_null(t.answer.p);
        if (t.reason != rows[i].why) fail_msg("%s: %s", rows[i].text, gen_reason_code(t.reason));
        assert_true(str_is(t.review, "ref12345") && str_is(t.url, "http://h/v1/answers/ref12345"));
    }
    assert_int_equal(queued, (int)(sizeof rows / sizeof *rows));
    teardown(&b);
}

static void modes_hold_back(void **state) {
    (void)state;
    bench b;
    fail f;
    setup(&b, "suggest", false);
    gen_trace t = ask(&b, "please cancel end stop policy cancel");
    assert_int_equal(t.reason, GEN_WHY_SUGGEST);
    assert_true(str_is(last_review.draft, "The reply about cancel."));
    assert_ok(route_set_mode(b.store, STR("t-demo"), TASK_ALL_TO_PEOPLE, STR("me"), &f), &f);
    assert_int_equal(ask(&b, "please cancel end stop policy cancel").reason, GEN_WHY_ALL_TO_PEOPLE);
    assert_ok(route_set_mode(b.store, STR("t-demo"), TASK_AUTO, STR("me"), &f), &f);
    assert_int_equal(ask(&b, "please cancel end stop policy cancel").tier, GEN_TIER_SLM);
    teardown(&b);
}

static int64_t teach(bench *b, const char *text, const char *label) {
    fail f;
    store_tx *tx;
    int64_t id;
    gen_label_sink sink = route_labels(b->store);
    gen_label l = {.task_id = STR("t-demo"),
                   .text = str_from(text),
                   .label = str_from(label),
                   .source = STR("review")};
    assert_ok(store_begin(b->store, STORE_WRITE, &tx, &f), &f);
    assert_ok(sink.learn(sink.self, tx, &l, &id, &f), &f);
    assert_ok(store_commit(tx, &f), &f);
    return id;
}

static void a_label_counts_from_the_next_question_on(void **state) {
    (void)state;
    bench b;
    fail f;
    setup(&b, "auto", false);
    const char *fresh = "zebra quagga okapi tapir";
    assert_int_equal(ask(&b, fresh).tier, GEN_TIER_HUMAN);
    gen_trace before = ask(&b, "my glass windscreen broken chip glass");
    int64_t id = teach(&b, fresh, "glass");
    gen_trace t = ask(&b, fresh);
    assert_true(str_is(t.label, "glass") && str_is(t.answer, "The reply about glass."));
    assert_int_equal(t.reason, GEN_WHY_TAUGHT);
    gen_trace after = ask(&b, "my glass windscreen broken chip glass");
    assert_true(after.confidence == before.confidence);
    /* a label that the task does not have: known at once, no text until somebody writes one */
    teach(&b, "submarine periscope torpedo sonar", "boats");
    t = ask(&b, "submarine periscope torpedo sonar");
    assert_true(str_is(t.label, "boats") && t.tier == GEN_TIER_HUMAN &&
                t.reason == GEN_WHY_NO_REPLY);
    assert_ok(route_set_reply(b.store, STR("t-demo"), STR("boats"), STR("We insure boats."),
                              STR(""), STR("me"), &f),
              &f);
    assert_true(str_is(ask(&b, "submarine periscope torpedo sonar").answer, "We insure boats."));
    /* unlearned: gone at once */
    store_tx *tx;
    gen_label_sink sink = route_labels(b.store);
    assert_ok(store_begin(b.store, STORE_WRITE, &tx, &f), &f);
    assert_ok(sink.forget(sink.self, tx, id, &f), &f);
    assert_ok(store_commit(tx, &f), &f);
    assert_int_equal(ask(&b, fresh).tier, GEN_TIER_HUMAN);
    teardown(&b);
}

static void refit_takes_labels_in(void **state) {
    (void)state;
    bench b;
    fail f;
    route_fit_report r;
    setup(&b, "auto", false);
    for (int i = 0; i < 8; i++) {
        char text[64];
        snprintf(text, sizeof text, "zebra quagga okapi tapir k%d", i);
        teach(&b, text, "glass");
    }
    assert_ok(route_refresh(b.route, &f), &f);
    assert_true(route_is_stale(b.route));
    str rows[] = {STR("zebra quagga okapi tapir"), STR("please cancel end stop policy cancel")};
    assert_ok(route_refit(b.route, rows, 2, &b.a, &r, &f), &f);
    assert_false(route_is_stale(b.route));
    assert_int_equal(r.n_taught, 8);
    assert_int_equal(r.n_examples, 5 * 24 + 8);
    assert_true(str_is(ask(&b, "zebra quagga okapi tapir").label, "glass"));
    route_close(b.route); /* the stored head serves after a restart, nothing is fitted again */
    open_route(&b);
    assert_false(route_is_stale(b.route));
    assert_true(str_is(ask(&b, "zebra quagga okapi tapir").label, "glass"));
    teardown(&b);
}

static void the_large_tier_may_only_choose(void **state) {
    (void)state;
    bench b;
    setup(&b, "auto", true);
    const char *unsure = "zebra quagga okapi tapir";
    b.stub.says = "```json\n{\"label\": \"glass\"}\n```";
    gen_trace t = ask(&b, unsure);
    assert_int_equal(t.tier, GEN_TIER_LLM);
    assert_true(str_is(t.answer, "The reply about glass."));
    assert_true(t.cost_usd > 0.0119 &&
                t.cost_usd < 0.0121); /* 0.001 + 1000 * 10e-6 + 10 * 100e-6 */
    b.stub.says = "{\"sentences\":[2]}";
    t = ask(&b, unsure);
    assert_true(str_is(t.answer, "The fee is 35 pounds."));
    assert_int_equal(queued, 0);
    static const char *const drafts[] = {
        "It costs 12 pounds.", "{\"sentences\":[99]}", "{\"label\":\"invented\"}",
        "{\"draft\":\"Hm\"}",  "{\"label\":",          "{\"label\":\"payment\"}",
        "{\"sentences\":[]}"};
    for (size_t i = 0; i < sizeof drafts / sizeof *drafts; i++) {
        b.stub.says = drafts[i];
        t = ask(&b, unsure);
        if (t.tier != GEN_TIER_HUMAN || t.answer.p) fail_msg("let through: %s", drafts[i]);
    }
    b.stub.says = NULL;
    static const struct {
        err code;
        gen_reason why;
    } errors[] = {{E_TIMEOUT, GEN_WHY_TIMEOUT},
                  {E_BUSY, GEN_WHY_RATE_LIMITED},
                  {E_NETWORK, GEN_WHY_PROVIDER}};
    for (size_t i = 0; i < 3; i++) {
        b.stub.code = errors[i].code;
        t = ask(&b, unsure);
        assert_int_equal(t.tier, GEN_TIER_HUMAN);
        assert_int_equal(t.steps[1].outcome, GEN_FAILED);
        assert_int_equal(t.steps[1].reason, errors[i].why);
    }
    int before = b.stub.asked;
    ask(&b, "I want to talk to a human being please");
    assert_int_equal(b.stub.asked, before);
    teardown(&b);
}

static void a_generated_draft_reaches_only_people(void **state) {
    (void)state;
    bench b;
    fail f;
    str text;
    setup(&b, "auto", false);
    b.stub.says = "Dear customer, words.";
    assert_ok(file_read(&b.a, b.path, 0, &text, &f), &f);
    str with = arena_printf(&b.a, "generate: draft\n%.*s", STR_ARG(text));
    assert_ok(file_write(b.path, with, 0600, &f), &f);
    route_close(b.route);
    b.drafts = true;
    open_route(&b);
    gen_trace t = ask(&b, "zebra quagga okapi tapir");
    assert_int_equal(t.tier, GEN_TIER_HUMAN);
    assert_null(t.answer.p);
    assert_true(str_is(last_review.draft, "Dear customer, words."));
    assert_true(t.reason !=
                GEN_WHY_DRAFT_ONLY); /* why it went up is still the small tier's reason */
    teardown(&b);
}

static void a_new_task_file_is_read(void **state) {
    (void)state;
    bench b;
    fail f;
    setup(&b, "auto", false);
    assert_ok(file_write(b.path, STR("id: t-demo\nkind: broken\n"), 0600, &f), &f);
    assert_int_equal(ask(&b, "please cancel end stop policy cancel").tier,
                     GEN_TIER_SLM); /* the last good one goes on */
    write_task(&b, "suggest", false);
    assert_int_equal(ask(&b, "please cancel end stop policy cancel").reason, GEN_WHY_SUGGEST);
    teardown(&b);
}

/* Quoted sentences are slices of the file that they were read from: it lives as long as they do. */
static void quotes_outlive_no_task_file(void **state) {
    (void)state;
    bench b;
    setup(&b, "suggest", false);
    const char *vague = "cancel any day fee";
    for (int i = 0; i < 6; i++) {
        write_task(&b, i % 2 ? "suggest" : "auto", false);
        ask(&b, "please cancel end stop policy cancel"); /* reads the file again, quotes nothing */
        if (i % 3 == 2) ask(&b, vague);
    }
    gen_trace t = ask(&b, vague);
    assert_int_equal(t.tier, GEN_TIER_HUMAN);
    teardown(&b);
}

static bool cancel_now(void *self) {
    int *left = self;
    return --*left < 0;
}

static void a_fit_ends_when_told_to(void **state) {
    (void)state;
    bench b;
    fail f;
    setup(&b, "auto", false);
    route_close(b.route);
    write_task(&b, "suggest", false);
    int left = 0;
    route *r = NULL;
    buf text = {0};
    arena a;
    str old;
    arena_init(&a, 0);
    assert_ok(file_read(&a, b.path, 1 << 20, &old, &f), &f);
    buf_put(&text, old);
    buf_put_z(&text, "      - one example more\n"); /* the stored head does not fit the file */
    assert_ok(file_write(b.path, buf_str(&text), 0600, &f), &f);
    route_options o = {.task_path = b.path,
                       .store = b.store,
                       .embedder = &b.embedder,
                       .team = b.team,
                       .embedder_digest = "words",
                       .url_base = "",
                       .cancelled = cancel_now,
                       .cancelled_self = &left};
    assert_int_equal(route_open(&r, &o, &f), E_CANCELLED);
    assert_null(r);
    buf_deinit(&text);
    arena_deinit(&a);
    open_route(&b); /* and begins anew */
    assert_int_equal(ask(&b, "please cancel end stop policy cancel").reason, GEN_WHY_SUGGEST);
    teardown(&b);
}

/* ---- each allocation fails in turn ---- */

static route_options torture_options(bench *b) {
    return (route_options){.task_path = b->path,
                           .store = b->store,
                           .embedder = &b->embedder,
                           .large = &b->large,
                           .people = {.ask = ask_people},
                           .team = b->team,
                           .embedder_digest = "words",
                           .url_base = "http://h"};
}

static void opening_survives_each_failed_allocation(void **state) {
    (void)state;
    bench b;
    fail f;
    setup(&b, "auto", false);
    route_close(b.route);
    b.route = NULL;
    route_options o = torture_options(&b);
    for (int64_t n = 1;; n += n < 300 ? 1 : 23) {
        o.embedder_digest = n % 2 ? "one" : "two"; /* another model: it is fitted anew */
        int64_t before = mem_count();
        mem_fail_at(n, false);
        err e = route_open(&b.route, &o, &f);
        bool reached = mem_count() - before >= n;
        mem_fail_at(0, false);
        if (e == E_OK) route_close(b.route);
        b.route = NULL;
        if (e != E_OK && e != E_NO_MEMORY) fail_msg("allocation %lld: %s", (long long)n, f.text);
        if (!reached) break;
    }
    open_route(&b);
    assert_true(str_is(ask(&b, "please cancel end stop policy cancel").label, "cancel"));
    teardown(&b);
}

static void a_question_survives_each_failed_allocation(void **state) {
    (void)state;
    static const char *const questions[] = {"please cancel end stop policy cancel",
                                            "cancel any day fee", "zebra quagga okapi tapir",
                                            "payment due amount owe my payment"};
    bench b;
    fail f;
    setup(&b, "auto", true);
    b.stub.says = "{\"sentences\":[2]}";
    for (size_t q = 0; q < sizeof questions / sizeof *questions; q++) {
        gen_tier tier = ask(&b, questions[q]).tier;
        for (int64_t n = 1;; n++) {
            char fresh[32];
            snprintf(fresh, sizeof fresh, "okapi k%d", (int)(n % 3));
            teach(&b, fresh,
                  n % 2 ? "glass" : "hours"); /* so that a new brain is built each time */
            arena a;
            arena_init(&a, 0);
            gen_trace t = {0};
            gen_message m = {.role = GEN_USER, .content = str_from(questions[q])};
            gen_request rq = {.id = STR("req_1"), .messages = &m, .n_messages = 1, .arena = &a};
            int64_t before = mem_count();
            mem_fail_at(n, false);
            err e = route_run(b.route, &rq, NULL, &t, &f);
            bool reached = mem_count() - before >= n;
            mem_fail_at(0, false);
            if (e != E_OK && e != E_NO_MEMORY)
                fail_msg("%s, allocation %lld: %s", questions[q], (long long)n, f.text);
            arena_deinit(&a);
            if (!reached) break;
        }
        assert_int_equal(ask(&b, questions[q]).tier, tier);
    }
    teardown(&b);
}

static void a_refit_survives_each_failed_allocation(void **state) {
    (void)state;
    bench b;
    fail f;
    setup(&b, "auto", false);
    teach(&b, "zebra quagga okapi tapir", "glass");
    for (int64_t n = 1;; n += n < 200 ? 1 : 29) {
        arena a;
        route_fit_report r;
        arena_init(&a, 0);
        int64_t before = mem_count();
        mem_fail_at(n, false);
        err e = route_refit(b.route, NULL, 0, &a, &r, &f);
        bool reached = mem_count() - before >= n;
        mem_fail_at(0, false);
        arena_deinit(&a);
        if (e != E_OK && e != E_NO_MEMORY) fail_msg("allocation %lld: %s", (long long)n, f.text);
        if (!reached) break;
    }
    assert_false(route_is_stale(b.route));
    assert_true(str_is(ask(&b, "please cancel end stop policy cancel").label, "cancel"));
    teardown(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_word_for_word),
        cmocka_unit_test(goes_up_and_says_why),
        cmocka_unit_test(modes_hold_back),
        cmocka_unit_test(a_label_counts_from_the_next_question_on),
        cmocka_unit_test(refit_takes_labels_in),
        cmocka_unit_test(the_large_tier_may_only_choose),
        cmocka_unit_test(a_generated_draft_reaches_only_people),
        cmocka_unit_test(a_new_task_file_is_read),
        cmocka_unit_test(quotes_outlive_no_task_file),
        cmocka_unit_test(a_fit_ends_when_told_to),
        cmocka_unit_test(opening_survives_each_failed_allocation),
        cmocka_unit_test(a_question_survives_each_failed_allocation),
        cmocka_unit_test(a_refit_survives_each_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
