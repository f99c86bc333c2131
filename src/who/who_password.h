/* who_password.h - argon2id (RFC 9106), by libsodium. One password at a time is hashed, for it
 * costs who_options.password_kib of memory. */
#ifndef BANTAM_WHO_WHO_PASSWORD_H
#define BANTAM_WHO_WHO_PASSWORD_H

#include "who/who_int.h"

enum { WHO_HASHING_MAX = 3 };

/* Long enough, not the name; E_INPUT. */
err who_password_check(str name, str password, fail *f) MUST_CHECK;
err who_password_hash(who_book *w, str password, char out[WHO_HASH_BYTES], fail *f) MUST_CHECK;
/* hash "" stands for an unknown name: takes as long, and is never right. E_BUSY when more than
 * WHO_HASHING_MAX wait already: logins must not take every worker. */
err who_password_is(who_book *w, const char *hash, str password, bool *right, fail *f) MUST_CHECK;

#endif
