/* who_user.c - people: added, removed, given a role, given a password. Role and password change end
 * the person's sessions, in the same transaction. */
#include "who/who_password.h"

#include "base/clock.h"

static err no_user(str name, fail *f) {
    fail_set(f, E_NOT_FOUND, "there is no user \"%.*s\"", STR_ARG(str_slice(name, 0, 80)));
    return fail_hint(f, "bantam user list shows them");
}

static err note(store_tx *tx, str what, str name, str by, str detail, fail *f) {
    TRY(who_event_put(tx, &(who_event){.what = what, .by = by, .target = name, .detail = detail},
                      f));
    return who_touch(tx, f);
}

static err end_sessions(store_tx *tx, str name, fail *f) {
    store_stmt *q;
    bool row;
    TRY(store_prepare(
        tx, "DELETE FROM who_session WHERE user=(SELECT id FROM who_user WHERE name=?1)", &q, f));
    store_bind_str(q, 1, name);
    return store_step(q, &row, f);
}

/* One of the changes below: its statement has the name as ?1. */
typedef struct change {
    const char *sql;
    str what, name, by;
    str value; /* ?2; .p NULL: the statement has none */
    str detail;
} change;

static err change_in(store_tx *tx, const change *c, fail *f) {
    store_stmt *q;
    bool row;
    TRY(end_sessions(tx, c->name, f));
    TRY(store_prepare(tx, c->sql, &q, f));
    store_bind_str(q, 1, c->name);
    if (c->value.p) store_bind_str(q, 2, c->value);
    if (c->value.p) store_bind_int(q, 3, clock_now_ms());
    TRY(store_step(q, &row, f));
    if (!store_changes(tx)) return no_user(c->name, f);
    return note(tx, c->what, c->name, c->by, c->detail, f);
}

static err run_change(who_book *w, change *c, fail *f) {
    store_tx *tx;
    arena a;
    arena_init(&a, 256);
    err e = who_name(&a, "user", c->name, &c->name, f);
    if (e == E_OK) e = store_begin(w->store, STORE_WRITE, &tx, f);
    if (e == E_OK) e = who_finish(tx, change_in(tx, c, f), f);
    arena_deinit(&a);
    return e;
}

/* ---- adding ---- */

static err add_in(store_tx *tx, str name, who_role role, const char *hash, str by, fail *f) {
    store_stmt *q;
    bool row;
    str role_name = str_from(who_role_name(role));
    TRY(store_prepare(tx,
                      "INSERT INTO who_user(name,role,hash,created_ms,changed_ms)"
                      " VALUES(?1,?2,?3,?4,?4)",
                      &q, f));
    store_bind_str(q, 1, name);
    store_bind_str(q, 2, role_name);
    store_bind_str(q, 3, str_from(hash));
    store_bind_int(q, 4, clock_now_ms());
    err e = store_step(q, &row, f);
    if (e == E_EXISTS) {
        fail_set(f, E_EXISTS, "there is a user \"%.*s\" already", STR_ARG(name));
        return fail_hint(f, "bantam user role and bantam user password change one");
    }
    TRY(e);
    return note(tx, STR("user added"), name, by, role_name, f);
}

err who_user_add(who_book *w, str name, str password, who_role role, str by, fail *f) {
    store_tx *tx;
    arena a;
    str known;
    char hash[WHO_HASH_BYTES];
    arena_init(&a, 256);
    err e = who_name(&a, "user", name, &known, f);
    if (e == E_OK) e = who_password_check(known, password, f);
    if (e == E_OK) e = who_password_hash(w, password, hash, f);
    if (e == E_OK) e = store_begin(w->store, STORE_WRITE, &tx, f);
    if (e == E_OK) e = who_finish(tx, add_in(tx, known, role, hash, by, f), f);
    arena_deinit(&a);
    return e;
}

/* ---- changing ---- */

err who_user_remove(who_book *w, str name, str by, fail *f) {
    return run_change(w,
                      &(change){.sql = "DELETE FROM who_user WHERE name=?1",
                                .what = STR("user removed"),
                                .name = name,
                                .by = by},
                      f);
}

err who_user_set_role(who_book *w, str name, who_role role, str by, fail *f) {
    str role_name = str_from(who_role_name(role));
    return run_change(w,
                      &(change){.sql = "UPDATE who_user SET role=?2, changed_ms=?3 WHERE name=?1",
                                .what = STR("role changed"),
                                .name = name,
                                .by = by,
                                .value = role_name,
                                .detail = role_name},
                      f);
}

err who_user_set_password(who_book *w, str name, str password, str by, fail *f) {
    char hash[WHO_HASH_BYTES];
    TRY(who_password_check(name, password, f));
    TRY(who_password_hash(w, password, hash, f));
    return run_change(w,
                      &(change){.sql = "UPDATE who_user SET hash=?2, changed_ms=?3 WHERE name=?1",
                                .what = STR("password changed"),
                                .name = name,
                                .by = by,
                                .value = str_from(hash)},
                      f);
}

/* ---- list ---- */

static err read_user(store_stmt *q, arena *a, who_user *u, fail *f) {
    str role;
    *u = (who_user){.id = store_int(q, 0),
                    .created_ms = store_int(q, 3),
                    .changed_ms = store_int(q, 4),
                    .seen_ms = store_int(q, 5)};
    TRY(store_str(q, 1, a, &u->name, f));
    TRY(store_str(q, 2, a, &role, f));
    if (!who_role_of(role, &u->role)) u->role = WHO_VIEWER; /* a newer program's: the least */
    return E_OK;
}

static err list_in(store_tx *tx, arena *a, who_user *all, size_t *n, fail *f) {
    store_stmt *q;
    bool row;
    TRY(store_prepare(tx,
                      "SELECT id, name, role, created_ms, changed_ms, seen_ms FROM who_user"
                      " ORDER BY name LIMIT ?1",
                      &q, f));
    store_bind_int(q, 1, WHO_USERS_MAX);
    for (*n = 0;;) {
        TRY(store_step(q, &row, f));
        if (!row) return E_OK;
        TRY(read_user(q, a, &all[(*n)++], f));
    }
}

err who_user_list(who_book *w, arena *a, who_user **out, size_t *n, fail *f) {
    store_tx *tx;
    who_user *all = arena_new_n(a, who_user, WHO_USERS_MAX);
    if (!all) return fail_memory(f, "a list of users");
    TRY(store_begin(w->store, STORE_READ, &tx, f));
    err e = list_in(tx, a, all, n, f);
    store_rollback(tx);
    if (e == E_OK) *out = all;
    return e;
}
