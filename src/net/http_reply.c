/* http_reply.c - answers: head, whole bodies, streams, server-sent events. Runs on the worker that
 * owns the connection; http_reply_refuse on the loop, which owns it then. */
#include "base/clock.h"
#include "net/http_int.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { REPLY_HEADERS_MAX_BYTES = 16 * 1024 };

static const char *status_text(int status) {
    static const struct {
        int status;
        const char *text;
    } rows[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].status == status) return rows[i].text;
    return "Status";
}

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
    if (!is_header_safe(str_from(name), true) || !is_header_safe(value, false)) {
        rp->headers.failed = true;
        return;
    }
    buf_printf(&rp->headers, "%s: ", name);
    buf_put(&rp->headers, value);
    buf_put(&rp->headers, STR("\r\n"));
}

static void put_date(buf *head) {
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t now = (time_t)(clock_now_ms() / 1000);
    struct tm t;
    if (!gmtime_r(&now, &t)) return;
    buf_printf(head, "Date: %.3s, %02d %.3s %d %02d:%02d:%02d GMT\r\n", days + 3 * t.tm_wday,
               t.tm_mday, months + 3 * t.tm_mon, t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
}

/* length < 0: a stream. A status that must not have a body gets no length either. */
static err put_head(http_reply *rp, buf *head, const char *type, int64_t length, fail *f) {
    http_conn *c = rp->conn;
    bool no_body = rp->status == 204 || rp->status == 304;
    if (rp->headers.failed)
        return fail_set(f, E_INTERNAL, "an answer's header cannot be sent as it is");
    buf_printf(head, "HTTP/1.1 %d %s\r\n", rp->status, status_text(rp->status));
    put_date(head);
    if (type && !no_body) buf_printf(head, "Content-Type: %s\r\n", type);
    if (length >= 0 && !no_body) buf_printf(head, "Content-Length: %lld\r\n", (long long)length);
    c->chunked = length < 0 && !no_body && !c->parse.is_http10;
    if (c->chunked) buf_put_z(head, "Transfer-Encoding: chunked\r\n");
    if (length < 0 && !c->chunked) c->keep_alive = false;
    if (c->rq.id[0]) buf_printf(head, "x-request-id: %s\r\n", c->rq.id);
    if (!c->keep_alive)
        buf_put_z(head, "Connection: close\r\n");
    else if (c->parse.is_http10)
        buf_put_z(head, "Connection: keep-alive\r\n");
    buf_put(head, buf_str(&rp->headers));
    buf_put_z(head, "\r\n");
    return buf_ok(head, f);
}

static err reply_gone(const char *why, fail *f) {
    return fail_set(f, E_CANCELLED, "%s", why);
}

err http_send(http_reply *rp, int status, const char *type, str body, fail *f) {
    http_conn *c = rp->conn;
    if (rp->sent || rp->streaming)
        return fail_set(f, E_INTERNAL, "a request was answered a second time");
    buf head = {0};
    rp->status = status;
    err e = put_head(rp, &head, type, (int64_t)body.n, f);
    if (e == E_OK) {
        bool silent = c->parse.is_head || status == 204 || status == 304;
        struct iovec parts[] = {{head.p, head.n}, {(void *)(uintptr_t)body.p, silent ? 0 : body.n}};
        rp->sent = true;
        rp->bytes = silent ? 0 : (int64_t)body.n;
        http_out_put(c, parts, silent || !body.n ? 1 : 2);
        if (atomic_load(&c->broken)) e = reply_gone("the client left before its answer", f);
    }
    buf_deinit(&head);
    return e;
}

err http_stream_begin(http_reply *rp, int status, const char *type, fail *f) {
    http_conn *c = rp->conn;
    if (rp->sent || rp->streaming)
        return fail_set(f, E_INTERNAL, "a request was answered a second time");
    buf head = {0};
    rp->status = status;
    err e = put_head(rp, &head, type, -1, f);
    if (e == E_OK) {
        struct iovec part = {head.p, head.n};
        rp->streaming = true;
        http_out_put(c, &part, 1);
        if (http_gone(&c->rq)) e = reply_gone("the client left before its answer", f);
    }
    buf_deinit(&head);
    return e;
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
    return atomic_load(&rq->conn->gone);
}
