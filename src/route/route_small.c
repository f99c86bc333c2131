/* route_small.c - the small tier: embedding and head, and the checks of what a head cannot see.
 *
 * In this order: what the words alone forbid (a wish for a person, another language, a follow-up),
 * what the head says (unknown, other, unsure), two questions at once, what the label forbids
 * (always a person, needs a record, no approved text), what the task's mode forbids. What is left
 * is answered: the approved reply, word for word. Else the best sentences become a draft for the
 * next tier. */
#include "base/clock.h"
#include "route/route_int.h"
#include "scan/scan_language.h"
#include "scan/scan_request.h"

#include <math.h>

/* A clause counts as a request of its own from this confidence on (or when its label is `other` by
 * head). */
#define SMALL_CLAUSE_SURE 0.5
#define SMALL_STATEMENT_SURE 0.9 /* a clause that does not ask counts from here on */
#define SMALL_NOVEL 0.65 /* 1 - mean similarity to the nearest examples: resembles nothing */

static void signal(gen_step *s, const char *name, double value) {
    if (s->n_signals < GEN_SIGNALS_MAX) s->signals[s->n_signals++] = (gen_signal){name, value};
}

void route_pass(gen_step *step, gen_reason reason) {
    step->outcome = GEN_PASSED_ON;
    step->reason = reason;
}

void route_decide(route_case *c, gen_step *step, gen_reason reason, str answer) {
    gen_trace *t = c->trace;
    step->outcome = GEN_ANSWERED;
    step->reason = reason;
    t->tier = step->tier;
    t->reason = reason;
    t->label = step->label;
    t->confidence = step->confidence;
    t->answer = answer;
    c->done = true;
}

static gen_reason check_words(const route_case *c) {
    const task *t = c->brain->file->task;
    if (c->how->to_people != GEN_WHY_NONE) return c->how->to_people;
    if (scan_wants_person(c->text)) return GEN_WHY_WANTS_PERSON;
    if (scan_language_is_foreign(c->text, t->languages, t->n_languages)) return GEN_WHY_LANGUAGE;
    if (t->kind == TASK_ANSWER && scan_is_followup(c->text)) return GEN_WHY_FOLLOW_UP;
    return GEN_WHY_NONE;
}

static err embed(route_case *c, str text, float **out, gen_step *step, fail *f) {
    const gen_embedder *m = c->r->o.embedder;
    int64_t tokens = 0;
    float *v = arena_new_n(c->a, float, (size_t)m->width);
    if (!v) return fail_memory(f, "an embedding");
    TRY(m->embed(m->self, &text, 1, false, v, &tokens, f));
    step->tokens_in += tokens;
    *out = v;
    return E_OK;
}

static bool may_answer(const route_case *c, const fit_answer *x) {
    const task *t = c->brain->file->task;
    if (isnan(t->threshold)) return x->above;
    const route_label *l = route_brain_label(c->brain, x->label);
    return l && !l->is_other && x->confidence >= t->threshold;
}

typedef struct clause_view {
    int32_t label;
    bool asks, other,
        sure; /* by its form; `other` by the head; confident enough to count as a statement */
} clause_view;

static err view_clause(route_case *c, gen_step *step, str text, clause_view *out, bool *counts,
                       fail *f) {
    float *v;
    fit_answer x;
    TRY(embed(c, text, &v, step, f));
    TRY(fit_head_predict(c->brain->head->fit, c->brain->taught, text, v, &x, f));
    const route_label *l = route_brain_label(c->brain, x.label);
    *out = (clause_view){x.label, scan_asks(text), !l || l->is_other,
                         x.confidence >= SMALL_STATEMENT_SURE};
    *counts =
        out->asks ? out->other || x.confidence >= SMALL_CLAUSE_SURE : !out->other && out->sure;
    return E_OK;
}

/* A statement beside a question that names nothing of its own ("our flight was cancelled, what do
 * you pay?") is its background, not a second request. */
static bool differ(const clause_view *a, const clause_view *b) {
    if (a->label == b->label) return false;
    if (a->asks == b->asks) return true;
    return !a->other && !b->other;
}

/* Do two clauses of the text ask for different things? The whole text's label does not settle it: a
 * head hears the louder half. */
static err asks_two(route_case *c, gen_step *step, bool *two, fail *f) {
    str clauses[SCAN_CLAUSES_MAX];
    clause_view seen[SCAN_CLAUSES_MAX];
    size_t n = scan_clauses(c->text, clauses), n_seen = 0;
    *two = false;
    for (size_t i = 0; n > 1 && i < n; i++) {
        bool counts;
        TRY(view_clause(c, step, clauses[i], &seen[n_seen], &counts, f));
        if (!counts) continue;
        for (size_t k = 0; k < n_seen; k++) *two = *two || differ(&seen[k], &seen[n_seen]);
        n_seen++;
    }
    return E_OK;
}

static gen_reason check_label(const route_case *c, const fit_answer *x, const route_label *l) {
    if (!l) return GEN_WHY_UNKNOWN;
    if (l->is_other)
        return x->nearest_similarity < 1 - SMALL_NOVEL ? GEN_WHY_UNKNOWN : GEN_WHY_OTHER;
    if (l->always_human) return GEN_WHY_ALWAYS_HUMAN;
    if (!may_answer(c, x)) {
        if (x->novelty > SMALL_NOVEL && !x->taught) return GEN_WHY_UNKNOWN;
        if (l->needs_record) return GEN_WHY_NEEDS_RECORD;
        bool none =
            isnan(c->brain->file->task->threshold) && fit_head_threshold(c->brain->head->fit) > 1;
        if (none && !x->taught) return GEN_WHY_NOT_PROVEN;
        if (c->brain->file->task->kind == TASK_ANSWER && !l->reply.n) return GEN_WHY_NO_REPLY;
        return GEN_WHY_UNSURE;
    }
    if (l->needs_record) return GEN_WHY_NEEDS_RECORD;
    if (c->brain->file->task->kind == TASK_ANSWER && !l->reply.n) return GEN_WHY_NO_REPLY;
    return GEN_WHY_NONE;
}

static gen_reason check_mode(const route_case *c) {
    if (c->brain->mode == TASK_ALL_TO_PEOPLE) return GEN_WHY_ALL_TO_PEOPLE;
    return c->brain->mode == TASK_SUGGEST ? GEN_WHY_SUGGEST : GEN_WHY_NONE;
}

static str answer_of(const route_case *c, const route_label *l) {
    return c->brain->file->task->kind == TASK_CLASSIFY ? l->name : l->reply;
}

/* The passage on which an approved reply rests goes with it. */
err route_cite(route_case *c, const route_label *l, fail *f) {
    gen_trace *t = c->trace;
    if (!l->passage || t->n_passages) return E_OK;
    gen_passage p = {arena_str(c->a, l->passage->id), arena_str(c->a, l->passage->title),
                     arena_str(c->a, str_trim(l->passage->text)), 1};
    if (!p.id.p || !p.title.p || !p.text.p) return fail_memory(f, "a passage");
    t->passages[t->n_passages++] = p;
    return E_OK;
}

/* What a person or the large tier starts from: the label's text, else the best sentences. */
static err make_draft(route_case *c, const route_label *l, gen_reason why, gen_step *step,
                      fail *f) {
    step->draft = STR("");
    bool trusted = why == GEN_WHY_SUGGEST || why == GEN_WHY_ALL_TO_PEOPLE ||
                   why == GEN_WHY_UNSURE || why == GEN_WHY_NOT_PROVEN;
    if (l && !l->is_other && trusted && answer_of(c, l).n) {
        step->draft = arena_str(c->a, answer_of(c, l));
        TRY(route_cite(c, l, f));
    } else if (c->brain->file->task->kind == TASK_ANSWER) {
        size_t n = 0;
        TRY(route_quote(c, l ? l->passage : NULL, &step->draft, c->trace->passages, &n, f));
        c->trace->n_passages = n;
    }
    return step->draft.p ? E_OK : fail_memory(f, "a draft");
}

static void note_answer(route_case *c, const fit_answer *x, const route_label *l, gen_step *step) {
    step->label = l ? arena_str(c->a, l->name) : STR("");
    step->confidence = x->confidence;
    signal(step, "head_score", x->top[0].score);
    if (x->top[1].label >= 0) signal(step, "head_margin", x->top[0].score - x->top[1].score);
    signal(step, "nearest_similarity", x->nearest_similarity);
    signal(step, "novelty", x->novelty);
    c->guess = l;
    c->guess_confidence = x->confidence;
}

static err judge(route_case *c, gen_step *step, fail *f) {
    fit_answer x;
    bool two = false;
    gen_reason why = check_words(c);
    TRY(fit_head_predict(c->brain->head->fit, c->brain->taught, c->text, c->vector, &x, f));
    const route_label *l = route_brain_label(c->brain, x.label);
    note_answer(c, &x, l, step);
    if (why == GEN_WHY_NONE) why = check_label(c, &x, l);
    if (why == GEN_WHY_NONE && c->brain->file->task->kind == TASK_ANSWER && !x.taught)
        TRY(asks_two(c, step, &two, f));
    if (two) why = GEN_WHY_TWO;
    if (why == GEN_WHY_NONE) why = check_mode(c);
    if (why != GEN_WHY_NONE) {
        route_pass(step, why);
        return make_draft(c, l, why, step, f);
    }
    str answer = arena_str(c->a, answer_of(c, l));
    if (!answer.p) return fail_memory(f, "an answer");
    TRY(route_cite(c, l, f));
    route_decide(c, step, x.taught ? GEN_WHY_TAUGHT : GEN_WHY_SURE, answer);
    return E_OK;
}

err route_small(route_case *c, gen_step *step, fail *f) {
    const task *t = c->brain->file->task;
    step->model = arena_str(c->a, t->slm.model);
    step->cost_usd = t->slm.cost_usd;
    if (!c->r->o.embedder) {
        step->outcome = GEN_SKIPPED;
        step->reason = GEN_WHY_NOT_CONFIGURED;
        return E_OK;
    }
    float *v;
    fail local = {0};
    err e = embed(c, c->text, &v, step, &local);
    if (e == E_CONTEXT) { /* said to the next tier, never cut */
        route_pass(step, GEN_WHY_TOO_LONG);
        step->note = arena_str(c->a, str_from(local.text));
        return E_OK;
    }
    if (e != E_OK) {
        step->outcome = GEN_FAILED;
        step->reason = GEN_WHY_PROVIDER;
        step->note = arena_str(c->a, str_from(local.text));
        return E_OK;
    }
    c->vector = v;
    if (!c->brain->head) {
        route_pass(step, GEN_WHY_NOT_PROVEN);
        return make_draft(c, NULL, GEN_WHY_NOT_PROVEN, step, f);
    }
    step->threshold = isnan(t->threshold) ? fit_head_threshold(c->brain->head->fit) : t->threshold;
    if (step->threshold > 1) step->threshold = (double)NAN;
    return judge(c, step, f);
}
