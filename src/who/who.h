/* who.h - keys for programs, users and sessions for people, and limits per key.
 *
 *   key      bt-SECRET, 256 random bits, shown once; the database holds a keyed BLAKE2b of it
 *   user     name, role, argon2id of the password
 *   session  a cookie of 256 random bits, kept as a hash, too; ends after WHO_IDLE_MS without a
 *            request, after WHO_SESSION_MS in any case, at logout, and when password or role change
 *
 * What a command changes holds in a running server from its next request on (store_generation).
 * Every change and every login is an event in a chain of hashes (who_event.h).
 *
 * Threads: any; a lock guards the keys and their buckets, another lets one password be hashed at a
 * time (it costs WHO_PASSWORD_KIB of memory). Never call these inside a write transaction.
 * Not here: cookies and headers (api), TLS (net). */
#ifndef BANTAM_WHO_WHO_H
#define BANTAM_WHO_WHO_H

#include "store/store.h"
#include "who/who_role.h"

enum {
    WHO_NAME_BYTES_MAX = 64,
    WHO_PASSWORD_BYTES_MIN = 10,
    WHO_PASSWORD_BYTES_MAX = 1024,
    WHO_PASSWORD_KIB = 32 * 1024, /* of memory, with three passes: argon2id (RFC 9106) */
    WHO_KEYS_MAX = 10000,
    WHO_USERS_MAX = 10000,
    WHO_IDLE_MS = 60 * 60000,
    WHO_SESSION_MS = 12 * 3600000,
    WHO_RATE_MAX = 1000000000
};
#define WHO_KEY_PREFIX "bt-"

typedef struct who_book who_book;

typedef struct who_options {
    store *store;
    int password_kib; /* 0 = WHO_PASSWORD_KIB; tests take less */
} who_options;

const store_migration *who_migrations(size_t *n);
err who_open(who_book **out, const who_options *o, fail *f) MUST_CHECK;
void who_close(who_book *w);

/* How many there are that may be used now. */
err who_count(who_book *w, int64_t *keys, int64_t *users, fail *f) MUST_CHECK;
err who_has_users(who_book *w, bool *out, fail *f) MUST_CHECK; /* cheap: asked with each request */

/* ---- who asks ---------------------------------------------------------------------------------*/

typedef enum who_kind { WHO_NOBODY, WHO_PROGRAM, WHO_PERSON } who_kind;

/* Texts live in the arena that was given. */
typedef struct who_actor {
    who_kind kind;
    int64_t id;
    str name; /* of the key or the user */
    str tenant;
    who_scopes scopes; /* a program's */
    who_role role;     /* a person's */
} who_actor;

/* WHO_NOBODY may only what is open. */
bool who_may(const who_actor *actor, who_action action);

/* ---- keys -------------------------------------------------------------------------------------*/

typedef struct who_key {
    int64_t id;
    str name, hint; /* hint: the first characters, to recognise it by */
    who_scopes scopes;
    str scope_words; /* "chat,embed" */
    str tenant;
    int64_t rpm, tpm; /* requests and tokens a minute; 0 = no limit */
    int64_t created_ms, expires_ms, revoked_ms, used_ms; /* 0 = never */
    str created_by;
} who_key;

typedef struct who_key_new {
    str name;
    str scopes; /* "" = "chat,embed" */
    str tenant;
    int64_t rpm, tpm;
    int64_t expires_ms; /* 0 = never */
    str by;
} who_key_new;

/* *secret lives in a and is never to be had again. A name in use is E_EXISTS. */
err who_key_add(who_book *w, const who_key_new *key, arena *a, str *secret, fail *f) MUST_CHECK;
/* The same key with another secret; the old one works until overlap_ms from now. */
err who_key_rotate(who_book *w, str name, int64_t overlap_ms, str by, arena *a, str *secret,
                   fail *f) MUST_CHECK;
err who_key_revoke(who_book *w, str name, str by, fail *f) MUST_CHECK;
err who_key_list(who_book *w, arena *a, who_key **out, size_t *n, fail *f) MUST_CHECK;

/* E_KEY when it is unknown, expired or revoked: the text says no more than that to a stranger. */
err who_check_key(who_book *w, str secret, arena *a, who_actor *out, fail *f) MUST_CHECK;
/* For what runs after whoever asked has left: E_KEY when their key was revoked or has expired
 * since, or the person's login was taken away. An actor without an id (no key, BANTAM_KEY) is fine.
 */
err who_check_still(who_book *w, const who_actor *actor, fail *f) MUST_CHECK;

/* What a key has left. limit 0: none is set. */
typedef struct who_quota {
    int64_t requests_limit, requests_left, requests_reset_ms;
    int64_t tokens_limit, tokens_left, tokens_reset_ms;
    int64_t retry_ms; /* with E_LIMIT: when it is worth asking again */
} who_quota;

/* Takes one request off a program's minute. Tokens are counted when they are known (who_spend), so
 * one answer may overdraw; the next waits until the minute has made it good. E_LIMIT. */
err who_take(who_book *w, const who_actor *actor, who_quota *out, fail *f) MUST_CHECK;
void who_spend(who_book *w, const who_actor *actor, int64_t tokens);

/* ---- people -----------------------------------------------------------------------------------*/

typedef struct who_user {
    int64_t id;
    str name;
    who_role role;
    int64_t created_ms, changed_ms, seen_ms; /* seen: last login; 0 never */
} who_user;

/* Names are lower case: letters, digits and . _ - @ */
err who_user_add(who_book *w, str name, str password, who_role role, str by, fail *f) MUST_CHECK;
err who_user_remove(who_book *w, str name, str by, fail *f) MUST_CHECK;
err who_user_set_role(who_book *w, str name, who_role role, str by, fail *f) MUST_CHECK;
err who_user_set_password(who_book *w, str name, str password, str by, fail *f) MUST_CHECK;
err who_user_list(who_book *w, arena *a, who_user **out, size_t *n, fail *f) MUST_CHECK;

typedef struct who_session {
    str secret; /* the cookie */
    str csrf;   /* must come back in a header with each request that changes something */
    str name;
    who_role role;
    int64_t expires_ms;
} who_session;

typedef struct who_login_try {
    str name, password;
    str address; /* the client's */
    str before;  /* the cookie that came along, ended by a new login; "" none */
} who_login_try;

/* E_KEY for a wrong name or password alike (and as slowly), E_LIMIT with *retry_ms when there were
 * too many attempts on the name or from the address. */
err who_login(who_book *w, const who_login_try *login, arena *a, who_session *out,
              int64_t *retry_ms, fail *f) MUST_CHECK;
/* One's own: `login` holds the old one, and counts as an attempt. Ends every session. */
err who_change_password(who_book *w, const who_login_try *login, str fresh, arena *a,
                        int64_t *retry_ms, fail *f) MUST_CHECK;
/* E_KEY when it is unknown or has ended. csrf may be NULL. */
err who_check_session(who_book *w, str secret, arena *a, who_actor *out, str *csrf,
                      fail *f) MUST_CHECK;
err who_logout(who_book *w, str secret, fail *f) MUST_CHECK; /* an unknown one is fine */

bool who_same(str a, str b); /* in constant time for one length */

#endif
