/* http_client.c - see http_client.h. One easy handle a call; libcurl does names, TLS, proxies and
 * the wire, this file the limits, the refusals and the texts. */
#include "net/http_client.h"

#include "base/clock.h"
#include "net/curl_library.h"
#include "net/url.h"

#include <stdio.h>
#include <string.h>

enum {
    BODY_BYTES_MAX = 16 << 20,
    ERROR_BODY_BYTES_MAX = 64 * 1024,
    REDIRECTS_MAX = 5,
    HEADER_BYTES_MAX = 256
};

typedef struct transfer {
    const http_call *call;
    CURL *curl;
    buf body;
    size_t body_bytes; /* all of it, also what went to the sink */
    int64_t last_ns, stall_ms_max, moved;
    bool stalled, stopped, begun;
    char etag[HEADER_BYTES_MAX], retry_after[HEADER_BYTES_MAX], range[HEADER_BYTES_MAX];
} transfer;

static int transfer_status(transfer *t) {
    long status = 0;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

/* --- libcurl's callbacks --- */

/* "bytes 5-9/10" -> 5 */
static int64_t range_start(const char *text) {
    str rest = str_from(text);
    int64_t from;
    str_cut(&rest, ' ');
    str first = str_cut(&rest, '-');
    return str_to_int(first, &from) && from >= 0 ? from : -1;
}

static bool transfer_begin(transfer *t, int status) {
    curl_off_t length = -1;
    curl_easy_getinfo(t->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    int64_t from = status == 206 ? range_start(t->range) : 0;
    return t->call->begin(t->call->ctx, status, from, length, t->etag);
}

static size_t on_body(char *p, size_t size, size_t n, void *arg) {
    transfer *t = arg;
    const http_call *c = t->call;
    n *= size;
    int status = transfer_status(t);
    bool good = status >= 200 && status < 300;
    if (!good) {
        size_t room = ERROR_BODY_BYTES_MAX - t->body.n;
        buf_put_bytes(&t->body, p, n < room ? n : room);
        return t->body.failed ? 0 : n;
    }
    t->body_bytes += n;
    size_t most = c->body_bytes_max ? c->body_bytes_max : c->sink ? SIZE_MAX : BODY_BYTES_MAX;
    if (t->body_bytes > most) {
        t->body.failed = t->body.too_large = true;
        t->body.bytes_max = most;
        return 0;
    }
    if (!c->sink) {
        buf_put_bytes(&t->body, p, n);
        return t->body.failed ? 0 : n;
    }
    if (!t->begun && c->begin) t->stopped |= !transfer_begin(t, status);
    t->begun = true;
    t->stopped = t->stopped || !c->sink(c->ctx, (str){p, n});
    return t->stopped ? 0 : n;
}

static void keep_header(char out[HEADER_BYTES_MAX], str value) {
    value = str_trim(value);
    snprintf(out, HEADER_BYTES_MAX, "%.*s", STR_ARG(value));
}

static size_t on_header(char *p, size_t size, size_t n, void *arg) {
    transfer *t = arg;
    str value = {p, n * size};
    if (str_starts(value, STR("HTTP/"))) { /* a redirect's or 100's headers do not count */
        t->etag[0] = t->retry_after[0] = t->range[0] = 0;
        return n * size;
    }
    str name = str_cut(&value, ':');
    if (str_eq_nocase(name, STR("etag"))) keep_header(t->etag, value);
    if (str_eq_nocase(name, STR("retry-after"))) keep_header(t->retry_after, value);
    if (str_eq_nocase(name, STR("content-range"))) keep_header(t->range, value);
    return n * size;
}

static int on_progress(void *arg, curl_off_t total, curl_off_t now, curl_off_t up_total,
                       curl_off_t up) {
    transfer *t = arg;
    (void)up_total;
    int64_t now_ns = clock_mono_ns();
    if (now + up != t->moved) {
        t->moved = now + up;
        t->last_ns = now_ns;
    }
    t->stalled |= now_ns - t->last_ns > t->stall_ms_max * 1000000;
    if (t->call->progress && !t->call->progress(t->call->ctx, now, total > 0 ? total : -1))
        t->stopped = true;
    return t->stalled || t->stopped;
}

/* --- what may be sent --- */

static bool is_safe_name(str s) {
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= 0x20 || s.p[i] >= 0x7f || s.p[i] == ':') return false;
    return s.n > 0;
}
static bool is_safe_value(str s) {
    for (size_t i = 0; i < s.n; i++)
        if (((unsigned char)s.p[i] < 0x20 && s.p[i] != '\t') || s.p[i] == 0x7f) return false;
    return true;
}

static err add_field(struct curl_slist **list, str name, str value, fail *f) {
    if (!is_safe_name(name)) return fail_set(f, E_INPUT, "a header's name holds a bad character");
    if (!is_safe_value(value))
        return fail_set(f, E_INPUT,
                        "the value of header \"%.*s\" holds a line break or another control "
                        "character and is not sent",
                        STR_ARG(str_slice(name, 0, 64)));
    buf line = {0};
    buf_put(&line, name);
    /* libcurl: "Name;" is a header without a value, "Name:" would remove it */
    buf_put_z(&line, value.n ? ": " : ";");
    buf_put(&line, value);
    struct curl_slist *longer = NULL;
    const char *z = buf_z(&line);
    if (!line.failed) longer = curl_slist_append(*list, z);
    buf_deinit(&line);
    if (!longer) return fail_memory(f, "a request's headers");
    *list = longer;
    return E_OK;
}

static bool has_private_fields(const http_call *c) {
    bool private = c->user_password != NULL;
    for (size_t i = 0; i < c->fields_n; i++) {
        str name = str_from(c->fields[i].name);
        private |= !str_eq_nocase(name, STR("accept")) && !str_eq_nocase(name, STR("user-agent"));
    }
    return private;
}

static err check_url(const http_call *c, arena *a, fail *f) {
    str url = str_from(c->url);
    bool ok = url_has_scheme(url, "http") || url_has_scheme(url, "https");
    for (size_t i = 0; i < url.n; i++)
        ok = ok && (unsigned char)url.p[i] > 0x20 && url.p[i] != 0x7f;
    if (ok) return E_OK;
    fail_set(f, E_INPUT, "\"%.*s\" is not an http or https URL", STR_ARG(url_public(a, url)));
    return fail_hint(f, "write it as http://host/path or https://host/path");
}

/* --- setting up --- */

static int64_t or_default(int64_t value, int64_t fallback) {
    return value ? value : fallback;
}

static void set_times(CURL *h, const http_call *c, transfer *t) {
    t->stall_ms_max = or_default(c->stall_ms_max, 30 * 1000);
    t->last_ns = clock_mono_ns();
    int64_t total_ms = or_default(c->total_ms_max, 10 * 60 * 1000);
    curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, (long)or_default(c->connect_ms_max, 10 * 1000));
    curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, total_ms < 0 ? 0L : (long)total_ms);
    curl_easy_setopt(h, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(h, CURLOPT_XFERINFODATA, t);
}

static void set_route(CURL *h, const http_call *c) {
    bool https = url_has_scheme(str_from(c->url), "https");
    int redirects = c->redirects_max ? c->redirects_max : REDIRECTS_MAX;
    bool follow = redirects > 0 && !c->body.p && !c->method && !has_private_fields(c);
    curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(h, CURLOPT_REDIR_PROTOCOLS_STR, https ? "https" : "http,https");
    curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, follow ? 1L : 0L);
    curl_easy_setopt(h, CURLOPT_MAXREDIRS, (long)redirects);
    curl_easy_setopt(h, CURLOPT_PROXY, c->proxy ? c->proxy : ""); /* "": not the environment's */
    if (c->no_proxy) curl_easy_setopt(h, CURLOPT_NOPROXY, c->no_proxy);
    if (c->ca_file) curl_easy_setopt(h, CURLOPT_CAINFO, c->ca_file);
    if (c->insecure_tls) {
        curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

static void set_method(CURL *h, const http_call *c) {
    if (c->body.p) {
        curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)c->body.n);
        curl_easy_setopt(h, CURLOPT_POSTFIELDS, c->body.p);
    }
    if (c->method && str_is(str_from(c->method), "HEAD"))
        curl_easy_setopt(h, CURLOPT_NOBODY, 1L);
    else if (c->method)
        curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, c->method);
    if (c->user_password) curl_easy_setopt(h, CURLOPT_USERPWD, c->user_password);
}

static err set_fields(CURL *h, const http_call *c, struct curl_slist **list, fail *f) {
    for (size_t i = 0; i < c->fields_n; i++)
        TRY(add_field(list, str_from(c->fields[i].name), c->fields[i].value, f));
    if (c->range_from > 0) {
        char range[40];
        snprintf(range, sizeof range, "%lld-", (long long)c->range_from);
        curl_easy_setopt(h, CURLOPT_RANGE, range); /* copied */
        if (c->if_range) TRY(add_field(list, STR("If-Range"), str_from(c->if_range), f));
    }
    struct curl_slist *longer = curl_slist_append(*list, "Expect:"); /* no waiting for 100 */
    if (!longer) return fail_memory(f, "a request's headers");
    *list = longer;
    curl_easy_setopt(h, CURLOPT_HTTPHEADER, *list);
    return E_OK;
}

static err set_all(transfer *t, struct curl_slist **list, fail *f) {
    CURL *h = t->curl;
    const http_call *c = t->call;
    curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(h, CURLOPT_USERAGENT, "bantam");
    if (curl_easy_setopt(h, CURLOPT_URL, c->url) != CURLE_OK) return fail_memory(f, "a URL");
    curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(h, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(h, CURLOPT_HEADERDATA, t);
    set_times(h, c, t);
    set_route(h, c);
    set_method(h, c);
    return set_fields(h, c, list, f);
}

/* --- what came of it --- */

static err transfer_error(transfer *t, arena *a, CURLcode code, fail *f) {
    str shown = url_public(a, str_from(t->call->url));
    const char *why = curl_easy_strerror(code);
    if (t->stopped) return fail_set(f, E_CANCELLED, "\"%.*s\" was stopped", STR_ARG(shown));
    if (t->body.failed && t->body.too_large)
        return fail_set(f, E_TOO_LARGE, "the answer of \"%.*s\" is larger than %zu bytes",
                        STR_ARG(shown), t->body.bytes_max);
    if (t->body.failed || code == CURLE_OUT_OF_MEMORY) return fail_memory(f, "an HTTP answer");
    if (t->stalled || code == CURLE_OPERATION_TIMEDOUT) {
        fail_set(f, E_TIMEOUT, "\"%.*s\" did not answer in time", STR_ARG(shown));
        return fail_hint(f, "try again; if it stays so, check that the address is right and that "
                            "this machine may reach it");
    }
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
        fail_set(f, E_NETWORK, "cannot reach \"%.*s\": %s", STR_ARG(shown), why);
        return fail_hint(f, "check the address and this machine's network; behind a proxy, set "
                            "https_proxy");
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CONNECT_ERROR:
        fail_set(f, E_NETWORK, "no trusted connection to \"%.*s\": %s", STR_ARG(shown), why);
        return fail_hint(f,
                         "its certificate is not signed by an authority that this machine knows; "
                         "install the authority (package ca-certificates)");
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
        return fail_set(f, E_INPUT, "\"%.*s\" is, or leads to, a URL that is not followed: %s",
                        STR_ARG(shown), why);
    default: return fail_set(f, E_NETWORK, "asking \"%.*s\" failed: %s", STR_ARG(shown), why);
    }
}

static int64_t retry_after_ms(const char *text) {
    int64_t seconds;
    if (!*text) return -1;
    if (str_to_int(str_from(text), &seconds))
        return seconds < 0 ? 0 : seconds > 86400 ? 86400000 : seconds * 1000;
    time_t when = curl_getdate(text, NULL);
    int64_t ms = (int64_t)when * 1000 - clock_now_ms();
    return when < 0 ? -1 : ms < 0 ? 0 : ms;
}

/* "bytes 5-9/10" -> 10 */
static int64_t range_total(const char *text) {
    str rest = str_from(text);
    int64_t total;
    str_cut(&rest, '/');
    return rest.p && str_to_int(rest, &total) && total >= 0 ? total : -1;
}

static str media_type(arena *a, const char *text) {
    str whole = str_from(text);
    str kept = arena_str(a, str_trim(str_cut(&whole, ';')));
    for (size_t i = 0; i < kept.n; i++) {
        char *c = (char *)(uintptr_t)&kept.p[i];
        if (*c >= 'A' && *c <= 'Z') *c = (char)(*c | 32);
    }
    return kept;
}

static err answer_fill(transfer *t, arena *a, int64_t start_ns, http_answer *out, fail *f) {
    char *type = NULL, *url = NULL;
    curl_off_t length = -1;
    curl_easy_getinfo(t->curl, CURLINFO_CONTENT_TYPE, &type);
    curl_easy_getinfo(t->curl, CURLINFO_EFFECTIVE_URL, &url);
    curl_easy_getinfo(t->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    http_answer answer = {
        .status = transfer_status(t),
        .body = arena_str(a, buf_str(&t->body)),
        .content_type = media_type(a, type),
        .etag = arena_str(a, str_from(t->etag)),
        .url = arena_str(a, str_from(url)),
        .retry_after_ms = retry_after_ms(t->retry_after),
        .content_length = length,
        .range_total = range_total(t->range),
        .wall_us = (clock_mono_ns() - start_ns) / 1000,
    };
    if (!answer.body.p || !answer.content_type.p || !answer.etag.p || !answer.url.p)
        return fail_memory(f, "an HTTP answer");
    *out = answer;
    return E_OK;
}

err http_ask(arena *a, const http_call *c, http_answer *out, fail *f) {
    TRY(check_url(c, a, f));
    TRY(curl_library_load(f));
    transfer t = {.call = c, .curl = curl_easy_init()};
    if (!t.curl) return fail_memory(f, "an HTTP request");
    struct curl_slist *list = NULL;
    int64_t start_ns = clock_mono_ns();
    err e = set_all(&t, &list, f);
    if (e == E_OK) {
        CURLcode code = curl_easy_perform(t.curl);
        e = code == CURLE_OK && !t.body.failed ? answer_fill(&t, a, start_ns, out, f)
                                               : transfer_error(&t, a, code, f);
    }
    curl_slist_free_all(list);
    curl_easy_cleanup(t.curl);
    buf_deinit(&t.body);
    return e;
}

err http_status_err(const http_call *c, const http_answer *answer, fail *f) {
    static const struct {
        int status;
        err code;
        const char *hint;
    } rows[] = {
        {401, E_KEY, "check the key"},
        {403, E_DENIED, "check the key and what it may do"},
        {404, E_NOT_FOUND, "check the address and the name"},
        {407, E_KEY, "the proxy wants a name and password"},
        {408, E_TIMEOUT, "try again"},
        {410, E_NOT_FOUND, "it is no longer offered there"},
        {413, E_TOO_LARGE, ""},
        {429, E_BUSY, "wait a little and try again"},
        {503, E_BUSY, "wait a little and try again"},
        {504, E_TIMEOUT, "try again"},
    };
    int status = answer->status;
    if (status >= 200 && status < 300) return E_OK;
    err code = status >= 400 && status < 500 ? E_INPUT : E_NETWORK;
    const char *hint = status >= 500 ? "the trouble is on that server's side; try again later" : "";
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].status != status) continue;
        code = rows[i].code;
        hint = rows[i].hint;
    }
    arena a;
    arena_init(&a, 1024);
    fail_set(f, code, "\"%.*s\" answered with status %d", STR_ARG(url_public(&a, str_from(c->url))),
             status);
    if (*hint) fail_hint(f, "%s", hint);
    arena_deinit(&a);
    return code;
}
