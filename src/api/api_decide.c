/* api_decide.c - POST /v1/systemone and /v1/decide: typed decisions of a model. A state (what is
 * known) and questions with named choices, levels or yes and no go in; probabilities come out. Each
 * question is one forward pass over a prompt in which the options carry letters; the probabilities
 * are those of the letters as the first token of the answer, among the letters. Nothing is
 * generated.
 *
 *     choice  "choice" the likeliest, "probabilities" of all, "confidence" of it
 *     score   "score" the mean of the levels, numbered from 1, weighed by their probabilities,
 *             "legend" the likeliest level
 *     noul    "noul": the probability of true
 *
 * The numbers are the model's own and were measured against nothing, so "calibration" is null; at
 * /v1/decide a task has a fitted one (api_decide_task.c). /v1/decide takes abstain_below as well
 * and says "abstain" of an answer whose confidence is below it. Each question has its record. */
#include "api/api_decide.h"
#include "api/api_chat.h"
#include "api/api_routes.h"

#include <math.h>

enum { QUESTIONS_MAX = 64, OPTIONS_MAX = 26, LEVELS_MIN = 2, LEVELS_MAX = 10 };

static const api_field question_fields[] = {
    {"type", API_FIELD_READ, NULL},
    {"instructions", API_FIELD_READ, NULL},
    {"criteria", API_FIELD_READ, NULL},
};

typedef enum question_kind { ASK_CHOICE, ASK_SCORE, ASK_NOUL } question_kind;

typedef struct option {
    str name, text; /* text: what it means; "" none */
} option;

typedef struct question {
    str id, instructions;
    question_kind kind;
    option options[OPTIONS_MAX];
    size_t n;
    double p[OPTIONS_MAX]; /* the answer */
    size_t best;
} question;

typedef struct decide {
    api_chat chat;
    str state;
    question *questions; /* [n] */
    size_t n;
    double abstain_below; /* 0 = never */
    bool ours;            /* /v1/decide */
    int64_t tokens;
    str model; /* what answered */
} decide;

/* ---- reading ---- */

static err read_choices(api_call *c, const json *criteria, question *q, fail *f) {
    if (!criteria || criteria->kind != JSON_OBJECT || criteria->count < 2 ||
        criteria->count > OPTIONS_MAX)
        return api_decide_refuse(c, q->id, "needs criteria: an object of 2 to 26 options", f);
    for (size_t i = 0; i < criteria->count; i++) {
        const json *text = &criteria->members[i].value;
        if (!criteria->members[i].key.n)
            return api_decide_refuse(c, q->id, "has an option without a name", f);
        if (text->kind != JSON_STRING && text->kind != JSON_NULL)
            return api_decide_refuse(c, q->id, "has an option that is neither a text nor null", f);
        q->options[q->n++] =
            (option){criteria->members[i].key, text->kind == JSON_STRING ? text->string : STR("")};
    }
    return E_OK;
}

static err read_levels(api_call *c, const json *criteria, question *q, fail *f) {
    if (!criteria || criteria->kind != JSON_ARRAY || criteria->count < LEVELS_MIN ||
        criteria->count > LEVELS_MAX)
        return api_decide_refuse(c, q->id, "needs criteria: an array of 2 to 10 levels", f);
    for (size_t i = 0; i < criteria->count; i++) {
        if (criteria->items[i].kind != JSON_STRING || !criteria->items[i].string.n)
            return api_decide_refuse(c, q->id, "has a level that is no text", f);
        q->options[q->n++] = (option){criteria->items[i].string, STR("")};
    }
    return E_OK;
}

static err read_truth(api_call *c, const json *criteria, question *q, fail *f) {
    if (criteria && criteria->kind != JSON_NULL && criteria->kind != JSON_OBJECT)
        return api_decide_refuse(c, q->id, "may have criteria {\"true\": ..., \"false\": ...}", f);
    q->options[q->n++] = (option){STR("yes"), api_text_of(criteria, "true")};
    q->options[q->n++] = (option){STR("no"), api_text_of(criteria, "false")};
    return E_OK;
}

static err read_question(api_call *c, const json_member *m, question *q, fail *f) {
    q->id = m->key;
    if (m->value.kind != JSON_OBJECT) return api_decide_refuse(c, q->id, "must be an object", f);
    TRY(api_check_fields(c, &m->value,
                         api_place(c, "questions.%.*s.", STR_ARG(str_slice(q->id, 0, 64))),
                         question_fields, sizeof question_fields / sizeof *question_fields, f));
    str type = api_text_of(&m->value, "type");
    const json *criteria = json_get(&m->value, "criteria");
    q->instructions = api_text_of(&m->value, "instructions");
    if (!q->instructions.n) return api_decide_refuse(c, q->id, "needs instructions, as a text", f);
    if (str_is(type, "choice")) return q->kind = ASK_CHOICE, read_choices(c, criteria, q, f);
    if (str_is(type, "score")) return q->kind = ASK_SCORE, read_levels(c, criteria, q, f);
    if (str_is(type, "noul")) return q->kind = ASK_NOUL, read_truth(c, criteria, q, f);
    return api_decide_refuse(c, q->id, "needs a type: choice, score or noul", f);
}

static err read_questions(api_call *c, decide *d, fail *f) {
    const json *all = json_get(c->body, "questions");
    if (!all || all->kind != JSON_OBJECT || !all->count || all->count > QUESTIONS_MAX)
        return api_refuse(c, f, "questions", "questions must be an object of 1 to %d questions",
                          QUESTIONS_MAX);
    d->questions = arena_new_n(c->a, question, all->count);
    if (!d->questions) return fail_memory(f, "questions");
    d->n = all->count;
    for (size_t i = 0; i < d->n; i++) TRY(read_question(c, &all->members[i], &d->questions[i], f));
    return E_OK;
}

/* The letters are scored where the answer begins: a model that thinks first is told not to. */
static err answer_at_once(gen_request *rq, fail *f) {
    json *extra = arena_new(rq->arena, json);
    json_member *m = arena_new_n(rq->arena, json_member, API_THINK_VARIABLES);
    if (!extra || !m) return fail_memory(f, "template variables");
    api_think_variables(m, false);
    *extra = (json){.kind = JSON_OBJECT, .count = API_THINK_VARIABLES, .members = m};
    rq->extra = extra;
    return E_OK;
}

static err read_body(api_call *c, decide *d, fail *f) {
    gen_request *rq = &d->chat.request;
    TRY(api_decide_common(c, &d->chat, &d->abstain_below, f));
    if (d->abstain_below > 0 && !d->ours)
        return api_refuse(c, f, "abstain_below", "abstain_below is taken at /v1/decide only");
    TRY(answer_at_once(rq, f));
    TRY(api_decide_state(c, &d->state, f));
    return read_questions(c, d, f);
}

/* ---- asking ---- */

/* instructions, the state, the lettered options */
static err make_prompt(const decide *d, const question *q, arena *a, str *out, fail *f) {
    buf b = {0};
    buf_put(&b, q->instructions);
    buf_put(&b, STR("\n\n"));
    buf_put(&b, d->state);
    buf_put(&b, STR("\n\nOptions:\n"));
    for (size_t i = 0; i < q->n; i++) {
        char letter[] = {(char)('A' + (int)i), '.', ' ', 0};
        buf_put(&b, str_from(letter));
        buf_put(&b, q->options[i].name);
        if (q->options[i].text.n) buf_put(&b, STR(": "));
        buf_put(&b, q->options[i].text);
        buf_put_char(&b, '\n');
    }
    buf_put(&b, STR("\nAnswer with the letter of one option only."));
    err e = buf_ok(&b, f);
    *out = e == E_OK ? arena_str(a, buf_str(&b)) : STR_NONE;
    buf_deinit(&b);
    return e == E_OK && !out->p ? fail_memory(f, "a question") : e;
}

/* Log-probabilities to probabilities among themselves. */
static void settle(question *q, const double *logprob) {
    double sum = 0;
    for (size_t i = 1; i < q->n; i++)
        if (logprob[i] > logprob[q->best]) q->best = i;
    for (size_t i = 0; i < q->n; i++) sum += q->p[i] = exp(logprob[i] - logprob[q->best]);
    for (size_t i = 0; i < q->n; i++) q->p[i] /= sum;
}

static err decide_one(void *self, const gen_provider *p, gen_exchange *x, fail *f) {
    question *q = self;
    str letters[OPTIONS_MAX];
    static const char all[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    double logprob[OPTIONS_MAX];
    if (!p->score) return fail_set(f, E_UNDONE, "this model cannot decide");
    for (size_t i = 0; i < q->n; i++) letters[i] = (str){all + i, 1};
    TRY(p->score(p->self, x->request, letters, q->n, logprob, &x->reply->prompt_tokens, f));
    settle(q, logprob);
    x->reply->text = q->options[q->best].name;
    x->reply->model = x->request->model;
    return E_OK;
}

static err ask(decide *d, size_t at, fail *f) {
    question *q = &d->questions[at];
    api_chat one = d->chat;
    gen_reply reply = {0};
    gen_message message = {.role = GEN_USER};
    gen_request *rq = &one.request;
    TRY(make_prompt(d, q, rq->arena, &message.content, f));
    rq->messages = &message;
    rq->n_messages = 1;
    if (at) rq->id = arena_printf(rq->arena, "%.*s-%zu", STR_ARG(rq->id), at);
    if (!rq->id.p) return fail_memory(f, "a question");
    one.how = decide_one;
    one.how_self = q;
    gen_exchange x = {.request = rq, .reply = &reply};
    TRY(api_run_chat(&one, &x, f));
    d->tokens += reply.prompt_tokens;
    d->model = reply.model;
    return E_OK;
}

/* ---- writing ---- */

static void put_probabilities(json_writer *w, const question *q) {
    json_key(w, "probabilities");
    if (q->kind == ASK_SCORE) {
        json_begin_array(w);
        for (size_t i = 0; i < q->n; i++) json_put_double(w, q->p[i]);
        json_end_array(w);
        return;
    }
    json_begin_object(w);
    for (size_t i = 0; i < q->n; i++) {
        json_key_str(w, q->options[i].name);
        json_put_double(w, q->p[i]);
    }
    json_end_object(w);
}

static void put_answer(const decide *d, json_writer *w, const question *q) {
    static const char *const kinds[] = {"choice", "score", "noul"};
    double mean = 0;
    for (size_t i = 0; i < q->n; i++) mean += q->p[i] * (double)(i + 1);
    json_key_str(w, q->id);
    json_begin_object(w);
    json_field_z(w, "type", kinds[q->kind]);
    if (q->kind == ASK_CHOICE) json_field_text(w, "choice", q->options[q->best].name);
    if (q->kind == ASK_SCORE) json_field_double(w, "score", mean);
    if (q->kind == ASK_SCORE) json_field_text(w, "legend", q->options[q->best].name);
    if (q->kind == ASK_NOUL)
        json_field_double(w, "noul", q->p[0]);
    else
        put_probabilities(w, q);
    if (q->kind != ASK_NOUL || d->ours) json_field_double(w, "confidence", q->p[q->best]);
    if (d->ours) {
        json_field_bool(w, "abstain", q->p[q->best] < d->abstain_below);
        json_field_text(w, "calibration", STR_NONE);
    }
    json_end_object(w);
}

/* A task answers in our shape only: that of /v1/systemone has no place for what it does not know.
 */
static err refuse_task(api_call *c, fail *f) {
    c->param = "model";
    c->code = "cannot_decide";
    fail_set(f, E_UNDONE, "a task decides by its own labels and threshold");
    return fail_hint(f, "ask it at /v1/decide or /v1/tasks/NAME/ask");
}

err api_decide(api_call *c, fail *f) {
    decide d = {.chat = {.call = c}, .ours = str_is(c->rq->path, "/v1/decide")};
    if (str_starts(api_text_of(c->body, "model"), STR("task:")))
        return d.ours ? api_decide_task(c, f) : refuse_task(c, f);
    TRY(read_body(c, &d, f));
    for (size_t i = 0; i < d.n; i++) TRY(ask(&d, i, f));
    json_writer *w = &c->w;
    json_begin_object(w);
    json_field_text(w, "model", d.model);
    json_key(w, "answers");
    json_begin_object(w);
    for (size_t i = 0; i < d.n; i++) put_answer(&d, w, &d.questions[i]);
    json_end_object(w);
    json_key(w, "usage");
    json_begin_object(w);
    json_field_int(w, "input_tokens", d.tokens);
    json_field_int(w, "output_tokens", 0);
    json_end_object(w);
    json_end_object(w);
    return E_OK;
}
