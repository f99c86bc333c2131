/* route_store.c - route's tables: people's labels, replies they wrote, modes, fitted heads,
 * vectors.
 *
 * Each change of a task's labels takes the next number of route_tasks.changes; a head says up to
 * which number it is fitted. So "what is newer than the head" needs no clock. Owner: the
 * transaction's thread. */
#include "route/route_int.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

static const store_migration migrations[] = {
    {"route", 1,
     "CREATE TABLE route_tasks(task_id TEXT PRIMARY KEY, changes INTEGER NOT NULL DEFAULT 0,"
     " version INTEGER NOT NULL DEFAULT 0, mode TEXT, mode_by TEXT, mode_at_ms INTEGER);"
     "CREATE TABLE route_labels(id INTEGER PRIMARY KEY, task_id TEXT NOT NULL, text TEXT NOT NULL,"
     " label TEXT NOT NULL, person TEXT NOT NULL, source TEXT NOT NULL, review TEXT NOT NULL,"
     " request_id TEXT NOT NULL, at_ms INTEGER NOT NULL, split TEXT NOT NULL, added INTEGER NOT "
     "NULL,"
     " forgotten INTEGER NOT NULL DEFAULT 0);"
     "CREATE INDEX route_labels_task ON route_labels(task_id, added);"
     "CREATE TABLE route_replies(task_id TEXT NOT NULL, label TEXT NOT NULL, text TEXT NOT NULL,"
     " passage TEXT NOT NULL, person TEXT NOT NULL, at_ms INTEGER NOT NULL, PRIMARY KEY(task_id, "
     "label));"
     "CREATE TABLE route_heads(id INTEGER PRIMARY KEY AUTOINCREMENT, task_id TEXT NOT NULL,"
     " examples_digest TEXT NOT NULL, embedder_digest TEXT NOT NULL, through INTEGER NOT NULL,"
     " at_ms INTEGER NOT NULL, head BLOB NOT NULL);"
     "CREATE INDEX route_heads_task ON route_heads(task_id, id);"
     "CREATE TABLE route_vectors(embedder TEXT NOT NULL, text_hash TEXT NOT NULL, vector BLOB NOT "
     "NULL,"
     " PRIMARY KEY(embedder, text_hash)) WITHOUT ROWID;"},
};

const store_migration *route_migrations(size_t *n) {
    *n = sizeof migrations / sizeof *migrations;
    return migrations;
}

/* ---- reading ---- */

err route_store_task(store_tx *tx, str task_id, route_task_row *out, fail *f) {
    store_stmt *q;
    bool row;
    *out = (route_task_row){0};
    TRY(store_prepare(tx, "SELECT changes, mode, version FROM route_tasks WHERE task_id = ?", &q,
                      f));
    store_bind_str(q, 1, task_id);
    err e = store_step(q, &row, f);
    if (e == E_OK && row) {
        arena a;
        str mode = STR_NONE;
        arena_init(&a, 256);
        out->changes = store_int(q, 0);
        out->version = store_int(q, 2);
        e = store_str(q, 1, &a, &mode, f);
        for (int m = TASK_SUGGEST; e == E_OK && mode.p && m <= TASK_ALL_TO_PEOPLE; m++)
            if (str_is(mode, task_mode_name((task_mode)m))) {
                out->mode = (task_mode)m;
                out->mode_set = true;
            }
        arena_deinit(&a);
    }
    store_reset(q);
    return e;
}

static err read_label(store_stmt *q, arena *a, str task_id, route_label_row *out, fail *f) {
    *out = (route_label_row){
        .label = {.id = store_int(q, 0), .task_id = task_id, .at_ms = store_int(q, 7)},
        .added = store_int(q, 8),
        .forgotten = store_int(q, 9)};
    TRY(store_str(q, 1, a, &out->label.text, f));
    TRY(store_str(q, 2, a, &out->label.label, f));
    TRY(store_str(q, 3, a, &out->label.by, f));
    TRY(store_str(q, 4, a, &out->label.source, f));
    TRY(store_str(q, 5, a, &out->label.review, f));
    return store_str(q, 6, a, &out->label.request_id, f);
}

/* Grows an arena array by doubling; the old half is left to the arena. */
static void *grow(arena *a, void *items, size_t n, size_t *cap, size_t size) {
    if (n < *cap) return items;
    size_t bigger = *cap ? 2 * *cap : 64;
    void *p = arena_array(a, bigger, size);
    if (p && n) memcpy(p, items, n * size);
    if (p) *cap = bigger;
    return p;
}

err route_store_labels(store_tx *tx, arena *a, str task_id, route_label_row **out, size_t *n,
                       fail *f) {
    store_stmt *q;
    bool row = false;
    size_t count = 0, cap = 0;
    route_label_row *rows = NULL;
    TRY(store_prepare(
        tx,
        "SELECT id, text, label, person, source, review, request_id, at_ms, added, forgotten"
        " FROM (SELECT * FROM route_labels WHERE task_id = ? AND forgotten = 0"
        " ORDER BY added DESC LIMIT ?) ORDER BY added", /* beyond the limit the oldest give way */
        &q, f));
    store_bind_str(q, 1, task_id);
    store_bind_int(q, 2, ROUTE_LABELS_MAX);
    err e = E_OK;
    while ((e = store_step(q, &row, f)) == E_OK && row) {
        rows = grow(a, rows, count, &cap, sizeof *rows);
        e = rows ? read_label(q, a, task_id, &rows[count++], f) : fail_memory(f, "labels");
        if (e != E_OK) break;
    }
    store_reset(q);
    if (e != E_OK) return e;
    *out = rows;
    *n = count;
    return E_OK;
}

err route_store_replies(store_tx *tx, arena *a, str task_id, route_reply_row **out, size_t *n,
                        fail *f) {
    store_stmt *q;
    bool row = false;
    size_t count = 0, cap = 0;
    route_reply_row *rows = NULL;
    TRY(store_prepare(
        tx, "SELECT label, text, passage FROM route_replies WHERE task_id = ? ORDER BY label", &q,
        f));
    store_bind_str(q, 1, task_id);
    err e = E_OK;
    while ((e = store_step(q, &row, f)) == E_OK && row) {
        rows = grow(a, rows, count, &cap, sizeof *rows);
        if (!rows) e = fail_memory(f, "replies");
        if (e == E_OK) e = store_str(q, 0, a, &rows[count].label, f);
        if (e == E_OK) e = store_str(q, 1, a, &rows[count].text, f);
        if (e == E_OK) e = store_str(q, 2, a, &rows[count].passage, f);
        if (e != E_OK) break;
        count++;
    }
    store_reset(q);
    if (e != E_OK) return e;
    *out = rows;
    *n = count;
    return E_OK;
}

err route_store_head_id(store_tx *tx, str task_id, int64_t *id, fail *f) {
    store_stmt *q;
    bool row;
    TRY(store_prepare(tx, "SELECT max(id) FROM route_heads WHERE task_id = ?", &q, f));
    store_bind_str(q, 1, task_id);
    err e = store_step(q, &row, f);
    if (e == E_OK) *id = row ? store_int(q, 0) : 0;
    store_reset(q);
    return e;
}

static err read_head(store_stmt *q, arena *a, route_head *h, fail *f) {
    str examples, embedder, blob;
    TRY(store_str(q, 0, a, &examples, f));
    TRY(store_str(q, 1, a, &embedder, f));
    TRY(store_str(q, 3, a, &blob, f));
    h->through = store_int(q, 2);
    snprintf(h->examples_digest, sizeof h->examples_digest, "%.*s", STR_ARG(examples));
    snprintf(h->embedder_digest, sizeof h->embedder_digest, "%.*s", STR_ARG(embedder));
    h->at_ms = store_int(q, 4);
    return fit_head_load(&h->fit, blob, f);
}

err route_store_head(store_tx *tx, int64_t id, route_head **out, fail *f) {
    store_stmt *q;
    bool row;
    arena a;
    arena_init(&a, 0);
    route_head *h = mem_zero(sizeof *h);
    if (!h) return fail_memory(f, "a fitted head");
    atomic_init(&h->refs, 1);
    h->id = id;
    err e = store_prepare(tx,
                          "SELECT examples_digest, embedder_digest, through, head, at_ms FROM "
                          "route_heads WHERE id = ?",
                          &q, f);
    if (e == E_OK) {
        store_bind_int(q, 1, id);
        e = store_step(q, &row, f);
        if (e == E_OK && !row)
            e = fail_set(f, E_NOT_FOUND, "fitted head %lld is gone", (long long)id);
        if (e == E_OK) e = read_head(q, &a, h, f);
        store_reset(q);
    }
    arena_deinit(&a);
    if (e != E_OK) {
        route_head_drop(h);
        return e;
    }
    *out = h;
    return E_OK;
}

/* ---- writing ---- */

/* by 1 for a change of labels, by 0 for other changes of what decides */
static err next_change(store_tx *tx, str task_id, int by, int64_t *change, fail *f) {
    store_stmt *q;
    bool row;
    TRY(store_prepare(
        tx,
        "INSERT INTO route_tasks(task_id, changes, version) VALUES(?1, ?2, 1)"
        " ON CONFLICT(task_id) DO UPDATE SET changes = changes + ?2, version = version + 1"
        " RETURNING changes",
        &q, f));
    store_bind_str(q, 1, task_id);
    store_bind_int(q, 2, by);
    err e = store_step(q, &row, f);
    if (e == E_OK) *change = store_int(q, 0);
    store_reset(q);
    return e;
}

/* A text has one valid label: an earlier one for the same words gives way. */
static err forget_same_text(store_tx *tx, const gen_label *l, int64_t change, fail *f) {
    store_stmt *q;
    bool row;
    TRY(store_prepare(
        tx,
        "UPDATE route_labels SET forgotten = ? WHERE task_id = ? AND text = ? AND forgotten = 0",
        &q, f));
    store_bind_int(q, 1, change);
    store_bind_str(q, 2, l->task_id);
    store_bind_str(q, 3, l->text);
    err e = store_step(q, &row, f);
    store_reset(q);
    return e;
}

static err check_label(const gen_label *l, fail *f) {
    if (!str_trim(l->text).n) return fail_set(f, E_INPUT, "a label needs the text that it is for");
    if (l->text.n > TASK_TEXT_BYTES_MAX)
        return fail_set(f, E_TOO_LARGE, "a text of %zu bytes is above the limit of %d", l->text.n,
                        TASK_TEXT_BYTES_MAX);
    if (!task_label_ok(l->label)) {
        fail_set(f, E_INPUT, "\"%.*s\" is not a label's name", STR_ARG(l->label));
        return fail_hint(f, "labels are one line of 1 to %d bytes", TASK_NAME_BYTES_MAX);
    }
    return E_OK;
}

static err learn(void *self, store_tx *tx, const gen_label *l, int64_t *id, fail *f) {
    (void)self;
    store_stmt *q;
    bool row;
    int64_t change;
    TRY(check_label(l, f));
    TRY(next_change(tx, l->task_id, 1, &change, f));
    TRY(forget_same_text(tx, l, change, f));
    TRY(store_prepare(
        tx,
        "INSERT INTO route_labels(task_id, text, label, person, source, review, request_id, at_ms,"
        " split, added) VALUES(?, ?, ?, ?, ?, ?, ?, ?, 'train', ?)",
        &q, f));
    const str texts[] = {l->task_id, l->text, l->label, l->by, l->source, l->review, l->request_id};
    for (int i = 0; i < 7; i++) store_bind_str(q, i + 1, texts[i].p ? texts[i] : STR(""));
    store_bind_int(q, 8, l->at_ms ? l->at_ms : clock_now_ms());
    store_bind_int(q, 9, change);
    err e = store_step(q, &row, f);
    store_reset(q);
    if (e == E_OK && id) *id = store_last_id(tx);
    return e;
}

err route_store_put_head(store_tx *tx, str task_id, const route_head *h, str blob, int64_t *id,
                         fail *f) {
    store_stmt *q;
    bool row;
    int64_t change;
    TRY(next_change(tx, task_id, 0, &change, f));
    TRY(store_prepare(
        tx,
        "INSERT INTO route_heads(task_id, examples_digest, embedder_digest, through, at_ms, head)"
        " VALUES(?, ?, ?, ?, ?, ?)",
        &q, f));
    store_bind_str(q, 1, task_id);
    store_bind_str(q, 2, str_from(h->examples_digest));
    store_bind_str(q, 3, str_from(h->embedder_digest));
    store_bind_int(q, 4, h->through);
    store_bind_int(q, 5, clock_now_ms());
    store_bind_blob(q, 6, blob);
    err e = store_step(q, &row, f);
    store_reset(q);
    if (e != E_OK) return e;
    *id = store_last_id(tx);
    /* the one before stays for a reader in between; older ones go */
    TRY(store_prepare(
        tx,
        "DELETE FROM route_heads WHERE task_id = ?1 AND id < (SELECT min(id) FROM (SELECT id FROM"
        " route_heads WHERE task_id = ?1 ORDER BY id DESC LIMIT 2))",
        &q, f));
    store_bind_str(q, 1, task_id);
    e = store_step(q, &row, f);
    store_reset(q);
    return e;
}

static err label_task(store_tx *tx, int64_t id, arena *a, str *task_id, fail *f) {
    store_stmt *q;
    bool row;
    TRY(store_prepare(tx, "SELECT task_id FROM route_labels WHERE id = ? AND forgotten = 0", &q,
                      f));
    store_bind_int(q, 1, id);
    err e = store_step(q, &row, f);
    if (e == E_OK && !row)
        e = fail_set(f, E_NOT_FOUND, "there is no learned label %lld", (long long)id);
    if (e == E_OK) e = store_str(q, 0, a, task_id, f);
    store_reset(q);
    return e;
}

static err forget(void *self, store_tx *tx, int64_t id, fail *f) {
    (void)self;
    store_stmt *q;
    bool row;
    int64_t change;
    str task_id;
    arena a;
    arena_init(&a, 256);
    err e = label_task(tx, id, &a, &task_id, f);
    if (e == E_OK) e = next_change(tx, task_id, 1, &change, f);
    arena_deinit(&a);
    if (e != E_OK) return e;
    TRY(store_prepare(tx, "UPDATE route_labels SET forgotten = ? WHERE id = ?", &q, f));
    store_bind_int(q, 1, change);
    store_bind_int(q, 2, id);
    e = store_step(q, &row, f);
    store_reset(q);
    return e;
}

gen_label_sink route_labels(store *s) {
    return (gen_label_sink){.self = s, .learn = learn, .forget = forget};
}

/* One statement with text parameters in its own transaction; the task's row exists afterwards. */
static err write_texts(store *s, str task_id, const char *sql, const str *texts, int n, fail *f) {
    store_tx *tx;
    store_stmt *q;
    bool row;
    int64_t change;
    TRY(store_begin(s, STORE_WRITE, &tx, f));
    err e = next_change(tx, task_id, 0, &change, f);
    if (e == E_OK) e = store_prepare(tx, sql, &q, f);
    if (e == E_OK) {
        for (int i = 0; i < n; i++) store_bind_str(q, i + 1, texts[i]);
        store_bind_int(q, n + 1, clock_now_ms());
        e = store_step(q, &row, f);
        store_reset(q);
    }
    if (e == E_OK) return store_commit(tx, f);
    store_rollback(tx);
    return e;
}

err route_set_mode(store *s, str task_id, task_mode mode, str by, fail *f) {
    const str texts[] = {task_id, str_from(task_mode_name(mode)), by.p ? by : STR("")};
    return write_texts(
        s, task_id,
        "UPDATE route_tasks SET mode = ?2, mode_by = ?3, mode_at_ms = ?4 WHERE task_id = ?1", texts,
        3, f);
}

err route_set_reply(store *s, str task_id, str label, str text, str passage, str by, fail *f) {
    if (!task_label_ok(label))
        return fail_set(f, E_INPUT, "\"%.*s\" is not a label's name", STR_ARG(label));
    if (!str_trim(text).n || text.n > TASK_TEXT_BYTES_MAX)
        return fail_set(f, E_INPUT, "a reply has 1 to %d bytes, not %zu", TASK_TEXT_BYTES_MAX,
                        text.n);
    const str texts[] = {task_id, label, text, passage.p ? passage : STR(""), by.p ? by : STR("")};
    return write_texts(s, task_id,
                       "INSERT INTO route_replies(task_id, label, text, passage, person, at_ms) "
                       "VALUES(?, ?, ?, ?, ?, ?)"
                       " ON CONFLICT(task_id, label) DO UPDATE SET text = excluded.text, passage = "
                       "excluded.passage,"
                       " person = excluded.person, at_ms = excluded.at_ms",
                       texts, 5, f);
}

err route_list_labels(store *s, arena *a, str task_id, gen_label **out, size_t *n, fail *f) {
    store_tx *tx;
    route_label_row *rows = NULL;
    size_t count = 0, kept = 0;
    TRY(store_begin(s, STORE_READ, &tx, f));
    err e = route_store_labels(tx, a, task_id, &rows, &count, f);
    store_rollback(tx);
    if (e != E_OK) return e;
    gen_label *labels = arena_new_n(a, gen_label, count ? count : 1);
    if (!labels) return fail_memory(f, "labels");
    for (size_t i = count; i-- > 0;)
        if (!rows[i].forgotten) labels[kept++] = rows[i].label;
    *out = labels;
    *n = kept;
    return E_OK;
}

err route_reply_of(store *s, const task *t, str label, arena *a, str *out, fail *f) {
    int32_t at = task_find_label(t, label);
    str found = t->kind == TASK_CLASSIFY ? label : at >= 0 ? t->labels[at].reply : STR("");
    route_reply_row *rows = NULL;
    size_t n = 0;
    store_tx *tx;
    if (!found.n) {
        TRY(store_begin(s, STORE_READ, &tx, f));
        err e = route_store_replies(tx, a, t->id, &rows, &n, f);
        store_rollback(tx);
        if (e != E_OK) return e;
        for (size_t i = 0; i < n; i++)
            if (str_eq(rows[i].label, label)) found = rows[i].text;
    }
    *out = found.n ? arena_str(a, found) : STR_NONE;
    return found.n && !out->p ? fail_memory(f, "a reply") : E_OK;
}
