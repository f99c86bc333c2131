/* engine_submit.c - what is asked, checked and put into a slot; see engine.h. */
#include "engine/engine_int.h"

#include <math.h>
#include <string.h>

/* ---- checks ---- */

/* One number of the sampling, its name and range. */
static err in_range(const char *name, double value, double least, double most, fail *f) {
    if (value >= least && value <= most) return E_OK;
    return fail_set(f, E_INPUT, "%s %g is out of range (%g to %g)", name, value, least, most);
}

static err check_numbers(const engine_sampling *s, fail *f) {
    TRY(in_range("temperature", s->temperature, 0, 100, f));
    TRY(in_range("top_p", s->top_p, 0, 1, f));
    TRY(in_range("min_p", s->min_p, 0, 1, f));
    TRY(in_range("top_k", s->top_k, 0, INT32_MAX, f));
    TRY(in_range("typical_p", s->typical_p, 0, 1, f));
    TRY(in_range("repeat_penalty", s->repeat_penalty, 0, 100, f));
    TRY(in_range("frequency_penalty", s->frequency_penalty, -10, 10, f));
    TRY(in_range("presence_penalty", s->presence_penalty, -10, 10, f));
    TRY(in_range("penalty_last_n", s->penalty_last_n, -1, INT32_MAX, f));
    TRY(in_range("dry_multiplier", s->dry_multiplier, 0, 100, f));
    TRY(in_range("dry_base", s->dry_base, 0, 100, f));
    TRY(in_range("dry_allowed_length", s->dry_allowed_length, 0, INT32_MAX, f));
    return in_range("dry_last_n", s->dry_last_n, -1, INT32_MAX, f);
}

static err check_sampling(const engine *e, const engine_sampling *s, fail *f) {
    TRY(check_numbers(s, f));
    if (s->n_bias > ENGINE_BIAS_MAX || s->n_dry_breakers > ENGINE_BREAKERS_MAX)
        return fail_set(f, E_INPUT, "%zu biases and %zu breakers; %d and %d are possible",
                        s->n_bias, s->n_dry_breakers, ENGINE_BIAS_MAX, ENGINE_BREAKERS_MAX);
    for (size_t i = 0; i < s->n_bias; i++) {
        TRY(engine_check_ids(e, &s->bias[i].id, 1, f));
        if (s->bias[i].bias != -INFINITY)
            TRY(in_range("the bias of a token", (double)s->bias[i].bias, -1e6, 1e6, f));
    }
    for (size_t i = 0; i < s->n_dry_breakers; i++)
        if (s->dry_breakers[i].n < 1 || s->dry_breakers[i].n > ENGINE_BREAKER_BYTES_MAX)
            return fail_set(f, E_INPUT, "a breaker of %zu bytes; 1 to %d are possible",
                            s->dry_breakers[i].n, ENGINE_BREAKER_BYTES_MAX);
    return E_OK;
}

static err check_ask(const engine *e, const engine_ask *a, fail *f) {
    TRY(check_sampling(e, &a->sampling, f));
    TRY(engine_check_ids(e, a->prompt, a->n_prompt, f));
    TRY(engine_check_adapter(e, a->adapter, f));
    if (a->priority < -ENGINE_PRIORITY_MAX || a->priority > ENGINE_PRIORITY_MAX)
        return fail_set(f, E_INPUT, "priority %d is out of range (%d to %d)", a->priority,
                        -ENGINE_PRIORITY_MAX, ENGINE_PRIORITY_MAX);
    if (a->max_tokens < 0) return fail_set(f, E_INPUT, "max_tokens %d is negative", a->max_tokens);
    TRY(engine_check_room(e, a->n_prompt, a->max_tokens ? (size_t)a->max_tokens : 1, f));
    if (a->n_stops > ENGINE_STOPS_MAX || a->n_stop_ids > ENGINE_STOP_IDS_MAX)
        return fail_set(f, E_INPUT, "%zu stop texts and %zu stop tokens; %d and %d are possible",
                        a->n_stops, a->n_stop_ids, ENGINE_STOPS_MAX, ENGINE_STOP_IDS_MAX);
    for (size_t i = 0; i < a->n_stops; i++)
        if (a->stops[i].n < 1 || a->stops[i].n > ENGINE_STOP_BYTES_MAX)
            return fail_set(f, E_INPUT, "a stop text of %zu bytes; 1 to %d are possible",
                            a->stops[i].n, ENGINE_STOP_BYTES_MAX);
    if (a->top_logprobs < -1 || a->top_logprobs > ENGINE_TOP_MAX)
        return fail_set(f, E_INPUT, "%d candidates a token; at most %d are given", a->top_logprobs,
                        ENGINE_TOP_MAX);
    return E_OK;
}

/* ---- the slot ---- */

static void copy_sampling(engine_sequence *s, const engine_sampling *from) {
    static const str usual[] = {STR("\n"), STR(":"), STR("\""), STR("*")};
    const str *breakers = from->dry_breakers ? from->dry_breakers : usual;
    s->sampling = *from;
    s->sampling.bias = s->bias;
    s->sampling.dry_breakers = NULL;
    if (from->n_bias) memcpy(s->bias, from->bias, from->n_bias * sizeof *s->bias);
    s->n_breakers = from->dry_breakers ? from->n_dry_breakers : sizeof usual / sizeof *usual;
    for (size_t i = 0; i < s->n_breakers; i++) {
        memcpy(s->breakers[i].bytes, breakers[i].p, breakers[i].n);
        s->breakers[i].n = breakers[i].n;
    }
}

static void slot_fill(engine_sequence *s, const engine_ask *a) {
    int64_t context = s->e->o.context_max, pages = kv_pool_pages(s->e->pool) * KV_PAGE_TOKENS;
    engine_slot_reset(s, a->prompt, a->n_prompt);
    copy_sampling(s, &a->sampling);
    if (context > pages) context = pages;
    s->made_max = a->max_tokens ? a->max_tokens : context - s->n_prompt;
    s->room_max = s->n_prompt + s->made_max;
    s->ignore_end = a->ignore_end;
    s->cache_off = a->cache_off;
    s->draft_off = a->draft_off;
    s->mask = a->mask;
    s->tenant_id = a->tenant;
    s->priority = a->priority;
    s->deadline_ns = a->deadline_ns;
    engine_slot_root(s, a->cache_scope, a->adapter);
    s->top_logprobs = a->top_logprobs;
    s->n_stop_ids = (int32_t)a->n_stop_ids;
    if (a->n_stop_ids) memcpy(s->stop_ids, a->stop_ids, a->n_stop_ids * sizeof *a->stop_ids);
    engine_text_init(&s->text, s->text.held, s->text.cap, a->stops, a->n_stops);
}

err engine_submit(engine *e, const engine_ask *ask, engine_sequence **out, fail *f) {
    engine_sequence *s;
    TRY(check_ask(e, ask, f));
    mutex_lock(&e->lock);
    err result = engine_slot_take(e, ask->tenant, &s, f);
    if (result == E_OK) {
        slot_fill(s, ask);
        engine_slot_queue(e, s);
        *out = s;
    }
    mutex_unlock(&e->lock);
    return result;
}
