/* api_error.c - errors in OpenAI's shape, {"error":{"message","type","param","code"}}, all four
 * keys always there. */
#include "api/api_int.h"

#include "base/log.h"

#include <stdio.h>

/* ---- shape ---- */

static const char *type_of(int status) {
    if (status == 401) return "authentication_error";
    if (status == 403) return "permission_error";
    if (status == 429) return "rate_limit_error";
    return status >= 500 ? "server_error" : "invalid_request_error";
}

static const char *code_of(err e) {
    static const char *const codes[ERR_COUNT] = {
        [E_KEY] = "invalid_api_key", [E_CONTEXT] = "context_length_exceeded",
        [E_NOT_FOUND] = "not_found", [E_EXISTS] = "conflict",
        [E_TOO_LARGE] = "too_large", [E_UNSUPPORTED] = "unsupported",
        [E_DENIED] = "denied",       [E_BUSY] = "busy",
        [E_TIMEOUT] = "timeout",     [E_NO_SPACE] = "no_space",
        [E_NO_MEMORY] = "no_memory", [E_LIMIT] = "rate_limit_exceeded",
    };
    return e < ERR_COUNT ? codes[e] : NULL;
}

const char *api_error_word(const api_call *c, err e) {
    const char *code = c->code ? c->code : code_of(e);
    return code ? code : e == E_CANCELLED ? "cancelled" : e == E_INPUT ? "bad_input" : "internal";
}

static void put_error(json_writer *w, str message, int status, const char *param,
                      const char *code) {
    json_begin_object(w);
    json_key(w, "error");
    json_begin_object(w);
    json_field_str(w, "message", message);
    json_field_z(w, "type", type_of(status));
    json_field_z(w, "param", param);
    json_field_z(w, "code", code);
    json_end_object(w);
    json_end_object(w);
}

void api_error_text(const fail *f, char *out, size_t n) {
    snprintf(out, n, "%s%s%s", f->text[0] ? f->text : err_name(f->code), f->hint[0] ? "; " : "",
             f->hint);
}

void api_error_put(json_writer *w, const fail *f, int status, const char *param, const char *code) {
    char message[API_ERROR_TEXT_BYTES];
    api_error_text(f, message, sizeof message);
    put_error(w, str_from(message), status, param, code ? code : code_of(f->code));
}

void api_error_body(void *ctx, int status, const char *code, const char *text, buf *body) {
    (void)ctx;
    json_writer w = {.out = body};
    put_error(&w, str_from(text), status, NULL, code);
}

/* 405 has no err of its own, and a claim that another person holds is a conflict, not an outage. */
static int status_of(const api_call *c, err e) {
    if (c->code && str_is(str_from(c->code), "method_not_allowed")) return 405;
    if (c->code && str_is(str_from(c->code), "claimed")) return 409;
    if (c->code && str_is(str_from(c->code), "unsupported_media_type")) return 415;
    if (c->code && str_is(str_from(c->code), "idempotency_key_reused")) return 422;
    return err_http_status(e);
}

static void put_retry_after(api_call *c, int retry_s) {
    char text[24];
    int n = snprintf(text, sizeof text, "%d", retry_s > 0 ? retry_s : 1);
    http_reply_header(c->rp, "Retry-After", (str){text, (size_t)n});
    n = snprintf(text, sizeof text, "%lld", 1000LL * (retry_s > 0 ? retry_s : 1));
    http_reply_header(c->rp, "retry-after-ms", (str){text, (size_t)n});
}

/* Clients of OpenAI and Anthropic try 408, 409, 429 and 5xx again, unless this says otherwise:
 * where the same request would fail in the same way it does. 500 is left to them. */
static void put_should_retry(api_call *c, int status) {
    bool busy = c->code && str_is(str_from(c->code), "idempotency_in_progress");
    bool again = busy || status == 408 || status == 429 || status == 502 || status == 503;
    bool never = (status == 409 && !busy) || status == 501 || status == 504 || status == 507;
    if (again || never)
        http_reply_header(c->rp, "x-should-retry", again ? STR("true") : STR("false"));
}

int api_error_make(api_call *c, const fail *f) {
    int status = status_of(c, f->code);
    buf_reset(&c->out);
    c->w = (json_writer){.out = &c->out};
    if (c->dialect->put_error)
        c->dialect->put_error(c, f, status);
    else
        api_error_put(&c->w, f, status, c->param, c->code);
    if (status >= 500) log_warn("api", "request %s failed: %s", c->rq->id, f->text);
    return status;
}

/* An error in a stream that has begun is its last event: the status is out already, and no [DONE]
 * follows. */
void api_error_send(api_call *c, const fail *f) {
    int status = api_error_make(c, f);
    if (http_stream_begun(c->rp)) {
        err e = c->dialect->put_last ? c->dialect->put_last(c, NULL)
                                     : sse_put(c->rp, NULL, buf_str(&c->out), NULL);
        if (e == E_OK) (void)!http_stream_end(c->rp, NULL);
        return;
    }
    api_put_duration(c);
    put_should_retry(c, status);
    if (status == 503 || status == 429 || f->retry_s) put_retry_after(c, f->retry_s);
    str body = c->out.failed ? STR("{\"error\":{\"message\":\"out of memory\",\"type\":"
                                   "\"server_error\",\"param\":null,\"code\":\"no_memory\"}}")
                             : buf_str(&c->out);
    (void)!http_send(c->rp, status, "application/json", body, NULL); /* or the client left */
}

err api_refuse(api_call *c, fail *f, const char *param, const char *fmt, ...) {
    char text[FAIL_TEXT_BYTES];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    c->param = param;
    return fail_set(f, E_INPUT, "%s", text);
}
