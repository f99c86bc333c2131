/* route_human.c - the human tier: the question goes into the people's queue with what is known of
 * it, and the customer gets a reference. The queue itself is desk's, behind gen_people. */
#include "route/route_int.h"

#include "base/clock.h"

#include <math.h>

enum { HUMAN_MINUTES_DEFAULT = 60 };

static void put_step_line(json_writer *w, const gen_step *s) {
    json_begin_object(w);
    json_field_z(w, "tier", gen_tier_name(s->tier));
    json_field_z(w, "reason", gen_reason_code(s->reason));
    json_field_z(w, "why", gen_reason_text(s->reason));
    json_field_text(w, "label", s->label);
    json_field_double(w, "confidence", s->confidence);
    json_field_text(w, "draft", s->draft);
    json_end_object(w);
}

/* What a reviewer sees beside the question: each tier's view and the passages, as JSON. */
static err evidence(route_case *c, str *out, fail *f) {
    buf text = {0};
    json_writer w = {.out = &text};
    const gen_trace *t = c->trace;
    json_begin_object(&w);
    json_key(&w, "steps");
    json_begin_array(&w);
    for (size_t i = 0; i < t->n_steps; i++) put_step_line(&w, &t->steps[i]);
    json_end_array(&w);
    json_key(&w, "passages");
    json_begin_array(&w);
    for (size_t i = 0; i < t->n_passages; i++) {
        json_begin_object(&w);
        json_field_str(&w, "id", t->passages[i].id);
        json_field_str(&w, "title", t->passages[i].title);
        json_field_str(&w, "text", t->passages[i].text);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    err e = buf_ok(&text, f);
    if (e == E_OK) *out = arena_str(c->a, buf_str(&text));
    buf_deinit(&text);
    if (e == E_OK && !out->p) e = fail_memory(f, "evidence");
    return e;
}

static err enqueue(route_case *c, gen_ticket *ticket, fail *f) {
    const task *t = c->brain->file->task;
    gen_review review = {.request_id = c->rq->id,
                         .tenant = c->rq->tenant,
                         .task_id = t->id,
                         .task_name = t->name,
                         .text = c->text,
                         .history = c->history,
                         .draft = c->draft.p ? c->draft : STR(""),
                         .draft_from = c->draft_from,
                         .label = c->guess && !c->guess->is_other ? c->guess->name : STR(""),
                         .confidence = c->guess ? c->guess_confidence : (double)NAN,
                         .reason = c->reason,
                         .expected_minutes = t->human.expected_minutes ? t->human.expected_minutes
                                                                       : HUMAN_MINUTES_DEFAULT};
    store_tx *tx;
    TRY(evidence(c, &review.evidence, f));
    TRY(store_begin(c->r->o.store, STORE_WRITE, &tx, f));
    err e = c->r->o.people.ask(c->r->o.people.self, tx, &review, c->a, ticket, f);
    if (e == E_OK) return store_commit(tx, f);
    store_rollback(tx);
    return e;
}

err route_human(route_case *c, gen_step *step, fail *f) {
    gen_trace *t = c->trace;
    step->cost_usd = c->brain->file->task->human.cost_usd;
    step->outcome = GEN_QUEUED;
    step->reason = GEN_WHY_QUEUED;
    t->tier = GEN_TIER_HUMAN;
    t->reason = c->reason;
    t->label = c->guess && !c->guess->is_other ? arena_str(c->a, c->guess->name) : STR("");
    t->confidence = c->guess ? c->guess_confidence : (double)NAN;
    c->done = true;
    if (c->how->dry) return E_OK;
    gen_ticket ticket = {0};
    TRY(enqueue(c, &ticket, f)); /* a question that cannot be kept is an error, never a promise */
    t->review = ticket.ref;
    t->expected_by_ms = ticket.expected_by_ms;
    const char *base = c->r->o.url_base ? c->r->o.url_base : "";
    if (*base) t->url = arena_printf(c->a, "%s/v1/answers/%.*s", base, STR_ARG(ticket.ref));
    return E_OK;
}
