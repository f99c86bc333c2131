/* api_admit.c - in which company and how urgently a request is answered: fields and headers that
 * every dialect has alike. priority (from -10 to 10, higher first), deadline_ms (from when the
 * request came, one for all its choices; not begun by then it never is), adapter (a LoRA adapter by
 * name). */
#include "api/api_chat.h"
#include "api/api_keep.h"

#include "base/clock.h"
#include "who/who.h"

enum { DEADLINE_MS_MAX = 24 * 3600 * 1000 };

/* A header's number over the body's. */
static err read_number(api_call *c, const char *field, const char *header, int64_t min, int64_t max,
                       int64_t *out, fail *f) {
    str text = http_header_get(c->rq, header);
    if (c->body) TRY(api_get_int(c, field, *out, min, max, out, f));
    if (!text.n) return E_OK;
    if (!str_to_int(text, out) || *out < min || *out > max)
        return api_refuse(c, f, header, "%s is \"%.*s\", not a whole number from %lld to %lld",
                          header, STR_ARG(str_slice(text, 0, 64)), (long long)min, (long long)max);
    return E_OK;
}

/* Where keys are asked for, nobody gets before the others by saying so. */
static err check_priority(api_call *c, int64_t priority, fail *f) {
    if (c->inside && priority > c->inside->priority)
        return api_refuse(c, f, "priority",
                          "a batch or background request has no priority above %d",
                          c->inside->priority);
    bool free = c->who.kind == WHO_NOBODY || who_may(&c->who, WHO_ADMIN);
    if (priority <= 0 || free) return E_OK;
    c->param = "priority";
    fail_set(f, E_DENIED, "a priority above 0 needs a key of scope admin");
    return fail_hint(f, "leave it out, or take 0 or less");
}

/* On the scale of clock_now_ms. */
static int64_t came_ms(const api_call *c) {
    return clock_now_ms() - (clock_mono_ns() - c->rq->start_ns) / 1000000;
}

err api_read_admission(api_call *c, gen_request *rq, fail *f) {
    int64_t priority = rq->priority, deadline_ms = 0;
    TRY(read_number(c, "priority", "x-bantam-priority", -API_PRIORITY_MAX, API_PRIORITY_MAX,
                    &priority, f));
    TRY(check_priority(c, priority, f));
    rq->priority = (int32_t)priority;
    TRY(read_number(c, "deadline_ms", "x-bantam-deadline-ms", 1, DEADLINE_MS_MAX, &deadline_ms, f));
    if (deadline_ms) rq->deadline_ms = came_ms(c) + deadline_ms;
    if (c->body) TRY(api_get_str(c, "adapter", rq->adapter, &rq->adapter, f));
    return E_OK;
}
