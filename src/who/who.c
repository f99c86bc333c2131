/* who.c - tables, opening, and the keys as a server holds them; see who.h.
 *
 * who_state.version grows with each change of keys or users. store_generation says cheaply that
 * somebody committed anything; only then the version is read, and only when that moved the keys. */
#include "who/who_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "text/base64.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static const store_migration migrations[] = {
    {"who", 1,
     "CREATE TABLE who_state(id INTEGER PRIMARY KEY CHECK(id=1), version INTEGER NOT NULL) STRICT;"
     "INSERT INTO who_state VALUES(1,1);"
     "CREATE TABLE who_key("
     " id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, hint TEXT NOT NULL,"
     " digest BLOB NOT NULL UNIQUE, old_digest BLOB, old_until_ms INTEGER NOT NULL DEFAULT 0,"
     " scopes TEXT NOT NULL, tenant TEXT NOT NULL, rpm INTEGER NOT NULL, tpm INTEGER NOT NULL,"
     " created_ms INTEGER NOT NULL, created_by TEXT NOT NULL, expires_ms INTEGER NOT NULL,"
     " revoked_ms INTEGER NOT NULL DEFAULT 0, used_ms INTEGER NOT NULL DEFAULT 0) STRICT;"
     "CREATE TABLE who_user("
     " id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, role TEXT NOT NULL,"
     " hash TEXT NOT NULL, created_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL,"
     " seen_ms INTEGER NOT NULL DEFAULT 0) STRICT;"
     "CREATE TABLE who_session("
     " digest BLOB PRIMARY KEY, user INTEGER NOT NULL REFERENCES who_user(id) ON DELETE CASCADE,"
     " created_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL, address TEXT NOT NULL)"
     " STRICT, WITHOUT ROWID;"
     "CREATE INDEX who_session_user ON who_session(user);"
     "CREATE TABLE who_attempt("
     " subject TEXT PRIMARY KEY, fails INTEGER NOT NULL, until_ms INTEGER NOT NULL,"
     " last_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
     "CREATE TABLE who_event("
     " id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, what TEXT NOT NULL,"
     " by_whom TEXT NOT NULL, target TEXT NOT NULL, address TEXT NOT NULL, detail TEXT NOT NULL,"
     " chain TEXT NOT NULL) STRICT;"}};

const store_migration *who_migrations(size_t *n) {
    *n = sizeof migrations / sizeof *migrations;
    return migrations;
}

/* ---- small things ---- */

err who_secret_make(arena *a, const char *prefix, str *out, fail *f) {
    unsigned char bytes[32];
    str text;
    rand_secret(bytes, sizeof bytes);
    err e = base64_encode(a, BASE64_URL, (str){(char *)bytes, sizeof bytes}, &text, f);
    sodium_memzero(bytes, sizeof bytes);
    TRY(e);
    *out = arena_printf(a, "%s%.*s", prefix, STR_ARG(text));
    return out->p ? E_OK : fail_memory(f, "a secret");
}

void who_digest(str secret, const char *use, unsigned char out[WHO_DIGEST_BYTES]) {
    (void)crypto_generichash(out, WHO_DIGEST_BYTES, (const unsigned char *)secret.p, secret.n,
                             (const unsigned char *)use, strlen(use));
}

bool who_same(str a, str b) {
    return a.n == b.n && sodium_memcmp(a.p ? a.p : "", b.p ? b.p : "", a.n) == 0;
}

static bool name_byte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-' ||
           c == '@';
}

err who_name(arena *a, const char *what, str name, str *out, fail *f) {
    char *text = arena_z(a, name);
    if (!text) return fail_memory(f, "a name");
    bool good = name.n > 0 && name.n <= WHO_NAME_BYTES_MAX;
    for (size_t i = 0; good && i < name.n; i++) {
        if (text[i] >= 'A' && text[i] <= 'Z') text[i] = (char)(text[i] - 'A' + 'a');
        good = name_byte(text[i]);
    }
    if (!good)
        return fail_set(f, E_INPUT,
                        "\"%.*s\" is no name of a %s: 1 to %d letters, digits or . _ - @",
                        STR_ARG(str_slice(name, 0, 80)), what, WHO_NAME_BYTES_MAX);
    *out = (str){text, name.n};
    return E_OK;
}

err who_finish(store_tx *tx, err e, fail *f) {
    if (e == E_OK) return store_commit(tx, f);
    store_rollback(tx);
    return e;
}

err who_touch(store_tx *tx, fail *f) {
    return store_run(tx, "UPDATE who_state SET version=version+1", f);
}

/* ---- life ---- */

err who_open(who_book **out, const who_options *o, fail *f) {
    if (sodium_init() < 0) return fail_set(f, E_INTERNAL, "libsodium cannot start");
    who_book *w = mem_zero(sizeof *w);
    if (!w) return fail_memory(f, "keys and users");
    w->store = o->store;
    w->password_kib = o->password_kib ? o->password_kib : WHO_PASSWORD_KIB;
    mutex_init(&w->lock);
    mutex_init(&w->hash_lock);
    arena_init(&w->arena, 0);
    *out = w;
    return E_OK;
}

void who_close(who_book *w) {
    if (!w) return;
    mem_free(w->held);
    mem_free(w->buckets);
    arena_deinit(&w->arena);
    mutex_deinit(&w->hash_lock);
    mutex_deinit(&w->lock);
    mem_free(w);
}

/* ---- holding the keys ---- */

static int by_digest(const void *a, const void *b) {
    return memcmp(((const who_held *)a)->digest, ((const who_held *)b)->digest, WHO_DIGEST_BYTES);
}

static who_bucket *bucket_of(who_book *w, int64_t key) {
    for (size_t i = 0; i < w->n_buckets; i++)
        if (w->buckets[i].key == key) return &w->buckets[i];
    return NULL;
}

static err bucket_add(who_book *w, int64_t key, who_bucket **out, fail *f) {
    if (w->n_buckets == w->cap_buckets) {
        size_t cap = w->cap_buckets ? 2 * w->cap_buckets : 16;
        who_bucket *grown = mem_resize(w->buckets, cap * sizeof *grown);
        if (!grown) return fail_memory(f, "limits of keys");
        w->buckets = grown;
        w->cap_buckets = cap;
    }
    *out = &w->buckets[w->n_buckets++];
    **out = (who_bucket){.key = key};
    return E_OK;
}

static err hold_digest(store_stmt *q, int column, arena *a, who_held *h, fail *f) {
    str digest;
    TRY(store_str(q, column, a, &digest, f));
    if (digest.n != WHO_DIGEST_BYTES)
        return fail_set(f, E_CORRUPT, "the digest of a key has %zu bytes", digest.n);
    memcpy(h->digest, digest.p, WHO_DIGEST_BYTES);
    return E_OK;
}

/* One row: the key under its secret, and for a while under the one before. */
static err hold_row(who_book *w, store_stmt *q, int64_t now_ms, arena *a, who_held *held, size_t *n,
                    fail *f) {
    who_held h = {.id = store_int(q, 0), .until_ms = store_int(q, 7)};
    who_bucket *b = bucket_of(w, h.id);
    str scopes, bad;
    TRY(store_str(q, 1, a, &h.name, f));
    TRY(store_str(q, 2, a, &h.tenant, f));
    TRY(store_str(q, 3, a, &scopes, f));
    if (!who_scopes_of(scopes, &h.scopes, &bad)) h.scopes = 0; /* a newer program's: none of ours */
    if (!b) TRY(bucket_add(w, h.id, &b, f));
    who_bucket_set(b, store_int(q, 4), store_int(q, 5), now_ms);
    if (b->noted_ms < store_int(q, 9)) b->noted_ms = store_int(q, 9);
    TRY(hold_digest(q, 6, a, &h, f));
    held[(*n)++] = h;
    if (store_is_null(q, 8)) return E_OK;
    int64_t old_until_ms = store_int(q, 10);
    if (!h.until_ms || old_until_ms < h.until_ms) h.until_ms = old_until_ms;
    TRY(hold_digest(q, 8, a, &h, f));
    held[(*n)++] = h;
    return E_OK;
}

static err hold_all(who_book *w, store_tx *tx, arena *a, who_held *held, size_t *n, fail *f) {
    store_stmt *q;
    bool row;
    int64_t now_ms = clock_now_ms();
    TRY(store_prepare(tx,
                      "SELECT id, name, tenant, scopes, rpm, tpm, digest, expires_ms, old_digest,"
                      " used_ms, old_until_ms FROM who_key WHERE revoked_ms=0 LIMIT 10000",
                      &q, f));
    for (;;) {
        TRY(store_step(q, &row, f));
        if (!row) return E_OK;
        TRY(hold_row(w, q, now_ms, a, held, n, f));
    }
}

static err query_int(store_tx *tx, const char *sql, int64_t *out, fail *f) {
    store_stmt *q;
    bool row;
    TRY(store_prepare(tx, sql, &q, f));
    TRY(store_step(q, &row, f));
    *out = row ? store_int(q, 0) : 0;
    store_reset(q);
    return E_OK;
}

static err reload(who_book *w, store_tx *tx, fail *f) {
    arena a;
    int64_t users;
    size_t n = 0;
    TRY(query_int(tx, "SELECT count(*) FROM who_user", &users, f));
    who_held *held = mem_alloc(2 * WHO_KEYS_MAX * sizeof *held);
    if (!held) return fail_memory(f, "keys");
    arena_init(&a, 0);
    err e = hold_all(w, tx, &a, held, &n, f);
    if (e != E_OK) {
        arena_deinit(&a);
        mem_free(held);
        return e;
    }
    qsort(held, n, sizeof *held, by_digest);
    who_held *fit = mem_resize(held, (n + 1) * sizeof *held);
    mem_free(w->held);
    arena_deinit(&w->arena);
    w->held = fit ? fit : held;
    w->n_held = n;
    w->arena = a;
    w->n_users = users;
    return E_OK;
}

static err read_changes(who_book *w, store_tx *tx, fail *f) {
    int64_t version;
    TRY(query_int(tx, "SELECT version FROM who_state", &version, f));
    if (w->loaded && version == w->version) return E_OK;
    TRY(reload(w, tx, f));
    w->version = version;
    w->loaded = true;
    return E_OK;
}

err who_refresh(who_book *w, fail *f) {
    int64_t generation;
    store_tx *tx;
    TRY(store_generation(w->store, &generation, f));
    if (w->loaded && generation == w->generation) return E_OK;
    TRY(store_begin(w->store, STORE_READ, &tx, f));
    err e = read_changes(w, tx, f);
    store_rollback(tx);
    if (e == E_OK) w->generation = generation;
    return e;
}

static bool is_live(const who_held *h, int64_t now_ms) {
    return !h->until_ms || now_ms < h->until_ms;
}

err who_count(who_book *w, int64_t *keys, int64_t *users, fail *f) {
    int64_t now_ms = clock_now_ms();
    mutex_lock(&w->lock);
    err e = who_refresh(w, f);
    if (e == E_OK) {
        *keys = 0;
        for (size_t i = 0; i < w->n_held; i++) *keys += is_live(&w->held[i], now_ms);
        *users = w->n_users;
    }
    mutex_unlock(&w->lock);
    return e;
}

err who_has_users(who_book *w, bool *out, fail *f) {
    mutex_lock(&w->lock);
    err e = who_refresh(w, f);
    if (e == E_OK) *out = w->n_users > 0;
    mutex_unlock(&w->lock);
    return e;
}

/* ---- checking a key ---- */

static const who_held *find_held(const who_book *w, const who_held *wanted) {
    const who_held *h =
        w->n_held ? bsearch(wanted, w->held, w->n_held, sizeof *h, by_digest) : NULL;
    return h && sodium_memcmp(h->digest, wanted->digest, WHO_DIGEST_BYTES) == 0 ? h : NULL;
}

static err take_held(who_book *w, const who_held *wanted, arena *a, who_actor *out, fail *f) {
    TRY(who_refresh(w, f));
    const who_held *h = find_held(w, wanted);
    if (!h) return fail_set(f, E_KEY, "the key is not one of this server");
    if (!is_live(h, clock_now_ms())) {
        fail_set(f, E_KEY, "the key \"%.*s\" has expired", STR_ARG(h->name));
        return fail_hint(f, "bantam key rotate %.*s makes a new one", STR_ARG(h->name));
    }
    *out = (who_actor){.kind = WHO_PROGRAM,
                       .id = h->id,
                       .name = arena_str(a, h->name),
                       .tenant = arena_str(a, h->tenant),
                       .scopes = h->scopes};
    return out->name.p && out->tenant.p ? E_OK : fail_memory(f, "a key");
}

/* Finding it takes as long as its digest differs late, which says nothing about the secret. */
err who_check_key(who_book *w, str secret, arena *a, who_actor *out, fail *f) {
    who_held wanted;
    who_digest(secret, "bantam key", wanted.digest);
    mutex_lock(&w->lock);
    err e = take_held(w, &wanted, a, out, f);
    mutex_unlock(&w->lock);
    return e;
}

/* ---- is it still there? ---- */

static err key_still(who_book *w, const who_actor *actor, fail *f) {
    int64_t now_ms = clock_now_ms();
    bool live = false;
    mutex_lock(&w->lock);
    err e = who_refresh(w, f);
    for (size_t i = 0; e == E_OK && i < w->n_held && !live; i++)
        live = w->held[i].id == actor->id && is_live(&w->held[i], now_ms);
    mutex_unlock(&w->lock);
    if (e != E_OK || live) return e;
    return fail_set(f, E_KEY, "the key \"%.*s\" was revoked or has expired", STR_ARG(actor->name));
}

static err person_still(who_book *w, const who_actor *actor, fail *f) {
    store_tx *tx;
    store_stmt *q;
    bool row = false;
    TRY(store_begin(w->store, STORE_READ, &tx, f));
    err e = store_prepare(tx, "SELECT 1 FROM who_user WHERE id=?1", &q, f);
    if (e == E_OK) {
        store_bind_int(q, 1, actor->id);
        e = store_step(q, &row, f);
    }
    store_rollback(tx);
    if (e != E_OK || row) return e;
    return fail_set(f, E_KEY, "%.*s may not log in any more", STR_ARG(actor->name));
}

err who_check_still(who_book *w, const who_actor *actor, fail *f) {
    if (!actor->id) return E_OK;
    return actor->kind == WHO_PERSON ? person_still(w, actor, f) : key_still(w, actor, f);
}

bool who_may(const who_actor *actor, who_action action) {
    if (action == WHO_OPEN) return true;
    if (actor->kind == WHO_PROGRAM) return who_scopes_may(actor->scopes, action);
    return actor->kind == WHO_PERSON && who_role_may(actor->role, action);
}

/* ---- limits ---- */

enum { NOTE_USE_MS = 60000 };

/* When a key was last used reaches the database once a minute: an answer need not wait for it each
 * time. */
static void note_use(who_book *w, int64_t key, int64_t now_ms) {
    store_tx *tx;
    store_stmt *q;
    bool row;
    fail ignored = {0};
    if (store_begin(w->store, STORE_WRITE, &tx, &ignored) != E_OK) return;
    err e =
        store_prepare(tx, "UPDATE who_key SET used_ms=?2 WHERE id=?1 AND used_ms<?2", &q, &ignored);
    if (e == E_OK) {
        store_bind_int(q, 1, key);
        store_bind_int(q, 2, now_ms);
        e = store_step(q, &row, &ignored);
    }
    (void)!who_finish(tx, e, &ignored);
}

err who_take(who_book *w, const who_actor *actor, who_quota *out, fail *f) {
    int64_t now_ms = clock_now_ms();
    bool note = false;
    err e = E_OK;
    *out = (who_quota){0};
    if (actor->kind != WHO_PROGRAM) return E_OK;
    mutex_lock(&w->lock);
    who_bucket *b = bucket_of(w, actor->id);
    if (b) {
        e = who_bucket_take(b, now_ms, out, f);
        b->used_ms = now_ms;
        note = now_ms - b->noted_ms >= NOTE_USE_MS;
        if (note) b->noted_ms = now_ms;
    }
    mutex_unlock(&w->lock);
    if (note) note_use(w, actor->id, now_ms);
    return e;
}

void who_spend(who_book *w, const who_actor *actor, int64_t tokens) {
    if (actor->kind != WHO_PROGRAM || tokens <= 0) return;
    mutex_lock(&w->lock);
    who_bucket *b = bucket_of(w, actor->id);
    if (b) who_bucket_spend(b, tokens, clock_now_ms());
    mutex_unlock(&w->lock);
}
