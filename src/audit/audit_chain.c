/* audit_chain.c - the record shows when it was changed.
 *
 *     digest = SHA-256(trace)        chain = SHA-256(chain of the row before "|" id "|" digest)
 *
 * per task, in order of storing; the first row's predecessor is "". A row that was altered, taken
 * out or put in breaks the chain at that place. Retention takes rows from the front only, erasure
 * keeps digest and chain, so both leave it whole. Who can write the database can also compute a new
 * chain: keep `head` outside to notice that. A verdict is not part of it. */
#include "audit/audit_int.h"

static void chain_of(str before, str request_id, str digest, char out[HASH_SHA256_HEX_BYTES]) {
    hash_sha256_stream s;
    unsigned char sum[HASH_SHA256_BYTES];
    hash_sha256_begin(&s);
    hash_sha256_put(&s, before);
    hash_sha256_put(&s, STR("|"));
    hash_sha256_put(&s, request_id);
    hash_sha256_put(&s, STR("|"));
    hash_sha256_put(&s, digest);
    hash_sha256_end(&s, sum);
    hash_hex(sum, sizeof sum, out);
}

err audit_chain_next(store_tx *tx, str task_id, str request_id, str record, audit_link *out,
                     fail *f) {
    store_stmt *q;
    bool row;
    arena mem;
    str before = STR("");
    TRY(store_prepare(
        tx, "SELECT chain FROM audit_request WHERE task_id=?1 ORDER BY id DESC LIMIT 1", &q, f));
    store_bind_str(q, 1, task_id);
    TRY(store_step(q, &row, f));
    arena_init(&mem, 256);
    err e = row ? store_str(q, 0, &mem, &before, f) : E_OK;
    store_reset(q);
    if (e == E_OK) {
        hash_sha256_hex(record, out->digest);
        chain_of(before, request_id, str_from(out->digest), out->chain);
    }
    arena_deinit(&mem);
    return e;
}

/* One row of the walk; chain: the one before, replaced by this row's. */
static err check_row(store_stmt *q, arena *mem, char chain[HASH_SHA256_HEX_BYTES], bool first,
                     bool *good, fail *f) {
    str id, digest, stored, trace;
    char want[HASH_SHA256_HEX_BYTES], seen[HASH_SHA256_HEX_BYTES];
    TRY(store_str(q, 0, mem, &id, f));
    TRY(store_str(q, 1, mem, &digest, f));
    TRY(store_str(q, 2, mem, &stored, f));
    TRY(store_str(q, 3, mem, &trace, f));
    chain_of(str_from(chain), id, digest, want);
    bool linked = first || str_is(stored, want); /* what stood before the first may be forgotten */
    if (trace.p) hash_sha256_hex(trace, seen);
    *good = linked && stored.n == HASH_SHA256_HEX_BYTES - 1 &&
            (trace.p ? str_is(digest, seen) : store_int(q, 4) != 0);
    for (size_t i = 0; i < stored.n && i < HASH_SHA256_HEX_BYTES - 1; i++) chain[i] = stored.p[i];
    chain[HASH_SHA256_HEX_BYTES - 1] = 0;
    return E_OK;
}

static err check_all(store_tx *tx, str task_id, audit_check *out, arena *mem, fail *f) {
    store_stmt *q;
    bool row;
    arena step;
    err e = E_OK;
    char chain[HASH_SHA256_HEX_BYTES] = "";
    TRY(store_prepare(tx,
                      "SELECT request_id, digest, chain, trace, erased_ms FROM audit_request"
                      " LEFT JOIN audit_trace ON request=id WHERE task_id=?1 ORDER BY id",
                      &q, f));
    store_bind_str(q, 1, task_id.p ? task_id : STR(""));
    arena_init(&step, 0);
    while ((e = store_step(q, &row, f)) == E_OK && row) {
        bool good;
        TRY_OUT(check_row(q, &step, chain, out->rows == 0, &good, f));
        out->rows++;
        out->bad += !good;
        if (!good && !out->first_bad.p) TRY_OUT(store_str(q, 0, mem, &out->first_bad, f));
        arena_reset(&step);
    }
    if (e == E_OK) {
        out->head = arena_str(mem, str_from(chain));
        if (!out->head.p) e = fail_memory(f, "the chain of the record");
    }
out:
    arena_deinit(&step);
    return e;
}

err audit_verify(audit *a, str task_id, arena *mem, audit_check *out, fail *f) {
    store_tx *tx;
    audit_check check = {0};
    TRY(audit_settle(a, f));
    TRY(store_begin(a->store, STORE_READ, &tx, f));
    err e = check_all(tx, task_id, &check, mem, f);
    store_rollback(tx);
    if (e == E_OK) *out = check;
    return e;
}
