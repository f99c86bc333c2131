/* api_decide_task.c - POST /v1/decide with a task: its small tier decides which of the task's
 * labels the state is, and says with what probability. That number is calibrated: it was fitted on
 * cross-validated examples, and "calibration" says on how many, how far off it was and what it
 * covers. It is one number, of the best label; what is left is not divided among the others, for
 * nothing measured that. Nobody else is asked and nothing is queued: "reason" says what the task
 * would have done, "abstain" whether the label should not be relied on. One record, as of a chat.
 */
#include "api/api_chat.h"
#include "api/api_decide.h"
#include "api/api_routes.h"

#include <math.h>

static const api_field question_fields[] = {
    {"type", API_FIELD_READ, NULL},
    {"instructions", API_FIELD_IGNORED, NULL}, /* the task has its own question */
    {"criteria", API_FIELD_READ, NULL},
};

typedef struct judged {
    api_chat chat;
    str id;               /* of the question */
    const json *criteria; /* object of labels; NULL: all of the task's */
    double abstain_below;
    const gen_trace *trace;
    str label; /* STR_NONE: none of those listed, or nothing is known */
    double p;  /* of label; 0 where there is none */
    route *task;
} judged;

static bool is_listed(const json *criteria, str label) {
    for (size_t i = 0; i < criteria->count; i++)
        if (str_eq(criteria->members[i].key, label)) return true;
    return false;
}

/* What is listed must be labels of the task. */
static err check_criteria(api_call *c, const judged *m, fail *f) {
    str *names;
    size_t n;
    TRY(route_label_names(m->task, c->a, &names, &n, f));
    for (size_t i = 0; m->criteria && i < m->criteria->count; i++) {
        bool known = false;
        for (size_t k = 0; k < n; k++) known |= str_eq(names[k], m->criteria->members[i].key);
        if (!known)
            return api_decide_refuse(c, m->id,
                                     "has a criterion that is no label of the task; leave criteria "
                                     "out for all of its labels",
                                     f);
    }
    return E_OK;
}

static err read_question(api_call *c, judged *m, fail *f) {
    const json *all = json_get(c->body, "questions");
    if (!all || all->kind != JSON_OBJECT || all->count != 1)
        return api_refuse(c, f, "questions",
                          "questions must be an object of one question: a task has one");
    const json *q = &all->members[0].value, *criteria = json_get(q, "criteria");
    m->id = all->members[0].key;
    if (q->kind != JSON_OBJECT) return api_decide_refuse(c, m->id, "must be an object", f);
    TRY(api_check_fields(c, q, "questions.", question_fields,
                         sizeof question_fields / sizeof *question_fields, f));
    if (!str_is(api_text_of(q, "type"), "choice"))
        return api_decide_refuse(c, m->id,
                                 "must be of type choice: a task decides among its labels", f);
    if (api_is_empty(criteria)) return E_OK;
    if (criteria->kind != JSON_OBJECT)
        return api_decide_refuse(c, m->id, "may have criteria: an object of labels of the task", f);
    m->criteria = criteria;
    return E_OK;
}

static err read_body(api_call *c, judged *m, gen_message *message, fail *f) {
    const api_models *models = &c->api->o.models;
    gen_request *rq = &m->chat.request;
    str id;
    TRY(api_decide_common(c, &m->chat, &m->abstain_below, f));
    m->chat.judges = true;
    TRY(api_decide_state(c, &message->content, f));
    if (!str_trim(message->content).n)
        return api_refuse(c, f, "state", "state holds nothing to decide about");
    rq->messages = message;
    rq->n_messages = 1;
    TRY(read_question(c, m, f));
    c->param = "model";
    err e = models->task(models->self, m->chat.task_name, &m->task, &id, f);
    if (e == E_NOT_FOUND) c->code = "model_not_found";
    TRY(e);
    c->param = NULL;
    return check_criteria(c, m, f);
}

/* Reasons that speak of doubt in the label; others are what the task does with it. */
static bool is_doubt(gen_reason why) {
    static const gen_reason doubts[] = {GEN_WHY_UNSURE,      GEN_WHY_UNKNOWN,  GEN_WHY_OTHER,
                                        GEN_WHY_LANGUAGE,    GEN_WHY_TWO,      GEN_WHY_FOLLOW_UP,
                                        GEN_WHY_TOO_LONG,    GEN_WHY_PROVIDER, GEN_WHY_NOT_PROVEN,
                                        GEN_WHY_WANTS_PERSON};
    for (size_t i = 0; i < sizeof doubts / sizeof *doubts; i++)
        if (why == doubts[i]) return true;
    return false;
}

static void settle(judged *m) {
    const gen_step *s = &m->trace->steps[0];
    bool known = s->label.n && !isnan(s->confidence);
    if (!known || (m->criteria && !is_listed(m->criteria, s->label))) return;
    m->label = s->label;
    m->p = s->confidence;
}

static bool abstains(const judged *m) {
    const gen_step *s = &m->trace->steps[0];
    return !m->label.p || is_doubt(s->reason) || !(m->p >= s->threshold) || m->p < m->abstain_below;
}

static err put_answer(json_writer *w, const judged *m, fail *f) {
    const gen_step *s = &m->trace->steps[0];
    bool listed = m->label.p || !s->label.n;
    json_key_str(w, m->id);
    json_begin_object(w);
    json_field_z(w, "type", "choice");
    json_field_text(w, "choice", m->label);
    json_key(w, "probabilities");
    json_begin_object(w);
    if (m->label.p) {
        json_key_str(w, m->label);
        json_put_double(w, m->p);
    }
    json_end_object(w);
    json_field_double(w, "rest", 1 - m->p);
    json_field_double(w, "confidence", m->p);
    json_field_double(w, "threshold", s->threshold);
    json_field_bool(w, "abstain", abstains(m));
    json_field_bool(w, "automatic", s->outcome == GEN_ANSWERED);
    json_field_z(w, "reason", listed ? gen_reason_code(s->reason) : "not_listed");
    json_field_z(w, "why",
                 listed ? gen_reason_text(s->reason)
                        : "the task's best label is none of the criteria");
    json_key(w, "calibration");
    TRY(route_calibration(m->task, w, f));
    json_end_object(w);
    return E_OK;
}

err api_decide_task(api_call *c, fail *f) {
    gen_message message = {.role = GEN_USER};
    gen_reply reply = {0};
    judged m = {.chat = {.call = c}};
    TRY(read_body(c, &m, &message, f));
    gen_exchange x = {.request = &m.chat.request, .reply = &reply};
    c->code = NULL;
    err e = api_run_chat(&m.chat, &x, f);
    if (e == E_UNDONE) c->code = "cannot_decide";
    TRY(e);
    m.trace = x.trace;
    settle(&m);
    json_writer *w = &c->w;
    json_begin_object(w);
    json_field_text(w, "model", m.chat.request.model);
    json_key(w, "answers");
    json_begin_object(w);
    TRY(put_answer(w, &m, f));
    json_end_object(w);
    json_key(w, "usage");
    json_begin_object(w);
    json_field_int(w, "input_tokens", reply.prompt_tokens);
    json_field_int(w, "output_tokens", 0);
    json_end_object(w);
    json_end_object(w);
    return E_OK;
}
