/* store_blob.c - see store_blob.h. */
#include "store/store_blob.h"

static const store_migration migrations[] = {
    {"store", 1,
     "CREATE TABLE store_blob(id INTEGER PRIMARY KEY, sha256 TEXT NOT NULL UNIQUE,"
     " bytes BLOB NOT NULL) STRICT;"}};

const store_migration *store_blob_migrations(size_t *n) {
    *n = sizeof migrations / sizeof *migrations;
    return migrations;
}

err store_blob_put(store_tx *tx, str bytes, char hex[HASH_SHA256_HEX_BYTES], fail *f) {
    store_stmt *q;
    bool row;
    char name[HASH_SHA256_HEX_BYTES];
    if (bytes.n > STORE_BLOB_BYTES_MAX)
        return fail_set(f, E_TOO_LARGE, "a blob of %zu bytes is above the limit of %d", bytes.n,
                        STORE_BLOB_BYTES_MAX);
    hash_sha256_hex(bytes, name);
    TRY(store_prepare(
        tx, "INSERT INTO store_blob(sha256,bytes) VALUES(?1,?2) ON CONFLICT(sha256) DO NOTHING", &q,
        f));
    store_bind_str(q, 1, str_from(name));
    store_bind_blob(q, 2, bytes.n ? bytes : STR(""));
    err e = store_step(q, &row, f);
    store_reset(q); /* lets go of the copy of the bytes */
    for (size_t i = 0; e == E_OK && i < sizeof name; i++) hex[i] = name[i];
    return e;
}

err store_blob_get(store_tx *tx, str hex, arena *a, str *out, fail *f) {
    store_stmt *q;
    bool row;
    str bytes;
    char seen[HASH_SHA256_HEX_BYTES];
    str shown = str_slice(hex, 0, 64);
    TRY(store_prepare(tx, "SELECT bytes FROM store_blob WHERE sha256=?1", &q, f));
    store_bind_str(q, 1, hex);
    TRY(store_step(q, &row, f));
    if (!row) return fail_set(f, E_NOT_FOUND, "there is no blob %.*s", STR_ARG(shown));
    err e = store_str(q, 0, a, &bytes, f);
    store_reset(q);
    if (e != E_OK) return e;
    hash_sha256_hex(bytes, seen);
    if (!str_is(hex, seen))
        return fail_set(f, E_CORRUPT, "blob %.*s is damaged in the database", STR_ARG(shown));
    *out = bytes;
    return E_OK;
}

err store_blob_remove(store_tx *tx, str hex, fail *f) {
    store_stmt *q;
    bool row;
    TRY(store_prepare(tx, "DELETE FROM store_blob WHERE sha256=?1", &q, f));
    store_bind_str(q, 1, hex);
    return store_step(q, &row, f);
}
