/* keep_batch.c - batches: a file of requests, and where they stand. Their lines are jobs. */
#include "keep/keep_int.h"

#include "base/clock.h"

err keep_batch_add(store_tx *tx, keep_batch *b, fail *f) {
    store_stmt *q;
    TRY(keep_check_room(tx, "SELECT count(*) FROM keep_batch WHERE ended_ms=0",
                        KEEP_BATCHES_OPEN_MAX, "batches are open", 60, f));
    b->created_ms = clock_now_ms();
    b->expires_ms = b->created_ms + KEEP_WINDOW_MS;
    b->status = STR("validating");
    TRY(store_prepare(tx,
                      "INSERT INTO keep_batch(ref,endpoint,input,status,metadata,created_ms,"
                      "expires_ms," KEEP_OWNER_COLUMNS
                      ") VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)",
                      &q, f));
    store_bind_str(q, 1, b->ref);
    store_bind_str(q, 2, b->endpoint);
    store_bind_str(q, 3, b->input);
    store_bind_str(q, 4, b->status);
    store_bind_str(q, 5, keep_filled(b->metadata));
    store_bind_int(q, 6, b->created_ms);
    store_bind_int(q, 7, b->expires_ms);
    keep_owner_bind(q, 8, &b->owner);
    TRY(keep_do(q, f));
    b->id = store_last_id(tx);
    return E_OK;
}

/* ---- reading ---- */

#define BATCH_COLUMNS                                                                   \
    "id,ref,endpoint,input,output,failures,status,metadata,problems,total,done,failed," \
    "created_ms,started_ms,finalizing_ms,ended_ms,cancelling_ms,expires_ms," KEEP_OWNER_COLUMNS

static err read_batch(store_stmt *q, arena *a, keep_batch *out, fail *f) {
    keep_batch b = {.id = store_int(q, 0),
                    .total = store_int(q, 9),
                    .done = store_int(q, 10),
                    .failed = store_int(q, 11),
                    .created_ms = store_int(q, 12),
                    .started_ms = store_int(q, 13),
                    .finalizing_ms = store_int(q, 14),
                    .ended_ms = store_int(q, 15),
                    .cancelling_ms = store_int(q, 16),
                    .expires_ms = store_int(q, 17)};
    const keep_text texts[] = {{1, &b.ref},      {2, &b.endpoint}, {3, &b.input},
                               {4, &b.output},   {5, &b.failures}, {6, &b.status},
                               {7, &b.metadata}, {8, &b.problems}};
    TRY(keep_texts(q, a, texts, sizeof texts / sizeof *texts, f));
    TRY(keep_owner_read(q, 18, a, &b.owner, f));
    *out = b;
    return E_OK;
}

static err find_batch(store_tx *tx, str tenant, str ref, arena *a, keep_batch *out, fail *f) {
    store_stmt *q;
    TRY(keep_find(tx, "SELECT " BATCH_COLUMNS " FROM keep_batch WHERE ref=?1 AND tenant=?2",
                  "batch", tenant, ref, &q, f));
    return read_batch(q, a, out, f);
}

err keep_batch_get(store *s, str tenant, str ref, arena *a, keep_batch *out, fail *f) {
    store_tx *tx;
    TRY(store_begin(s, STORE_READ, &tx, f));
    err e = find_batch(tx, tenant, ref, a, out, f);
    store_rollback(tx);
    return e;
}

static err list_batches(store_tx *tx, const keep_page *page, arena *a, keep_batch **out, size_t *n,
                        bool *more, fail *f) {
    store_stmt *q;
    int64_t from;
    size_t count = 0, cap = 0;
    keep_batch *list = NULL;
    TRY(keep_page_from(tx, "SELECT id FROM keep_batch WHERE tenant=?1 AND ref=?2", page, "batch",
                       &from, f));
    TRY(store_prepare(tx,
                      "SELECT " BATCH_COLUMNS " FROM keep_batch WHERE tenant=?1 AND id<?2 ORDER BY"
                      " id DESC LIMIT ?3",
                      &q, f));
    store_bind_str(q, 1, keep_filled(page->tenant));
    store_bind_int(q, 2, from);
    store_bind_int(q, 3, page->limit + 1);
    for (;;) {
        bool row;
        TRY(keep_page_step(q, page, count, &row, more, f));
        if (!row) break;
        list = keep_grow(a, list, count, &cap, sizeof *list);
        if (!list) return fail_memory(f, "a list of batches");
        TRY(read_batch(q, a, &list[count++], f));
    }
    *out = list;
    *n = count;
    return E_OK;
}

err keep_batch_list(store *s, const keep_page *page, arena *a, keep_batch **out, size_t *n,
                    bool *more, fail *f) {
    store_tx *tx;
    TRY(store_begin(s, STORE_READ, &tx, f));
    err e = list_batches(tx, page, a, out, n, more, f);
    store_rollback(tx);
    return e;
}

static err next_batch(store_tx *tx, int64_t now_ms, arena *a, keep_batch *out, bool *found,
                      fail *f) {
    store_stmt *q;
    TRY(store_prepare(tx,
                      "SELECT " BATCH_COLUMNS " FROM keep_batch b WHERE ended_ms=0 AND"
                      " (status='validating' OR expires_ms<=?1 OR NOT EXISTS (SELECT 1 FROM"
                      " keep_job j WHERE j.batch=b.id AND j.state=0)) ORDER BY id LIMIT 1",
                      &q, f));
    store_bind_int(q, 1, now_ms);
    TRY(store_step(q, found, f));
    return *found ? read_batch(q, a, out, f) : E_OK;
}

err keep_batch_next(store *s, int64_t now_ms, arena *a, keep_batch *out, bool *found, fail *f) {
    store_tx *tx;
    TRY(store_begin(s, STORE_READ, &tx, f));
    err e = next_batch(tx, now_ms, a, out, found, f);
    store_rollback(tx);
    return e;
}

/* ---- its ways ---- */

err keep_batch_start(store_tx *tx, const keep_batch *b, bool ok, fail *f) {
    store_stmt *q;
    TRY(store_prepare(tx,
                      "UPDATE keep_batch SET status=?2, problems=?3, total=?4, started_ms=?5,"
                      " ended_ms=?6 WHERE id=?1 AND status='validating'",
                      &q, f));
    store_bind_int(q, 1, b->id);
    store_bind_str(q, 2, ok ? STR("in_progress") : STR("failed"));
    store_bind_str(q, 3, keep_filled(b->problems));
    store_bind_int(q, 4, b->total);
    store_bind_int(q, 5, ok ? clock_now_ms() : 0);
    store_bind_int(q, 6, ok ? 0 : clock_now_ms());
    TRY(keep_do(q, f));
    if (store_changes(tx)) return E_OK;
    return fail_set(f, E_CANCELLED, "the batch \"%.*s\" was cancelled", STR_ARG(b->ref));
}

static err end_lines(store_tx *tx, int64_t batch, keep_state state, fail *f) {
    store_stmt *q;
    TRY(store_prepare(tx, "UPDATE keep_job SET state=?2, body='' WHERE batch=?1 AND state=0", &q,
                      f));
    store_bind_int(q, 1, batch);
    store_bind_int(q, 2, state);
    return keep_do(q, f);
}

static err cancel_in(store_tx *tx, str tenant, str ref, arena *a, fail *f) {
    store_stmt *q;
    keep_batch b;
    TRY(find_batch(tx, tenant, ref, a, &b, f));
    if (b.ended_ms)
        return fail_set(f, E_EXISTS, "the batch \"%.*s\" is %.*s, it cannot be cancelled any more",
                        STR_ARG(b.ref), STR_ARG(b.status));
    if (b.cancelling_ms) return E_OK;
    TRY(store_prepare(tx, "UPDATE keep_batch SET status='cancelling', cancelling_ms=?2 WHERE id=?1",
                      &q, f));
    store_bind_int(q, 1, b.id);
    store_bind_int(q, 2, clock_now_ms());
    TRY(keep_do(q, f));
    return end_lines(tx, b.id, KEEP_CANCELLED, f);
}

err keep_batch_cancel(store *s, str tenant, str ref, fail *f) {
    store_tx *tx;
    arena a;
    TRY(store_begin(s, STORE_WRITE, &tx, f));
    arena_init(&a, 1024);
    err e = cancel_in(tx, tenant, ref, &a, f);
    arena_deinit(&a);
    return keep_finish(tx, e, f);
}

err keep_batch_expire(store *s, int64_t batch, fail *f) {
    store_tx *tx;
    TRY(store_begin(s, STORE_WRITE, &tx, f));
    return keep_finish(tx, end_lines(tx, batch, KEEP_EXPIRED, f), f);
}

err keep_batch_end(store_tx *tx, const keep_batch *b, fail *f) {
    store_stmt *q;
    TRY(store_prepare(tx,
                      "UPDATE keep_batch SET status=?2, output=?3, failures=?4, done=?5, failed=?6,"
                      " finalizing_ms=?7, ended_ms=?8 WHERE id=?1 AND ended_ms=0",
                      &q, f));
    store_bind_int(q, 1, b->id);
    store_bind_str(q, 2, b->status);
    store_bind_str(q, 3, keep_filled(b->output));
    store_bind_str(q, 4, keep_filled(b->failures));
    store_bind_int(q, 5, b->done);
    store_bind_int(q, 6, b->failed);
    store_bind_int(q, 7, b->finalizing_ms);
    store_bind_int(q, 8, b->ended_ms);
    TRY(keep_do(q, f));
    TRY(store_prepare(tx, "DELETE FROM keep_job WHERE batch=?1", &q, f));
    store_bind_int(q, 1, b->id);
    return keep_do(q, f);
}
