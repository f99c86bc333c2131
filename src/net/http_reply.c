/* http_reply.c - answers: head, whole bodies, streams, server-sent events. Runs on the worker that
 * owns the connection; http_reply_refuse on the loop, which owns it then. */
#include "base/clock.h"
#include "net/http_int.h"

#include <stdio.h>
#include <string.h>

enum { REPLY_HEADERS_MAX_BYTES = 16 * 1024 };

void http_reply_reset(http_reply *rp) {
    http_conn *c = rp->conn;
    buf headers = rp->headers;
    buf_reset(&headers);
    headers.bytes_max = REPLY_HEADERS_MAX_BYTES;
    *rp = (http_reply){.conn = c, .headers = headers};
}

void http_reply_deinit(http_reply *rp) {
    buf_deinit(&rp->headers);
}

static bool is_header_safe(str s, bool name) {
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f || (name && (c == ':' || c == ' '))) return false;
    }
    return !name || s.n > 0;
}

void http_reply_header(http_reply *rp, const char *name, str value) {
    if (rp->streaming) return;
    if (!is_header_safe(str_from(name), true) || !is_header_safe(value, false)) {
        rp->headers.failed = true;
        return;
    }
    buf_put_z(&rp->headers, name);
    buf_put(&rp->headers, STR(": "));
    buf_put(&rp->headers, value);
    buf_put(&rp->headers, STR("\r\n"));
}

void http_reply_lines(http_reply *rp, str lines) {
    if (!rp->streaming) buf_put(&rp->headers, lines);
}

static err reply_gone(const char *why, fail *f) {
    return fail_set(f, E_CANCELLED, "%s", why);
}

/* Head, the handler's headers, the empty line and the body: in one piece where they are small. */
static void send_parts(http_conn *c, http_head *h, str headers, str body) {
    size_t bytes = h->n + headers.n + 2 + body.n;
    struct iovec parts[] = {{h->p, h->n},
                            {(void *)(uintptr_t)headers.p, headers.n},
                            {(void *)(uintptr_t) "\r\n", 2},
                            {(void *)(uintptr_t)body.p, body.n}};
    if (bytes > sizeof h->p) {
        http_out_put(c, parts, body.n ? 4 : 3);
        return;
    }
    for (int i = 1; i < 4; i++) {
        if (parts[i].iov_len) memcpy(h->p + h->n, parts[i].iov_base, parts[i].iov_len);
        h->n += parts[i].iov_len;
    }
    parts[0].iov_len = bytes;
    http_out_put(c, parts, 1);
}

static err put_head(http_reply *rp, http_head *h, const char *type, int64_t length, fail *f) {
    if (rp->sent || rp->streaming)
        return fail_set(f, E_INTERNAL, "a request was answered a second time");
    http_head_write(h, rp->conn, rp->status, type, length);
    if (h->full || rp->headers.failed)
        return fail_set(f, E_INTERNAL, "an answer's header cannot be sent as it is");
    return E_OK;
}

err http_send(http_reply *rp, int status, const char *type, str body, fail *f) {
    http_conn *c = rp->conn;
    http_head head;
    if (http_stream_begun(rp)) return fail_set(f, E_INTERNAL, "a stream was answered whole");
    rp->status = status;
    TRY(put_head(rp, &head, type, (int64_t)body.n, f));
    bool silent = c->parse.is_head || status == 204 || status == 304;
    rp->sent = true;
    rp->bytes = silent ? 0 : (int64_t)body.n;
    send_parts(c, &head, buf_str(&rp->headers), silent ? STR("") : body);
    return atomic_load(&c->broken) ? reply_gone("the client left before its answer", f) : E_OK;
}

err http_stream_begin(http_reply *rp, int status, const char *type, fail *f) {
    http_conn *c = rp->conn;
    http_head head;
    bool open = rp->streaming;
    bool early = !open && http_stream_begun(rp); /* the loop has sent its head */
    if (!early) {
        rp->status = status;
        TRY(put_head(rp, &head, type, -1, f));
        rp->streaming = true;
        send_parts(c, &head, buf_str(&rp->headers), STR(""));
    }
    if (str_starts(str_from(type), STR("text/event-stream"))) http_ping_stream(c, true);
    return http_gone(&c->rq) ? reply_gone("the client left before its answer", f) : E_OK;
}

/* Waits until the client has taken enough; false when it left or takes nothing. */
static bool wait_for_room(http_conn *c) {
    const http_options *o = &c->server->o;
    bool ok = true;
    mutex_lock(&c->lock);
    while (!atomic_load(&c->gone) && c->out.n - c->out_at > o->stream_bytes_max) {
        int64_t idle_ms = (clock_mono_ns() - c->out_progress_ns) / 1000000;
        if (idle_ms >= o->write_ms_max) {
            ok = false;
            break;
        }
        cond_wait_ms(&c->drained, &c->lock, o->write_ms_max - idle_ms + 1);
    }
    mutex_unlock(&c->lock);
    return ok && !atomic_load(&c->gone);
}

err http_stream_put(http_reply *rp, str bytes, fail *f) {
    http_conn *c = rp->conn;
    if (!rp->streaming) return fail_set(f, E_INTERNAL, "a stream was written that is not open");
    if (http_gone(&c->rq)) return reply_gone("the client left in the middle of its answer", f);
    if (!bytes.n || c->parse.is_head) return E_OK;
    char size[24];
    int size_n = snprintf(size, sizeof size, "%zx\r\n", bytes.n);
    struct iovec parts[] = {{size, (size_t)size_n},
                            {(void *)(uintptr_t)bytes.p, bytes.n},
                            {(void *)(uintptr_t) "\r\n", 2}};
    if (c->chunked)
        http_out_put(c, parts, 3);
    else
        http_out_put(c, parts + 1, 1);
    rp->bytes += (int64_t)bytes.n;
    if (!wait_for_room(c)) {
        bool left = atomic_load(&c->gone);
        http_conn_break(c);
        return reply_gone(left ? "the client left in the middle of its answer"
                               : "the client stopped reading its answer",
                          f);
    }
    return E_OK;
}

err http_stream_end(http_reply *rp, fail *f) {
    http_conn *c = rp->conn;
    if (!rp->streaming) return fail_set(f, E_INTERNAL, "a stream was ended that is not open");
    rp->streaming = false;
    rp->sent = true;
    http_ping_stream(c, false);
    if (c->chunked && !c->parse.is_head) {
        struct iovec end = {(void *)(uintptr_t) "0\r\n\r\n", 5};
        http_out_put(c, &end, 1);
    }
    return atomic_load(&c->broken) ? reply_gone("the client left before the end of its answer", f)
                                   : E_OK;
}

err sse_put(http_reply *rp, const char *event, str data, fail *f) {
    buf b = {0};
    if (event) buf_printf(&b, "event: %s\n", event);
    buf_put_z(&b, "data: ");
    for (size_t i = 0; i < data.n; i++) { /* CR, LF and CR LF each end a line in an event stream */
        bool pair = data.p[i] == '\r' && i + 1 < data.n && data.p[i + 1] == '\n';
        if (pair) continue;
        if (data.p[i] == '\n' || data.p[i] == '\r')
            buf_put_z(&b, "\ndata: ");
        else
            buf_put_char(&b, data.p[i]);
    }
    buf_put_z(&b, "\n\n");
    err e = buf_ok(&b, f);
    if (e == E_OK) e = http_stream_put(rp, buf_str(&b), f);
    buf_deinit(&b);
    return e;
}

err sse_ping(http_reply *rp, fail *f) {
    return http_stream_put(rp, STR(":\n\n"), f);
}

static void default_error_body(int status, const char *code, const char *text, buf *body) {
    (void)status; /* codes and texts are ours and need no escaping, but for the quotes */
    buf_printf(body, "{\"error\":{\"code\":\"%s\",\"message\":\"", code);
    for (const char *p = text; *p; p++) {
        if (*p == '"' || *p == '\\') buf_put_char(body, '\\');
        if ((unsigned char)*p >= 0x20) buf_put_char(body, *p);
    }
    buf_put_z(body, "\"}}\n");
}

void http_reply_refuse(http_conn *c, int status, const char *code, const char *text) {
    const http_options *o = &c->server->o;
    buf body = {0};
    if (o->error_body)
        o->error_body(o->ctx, status, code, text, &body);
    else
        default_error_body(status, code, text, &body);
    buf_reset(&c->rp.headers);
    if (status == 503) http_reply_header(&c->rp, "Retry-After", STR("1"));
    atomic_fetch_add(&c->server->refused, 1);
    if (body.failed || http_send(&c->rp, status, "application/json", buf_str(&body), NULL) != E_OK)
        c->keep_alive = false;
    buf_deinit(&body);
}

bool http_gone(const http_request *rq) {
    if (rq->conn) return atomic_load(&rq->conn->gone);
    return rq->left && atomic_load(rq->left);
}
