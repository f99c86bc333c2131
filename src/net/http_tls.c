/* http_tls.c - see http_tls.h. */
#include "net/http_tls.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

enum { WARN_DAYS = 14, RECORD_BYTES = 16 * 1024 };

typedef struct tls_files {
    char cert[FILE_PATH_BYTES], key[FILE_PATH_BYTES];
} tls_files;

struct http_tls {
    tls_files files; /* the reloader's */
    mutex lock;      /* of ctx and days */
    SSL_CTX *ctx;
    int days;
};

/* SSL* under a name of ours */
static SSL *ssl_of(http_tls_conn *c) {
    return (SSL *)c;
}

/* ---- the context ---- */

static err tls_fail(fail *f, const char *what, const char *path) {
    char text[160] = "no reason given";
    unsigned long code = ERR_get_error();
    if (code) ERR_error_string_n(code, text, sizeof text);
    ERR_clear_error();
    fail_set(f, E_INPUT, "%s %s: %s", path, what, text);
    return fail_hint(f, "give PEM files: the certificate with its chain, and its private key");
}

static err no_file(const char *path, fail *f) {
    fail_set(f, E_NOT_FOUND, "there is no file %s", path);
    return fail_hint(f, "--tls-cert and --tls-key name PEM files");
}

/* Whether the first certificate is valid now; *days: for how long yet. */
static err check_dates(const SSL_CTX *ctx, const char *path, int *days, fail *f) {
    const X509 *x = SSL_CTX_get0_certificate(ctx);
    int day = 0, second = 0;
    if (X509_cmp_current_time(X509_get0_notBefore(x)) > 0)
        return fail_set(f, E_INPUT, "the certificate in %s is not valid yet; is the clock right?",
                        path);
    if (!ASN1_TIME_diff(&day, &second, NULL, X509_get0_notAfter(x)) || day < 0 || second < 0) {
        fail_set(f, E_INPUT, "the certificate in %s has expired", path);
        return fail_hint(f, "put a new one there; a running server takes it at SIGHUP");
    }
    *days = day;
    if (day < WARN_DAYS) log_warn("net", "the certificate in %s ends in %d days", path, day);
    return E_OK;
}

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *n,
                           const unsigned char *in, unsigned int in_n, void *ctx) {
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen;
    (void)ssl, (void)ctx;
    if (SSL_select_next_proto(&chosen, n, ours, sizeof ours - 1, in, in_n) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static err load(SSL_CTX *ctx, const tls_files *t, int *days, fail *f) {
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    if (!file_exists(t->cert)) return no_file(t->cert, f);
    if (!file_exists(t->key)) return no_file(t->key, f);
    if (SSL_CTX_use_certificate_chain_file(ctx, t->cert) != 1)
        return tls_fail(f, "holds no certificate that can be read", t->cert);
    if (SSL_CTX_use_PrivateKey_file(ctx, t->key, SSL_FILETYPE_PEM) != 1)
        return tls_fail(f, "holds no key of this certificate", t->key);
    if (SSL_CTX_check_private_key(ctx) != 1)
        return tls_fail(f, "is not the key of this certificate", t->key);
    return check_dates(ctx, t->cert, days, f);
}

static err make(const tls_files *t, SSL_CTX **out, int *days, fail *f) {
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx) return fail_memory(f, "TLS");
    err e = load(ctx, t, days, f);
    if (e == E_OK)
        *out = ctx;
    else
        SSL_CTX_free(ctx);
    return e;
}

static err copy_path(char to[FILE_PATH_BYTES], const char *path, fail *f) {
    int n = snprintf(to, FILE_PATH_BYTES, "%s", path);
    return n < FILE_PATH_BYTES ? E_OK : fail_set(f, E_INPUT, "the path %.80s... is too long", path);
}

err http_tls_open(http_tls **out, const char *cert, const char *key, fail *f) {
    http_tls *t = mem_zero(sizeof *t);
    if (!t) return fail_memory(f, "TLS");
    mutex_init(&t->lock);
    err e = copy_path(t->files.cert, cert, f);
    if (e == E_OK) e = copy_path(t->files.key, key, f);
    if (e == E_OK) e = make(&t->files, &t->ctx, &t->days, f);
    if (e == E_OK)
        *out = t;
    else
        http_tls_close(t);
    return e;
}

void http_tls_close(http_tls *t) {
    if (!t) return;
    SSL_CTX_free(t->ctx); /* connections hold it by a count of their own */
    mutex_deinit(&t->lock);
    mem_free(t);
}

err http_tls_reload(http_tls *t, const char *cert, const char *key, fail *f) {
    tls_files files = t->files;
    SSL_CTX *fresh;
    int days;
    if (cert) TRY(copy_path(files.cert, cert, f));
    if (key) TRY(copy_path(files.key, key, f));
    TRY(make(&files, &fresh, &days, f));
    t->files = files;
    mutex_lock(&t->lock);
    SSL_CTX *old = t->ctx;
    t->ctx = fresh;
    t->days = days;
    mutex_unlock(&t->lock);
    SSL_CTX_free(old);
    return E_OK;
}

int http_tls_days_left(http_tls *t) {
    mutex_lock(&t->lock);
    int days = t->days;
    mutex_unlock(&t->lock);
    return days;
}

/* ---- a connection ---- */

http_tls_conn *http_tls_accept(http_tls *t, int fd) {
    mutex_lock(&t->lock);
    SSL *ssl = SSL_new(t->ctx);
    mutex_unlock(&t->lock);
    if (ssl && SSL_set_fd(ssl, fd) != 1) {
        SSL_free(ssl);
        ssl = NULL;
    }
    if (ssl) SSL_set_accept_state(ssl);
    return (http_tls_conn *)ssl;
}

void http_tls_free(http_tls_conn *c) {
    SSL_free(ssl_of(c));
}

/* What a call of OpenSSL that did not succeed means to its caller. */
static ssize_t outcome(http_tls_conn *c, int result) {
    int why = SSL_get_error(ssl_of(c), result);
    ERR_clear_error();
    if (why == SSL_ERROR_ZERO_RETURN) return 0;
    errno = why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? EAGAIN : ECONNRESET;
    return -1;
}

ssize_t http_tls_read(http_tls_conn *c, void *to, size_t n) {
    size_t got = 0;
    ERR_clear_error();
    int result = SSL_read_ex(ssl_of(c), to, n, &got);
    return result == 1 ? (ssize_t)got : outcome(c, result);
}

/* A head and a short body go out as one record. */
ssize_t http_tls_write(http_tls_conn *c, const struct iovec *parts, size_t n) {
    char record[RECORD_BYTES];
    const void *from = parts[0].iov_base;
    size_t bytes = parts[0].iov_len, sent = 0;
    if (n > 1) {
        from = record;
        bytes = 0;
        for (size_t i = 0; i < n && bytes < sizeof record; i++) {
            size_t left = sizeof record - bytes;
            size_t take = parts[i].iov_len < left ? parts[i].iov_len : left;
            if (take) memcpy(record + bytes, parts[i].iov_base, take);
            bytes += take;
        }
    }
    if (bytes == 0) return 0;
    ERR_clear_error();
    int result = SSL_write_ex(ssl_of(c), from, bytes, &sent);
    if (result == 1) return (ssize_t)sent;
    ssize_t why = outcome(c, result);
    if (why == 0) errno = ECONNRESET; /* the other side has closed */
    return -1;
}

void http_tls_shut(http_tls_conn *c) {
    ERR_clear_error();
    if (SSL_is_init_finished(ssl_of(c))) (void)SSL_shutdown(ssl_of(c));
    ERR_clear_error();
}
