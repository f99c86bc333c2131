/* http_socket.c - a connection's socket and its output buffer.
 *
 * Both the worker and the loop send, each under the connection's lock: the worker at once, as much
 * as the socket takes, which saves a round through the loop for almost every answer; the loop the
 * rest, when epoll says that there is room again (edge-triggered, so an edge always follows a short
 * send). With TLS the same calls go through http_tls.c, reads under the lock as well. */
#include "base/clock.h"
#include "net/http_int.h"
#include "net/http_tls.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum { OUT_KEEP_BYTES = 16 * 1024 };

ssize_t http_socket_read(http_conn *c, void *to, size_t n) {
    ssize_t got;
    if (c->tls) {
        mutex_lock(&c->lock);
        got = http_tls_read(c->tls, to, n);
        mutex_unlock(&c->lock);
        return got;
    }
    do {
        got = recv(c->fd, to, n, 0);
    } while (got < 0 && errno == EINTR);
    return got;
}

static ssize_t socket_write(http_conn *c, const struct iovec *parts, size_t n) {
    if (c->tls) return http_tls_write(c->tls, parts, n);
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = n};
    ssize_t sent;
    do {
        sent = n == 1 ? send(c->fd, parts->iov_base, parts->iov_len, MSG_NOSIGNAL | MSG_DONTWAIT)
                      : sendmsg(c->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    return sent;
}

void http_socket_shut(http_conn *c) {
    if (c->tls) {
        mutex_lock(&c->lock);
        http_tls_shut(c->tls);
        mutex_unlock(&c->lock);
    }
    shutdown(c->fd, SHUT_WR);
}

void http_socket_close(http_conn *c) {
    http_tls_free(c->tls);
    c->tls = NULL;
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
}

void http_conn_cancel(http_conn *c) {
    atomic_store(&c->gone, true);
    mutex_lock(&c->lock);
    cond_broadcast(&c->drained);
    mutex_unlock(&c->lock);
}

void http_conn_break(http_conn *c) {
    atomic_store(&c->broken, true);
    http_conn_cancel(c);
}

static void out_break_locked(http_conn *c) {
    atomic_store(&c->broken, true);
    atomic_store(&c->gone, true);
    buf_deinit(&c->out);
    c->out_at = 0;
    cond_broadcast(&c->drained);
}

static bool is_full(void) {
    return errno == EAGAIN || errno == EWOULDBLOCK;
}

/* Sends parts while the socket takes them; moves past what was sent. */
static void send_now_locked(http_conn *c, struct iovec **parts, int *n) {
    while (*n) {
        ssize_t sent = socket_write(c, *parts, (size_t)*n);
        if (sent < 0) {
            if (!is_full()) out_break_locked(c);
            return;
        }
        size_t left = (size_t)sent;
        while (*n && left >= (*parts)->iov_len) {
            left -= (*parts)->iov_len;
            ++*parts, --*n;
        }
        if (*n) {
            (*parts)->iov_base = (char *)(*parts)->iov_base + left;
            (*parts)->iov_len -= left;
        }
    }
}

void http_out_put(http_conn *c, struct iovec *parts, int n) {
    mutex_lock(&c->lock);
    if (!atomic_load(&c->broken) && c->out.n == c->out_at) {
        send_now_locked(c, &parts, &n);
        if (n) c->out_progress_ns = clock_mono_ns(); /* nobody asks when nothing waits */
    }
    if (!atomic_load(&c->broken)) {
        for (int i = 0; i < n; i++) buf_put_bytes(&c->out, parts[i].iov_base, parts[i].iov_len);
        if (c->out.failed) out_break_locked(c); /* no memory: a cut answer is seen as cut */
    }
    mutex_unlock(&c->lock);
}

bool http_out_flush(http_conn *c) {
    mutex_lock(&c->lock);
    size_t before = c->out.n - c->out_at;
    while (!atomic_load(&c->broken) && c->out_at < c->out.n) {
        struct iovec part = {c->out.p + c->out_at, c->out.n - c->out_at};
        ssize_t sent = socket_write(c, &part, 1);
        if (sent < 0) {
            if (!is_full()) out_break_locked(c);
            break;
        }
        c->out_at += (size_t)sent;
        c->out_progress_ns = clock_mono_ns();
    }
    size_t left = c->out.n - c->out_at;
    if (left == 0) {
        c->out_at = 0;
        if (c->out.cap > OUT_KEEP_BYTES) buf_deinit(&c->out);
        buf_reset(&c->out);
    } else if (c->out_at > c->out.n / 2) {
        buf_drop_front(&c->out, c->out_at);
        c->out_at = 0;
    }
    if (left < before) cond_broadcast(&c->drained);
    mutex_unlock(&c->lock);
    return left == 0;
}

size_t http_out_pending(http_conn *c) {
    mutex_lock(&c->lock);
    size_t n = c->out.n - c->out_at;
    mutex_unlock(&c->lock);
    return n;
}
