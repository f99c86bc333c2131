/* audit_erase.c - retention and erasure. Journals are moved first, so nothing waits outside.
 *
 * Old rows are deleted in batches, so that other writers are not held up, and only up to the first
 * row that stays, so that the chain keeps its links (a late import waits with its neighbours).
 * Erasing keeps the row without its content, see audit_table.c. The database overwrites what it
 * deletes. */
#include "audit/audit_int.h"

#include "base/clock.h"

enum { FORGET_BATCH = 5000 };

/* The first row that stays; INT64_MAX when none does. */
static err first_kept(store *s, str task_id, int64_t before_ms, int64_t *id, fail *f) {
    store_tx *tx;
    store_stmt *q;
    bool row;
    TRY(store_begin(s, STORE_READ, &tx, f));
    err e = store_prepare(tx, "SELECT min(id) FROM audit_request WHERE task_id=?1 AND at_ms>=?2",
                          &q, f);
    if (e == E_OK) {
        store_bind_str(q, 1, task_id);
        store_bind_int(q, 2, before_ms);
        e = store_step(q, &row, f);
    }
    if (e == E_OK) *id = store_is_null(q, 0) ? INT64_MAX : store_int(q, 0);
    store_rollback(tx);
    return e;
}

static err forget_batch(store *s, str task_id, int64_t first_id, int64_t *n, fail *f) {
    store_tx *tx;
    store_stmt *q;
    bool row;
    TRY(store_begin(s, STORE_WRITE, &tx, f));
    err e = store_prepare(tx,
                          "DELETE FROM audit_request WHERE id IN (SELECT id FROM audit_request"
                          " WHERE task_id=?1 AND id<?2 ORDER BY id LIMIT ?3)",
                          &q, f);
    if (e == E_OK) {
        store_bind_str(q, 1, task_id);
        store_bind_int(q, 2, first_id);
        store_bind_int(q, 3, FORGET_BATCH);
        e = store_step(q, &row, f);
    }
    if (e != E_OK) {
        store_rollback(tx);
        return e;
    }
    *n = store_changes(tx);
    return store_commit(tx, f);
}

err audit_forget_before(audit *a, str task_id, int64_t before_ms, int64_t *n, fail *f) {
    int64_t total = 0, batch = 0, first_id;
    if (!task_id.p) task_id = STR("");
    TRY(audit_settle(a, f));
    TRY(first_kept(a->store, task_id, before_ms, &first_id, f));
    do {
        TRY(forget_batch(a->store, task_id, first_id, &batch, f));
        total += batch;
    } while (batch == FORGET_BATCH);
    *n = total;
    return E_OK;
}

#define ERASE                                                            \
    "UPDATE audit_request SET subject='', verdict_note='', erased_ms=?2" \
    " WHERE erased_ms=0 AND "

/* What the update has just marked loses its trace. */
static err delete_traces(store_tx *tx, int64_t now_ms, fail *f) {
    store_stmt *q;
    bool row;
    TRY(store_prepare(tx,
                      "DELETE FROM audit_trace WHERE request IN"
                      " (SELECT id FROM audit_request WHERE erased_ms=?1)",
                      &q, f));
    store_bind_int(q, 1, now_ms);
    return store_step(q, &row, f);
}

/* sql has ?1 = key, ?2 = now, and returns the ids of what it erased. */
static err erase_in(store_tx *tx, const char *sql, str key, arena *mem, str **ids, size_t *n,
                    fail *f) {
    store_stmt *q;
    bool row;
    size_t cap = 0, count = 0;
    int64_t now_ms = clock_now_ms();
    str *list = NULL;
    TRY(store_prepare(tx, sql, &q, f));
    store_bind_str(q, 1, key);
    store_bind_int(q, 2, now_ms);
    for (;;) {
        TRY(store_step(q, &row, f));
        if (!row) break;
        if (count == cap) {
            cap = cap ? 2 * cap : 16;
            str *grown = arena_new_n(mem, str, cap);
            if (!grown) return fail_memory(f, "the ids of erased requests");
            for (size_t i = 0; i < count; i++) grown[i] = list[i];
            list = grown;
        }
        TRY(store_str(q, 0, mem, &list[count++], f));
    }
    *ids = list;
    *n = count;
    return delete_traces(tx, now_ms, f);
}

err audit_erase_request(audit *a, str request_id, fail *f) {
    arena mem;
    store_tx *tx;
    str *ids;
    size_t n = 0;
    TRY(audit_settle(a, f));
    TRY(store_begin(a->store, STORE_WRITE, &tx, f));
    arena_init(&mem, 0);
    err e = erase_in(tx, ERASE "request_id=?1 RETURNING request_id", request_id, &mem, &ids, &n, f);
    arena_deinit(&mem);
    if (e == E_OK)
        e = store_commit(tx, f);
    else
        store_rollback(tx);
    if (e == E_OK && !n)
        return fail_set(f, E_NOT_FOUND, "there is no record of request \"%.*s\"",
                        STR_ARG(str_slice(request_id, 0, 64)));
    return e;
}

err audit_erase_subject(store_tx *tx, str subject, arena *mem, str **ids, size_t *n, fail *f) {
    if (!subject.n)
        return fail_set(f, E_INPUT, "whose requests are to be erased? The subject is empty");
    return erase_in(tx, ERASE "subject=?1 RETURNING request_id", subject, mem, ids, n, f);
}
