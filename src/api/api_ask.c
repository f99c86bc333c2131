/* api_ask.c - what all dialects read alike of a question to a model or a task. See api_field.h. */
#include "api/api_chat.h"

static bool client_left(void *rq) {
    return http_gone(rq);
}

err api_ask_begin(api_call *c, api_chat *chat, str model, fail *f) {
    gen_request *rq = &chat->request;
    if (!model.n) return api_refuse(c, f, "model", "model must name a model or a task");
    chat->is_task = str_starts(model, STR("task:"));
    chat->task_name = chat->is_task ? str_slice(model, 5, model.n) : STR_NONE;
    rq->model = model;
    rq->id = str_from(c->rq->id);
    rq->arena = c->a;
    rq->tenant = rq->subject = STR("");
    rq->gone = client_left;
    rq->gone_ctx = c->rq;
    rq->top_logprobs = -1;
    return E_OK;
}

err api_ask_stops(api_call *c, const json *v, const char *field, gen_request *rq, fail *f) {
    const json *items = v->kind == JSON_ARRAY ? v->items : v;
    size_t n = v->kind == JSON_ARRAY ? v->count : 1;
    if (n > API_STOPS_MAX)
        return api_refuse(c, f, field, "%zu stops are above the limit of %d", n, API_STOPS_MAX);
    str *stops = arena_new_n(c->a, str, n + 1);
    if (!stops) return fail_memory(f, "stops");
    for (size_t i = 0; i < n; i++) {
        if (items[i].kind != JSON_STRING || !items[i].string.n)
            return api_refuse(c, f, field, "%s must be texts, none of them empty", field);
        if (items[i].string.n > GEN_STOP_BYTES_MAX)
            return api_refuse(c, f, field, "a stop of %zu bytes is above the limit of %d",
                              items[i].string.n, GEN_STOP_BYTES_MAX);
        stops[i] = items[i].string;
    }
    rq->stops = stops;
    rq->n_stops = n;
    return E_OK;
}

err api_ask_logprobs(api_call *c, api_chat *chat, fail *f) {
    bool wanted;
    int64_t top;
    TRY(api_get_bool(c, "logprobs", false, &wanted, f));
    TRY(api_get_int(c, "top_logprobs", 0, 0, 20, &top, f));
    if (top > 0 && !wanted)
        return api_refuse(c, f, "top_logprobs", "top_logprobs needs \"logprobs\": true");
    if (wanted && chat->is_task)
        return api_refuse(c, f, "logprobs", "a task's answer has no token log-probabilities");
    chat->request.top_logprobs = wanted ? (int32_t)top : -1;
    return E_OK;
}

/* A task's answers are approved words, chosen and not written: there is nothing to hold. */
err api_only_models(api_call *c, const api_chat *chat, const char *field, fail *f) {
    if (!chat->is_task) return E_OK;
    return api_refuse(c, f, field, "%s is for models; a task's answer is chosen, not written",
                      field);
}
