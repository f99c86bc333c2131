/* audit_stage.c - the record as one stage of a request.
 *
 * Opens a trace where there is none (a chat with a model, without a task), lets the stages below
 * fill it, and keeps it before the last byte leaves: the reply is ended only after this stage
 * returned. A failed request is kept as well, with the error as the note of its last step. */
#include "audit/audit.h"

#include "base/clock.h"

#include <math.h>

static str question_of(const gen_request *rq) {
    for (size_t i = rq->n_messages; i > 0; i--)
        if (rq->messages[i - 1].role == GEN_USER) return rq->messages[i - 1].content;
    return STR("");
}

static err open_trace(gen_exchange *x, fail *f) {
    if (!x->trace) {
        x->trace = arena_new(x->request->arena, gen_trace);
        if (!x->trace) return fail_memory(f, "a request's record");
        x->trace->confidence = (double)NAN;
    }
    gen_trace *t = x->trace;
    if (!t->request_id.n) t->request_id = x->request->id;
    if (!t->trace_id.n) t->trace_id = x->request->trace_id;
    if (!t->at_ms) t->at_ms = clock_now_ms();
    return E_OK;
}

/* The words of a reply, before them what was thought, below them each call as one line of JSON.
 * STR_NONE: no memory. */
static str answer_of(const gen_exchange *x) {
    const gen_reply *r = x->reply;
    buf b = {0};
    if (!r->n_calls && !r->reasoning.n) return r->text;
    if (r->reasoning.n) buf_printf(&b, "<think>\n%.*s\n</think>\n", STR_ARG(r->reasoning));
    buf_put(&b, r->text);
    for (size_t i = 0; i < r->n_calls; i++) {
        json_writer w = {.out = &b};
        if (b.n) buf_put_char(&b, '\n');
        json_begin_object(&w);
        json_field_str(&w, "call", r->calls[i].name);
        json_key(&w, "arguments");
        json_put_raw(&w, r->calls[i].arguments);
        json_end_object(&w);
    }
    str all = b.failed ? STR_NONE : arena_str(x->request->arena, buf_str(&b));
    buf_deinit(&b);
    return all;
}

/* Microseconds from the hand-in to `ns`; 0 where either is not said. */
static int64_t since_us(const gen_timings *t, int64_t ns) {
    return ns && t->submitted_ns ? (ns - t->submitted_ns) / 1000 : 0;
}

/* What the stages below did not say, for requests without a task. */
static void complete(gen_exchange *x, int64_t latency_us, err e, const fail *why) {
    gen_trace *t = x->trace;
    if (!t->tenant.n) t->tenant = x->request->tenant;
    if (!t->subject.n) t->subject = x->request->subject;
    if (!t->purpose.n) t->purpose = STR("answer");
    if (!t->question.n) t->question = question_of(x->request);
    if (!t->latency_us) t->latency_us = latency_us;
    if (!t->task_name.n) t->task_name = x->request->model;
    if (e == E_OK && t->n_steps == 0) {
        t->answer = answer_of(x);
        t->steps[t->n_steps++] =
            (gen_step){.tier = GEN_TIER_NONE,
                       .outcome = GEN_ANSWERED,
                       .model = x->reply->model,
                       .confidence = (double)NAN,
                       .threshold = (double)NAN,
                       .tokens_in = x->reply->prompt_tokens,
                       .tokens_out = x->reply->completion_tokens,
                       .queue_us = since_us(&x->reply->timings, x->reply->timings.started_ns),
                       .first_token_us = since_us(&x->reply->timings, x->reply->timings.first_ns),
                       .latency_us = latency_us};
    }
    if (e != E_OK && t->n_steps < GEN_STEPS_MAX)
        t->steps[t->n_steps++] = (gen_step){.outcome = GEN_FAILED,
                                            .reason = GEN_WHY_PROVIDER,
                                            .confidence = (double)NAN,
                                            .threshold = (double)NAN,
                                            .note = str_from(why ? why->text : err_name(e))};
}

static err stage_run(void *self, gen_exchange *x, const gen_stage *rest, fail *f) {
    audit *a = self;
    int64_t start_ns = clock_mono_ns();
    TRY(open_trace(x, f));
    err e = gen_next(x, rest, f);
    complete(x, (clock_mono_ns() - start_ns) / 1000, e, f);
    err kept = audit_put(a, x->trace, e == E_OK ? f : NULL);
    return e == E_OK ? kept : e; /* the first error is the one to report */
}

gen_stage audit_stage(audit *a) {
    return (gen_stage){.name = "audit", .self = a, .run = stage_run};
}
