/* route_fit.c - fitting a task's head again over the file's examples and everything people have
 * taught.
 *
 * One refit at a time (fit_lock). It reads a snapshot of the labels, embeds what is new, fits,
 * stores the head with the number of the last label it saw, and refreshes, which swaps the head in
 * whole; questions go on meanwhile with the old one. In a server this runs on the route's own
 * thread. */
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "route/route_int.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { FIT_SEED = 1, FIT_WAIT_MS = 300 }; /* the wait gathers labels that come together */

typedef struct fit_set { /* what a head is fitted from */
    str *names;          /* [n_names] */
    bool *automatic;
    size_t n_names;
    str *texts; /* [n] */
    int32_t *labels;
    int64_t *ids;   /* > 0: people's label; < 0: example of the file */
    float *vectors; /* [n, width] */
    size_t n, n_taught;
    int64_t through;
} fit_set;

static int32_t name_index(fit_set *s, str name) {
    for (size_t i = 0; i < s->n_names; i++)
        if (str_eq(s->names[i], name)) return (int32_t)i;
    s->names[s->n_names] = name;
    return (int32_t)s->n_names++;
}

static void add_row(fit_set *s, str text, str label, int64_t id) {
    s->texts[s->n] = text;
    s->labels[s->n] = name_index(s, label);
    s->ids[s->n++] = id;
}

static bool label_automatic(const task *t, str name, const route_reply_row *replies,
                            size_t n_replies) {
    if (str_is(name, "other")) return false;
    int32_t at = task_find_label(t, name);
    const task_label *l = at >= 0 ? &t->labels[at] : NULL;
    if (l && (l->always_human || l->needs_record)) return false;
    if (t->kind == TASK_CLASSIFY || (l && l->reply.n)) return true;
    for (size_t i = 0; i < n_replies; i++)
        if (str_eq(replies[i].label, name)) return true;
    return false;
}

static err read_labels(route *r, arena *a, str task_id, route_label_row **labels, size_t *n,
                       route_reply_row **replies, size_t *n_replies, int64_t *changes, fail *f) {
    store_tx *tx;
    route_task_row row;
    TRY(store_begin(r->o.store, STORE_READ, &tx, f));
    err e = route_store_task(tx, task_id, &row, f);
    if (e == E_OK) e = route_store_labels(tx, a, task_id, labels, n, f);
    if (e == E_OK) e = route_store_replies(tx, a, task_id, replies, n_replies, f);
    store_rollback(tx);
    if (e == E_OK) *changes = row.changes;
    return e;
}

/* A person's label for the very words of a file's example overrides it. */
static err fill_rows(fit_set *s, const task *t, const route_label_row *labels, size_t n_labels,
                     fail *f) {
    map said;
    err e = E_OK;
    map_init(&said, NULL);
    for (size_t i = 0; e == E_OK && i < n_labels; i++)
        if (!labels[i].forgotten) e = map_put(&said, labels[i].label.text, 1, f);
    int64_t example = 0;
    for (size_t l = 0; l < t->n_labels; l++) name_index(s, t->labels[l].name);
    for (size_t l = 0; e == E_OK && l < t->n_labels; l++)
        for (size_t i = 0; i < t->labels[l].n_examples; i++) {
            example--;
            if (!map_find(&said, t->labels[l].examples[i]))
                add_row(s, t->labels[l].examples[i], t->labels[l].name, example);
        }
    for (size_t i = 0; e == E_OK && i < n_labels; i++)
        if (!labels[i].forgotten) {
            add_row(s, labels[i].label.text, labels[i].label.label, labels[i].label.id);
            s->n_taught++;
        }
    map_deinit(&said);
    return e;
}

static err gather(route *r, const task *t, arena *a, fit_set *s, fail *f) {
    route_label_row *labels = NULL;
    route_reply_row *replies = NULL;
    size_t n_labels = 0, n_replies = 0, most = 0;
    TRY(read_labels(r, a, t->id, &labels, &n_labels, &replies, &n_replies, &s->through, f));
    for (size_t l = 0; l < t->n_labels; l++) most += t->labels[l].n_examples;
    most += n_labels + 1;
    s->texts = arena_new_n(a, str, most);
    s->labels = arena_new_n(a, int32_t, most);
    s->ids = arena_new_n(a, int64_t, most);
    s->names = arena_new_n(a, str, t->n_labels + n_labels + 1);
    s->automatic = arena_new_n(a, bool, t->n_labels + n_labels + 1);
    if (!s->texts || !s->labels || !s->ids || !s->names || !s->automatic)
        return fail_memory(f, "examples");
    TRY(fill_rows(s, t, labels, n_labels, f));
    for (size_t i = 0; i < s->n_names; i++)
        s->automatic[i] = label_automatic(t, s->names[i], replies, n_replies);
    s->vectors = arena_array(a, s->n ? s->n : 1, (size_t)r->o.embedder->width * sizeof *s->vectors);
    if (!s->vectors) return fail_memory(f, "embeddings");
    return route_vectors(r, s->texts, s->n, s->vectors, f);
}

static bool fit_progress(void *arg, const char *step, double done) {
    route *r = arg;
    if (r->o.progress) r->o.progress(r->o.progress_self, step, (size_t)(done * 1000), 1000);
    return !route_fit_must_end(r);
}

static err fit(route *r, const task *t, const fit_set *s, fit_head **out, fail *f) {
    int32_t other = -1;
    for (size_t i = 0; i < s->n_names; i++)
        if (str_is(s->names[i], "other")) other = (int32_t)i;
    return fit_head_fit(out,
                        &(fit_rows){.n = s->n,
                                    .dim = (size_t)r->o.embedder->width,
                                    .texts = s->texts,
                                    .vectors = s->vectors,
                                    .labels = s->labels,
                                    .ids = s->ids},
                        &(fit_options){.labels_n = s->n_names,
                                       .label_names = s->names,
                                       .other = other,
                                       .automatic = s->automatic,
                                       .max_wrong = t->max_wrong,
                                       .seed = FIT_SEED,
                                       .team = r->o.team,
                                       .progress = fit_progress,
                                       .progress_arg = r},
                        f);
}

static err keep(route *r, const task *t, const fit_set *s, const fit_head *fitted, fail *f) {
    arena a;
    str blob;
    store_tx *tx;
    int64_t id;
    route_head h = {.through = s->through};
    snprintf(h.examples_digest, sizeof h.examples_digest, "%s", t->examples_digest);
    snprintf(h.embedder_digest, sizeof h.embedder_digest, "%s", r->o.embedder_digest);
    arena_init(&a, 0);
    err e = fit_head_save(&a, fitted, &blob, f);
    if (e == E_OK) e = store_begin(r->o.store, STORE_WRITE, &tx, f);
    if (e == E_OK) {
        e = route_store_put_head(tx, t->id, &h, blob, &id, f);
        if (e == E_OK)
            e = store_commit(tx, f);
        else
            store_rollback(tx);
    }
    arena_deinit(&a);
    return e;
}

/* ---- what a refit changes ---- */

static bool is_auto(const route_brain *b, const fit_answer *x) {
    const task *t = b->file->task;
    return isnan(t->threshold) ? x->above : x->confidence >= t->threshold;
}

/* What the small tier does with a text, all its checks included; stores nothing. */
static err decide(route *r, route_brain *b, str text, arena *a, str *label, bool *automatic,
                  fail *f) {
    gen_trace *trace = arena_new(a, gen_trace);
    if (!trace) return fail_memory(f, "a comparison");
    const route_ask dry = {.dry = true, .no_large = true};
    const gen_request rq = {.id = STR("compare"), .arena = a};
    gen_step step = {.tier = GEN_TIER_SLM};
    route_case c = {.r = r, .brain = b, .rq = &rq, .how = &dry, .trace = trace, .a = a};
    c.text = str_trim(text);
    TRY(route_small(&c, &step, f));
    *label = step.label;
    *automatic = c.done;
    return E_OK;
}

/* A text's decisions by both brains; *changed says whether they differ. Strings in a. */
static err compare_decisions(route *r, route_brain *before, route_brain *after, str text, arena *a,
                             route_change *out, bool *changed, fail *f) {
    arena scratch;
    route_change c = {.text = text};
    arena_init(&scratch, 0);
    err e = decide(r, before, text, &scratch, &c.label_before, &c.auto_before, f);
    if (e == E_OK) e = decide(r, after, text, &scratch, &c.label_after, &c.auto_after, f);
    *changed =
        e == E_OK && (!str_eq(c.label_before, c.label_after) || c.auto_before != c.auto_after);
    if (*changed)
        *out = (route_change){arena_str(a, text), arena_str(a, c.label_before),
                              arena_str(a, c.label_after), c.auto_before, c.auto_after};
    arena_deinit(&scratch);
    return e;
}

/* Does the head alone see a text differently? */
static err head_differs(const route_brain *before, const route_brain *after, str text,
                        const float *vector, bool *out, fail *f) {
    fit_answer was, is;
    TRY(fit_head_predict(before->head->fit, before->taught, text, vector, &was, f));
    TRY(fit_head_predict(after->head->fit, after->taught, text, vector, &is, f));
    const route_label *l = route_brain_label(before, was.label),
                      *m = route_brain_label(after, is.label);
    *out = !str_eq(l ? l->name : STR(""), m ? m->name : STR("")) ||
           is_auto(before, &was) != is_auto(after, &is);
    return E_OK;
}

/* texts: the examples, of which only those that the head sees differently are decided anew (there
 * are thousands, and their vectors are at hand), then from `whole` on the caller's rows, each
 * decided as a question would be: also its clauses and its language count. */
static err compare(route *r, route_brain *before, route_brain *after, const str *texts, size_t n,
                   size_t whole, arena *a, route_fit_report *out, fail *f) {
    arena scratch;
    arena_init(&scratch, 0);
    size_t width = (size_t)r->o.embedder->width, count = 0;
    float *vectors = arena_array(&scratch, whole + 1, width * sizeof *vectors);
    route_change *changes = arena_new_n(a, route_change, n + 1);
    err e = vectors && changes ? route_vectors(r, texts, whole, vectors, f)
                               : fail_memory(f, "a comparison");
    for (size_t i = 0; e == E_OK && i < n; i++) {
        bool differs = true;
        if (route_fit_must_end(r)) e = fail_set(f, E_CANCELLED, "stopped; the new head is stored");
        if (e == E_OK && i < whole)
            e = head_differs(before, after, texts[i], vectors + i * width, &differs, f);
        if (e == E_OK && differs)
            e = compare_decisions(r, before, after, texts[i], a, &changes[count], &differs, f);
        count += e == E_OK && differs;
    }
    arena_deinit(&scratch);
    if (e != E_OK) return e;
    out->changes = changes;
    out->n_changes = count;
    return E_OK;
}

static void report_head(const route_brain *b, route_fit_report *out) {
    out->max_wrong = b->file->task->max_wrong;
    out->threshold = (double)NAN;
    if (!b->head) return;
    const fit_report *x = fit_head_report(b->head->fit);
    out->n_examples = x->rows;
    out->n_labels = x->labels;
    out->cv_rows = x->threshold.n;
    out->cv_answered = x->threshold.answered;
    out->cv_wrong = x->threshold.wrong;
    out->cv_accuracy = x->accuracy;
    if (x->threshold.any) out->threshold = x->threshold.at;
}

err route_report(route *r, arena *a, route_fit_report *out, fail *f) {
    (void)a;
    route_brain *b;
    TRY(route_hold(r, &b, f));
    *out = (route_fit_report){.n_taught = b->n_rows};
    report_head(b, out);
    route_drop(b);
    return E_OK;
}

static err refit_from(route *r, route_brain *before, const str *rows, size_t n_rows, arena *a,
                      route_fit_report *out, fail *f) {
    arena scratch;
    fit_set s = {0};
    fit_head *fitted = NULL;
    route_brain *after = NULL;
    const task *t = before->file->task;
    int64_t start_ns = clock_mono_ns();
    arena_init(&scratch, 1 << 20);
    err e = gather(r, t, &scratch, &s, f);
    out->embed_ms = (clock_mono_ns() - start_ns) / 1000000;
    start_ns = clock_mono_ns();
    if (e == E_OK) e = fit(r, t, &s, &fitted, f);
    out->fit_ms = (clock_mono_ns() - start_ns) / 1000000;
    if (e == E_OK) e = keep(r, t, &s, fitted, f);
    if (e == E_OK) e = route_hold(r, &after, f);
    if (e == E_OK) {
        report_head(after, out);
        out->n_taught = s.n_taught;
    }
    if (e == E_OK && before->head && after->head) {
        size_t n = s.n + n_rows;
        str *texts = arena_new_n(&scratch, str, n + 1);
        if (!texts) e = fail_memory(f, "a comparison");
        if (e == E_OK) {
            memcpy(texts, s.texts, s.n * sizeof *texts);
            if (n_rows) memcpy(texts + s.n, rows, n_rows * sizeof *texts);
            e = compare(r, before, after, texts, n, s.n, a, out, f);
        }
    }
    route_drop(after);
    fit_head_close(fitted);
    arena_deinit(&scratch);
    return e;
}

err route_refit(route *r, const str *rows, size_t n_rows, arena *a, route_fit_report *out,
                fail *f) {
    route_brain *before = NULL;
    if (!r->o.embedder) return fail_set(f, E_UNSUPPORTED, "this task has no small tier to fit");
    mutex_lock(&r->fit_lock);
    *out = (route_fit_report){0};
    err e = route_hold(r, &before, f);
    if (e == E_OK) e = refit_from(r, before, rows, n_rows, a, out, f);
    route_drop(before);
    mutex_unlock(&r->fit_lock);
    return e;
}

/* ---- the background thread ---- */

static void fit_once(route *r) {
    fail f = {0};
    route_fit_report report;
    arena a;
    arena_init(&a, 0);
    if (route_refit(r, NULL, 0, &a, &report, &f) == E_OK)
        log_info("route",
                 "fitted %s again: %zu examples, %zu learned, %zu answers changed, %lld ms",
                 r->o.task_path, report.n_examples, report.n_taught, report.n_changes,
                 (long long)(report.fit_ms + report.embed_ms));
    else if (f.code != E_CANCELLED)
        log_error("route", "cannot fit %s again: %s; going on with the head as it was",
                  r->o.task_path, f.text);
    arena_deinit(&a);
}

static void fitter_main(void *arg) {
    route *r = arg;
    mutex_lock(&r->fitter_lock);
    while (!r->fitter_stop) {
        if (!r->fitter_wanted) {
            cond_wait(&r->fitter_wake, &r->fitter_lock);
            continue;
        }
        cond_wait_ms(&r->fitter_wake, &r->fitter_lock, FIT_WAIT_MS);
        r->fitter_wanted = false;
        if (r->fitter_stop) break;
        mutex_unlock(&r->fitter_lock);
        fit_once(r);
        mutex_lock(&r->fitter_lock);
    }
    mutex_unlock(&r->fitter_lock);
}

err route_fitter_start(route *r, fail *f) {
    return thread_start(&r->fitter, "bantam-fit", fitter_main, r, f);
}

void route_fitter_stop(route *r) {
    mutex_lock(&r->fitter_lock);
    r->fitter_stop = true;
    cond_signal(&r->fitter_wake);
    mutex_unlock(&r->fitter_lock);
    thread_join(&r->fitter);
}
