/* http_retry.c - asking again: exponential back-off with full jitter, the server's Retry-After
 * honoured, everything bounded. (Full jitter: M. Brooker, "Exponential Backoff And Jitter", AWS.)
 */
#include "base/clock.h"
#include "base/rand.h"
#include "net/http_client.h"

enum {
    TRIES_MAX = 3,
    BASE_MS = 500,
    WAIT_MS_MAX = 20 * 1000,
    TOTAL_MS_MAX = 60 * 1000,
    NAP_MS = 50
};

static int64_t or_default(int64_t value, int64_t fallback) {
    return value > 0 ? value : fallback;
}

int64_t http_retry_wait_ms(const http_retry *r, int n, int64_t retry_after_ms, uint64_t seed) {
    int64_t most = or_default(r->wait_ms_max, WAIT_MS_MAX), span = or_default(r->base_ms, BASE_MS);
    if (n >= (int)or_default(r->tries_max, TRIES_MAX)) return -1;
    if (retry_after_ms > most) return -1; /* it will not be ready while we wait */
    for (int i = 1; i < n && span < most; i++) span *= 2;
    if (span > most) span = most;
    int64_t wait = (int64_t)(rand_unit_at(seed, (uint64_t)n) * (double)span);
    return wait > retry_after_ms ? wait : retry_after_ms;
}

static bool worth_again(err e, const http_answer *answer) {
    static const int passing[] = {408, 425, 429, 500, 502, 503, 504};
    if (e == E_NETWORK || e == E_TIMEOUT) return true;
    for (size_t i = 0; e == E_OK && i < sizeof passing / sizeof *passing; i++)
        if (answer->status == passing[i]) return true;
    return false;
}

/* false when cancelled */
static bool wait_ms(const http_retry *r, int64_t ms) {
    int64_t end_ns = clock_mono_ns() + ms * 1000000;
    for (;;) {
        if (r->cancelled && r->cancelled(r->ctx)) return false;
        int64_t left_ms = (end_ns - clock_mono_ns()) / 1000000;
        if (left_ms <= 0) return true;
        clock_sleep_ms(left_ms < NAP_MS ? left_ms : NAP_MS);
    }
}

/* What stands between a call and its sink: whether a byte went there. */
typedef struct watched_call {
    const http_call *call;
    bool taken;
} watched_call;

static bool watched_sink(void *ctx, str bytes) {
    watched_call *w = ctx;
    w->taken = true;
    return w->call->sink(w->call->ctx, bytes);
}

static bool watched_begin(void *ctx, int status, int64_t from, int64_t bytes, const char *etag) {
    watched_call *w = ctx;
    w->taken = true;
    return w->call->begin(w->call->ctx, status, from, bytes, etag);
}

static bool watched_progress(void *ctx, int64_t bytes, int64_t bytes_total) {
    const watched_call *w = ctx;
    return w->call->progress(w->call->ctx, bytes, bytes_total);
}

static http_call watch(watched_call *w) {
    http_call call = *w->call;
    call.sink = call.sink ? watched_sink : NULL;
    call.begin = call.begin ? watched_begin : NULL;
    call.progress = call.progress ? watched_progress : NULL;
    call.ctx = w;
    return call;
}

err http_ask_retry(arena *a, const http_call *c, http_retry *r, http_answer *out, fail *f) {
    int64_t end_ns = clock_mono_ns() + or_default(r->total_ms_max, TOTAL_MS_MAX) * 1000000;
    uint64_t seed;
    rand_secret(&seed, sizeof seed);
    for (int n = 1;; n++) {
        http_answer answer = {.retry_after_ms = -1};
        watched_call watched = {.call = c};
        http_call call = watch(&watched);
        int64_t left_ms = (end_ns - clock_mono_ns()) / 1000000;
        if (call.total_ms_max <= 0 || call.total_ms_max > left_ms)
            call.total_ms_max = left_ms > 1 ? left_ms : 1;
        err e = http_ask(a, &call, &answer, f);
        r->tries = n;
        int64_t pause = !watched.taken && worth_again(e, &answer)
                            ? http_retry_wait_ms(r, n, answer.retry_after_ms, seed)
                            : -1;
        if (pause < 0 || clock_mono_ns() + pause * 1000000 >= end_ns) {
            if (e == E_OK) *out = answer;
            return e;
        }
        if (!wait_ms(r, pause)) return fail_set(f, E_CANCELLED, "the request was cancelled");
    }
}
