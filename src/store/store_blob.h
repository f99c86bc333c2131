/* store_blob.h - large immutable bytes by their SHA-256: fitted heads, files.
 *
 * They lie in the database, so a blob and the rows that name it are committed together and one file
 * is the whole backup. Any thread, inside a transaction of the caller's. A blob is checked against
 * its hash whenever it is read. Hand store_blob_migrations over at store_open. */
#ifndef BANTAM_STORE_STORE_BLOB_H
#define BANTAM_STORE_STORE_BLOB_H

#include "store/store.h"
#include "text/hash.h"

enum { STORE_BLOB_BYTES_MAX = 512 << 20 };

const store_migration *store_blob_migrations(size_t *n);

/* hex: the name under which it is found; the same bytes are stored once. */
err store_blob_put(store_tx *tx, str bytes, char hex[HASH_SHA256_HEX_BYTES], fail *f) MUST_CHECK;
/* E_NOT_FOUND; E_CORRUPT when the bytes do not fit their hash. */
err store_blob_get(store_tx *tx, str hex, arena *a, str *out, fail *f) MUST_CHECK;
err store_blob_remove(store_tx *tx, str hex, fail *f) MUST_CHECK; /* absent is fine */

#endif
