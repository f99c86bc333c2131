/* http_loop.c - the epoll loop: accepts, reports, times. One thread; others reach it through the
 * inbox (http_park.c) and a nudge on an eventfd.
 *
 * Deadlines are kept in the connections; the loop sleeps until the nearest and then looks at all,
 * at most fifty times a second: with ten thousand connections that is microseconds. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/http_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS_MAX = 512, ACCEPT_TURN = 64, SCAN_MS_MIN = 20, SLEEP_MS_MAX = 60 * 1000 };

/* epoll's user data: a listener's or eventfd's address inside the server, else an http_conn */
static bool is_listener(const http_server *s, const void *p) {
    const http_listener *at = p;
    return at >= s->listeners && at < s->listeners + HTTP_LISTEN_MAX;
}

static int watch(const http_server *s, int fd, uint32_t events, void *data) {
    struct epoll_event event = {.events = events, .data.ptr = data};
    return epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

err http_loop_open(http_server *s, fail *f) {
    size_t bytes;
    s->next_deadline_ns = INT64_MAX;
    s->now_ns = clock_mono_ns();
    s->conns =
        mem_size((size_t)s->o.connections_max, sizeof *s->conns, &bytes) ? mem_zero(bytes) : NULL;
    if (!s->conns) return fail_memory(f, "the server's connections");
    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    s->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (s->epoll_fd < 0 || s->event_fd < 0) return fail_errno(f, "cannot make the server's loop");
    int bad = watch(s, s->event_fd, EPOLLIN, &s->event_fd);
    for (size_t i = 0; i < s->listeners_n; i++)
        bad |= watch(s, s->listeners[i].fd, EPOLLIN, &s->listeners[i]);
    return bad ? fail_errno(f, "cannot watch the server's sockets") : E_OK;
}

void http_loop_close(http_server *s) {
    if (s->epoll_fd >= 0) close(s->epoll_fd);
    if (s->event_fd >= 0) close(s->event_fd);
    if (s->spare_fd >= 0) close(s->spare_fd);
    buf_deinit(&s->spare);
    mem_free(s->conns);
}

/* --- accepting --- */

static void peer_text(http_request *rq, const struct sockaddr_storage *from) {
    if (from->ss_family == AF_UNIX) {
        memcpy(rq->peer, "unix", sizeof "unix");
        rq->peer_is_loopback = true;
    } else if (from->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
        inet_ntop(AF_INET, &v4->sin_addr, rq->peer, sizeof rq->peer);
        rq->peer_is_loopback = (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
    } else if (from->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;
        inet_ntop(AF_INET6, &v6->sin6_addr, rq->peer, sizeof rq->peer);
        rq->peer_is_loopback =
            IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) ||
            (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) && v6->sin6_addr.s6_addr[12] == 127);
    }
}

/* Makes room by closing the connection that has idled longest; false when none is idle. */
static bool evict_idle(http_server *s) {
    http_conn *oldest = NULL;
    for (size_t i = 0; i < s->conns_n; i++) {
        http_conn *c = s->conns[i];
        bool idle = c->state == HTTP_CONN_READ && c->phase == 0;
        if (idle && (!oldest || c->deadline_ns < oldest->deadline_ns)) oldest = c;
    }
    if (oldest) http_conn_close(oldest);
    return oldest != NULL;
}

static void turn_away(http_server *s, int fd) {
    static const char text[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n"
                               "Retry-After: 1\r\nConnection: close\r\n\r\n";
    ssize_t n = send(fd, text, sizeof text - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)n;
    close(fd);
    atomic_fetch_add(&s->refused, 1);
}

/* Out of descriptors: the spare one lets the oldest caller in line be told off instead of leaving
 * the listener ready for ever. */
static void accept_without_fds(http_server *s, int listener) {
    if (s->spare_fd < 0) return;
    close(s->spare_fd);
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) turn_away(s, fd);
    s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    log_warn("net", "no file descriptors left; raise the limit (ulimit -n) or lower connections");
}

static void accept_one(http_server *s, int fd, int port, const struct sockaddr_storage *from) {
    int one = 1;
    if (s->conns_n == (size_t)s->o.connections_max && !evict_idle(s)) {
        turn_away(s, fd);
        return;
    }
    if (port >= 0) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    http_conn *c = http_conn_open(s, fd, port);
    if (!c) {
        turn_away(s, fd);
        return;
    }
    peer_text(&c->rq, from);
    http_conn_watch(c, false);
}

static void accept_some(http_server *s, const http_listener *at) {
    int listener = at->fd;
    for (int i = 0; i < ACCEPT_TURN; i++) {
        struct sockaddr_storage from = {0};
        socklen_t n = sizeof from;
        int fd = accept4(listener, (struct sockaddr *)&from, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            accept_one(s, fd, at->port, &from);
        } else {
            if (errno == EMFILE || errno == ENFILE) accept_without_fds(s, listener);
            return;
        }
    }
}

/* --- time --- */

static void scan_deadlines(http_server *s, int64_t now_ns) {
    s->next_deadline_ns = INT64_MAX;
    for (size_t i = s->conns_n; i-- > 0;) { /* from the end: closing moves the last one here */
        http_conn *c = s->conns[i];
        if (c->deadline_ns && c->deadline_ns <= now_ns) http_conn_expire(c, now_ns);
        if (c->state != HTTP_CONN_CLOSED && c->deadline_ns && c->deadline_ns < s->next_deadline_ns)
            s->next_deadline_ns = c->deadline_ns;
    }
    int64_t soonest = now_ns + SCAN_MS_MIN * 1000000LL;
    if (s->next_deadline_ns < soonest) s->next_deadline_ns = soonest;
}

static int sleep_ms(const http_server *s, int64_t drain_end_ns) {
    int64_t until = s->next_deadline_ns;
    if (s->draining && !s->cancelled && drain_end_ns < until) until = drain_end_ns;
    if (atomic_load(&s->watched) && s->ping_next_ns < until) until = s->ping_next_ns;
    if (until == INT64_MAX) return -1;
    int64_t ms = (until - clock_mono_ns() + 999999) / 1000000;
    return ms < 0 ? 0 : ms > SLEEP_MS_MAX ? SLEEP_MS_MAX : (int)ms;
}

/* --- stopping --- */

static void drain_start(http_server *s) {
    s->draining = true;
    http_listen_close(s); /* closing takes them out of epoll */
    for (size_t i = s->conns_n; i-- > 0;) http_conn_drain(s->conns[i]);
}

/* The time is up: handlers that still run are told so, all others are closed. */
static void drain_cancel(http_server *s) {
    s->cancelled = true;
    for (size_t i = s->conns_n; i-- > 0;) {
        http_conn *c = s->conns[i];
        if (c->state == HTTP_CONN_BUSY)
            http_conn_break(c);
        else
            http_conn_close(c);
    }
}

/* --- the loop --- */

static void drain_inbox(http_server *s) {
    http_outcome outcome;
    bool woken;
    http_conn *c;
    while ((c = http_inbox_take(s, &outcome, &woken))) http_conn_returned(c, outcome, woken);
    http_conn_retry(s);
}

static void handle_event(http_server *s, const struct epoll_event *event) {
    void *data = event->data.ptr;
    if (data == &s->event_fd) {
        uint64_t count;
        ssize_t n = read(s->event_fd, &count, sizeof count);
        (void)n;
    } else if (is_listener(s, data)) {
        if (!s->draining) accept_some(s, data);
    } else {
        http_conn *c = data;
        if (c->state != HTTP_CONN_CLOSED) http_conn_ready(c, event->events);
    }
}

/* What others asked of the loop. */
static bool stop_wanted(http_server *s, int64_t *drain_end_ns) {
    mutex_lock(&s->lock);
    bool stop = s->stop;
    http_rules *r = s->next_rules;
    s->next_rules = NULL;
    *drain_end_ns = s->drain_end_ns;
    mutex_unlock(&s->lock);
    if (r) http_rules_use(s, r);
    return stop;
}

void http_loop_run(void *server) {
    http_server *s = server;
    struct epoll_event events[EVENTS_MAX];
    int64_t drain_end_ns = 0;
    while (!s->draining || s->conns_n) {
        int n = epoll_wait(s->epoll_fd, events, EVENTS_MAX, sleep_ms(s, drain_end_ns));
        s->now_ns = clock_mono_ns();
        atomic_fetch_add_explicit(&s->turns, 1, memory_order_relaxed);
        for (int i = 0; i < n; i++) handle_event(s, &events[i]);
        drain_inbox(s);
        if (stop_wanted(s, &drain_end_ns) && !s->draining) drain_start(s);
        if (s->draining && !s->cancelled && s->now_ns >= drain_end_ns) drain_cancel(s);
        if (s->now_ns >= s->next_deadline_ns) scan_deadlines(s, s->now_ns);
        http_ping_scan(s);
        http_conn_bury(s);
    }
}
