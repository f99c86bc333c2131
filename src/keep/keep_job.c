/* keep_job.c - requests that run without their client, and answers under a key. */
#include "keep/keep_int.h"

#include "base/clock.h"

/* ---- adding ---- */

err keep_job_add(store_tx *tx, keep_job *j, bool *added, fail *f) {
    store_stmt *q;
    if (j->kind != KEEP_LINE)
        TRY(keep_check_room(tx, "SELECT count(*) FROM keep_job WHERE state=0 AND batch IS NULL",
                            KEEP_JOBS_MAX, "requests wait to be run in the background", 30, f));
    TRY(store_prepare(tx,
                      "INSERT OR IGNORE INTO keep_job(kind,ref,subject,path,body,batch,ord,custom,"
                      "created_ms,expires_ms," KEEP_OWNER_COLUMNS
                      ") VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16)",
                      &q, f));
    store_bind_int(q, 1, j->kind);
    store_bind_str(q, 2, j->ref);
    store_bind_str(q, 3, keep_filled(j->subject));
    store_bind_str(q, 4, j->path);
    store_bind_str(q, 5, j->body);
    if (j->kind == KEEP_LINE)
        store_bind_int(q, 6, j->batch);
    else
        store_bind_null(q, 6);
    store_bind_int(q, 7, j->ord);
    store_bind_str(q, 8, keep_filled(j->custom));
    store_bind_int(q, 9, j->created_ms);
    store_bind_int(q, 10, j->expires_ms);
    keep_owner_bind(q, 11, &j->owner);
    TRY(keep_do(q, f));
    *added = store_changes(tx) > 0;
    if (*added) j->id = store_last_id(tx);
    return E_OK;
}

/* ---- reading ---- */

#define JOB_COLUMNS                                                                           \
    "id,kind,ref,subject,path,body,coalesce(batch,0),ord,custom,state,status,answer,request," \
    "created_ms,ended_ms,expires_ms," KEEP_OWNER_COLUMNS

static err read_job(store_stmt *q, arena *a, keep_job *out, fail *f) {
    keep_job j = {.id = store_int(q, 0),
                  .kind = (keep_kind)store_int(q, 1),
                  .batch = store_int(q, 6),
                  .ord = store_int(q, 7),
                  .state = (keep_state)store_int(q, 9),
                  .status = store_int(q, 10),
                  .created_ms = store_int(q, 13),
                  .ended_ms = store_int(q, 14),
                  .expires_ms = store_int(q, 15)};
    const keep_text texts[] = {{2, &j.ref},    {3, &j.subject}, {4, &j.path},    {5, &j.body},
                               {8, &j.custom}, {11, &j.answer}, {12, &j.request}};
    TRY(keep_texts(q, a, texts, sizeof texts / sizeof *texts, f));
    TRY(keep_owner_read(q, 16, a, &j.owner, f));
    *out = j;
    return E_OK;
}

static bool is_busy(int64_t id, const int64_t *busy, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (busy[i] == id) return true;
    return false;
}

/* Ids first, so that the bodies of those that run are not read. */
static err next_id(store_tx *tx, bool lines, const int64_t *busy, size_t n, int64_t *id, fail *f) {
    store_stmt *q;
    TRY(store_prepare(
        tx,
        lines ? "SELECT id FROM keep_job WHERE state=0 AND batch IS NOT NULL ORDER BY id LIMIT ?1"
              : "SELECT id FROM keep_job WHERE state=0 AND batch IS NULL ORDER BY id LIMIT ?1",
        &q, f));
    store_bind_int(q, 1, (int64_t)n + 1);
    *id = 0;
    for (;;) {
        bool row;
        TRY(store_step(q, &row, f));
        if (!row) return E_OK;
        if (is_busy(store_int(q, 0), busy, n)) continue;
        *id = store_int(q, 0);
        store_reset(q);
        return E_OK;
    }
}

static err next_job(store_tx *tx, bool lines, const int64_t *busy, size_t n, arena *a,
                    keep_job *out, bool *found, fail *f) {
    store_stmt *q;
    int64_t id;
    TRY(next_id(tx, lines, busy, n, &id, f));
    *found = false;
    if (!id) return E_OK;
    TRY(store_prepare(tx, "SELECT " JOB_COLUMNS " FROM keep_job WHERE id=?1", &q, f));
    store_bind_int(q, 1, id);
    TRY(store_step(q, found, f));
    return *found ? read_job(q, a, out, f) : E_OK;
}

err keep_job_next(store *s, bool lines, const int64_t *busy, size_t n, arena *a, keep_job *out,
                  bool *found, fail *f) {
    store_tx *tx;
    TRY(store_begin(s, STORE_READ, &tx, f));
    err e = next_job(tx, lines, busy, n, a, out, found, f);
    store_rollback(tx);
    return e;
}

static err find_job(store_tx *tx, str tenant, str ref, arena *a, keep_job *out, fail *f) {
    store_stmt *q;
    TRY(keep_find(
        tx, "SELECT " JOB_COLUMNS " FROM keep_job WHERE ref=?1 AND tenant=?2 AND batch IS NULL",
        "request", tenant, ref, &q, f));
    TRY(read_job(q, a, out, f));
    return keep_is_over(out->expires_ms) ? keep_none("request", ref, f) : E_OK;
}

err keep_job_get(store *s, str tenant, str ref, arena *a, keep_job *out, fail *f) {
    store_tx *tx;
    TRY(store_begin(s, STORE_READ, &tx, f));
    err e = find_job(tx, tenant, ref, a, out, f);
    store_rollback(tx);
    return e;
}

err keep_job_delete(store_tx *tx, str tenant, str ref, fail *f) {
    return keep_delete(tx, "DELETE FROM keep_job WHERE ref=?1 AND tenant=?2 AND batch IS NULL",
                       "request", tenant, ref, f);
}

/* ---- ending ---- */

static err count_line(store_tx *tx, const keep_job *j, fail *f) {
    store_stmt *q;
    bool done = j->state == KEEP_DONE;
    if (j->kind != KEEP_LINE || !done) return E_OK;
    TRY(store_prepare(tx, "UPDATE keep_batch SET done=done+?2, failed=failed+?3 WHERE id=?1", &q,
                      f));
    store_bind_int(q, 1, j->batch);
    store_bind_int(q, 2, j->status < 400);
    store_bind_int(q, 3, j->status >= 400);
    return keep_do(q, f);
}

/* What was asked is not needed any more, what was answered is. */
err keep_job_end(store_tx *tx, const keep_job *j, bool *changed, fail *f) {
    store_stmt *q;
    TRY(store_prepare(tx,
                      "UPDATE keep_job SET state=?2, status=?3, answer=?4, request=?5, ended_ms=?6,"
                      " body='' WHERE id=?1 AND state=0",
                      &q, f));
    store_bind_int(q, 1, j->id);
    store_bind_int(q, 2, j->state);
    store_bind_int(q, 3, j->status);
    store_bind_str(q, 4, keep_filled(j->answer));
    store_bind_str(q, 5, keep_filled(j->request));
    store_bind_int(q, 6, clock_now_ms());
    TRY(keep_do(q, f));
    *changed = store_changes(tx) > 0;
    return *changed ? count_line(tx, j, f) : E_OK;
}

/* ---- lines of a batch, read when it ends ---- */

err keep_batch_lines(store_tx *tx, int64_t batch, int64_t after, int64_t limit, arena *a,
                     keep_job **out, size_t *n, fail *f) {
    store_stmt *q;
    size_t cap = 0, count = 0;
    keep_job *list = NULL;
    TRY(store_prepare(
        tx, "SELECT " JOB_COLUMNS " FROM keep_job WHERE batch=?1 AND ord>?2 ORDER BY ord LIMIT ?3",
        &q, f));
    store_bind_int(q, 1, batch);
    store_bind_int(q, 2, after);
    store_bind_int(q, 3, limit);
    for (;;) {
        bool row;
        TRY(store_step(q, &row, f));
        if (!row) break;
        list = keep_grow(a, list, count, &cap, sizeof *list);
        if (!list) return fail_memory(f, "lines of a batch");
        TRY(read_job(q, a, &list[count++], f));
    }
    *out = list;
    *n = count;
    return E_OK;
}

/* ---- once ---- */

static err find_once(store_tx *tx, str actor, str key, arena *a, keep_once *out, bool *found,
                     fail *f) {
    store_stmt *q;
    TRY(store_prepare(tx,
                      "SELECT digest,status,location,answer FROM keep_once WHERE actor=?1 AND"
                      " key=?2 AND expires_ms>?3",
                      &q, f));
    store_bind_str(q, 1, actor);
    store_bind_str(q, 2, key);
    store_bind_int(q, 3, clock_now_ms());
    TRY(store_step(q, found, f));
    if (!*found) return E_OK;
    keep_once o = {.actor = actor, .key = key, .status = store_int(q, 1), .subject = STR("")};
    const keep_text texts[] = {{0, &o.digest}, {2, &o.location}, {3, &o.answer}};
    TRY(keep_texts(q, a, texts, sizeof texts / sizeof *texts, f));
    *out = o;
    return E_OK;
}

err keep_once_find(store *s, str actor, str key, arena *a, keep_once *out, bool *found, fail *f) {
    store_tx *tx;
    TRY(store_begin(s, STORE_READ, &tx, f));
    err e = find_once(tx, actor, key, a, out, found, f);
    store_rollback(tx);
    return e;
}

/* One of that key that is past its time gives way. */
err keep_once_add(store_tx *tx, const keep_once *o, fail *f) {
    store_stmt *q;
    TRY(store_prepare(tx,
                      "INSERT OR REPLACE INTO keep_once(actor,key,digest,status,location,answer,"
                      "subject,expires_ms) VALUES(?1,?2,?3,?4,?5,?6,?7,?8)",
                      &q, f));
    store_bind_str(q, 1, o->actor);
    store_bind_str(q, 2, o->key);
    store_bind_str(q, 3, o->digest);
    store_bind_int(q, 4, o->status);
    store_bind_str(q, 5, keep_filled(o->location));
    store_bind_str(q, 6, keep_filled(o->answer));
    store_bind_str(q, 7, keep_filled(o->subject));
    store_bind_int(q, 8, clock_now_ms() + KEEP_ONCE_MS);
    return keep_do(q, f);
}
