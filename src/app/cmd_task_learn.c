/* cmd_task_learn.c - bantam task refit, import, export: what a task has learned. */
#include "app/cmd_task_int.h"
#include "base/map.h"
#include "text/csv.h"

#include <stdio.h>

/* ---- refit ---- */

static err refit_and_print(const cli *c, world *w, world_task *t, const str *texts, size_t n,
                           fail *f) {
    route_fit_report r;
    progress_init(&w->progress, PROGRESS_COUNT);
    err e = route_refit(t->route, texts, n, c->arena, &r, f);
    progress_end(&w->progress);
    if (e != E_OK) return e;
    if (!cli_flag(c, "json")) {
        task_print_report(&r);
        task_print_changes(&r);
        return E_OK;
    }
    buf b = {0};
    json_writer j = {.out = &b};
    json_begin_object(&j);
    task_put_report(&j, &r);
    json_end_object(&j);
    return out_json(&b, f);
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
    return world_run(c, WORLD_STORE, task_refit, f);
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

/* Where nothing is fitted here: a server runs, or the task has no small tier. */
static err put_import_json(size_t labels, size_t replies, fail *f) {
    buf b = {0};
    json_writer j = {.out = &b};
    json_begin_object(&j);
    task_put_count(&j, "imported", labels);
    task_put_count(&j, "replies", replies);
    json_end_object(&j);
    return out_json(&b, f);
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
    bool runs = home_server_runs(&w->home, &port, &pid), fits = t->task->slm.present && !runs;
    if (cli_flag(c, "json") && !fits) return put_import_json(labels, replies, f);
    if (!cli_flag(c, "json"))
        printf("imported %zu labelled texts and %zu replies\n", labels, replies);
    if (!cli_flag(c, "json") && runs)
        printf("the running server takes them from its next request on and fits in the "
               "background\n");
    if (!fits) return E_OK;
    return refit_and_print(c, w, t, NULL, 0, f);
}
static err run_import(const cli *c, fail *f) {
    return world_run(c, WORLD_STORE, task_import, f);
}

static void export_row(buf *b, str text, str label, str source) {
    csv_put_safe(b, text);
    buf_put_char(b, ',');
    csv_put_safe(b, label);
    buf_put_char(b, ',');
    csv_put_safe(b, source);
    buf_put_z(b, "\r\n");
}

/* As a fit takes them: a person's label for the very words of an example stands in its place. */
static err export_examples(buf *b, const task *t, const gen_label *labels, size_t n, fail *f) {
    map said;
    err e = E_OK;
    map_init(&said, NULL);
    for (size_t i = 0; e == E_OK && i < n; i++) e = map_put(&said, labels[i].text, 1, f);
    for (size_t l = 0; e == E_OK && l < t->n_labels; l++)
        for (size_t i = 0; i < t->labels[l].n_examples; i++)
            if (!map_find(&said, t->labels[l].examples[i]))
                export_row(b, t->labels[l].examples[i], t->labels[l].name, STR("task file"));
    map_deinit(&said);
    return e;
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
    err e = export_examples(&b, t, labels, n, f);
    for (size_t i = 0; i < n; i++)
        export_row(&b, labels[i].text, labels[i].label, labels[i].source);
    if (e == E_OK) e = buf_ok(&b, f);
    if (e == E_OK) fwrite(b.p, 1, b.n, stdout);
    buf_deinit(&b);
    return e;
}
static err run_export(const cli *c, fail *f) {
    return world_run(c, WORLD_STORE, task_export, f);
}

static const cli_option refit_options[] = {
    {"file", 0, "ROWS", "further texts whose answers are compared before and after", false},
    CLI_JSON_OPTION,
    KERN_OPTION,
    INT8_OPTION,
    THREADS_OPTION};
static const cli_option import_options[] = {
    {"from", 0, "ROWS", "columns text,label and/or label,reply[,passage]", false},
    CLI_JSON_OPTION,
    KERN_OPTION,
    INT8_OPTION,
    THREADS_OPTION};
static const cli_option export_options[] = {KERN_OPTION, INT8_OPTION, THREADS_OPTION};
#define OPTIONS(table) table, sizeof table / sizeof *table

static const cli_verb verbs[] = {
    {"task refit", "NAME", "fit again on all examples and labels, list what changes",
     "  bantam task refit support\n", OPTIONS(refit_options), 1, 1, run_refit},
    {"task import", "NAME --from ROWS", "add labelled texts or replies to the store",
     "  bantam task import support --from more.csv\n", OPTIONS(import_options), 1, 1, run_import},
    {"task export", "NAME", "print all examples and learned labels as CSV",
     "A text that a spreadsheet would take for a formula gets an apostrophe in front; commands "
     "that "
     "read\nrows take it off again.\n\n  bantam task export support > rows.csv\n",
     OPTIONS(export_options), 1, 1, run_export},
};

cmd_group cmd_task_learn(void) {
    return (cmd_group){verbs, sizeof verbs / sizeof *verbs};
}
