/* who_key.c - making, changing and listing keys. Each change is one transaction with its event. */
#include "who/who_int.h"

#include "base/clock.h"

enum { HINT_BYTES = 7, OVERLAP_DAYS_MAX = 90 };

static const char *const key_use = "bantam key";

static str hint_of(str secret) {
    return str_slice(secret, 0, HINT_BYTES);
}

static err check_new(const who_key_new *key, fail *f) {
    who_scopes scopes;
    str bad;
    if (key->scopes.n && !who_scopes_of(key->scopes, &scopes, &bad)) {
        fail_set(f, E_INPUT, "\"%.*s\" is no scope", STR_ARG(str_slice(bad, 0, 40)));
        return fail_hint(f, "scopes are %s", who_scope_list());
    }
    if (key->rpm < 0 || key->tpm < 0 || key->rpm > WHO_RATE_MAX || key->tpm > WHO_RATE_MAX)
        return fail_set(f, E_INPUT, "a limit a minute is 1 to %d", WHO_RATE_MAX);
    if (key->expires_ms && key->expires_ms <= clock_now_ms())
        return fail_set(f, E_INPUT, "the key would have expired already");
    if (key->tenant.n > WHO_NAME_BYTES_MAX)
        return fail_set(f, E_INPUT, "the tenant's name is above %d bytes", WHO_NAME_BYTES_MAX);
    return E_OK;
}

static err count_keys(store_tx *tx, fail *f) {
    store_stmt *q;
    bool row;
    TRY(store_prepare(tx, "SELECT count(*) FROM who_key WHERE revoked_ms=0", &q, f));
    TRY(store_step(q, &row, f));
    int64_t n = store_int(q, 0);
    store_reset(q);
    return n < WHO_KEYS_MAX ? E_OK
                            : fail_set(f, E_TOO_LARGE, "there are %d keys already", WHO_KEYS_MAX);
}

/* A revoked key keeps its row, for the record, and gives its name free. */
static err insert_key(store_tx *tx, const who_key_new *key, str name, str secret, fail *f) {
    unsigned char digest[WHO_DIGEST_BYTES];
    store_stmt *q;
    bool row;
    TRY(count_keys(tx, f));
    who_digest(secret, key_use, digest);
    TRY(store_prepare(tx,
                      "INSERT INTO who_key(name,hint,digest,scopes,tenant,rpm,tpm,created_ms,"
                      "created_by,expires_ms) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)",
                      &q, f));
    store_bind_str(q, 1, name);
    store_bind_str(q, 2, hint_of(secret));
    store_bind_blob(q, 3, (str){(char *)digest, sizeof digest});
    store_bind_str(q, 4, key->scopes.n ? key->scopes : STR("chat,embed"));
    store_bind_str(q, 5, key->tenant.p ? key->tenant : STR(""));
    store_bind_int(q, 6, key->rpm);
    store_bind_int(q, 7, key->tpm);
    store_bind_int(q, 8, clock_now_ms());
    store_bind_str(q, 9, key->by.p ? key->by : STR(""));
    store_bind_int(q, 10, key->expires_ms);
    err e = store_step(q, &row, f);
    if (e != E_EXISTS) return e;
    fail_set(f, E_EXISTS, "there is a key \"%.*s\" already", STR_ARG(name));
    return fail_hint(f, "take another name, or bantam key rotate %.*s", STR_ARG(name));
}

static err add_in(store_tx *tx, const who_key_new *key, str name, str secret, fail *f) {
    TRY(insert_key(tx, key, name, secret, f));
    TRY(who_event_put(tx,
                      &(who_event){.what = STR("key added"),
                                   .by = key->by,
                                   .target = name,
                                   .detail = key->scopes.n ? key->scopes : STR("chat,embed")},
                      f));
    return who_touch(tx, f);
}

err who_key_add(who_book *w, const who_key_new *key, arena *a, str *secret, fail *f) {
    store_tx *tx;
    str name, made;
    TRY(who_name(a, "key", key->name, &name, f));
    TRY(check_new(key, f));
    TRY(who_secret_make(a, WHO_KEY_PREFIX, &made, f));
    TRY(store_begin(w->store, STORE_WRITE, &tx, f));
    TRY(who_finish(tx, add_in(tx, key, name, made, f), f));
    *secret = made;
    return E_OK;
}

static err no_key(str name, fail *f) {
    fail_set(f, E_NOT_FOUND, "there is no key \"%.*s\" in use", STR_ARG(str_slice(name, 0, 80)));
    return fail_hint(f, "bantam key list shows them");
}

/* ---- another secret ---- */

static err rotate_in(store_tx *tx, str name, int64_t overlap_ms, str by, str secret, fail *f) {
    unsigned char digest[WHO_DIGEST_BYTES];
    store_stmt *q;
    bool row;
    who_digest(secret, key_use, digest);
    TRY(store_prepare(tx,
                      "UPDATE who_key SET old_digest=CASE WHEN ?4>0 THEN digest END,"
                      " old_until_ms=?4, digest=?2, hint=?3 WHERE name=?1 AND revoked_ms=0",
                      &q, f));
    store_bind_str(q, 1, name);
    store_bind_blob(q, 2, (str){(char *)digest, sizeof digest});
    store_bind_str(q, 3, hint_of(secret));
    store_bind_int(q, 4, overlap_ms ? clock_now_ms() + overlap_ms : 0);
    TRY(store_step(q, &row, f));
    if (!store_changes(tx)) return no_key(name, f);
    TRY(who_event_put(tx, &(who_event){.what = STR("key rotated"), .by = by, .target = name}, f));
    return who_touch(tx, f);
}

err who_key_rotate(who_book *w, str name, int64_t overlap_ms, str by, arena *a, str *secret,
                   fail *f) {
    store_tx *tx;
    str known, made;
    if (overlap_ms < 0 || overlap_ms > OVERLAP_DAYS_MAX * (int64_t)86400000)
        return fail_set(f, E_INPUT, "the old secret may work on for 0 to %d days",
                        OVERLAP_DAYS_MAX);
    TRY(who_name(a, "key", name, &known, f));
    TRY(who_secret_make(a, WHO_KEY_PREFIX, &made, f));
    TRY(store_begin(w->store, STORE_WRITE, &tx, f));
    TRY(who_finish(tx, rotate_in(tx, known, overlap_ms, by, made, f), f));
    *secret = made;
    return E_OK;
}

/* ---- the end of one ---- */

static err revoke_in(store_tx *tx, str name, str by, fail *f) {
    store_stmt *q;
    bool row;
    TRY(store_prepare(tx,
                      "UPDATE who_key SET revoked_ms=?2, old_digest=NULL, name=name||' #'||id"
                      " WHERE name=?1 AND revoked_ms=0",
                      &q, f));
    store_bind_str(q, 1, name);
    store_bind_int(q, 2, clock_now_ms());
    TRY(store_step(q, &row, f));
    if (!store_changes(tx)) return no_key(name, f);
    TRY(who_event_put(tx, &(who_event){.what = STR("key revoked"), .by = by, .target = name}, f));
    return who_touch(tx, f);
}

err who_key_revoke(who_book *w, str name, str by, fail *f) {
    store_tx *tx;
    arena a;
    str known;
    arena_init(&a, 256);
    err e = who_name(&a, "key", name, &known, f);
    if (e == E_OK) e = store_begin(w->store, STORE_WRITE, &tx, f);
    if (e == E_OK) e = who_finish(tx, revoke_in(tx, known, by, f), f);
    arena_deinit(&a);
    return e;
}

/* ---- list ---- */

static err read_key(store_stmt *q, arena *a, who_key *k, fail *f) {
    str bad;
    *k = (who_key){.id = store_int(q, 0),
                   .rpm = store_int(q, 5),
                   .tpm = store_int(q, 6),
                   .created_ms = store_int(q, 7),
                   .expires_ms = store_int(q, 8),
                   .revoked_ms = store_int(q, 9),
                   .used_ms = store_int(q, 10)};
    TRY(store_str(q, 1, a, &k->name, f));
    TRY(store_str(q, 2, a, &k->hint, f));
    TRY(store_str(q, 3, a, &k->scope_words, f));
    TRY(store_str(q, 4, a, &k->tenant, f));
    TRY(store_str(q, 11, a, &k->created_by, f));
    (void)!who_scopes_of(k->scope_words, &k->scopes, &bad);
    return E_OK;
}

static err list_in(store_tx *tx, arena *a, who_key *all, size_t *n, fail *f) {
    store_stmt *q;
    bool row;
    TRY(store_prepare(tx,
                      "SELECT id, name, hint, scopes, tenant, rpm, tpm, created_ms, expires_ms,"
                      " revoked_ms, used_ms, created_by FROM who_key"
                      " ORDER BY revoked_ms>0, name LIMIT ?1",
                      &q, f));
    store_bind_int(q, 1, WHO_KEYS_MAX);
    for (*n = 0;;) {
        TRY(store_step(q, &row, f));
        if (!row) return E_OK;
        TRY(read_key(q, a, &all[(*n)++], f));
    }
}

err who_key_list(who_book *w, arena *a, who_key **out, size_t *n, fail *f) {
    store_tx *tx;
    who_key *all = arena_new_n(a, who_key, WHO_KEYS_MAX);
    if (!all) return fail_memory(f, "a list of keys");
    TRY(store_begin(w->store, STORE_READ, &tx, f));
    err e = list_in(tx, a, all, n, f);
    store_rollback(tx);
    if (e == E_OK) *out = all;
    return e;
}
