/* who_password.c - see who_password.h. */
#include "who/who_password.h"

#include <sodium.h>

enum { PASSES = 3 };
_Static_assert((int)WHO_HASH_BYTES == (int)crypto_pwhash_STRBYTES, "one length");

err who_password_check(str name, str password, fail *f) {
    if (password.n < WHO_PASSWORD_BYTES_MIN || password.n > WHO_PASSWORD_BYTES_MAX)
        return fail_set(f, E_INPUT, "a password has %d to %d bytes, this one has %zu",
                        WHO_PASSWORD_BYTES_MIN, WHO_PASSWORD_BYTES_MAX, password.n);
    bool same = true;
    for (size_t i = 1; i < password.n; i++) same = same && password.p[i] == password.p[0];
    if (same || str_eq_nocase(name, password))
        return fail_set(f, E_INPUT,
                        "the password must be neither the name nor one character again "
                        "and again");
    return E_OK;
}

err who_password_hash(who_book *w, str password, char out[WHO_HASH_BYTES], fail *f) {
    mutex_lock(&w->hash_lock);
    int rc = crypto_pwhash_str_alg(out, password.p, password.n, PASSES,
                                   (size_t)w->password_kib * 1024, crypto_pwhash_ALG_ARGON2ID13);
    mutex_unlock(&w->hash_lock);
    return rc == 0 ? E_OK : fail_memory(f, "the hash of a password");
}

/* The hash of nobody's password, of the same cost; made when the first unknown name comes. */
static const char *dummy_of(who_book *w) {
    if (!w->dummy[0]) {
        char secret[32];
        randombytes_buf(secret, sizeof secret);
        (void)!crypto_pwhash_str_alg(w->dummy, secret, sizeof secret, PASSES,
                                     (size_t)w->password_kib * 1024, crypto_pwhash_ALG_ARGON2ID13);
    }
    return w->dummy;
}

static bool look(who_book *w, const char *hash, str password) {
    mutex_lock(&w->hash_lock);
    const char *against = hash[0] ? hash : dummy_of(w);
    bool right = crypto_pwhash_str_verify(against, password.p ? password.p : "", password.n) == 0;
    mutex_unlock(&w->hash_lock);
    return right && hash[0];
}

err who_password_is(who_book *w, const char *hash, str password, bool *right, fail *f) {
    bool room = atomic_fetch_add(&w->hashing, 1) < WHO_HASHING_MAX;
    if (room) *right = look(w, hash, password);
    atomic_fetch_sub(&w->hashing, 1);
    if (room) return E_OK;
    fail_set(f, E_BUSY, "too many people log in at this moment");
    return fail_hint(f, "try again in a second");
}
