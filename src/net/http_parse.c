/* http_parse.c - see http_parse.h. The head is gathered whole (bounded), checked line by line,
 * copied once into the request's arena and given to llhttp in one piece, so that every name and
 * value is a slice of that copy. The body is fed as it comes; llhttp takes the chunks apart. */
#include "net/http_parse.h"

#include "net/url.h"

#include <stdio.h>
#include <string.h>

enum {
    BODY_KEEP_BYTES = 64 * 1024,  /* a larger body's memory is given back after its request */
    CHUNK_OVERHEAD = 8,           /* framing may be at most this many times the body limit ... */
    CHUNK_SLACK_BYTES = 64 * 1024 /* ... plus this */
};

static http_parse_state parse_bad(http_parse *p, int status, const char *code, const char *text) {
    p->bad_status = status;
    p->bad_code = code;
    snprintf(p->bad_text, sizeof p->bad_text, "%s", text);
    return HTTP_PARSE_BAD;
}

/* --- llhttp's callbacks --- */

/* The span [at, at+n) continues *s when llhttp hands a value over in pieces. */
static void span_extend(str *s, const char *at, size_t n) {
    if (!s->p) s->p = at;
    s->n = (size_t)(at + n - s->p);
}

static int on_target(llhttp_t *ll, const char *at, size_t n) {
    http_parse *p = ll->data;
    span_extend(&p->rq->target, at, n);
    return 0;
}

static int on_name(llhttp_t *ll, const char *at, size_t n) {
    http_parse *p = ll->data;
    if (p->in_body) return 0; /* trailers are read and dropped */
    if (p->headers_n == p->headers_cap) return HPE_USER;
    span_extend(&p->headers[p->headers_n].name, at, n);
    return 0;
}

static int on_value(llhttp_t *ll, const char *at, size_t n) {
    http_parse *p = ll->data;
    if (p->in_body) return 0;
    if (p->headers_n == p->headers_cap) return HPE_USER;
    span_extend(&p->headers[p->headers_n].value, at, n);
    return 0;
}

static int on_value_end(llhttp_t *ll) {
    http_parse *p = ll->data;
    if (p->in_body) return 0;
    http_header *h = &p->headers[p->headers_n++];
    h->value = h->value.p ? str_trim(h->value) : STR("");
    return 0;
}

static int on_head_end(llhttp_t *ll) {
    http_parse *p = ll->data;
    p->keep_alive = llhttp_should_keep_alive(ll);
    ll->upgrade = 0; /* we speak nothing else; the header is only a wish */
    p->in_body = true;
    return 0;
}

static int on_body(llhttp_t *ll, const char *at, size_t n) {
    http_parse *p = ll->data;
    buf_put_bytes(&p->body, at, n);
    return p->body.failed ? HPE_USER : 0;
}

static int on_whole(llhttp_t *ll) {
    http_parse *p = ll->data;
    p->whole = true;
    return HPE_PAUSED; /* the next request's bytes stay where they are */
}

static const llhttp_settings_t parse_settings = {
    .on_url = on_target,
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_end,
    .on_headers_complete = on_head_end,
    .on_body = on_body,
    .on_message_complete = on_whole,
};

/* --- life --- */

void http_parse_reset(http_parse *p) {
    http_limits limits = p->limits;
    arena *a = p->arena;
    http_request *rq = p->rq;
    buf body = p->body;
    if (body.cap > BODY_KEEP_BYTES) buf_deinit(&body);
    buf_reset(&body);
    body.bytes_max = limits.body_bytes_max;
    memset(p, 0, offsetof(http_parse, bad_text)); /* the text is read where a status was set */
    p->limits = limits;
    p->arena = a;
    p->rq = rq;
    p->body = body;
    llhttp_init(&p->llhttp, HTTP_REQUEST, &parse_settings);
    p->llhttp.data = p;
}

void http_parse_init(http_parse *p, const http_limits *limits, arena *a, http_request *rq) {
    *p = (http_parse){.limits = *limits, .arena = a, .rq = rq};
    http_parse_reset(p);
}

void http_parse_deinit(http_parse *p) {
    buf_deinit(&p->body);
}

bool http_parse_in_head(const http_parse *p) {
    return !p->in_body;
}

/* --- the head, before llhttp sees it --- */

static bool is_token_char(char c) {
    static const bool yes[256] = {
        ['0' ... '9'] = true,  ['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['!'] = true,
        ['#' ... '\''] = true, ['*'] = true,         ['+'] = true,         ['-'] = true,
        ['.'] = true,          ['^' ... '`'] = true, ['|'] = true,         ['~'] = true};
    return yes[(unsigned char)c];
}

static http_parse_state check_request_line(http_parse *p, str line) {
    static const char *const known[] = {"GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"};
    str rest = line, method = str_cut(&rest, ' ');
    if (!method.n || !rest.p) return parse_bad(p, 400, "bad_request_line", "not an HTTP request");
    for (size_t i = 0; i < method.n; i++)
        if (!is_token_char(method.p[i]))
            return parse_bad(p, 400, "bad_request_line", "the method is not a word");
    str target = str_cut(&rest, ' ');
    for (size_t i = 0; i < target.n; i++)
        if (target.p[i] <= 0x20 || target.p[i] >= 0x7f)
            return parse_bad(p, 400, "bad_target", "the URL holds a byte that must be escaped");
    p->is_http10 = str_is(rest, "HTTP/1.0");
    if (!p->is_http10 && !str_is(rest, "HTTP/1.1"))
        return str_starts(rest, STR("HTTP/"))
                   ? parse_bad(p, 505, "http_version", "only HTTP/1.0 and HTTP/1.1 are spoken here")
                   : parse_bad(p, 400, "bad_request_line", "not an HTTP request");
    bool found = false;
    for (size_t i = 0; i < sizeof known / sizeof *known && !found; i++)
        found = str_is(method, known[i]);
    if (!found) return parse_bad(p, 501, "method_unknown", "this method is not known here");
    p->is_head = str_is(method, "HEAD");
    return HTTP_PARSE_MORE;
}

static http_parse_state check_header_line(http_parse *p, str line) {
    size_t colon = str_find_char(line, ':');
    if (line.p[0] == ' ' || line.p[0] == '\t')
        return parse_bad(p, 400, "folded_header", "a header is folded over two lines");
    if (colon == STR_INDEX_NONE || colon == 0)
        return parse_bad(p, 400, "bad_header", "a header line has no name");
    for (size_t i = 0; i < colon; i++)
        if (!is_token_char(line.p[i]))
            return parse_bad(p, 400, "bad_header", "a header's name holds a byte it must not");
    for (size_t i = colon + 1; i < line.n; i++) {
        unsigned char c = (unsigned char)line.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return parse_bad(p, 400, "bad_header", "a header's value holds a control character");
    }
    return HTTP_PARSE_MORE;
}

/* One line of the head, without CRLF; an empty one ends it (the caller's business). */
static http_parse_state check_line(http_parse *p, str line) {
    if (p->lines == 0) return check_request_line(p, line);
    if (p->lines > HTTP_HEADERS_MAX)
        return parse_bad(p, 431, "too_many_headers", "more than 100 headers");
    return check_header_line(p, line);
}

static http_parse_state check_size(http_parse *p, size_t head_bytes) {
    if (p->lines == 0 && head_bytes - p->line_at > p->limits.target_bytes_max)
        return parse_bad(p, 414, "target_too_long", "the request line is too long");
    if (head_bytes > p->limits.header_bytes_max)
        return parse_bad(p, 431, "headers_too_large", "the headers are too large");
    return HTTP_PARSE_MORE;
}

/* Scans new lines of `in`; *head_bytes is set once the empty line is there. */
static http_parse_state scan_head(http_parse *p, str in, size_t *head_bytes) {
    while (p->scanned < in.n) {
        const char *nl = memchr(in.p + p->scanned, '\n', in.n - p->scanned);
        size_t end = nl ? (size_t)(nl - in.p) : in.n;
        http_parse_state state = check_size(p, end);
        if (state != HTTP_PARSE_MORE) return state;
        if (!nl) {
            p->scanned = in.n;
            break;
        }
        p->scanned = end + 1;
        if (end == p->line_at || in.p[end - 1] != '\r')
            return parse_bad(p, 400, "bare_line_feed", "a line does not end with CR LF");
        str line = str_slice(in, p->line_at, end - 1);
        p->line_at = p->scanned;
        if (!line.n && p->lines == 0) continue; /* empty lines before a request: RFC 9112, 2.2 */
        if (!line.n) {
            *head_bytes = p->scanned;
            return HTTP_PARSE_MORE;
        }
        state = check_line(p, line);
        if (state != HTTP_PARSE_MORE) return state;
        p->lines++;
    }
    /* a TLS client, or noise: say so now instead of waiting for a line that never comes */
    if (p->lines == 0 && p->line_at < in.n && in.p[p->line_at] != '\r' &&
        !is_token_char(in.p[p->line_at]))
        return parse_bad(p, 400, "bad_request_line",
                         "not an HTTP request; this port speaks plain HTTP, not TLS");
    return HTTP_PARSE_MORE;
}

/* --- the head, after llhttp --- */

static size_t count_headers(const http_parse *p, str name, str *last) {
    size_t n = 0;
    for (size_t i = 0; i < p->headers_n; i++) {
        if (p->headers[i].name.n != name.n || !str_eq_nocase(p->headers[i].name, name)) continue;
        *last = p->headers[i].value;
        n++;
    }
    return n;
}

/* Lengths and Host: what decides where a request ends and whom it is for must stand there once. */
static http_parse_state check_framing(http_parse *p) {
    str length = STR_NONE, coding = STR_NONE, host = STR_NONE, expect = STR_NONE;
    size_t lengths = count_headers(p, STR("content-length"), &length);
    size_t codings = count_headers(p, STR("transfer-encoding"), &coding);
    size_t hosts = count_headers(p, STR("host"), &host);
    int64_t bytes = 0;
    if (lengths && codings)
        return parse_bad(p, 400, "two_lengths", "Content-Length together with Transfer-Encoding");
    if (lengths > 1) return parse_bad(p, 400, "two_lengths", "Content-Length stands there twice");
    if (codings && (p->is_http10 || codings > 1))
        return parse_bad(p, 400, "bad_coding", "Transfer-Encoding is not allowed here");
    if (codings && !str_eq_nocase(coding, STR("chunked")))
        return parse_bad(p, 501, "bad_coding", "only the transfer coding \"chunked\" is known");
    if (lengths && (!str_to_int(length, &bytes) || bytes < 0 || length.p[0] == '+'))
        return parse_bad(p, 400, "bad_length", "Content-Length is not a number");
    if ((uint64_t)bytes > p->body.bytes_max)
        return parse_bad(p, 413, "body_too_large", "the body is larger than the limit");
    if (hosts > 1 || (hosts == 0 && !p->is_http10))
        return parse_bad(p, 400, "bad_host", "there must be exactly one Host header");
    p->rq->host = host.p ? host : STR("");
    if (count_headers(p, STR("expect"), &expect)) {
        if (!str_eq_nocase(expect, STR("100-continue")))
            return parse_bad(p, 417, "bad_expect", "only \"Expect: 100-continue\" is known");
        p->expects_continue = !p->is_http10 && (bytes > 0 || codings);
    }
    return HTTP_PARSE_MORE;
}

/* "http://HOST/path" (RFC 9112, 3.2.2): the authority must be the Host header's, then it is cut. */
static http_parse_state cut_authority(http_parse *p, str *target) {
    if (!str_starts(*target, STR("http://"))) return HTTP_PARSE_MORE;
    str rest = str_slice(*target, 7, target->n);
    size_t slash = 0;
    while (slash < rest.n && rest.p[slash] != '/' && rest.p[slash] != '?') slash++;
    if (!str_eq_nocase(str_slice(rest, 0, slash), p->rq->host))
        return parse_bad(p, 400, "bad_host", "the URL names another host than the Host header");
    *target = slash < rest.n ? str_slice(rest, slash, rest.n) : STR("/");
    return HTTP_PARSE_MORE;
}

static http_parse_state split_target(http_parse *p) {
    http_request *rq = p->rq;
    str target = rq->target;
    http_parse_state state = cut_authority(p, &target);
    if (state != HTTP_PARSE_MORE) return state;
    target = str_slice(target, 0, str_find_char(target, '#'));
    rq->query = target;
    str path = str_cut(&rq->query, '?');
    if (!rq->query.p) rq->query = STR("");
    if (str_is(path, "*") && str_is(rq->method, "OPTIONS")) {
        rq->path = path;
        return HTTP_PARSE_MORE;
    }
    if (!path.n || path.p[0] != '/')
        return parse_bad(p, 400, "bad_target", "the URL's path does not start with a slash");
    err e = url_decode(p->arena, path, false, &rq->path, NULL);
    if (e == E_NO_MEMORY) return parse_bad(p, 503, "no_memory", "not enough memory");
    if (e != E_OK) return parse_bad(p, 400, "bad_target", "the URL holds a bad %-escape");
    return HTTP_PARSE_MORE;
}

/* llhttp's own objection, where our check had none. */
static http_parse_state parse_refused(http_parse *p) {
    if (p->body.failed && !p->body.too_large)
        return parse_bad(p, 503, "no_memory", "not enough memory for the body");
    if (p->body.failed)
        return parse_bad(p, 413, "body_too_large", "the body is larger than the limit");
    const char *why = llhttp_get_error_reason(&p->llhttp);
    return parse_bad(p, 400, p->in_body ? "bad_body" : "bad_request",
                     why && *why ? why : "not an HTTP request");
}

/* The one path whose bodies may be larger, as it stands in the request line. */
static void widen(http_parse *p) {
    str target = p->rq->target, path = str_cut(&target, '?');
    if (p->limits.large_path && str_is(path, p->limits.large_path))
        p->body.bytes_max = p->limits.large_bytes_max;
}

static http_parse_state take_head(http_parse *p, str head) {
    str copy = arena_str(p->arena, head);
    p->headers_cap = p->lines; /* one more than there are headers */
    p->headers = arena_new_n(p->arena, http_header, p->headers_cap);
    if (!copy.p || !p->headers) return parse_bad(p, 503, "no_memory", "not enough memory");
    llhttp_errno_t code = llhttp_execute(&p->llhttp, copy.p, copy.n);
    if (code != HPE_OK && !(code == HPE_PAUSED && p->whole)) return parse_refused(p);
    http_request *rq = p->rq;
    while (copy.n && (copy.p[0] == '\r' || copy.p[0] == '\n')) copy = str_slice(copy, 1, copy.n);
    rq->method = str_slice(copy, 0, str_find_char(copy, ' '));
    rq->headers = p->headers;
    rq->headers_n = p->headers_n;
    widen(p);
    http_parse_state state = check_framing(p);
    return state == HTTP_PARSE_MORE ? split_target(p) : state;
}

static http_parse_state take_body(http_parse *p, str in, size_t *used) {
    llhttp_errno_t code = llhttp_execute(&p->llhttp, in.p, in.n);
    if (code == HPE_OK) {
        *used += in.n;
    } else if (code == HPE_PAUSED && p->whole) {
        *used += (size_t)(llhttp_get_error_pos(&p->llhttp) - in.p);
    } else {
        return parse_refused(p);
    }
    p->raw_body_bytes += in.n;
    if (p->raw_body_bytes / CHUNK_OVERHEAD > p->body.bytes_max + CHUNK_SLACK_BYTES)
        return parse_bad(p, 413, "body_too_large", "the body's chunks are mostly framing");
    return HTTP_PARSE_MORE;
}

http_parse_state http_parse_feed(http_parse *p, str in, size_t *used) {
    *used = 0;
    if (p->bad_status) return HTTP_PARSE_BAD;
    if (!p->in_body) {
        size_t head_bytes = 0;
        http_parse_state state = scan_head(p, in, &head_bytes);
        if (state != HTTP_PARSE_MORE || !head_bytes) return state;
        state = take_head(p, str_slice(in, 0, head_bytes));
        if (state != HTTP_PARSE_MORE) return state;
        *used = head_bytes;
        in = str_slice(in, head_bytes, in.n);
    }
    if (!p->whole && in.n) {
        p->expects_continue = false; /* it has not waited */
        http_parse_state state = take_body(p, in, used);
        if (state != HTTP_PARSE_MORE) return state;
    }
    if (p->whole) {
        p->rq->body = buf_str(&p->body);
        return HTTP_PARSE_WHOLE;
    }
    if (p->expects_continue) {
        p->expects_continue = false;
        return HTTP_PARSE_CONTINUE;
    }
    return HTTP_PARSE_MORE;
}
