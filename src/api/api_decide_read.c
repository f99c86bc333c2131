/* api_decide_read.c - what a decision's body says, whether a model is asked or a task. */
#include "api/api_decide.h"

static const api_field fields[] = {
    {"model", API_FIELD_READ, NULL},
    {"state", API_FIELD_READ, NULL},
    {"questions", API_FIELD_READ, NULL},
    {"user", API_FIELD_READ, NULL},
    {"safety_identifier", API_FIELD_READ, NULL},
    {"priority", API_FIELD_READ, NULL},
    {"deadline_ms", API_FIELD_READ, NULL},
    {"adapter", API_FIELD_READ, NULL},
    {"abstain_below", API_FIELD_READ, NULL},
    {"metadata", API_FIELD_IGNORED, NULL},
    {"files", API_FIELD_EMPTY, NULL},
};

err api_decide_refuse(api_call *c, str id, const char *what, fail *f) {
    return api_refuse(c, f, api_place(c, "questions.%.*s", STR_ARG(str_slice(id, 0, 64))),
                      "the question \"%.*s\" %s", STR_ARG(str_slice(id, 0, 64)), what);
}

err api_decide_state(api_call *c, str *out, fail *f) {
    const json *v = json_get(c->body, "state");
    if (!v || (v->kind != JSON_STRING && v->kind != JSON_OBJECT && v->kind != JSON_ARRAY))
        return api_refuse(c, f, "state", "state must be a text, an object or an array");
    if (v->kind != JSON_STRING) return api_json_text(c, v, out, f);
    *out = v->string;
    return E_OK;
}

static bool client_left(void *rq) {
    return http_gone(rq);
}

err api_decide_common(api_call *c, api_chat *chat, double *abstain_below, fail *f) {
    gen_request *rq = &chat->request;
    TRY(api_check_fields(c, c->body, "", fields, sizeof fields / sizeof *fields, f));
    TRY(api_get_str(c, "model", STR(""), &rq->model, f));
    if (!rq->model.n) return api_refuse(c, f, "model", "model must name a model or a task");
    TRY(api_read_subject(c, &rq->subject, f));
    TRY(api_get_double(c, "abstain_below", 0, 0, 1, abstain_below, f));
    rq->id = str_from(c->rq->id);
    rq->arena = c->a;
    rq->gone = client_left;
    rq->gone_ctx = c->rq;
    rq->top_logprobs = -1;
    return E_OK;
}
