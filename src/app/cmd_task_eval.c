/* cmd_task_eval.c - bantam task eval: measures a task on rows whose answers are known. */
#include "app/cmd_task_int.h"
#include "app/stop.h"
#include "eval/eval.h"

#include <math.h>
#include <stdio.h>

/* ---- eval ---- */

typedef struct eval_self {
    route *route;
    arena *keep;   /* strings of results */
    arena scratch; /* of one question */
    bool large;
} eval_self;

static err eval_answer(void *self, str text, eval_result *out, fail *f) {
    eval_self *s = self;
    if (stop_wanted()) return fail_set(f, E_CANCELLED, "stopped; nothing was measured");
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
    return out_json(&b, f);
}
static err run_eval(const cli *c, fail *f) {
    return world_run(c, WORLD_STORE, task_eval, f);
}

static const cli_option eval_options[] = {
    {"file", 0, "ROWS", "CSV or JSONL file with columns text,label[,group]", false},
    {"large", 0, NULL, "also ask the large tier (costs money)", false},
    {"wrong", 0, NULL, "list what was answered wrongly", false},
    {"each", 0, NULL, "list each row with its tier and reason", false},
    CLI_JSON_OPTION,
    KERN_OPTION,
    INT8_OPTION,
    THREADS_OPTION};
#define OPTIONS(table) table, sizeof table / sizeof *table

static const cli_verb verbs[] = {
    {"task eval", "NAME --file ROWS", "measure a task on rows with known labels; stores nothing",
     "accuracy: best label right on rows that are not `other`. auto_rate: share answered without a "
     "person; an\n"
     "answered `other` row is wrong.\n\n  bantam task eval support --file "
     "tasks/support.heldout.csv\n",
     OPTIONS(eval_options), 1, 1, run_eval},
};

cmd_group cmd_task_eval(void) {
    return (cmd_group){verbs, sizeof verbs / sizeof *verbs};
}
