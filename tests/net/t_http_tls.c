/* t_http_tls.c - the server over TLS, asked by OpenSSL's client with certificates made here: whole
 * answers and streams larger than every buffer, keep-alive, old protocols, plain talk, certificates
 * that are wrong, new ones while it runs. */
#include "test.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "net/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LARGE_BYTES = 3 << 20, DAY_S = 86400 };

static char dir[64], cert[96], key[96], other_key[96];
static http_server *server;
static char *large;

/* ---- certificates ---- */

static void write_pem(const char *path, EVP_PKEY *k, X509 *x) {
    FILE *to = fopen(path, "w");
    assert_non_null(to);
    assert_int_equal(x ? PEM_write_X509(to, x) : PEM_write_PrivateKey(to, k, 0, 0, 0, 0, 0), 1);
    fclose(to);
}

/* A certificate of `name`, valid from a day ago to `days` from now. */
static void make_pair(const char *cert_path, const char *key_path, const char *name, long days) {
    EVP_PKEY *k = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    assert_non_null(k);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), days < 0 ? 2 * days * DAY_S : -DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(x), days * DAY_S);
    X509_set_pubkey(x, k);
    X509_NAME *subject = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(x, subject);
    assert_true(X509_sign(x, k, EVP_sha256()) > 0);
    write_pem(cert_path, NULL, x);
    write_pem(key_path, k, NULL);
    X509_free(x);
    EVP_PKEY_free(k);
}

/* ---- the server ---- */

static void handle(void *ctx, http_request *rq, http_reply *rp) {
    (void)ctx;
    fail f = {0};
    if (str_is(rq->path, "/large")) {
        (void)!http_send(rp, 200, "text/plain", (str){large, LARGE_BYTES}, &f);
    } else if (str_is(rq->path, "/stream")) {
        if (http_stream_begin(rp, 200, "text/plain", &f) != E_OK) return;
        for (int i = 0; i < LARGE_BYTES; i += 4096)
            if (http_stream_put(rp, (str){large + i, 4096}, &f) != E_OK) return;
        (void)!http_stream_end(rp, &f);
    } else {
        (void)!http_send(rp, 200, "text/plain", rq->body.n ? rq->body : STR("hello"), &f);
    }
}

static int open_all(void **state) {
    (void)state;
    fail f = {0};
    signal(SIGPIPE, SIG_IGN);
    snprintf(dir, sizeof dir, "/tmp/bantam-tls-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(cert, sizeof cert, "%s/cert.pem", dir);
    snprintf(key, sizeof key, "%s/key.pem", dir);
    snprintf(other_key, sizeof other_key, "%s/other.pem", dir);
    make_pair(cert, other_key, "other", 90);
    make_pair(cert, key, "first", 90);
    large = mem_alloc(LARGE_BYTES);
    for (int i = 0; i < LARGE_BYTES; i++) large[i] = (char)('a' + i % 23);
    http_options o = {.handler = handle, .tls_cert = cert, .tls_key = key, .header_ms_max = 300};
    assert_ok(http_server_open(&server, &o, &f), &f);
    return 0;
}

static int close_all(void **state) {
    (void)state;
    http_server_close(server, 1000);
    mem_free(large);
    return file_remove_tree(dir, NULL) != E_OK;
}

/* ---- the client ---- */

static int connect_plain(void) {
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)http_server_port(server))};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct timeval patience = {.tv_sec = 20};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

/* NULL: the handshake failed. */
static SSL *connect_tls(int version_max) {
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(ctx, 0); /* so that old protocols are tried at all */
    if (version_max) SSL_CTX_set_max_proto_version(ctx, version_max);
    SSL *ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);
    SSL_set_fd(ssl, connect_plain());
    if (SSL_connect(ssl) == 1) return ssl;
    close(SSL_get_fd(ssl));
    SSL_free(ssl);
    ERR_clear_error();
    return NULL;
}

static void disconnect(SSL *ssl) {
    int fd = SSL_get_fd(ssl);
    SSL_free(ssl);
    close(fd);
}

static void say(SSL *ssl, const char *text, size_t n) {
    size_t sent;
    assert_int_equal(SSL_write_ex(ssl, text, n, &sent), 1);
    assert_int_equal(sent, n);
}

static void get(SSL *ssl, const char *path) {
    char text[200];
    int n = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: localhost:%d\r\n\r\n", path,
                     http_server_port(server));
    say(ssl, text, (size_t)n);
}

/* Reads until `end` stands at the end; in `out`, NUL-terminated. */
static size_t read_until(SSL *ssl, const char *end, char *out, size_t max) {
    size_t n = 0, got, want = strlen(end);
    while (n < want || memcmp(out + n - want, end, want) != 0) {
        assert_true(n + 1 < max);
        assert_int_equal(SSL_read_ex(ssl, out + n, max - n - 1, &got), 1);
        n += got;
    }
    out[n] = 0;
    return n;
}

static void name_of(SSL *ssl, char *out, int n) {
    X509 *x = SSL_get1_peer_certificate(ssl);
    X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, out, n);
    X509_free(x);
}

/* ---- tests ---- */

static void answers_and_stays(void **state) {
    (void)state;
    char text[4096];
    static const int versions[] = {TLS1_2_VERSION, 0};
    for (size_t i = 0; i < 2; i++) {
        SSL *ssl = connect_tls(versions[i]);
        assert_non_null(ssl);
        assert_string_equal(SSL_get_version(ssl), i ? "TLSv1.3" : "TLSv1.2");
        for (int k = 0; k < 3; k++) {
            get(ssl, "/");
            read_until(ssl, "hello", text, sizeof text);
            assert_non_null(strstr(text, "200 OK"));
        }
        disconnect(ssl);
    }
}

static void carries_large_things(void **state) {
    (void)state;
    size_t max = LARGE_BYTES + (1 << 20);
    char *text = mem_alloc(max), head[200];
    SSL *ssl = connect_tls(0);
    assert_non_null(ssl);
    get(ssl, "/large");
    size_t n = read_until(
        ssl, (char[]){large[LARGE_BYTES - 3], large[LARGE_BYTES - 2], large[LARGE_BYTES - 1], 0},
        text, max);
    while (n < LARGE_BYTES) { /* the last letters stand in the middle as well */
        size_t got;
        assert_int_equal(SSL_read_ex(ssl, text + n, max - n - 1, &got), 1);
        n += got;
    }
    const char *body = strstr(text, "\r\n\r\n");
    assert_non_null(body);
    size_t left = (size_t)(body + 4 - text) + LARGE_BYTES - n;
    while (left) {
        size_t got;
        assert_int_equal(SSL_read_ex(ssl, text + n, left, &got), 1);
        n += got;
        left -= got;
    }
    assert_memory_equal(body + 4, large, LARGE_BYTES);
    get(ssl, "/stream");
    read_until(ssl, "\r\n0\r\n\r\n", text, max);
    int used = snprintf(head, sizeof head,
                        "POST / HTTP/1.1\r\nHost: localhost:%d\r\nContent-Length: %d\r\n\r\n",
                        http_server_port(server), LARGE_BYTES);
    say(ssl, head, (size_t)used);
    say(ssl, large, LARGE_BYTES);
    n = 0;
    while (n < LARGE_BYTES) {
        size_t got;
        assert_int_equal(SSL_read_ex(ssl, text + n, max - n - 1, &got), 1);
        n += got;
    }
    disconnect(ssl);
    mem_free(text);
}

static void refuses_old_and_plain(void **state) {
    (void)state;
    char text[256];
    assert_null(connect_tls(TLS1_1_VERSION));
    int fd = connect_plain();
    assert_true(send(fd, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL) == 18);
    ssize_t n = recv(fd, text, sizeof text, 0);
    assert_true(n <= 0 || text[0] != 'H'); /* an alert, or closed */
    close(fd);
    int64_t start_ns = clock_mono_ns(); /* who does not shake hands is not waited for */
    fd = connect_plain();
    assert_true(recv(fd, text, sizeof text, 0) <= 0);
    assert_true(clock_mono_ns() - start_ns < 15000000000LL);
    close(fd);
}

static void refuses_wrong_files(void **state) {
    (void)state;
    fail f = {0};
    http_server *none = NULL;
    char old[96], absent[96];
    snprintf(old, sizeof old, "%s/old.pem", dir);
    snprintf(absent, sizeof absent, "%s/absent.pem", dir);
    make_pair(old, absent, "old", -3);
    http_options o = {.handler = handle, .tls_cert = old, .tls_key = absent};
    assert_int_equal(http_server_open(&none, &o, &f), E_INPUT);
    assert_non_null(strstr(f.text, "expired"));
    o = (http_options){.handler = handle, .tls_cert = cert, .tls_key = other_key};
    assert_int_equal(http_server_open(&none, &o, &f), E_INPUT);
    o.tls_key = cert;
    assert_int_equal(http_server_open(&none, &o, &f), E_INPUT);
    assert_int_equal(unlink(absent), 0);
    o.tls_key = absent;
    assert_int_equal(http_server_open(&none, &o, &f), E_NOT_FOUND);
}

static void takes_new_ones(void **state) {
    (void)state;
    fail f = {0};
    char name[32], text[4096];
    SSL *old = connect_tls(0);
    assert_non_null(old);
    make_pair(cert, other_key, "mismatched", 90);
    assert_int_equal(http_server_change(server, &(http_live){0}, &f),
                     E_INPUT); /* and keeps what it had */
    SSL *same = connect_tls(0);
    assert_non_null(same);
    name_of(same, name, sizeof name);
    assert_string_equal(name, "first");
    disconnect(same);
    make_pair(cert, key, "second", 90);
    assert_ok(http_server_change(server, &(http_live){0}, &f), &f);
    SSL *new = connect_tls(0);
    assert_non_null(new);
    name_of(new, name, sizeof name);
    assert_string_equal(name, "second");
    get(new, "/");
    read_until(new, "hello", text, sizeof text);
    disconnect(new);
    disconnect(old);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_and_stays),     cmocka_unit_test(carries_large_things),
        cmocka_unit_test(refuses_old_and_plain), cmocka_unit_test(refuses_wrong_files),
        cmocka_unit_test(takes_new_ones),
    };
    return cmocka_run_group_tests_name("http: TLS", tests, open_all, close_all);
}
