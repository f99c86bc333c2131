/* gen.c - names of the vocabulary, the trace as JSON, and the step from stage to stage; see gen.h.
 */
#include "gen/gen.h"

#include <math.h>

static const struct {
    const char *code, *text;
} reasons[GEN_REASON_COUNT] = {
#define X(id, name, words) [id] = {name, words},
    GEN_REASON_TABLE(X)
#undef X
};

static const char *const tier_names[] = {"none", "cache", "slm", "llm", "human"};
static const char *const outcome_names[] = {"answered", "passed_on", "skipped", "failed", "queued"};

const char *gen_reason_code(gen_reason r) {
    CHECK(r < GEN_REASON_COUNT);
    return reasons[r].code;
}
const char *gen_reason_text(gen_reason r) {
    CHECK(r < GEN_REASON_COUNT);
    return reasons[r].text;
}
const char *gen_tier_name(gen_tier t) {
    CHECK(t <= GEN_TIER_HUMAN);
    return tier_names[t];
}
const char *gen_outcome_name(gen_outcome o) {
    CHECK(o <= GEN_QUEUED);
    return outcome_names[o];
}

bool gen_tier_of(str name, gen_tier *out) {
    for (int t = GEN_TIER_CACHE; t <= GEN_TIER_HUMAN; t++)
        if (str_is(name, tier_names[t])) {
            *out = (gen_tier)t;
            return true;
        }
    return false;
}

/* "" is written as null: an absent text and an empty one are the same thing to who reads a trace.
 */
static void put_step(json_writer *w, const gen_step *s) {
    json_begin_object(w);
    json_field_text(w, "tier", str_from(gen_tier_name(s->tier)));
    json_field_text(w, "outcome", str_from(gen_outcome_name(s->outcome)));
    json_field_text(w, "reason", str_from(gen_reason_code(s->reason)));
    json_field_text(w, "why", str_from(gen_reason_text(s->reason)));
    json_field_text(w, "model", s->model);
    json_field_text(w, "label", s->label);
    json_field_double(w, "confidence", s->confidence);
    json_field_double(w, "threshold", s->threshold);
    json_key(w, "signals");
    json_begin_object(w);
    for (size_t i = 0; i < s->n_signals; i++)
        json_field_double(w, s->signals[i].name, s->signals[i].value);
    json_end_object(w);
    json_field_text(w, "draft", s->draft);
    json_field_int(w, "tokens_in", s->tokens_in);
    json_field_int(w, "tokens_out", s->tokens_out);
    json_field_int(w, "latency_us", s->latency_us);
    if (s->first_token_us > 0) {
        json_field_int(w, "queue_us", s->queue_us);
        json_field_int(w, "first_token_us", s->first_token_us);
    }
    json_field_double(w, "cost_usd", s->cost_usd);
    json_field_text(w, "note", s->note);
    json_end_object(w);
}

void gen_passages_put_json(json_writer *w, const gen_passage *passages, size_t n) {
    json_begin_array(w);
    for (size_t i = 0; i < n; i++) {
        const gen_passage *p = &passages[i];
        json_begin_object(w);
        json_field_text(w, "id", p->id);
        json_field_text(w, "title", p->title);
        json_field_text(w, "text", p->text);
        json_field_double(w, "score", p->score);
        json_end_object(w);
    }
    json_end_array(w);
}

void gen_trace_put_json(json_writer *w, const gen_trace *t) {
    json_begin_object(w);
    json_field_text(w, "id", t->request_id);
    json_field_text(w, "trace_id", t->trace_id);
    json_field_int(w, "at_ms", t->at_ms);
    json_field_text(w, "task_id", t->task_id);
    json_field_text(w, "task", t->task_name);
    json_field_text(w, "tenant", t->tenant);
    json_field_text(w, "subject", t->subject);
    json_field_text(w, "purpose", t->purpose);
    json_field_text(w, "task_digest", t->task_digest);
    json_field_text(w, "model_digest", t->model_digest);
    json_field_text(w, "question", t->question);
    json_key(w, "steps");
    json_begin_array(w);
    for (size_t i = 0; i < t->n_steps; i++) put_step(w, &t->steps[i]);
    json_end_array(w);
    json_field_text(w, "tier", str_from(gen_tier_name(t->tier)));
    json_field_text(w, "reason", str_from(gen_reason_code(t->reason)));
    json_field_text(w, "why", str_from(gen_reason_text(t->reason)));
    json_field_text(w, "label", t->label);
    json_field_double(w, "confidence", t->confidence);
    json_field_text(w, "answer", t->answer);
    json_key(w, "passages");
    gen_passages_put_json(w, t->passages, t->n_passages);
    json_field_text(w, "review", t->review);
    json_field_text(w, "url", t->url);
    json_field_int(w, "expected_by_ms", t->expected_by_ms);
    json_field_double(w, "cost_usd", t->cost_usd);
    json_field_int(w, "latency_us", t->latency_us);
    json_end_object(w);
}

err gen_next(gen_exchange *x, const gen_stage *rest, fail *f) {
    CHECK(rest->run);
    return rest->run(rest->self, x, rest + 1, f);
}
