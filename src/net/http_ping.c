/* http_ping.c - comment lines in streams of events that are silent (a queue, a long prompt), so
 * that proxies and browsers do not take the line for dead.
 *
 * Before its first event a stream has no head yet, for an error may still want a status of its own.
 * So a handler may promise one: its head lies ready, and goes out with the first comment. All
 * fields here are under the connection's lock; a worker writes whole events only, so a comment
 * between two of its writes is between two events. */
#include "base/clock.h"
#include "net/http_int.h"

enum { PING_LEAST_MS = 20, PING_MOST_MS = 1000, PING_PARTS = 4 };

static void watch_locked(http_conn *c, bool *first) {
    c->out_progress_ns = clock_mono_ns();
    *first = !c->watched && atomic_fetch_add(&c->server->watched, 1) == 0;
    c->watched = true;
}

void http_stream_promise(http_reply *rp) {
    http_conn *c = rp->conn;
    http_head head;
    bool first = false;
    if (!c || !atomic_load(&c->server->sse_ping_ms) || c->parse.is_head || rp->sent ||
        rp->streaming)
        return;
    http_head_write(&head, c, 200, "text/event-stream", -1);
    if (head.full || rp->headers.failed) return;
    mutex_lock(&c->lock);
    buf_reset(&c->early);
    buf_put(&c->early, (str){head.p, head.n});
    buf_put(&c->early, buf_str(&rp->headers));
    buf_put(&c->early, STR("\r\n"));
    c->promised = !c->early.failed;
    if (c->promised) watch_locked(c, &first);
    mutex_unlock(&c->lock);
    if (first) http_nudge(c->server);
}

bool http_stream_begun(http_reply *rp) {
    http_conn *c = rp->conn;
    if (!c) return rp->streaming; /* nobody is connected */
    mutex_lock(&c->lock);
    c->promised = false;
    bool begun = c->early_sent;
    mutex_unlock(&c->lock);
    if (begun && !rp->sent && !rp->streaming) {
        rp->streaming = true;
        rp->status = 200;
    }
    return rp->streaming;
}

void http_ping_stream(http_conn *c, bool on) {
    bool first = false;
    mutex_lock(&c->lock);
    c->sse = on;
    if (on && atomic_load(&c->server->sse_ping_ms)) watch_locked(c, &first);
    mutex_unlock(&c->lock);
    if (first) http_nudge(c->server);
}

void http_ping_reset(http_conn *c) {
    mutex_lock(&c->lock);
    if (c->watched) atomic_fetch_sub(&c->server->watched, 1);
    c->promised = c->early_sent = c->sse = c->watched = false;
    buf_deinit(&c->early);
    mutex_unlock(&c->lock);
}

static void ping(http_conn *c, int64_t now_ns, int64_t after_ms) {
    mutex_lock(&c->lock);
    bool due = (c->promised || c->sse) && !atomic_load(&c->broken) && c->out.n == c->out_at &&
               now_ns - c->out_progress_ns >= after_ms * 1000000;
    if (due && c->promised) {
        buf_put(&c->out, buf_str(&c->early));
        c->promised = false;
        c->early_sent = c->sse = true;
    }
    if (due) buf_put(&c->out, c->chunked ? STR("3\r\n:\n\n\r\n") : STR(":\n\n"));
    mutex_unlock(&c->lock);
    if (due) (void)http_out_flush(c);
}

void http_ping_scan(http_server *s) {
    int64_t ms = atomic_load(&s->sse_ping_ms), step = ms / PING_PARTS;
    if (!ms || !atomic_load(&s->watched) || s->now_ns < s->ping_next_ns) return;
    for (size_t i = 0; i < s->conns_n; i++) {
        http_conn *c = s->conns[i];
        if (c->state == HTTP_CONN_BUSY || c->state == HTTP_CONN_PARKED) ping(c, s->now_ns, ms);
    }
    step = step < PING_LEAST_MS ? PING_LEAST_MS : step > PING_MOST_MS ? PING_MOST_MS : step;
    s->ping_next_ns = s->now_ns + step * 1000000;
}
