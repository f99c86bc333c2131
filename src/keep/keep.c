/* keep.c - the tables, what the files of this room share, and housekeeping. See keep.h.
 *
 * Times are milliseconds since 1970. The database overwrites what it deletes. */
#include "keep/keep_int.h"

#include "base/clock.h"
#include "base/rand.h"

#include <stdio.h>

enum { REF_RANDOM = 24, FORGET_BATCH = 500 };

static const store_migration migrations[] = {
    {"keep", 1,
     "CREATE TABLE keep_response("
     " id INTEGER PRIMARY KEY AUTOINCREMENT, ref TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL,"
     " subject TEXT NOT NULL, previous TEXT NOT NULL, status TEXT NOT NULL, object TEXT NOT NULL,"
     " created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL) STRICT;"
     "CREATE INDEX keep_response_expires ON keep_response(expires_ms);"
     "CREATE INDEX keep_response_subject ON keep_response(subject) WHERE subject<>'';"
     "CREATE TABLE keep_item("
     " id INTEGER PRIMARY KEY, response INTEGER NOT NULL REFERENCES keep_response(id) ON DELETE"
     " CASCADE, side INTEGER NOT NULL, ref TEXT NOT NULL, text TEXT NOT NULL) STRICT;"
     "CREATE INDEX keep_item_response ON keep_item(response, side, id);"
     "CREATE INDEX keep_item_ref ON keep_item(ref);"
     "CREATE TABLE keep_file("
     " id INTEGER PRIMARY KEY AUTOINCREMENT, ref TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL,"
     " name TEXT NOT NULL, purpose TEXT NOT NULL, bytes INTEGER NOT NULL,"
     " created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL) STRICT;"
     "CREATE INDEX keep_file_tenant ON keep_file(tenant, id);"
     "CREATE TABLE keep_chunk("
     " id INTEGER PRIMARY KEY, file INTEGER NOT NULL REFERENCES keep_file(id) ON DELETE CASCADE,"
     " ord INTEGER NOT NULL, bytes BLOB NOT NULL, UNIQUE(file, ord)) STRICT;"
     "CREATE TABLE keep_batch("
     " id INTEGER PRIMARY KEY AUTOINCREMENT, ref TEXT NOT NULL UNIQUE, endpoint TEXT NOT NULL,"
     " input TEXT NOT NULL, output TEXT NOT NULL DEFAULT '', failures TEXT NOT NULL DEFAULT '',"
     " status TEXT NOT NULL, metadata TEXT NOT NULL, problems TEXT NOT NULL DEFAULT '',"
     " total INTEGER NOT NULL DEFAULT 0, done INTEGER NOT NULL DEFAULT 0,"
     " failed INTEGER NOT NULL DEFAULT 0, created_ms INTEGER NOT NULL,"
     " started_ms INTEGER NOT NULL DEFAULT 0, finalizing_ms INTEGER NOT NULL DEFAULT 0,"
     " ended_ms INTEGER NOT NULL DEFAULT 0, cancelling_ms INTEGER NOT NULL DEFAULT 0,"
     " expires_ms INTEGER NOT NULL, who_kind INTEGER NOT NULL, who_id INTEGER NOT NULL,"
     " who_scopes INTEGER NOT NULL, who_role INTEGER NOT NULL, who_name TEXT NOT NULL,"
     " tenant TEXT NOT NULL) STRICT;"
     "CREATE INDEX keep_batch_tenant ON keep_batch(tenant, id);"
     "CREATE INDEX keep_batch_open ON keep_batch(id) WHERE ended_ms=0;"
     "CREATE TABLE keep_job("
     " id INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL, ref TEXT NOT NULL UNIQUE,"
     " subject TEXT NOT NULL, path TEXT NOT NULL, body TEXT NOT NULL,"
     " batch INTEGER REFERENCES keep_batch(id) ON DELETE CASCADE, ord INTEGER NOT NULL,"
     " custom TEXT NOT NULL, state INTEGER NOT NULL DEFAULT 0, status INTEGER NOT NULL DEFAULT 0,"
     " answer TEXT NOT NULL DEFAULT '', request TEXT NOT NULL DEFAULT '',"
     " created_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL DEFAULT 0,"
     " expires_ms INTEGER NOT NULL, who_kind INTEGER NOT NULL, who_id INTEGER NOT NULL,"
     " who_scopes INTEGER NOT NULL, who_role INTEGER NOT NULL, who_name TEXT NOT NULL,"
     " tenant TEXT NOT NULL) STRICT;"
     "CREATE INDEX keep_job_asked ON keep_job(id) WHERE state=0 AND batch IS NULL;"
     "CREATE INDEX keep_job_lines ON keep_job(id) WHERE state=0 AND batch IS NOT NULL;"
     "CREATE INDEX keep_job_batch ON keep_job(batch, state, ord);"
     "CREATE UNIQUE INDEX keep_job_custom ON keep_job(batch, custom) WHERE batch IS NOT NULL;"
     "CREATE INDEX keep_job_expires ON keep_job(expires_ms) WHERE batch IS NULL;"
     "CREATE INDEX keep_job_subject ON keep_job(subject) WHERE subject<>'';"
     "CREATE TABLE keep_once("
     " actor TEXT NOT NULL, key TEXT NOT NULL, digest TEXT NOT NULL, status INTEGER NOT NULL,"
     " location TEXT NOT NULL, answer TEXT NOT NULL, subject TEXT NOT NULL,"
     " expires_ms INTEGER NOT NULL, PRIMARY KEY(actor, key)) STRICT;"
     "CREATE INDEX keep_once_expires ON keep_once(expires_ms);"
     "CREATE INDEX keep_once_subject ON keep_once(subject) WHERE subject<>'';"}};

const store_migration *keep_migrations(size_t *n) {
    *n = sizeof migrations / sizeof *migrations;
    return migrations;
}

/* ---- shared ---- */

void keep_ref(const char *prefix, char out[KEEP_REF_BYTES]) {
    char id[REF_RANDOM + 1];
    rand_id(id, REF_RANDOM);
    snprintf(out, KEEP_REF_BYTES, "%s%s", prefix, id);
}

err keep_finish(store_tx *tx, err e, fail *f) {
    if (e == E_OK) return store_commit(tx, f);
    store_rollback(tx);
    return e;
}

err keep_texts(store_stmt *q, arena *a, const keep_text *texts, size_t n, fail *f) {
    for (size_t i = 0; i < n; i++) TRY(store_str(q, texts[i].column, a, texts[i].to, f));
    return E_OK;
}

err keep_do(store_stmt *q, fail *f) {
    bool row;
    return store_step(q, &row, f);
}

err keep_none(const char *what, str ref, fail *f) {
    return fail_set(f, E_NOT_FOUND, "there is no %s \"%.*s\"", what,
                    STR_ARG(str_slice(ref, 0, 64)));
}

static err bind_ref(store_tx *tx, const char *sql, str tenant, str ref, store_stmt **out, fail *f) {
    TRY(store_prepare(tx, sql, out, f));
    store_bind_str(*out, 1, ref);
    store_bind_str(*out, 2, keep_filled(tenant));
    return E_OK;
}

err keep_find(store_tx *tx, const char *sql, const char *what, str tenant, str ref,
              store_stmt **out, fail *f) {
    bool row;
    TRY(bind_ref(tx, sql, tenant, ref, out, f));
    TRY(store_step(*out, &row, f));
    return row ? E_OK : keep_none(what, ref, f);
}

err keep_delete(store_tx *tx, const char *sql, const char *what, str tenant, str ref, fail *f) {
    store_stmt *q;
    TRY(bind_ref(tx, sql, tenant, ref, &q, f));
    TRY(keep_do(q, f));
    return store_changes(tx) ? E_OK : keep_none(what, ref, f);
}

bool keep_is_over(int64_t expires_ms) {
    return expires_ms && expires_ms <= clock_now_ms();
}

str keep_filled(str s) {
    return s.p ? s : STR("");
}

void keep_owner_bind(store_stmt *q, int index, const keep_owner *o) {
    store_bind_int(q, index, o->kind);
    store_bind_int(q, index + 1, o->id);
    store_bind_int(q, index + 2, o->scopes);
    store_bind_int(q, index + 3, o->role);
    store_bind_str(q, index + 4, keep_filled(o->name));
    store_bind_str(q, index + 5, keep_filled(o->tenant));
}

err keep_owner_read(store_stmt *q, int column, arena *a, keep_owner *out, fail *f) {
    *out = (keep_owner){.kind = store_int(q, column),
                        .id = store_int(q, column + 1),
                        .scopes = store_int(q, column + 2),
                        .role = store_int(q, column + 3)};
    TRY(store_str(q, column + 4, a, &out->name, f));
    return store_str(q, column + 5, a, &out->tenant, f);
}

void *keep_grow(arena *a, void *list, size_t n, size_t *cap, size_t bytes) {
    if (n < *cap) return list;
    size_t wider = *cap ? 2 * *cap : 16;
    char *fresh = arena_array(a, wider, bytes);
    if (!fresh) return NULL;
    for (size_t i = 0; i < n * bytes; i++) fresh[i] = ((const char *)list)[i];
    *cap = wider;
    return fresh;
}

err keep_page_from(store_tx *tx, const char *sql, const keep_page *page, const char *what,
                   int64_t *from, fail *f) {
    store_stmt *q;
    bool row;
    *from = page->ascending ? 0 : INT64_MAX;
    if (!page->after.n) return E_OK;
    TRY(store_prepare(tx, sql, &q, f));
    store_bind_str(q, 1, keep_filled(page->tenant));
    store_bind_str(q, 2, page->after);
    TRY(store_step(q, &row, f));
    if (!row) return keep_none(what, page->after, f);
    *from = store_int(q, 0);
    return E_OK;
}

err keep_page_step(store_stmt *q, const keep_page *page, size_t n, bool *row, bool *more, fail *f) {
    TRY(store_step(q, row, f));
    *more = *row && (int64_t)n == page->limit;
    if (*more) store_reset(q);
    *row = *row && !*more;
    return E_OK;
}

err keep_check_room(store_tx *tx, const char *sql, int64_t most, const char *what, int retry_s,
                    fail *f) {
    store_stmt *q;
    bool row;
    TRY(store_prepare(tx, sql, &q, f));
    TRY(store_step(q, &row, f));
    int64_t n = store_int(q, 0);
    store_reset(q);
    if (n < most) return E_OK;
    fail_set(f, E_LIMIT, "%lld %s already", (long long)n, what);
    if (f) f->retry_s = retry_s;
    return E_LIMIT;
}

/* ---- housekeeping ---- */

/* ?1 = now, ?2 = rows a transaction, so that other writers are not held up. */
static const char *const forgets[] = {
    "DELETE FROM keep_response WHERE id IN (SELECT id FROM keep_response WHERE expires_ms<=?1"
    " LIMIT ?2)",
    "DELETE FROM keep_job WHERE id IN (SELECT id FROM keep_job WHERE batch IS NULL AND"
    " expires_ms<=?1 LIMIT ?2)",
    "DELETE FROM keep_once WHERE rowid IN (SELECT rowid FROM keep_once WHERE expires_ms<=?1"
    " LIMIT ?2)",
    "DELETE FROM keep_batch WHERE id IN (SELECT id FROM keep_batch WHERE ended_ms>0 AND"
    " ended_ms+2592000000<=?1 LIMIT ?2)",
    "DELETE FROM keep_file WHERE id IN (SELECT id FROM keep_file WHERE expires_ms>0 AND"
    " expires_ms<=?1 LIMIT max(1, ?2/100))",
};
_Static_assert(KEEP_BATCH_MS == 2592000000, "as it stands in the statement");

static err forget_some(store *s, const char *sql, int64_t now_ms, int64_t *n, fail *f) {
    store_tx *tx;
    store_stmt *q;
    TRY(store_begin(s, STORE_WRITE, &tx, f));
    err e = store_prepare(tx, sql, &q, f);
    if (e == E_OK) {
        store_bind_int(q, 1, now_ms);
        store_bind_int(q, 2, FORGET_BATCH);
        e = keep_do(q, f);
    }
    if (e == E_OK) *n = store_changes(tx);
    return keep_finish(tx, e, f);
}

err keep_forget(store *s, int64_t now_ms, int64_t *n, fail *f) {
    int64_t total = 0;
    for (size_t i = 0; i < sizeof forgets / sizeof *forgets; i++)
        for (int64_t some = 1; some > 0;) {
            TRY(forget_some(s, forgets[i], now_ms, &some, f));
            total += some;
        }
    *n = total;
    return E_OK;
}

err keep_erase_subject(store_tx *tx, str subject, int64_t *n, fail *f) {
    static const char *const erases[] = {
        "DELETE FROM keep_response WHERE subject=?1",
        "DELETE FROM keep_job WHERE subject=?1 AND batch IS NULL",
        "DELETE FROM keep_once WHERE subject=?1",
    };
    store_stmt *q;
    int64_t total = 0;
    if (!subject.n) return fail_set(f, E_INPUT, "whose things are to be erased? None is named");
    for (size_t i = 0; i < sizeof erases / sizeof *erases; i++) {
        TRY(store_prepare(tx, erases[i], &q, f));
        store_bind_str(q, 1, subject);
        TRY(keep_do(q, f));
        total += store_changes(tx);
    }
    *n = total;
    return E_OK;
}
