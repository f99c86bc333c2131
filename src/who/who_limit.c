/* who_limit.c - see who_limit.h. */
#include "who/who_limit.h"

#include <math.h>

enum { MINUTE_MS = 60000 };

static double filled(double left, int64_t limit, int64_t ms) {
    double now = left + (double)limit * (double)ms / MINUTE_MS;
    return now < (double)limit ? now : (double)limit;
}

/* A clock that was set back fills nothing. */
static void fill(who_bucket *b, int64_t now_ms) {
    int64_t ms = now_ms > b->at_ms ? now_ms - b->at_ms : 0;
    b->requests = filled(b->requests, b->rpm, ms);
    b->tokens = filled(b->tokens, b->tpm, ms);
    b->at_ms = now_ms;
}

void who_bucket_set(who_bucket *b, int64_t rpm, int64_t tpm, int64_t now_ms) {
    if (b->at_ms) fill(b, now_ms);
    if (!b->at_ms || b->rpm == 0) b->requests = (double)rpm;
    if (!b->at_ms || b->tpm == 0) b->tokens = (double)tpm;
    b->rpm = rpm;
    b->tpm = tpm;
    fill(b, now_ms);
}

/* How long until a bucket holds `wanted`. */
static int64_t wait_ms(double left, double wanted, int64_t limit) {
    if (left >= wanted || limit == 0) return 0;
    return (int64_t)ceil((wanted - left) * MINUTE_MS / (double)limit - 1e-6);
}

static int64_t whole(double left) {
    return left > 0 ? (int64_t)left : 0;
}

static void describe(const who_bucket *b, who_quota *out) {
    *out = (who_quota){.requests_limit = b->rpm,
                       .requests_left = whole(b->requests),
                       .requests_reset_ms = wait_ms(b->requests, (double)b->rpm, b->rpm),
                       .tokens_limit = b->tpm,
                       .tokens_left = whole(b->tokens),
                       .tokens_reset_ms = wait_ms(b->tokens, (double)b->tpm, b->tpm)};
}

err who_bucket_take(who_bucket *b, int64_t now_ms, who_quota *out, fail *f) {
    fill(b, now_ms);
    int64_t requests_ms = b->rpm ? wait_ms(b->requests, 1, b->rpm) : 0;
    int64_t tokens_ms = b->tpm ? wait_ms(b->tokens, 1, b->tpm) : 0;
    int64_t retry_ms = requests_ms > tokens_ms ? requests_ms : tokens_ms;
    if (!retry_ms && b->rpm) b->requests -= 1;
    describe(b, out);
    out->retry_ms = retry_ms;
    if (!retry_ms) return E_OK;
    bool by_requests = requests_ms >= tokens_ms;
    fail_set(f, E_LIMIT, "this key's %lld %s a minute are used up",
             (long long)(by_requests ? b->rpm : b->tpm), by_requests ? "requests" : "tokens");
    return fail_hint(f, "ask again in %lld s", (long long)((retry_ms + 999) / 1000));
}

void who_bucket_spend(who_bucket *b, int64_t tokens, int64_t now_ms) {
    fill(b, now_ms);
    if (b->tpm) b->tokens -= (double)tokens;
}
