/* hash.c - see hash.h. The low-level calls are marked deprecated in OpenSSL 3 in favour of EVP,
 * which allocates and may therefore fail; they are what EVP itself ends in. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "text/hash.h"

#include "base/file.h"

#include <openssl/sha.h>

_Static_assert(sizeof(SHA256_CTX) <= sizeof(hash_sha256_stream), "room for the context");
_Static_assert(_Alignof(SHA256_CTX) <= 16, "alignment of the context");

static SHA256_CTX *context(hash_sha256_stream *s) {
    return (SHA256_CTX *)(void *)s->state;
}

void hash_sha256_begin(hash_sha256_stream *s) {
    SHA256_Init(context(s));
}
void hash_sha256_put(hash_sha256_stream *s, str bytes) {
    if (bytes.n) SHA256_Update(context(s), bytes.p, bytes.n);
}
void hash_sha256_end(hash_sha256_stream *s, unsigned char out[HASH_SHA256_BYTES]) {
    SHA256_Final(out, context(s));
}

void hash_sha256(str bytes, unsigned char out[HASH_SHA256_BYTES]) {
    hash_sha256_stream s;
    hash_sha256_begin(&s);
    hash_sha256_put(&s, bytes);
    hash_sha256_end(&s, out);
}

void hash_hex(const unsigned char *bytes, size_t n, char *out) {
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
    out[2 * n] = 0;
}

void hash_sha256_hex(str bytes, char out[HASH_SHA256_HEX_BYTES]) {
    unsigned char digest[HASH_SHA256_BYTES];
    hash_sha256(bytes, digest);
    hash_hex(digest, sizeof digest, out);
}

err hash_file_hex(const char *path, char out[HASH_SHA256_HEX_BYTES], fail *f) {
    file_map m;
    TRY(file_map_open(&m, path, f));
    hash_sha256_hex((str){(const char *)m.p, m.n}, out);
    file_map_close(&m);
    return E_OK;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool hash_unhex(str hex, unsigned char *out, size_t n) {
    if (n > SIZE_MAX / 2 || hex.n != 2 * n) return false;
    for (size_t i = 0; i < n; i++) {
        int high = hex_digit(hex.p[2 * i]), low = hex_digit(hex.p[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        out[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}
