/* t_who.c - tests who/: keys that are wrong, expired, revoked, rotated; limits; users, wrong
 * passwords, lockout; sessions that end; the chain of events. The clock is set by the tests. */
#include "test.h"

#include "base/clock.h"
#include "base/mem.h"
#include "who/who_event.h"
#include "who/who_limit.h"
#include "who/who_password.h"

enum { START_MS = 1700000000 };
static const int64_t start_ms = (int64_t)START_MS * 1000;

static store *db;
static who_book *book, *other; /* other: as a second process sees it */
static arena a;
static fail f;

static void at(int64_t ms) {
    clock_set_test_ms(start_ms + ms);
}

static int open_all(void **state) {
    (void)state;
    size_t n;
    const store_migration *m = who_migrations(&n);
    arena_init(&a, 0);
    at(0);
    assert_ok(store_open(&db, ":memory:", m, n, &f), &f);
    who_options o = {.store = db, .password_kib = 64};
    assert_ok(who_open(&book, &o, &f), &f);
    assert_ok(who_open(&other, &o, &f), &f);
    return 0;
}

static int close_all(void **state) {
    (void)state;
    who_close(book);
    who_close(other);
    store_close(db);
    arena_deinit(&a);
    clock_set_test_ms(0);
    return 0;
}

static str add_key(const char *name, who_key_new key) {
    str secret;
    key.name = str_from(name);
    assert_ok(who_key_add(book, &key, &a, &secret, &f), &f);
    return secret;
}

static err check_key(str secret, who_actor *out) {
    return who_check_key(other, secret, &a, out, &f);
}

/* ---- keys ---- */

static void a_key_opens(void **state) {
    (void)state;
    who_actor who;
    str secret = add_key("Web.Site", (who_key_new){.scopes = STR("chat"), .tenant = STR("acme")});
    assert_true(str_starts(secret, STR("bt-")) && secret.n == 3 + 43);
    assert_ok(check_key(secret, &who), &f);
    assert_int_equal(who.kind, WHO_PROGRAM);
    assert_true(str_is(who.name, "web.site") && str_is(who.tenant, "acme"));
    assert_true(who_may(&who, WHO_CHAT) && who_may(&who, WHO_MODELS) && who_may(&who, WHO_OPEN));
    assert_false(who_may(&who, WHO_EMBED) || who_may(&who, WHO_ADMIN) || who_may(&who, WHO_RECORD));
    who_actor nobody = {0};
    assert_true(who_may(&nobody, WHO_OPEN));
    assert_false(who_may(&nobody, WHO_MODELS) || who_may(&nobody, WHO_SELF));
}

static void wrong_keys_do_not(void **state) {
    (void)state;
    who_actor who;
    str secret = add_key("a", (who_key_new){0});
    char *near = arena_z(&a, secret);
    near[secret.n - 3] ^= 1;
    assert_int_equal(check_key((str){near, secret.n}, &who), E_KEY);
    assert_int_equal(check_key(str_slice(secret, 0, secret.n - 1), &who), E_KEY);
    assert_int_equal(check_key(str_slice(secret, 3, secret.n), &who), E_KEY);
    assert_int_equal(check_key(STR(""), &who), E_KEY);
    assert_ok(check_key(secret, &who), &f);
}

static void the_secret_is_not_kept(void **state) {
    (void)state;
    store_tx *tx;
    store_stmt *q;
    bool row;
    str secret = add_key("a", (who_key_new){0});
    assert_ok(store_begin(db, STORE_READ, &tx, &f), &f);
    assert_ok(store_prepare(tx,
                            "SELECT count(*) FROM who_key WHERE instr(hint||name||created_by, ?1)"
                            " OR instr(CAST(digest AS TEXT), ?1)",
                            &q, &f),
              &f);
    store_bind_str(q, 1, str_slice(secret, 3, 12));
    assert_ok(store_step(q, &row, &f), &f);
    assert_int_equal(store_int(q, 0), 0);
    store_rollback(tx);
}

static void keys_end(void **state) {
    (void)state;
    who_actor who;
    int64_t keys, users;
    str timed = add_key("timed", (who_key_new){.expires_ms = start_ms + 1000});
    str revoked = add_key("revoked", (who_key_new){0});
    assert_ok(who_count(other, &keys, &users, &f), &f);
    assert_int_equal(keys, 2);
    at(999);
    assert_ok(check_key(timed, &who), &f);
    at(1000);
    assert_int_equal(check_key(timed, &who), E_KEY);
    assert_ok(who_key_revoke(book, STR("revoked"), STR("ann"), &f), &f);
    assert_int_equal(check_key(revoked, &who), E_KEY);
    assert_ok(who_count(other, &keys, &users, &f), &f);
    assert_int_equal(keys, 0);
    assert_int_equal(who_key_revoke(book, STR("revoked"), STR("ann"), &f), E_NOT_FOUND);
    add_key("revoked", (who_key_new){0}); /* its name is free again */
}

static void keys_rotate(void **state) {
    (void)state;
    who_actor who;
    str second, third, first = add_key("a", (who_key_new){.scopes = STR("record")});
    assert_ok(who_key_rotate(book, STR("a"), 5000, STR(""), &a, &second, &f), &f);
    assert_ok(check_key(first, &who), &f);
    assert_ok(check_key(second, &who), &f);
    assert_true(who_may(&who, WHO_RECORD));
    at(5000);
    assert_int_equal(check_key(first, &who), E_KEY);
    assert_ok(check_key(second, &who), &f);
    assert_ok(who_key_rotate(book, STR("a"), 0, STR(""), &a, &third, &f), &f);
    assert_int_equal(check_key(second, &who), E_KEY);
    assert_ok(check_key(third, &who), &f);
    assert_int_equal(who_key_rotate(book, STR("b"), 0, STR(""), &a, &third, &f), E_NOT_FOUND);
}

static void bad_keys_are_refused(void **state) {
    (void)state;
    str secret;
    add_key("a", (who_key_new){0});
    static const struct {
        who_key_new key;
        err e;
    } rows[] = {
        {{.name = STR("A")}, E_EXISTS},
        {{.name = STR("")}, E_INPUT},
        {{.name = STR("two words")}, E_INPUT},
        {{.name = STR("b"), .scopes = STR("chat,everything")}, E_INPUT},
        {{.name = STR("b"), .rpm = -1}, E_INPUT},
        {{.name = STR("b"), .expires_ms = 5}, E_INPUT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(who_key_add(book, &rows[i].key, &a, &secret, &f), rows[i].e);
}

/* ---- limits ---- */

static void buckets_fill_with_time(void **state) {
    (void)state;
    who_bucket b = {0};
    who_quota q;
    who_bucket_set(&b, 60, 0, 1000);
    for (int i = 0; i < 60; i++) assert_ok(who_bucket_take(&b, 1000, &q, &f), &f);
    assert_int_equal(q.requests_left, 0);
    assert_int_equal(q.requests_reset_ms, 60000);
    assert_int_equal(who_bucket_take(&b, 1000, &q, &f), E_LIMIT);
    assert_int_equal(q.retry_ms, 1000); /* one a second */
    assert_int_equal(who_bucket_take(&b, 1999, &q, &f), E_LIMIT);
    assert_int_equal(q.retry_ms, 1);
    assert_ok(who_bucket_take(&b, 2000, &q, &f), &f);
    assert_int_equal(who_bucket_take(&b, 500, &q, &f),
                     E_LIMIT); /* a clock set back gives nothing */
    assert_ok(who_bucket_take(&b, 10 * 60000, &q, &f), &f);
    assert_int_equal(q.requests_left, 59); /* and never more than a minute's */
}

static void tokens_are_paid_afterwards(void **state) {
    (void)state;
    who_bucket b = {0};
    who_quota q;
    who_bucket_set(&b, 0, 600, 1000);
    assert_ok(who_bucket_take(&b, 1000, &q, &f), &f);
    assert_int_equal(q.tokens_left, 600);
    who_bucket_spend(&b, 700, 1000);
    assert_int_equal(who_bucket_take(&b, 1000, &q, &f), E_LIMIT);
    assert_int_equal(q.retry_ms, 10100); /* 101 tokens at 10 a second */
    assert_int_equal(q.tokens_left, 0);
    assert_ok(who_bucket_take(&b, 11100, &q, &f), &f);
}

static void a_keys_limits_hold_and_change(void **state) {
    (void)state;
    who_actor who;
    who_quota q;
    str next;
    str secret = add_key("a", (who_key_new){.rpm = 2, .tpm = 100});
    assert_ok(check_key(secret, &who), &f);
    assert_ok(who_take(other, &who, &q, &f), &f);
    assert_int_equal(q.requests_limit, 2);
    assert_int_equal(q.requests_left, 1);
    who_spend(other, &who, 40);
    assert_ok(who_take(other, &who, &q, &f), &f);
    assert_int_equal(q.tokens_left, 60);
    assert_int_equal(who_take(other, &who, &q, &f), E_LIMIT);
    assert_int_equal(q.retry_ms, 30000);
    assert_ok(who_key_rotate(book, STR("a"), 0, STR(""), &a, &next, &f), &f);
    assert_ok(check_key(next, &who), &f);
    assert_int_equal(who_take(other, &who, &q, &f),
                     E_LIMIT); /* another secret is not another key */
}

static void last_use_is_noted(void **state) {
    (void)state;
    who_actor who;
    who_quota q;
    who_key *all;
    size_t n;
    str secret = add_key("a", (who_key_new){0});
    assert_ok(check_key(secret, &who), &f);
    at(7000);
    assert_ok(who_take(other, &who, &q, &f), &f);
    at(8000);
    assert_ok(who_take(other, &who, &q, &f), &f);
    assert_ok(who_key_list(book, &a, &all, &n, &f), &f);
    assert_int_equal(n, 1);
    assert_int_equal(all[0].used_ms, start_ms + 7000); /* once a minute */
    assert_true(str_starts(secret, all[0].hint));
}

/* ---- people ---- */

static const str ann = {"ann", 3}, good = {"correct horse", 13};

static void add_ann(who_role role) {
    assert_ok(who_user_add(book, ann, good, role, STR("root"), &f), &f);
}

static err login_from(const char *name, const char *password, const char *address, str before,
                      who_session *out, int64_t *retry_ms) {
    who_login_try t = {.name = str_from(name),
                       .password = str_from(password),
                       .address = str_from(address),
                       .before = before};
    return who_login(other, &t, &a, out, retry_ms, &f);
}

static err login(const char *name, const char *password, who_session *out) {
    int64_t retry_ms;
    return login_from(name, password, "10.0.0.1", STR(""), out, &retry_ms);
}

static err session_holds(str secret, who_actor *out) {
    return who_check_session(other, secret, &a, out, NULL, &f);
}

/* What was asked by somebody who is gone is not run for them. */
static void who_left_is_known(void **state) {
    (void)state;
    who_session s;
    who_actor key, timed, person, nobody = {0}, own = {.kind = WHO_PROGRAM};
    str secret = add_key("site", (who_key_new){0});
    str short_lived = add_key("timed", (who_key_new){.expires_ms = start_ms + 1000});
    add_ann(WHO_VIEWER);
    assert_ok(login("ann", "correct horse", &s), &f);
    assert_ok(check_key(secret, &key), &f);
    assert_ok(check_key(short_lived, &timed), &f);
    assert_ok(session_holds(s.secret, &person), &f);
    const who_actor *const all[] = {&key, &timed, &person, &nobody, &own};
    for (size_t i = 0; i < 5; i++) assert_ok(who_check_still(other, all[i], &f), &f);
    at(1000);
    assert_ok(who_key_revoke(book, STR("site"), STR("root"), &f), &f);
    assert_ok(who_user_remove(book, STR("ann"), STR("root"), &f), &f);
    for (size_t i = 0; i < 3; i++) assert_int_equal(who_check_still(other, all[i], &f), E_KEY);
    for (size_t i = 3; i < 5; i++) assert_ok(who_check_still(other, all[i], &f), &f);
}

static void users_log_in(void **state) {
    (void)state;
    who_session s;
    who_actor who;
    str csrf;
    add_ann(WHO_LEAD);
    assert_ok(login("ANN", "correct horse", &s), &f);
    assert_true(str_is(s.name, "ann") && s.role == WHO_LEAD && s.secret.n == 43);
    assert_ok(who_check_session(other, s.secret, &a, &who, &csrf, &f), &f);
    assert_int_equal(who.kind, WHO_PERSON);
    assert_true(str_is(who.name, "ann") && who.role == WHO_LEAD);
    assert_true(str_eq(csrf, s.csrf) && csrf.n == 64 && !str_eq(csrf, s.secret));
    assert_true(who_may(&who, WHO_CORRECT) && !who_may(&who, WHO_ADMIN));
    assert_int_equal(who_check_key(other, s.secret, &a, &who, &f), E_KEY); /* no key */
    assert_ok(who_logout(other, s.secret, &f), &f);
    assert_int_equal(session_holds(s.secret, &who), E_KEY);
    assert_ok(who_logout(other, s.secret, &f), &f);
}

static void wrong_logins_look_alike(void **state) {
    (void)state;
    who_session s;
    char text[FAIL_TEXT_BYTES];
    add_ann(WHO_VIEWER);
    assert_int_equal(login("ann", "wrong horses", &s), E_KEY);
    memcpy(text, f.text, sizeof text);
    assert_int_equal(login("bob", "correct horse", &s), E_KEY);
    assert_string_equal(f.text, text);
    assert_int_equal(login("ann", "", &s), E_KEY);
    assert_int_equal(login("", "", &s), E_INPUT);
    assert_int_equal(login("ann", "correct horse ", &s), E_KEY);
    assert_ok(login("ann", "correct horse", &s), &f);
}

static void attempts_are_slowed_down(void **state) {
    (void)state;
    who_session s;
    int64_t retry_ms;
    add_ann(WHO_VIEWER);
    static const char *const names[] = {"ann", "nobody"}; /* no difference for who does not exist */
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < 6; k++)
            assert_int_equal(login_from(names[i], "wrong horses", i ? "10.0.0.2" : "10.0.0.1",
                                        STR(""), &s, &retry_ms),
                             E_KEY);
        assert_int_equal(login_from(names[i], "correct horse", "10.9.9.9", STR(""), &s, &retry_ms),
                         E_LIMIT);
        assert_int_equal(retry_ms, 2000);
    }
    at(2000);
    assert_int_equal(login("ann", "wrong horses", &s), E_KEY);
    assert_int_equal(login_from("ann", "correct horse", "10.9.9.9", STR(""), &s, &retry_ms),
                     E_LIMIT);
    assert_int_equal(retry_ms, 4000); /* twice as long */
    at(6000);
    assert_ok(login("ann", "correct horse", &s), &f); /* right: the name starts anew */
    assert_int_equal(login("ann", "wrong horses", &s), E_KEY);
    assert_int_equal(login("ann", "wrong horses", &s), E_KEY);
}

static void addresses_are_slowed_down(void **state) {
    (void)state;
    who_session s;
    int64_t retry_ms;
    add_ann(WHO_VIEWER);
    char name[16];
    for (int k = 0; k < 21; k++) {
        snprintf(name, sizeof name, "u%d", k);
        assert_int_equal(
            login_from(name, "wrong horses", "2001:db8:1:2:3::4", STR(""), &s, &retry_ms), E_KEY);
    }
    assert_int_equal(
        login_from("ann", "correct horse", "2001:db8:1:2:ffff::1", STR(""), &s, &retry_ms),
        E_LIMIT);
    assert_ok(login_from("ann", "correct horse", "2001:db8:1:3::1", STR(""), &s, &retry_ms), &f);
}

/* Zeros that "::" leaves out belong to the network as others do. */
static void a_network_may_hold_zeros(void **state) {
    (void)state;
    static const char *const forms[] = {"2001:db8::%x", "2001:db8::%x:1:2:3", "2001:db8:0:0:%x::"};
    who_session s;
    int64_t retry_ms;
    char name[16], address[40];
    add_ann(WHO_VIEWER);
    for (int k = 0; k < 21; k++) {
        snprintf(name, sizeof name, "u%d", k);
        snprintf(address, sizeof address, forms[k % 3], k + 1);
        assert_int_equal(login_from(name, "wrong horses", address, STR(""), &s, &retry_ms), E_KEY);
    }
    assert_int_equal(login_from("ann", "correct horse", "2001:db8::ffff", STR(""), &s, &retry_ms),
                     E_LIMIT);
    assert_ok(login_from("ann", "correct horse", "2001:db8:0:1::1", STR(""), &s, &retry_ms), &f);
    assert_ok(login_from("ann", "correct horse", "::1", STR(""), &s, &retry_ms), &f);
    assert_ok(login_from("ann", "correct horse", "::ffff:10.0.0.1", STR(""), &s, &retry_ms), &f);
}

static void logins_do_not_take_every_worker(void **state) {
    (void)state;
    who_session s;
    add_ann(WHO_VIEWER);
    atomic_store(&other->hashing, WHO_HASHING_MAX); /* so many are at it */
    assert_int_equal(login("ann", "correct horse", &s), E_BUSY);
    atomic_store(&other->hashing, WHO_HASHING_MAX - 1);
    assert_ok(login("ann", "correct horse", &s), &f);
    assert_int_equal(atomic_load(&other->hashing), WHO_HASHING_MAX - 1);
}

static void sessions_end(void **state) {
    (void)state;
    who_session s;
    who_actor who;
    add_ann(WHO_VIEWER);
    assert_ok(login("ann", "correct horse", &s), &f);
    at(WHO_IDLE_MS - 1);
    assert_ok(session_holds(s.secret, &who), &f); /* which also moves the idle end */
    at(2 * (int64_t)WHO_IDLE_MS - 2);
    assert_ok(session_holds(s.secret, &who), &f);
    at(3 * (int64_t)WHO_IDLE_MS - 2);
    assert_int_equal(session_holds(s.secret, &who), E_KEY); /* idle */
    at(0);
    assert_ok(login("ann", "correct horse", &s), &f);
    for (int64_t ms = 0; ms < WHO_SESSION_MS; ms += WHO_IDLE_MS / 2) {
        at(ms);
        assert_ok(session_holds(s.secret, &who), &f);
    }
    at(WHO_SESSION_MS);
    assert_int_equal(session_holds(s.secret, &who), E_KEY); /* never idle, and yet at its end */
}

static void a_login_ends_the_planted_session(void **state) {
    (void)state;
    who_session planted, s;
    who_actor who;
    int64_t retry_ms;
    add_ann(WHO_VIEWER);
    assert_ok(login("ann", "correct horse", &planted), &f);
    assert_ok(login_from("ann", "correct horse", "10.0.0.1", planted.secret, &s, &retry_ms), &f);
    assert_false(str_eq(planted.secret, s.secret) || str_eq(planted.csrf, s.csrf));
    assert_int_equal(session_holds(planted.secret, &who), E_KEY);
    assert_ok(session_holds(s.secret, &who), &f);
    assert_int_equal(session_holds(STR("chosen-by-somebody-else"), &who), E_KEY);
}

static void changes_end_sessions(void **state) {
    (void)state;
    who_session s;
    who_actor who;
    add_ann(WHO_VIEWER);
    assert_ok(login("ann", "correct horse", &s), &f);
    assert_ok(who_user_set_role(book, ann, WHO_ADMINISTRATOR, STR("root"), &f), &f);
    assert_int_equal(session_holds(s.secret, &who), E_KEY);
    assert_ok(login("ann", "correct horse", &s), &f);
    assert_int_equal(s.role, WHO_ADMINISTRATOR);
    assert_ok(who_user_set_password(book, ann, STR("another horse"), STR("root"), &f), &f);
    assert_int_equal(session_holds(s.secret, &who), E_KEY);
    assert_int_equal(login("ann", "correct horse", &s), E_KEY);
    assert_ok(login("ann", "another horse", &s), &f);
    assert_ok(who_user_remove(book, ann, STR("root"), &f), &f);
    assert_int_equal(session_holds(s.secret, &who), E_KEY);
    assert_int_equal(login("ann", "another horse", &s), E_KEY);
    assert_int_equal(who_user_remove(book, ann, STR("root"), &f), E_NOT_FOUND);
    assert_int_equal(who_user_set_role(book, ann, WHO_LEAD, STR("root"), &f), E_NOT_FOUND);
}

static void one_changes_ones_own_password(void **state) {
    (void)state;
    who_session s;
    who_actor who;
    int64_t retry_ms;
    who_login_try t = {.name = ann, .password = STR("wrong horses"), .address = STR("10.0.0.1")};
    add_ann(WHO_VIEWER);
    assert_ok(login("ann", "correct horse", &s), &f);
    assert_int_equal(who_change_password(other, &t, STR("a newer horse"), &a, &retry_ms, &f),
                     E_KEY);
    t.password = good;
    assert_int_equal(who_change_password(other, &t, STR("short"), &a, &retry_ms, &f), E_INPUT);
    assert_ok(session_holds(s.secret, &who), &f);
    assert_ok(who_change_password(other, &t, STR("a newer horse"), &a, &retry_ms, &f), &f);
    assert_int_equal(session_holds(s.secret, &who), E_KEY);
    assert_int_equal(login("ann", "correct horse", &s), E_KEY);
    assert_ok(login("ann", "a newer horse", &s), &f);
}

static void bad_users_are_refused(void **state) {
    (void)state;
    who_user *all;
    size_t n;
    int64_t keys, users;
    add_ann(WHO_REVIEWER);
    assert_int_equal(who_user_add(book, STR("Ann"), good, WHO_LEAD, STR(""), &f), E_EXISTS);
    assert_int_equal(who_user_add(book, STR("a b"), good, WHO_LEAD, STR(""), &f), E_INPUT);
    assert_int_equal(who_user_add(book, STR("bob"), STR("short"), WHO_LEAD, STR(""), &f), E_INPUT);
    assert_int_equal(who_user_add(book, STR("bob"), STR("aaaaaaaaaaaa"), WHO_LEAD, STR(""), &f),
                     E_INPUT);
    assert_int_equal(
        who_user_add(book, STR("bob-the-great"), STR("Bob-The-Great"), WHO_LEAD, STR(""), &f),
        E_INPUT);
    assert_ok(who_user_list(book, &a, &all, &n, &f), &f);
    assert_int_equal(n, 1);
    assert_true(str_is(all[0].name, "ann") && all[0].role == WHO_REVIEWER);
    assert_ok(who_count(other, &keys, &users, &f), &f);
    assert_int_equal(users, 1);
}

static void the_password_is_argon2id(void **state) {
    (void)state;
    store_tx *tx;
    store_stmt *q;
    bool row;
    str hash;
    add_ann(WHO_VIEWER);
    assert_ok(store_begin(db, STORE_READ, &tx, &f), &f);
    assert_ok(store_prepare(tx, "SELECT hash FROM who_user", &q, &f), &f);
    assert_ok(store_step(q, &row, &f), &f);
    assert_ok(store_str(q, 0, &a, &hash, &f), &f);
    store_rollback(tx);
    assert_true(str_starts(hash, STR("$argon2id$v=19$m=64,t=3,p=1$")));
}

/* ---- events ---- */

static void run_sql(const char *sql) {
    store_tx *tx;
    assert_ok(store_begin(db, STORE_WRITE, &tx, &f), &f);
    assert_ok(store_run(tx, sql, &f), &f);
    assert_ok(store_commit(tx, &f), &f);
}

static int64_t bad_events(void) {
    who_event_check check;
    assert_ok(who_event_verify(other, &a, &check, &f), &f);
    return check.bad;
}

static void events_are_chained(void **state) {
    (void)state;
    who_event *all;
    who_session s;
    size_t n;
    add_ann(WHO_VIEWER);
    assert_int_equal(login("ann", "wrong horses", &s), E_KEY);
    assert_ok(login("ann", "correct horse", &s), &f);
    add_key("site", (who_key_new){.by = STR("root")});
    assert_ok(who_key_revoke(book, STR("site"), STR("root"), &f), &f);
    assert_ok(who_event_list(book, 10, &a, &all, &n, &f), &f);
    static const char *const want[] = {"key revoked", "key added", "login", "login failed",
                                       "user added"};
    assert_int_equal(n, 5);
    for (size_t i = 0; i < n; i++) assert_true(str_is(all[i].what, want[i]));
    assert_true(str_is(all[0].by, "root") && str_is(all[3].address, "10.0.0.1"));
    assert_int_equal(bad_events(), 0);
    run_sql("UPDATE who_event SET by_whom='ann' WHERE what='key added'");
    assert_int_equal(bad_events(), 1);
    run_sql("UPDATE who_event SET by_whom='root' WHERE what='key added'");
    assert_int_equal(bad_events(), 0);
    run_sql("DELETE FROM who_event WHERE what='login failed'");
    assert_int_equal(bad_events(), 1);
}

/* ---- many at once ---- */

static str shared_key;
static atomic_bool enough;
static atomic_int checked;

static void checker(void *arg) {
    arena mine;
    fail failed = {0};
    (void)arg;
    arena_init(&mine, 0);
    while (!atomic_load(&enough)) {
        who_actor who;
        who_quota q;
        arena_reset(&mine);
        assert_ok(who_check_key(other, shared_key, &mine, &who, &failed), &failed);
        assert_true(str_is(who.name, "shared"));
        assert_ok(who_take(other, &who, &q, &failed), &failed);
        who_spend(other, &who, 1);
        atomic_fetch_add(&checked, 1);
    }
    arena_deinit(&mine);
}

static void keys_change_while_they_are_checked(void **state) {
    (void)state;
    enum { THREADS = 4, CHANGES = 40 };
    thread threads[THREADS] = {0};
    who_actor who;
    shared_key = add_key("shared", (who_key_new){.rpm = 100000000});
    atomic_store(&enough, false);
    for (int i = 0; i < THREADS; i++)
        assert_ok(thread_start(&threads[i], "checker", checker, NULL, &f), &f);
    for (int i = 0; i < CHANGES; i++) {
        str secret = add_key("other", (who_key_new){0});
        assert_ok(check_key(secret, &who), &f);
        assert_ok(who_key_revoke(book, STR("other"), STR(""), &f), &f);
        assert_int_equal(check_key(secret, &who), E_KEY);
    }
    while (atomic_load(&checked) < 100) clock_sleep_ms(1);
    atomic_store(&enough, true);
    for (int i = 0; i < THREADS; i++) thread_join(&threads[i]);
}

/* Each allocation fails in turn: an error with a text, never a crash, and nothing half done. */
static void lives_without_memory(void **state) {
    (void)state;
    who_actor who;
    who_session s;
    who_quota q;
    str secret = add_key("a", (who_key_new){.rpm = 1000});
    add_ann(WHO_LEAD);
    assert_ok(login("ann", "correct horse", &s), &f);
    for (int64_t n = 1; n < 60; n++) {
        str made = {0};
        who_session other_session;
        mem_fail_at(n, false);
        err e[] = {check_key(secret, &who), who_take(other, &who, &q, &f),
                   session_holds(s.secret, &who), login("ann", "correct horse", &other_session),
                   who_key_add(book, &(who_key_new){.name = STR("b")}, &a, &made, &f)};
        mem_fail_at(0, false);
        for (size_t i = 0; i < sizeof e / sizeof *e; i++)
            if (e[i] != E_OK && e[i] != E_NO_MEMORY && e[i] != E_LIMIT)
                fail_msg("allocation %lld, call %zu: %d %s", (long long)n, i, (int)e[i], f.text);
        if (e[4] == E_OK) assert_ok(check_key(made, &who), &f);
        if (e[4] == E_OK) assert_ok(who_key_revoke(book, STR("b"), STR(""), &f), &f);
        at(n * 1000000); /* attempts are forgiven */
        if (session_holds(s.secret, &who) != E_OK) assert_ok(login("ann", "correct horse", &s), &f);
    }
    assert_ok(check_key(secret, &who), &f);
    assert_int_equal(bad_events(), 0);
}

int main(void) {
#define T(test) cmocka_unit_test_setup_teardown(test, open_all, close_all)
    const struct CMUnitTest tests[] = {
        T(a_key_opens),
        T(wrong_keys_do_not),
        T(the_secret_is_not_kept),
        T(keys_end),
        T(keys_rotate),
        T(who_left_is_known),
        T(bad_keys_are_refused),
        cmocka_unit_test(buckets_fill_with_time),
        cmocka_unit_test(tokens_are_paid_afterwards),
        T(a_keys_limits_hold_and_change),
        T(last_use_is_noted),
        T(users_log_in),
        T(wrong_logins_look_alike),
        T(attempts_are_slowed_down),
        T(addresses_are_slowed_down),
        T(a_network_may_hold_zeros),
        T(logins_do_not_take_every_worker),
        T(sessions_end),
        T(a_login_ends_the_planted_session),
        T(changes_end_sessions),
        T(one_changes_ones_own_password),
        T(bad_users_are_refused),
        T(the_password_is_argon2id),
        T(events_are_chained),
        T(keys_change_while_they_are_checked),
        T(lives_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
