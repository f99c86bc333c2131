/* hash.h - SHA-256, one-shot and streamed, and hexadecimal.
 *
 * Uses libcrypto's block functions, which pick the CPU's SHA instructions and allocate nothing, so
 * that hashing cannot fail and the record can be kept when memory is short. Any thread; a stream
 * has one owner. For secrets (keys, HMAC, signatures) look elsewhere. */
#ifndef BANTAM_TEXT_HASH_H
#define BANTAM_TEXT_HASH_H

#include "base/arena.h"
#include "base/err.h"

enum { HASH_SHA256_BYTES = 32, HASH_SHA256_HEX_BYTES = 65 }; /* hex with its zero byte */

typedef struct hash_sha256_stream {
    _Alignas(16) unsigned char state[128]; /* libcrypto's context */
} hash_sha256_stream;

void hash_sha256_begin(hash_sha256_stream *s);
void hash_sha256_put(hash_sha256_stream *s, str bytes);
void hash_sha256_end(hash_sha256_stream *s, unsigned char out[HASH_SHA256_BYTES]);

void hash_sha256(str bytes, unsigned char out[HASH_SHA256_BYTES]);
void hash_sha256_hex(str bytes, char out[HASH_SHA256_HEX_BYTES]); /* lower case */
/* A whole file, mapped. E_NOT_FOUND, E_IO... */
err hash_file_hex(const char *path, char out[HASH_SHA256_HEX_BYTES], fail *f) MUST_CHECK;

/* out: 2 * n characters and a zero byte */
void hash_hex(const unsigned char *bytes, size_t n, char *out);
/* Reads exactly n bytes; false for another length or another character. Both cases are taken. */
bool hash_unhex(str hex, unsigned char *out, size_t n);

#endif
