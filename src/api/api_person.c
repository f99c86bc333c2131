/* api_person.c - what the routes about reviews share: whose a review is, and what an asker is told
 * while a person answers: reference, time and address. */
#include "api/api_int.h"

#include "base/clock.h"

str api_time_text(arena *a, int64_t ms) {
    char t[CLOCK_TEXT_BYTES];
    clock_text(ms, t);
    return arena_printf(a, "%.5s UTC on %.10s", t + 11, t);
}

str api_answer_url(api *api, arena *a, str ref) {
    return arena_printf(a, "%.*s/v1/answers/%.*s", STR_ARG(api->o.url_base), STR_ARG(ref));
}

str api_person_sentence(arena *a, str ref, int64_t expected_by_ms, str url) {
    str when = api_time_text(a, expected_by_ms);
    return arena_printf(a,
                        "A person will answer this. Your reference is %.*s; an answer is expected "
                        "by %.*s. Ask for it at %.*s",
                        STR_ARG(ref), STR_ARG(when), STR_ARG(url));
}

err api_own_review(api_call *c, fail *f) {
    desk_review r;
    if (!c->who.tenant.n) return E_OK;
    TRY(desk_get(c->api->o.desk, c->arg, c->a, &r, f));
    return str_eq(r.tenant, c->who.tenant) ? E_OK : desk_none(c->arg, f);
}
