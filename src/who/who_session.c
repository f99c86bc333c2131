/* who_session.c - logging in and out, and who a cookie belongs to.
 *
 * A login always makes a new secret and ends the session whose cookie came along, so a cookie that
 * somebody planted before is worth nothing after. The token against forged requests is a hash of
 * the secret: a page elsewhere can send the cookie and can read neither. */
#include "who/who_password.h"

#include "base/clock.h"
#include "text/hash.h"

enum { SEEN_EVERY_MS = 60000 };

static const char *const session_use = "bantam session";

static err csrf_of(str secret, arena *a, str *out, fail *f) {
    unsigned char digest[WHO_DIGEST_BYTES];
    char hex[2 * WHO_DIGEST_BYTES + 1];
    who_digest(secret, "bantam forgery", digest);
    hash_hex(digest, sizeof digest, hex);
    *out = arena_str(a, str_from(hex));
    return out->p ? E_OK : fail_memory(f, "a session");
}

static err delete_session(store_tx *tx, str secret, fail *f) {
    unsigned char digest[WHO_DIGEST_BYTES];
    store_stmt *q;
    bool row;
    who_digest(secret, session_use, digest);
    TRY(store_prepare(tx, "DELETE FROM who_session WHERE digest=?1", &q, f));
    store_bind_blob(q, 1, (str){(char *)digest, sizeof digest});
    return store_step(q, &row, f);
}

/* ---- login ---- */

typedef struct found_user {
    int64_t id; /* 0: there is none */
    who_role role;
    char hash[WHO_HASH_BYTES];
} found_user;

static err read_user(store_tx *tx, str name, arena *a, found_user *out, fail *f) {
    store_stmt *q;
    bool row;
    str role, hash;
    TRY(store_prepare(tx, "SELECT id, role, hash FROM who_user WHERE name=?1", &q, f));
    store_bind_str(q, 1, name);
    TRY(store_step(q, &row, f));
    if (!row) return E_OK;
    TRY(store_str(q, 1, a, &role, f));
    TRY(store_str(q, 2, a, &hash, f));
    if (hash.n >= WHO_HASH_BYTES)
        return fail_set(f, E_CORRUPT, "the hash of a password is damaged");
    out->id = store_int(q, 0);
    if (!who_role_of(role, &out->role)) out->role = WHO_VIEWER;
    for (size_t i = 0; i < hash.n; i++) out->hash[i] = hash.p[i];
    return E_OK;
}

static err find_user(who_book *w, str name, arena *a, found_user *out, fail *f) {
    store_tx *tx;
    *out = (found_user){0};
    TRY(store_begin(w->store, STORE_READ, &tx, f));
    err e = read_user(tx, name, a, out, f);
    store_rollback(tx);
    return e;
}

static err forget_ended(store_tx *tx, int64_t now_ms, fail *f) {
    store_stmt *q;
    bool row;
    TRY(store_prepare(tx, "DELETE FROM who_session WHERE created_ms<=?1 OR seen_ms<=?2", &q, f));
    store_bind_int(q, 1, now_ms - WHO_SESSION_MS);
    store_bind_int(q, 2, now_ms - WHO_IDLE_MS);
    return store_step(q, &row, f);
}

/* Only while the password is still the one that was looked at. */
static err insert_session(store_tx *tx, const found_user *u, str secret, str address,
                          int64_t now_ms, fail *f) {
    unsigned char digest[WHO_DIGEST_BYTES];
    store_stmt *q;
    bool row;
    who_digest(secret, session_use, digest);
    TRY(store_prepare(tx,
                      "INSERT INTO who_session(digest,user,created_ms,seen_ms,address)"
                      " SELECT ?1,id,?3,?3,?4 FROM who_user WHERE id=?2 AND hash=?5",
                      &q, f));
    store_bind_blob(q, 1, (str){(char *)digest, sizeof digest});
    store_bind_int(q, 2, u->id);
    store_bind_int(q, 3, now_ms);
    store_bind_str(q, 4, address);
    store_bind_str(q, 5, str_from(u->hash));
    TRY(store_step(q, &row, f));
    if (!store_changes(tx)) return fail_set(f, E_KEY, "name or password is wrong");
    TRY(store_prepare(tx, "UPDATE who_user SET seen_ms=?2 WHERE id=?1", &q, f));
    store_bind_int(q, 1, u->id);
    store_bind_int(q, 2, now_ms);
    return store_step(q, &row, f);
}

static err admit(store_tx *tx, const who_login_try *t, str name, const found_user *u, str secret,
                 int64_t now_ms, fail *f) {
    TRY(forget_ended(tx, now_ms, f));
    if (t->before.n) TRY(delete_session(tx, t->before, f));
    TRY(insert_session(tx, u, secret, t->address, now_ms, f));
    TRY(who_attempt_forgive(tx, name, t->address, f));
    return who_event_put(
        tx, &(who_event){.what = STR("login"), .by = name, .target = name, .address = t->address},
        f);
}

static err refuse(who_book *w, const who_login_try *t, str name, fail *f) {
    store_tx *tx;
    TRY(store_begin(w->store, STORE_WRITE, &tx, f));
    TRY(who_finish(
        tx,
        who_event_put(
            tx, &(who_event){.what = STR("login failed"), .target = name, .address = t->address},
            f),
        f));
    return fail_set(f, E_KEY, "name or password is wrong");
}

/* Counts the attempt, then looks at the password. */
static err prove(who_book *w, const who_login_try *t, arena *a, str *name, found_user *u,
                 int64_t *retry_ms, fail *f) {
    bool right;
    *retry_ms = 0;
    if (t->password.n > WHO_PASSWORD_BYTES_MAX)
        return fail_set(f, E_INPUT, "a password has at most %d bytes", WHO_PASSWORD_BYTES_MAX);
    TRY(who_name(a, "user", t->name, name, f));
    TRY(who_attempt_begin(w, *name, t->address, retry_ms, f));
    TRY(find_user(w, *name, a, u, f));
    TRY(who_password_is(w, u->hash, t->password, &right, f));
    return right ? E_OK : refuse(w, t, *name, f);
}

err who_login(who_book *w, const who_login_try *t, arena *a, who_session *out, int64_t *retry_ms,
              fail *f) {
    store_tx *tx;
    str name;
    found_user u;
    who_session s = {0};
    int64_t now_ms = clock_now_ms();
    TRY(prove(w, t, a, &name, &u, retry_ms, f));
    TRY(who_secret_make(a, "", &s.secret, f));
    TRY(csrf_of(s.secret, a, &s.csrf, f));
    TRY(store_begin(w->store, STORE_WRITE, &tx, f));
    TRY(who_finish(tx, admit(tx, t, name, &u, s.secret, now_ms, f), f));
    s.name = name;
    s.role = u.role;
    s.expires_ms = now_ms + WHO_SESSION_MS;
    *out = s;
    return E_OK;
}

err who_change_password(who_book *w, const who_login_try *t, str fresh, arena *a, int64_t *retry_ms,
                        fail *f) {
    store_tx *tx;
    str name;
    found_user u;
    TRY(who_password_check(t->name, fresh, f));
    TRY(prove(w, t, a, &name, &u, retry_ms, f));
    TRY(who_user_set_password(w, name, fresh, name, f));
    TRY(store_begin(w->store, STORE_WRITE, &tx, f));
    return who_finish(tx, who_attempt_forgive(tx, name, t->address, f), f);
}

/* ---- afterwards ---- */

static err look_up(store_tx *tx, const unsigned char digest[WHO_DIGEST_BYTES], arena *a,
                   who_actor *out, int64_t *seen_ms, fail *f) {
    store_stmt *q;
    bool row;
    str role;
    int64_t now_ms = clock_now_ms();
    TRY(store_prepare(tx,
                      "SELECT u.id, u.name, u.role, s.seen_ms FROM who_session s JOIN who_user u"
                      " ON u.id=s.user WHERE s.digest=?1 AND s.created_ms>?2 AND s.seen_ms>?3",
                      &q, f));
    store_bind_blob(q, 1, (str){(const char *)digest, WHO_DIGEST_BYTES});
    store_bind_int(q, 2, now_ms - WHO_SESSION_MS);
    store_bind_int(q, 3, now_ms - WHO_IDLE_MS);
    TRY(store_step(q, &row, f));
    if (!row) {
        fail_set(f, E_KEY, "the session has ended");
        return fail_hint(f, "log in again");
    }
    *out = (who_actor){.kind = WHO_PERSON, .id = store_int(q, 0), .tenant = STR("")};
    TRY(store_str(q, 1, a, &out->name, f));
    TRY(store_str(q, 2, a, &role, f));
    if (!who_role_of(role, &out->role)) out->role = WHO_VIEWER;
    *seen_ms = store_int(q, 3);
    return E_OK;
}

/* Once a minute: it need not be exact, and a look at the page should not be a write. */
static err note_seen(who_book *w, const unsigned char digest[WHO_DIGEST_BYTES], fail *f) {
    store_tx *tx;
    store_stmt *q;
    bool row;
    TRY(store_begin(w->store, STORE_WRITE, &tx, f));
    err e = store_prepare(tx, "UPDATE who_session SET seen_ms=?2 WHERE digest=?1", &q, f);
    if (e == E_OK) {
        store_bind_blob(q, 1, (str){(const char *)digest, WHO_DIGEST_BYTES});
        store_bind_int(q, 2, clock_now_ms());
        e = store_step(q, &row, f);
    }
    return who_finish(tx, e, f);
}

err who_check_session(who_book *w, str secret, arena *a, who_actor *out, str *csrf, fail *f) {
    unsigned char digest[WHO_DIGEST_BYTES];
    store_tx *tx;
    int64_t seen_ms = 0;
    who_actor actor;
    who_digest(secret, session_use, digest);
    if (csrf) TRY(csrf_of(secret, a, csrf, f));
    TRY(store_begin(w->store, STORE_READ, &tx, f));
    err e = look_up(tx, digest, a, &actor, &seen_ms, f);
    store_rollback(tx);
    TRY(e);
    fail ignored = {0}; /* on a full disk people still see what is there */
    if (clock_now_ms() - seen_ms >= SEEN_EVERY_MS) (void)!note_seen(w, digest, &ignored);
    *out = actor;
    return E_OK;
}

static err logout_in(store_tx *tx, str secret, str name, fail *f) {
    TRY(delete_session(tx, secret, f));
    if (!store_changes(tx)) return E_OK;
    return who_event_put(tx, &(who_event){.what = STR("logout"), .by = name, .target = name}, f);
}

err who_logout(who_book *w, str secret, fail *f) {
    store_tx *tx;
    arena a;
    who_actor actor = {0};
    fail ignored = {0};
    arena_init(&a, 256);
    if (who_check_session(w, secret, &a, &actor, NULL, &ignored) != E_OK) actor.name = STR("");
    err e = store_begin(w->store, STORE_WRITE, &tx, f);
    if (e == E_OK) e = who_finish(tx, logout_in(tx, secret, actor.name, f), f);
    arena_deinit(&a);
    return e;
}
