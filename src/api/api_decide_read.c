/* api_decide_read.c - what a decision's body says, whether a model is asked or a task. */
#include "api/api_chat.h"
#include "api/api_decide.h"
#include "api/api_routes.h"

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

err api_decide_common(api_call *c, api_chat *chat, double *abstain_below, fail *f) {
    str model;
    TRY(api_check_fields(c, c->body, "", fields, sizeof fields / sizeof *fields, f));
    TRY(api_get_str(c, "model", STR(""), &model, f));
    TRY(api_ask_begin(c, chat, model, f));
    TRY(api_read_subject(c, &chat->request.subject, f));
    return api_get_double(c, "abstain_below", 0, 0, 1, abstain_below, f);
}
