/* http_conn.c - one connection through its states; see the diagram in http_int.h. Loop thread only.
 *
 * Readiness is edge-triggered: can_read remembers an edge until recv says EAGAIN, so nothing is
 * registered anew for each request. A connection that sends faster than its share is put behind the
 * others by asking epoll to report it again. */
#include "base/mem.h"
#include "net/http_int.h"
#include "net/http_tls.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>

enum {
    READ_BYTES = 16 * 1024,
    READ_TURN_BYTES = 512 * 1024, /* of one connection before the others have their turn */
    IN_KEEP_BYTES = 4 * 1024,
    SPARE_BYTES_MAX = 64 * 1024,
    CONN_ARENA_BYTES = 4 * 1024,
    LINGER_MS = 2000,
    LINGER_BYTES_MAX = 64 << 20 /* who sends first and reads then learns what was wrong */
};

static void conn_next(http_conn *c);
static void conn_read(http_conn *c);

static void deadline_set(http_conn *c, int64_t ms) {
    http_server *s = c->server;
    c->deadline_ns = s->now_ns + ms * 1000000;
    if (c->deadline_ns < s->next_deadline_ns) s->next_deadline_ns = c->deadline_ns;
}

http_conn *http_conn_open(http_server *s, int fd, int port) {
    http_conn *c = mem_zero(sizeof *c);
    if (!c) return NULL;
    if (s->tls && port >= 0 && !(c->tls = http_tls_accept(s->tls, fd))) {
        mem_free(c);
        return NULL;
    }
    c->server = s;
    c->fd = fd;
    c->port = port;
    c->state = HTTP_CONN_READ;
    c->slot = s->conns_n;
    s->conns[s->conns_n++] = c;
    mutex_init(&c->lock);
    cond_init(&c->drained);
    arena_init(&c->arena, CONN_ARENA_BYTES);
    c->rq.arena = &c->arena;
    c->rq.conn = c;
    c->rp.conn = c;
    http_parse_init(&c->parse, &s->limits, &c->arena, &c->rq);
    http_reply_reset(&c->rp);
    deadline_set(c, s->rules->header_ms_max); /* a fresh connection should say something soon */
    atomic_store(&s->connections, (int)s->conns_n);
    return c;
}

void http_conn_close(http_conn *c) {
    http_server *s = c->server;
    if (c->state == HTTP_CONN_CLOSED) return;
    CHECK(c->state != HTTP_CONN_BUSY);
    if (c->state == HTTP_CONN_PARKED) atomic_fetch_sub(&s->parked, 1);
    http_park_remove(c);
    http_socket_close(c);
    s->bodies_held -= c->body_held;
    c->body_held = 0;
    c->state = HTTP_CONN_CLOSED;
    s->conns[c->slot] = s->conns[--s->conns_n];
    s->conns[c->slot]->slot = c->slot;
    atomic_store(&s->connections, (int)s->conns_n);
    c->dead_next = s->dead;
    s->dead = c;
}

void http_conn_watch(http_conn *c, bool again) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
    int op = again ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (epoll_ctl(c->server->epoll_fd, op, c->fd, &event) != 0) http_conn_close(c);
}

void http_conn_bury(http_server *s) {
    while (s->dead) {
        http_conn *c = s->dead;
        s->dead = c->dead_next;
        http_parse_deinit(&c->parse);
        http_reply_deinit(&c->rp);
        http_ping_reset(c);
        arena_deinit(&c->arena);
        buf_deinit(&c->in);
        buf_deinit(&c->out);
        cond_deinit(&c->drained);
        mutex_deinit(&c->lock);
        mem_free(c);
    }
}

/* Keeps the sum of what all bodies take; parse.body is the loop's at this moment. */
static void body_count(http_conn *c) {
    c->server->bodies_held += c->parse.body.cap - c->body_held; /* the difference may be below 0 */
    c->body_held = c->parse.body.cap;
}

/* Strangers may send bodies: all of them together must not take the machine's memory. Small ones
 * are never refused, so that a few who fill the room stop nobody's questions. */
static bool body_fits(http_conn *c) {
    enum { SMALL_BODY_BYTES = 64 * 1024 };
    size_t held = c->body_held;
    body_count(c);
    return c->body_held <= held || c->body_held <= SMALL_BODY_BYTES ||
           c->server->bodies_held <= c->server->o.bodies_bytes_max;
}

/* --- handing on --- */

static void conn_flushed(http_conn *c) {
    bool keep = c->keep_alive && !c->cut && !c->server->draining;
    if (keep) {
        conn_next(c);
        return;
    }
    http_socket_shut(c);
    buf_deinit(&c->parse.body); /* nobody reads it any more */
    body_count(c);
    c->state = HTTP_CONN_LINGER;
    c->lingered_bytes = 0;
    deadline_set(c, LINGER_MS);
    conn_read(c);
}

/* The answer is made; sends what is left of it. */
static void conn_finish(http_conn *c) {
    c->state = HTTP_CONN_FLUSH;
    c->deadline_ns = 0;
    bool all_sent = http_out_flush(c);
    if (atomic_load(&c->broken))
        http_conn_close(c);
    else if (all_sent)
        conn_flushed(c);
    else
        deadline_set(c, c->server->o.write_ms_max);
}

static void conn_name(http_conn *c) {
    memcpy(c->rq.id, "req_", 4);
    rand_pool_id(&c->server->ids, c->rq.id + 4, sizeof c->rq.id - 5);
}

static void conn_refuse(http_conn *c, int status, const char *code, const char *text) {
    if (!c->rq.id[0]) conn_name(c); /* what is refused before it is whole has one, too */
    http_reply_refuse(c, status, code, text);
    conn_finish(c);
}

static void retry_append(http_conn *c) {
    http_server *s = c->server;
    c->retry_next = NULL;
    if (s->retry)
        s->retry_last->retry_next = c;
    else
        s->retry = c;
    s->retry_last = c;
}

void http_conn_retry(http_server *s) {
    while (s->retry) {
        http_conn *c = s->retry, *next = c->retry_next;
        if (!queue_put(&s->jobs, c)) return;
        s->retry = next; /* c may be running already and is not looked at again */
    }
}

/* A parked request runs again; it was admitted once and is not refused for a full queue. */
static void conn_resume(http_conn *c) {
    atomic_fetch_sub(&c->server->parked, 1);
    http_park_remove(c);
    c->state = HTTP_CONN_BUSY;
    c->deadline_ns = 0;
    c->rq.wakes++;
    c->rq.stopping = c->server->draining;
    if (!c->rp.streaming) http_reply_reset(&c->rp); /* the run that parked may have added headers */
    if (c->saw_end) http_conn_cancel(c);
    retry_append(c);
    http_conn_retry(c->server);
}

static void conn_dispatch(http_conn *c) {
    http_server *s = c->server;
    const char *code;
    const char *refusal = http_origin_refusal(&s->rules->origin, &c->rq, &code);
    conn_name(c);
    c->keep_alive = c->parse.keep_alive && !s->draining;
    c->served++;
    if (refusal) {
        conn_refuse(c, 403, code, refusal);
        return;
    }
    if (c->saw_end) http_conn_cancel(c);
    c->deadline_ns = 0;
    if (s->o.quick && s->o.quick(s->o.ctx, &c->rq, &c->rp)) {
        atomic_fetch_add(&s->requests, 1);
        conn_finish(c);
        return;
    }
    if (queue_put(&s->jobs, c)) { /* a worker's from here on, but for what only the loop uses */
        c->state = HTTP_CONN_BUSY;
        atomic_fetch_add(&s->requests, 1);
        return;
    }
    conn_refuse(c, 503, "busy", "all workers are busy and the queue is full; try again soon");
}

/* --- reading --- */

static void phase_set(http_conn *c, int phase) {
    const http_rules *o = c->server->rules;
    if (phase == c->phase) return;
    if (phase == 2) c->rq.start_ns = c->server->now_ns;
    c->phase = phase;
    deadline_set(c, phase == 1 ? o->header_ms_max : o->body_ms_max);
}

static void conn_parse(http_conn *c) {
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    size_t used;
    c->unparsed = false;
    http_parse_state state = http_parse_feed(&c->parse, buf_str(&c->in), &used);
    buf_drop_front(&c->in, used);
    phase_set(c, http_parse_in_head(&c->parse) ? 1 : 2);
    if (!body_fits(c) && state == HTTP_PARSE_MORE) {
        c->keep_alive = false;
        conn_refuse(c, 503, "busy", "too many large bodies are being sent; try again soon");
    } else if (state == HTTP_PARSE_CONTINUE) {
        struct iovec part = {(void *)(uintptr_t)go_on, sizeof go_on - 1};
        http_out_put(c, &part, 1);
    } else if (state == HTTP_PARSE_BAD) {
        c->keep_alive = false;
        conn_refuse(c, c->parse.bad_status, c->parse.bad_code, c->parse.bad_text);
    } else if (state == HTTP_PARSE_WHOLE) {
        conn_dispatch(c);
    }
}

/* Memory to read into goes from connection to connection, warm, instead of through malloc. */
static void spare_take(http_conn *c) {
    if (c->in.cap) return;
    c->in = c->server->spare;
    c->server->spare = (buf){0};
}

static void spare_give(http_conn *c) {
    if (c->in.n || c->in.cap <= IN_KEEP_BYTES) return;
    if (c->server->spare.cap || c->in.cap > SPARE_BYTES_MAX)
        buf_deinit(&c->in);
    else
        c->server->spare = c->in;
    c->in = (buf){0};
}

/* One recv into `in`; false when there is nothing more now. */
static bool conn_take(http_conn *c, size_t *taken) {
    spare_take(c);
    char *to = buf_reserve(&c->in, READ_BYTES);
    if (!to) {
        http_conn_close(c);
        return false;
    }
    ssize_t n = http_socket_read(c, to, READ_BYTES);
    if (n > 0) {
        c->in.n += (size_t)n;
        *taken += (size_t)n;
        /* a short read has emptied the socket, and what comes next is a new edge; the end of the
         * stream is seen by a read alone, and OpenSSL keeps bytes of its own */
        if ((size_t)n < READ_BYTES && !c->saw_end && !c->tls) c->can_read = false;
        return true;
    }
    c->can_read = false;
    bool wait = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    if (!wait) http_conn_close(c); /* the end, maybe in the middle of a request: nobody to answer */
    return false;
}

static void conn_linger(http_conn *c, size_t *taken) {
    while (c->state == HTTP_CONN_LINGER && c->can_read && *taken < READ_TURN_BYTES &&
           conn_take(c, taken)) {
        c->lingered_bytes += c->in.n;
        buf_reset(&c->in);
        if (c->lingered_bytes > LINGER_BYTES_MAX) http_conn_close(c);
    }
}

static void conn_read(http_conn *c) {
    size_t taken = 0;
    while (c->state == HTTP_CONN_READ && c->can_read && !c->unparsed && taken < READ_TURN_BYTES &&
           conn_take(c, &taken))
        conn_parse(c);
    conn_linger(c, &taken);
    bool reads = (c->state == HTTP_CONN_READ && !c->unparsed) || c->state == HTTP_CONN_LINGER;
    if (reads && c->can_read) http_conn_watch(c, true);
    if (c->state != HTTP_CONN_CLOSED) spare_give(c);
}

/* Ready for the next request, whose bytes may lie here already. */
static void conn_next(http_conn *c) {
    char peer[HTTP_PEER_BYTES];
    memcpy(peer, c->rq.peer, sizeof peer);
    bool loopback = c->rq.peer_is_loopback;
    c->rq = (http_request){.arena = &c->arena, .conn = c, .peer_is_loopback = loopback};
    memcpy(c->rq.peer, peer, sizeof peer);
    http_ping_reset(c);
    http_reply_reset(&c->rp);
    http_parse_reset(&c->parse);
    body_count(c);
    arena_reset(&c->arena);
    c->chunked = false;
    c->phase = 0;
    c->state = HTTP_CONN_READ;
    deadline_set(c, c->server->rules->idle_ms_max);
    c->unparsed = c->in.n > 0;
    /* what lies here is looked at in the loop's next turn: from here it would be a recursion as
     * deep as the client's pipeline is long */
    if (c->in.n || c->can_read) http_conn_watch(c, true);
}

/* --- events --- */

static void conn_left(http_conn *c) {
    http_server *s = c->server;
    c->saw_end = true;
    if (c->state == HTTP_CONN_BUSY) {
        http_conn_cancel(c);
    } else if (c->state == HTTP_CONN_PARKED) {
        atomic_fetch_add(&s->left, 1);
        http_conn_close(c);
    }
}

void http_conn_ready(http_conn *c, uint32_t events) {
    if (c->tls) events |= EPOLLIN | EPOLLOUT; /* it may read to send, and send to read */
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) c->can_read = true;
    if (events & (EPOLLHUP | EPOLLERR)) {
        http_conn_break(c);
        if (c->state == HTTP_CONN_FLUSH) http_conn_close(c);
    }
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) conn_left(c);
    bool sending = c->state == HTTP_CONN_FLUSH || c->state == HTTP_CONN_BUSY ||
                   c->state == HTTP_CONN_PARKED || c->state == HTTP_CONN_READ;
    if ((events & EPOLLOUT) && sending && http_out_pending(c) && http_out_flush(c) &&
        c->state == HTTP_CONN_FLUSH) {
        if (atomic_load(&c->broken))
            http_conn_close(c);
        else
            conn_flushed(c);
    }
    if (c->state == HTTP_CONN_READ && c->in.n) conn_parse(c);
    if (c->state == HTTP_CONN_READ || c->state == HTTP_CONN_LINGER) conn_read(c);
}

static void conn_park(http_conn *c) {
    int64_t wait_ms = c->rq.deadline_ms - c->server->now_ns / 1000000;
    c->state = HTTP_CONN_PARKED;
    c->rq.timed_out = false;
    atomic_fetch_add(&c->server->parked, 1);
    deadline_set(c, wait_ms > 0 ? wait_ms : 0);
}

void http_conn_returned(http_conn *c, http_outcome outcome, bool woken) {
    http_server *s = c->server;
    if (outcome == HTTP_OUTCOME_DONE) {
        if (atomic_load(&c->gone)) atomic_fetch_add(&s->left, 1);
        http_park_remove(c);
        c->state = HTTP_CONN_FLUSH;
        conn_finish(c);
    } else if (outcome == HTTP_OUTCOME_PARK) {
        bool last = s->draining && c->rq.stopping; /* it was asked to answer and waits again */
        conn_park(c);
        if (last || atomic_load(&c->gone)) {
            atomic_fetch_add(&s->left, 1);
            http_conn_close(c);
        } else if (s->draining) {
            conn_resume(c);
        }
    }
    if (woken && c->state == HTTP_CONN_PARKED) conn_resume(c);
}

void http_conn_expire(http_conn *c, int64_t now_ns) {
    const http_options *o = &c->server->o;
    c->deadline_ns = 0;
    switch (c->state) {
    case HTTP_CONN_READ:
        c->keep_alive = false;
        if (c->phase == 0)
            http_conn_close(c);
        else
            conn_refuse(c, 408, c->phase == 1 ? "header_timeout" : "body_timeout",
                        "the request did not arrive in time");
        break;
    case HTTP_CONN_PARKED:
        c->rq.timed_out = true;
        conn_resume(c);
        break;
    case HTTP_CONN_FLUSH: {
        mutex_lock(&c->lock);
        int64_t idle_ms = (now_ns - c->out_progress_ns) / 1000000;
        mutex_unlock(&c->lock);
        if (idle_ms >= o->write_ms_max)
            http_conn_close(c);
        else
            deadline_set(c, o->write_ms_max - idle_ms + 1);
        break;
    }
    case HTTP_CONN_LINGER: http_conn_close(c); break;
    case HTTP_CONN_BUSY:
    case HTTP_CONN_CLOSED: break;
    }
}

void http_conn_drain(http_conn *c) {
    if (c->state == HTTP_CONN_READ && c->phase == 0)
        http_conn_close(c);
    else if (c->state == HTTP_CONN_PARKED)
        conn_resume(c);
}
