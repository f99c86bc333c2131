/* t_torture.c - whole flows with each allocation and each write failing in turn: a task file, a
 * route with a fitted head (open, ask, label, refit), an encoder from its folder, the record.
 *
 * What is asked of every try: it ends (no crash, no hang), a failure has a name and a text, nothing
 * is left behind that the next try would trip over, and once nothing fails any more all is well.
 * Leaks and over-reads show in the sanitized build of this test (make sanitize). The
 * rooms torture their own parsers and tables in their own tests. */
#include "audit/audit.h"
#include "base/file.h"
#include "base/mem.h"
#include "model/model.h"
#include "route/route.h"
#include "test.h"

#include <math.h>
#include <unistd.h>

enum { WIDTH = 32, TRIES_MAX = 400, WRITES = 30 };

/* ---- a task small enough to be fitted some hundred times ---- */

static err embed(void *self, const str *texts, size_t n, bool truncate, float *out, int64_t *tokens,
                 fail *f) {
    (void)self, (void)truncate, (void)f;
    for (size_t i = 0; i < n; i++) {
        float *v = out + i * WIDTH, sum = 0;
        memset(v, 0, WIDTH * sizeof *v);
        str rest = texts[i];
        while (rest.p) v[str_hash(str_cut(&rest, ' ')) % WIDTH] += 1;
        for (int k = 0; k < WIDTH; k++) sum += v[k] * v[k];
        for (int k = 0; k < WIDTH; k++) v[k] /= sqrtf(sum > 0 ? sum : 1);
    }
    if (tokens) *tokens = 1;
    return E_OK;
}

static err ask_people(void *self, store_tx *tx, const gen_review *review, arena *a, gen_ticket *out,
                      fail *f) {
    (void)self, (void)tx, (void)review, (void)a, (void)f;
    *out = (gen_ticket){.ref = STR("ref12345"), .expected_by_ms = 1};
    return E_OK;
}

static char dir[32], task_path[64], db_path[64];
static team *workers;

static void write_task(void) {
    static const char *const topics[3] = {"please cancel end", "windscreen glass chip",
                                          "which opening hours"};
    static const char *const labels[3] = {"cancel", "glass", "hours"};
    buf text = {0};
    fail f;
    buf_put_z(&text, "id: t-torture\nkind: answer\nmode: auto\nmax_wrong: 0.1\ntiers:\n  - slm:\n"
                     "      cost_usd: 0.001\n  - human:\n      cost_usd: 6\npassages:\n"
                     "  - id: p\n    text: You may cancel any day.\nlabels:\n");
    for (int l = 0; l < 3; l++) {
        buf_printf(&text, "  - name: %s\n    passage: p\n    reply: About %s.\n    examples:\n",
                   labels[l], labels[l]);
        for (int i = 0; i < 8; i++) buf_printf(&text, "      - %s n%d\n", topics[l], i);
    }
    buf_put_z(&text, "  - name: other\n    examples:\n");
    for (int i = 0; i < 8; i++) buf_printf(&text, "      - weather planet w%d\n", i);
    assert_ok(file_write(task_path, buf_str(&text), 0600, &f), &f);
    buf_deinit(&text);
}

static int setup_all(void **state) {
    (void)state;
    fail f;
    strcpy(dir, "/tmp/bantam-t-XXXXXX");
    if (!mkdtemp(dir)) return -1;
    snprintf(task_path, sizeof task_path, "%s/demo.yaml", dir);
    snprintf(db_path, sizeof db_path, "%s/db", dir);
    return team_open(&workers, 2, &f) == E_OK ? 0 : -1;
}

static int teardown_all(void **state) {
    (void)state;
    fail f;
    team_close(workers);
    return file_remove_tree(dir, &f) == E_OK ? 0 : -1;
}

/* ---- one flow under all failures ---- */

typedef err (*flow)(fail *f);

/* Fails the n-th allocation (and with `every` all later ones), for each n until the flow passes.
 * After `dense` tries n grows by a tenth at a time, for a fit makes thousands. */
static void each_allocation(flow run, bool every, int64_t dense) {
    int64_t n = 1;
    int tries = 0, failed = 0;
    for (;;) {
        fail f = {0};
        int64_t before = mem_count();
        mem_fail_at(n, every);
        err e = run(&f);
        mem_fail_at(0, false);
        bool reached = mem_count() - before >= n;
        if (e != E_OK) {
            failed++;
            assert_true(e == f.code && f.text[0]);
        }
        if (!reached) {
            assert_ok(e, &f);
            break;
        }
        assert_true(++tries < TRIES_MAX);
        n += n < dense ? 1 : n / 10;
    }
    print_message("  %d tries, %d failed, %lld allocations\n", tries, failed, (long long)n);
    assert_true(failed > 0);
}

/* Fails the n-th write, sync or rename that goes through base/file. */
static void each_write(flow run) {
    for (int64_t n = 1; n <= WRITES; n++) {
        fail f = {0};
        file_fail_at(n);
        err e = run(&f);
        file_fail_at(0);
        if (e != E_OK) assert_true(e == f.code && f.text[0]);
        assert_ok(run(&f), &f); /* the next one finds nothing broken */
    }
}

/* ---- the flows ---- */

static err load_task(fail *f) {
    arena a;
    task *t;
    arena_init(&a, 0);
    err e = task_load(&a, "tasks/support.yaml", &t, f);
    arena_deinit(&a);
    return e;
}

static err ask(route *r, arena *a, const char *text, fail *f) {
    gen_trace t = {0};
    gen_message m = {.role = GEN_USER, .content = str_from(text)};
    gen_request rq = {.id = STR("req_1"), .messages = &m, .n_messages = 1, .arena = a};
    return route_run(r, &rq, NULL, &t, f);
}

static err teach(store *s, fail *f) {
    store_tx *tx;
    int64_t id;
    gen_label_sink sink = route_labels(s);
    gen_label label = {.task_id = STR("t-torture"),
                       .text = STR("zebra okapi"),
                       .label = STR("glass"),
                       .by = STR("me"),
                       .source = STR("review")};
    TRY(store_begin(s, STORE_WRITE, &tx, f));
    err e = sink.learn(sink.self, tx, &label, &id, f);
    if (e == E_OK) return store_commit(tx, f);
    store_rollback(tx);
    return e;
}

static err use_route(store *s, arena *a, fail *f) {
    gen_embedder embedder = {.name = "words", .width = WIDTH, .tokens_max = 100, .embed = embed};
    route *r;
    route_fit_report report;
    TRY(route_open(&r,
                   &(route_options){.task_path = task_path,
                                    .store = s,
                                    .embedder = &embedder,
                                    .people = {.ask = ask_people},
                                    .team = workers,
                                    .embedder_digest = "words",
                                    .url_base = ""},
                   f));
    err e = ask(r, a, "please cancel end", f);
    if (e == E_OK) e = ask(r, a, "zebra okapi", f);
    if (e == E_OK) e = teach(s, f);
    if (e == E_OK) e = route_refresh(r, f);
    if (e == E_OK) e = route_refit(r, NULL, 0, a, &report, f);
    route_close(r);
    return e;
}

/* Each time from an empty store, so that each try fits. */
static err a_route_from_nothing(fail *f) {
    size_t n;
    store *s;
    arena a;
    const store_migration *m = route_migrations(&n);
    static int number;
    char path[96];
    snprintf(path, sizeof path, "%s-%d", db_path, number++);
    TRY(store_open(&s, path, m, n, f));
    arena_init(&a, 0);
    err e = use_route(s, &a, f);
    arena_deinit(&a);
    store_close(s);
    return e;
}

static const char *model_folder;
static err an_encoder(fail *f) {
    model *m;
    static float vector[384];
    str text = STR("My card was stolen");
    TRY(model_open(&m, model_folder, &(model_options){.team = workers}, f));
    err e = model_embed(m, &text, 1, &(model_embed_options){.tokens_max = 256}, vector, NULL, f);
    model_close(m);
    return e;
}

/* One store and one folder for all tries: what was acknowledged is counted at the end. */
static int acknowledged;
static char journal_path[64];
static err the_record(fail *f) {
    size_t n;
    store *s;
    audit *record;
    const store_migration *m = audit_migrations(&n);
    TRY(store_open(&s, db_path, m, n, f));
    err e = audit_open(&record, &(audit_options){.store = s, .folder = journal_path}, f);
    if (e == E_OK) {
        char id[32];
        snprintf(id, sizeof id, "req_%d", acknowledged);
        gen_trace t = {.request_id = str_from(id),
                       .task_id = STR("t-torture"),
                       .question = STR("?"),
                       .answer = STR("!")};
        e = audit_put(record, &t, f);
        if (e == E_OK) {
            acknowledged++;
            e = audit_settle(record, f);
        }
        audit_close(record);
    }
    store_close(s);
    return e;
}

/* ---- the tests ---- */

static void a_task_file(void **state) {
    (void)state;
    each_allocation(load_task, false, 60);
    each_allocation(load_task, true, 60);
}

static void a_task_in_service(void **state) {
    (void)state;
    write_task();
    each_allocation(a_route_from_nothing, false, 120);
    each_allocation(a_route_from_nothing, true, 60);
}

static void a_model(void **state) {
    (void)state;
    static char folder[4096];
    snprintf(folder, sizeof folder, "%s", test_model("minilm/model.safetensors"));
    *strrchr(folder, '/') = 0;
    model_folder = folder;
    each_allocation(an_encoder, false, 120);
    each_allocation(an_encoder, true, 30);
}

static void the_record_keeps_what_it_took(void **state) {
    (void)state;
    fail f;
    size_t n;
    store *s;
    audit *record;
    arena a;
    audit_row *rows;
    const store_migration *m = audit_migrations(&n);
    snprintf(journal_path, sizeof journal_path, "%s/journal", dir);
    each_allocation(the_record, false, 120);
    each_write(the_record);
    arena_init(&a, 0);
    assert_ok(store_open(&s, db_path, m, n, &f), &f);
    assert_ok(audit_open(&record, &(audit_options){.store = s, .folder = journal_path}, &f), &f);
    assert_ok(audit_list(record, &(audit_filter){.limit = AUDIT_LIST_MAX}, &a, &rows, &n, &f), &f);
    assert_int_equal(n, acknowledged);
    audit_close(record);
    store_close(s);
    arena_deinit(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_file),
        cmocka_unit_test(a_task_in_service),
        cmocka_unit_test(a_model),
        cmocka_unit_test(the_record_keeps_what_it_took),
    };
    return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
