/* cmd_task.c - bantam task ...: write a task from rows, run it, measure it, teach it. */
#include "app/cmd.h"
#include "app/out.h"
#include "app/rows.h"
#include "app/world.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/rand.h"
#include "eval/eval.h"
#include "text/csv.h"

#include <math.h>
#include <stdio.h>

#define JSON_OPTION \
    { "json", 0, NULL, "print one JSON object on stdout", false }
#define KERN_OPTION \
    { "kern", 0, "NAME", "numeric kernels: f32, ref or avx2 (default: the fastest)", false }
#define THREADS_OPTION \
    { "threads", 't', "N", "compute threads (default: the cores there are)", false }

typedef err (*task_body)(const cli *c, world *w, fail *f);

/* Opens the world with the options all task commands share, runs, closes. */
static err in_world(const cli *c, bool store, task_body body, fail *f) {
    static world w;
    int64_t threads;
    TRY(cli_int(c, "threads", 0, 0, 256, &threads, f));
    err e = world_open(&w, f);
    w.threads = (int)threads;
    w.kern = cli_value(c, "kern");
    if (e == E_OK && store) e = world_open_store(&w, f);
    if (e == E_OK) e = body(c, &w, f);
    world_close(&w);
    return e;
}

static err print_json(buf *b, fail *f) {
    err e = out_json(b, f);
    buf_deinit(b);
    return e;
}

static void put_number(json_writer *w, const char *key, double v) {
    json_key(w, key);
    json_put_double(w, v);
}
static void put_count(json_writer *w, const char *key, size_t v) {
    json_key(w, key);
    json_put_int(w, (int64_t)v);
}
static void put_text(json_writer *w, const char *key, str s) {
    json_key(w, key);
    json_put_str(w, s.n ? s : STR_NONE);
}

/* ---- figures of a head, in words ---- */

static void put_report(json_writer *w, const route_fit_report *r) {
    put_count(w, "examples", r->n_examples);
    put_count(w, "labels", r->n_labels);
    put_number(w, "threshold", r->threshold);
    put_number(w, "max_wrong", r->max_wrong);
    json_key(w, "cross_validated");
    json_begin_object(w);
    put_count(w, "rows", r->cv_rows);
    put_count(w, "answered", r->cv_answered);
    put_count(w, "wrong", r->cv_wrong);
    put_number(w, "accuracy", r->cv_accuracy);
    json_end_object(w);
    json_key(w, "changes");
    json_begin_array(w);
    for (size_t i = 0; i < r->n_changes; i++) {
        const route_change *c = &r->changes[i];
        json_begin_object(w);
        put_text(w, "text", c->text);
        put_text(w, "label_before", c->label_before);
        put_text(w, "label_after", c->label_after);
        json_key(w, "automatic_before");
        json_put_bool(w, c->auto_before);
        json_key(w, "automatic_after");
        json_put_bool(w, c->auto_after);
        json_end_object(w);
    }
    json_end_array(w);
}

static void print_report(const route_fit_report *r) {
    printf("fitted on %zu examples of %zu labels", r->n_examples, r->n_labels);
    if (r->embed_ms + r->fit_ms) /* unknown where the head was fitted before */
        printf(" (%.1f s to embed, %.1f s to fit)", (double)r->embed_ms * 1e-3,
               (double)r->fit_ms * 1e-3);
    printf("\n");
    if (isnan(r->threshold)) {
        printf("nothing is automatic: no threshold holds the limit of %.1f %% wrong. Add examples, "
               "above all of\n"
               "`other`, and of what gets mixed up; until then every question goes up a tier.\n",
               r->max_wrong * 100);
        return;
    }
    printf("automatic from confidence %.3f on: cross-validated, %zu of %zu rows would be answered, "
           "%zu of them wrong\n"
           "(limit %.1f %%). This rests on questions to come being like these rows.\n",
           r->threshold, r->cv_answered, r->cv_rows, r->cv_wrong, r->max_wrong * 100);
}

static void print_changes(const route_fit_report *r) {
    printf("%zu answer%s changed%s\n", r->n_changes, r->n_changes == 1 ? "" : "s",
           r->n_changes ? ":" : "");
    for (size_t i = 0; i < r->n_changes; i++) {
        const route_change *c = &r->changes[i];
        printf("  %.*s%s -> %.*s%s   %.*s\n", STR_ARG(c->label_before),
               c->auto_before ? "" : " (goes up)", STR_ARG(c->label_after),
               c->auto_after ? "" : " (goes up)", STR_ARG(c->text));
    }
}

/* ---- init ---- */

static err init_rows(const cli *c, arena *a, const char *path, task_row **out, size_t *n, fail *f) {
    rows_table t;
    (void)c;
    TRY(rows_load(a, path, &t, f));
    TRY(rows_want(&t, path, "text", f));
    TRY(rows_want(&t, path, "label", f));
    task_row *rows = arena_new_n(a, task_row, t.n + 1);
    if (!rows) return fail_memory(f, "rows");
    for (size_t i = 0; i < t.n; i++)
        rows[i] =
            (task_row){rows_get(&t, i, "text"), rows_get(&t, i, "label"), rows_get(&t, i, "reply")};
    *out = rows;
    *n = t.n;
    return E_OK;
}

static err fit_new(const cli *c, world *w, const char *path, fail *f) {
    world_task *t;
    route_fit_report r;
    TRY(world_task_open(w, str_from(path), &t, f));
    TRY(route_report(t->route, c->arena, &r, f));
    if (!cli_flag(c, "json")) {
        printf("wrote %s\n", path);
        print_report(&r);
        printf("try it: bantam task run %.*s \"a question\"\n", STR_ARG(t->name));
        return E_OK;
    }
    buf b = {0};
    json_writer j = {.out = &b};
    json_begin_object(&j);
    put_text(&j, "task", t->name);
    put_text(&j, "path", str_from(path));
    put_report(&j, &r);
    json_end_object(&j);
    return print_json(&b, f);
}

static err task_init(const cli *c, world *w, fail *f) {
    str name = str_from(c->args[0]);
    const char *from = cli_value(c, "from"), *model = cli_value(c, "model");
    task_row *rows = NULL;
    size_t n = 0;
    if (!from) {
        fail_set(f, E_USAGE, "bantam task init needs --from ROWS");
        return fail_hint(f, "ROWS is a CSV or JSONL file with columns text,label; label \"other\" "
                            "= in nobody's scope");
    }
    if (!task_name_ok(name))
        return fail_set(f, E_USAGE, "\"%s\" is not a task's name: use a-z, 0-9, _ and -",
                        c->args[0]);
    str path = arena_printf(c->arena, "tasks/%.*s.yaml", STR_ARG(name));
    if (!path.p) return fail_memory(f, "a path");
    if (file_exists(path.p)) {
        fail_set(f, E_EXISTS, "%s exists and is not overwritten", path.p);
        return fail_hint(f, "choose another name, or delete the file if it is not needed");
    }
    TRY(init_rows(c, c->arena, from, &rows, &n, f));
    TRY(file_make_dirs("tasks", f));
    TRY(task_write_new(path.p, name, str_from(model ? model : "minilm"), rows, n, f));
    err e = fit_new(c, w, path.p, f);
    fail ignored;
    /* a task that cannot be fitted is not left behind half made */
    if (e != E_OK && file_remove(path.p, &ignored) != E_OK)
        fail_hint(f, "remove %s before trying again", path.p);
    return e;
}
static err run_init(const cli *c, fail *f) {
    return in_world(c, true, task_init, f);
}

/* ---- list, check ---- */

static err task_list_body(const cli *c, world *w, fail *f) {
    task_place *places;
    size_t n = 0;
    TRY(task_list(c->arena, w->home.task_dirs, 2, &places, &n, f));
    buf b = {0};
    json_writer j = {.out = &b};
    json_begin_object(&j);
    json_key(&j, "tasks");
    json_begin_array(&j);
    for (size_t i = 0; i < n; i++) {
        task *t = NULL;
        fail bad = {0};
        bool ok = task_load(c->arena, places[i].path.p, &t, &bad) == E_OK;
        if (!cli_flag(c, "json")) {
            printf("%-20.*s %-9s %4zu labels  %.*s\n", STR_ARG(places[i].name),
                   !ok                        ? "BROKEN"
                   : t->kind == TASK_CLASSIFY ? "classify"
                                              : "answer",
                   ok ? t->n_labels : 0, STR_ARG(ok ? t->title : str_from(bad.text)));
            continue;
        }
        json_begin_object(&j);
        put_text(&j, "name", places[i].name);
        put_text(&j, "path", places[i].path);
        put_text(&j, "error", ok ? STR("") : str_from(bad.text));
        put_text(&j, "title", ok ? t->title : STR(""));
        json_end_object(&j);
    }
    json_end_array(&j);
    json_end_object(&j);
    if (cli_flag(c, "json")) return print_json(&b, f);
    buf_deinit(&b);
    if (n == 0)
        printf("no tasks in ./tasks or %s; make one: bantam task init NAME --from rows.csv\n",
               w->home.tasks);
    return E_OK;
}
static err run_list(const cli *c, fail *f) {
    return in_world(c, false, task_list_body, f);
}

static err task_check(const cli *c, world *w, fail *f) {
    str path;
    task *t;
    size_t examples = 0, silent = 0;
    TRY(task_find(c->arena, w->home.task_dirs, 2, str_from(c->args[0]), &path, f));
    TRY(task_load(c->arena, path.p, &t, f));
    for (size_t i = 0; i < t->n_labels; i++) {
        const task_label *l = &t->labels[i];
        examples += l->n_examples;
        if (t->kind == TASK_ANSWER && !l->is_other && !l->always_human && !l->needs_record &&
            !l->reply.n)
            silent++;
        if (l->n_examples < 5)
            printf("note: label %.*s has only %zu examples\n", STR_ARG(l->name), l->n_examples);
    }
    if (t->other < 0)
        printf("note: there is no label `other`: questions in nobody's scope are hard to recognise "
               "without it\n");
    if (silent)
        printf("note: %zu labels have no approved reply, so a person answers those\n", silent);
    printf("%s is right: %zu labels, %zu examples, %zu passages\n", path.p, t->n_labels, examples,
           t->n_passages);
    return E_OK;
}
static err run_check(const cli *c, fail *f) {
    return in_world(c, false, task_check, f);
}

/* ---- run ---- */

static err put_answer_json(buf *b, const gen_trace *t) {
    json_writer j = {.out = b};
    json_begin_object(&j);
    json_key(&j, "answer");
    json_put_str(&j, t->answer);
    put_text(&j, "label", t->label);
    put_text(&j, "tier", str_from(gen_tier_name(t->tier)));
    put_number(&j, "confidence", t->confidence);
    put_number(&j, "cost", t->cost_usd);
    json_key(&j, "passages");
    json_begin_array(&j);
    for (size_t i = 0; i < t->n_passages; i++) {
        json_begin_object(&j);
        put_text(&j, "id", t->passages[i].id);
        put_text(&j, "title", t->passages[i].title);
        put_text(&j, "text", t->passages[i].text);
        json_end_object(&j);
    }
    json_end_array(&j);
    put_text(&j, "reason", str_from(gen_reason_code(t->reason)));
    put_text(&j, "trace", t->request_id);
    put_text(&j, "review", t->review);
    json_end_object(&j);
    return E_OK;
}

static void print_answer(const gen_trace *t) {
    if (t->answer.p)
        printf("%.*s\n\n", STR_ARG(str_trim(t->answer)));
    else if (t->review.n)
        printf("A person will answer. Reference %.*s.\n\n", STR_ARG(t->review));
    else
        printf("Nobody may answer this: the task has no human tier.\n\n");
    printf("%stier %s", out_dim(), gen_tier_name(t->tier));
    if (t->label.n) printf(", label %.*s", STR_ARG(t->label));
    if (!isnan(t->confidence)) printf(", confidence %.2f", t->confidence);
    printf(", %.1f ms, assumed cost $%.5f\n", (double)t->latency_us * 1e-3, t->cost_usd);
    printf("why: %s\n", gen_reason_text(t->reason));
    for (size_t i = 0; i < t->n_passages; i++)
        printf("passage: %.*s (%.*s)\n", STR_ARG(t->passages[i].title), STR_ARG(t->passages[i].id));
    printf("trace: bantam trace %.*s%s\n", STR_ARG(t->request_id), out_plain());
}

static err task_run(const cli *c, world *w, fail *f) {
    world_task *t;
    char id[32] = "req_";
    TRY(world_task_open(w, str_from(c->args[0]), &t, f));
    rand_id(id + 4, 16);
    gen_message message = {.role = GEN_USER, .content = str_from(c->args[1])};
    gen_request rq = {.id = str_from(id),
                      .model = arena_printf(c->arena, "task:%.*s", STR_ARG(t->name)),
                      .tenant = STR(""),
                      .subject = STR(""),
                      .messages = &message,
                      .n_messages = 1,
                      .arena = c->arena};
    gen_trace trace = {0};
    gen_reply reply = {0};
    const gen_stage stages[] = {audit_stage(w->audit), route_stage(t->route), {0}};
    gen_exchange x = {.request = &rq, .reply = &reply, .trace = &trace};
    TRY(gen_next(&x, stages, f));
    if (!cli_flag(c, "json")) {
        print_answer(&trace);
        return E_OK;
    }
    buf b = {0};
    TRY(put_answer_json(&b, &trace));
    return print_json(&b, f);
}
static err run_run(const cli *c, fail *f) {
    return in_world(c, true, task_run, f);
}

/* ---- eval ---- */

typedef struct eval_self {
    route *route;
    arena *keep;   /* strings of results */
    arena scratch; /* of one question */
    bool large;
} eval_self;

static err eval_answer(void *self, str text, eval_result *out, fail *f) {
    eval_self *s = self;
    arena_reset(&s->scratch);
    gen_message message = {.role = GEN_USER, .content = text};
    gen_request rq = {
        .id = STR("eval"), .messages = &message, .n_messages = 1, .arena = &s->scratch};
    gen_trace t = {0};
    TRY(route_run(s->route, &rq, &(route_ask){.dry = true, .no_large = !s->large}, &t, f));
    str best = t.n_steps && t.steps[0].label.n ? t.steps[0].label : t.label;
    double confidence = t.n_steps ? t.steps[0].confidence : t.confidence;
    *out = (eval_result){.best_label = arena_str(s->keep, best),
                         .label = arena_str(s->keep, t.label),
                         .confidence = confidence,
                         .tier = t.tier,
                         .reason = t.reason,
                         .cost_usd = t.cost_usd,
                         .latency_us = t.latency_us};
    return out->best_label.p && out->label.p ? E_OK : fail_memory(f, "results");
}

static void eval_progress(void *self, size_t done, size_t total) {
    progress_put(self, "asking", done, total);
}

static void print_eval(const eval_report *r) {
    printf("%-16s %6s %9s %20s %10s\n", "group", "rows", "automatic", "95 % interval",
           "of these right");
    for (size_t i = 0; i < r->n_groups; i++) {
        const eval_group *g = &r->groups[i];
        printf("%-16.*s %6zu %8.1f%%   %6.1f%% to %5.1f%%   ", STR_ARG(g->name), g->n,
               100.0 * (double)g->answered / (double)g->n, 100 * g->auto_low, 100 * g->auto_high);
        if (g->answered)
            printf("%9.1f%%\n", 100 * g->accuracy_answered);
        else
            printf("%10s\n", "-");
    }
    printf("\nall: %zu of %zu answered automatically (%.1f%%)", r->answered, r->n,
           100 * r->auto_rate);
    if (r->answered)
        printf(", %zu of them wrong (%.1f%% to %.1f%%)", r->answered - r->answered_right,
               100 * r->wrong_low, 100 * r->wrong_high);
    printf("\nbest label right on %.1f%% of %zu rows in scope", 100 * r->accuracy, r->in_scope);
    if (!isnan(r->oos_auroc)) printf("; out-of-scope AUROC %.3f", r->oos_auroc);
    if (!isnan(r->ece)) printf("; calibration error %.3f", r->ece);
    printf("\nassumed cost $%.4f; latency p50 %.1f ms, p99 %.1f ms\n", r->cost_usd,
           r->latency_us_p50 * 1e-3, r->latency_us_p99 * 1e-3);
}

static void print_wrong(const eval_report *r, const eval_row *rows) {
    for (size_t i = 0; i < r->n; i++) {
        const eval_result *x = &r->results[i];
        bool answered = x->tier == GEN_TIER_SLM || x->tier == GEN_TIER_LLM;
        if (!answered || (str_eq(x->label, rows[i].label) && !str_is(rows[i].label, "other")))
            continue;
        printf("wrong: %.*s -> %.*s (%.2f)  %.*s\n", STR_ARG(rows[i].label), STR_ARG(x->label),
               x->confidence, STR_ARG(rows[i].text));
    }
}

static void print_each(const eval_report *r, const eval_row *rows) {
    for (size_t i = 0; i < r->n; i++) {
        const eval_result *x = &r->results[i];
        printf("%-6s %-14s %.*s -> %.*s (%.3f)  %.*s\n", gen_tier_name(x->tier),
               gen_reason_code(x->reason), STR_ARG(rows[i].label), STR_ARG(x->best_label),
               x->confidence, STR_ARG(rows[i].text));
    }
}

static err load_eval_rows(const cli *c, const char *path, eval_row **out, size_t *n, fail *f) {
    rows_table t;
    TRY(rows_load(c->arena, path, &t, f));
    TRY(rows_want(&t, path, "text", f));
    TRY(rows_want(&t, path, "label", f));
    eval_row *rows = arena_new_n(c->arena, eval_row, t.n + 1);
    if (!rows) return fail_memory(f, "rows");
    for (size_t i = 0; i < t.n; i++)
        rows[i] =
            (eval_row){rows_get(&t, i, "text"), rows_get(&t, i, "label"), rows_get(&t, i, "group")};
    *out = rows;
    *n = t.n;
    return E_OK;
}

static err task_eval(const cli *c, world *w, fail *f) {
    const char *path = cli_value(c, "file");
    world_task *t;
    eval_row *rows = NULL;
    size_t n = 0;
    eval_report report;
    if (!path)
        return fail_set(
            f, E_USAGE,
            "bantam task eval needs --file ROWS (columns text,label and perhaps group)");
    TRY(load_eval_rows(c, path, &rows, &n, f));
    TRY(world_task_open(w, str_from(c->args[0]), &t, f));
    eval_self self = {.route = t->route, .keep = c->arena, .large = cli_flag(c, "large")};
    arena_init(&self.scratch, 0);
    progress_init(&w->progress, PROGRESS_COUNT);
    err e = eval_run(c->arena, (eval_subject){&self, eval_answer}, rows, n, eval_progress,
                     &w->progress, &report, f);
    progress_end(&w->progress);
    arena_deinit(&self.scratch);
    if (e != E_OK) return e;
    if (!cli_flag(c, "json")) {
        print_eval(&report);
        if (cli_flag(c, "wrong")) print_wrong(&report, rows);
        if (cli_flag(c, "each")) print_each(&report, rows);
        return E_OK;
    }
    buf b = {0};
    json_writer j = {.out = &b};
    eval_put_json(&j, &report);
    return print_json(&b, f);
}
static err run_eval(const cli *c, fail *f) {
    return in_world(c, true, task_eval, f);
}

/* ---- explain ---- */

static err task_explain(const cli *c, world *w, fail *f) {
    world_task *t;
    gen_trace trace = {0};
    buf b = {0};
    json_writer j = {.out = &b, .pretty = !cli_flag(c, "json")};
    TRY(world_task_open(w, str_from(c->args[0]), &t, f));
    gen_message message = {.role = GEN_USER, .content = str_from(c->args[1])};
    gen_request rq = {
        .id = STR("explain"), .messages = &message, .n_messages = 1, .arena = c->arena};
    TRY(route_run(t->route, &rq, &(route_ask){.dry = true, .no_large = true}, &trace, f));
    json_begin_object(&j);
    err e = route_explain(t->route, str_trim(message.content), &j, f);
    json_key(&j, "decision");
    gen_trace_put_json(&j, &trace);
    json_end_object(&j);
    if (e == E_OK) return print_json(&b, f);
    buf_deinit(&b);
    return e;
}
static err run_explain(const cli *c, fail *f) {
    return in_world(c, true, task_explain, f);
}

/* ---- refit, import, export, mode ---- */

static err refit_and_print(const cli *c, world *w, world_task *t, const str *texts, size_t n,
                           fail *f) {
    route_fit_report r;
    progress_init(&w->progress, PROGRESS_COUNT);
    err e = route_refit(t->route, texts, n, c->arena, &r, f);
    progress_end(&w->progress);
    if (e != E_OK) return e;
    if (!cli_flag(c, "json")) {
        print_report(&r);
        print_changes(&r);
        return E_OK;
    }
    buf b = {0};
    json_writer j = {.out = &b};
    json_begin_object(&j);
    put_report(&j, &r);
    json_end_object(&j);
    return print_json(&b, f);
}

static err task_refit(const cli *c, world *w, fail *f) {
    const char *path = cli_value(c, "file");
    world_task *t;
    rows_table table = {0};
    str *texts = NULL;
    if (path) {
        TRY(rows_load(c->arena, path, &table, f));
        TRY(rows_want(&table, path, "text", f));
        texts = arena_new_n(c->arena, str, table.n + 1);
        if (!texts) return fail_memory(f, "rows");
        for (size_t i = 0; i < table.n; i++) texts[i] = rows_get(&table, i, "text");
    }
    TRY(world_task_open(w, str_from(c->args[0]), &t, f));
    return refit_and_print(c, w, t, texts, table.n, f);
}
static err run_refit(const cli *c, fail *f) {
    return in_world(c, true, task_refit, f);
}

static err import_rows(world *w, str task_id, const rows_table *t, size_t *labels, size_t *replies,
                       fail *f) {
    gen_label_sink sink = route_labels(w->store);
    store_tx *tx;
    TRY(store_begin(w->store, STORE_WRITE, &tx, f));
    err e = E_OK;
    for (size_t i = 0; e == E_OK && i < t->n; i++) {
        str text = rows_get(t, i, "text");
        if (!text.n) continue;
        gen_label l = {.task_id = task_id,
                       .text = text,
                       .label = rows_get(t, i, "label"),
                       .by = str_from(out_user()),
                       .source = STR("import"),
                       .review = STR(""),
                       .request_id = STR("")};
        e = sink.learn(sink.self, tx, &l, NULL, f);
        if (e == E_OK)
            (*labels)++;
        else if (f)
            fail_hint(f, "row %zu of the file; nothing was imported", i + 1);
    }
    if (e == E_OK)
        e = store_commit(tx, f);
    else
        store_rollback(tx);
    for (size_t i = 0; e == E_OK && i < t->n; i++) {
        str reply = rows_get(t, i, "reply");
        if (!reply.n) continue;
        e = route_set_reply(w->store, task_id, rows_get(t, i, "label"), reply,
                            rows_get(t, i, "passage"), str_from(out_user()), f);
        if (e == E_OK) (*replies)++;
    }
    return e;
}

static err task_import(const cli *c, world *w, fail *f) {
    const char *path = cli_value(c, "from");
    rows_table table;
    world_task *t;
    size_t labels = 0, replies = 0;
    int64_t port, pid;
    if (!path)
        return fail_set(
            f, E_USAGE,
            "bantam task import needs --from ROWS (columns text,label and/or label,reply)");
    TRY(rows_load(c->arena, path, &table, f));
    TRY(rows_want(&table, path, "label", f));
    TRY(world_task_open(w, str_from(c->args[0]), &t, f));
    TRY(import_rows(w, t->id, &table, &labels, &replies, f));
    if (!cli_flag(c, "json"))
        printf("imported %zu labelled texts and %zu replies\n", labels, replies);
    if (home_server_runs(&w->home, &port, &pid)) {
        if (!cli_flag(c, "json"))
            printf("the running server takes them from its next request on and fits in the "
                   "background\n");
        return E_OK;
    }
    return refit_and_print(c, w, t, NULL, 0, f);
}
static err run_import(const cli *c, fail *f) {
    return in_world(c, true, task_import, f);
}

static void export_row(buf *b, str text, str label, str source) {
    csv_put_safe(b, text);
    buf_put_char(b, ',');
    csv_put_safe(b, label);
    buf_put_char(b, ',');
    csv_put_safe(b, source);
    buf_put_z(b, "\r\n");
}

static err task_export(const cli *c, world *w, fail *f) {
    str path;
    task *t;
    gen_label *labels;
    size_t n = 0;
    buf b = {0};
    TRY(task_find(c->arena, w->home.task_dirs, 2, str_from(c->args[0]), &path, f));
    TRY(task_load(c->arena, path.p, &t, f));
    TRY(route_list_labels(w->store, c->arena, t->id, &labels, &n, f));
    buf_put_z(&b, "text,label,source\r\n");
    for (size_t l = 0; l < t->n_labels; l++)
        for (size_t i = 0; i < t->labels[l].n_examples; i++)
            export_row(&b, t->labels[l].examples[i], t->labels[l].name, STR("task file"));
    for (size_t i = 0; i < n; i++)
        export_row(&b, labels[i].text, labels[i].label, labels[i].source);
    err e = buf_ok(&b, f);
    if (e == E_OK) fwrite(b.p, 1, b.n, stdout);
    buf_deinit(&b);
    return e;
}
static err run_export(const cli *c, fail *f) {
    return in_world(c, true, task_export, f);
}

static err task_mode_body(const cli *c, world *w, fail *f) {
    str path, wanted = str_from(c->args[1]);
    task *t;
    TRY(task_find(c->arena, w->home.task_dirs, 2, str_from(c->args[0]), &path, f));
    TRY(task_load(c->arena, path.p, &t, f));
    for (int m = TASK_SUGGEST; m <= TASK_ALL_TO_PEOPLE; m++) {
        if (!str_is(wanted, task_mode_name((task_mode)m))) continue;
        TRY(route_set_mode(w->store, t->id, (task_mode)m, str_from(out_user()), f));
        printf("%.*s is in mode %s from the next question on\n", STR_ARG(t->name),
               task_mode_name((task_mode)m));
        return E_OK;
    }
    return fail_set(f, E_USAGE,
                    "there is no mode \"%s\"; there are suggest, auto and all-to-people",
                    c->args[1]);
}
static err run_mode(const cli *c, fail *f) {
    return in_world(c, true, task_mode_body, f);
}

/* ---- the table ---- */

static const cli_option init_options[] = {
    {"from", 0, "ROWS", "CSV or JSONL file with columns text,label[,reply]", false},
    {"model", 0, "MODEL", "encoder of the small tier (default minilm)", false},
    JSON_OPTION,
    KERN_OPTION,
    THREADS_OPTION};
static const cli_option plain_options[] = {JSON_OPTION, KERN_OPTION, THREADS_OPTION};
static const cli_option eval_options[] = {
    {"file", 0, "ROWS", "CSV or JSONL file with columns text,label[,group]", false},
    {"large", 0, NULL, "also ask the large tier (costs money)", false},
    {"wrong", 0, NULL, "list what was answered wrongly", false},
    {"each", 0, NULL, "list each row with its tier and reason", false},
    JSON_OPTION,
    KERN_OPTION,
    THREADS_OPTION};
static const cli_option refit_options[] = {
    {"file", 0, "ROWS", "further texts whose answers are compared before and after", false},
    JSON_OPTION,
    KERN_OPTION,
    THREADS_OPTION};
static const cli_option import_options[] = {
    {"from", 0, "ROWS", "columns text,label and/or label,reply[,passage]", false},
    JSON_OPTION,
    KERN_OPTION,
    THREADS_OPTION};
#define OPTIONS(table) table, sizeof table / sizeof *table

static const cli_verb verbs[] = {
    {"task init", "NAME --from ROWS", "make a task from labelled rows and fit it",
     "Writes ./tasks/NAME.yaml (kind classify, mode auto: the label is the answer) and fits its "
     "small tier in\n"
     "seconds. Rows labelled `other` are in nobody's scope. An existing file is never "
     "overwritten.\n\n"
     "  bantam task init mail --from mail.csv\n",
     OPTIONS(init_options), 1, 1, run_init},
    {"task list", "", "show the tasks in ./tasks and in the home folder", NULL,
     OPTIONS(plain_options), 0, 0, run_list},
    {"task check", "NAME", "read a task file and say what is wrong or missing", NULL,
     OPTIONS(plain_options), 1, 1, run_check},
    {"task run", "NAME TEXT", "ask a task one question",
     "What needs a person is stored as a review and the command returns at once.\n\n"
     "  bantam task run support \"how do I cancel my car insurance?\"\n",
     OPTIONS(plain_options), 2, 2, run_run},
    {"task eval", "NAME --file ROWS", "measure a task on rows with known labels; stores nothing",
     "accuracy: best label right on rows that are not `other`. auto_rate: share answered without a "
     "person; an\n"
     "answered `other` row is wrong.\n",
     OPTIONS(eval_options), 1, 1, run_eval},
    {"task explain", "NAME TEXT", "show what the small tier sees in a text", NULL,
     OPTIONS(plain_options), 2, 2, run_explain},
    {"task refit", "NAME", "fit again on all examples and labels, list what changes", NULL,
     OPTIONS(refit_options), 1, 1, run_refit},
    {"task import", "NAME --from ROWS", "add labelled texts or replies to the store", NULL,
     OPTIONS(import_options), 1, 1, run_import},
    {"task export", "NAME", "print all examples and learned labels as CSV", NULL,
     OPTIONS(plain_options), 1, 1, run_export},
    {"task mode", "NAME suggest|auto|all-to-people",
     "switch how a task answers, also while it is served", NULL, OPTIONS(plain_options), 2, 2,
     run_mode},
};

cmd_group cmd_task(void) {
    return (cmd_group){verbs, sizeof verbs / sizeof *verbs};
}
