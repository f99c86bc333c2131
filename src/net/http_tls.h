/* http_tls.h - TLS of the server's connections, over OpenSSL; room net only.
 *
 * One context a server, made from a certificate chain and its key in PEM files; a reload makes a
 * new one for connections to come, those that exist keep theirs. TLS 1.2 and 1.3, ALPN "http/1.1",
 * no renegotiation, no client certificates. The calls on a connection are made under its lock, for
 * OpenSSL's objects are not shared by threads. */
#ifndef BANTAM_NET_HTTP_TLS_H
#define BANTAM_NET_HTTP_TLS_H

#include "base/err.h"

#include <sys/types.h>
#include <sys/uio.h>

typedef struct http_tls http_tls;           /* of a server */
typedef struct http_tls_conn http_tls_conn; /* of a connection */

/* E_INPUT for files that are no certificate or key, do not belong together, or a certificate that
 * has expired or is not yet valid; E_NOT_FOUND, E_IO of the files. */
err http_tls_open(http_tls **out, const char *cert, const char *key, fail *f) MUST_CHECK;
void http_tls_close(http_tls *t); /* NULL is fine */
/* Reads the files again, or others where they are not NULL; on failure everything stays as it was.
 * One thread at a time. */
err http_tls_reload(http_tls *t, const char *cert, const char *key, fail *f) MUST_CHECK;
/* Days until the certificate ends, rounded down. */
int http_tls_days_left(http_tls *t);

/* NULL: no memory. */
http_tls_conn *http_tls_accept(http_tls *t, int fd);
void http_tls_free(http_tls_conn *c); /* NULL is fine; the descriptor stays */
/* As recv and writev without blocking: -1 with errno, EAGAIN where the socket must be waited for
 * (for reading or writing, TLS does not say which to its user); 0 from read: the end. */
ssize_t http_tls_read(http_tls_conn *c, void *to, size_t n);
ssize_t http_tls_write(http_tls_conn *c, const struct iovec *parts, size_t n);
void http_tls_shut(http_tls_conn *c); /* says that nothing more will be sent */

#endif
