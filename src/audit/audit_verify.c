/* audit_verify.c - walks a task's chain (audit_chain.c) and says where it was broken. */
#include "audit/audit_int.h"

/* One row of the walk; chain: the one before, replaced by this row's. */
static err check_row(store_stmt *q, arena *mem, char chain[HASH_SHA256_HEX_BYTES], bool first,
                     bool *good, fail *f) {
    str id, digest, stored, trace;
    char want[HASH_SHA256_HEX_BYTES], seen[HASH_SHA256_HEX_BYTES];
    TRY(store_str(q, 0, mem, &id, f));
    TRY(store_str(q, 1, mem, &digest, f));
    TRY(store_str(q, 2, mem, &stored, f));
    TRY(store_str(q, 3, mem, &trace, f));
    audit_chain_of(str_from(chain), id, digest, want);
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
