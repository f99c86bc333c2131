/* cmd_task.c - bantam task init, list, check, run, explain, mode. Measuring is in cmd_task_eval.c,
 * teaching in cmd_task_learn.c. */
#include "app/cmd_task_int.h"
#include "base/file.h"
#include "base/rand.h"

#include <math.h>
#include <stdio.h>

enum { CHECK_EXAMPLES_MIN = 5 };

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
        task_print_report(&r);
        printf("try it: bantam task run %.*s \"a question\"\n", STR_ARG(t->name));
        return E_OK;
    }
    buf b = {0};
    json_writer j = {.out = &b};
    json_begin_object(&j);
    json_field_text(&j, "task", t->name);
    json_field_text(&j, "path", str_from(path));
    task_put_report(&j, &r);
    json_end_object(&j);
    return out_json(&b, f);
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
    return world_run(c, WORLD_STORE, task_init, f);
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
        json_field_text(&j, "name", places[i].name);
        json_field_text(&j, "path", places[i].path);
        json_field_text(&j, "error", ok ? STR("") : str_from(bad.text));
        json_field_text(&j, "title", ok ? t->title : STR(""));
        json_end_object(&j);
    }
    json_end_array(&j);
    json_end_object(&j);
    if (cli_flag(c, "json")) return out_json(&b, f);
    buf_deinit(&b);
    if (n == 0)
        printf("no tasks in ./tasks or %s; make one: bantam task init NAME --from rows.csv\n",
               w->home.tasks);
    return E_OK;
}
static err run_list(const cli *c, fail *f) {
    return world_run(c, WORLD_MODELS, task_list_body, f);
}

typedef struct check_counts {
    size_t examples, silent, thin; /* silent: no approved reply; thin: labels of few examples */
} check_counts;

static check_counts count_task(const task *t) {
    check_counts n = {0};
    for (size_t i = 0; i < t->n_labels; i++) {
        const task_label *l = &t->labels[i];
        n.examples += l->n_examples;
        n.thin += l->n_examples < CHECK_EXAMPLES_MIN;
        n.silent += t->kind == TASK_ANSWER && !l->is_other && !l->always_human &&
                    !l->needs_record && !l->reply.n;
    }
    return n;
}

static err put_check_json(const task *t, const check_counts *n, fail *f) {
    buf b = {0};
    json_writer j = {.out = &b};
    json_begin_object(&j);
    json_field_text(&j, "task", t->name);
    json_field_text(&j, "path", t->path);
    task_put_count(&j, "labels", t->n_labels);
    task_put_count(&j, "examples", n->examples);
    task_put_count(&j, "passages", t->n_passages);
    task_put_count(&j, "labels_with_few_examples", n->thin);
    task_put_count(&j, "labels_without_reply", n->silent);
    json_field_bool(&j, "other", t->other >= 0);
    json_end_object(&j);
    return out_json(&b, f);
}

static err task_check(const cli *c, world *w, fail *f) {
    str path;
    task *t;
    TRY(task_find(c->arena, w->home.task_dirs, 2, str_from(c->args[0]), &path, f));
    TRY(task_load(c->arena, path.p, &t, f));
    check_counts n = count_task(t);
    if (cli_flag(c, "json")) return put_check_json(t, &n, f);
    for (size_t i = 0; i < t->n_labels; i++)
        if (t->labels[i].n_examples < CHECK_EXAMPLES_MIN)
            printf("note: label %.*s has only %zu examples\n", STR_ARG(t->labels[i].name),
                   t->labels[i].n_examples);
    if (t->other < 0)
        printf("note: there is no label `other`: questions in nobody's scope are hard to recognise "
               "without it\n");
    if (n.silent)
        printf("note: %zu labels have no approved reply, so a person answers those\n", n.silent);
    printf("%s is right: %zu labels, %zu examples, %zu passages\n", path.p, t->n_labels, n.examples,
           t->n_passages);
    return E_OK;
}
static err run_check(const cli *c, fail *f) {
    return world_run(c, WORLD_MODELS, task_check, f);
}

/* ---- run ---- */

static err put_answer_json(buf *b, const gen_trace *t) {
    json_writer j = {.out = b};
    json_begin_object(&j);
    json_field_str(&j, "answer", t->answer);
    json_field_text(&j, "label", t->label);
    json_field_text(&j, "tier", str_from(gen_tier_name(t->tier)));
    json_field_double(&j, "confidence", t->confidence);
    json_field_double(&j, "cost", t->cost_usd);
    json_key(&j, "passages");
    json_begin_array(&j);
    for (size_t i = 0; i < t->n_passages; i++) {
        json_begin_object(&j);
        json_field_text(&j, "id", t->passages[i].id);
        json_field_text(&j, "title", t->passages[i].title);
        json_field_text(&j, "text", t->passages[i].text);
        json_end_object(&j);
    }
    json_end_array(&j);
    json_field_text(&j, "reason", str_from(gen_reason_code(t->reason)));
    json_field_text(&j, "trace", t->request_id);
    json_field_text(&j, "review", t->review);
    json_end_object(&j);
    return E_OK;
}

static void print_answer(arena *a, const gen_trace *t) {
    if (t->answer.p)
        printf("%.*s\n\n", STR_ARG(out_safe(a, str_trim(t->answer), false)));
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
        print_answer(c->arena, &trace);
        return E_OK;
    }
    buf b = {0};
    TRY(put_answer_json(&b, &trace));
    return out_json(&b, f);
}
static err run_run(const cli *c, fail *f) {
    return world_run(c, WORLD_STORE, task_run, f);
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
    if (e == E_OK) return out_json(&b, f);
    buf_deinit(&b);
    return e;
}
static err run_explain(const cli *c, fail *f) {
    return world_run(c, WORLD_STORE, task_explain, f);
}

/* ---- mode ---- */

static err put_mode_json(str name, task_mode mode, fail *f) {
    buf b = {0};
    json_writer j = {.out = &b};
    json_begin_object(&j);
    json_field_text(&j, "task", name);
    json_field_text(&j, "mode", str_from(task_mode_name(mode)));
    json_end_object(&j);
    return out_json(&b, f);
}

static err task_mode_body(const cli *c, world *w, fail *f) {
    str path, wanted = str_from(c->args[1]);
    task *t;
    TRY(task_find(c->arena, w->home.task_dirs, 2, str_from(c->args[0]), &path, f));
    TRY(task_load(c->arena, path.p, &t, f));
    for (int m = TASK_SUGGEST; m <= TASK_ALL_TO_PEOPLE; m++) {
        if (!str_is(wanted, task_mode_name((task_mode)m))) continue;
        TRY(route_set_mode(w->store, t->id, (task_mode)m, str_from(out_user()), f));
        if (cli_flag(c, "json")) return put_mode_json(t->name, (task_mode)m, f);
        printf("%.*s is in mode %s from the next question on\n", STR_ARG(t->name),
               task_mode_name((task_mode)m));
        return E_OK;
    }
    return fail_set(f, E_USAGE,
                    "there is no mode \"%s\"; there are suggest, auto and all-to-people",
                    c->args[1]);
}
static err run_mode(const cli *c, fail *f) {
    return world_run(c, WORLD_STORE, task_mode_body, f);
}

/* ---- the table ---- */

static const cli_option init_options[] = {
    {"from", 0, "ROWS", "CSV or JSONL file with columns text,label[,reply]", false},
    {"model", 0, "MODEL", "encoder of the small tier (default minilm)", false},
    CLI_JSON_OPTION,
    KERN_OPTION,
    INT8_OPTION,
    THREADS_OPTION};
static const cli_option plain_options[] = {CLI_JSON_OPTION, KERN_OPTION, INT8_OPTION,
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
    {"task list", "", "show the tasks in ./tasks and in the home folder", "  bantam task list\n",
     OPTIONS(plain_options), 0, 0, run_list},
    {"task check", "NAME", "read a task file and say what is wrong or missing",
     "  bantam task check support\n", OPTIONS(plain_options), 1, 1, run_check},
    {"task run", "NAME TEXT", "ask a task one question",
     "What needs a person is stored as a review and the command returns at once.\n\n"
     "  bantam task run support \"how do I cancel my car insurance?\"\n",
     OPTIONS(plain_options), 2, 2, run_run},
    {"task explain", "NAME TEXT", "show what the small tier sees in a text",
     "  bantam task explain support \"how do I cancel?\"\n", OPTIONS(plain_options), 2, 2,
     run_explain},
    {"task mode", "NAME suggest|auto|all-to-people",
     "switch how a task answers, also while it is served",
     "  bantam task mode support all-to-people\n", OPTIONS(plain_options), 2, 2, run_mode},
};

cmd_group cmd_task(void) {
    return (cmd_group){verbs, sizeof verbs / sizeof *verbs};
}
