/* who_int.h - what the files of who/ share. Not for other rooms. */
#ifndef BANTAM_WHO_WHO_INT_H
#define BANTAM_WHO_WHO_INT_H

#include "who/who.h"
#include "who/who_event.h"
#include "who/who_limit.h"

#include "base/thread.h"

#include <stdatomic.h>

enum { WHO_DIGEST_BYTES = 32, WHO_HASH_BYTES = 128 }; /* of crypto_pwhash_str */

/* A key as a server holds it. */
typedef struct who_held {
    unsigned char digest[WHO_DIGEST_BYTES];
    int64_t until_ms; /* expiry, or the end of an overlap; 0 = never ends */
    int64_t id;
    str name, tenant;
    who_scopes scopes;
} who_held;

struct who_book {
    store *store;
    int password_kib;
    char dummy[WHO_HASH_BYTES]; /* what the password of an unknown name is compared with */
    mutex hash_lock;
    atomic_int hashing; /* threads that hash a password or wait to */
    mutex lock;         /* guards what stands below */
    int64_t generation, version;
    bool loaded;
    arena arena;    /* texts of held keys */
    who_held *held; /* sorted by digest */
    size_t n_held;
    int64_t n_keys, n_users;
    who_bucket *buckets; /* by key, kept across reloads */
    size_t n_buckets, cap_buckets;
};

/* Under lock: reads the keys again if somebody changed them. */
err who_refresh(who_book *w, fail *f) MUST_CHECK;
/* In a write transaction that changed keys or users. */
err who_touch(store_tx *tx, fail *f) MUST_CHECK;

/* A secret of 256 bits as 43 characters, and the digest under which it is found again. use: what
 * for, so that a session's secret is no key. */
err who_secret_make(arena *a, const char *prefix, str *out, fail *f) MUST_CHECK;
void who_digest(str secret, const char *use, unsigned char out[WHO_DIGEST_BYTES]);
/* name in lower case, checked. */
err who_name(arena *a, const char *what, str name, str *out, fail *f) MUST_CHECK;

/* Commits when e is E_OK, else rolls back; returns what went wrong first. */
err who_finish(store_tx *tx, err e, fail *f) MUST_CHECK;

/* Counts an attempt before it is made, so that many at once count, too. E_LIMIT with *retry_ms. */
err who_attempt_begin(who_book *w, str name, str address, int64_t *retry_ms, fail *f) MUST_CHECK;
/* It was the right password. */
err who_attempt_forgive(store_tx *tx, str name, str address, fail *f) MUST_CHECK;

#endif
