/* route_brain.c - builds what decides, sees what others changed, and lends it out; see route_int.h.
 *
 *   route_hold: refresh -> borrow.   refresh: task file newer? store's generation moved? version
 * moved?
 *               -> load head when a newer one is stored -> teach what is newer than the head ->
 * swap.
 *
 * Locks: refresh_lock (whole refresh), then lock (the pointer). Counted parts are freed by the last
 * to drop. */
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "route/route_int.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>

/* ---- the task file ---- */

static err file_load(route *r, route_file **out, fail *f) {
    struct stat info;
    if (stat(r->o.task_path, &info) != 0)
        return fail_errno(f, "cannot look at \"%s\"", r->o.task_path);
    route_file *x = mem_zero(sizeof *x);
    if (!x) return fail_memory(f, "a task");
    atomic_init(&x->refs, 1);
    arena_init(&x->arena, 0);
    x->mtime_ns = (int64_t)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec;
    x->bytes = info.st_size;
    err e = task_load(&x->arena, r->o.task_path, &x->task, f);
    if (e != E_OK) {
        route_file_drop(x);
        return e;
    }
    *out = x;
    return E_OK;
}

static bool file_changed(const route *r, const route_file *x) {
    struct stat info;
    if (stat(r->o.task_path, &info) != 0) return false; /* gone: go on with what was read */
    int64_t mtime_ns = (int64_t)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec;
    return mtime_ns != x->mtime_ns || info.st_size != x->bytes;
}

/* A running task keeps its last good file: a typo in the new one must not take the desk down. */
static route_file *file_refresh(route *r, route_file *now) {
    route_file *fresh;
    fail f = {0};
    if (!file_changed(r, now)) return route_file_keep(now);
    if (file_load(r, &fresh, &f) == E_OK) {
        r->file_error_shown = 0;
        log_info("route", "read %s again", r->o.task_path);
        return fresh;
    }
    if (!r->file_error_shown) log_error("route", "%s; going on with the task as it was", f.text);
    r->file_error_shown = 1;
    return route_file_keep(now);
}

/* ---- labels ---- */

static const task_passage *find_passage(const task *t, str id) {
    for (size_t i = 0; i < t->n_passages; i++)
        if (str_eq(t->passages[i].id, id)) return &t->passages[i];
    return NULL;
}

static int32_t find_label(const route_label *labels, size_t n, str name) {
    for (size_t i = 0; i < n; i++)
        if (str_eq(labels[i].name, name)) return (int32_t)i;
    return -1;
}

static route_label label_of(const task *t, str name, const route_reply_row *replies,
                            size_t n_replies) {
    route_label l = {.name = name, .is_other = str_is(name, "other")};
    int32_t at = task_find_label(t, name);
    if (at >= 0) {
        const task_label *own = &t->labels[at];
        l.about = own->about;
        l.always_human = own->always_human;
        l.needs_record = own->needs_record;
        l.reply = own->reply;
        if (own->passage >= 0) l.passage = &t->passages[own->passage];
    }
    for (size_t i = 0; i < n_replies && !l.reply.n; i++)
        if (str_eq(replies[i].label, name)) {
            l.reply = replies[i].text;
            l.passage = find_passage(t, replies[i].passage);
        }
    return l;
}

static bool is_automatic(const task *t, const route_label *l) {
    bool has_answer = t->kind == TASK_CLASSIFY || l->reply.n > 0;
    return !l->is_other && !l->always_human && !l->needs_record && has_answer;
}

typedef struct brain_source { /* what the store said, in the new brain's arena */
    route_task_row row;
    int64_t head_id;
    route_label_row *labels;
    size_t n_labels;
    route_reply_row *replies;
    size_t n_replies;
} brain_source;

/* The head's labels in its order, then the file's, then the learned ones that neither has. */
static err gather_labels(route_brain *b, const brain_source *src, fail *f) {
    const task *t = b->file->task;
    size_t in_head = b->head ? fit_head_labels(b->head->fit) : 0, n = 0;
    route_label *labels =
        arena_new_n(&b->arena, route_label, in_head + t->n_labels + src->n_labels + 1);
    if (!labels) return fail_memory(f, "labels");
    for (size_t i = 0; i < in_head; i++)
        labels[n++] = label_of(t, fit_head_label_name(b->head->fit, (int32_t)i), src->replies,
                               src->n_replies);
    for (size_t i = 0; i < t->n_labels; i++)
        if (find_label(labels, n, t->labels[i].name) < 0)
            labels[n++] = label_of(t, t->labels[i].name, src->replies, src->n_replies);
    for (size_t i = 0; i < src->n_labels; i++)
        if (!src->labels[i].forgotten && find_label(labels, n, src->labels[i].label.label) < 0)
            labels[n++] = label_of(t, src->labels[i].label.label, src->replies, src->n_replies);
    b->labels = labels;
    b->n_labels = n;
    return E_OK;
}

/* ---- what was taught since the fit ---- */

static const float *known_vector(const route_brain *old, int64_t id) {
    for (size_t i = 0; old && i < old->n_rows; i++)
        if (old->rows[i].id == id) return old->rows[i].vector;
    return NULL;
}

static err teach_row(route *r, route_brain *b, const route_brain *old, const gen_label *l,
                     route_taught_row *out, fail *f) {
    size_t width = (size_t)r->o.embedder->width;
    float *vector = arena_new_n(&b->arena, float, width);
    if (!vector) return fail_memory(f, "an example");
    const float *known = known_vector(old, l->id);
    if (known)
        memcpy(vector, known, width * sizeof *vector);
    else
        TRY(route_vectors(r, &l->text, 1, vector, f));
    *out = (route_taught_row){l->id, l->text, l->label, vector};
    int32_t label = find_label(b->labels, b->n_labels, l->label);
    CHECK(label >= 0);
    return fit_taught_add(b->taught, l->id, label, is_automatic(b->file->task, &b->labels[label]),
                          vector, f);
}

static err teach(route *r, route_brain *b, const route_brain *old, const brain_source *src,
                 fail *f) {
    int64_t through = b->head ? b->head->through : 0;
    route_taught_row *rows = arena_new_n(&b->arena, route_taught_row, src->n_labels + 1);
    if (!rows) return fail_memory(f, "examples");
    TRY(fit_taught_open(&b->taught, (size_t)r->o.embedder->width, f));
    b->rows = rows;
    for (size_t i = 0; i < src->n_labels; i++) {
        const route_label_row *l = &src->labels[i];
        if (!l->forgotten && l->added > through)
            TRY(teach_row(r, b, old, &l->label, &rows[b->n_rows++], f));
    }
    return E_OK;
}

/* ---- building and swapping ---- */

static err read_source(route *r, arena *a, str task_id, brain_source *src, fail *f) {
    store_tx *tx;
    TRY(store_begin(r->o.store, STORE_READ, &tx, f));
    err e = route_store_task(tx, task_id, &src->row, f);
    if (e == E_OK) e = route_store_head_id(tx, task_id, &src->head_id, f);
    if (e == E_OK) e = route_store_labels(tx, a, task_id, &src->labels, &src->n_labels, f);
    if (e == E_OK) e = route_store_replies(tx, a, task_id, &src->replies, &src->n_replies, f);
    store_rollback(tx);
    return e;
}

static err head_for(route *r, int64_t id, const route_brain *old, route_head **out, fail *f) {
    *out = NULL;
    if (!id || !r->o.embedder) return E_OK;
    if (old && old->head && old->head->id == id) {
        *out = route_head_keep(old->head);
        return E_OK;
    }
    store_tx *tx;
    TRY(store_begin(r->o.store, STORE_READ, &tx, f));
    err e = route_store_head(tx, id, out, f);
    store_rollback(tx);
    if (e != E_OK) return e;
    /* of another embedding model: its numbers mean nothing here, a fit makes a new one */
    if (!str_is(str_from((*out)->embedder_digest), r->o.embedder_digest)) {
        route_head_drop(*out);
        *out = NULL;
    }
    return E_OK;
}

static err brain_fill(route *r, route_brain *b, const route_brain *old, fail *f) {
    brain_source src = {0};
    TRY(read_source(r, &b->arena, b->file->task->id, &src, f));
    b->changes = src.row.changes;
    b->version = src.row.version;
    b->mode = src.row.mode_set ? src.row.mode : b->file->task->mode;
    TRY(head_for(r, src.head_id, old, &b->head, f));
    TRY(gather_labels(b, &src, f));
    return r->o.embedder && b->head ? teach(r, b, old, &src, f) : E_OK;
}

/* Takes over the caller's count of `file`, also on failure. */
static err brain_build(route *r, route_file *file, const route_brain *old, route_brain **out,
                       fail *f) {
    route_brain *b = mem_zero(sizeof *b);
    if (!b) {
        route_file_drop(file);
        return fail_memory(f, "a task");
    }
    atomic_init(&b->refs, 1);
    arena_init(&b->arena, 0);
    b->file = file;
    err e = brain_fill(r, b, old, f);
    if (e != E_OK) {
        route_drop(b);
        return e;
    }
    *out = b;
    return E_OK;
}

static route_brain *borrow(route *r) {
    mutex_lock(&r->lock);
    route_brain *b = r->brain;
    if (b) atomic_fetch_add(&b->refs, 1);
    mutex_unlock(&r->lock);
    return b;
}

static void swap_in(route *r, route_brain *fresh) {
    mutex_lock(&r->lock);
    route_brain *old = r->brain;
    r->brain = fresh;
    mutex_unlock(&r->lock);
    route_drop(old);
}

static err stored_version(route *r, str task_id, int64_t *version, fail *f) {
    store_tx *tx;
    route_task_row row;
    TRY(store_begin(r->o.store, STORE_READ, &tx, f));
    err e = route_store_task(tx, task_id, &row, f);
    store_rollback(tx);
    if (e == E_OK) *version = row.version;
    return e;
}

static err refresh_locked(route *r, fail *f) {
    int64_t generation, version = 0;
    route_brain *old = r->brain; /* only this lock's holder replaces it */
    TRY(store_generation(r->o.store, &generation, f));
    bool file_moved = !old || file_changed(r, old->file);
    if (!file_moved && generation == r->generation) return E_OK;
    if (!file_moved) {
        TRY(stored_version(r, old->file->task->id, &version, f));
        if (version == old->version) {
            r->generation = generation;
            return E_OK;
        }
    }
    route_file *file;
    if (old)
        file = file_refresh(r, old->file);
    else
        TRY(file_load(r, &file, f));
    route_brain *fresh = NULL;
    TRY(brain_build(r, file, old, &fresh, f));
    swap_in(r, fresh);
    r->generation = generation;
    if (r->o.background && route_brain_is_stale(r, fresh)) route_fit_in_background(r);
    return E_OK;
}

err route_refresh(route *r, fail *f) {
    mutex_lock(&r->refresh_lock);
    err e = refresh_locked(r, f);
    mutex_unlock(&r->refresh_lock);
    return e;
}

err route_hold(route *r, route_brain **out, fail *f) {
    TRY(route_refresh(r, f));
    *out = borrow(r);
    return E_OK;
}

bool route_brain_is_stale(const route *r, const route_brain *b) {
    if (!r->o.embedder) return false;
    if (!b->head) return b->n_labels > 1;
    return b->head->through != b->changes ||
           strcmp(b->head->examples_digest, b->file->task->examples_digest) != 0;
}

bool route_is_stale(route *r) {
    route_brain *b = borrow(r);
    bool stale = b && route_brain_is_stale(r, b);
    route_drop(b);
    return stale;
}

task_mode route_mode(route *r) {
    fail f = {0};
    if (route_refresh(r, &f) != E_OK)
        log_error("route", "%s; the mode is the last one seen", f.text);
    route_brain *b = borrow(r);
    task_mode mode = b->mode;
    route_drop(b);
    return mode;
}

err route_label_names(route *r, arena *a, str **out, size_t *n, fail *f) {
    route_brain *b;
    TRY(route_hold(r, &b, f));
    str *names = arena_new_n(a, str, b->n_labels + 1);
    err e = names ? E_OK : fail_memory(f, "labels");
    for (size_t i = 0; e == E_OK && i < b->n_labels; i++) {
        names[i] = arena_str(a, b->labels[i].name);
        if (!names[i].p) e = fail_memory(f, "labels");
    }
    if (e == E_OK) *out = names, *n = b->n_labels;
    route_drop(b);
    return e;
}

err route_reply(route *r, str label, arena *a, str *out, fail *f) {
    route_brain *b;
    TRY(route_hold(r, &b, f));
    err e = route_reply_of(r->o.store, b->file->task, label, a, out, f);
    route_drop(b);
    return e;
}
