/* audit_chain.c - the record shows when it was changed.
 *
 *     digest = SHA-256(trace)        chain = SHA-256(chain of the row before "|" id "|" digest)
 *
 * per task, in order of storing; the first row's predecessor is "". A row that was altered, taken
 * out or put in breaks the chain at that place. Retention takes rows from the front only, erasure
 * keeps digest and chain, so both leave it whole. Who can write the database can also compute a new
 * chain: keep `head` outside to notice that. A verdict is not part of it. */
#include "audit/audit_int.h"

void audit_chain_of(str before, str request_id, str digest, char out[HASH_SHA256_HEX_BYTES]) {
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
        audit_chain_of(before, request_id, str_from(out->digest), out->chain);
    }
    arena_deinit(&mem);
    return e;
}
