/* route.c - a task in service: opening it, and one question through its tiers; see route.h and
 * route_int.h. */
#include "base/clock.h"
#include "base/mem.h"
#include "route/route_int.h"
#include "stat/stat_score.h"

#include <math.h>

enum { ROUTE_HISTORY_TURNS_MAX = 8, ROUTE_QUESTION_BYTES_MAX = 16384 };

/* ---- life ---- */

static err copy_options(route *r, const route_options *o, fail *f) {
    r->o = *o;
    r->o.task_path = arena_z(&r->arena, str_from(o->task_path));
    r->o.embedder_digest = arena_z(&r->arena, str_from(o->embedder_digest));
    r->o.url_base = arena_z(&r->arena, str_from(o->url_base));
    return r->o.task_path && r->o.embedder_digest && r->o.url_base ? E_OK
                                                                   : fail_memory(f, "a task");
}

static void init_locks(route *r) {
    mutex *locks[] = {&r->lock, &r->refresh_lock, &r->sentence_lock, &r->fit_lock, &r->fitter_lock};
    for (size_t i = 0; i < sizeof locks / sizeof *locks; i++) mutex_init(locks[i]);
    cond_init(&r->fitter_wake);
}

/* A head that does not fit the file's examples or the model is made anew before the first question;
 * one that only lacks people's newest labels serves, with those beside it. */
static err fit_if_needed(route *r, fail *f) {
    route_brain *b;
    TRY(route_hold(r, &b, f));
    bool other_examples =
        b->head && !str_is(str_from(b->head->examples_digest), b->file->task->examples_digest);
    size_t examples = 0;
    for (size_t i = 0; i < b->file->task->n_labels; i++)
        examples += b->file->task->labels[i].n_examples;
    bool needed = r->o.embedder && (other_examples || (!b->head && examples > 0));
    route_drop(b);
    if (!needed) return E_OK;
    route_fit_report report;
    arena a;
    arena_init(&a, 0);
    err e = route_refit(r, NULL, 0, &a, &report, f);
    arena_deinit(&a);
    return e;
}

err route_open(route **out, const route_options *o, fail *f) {
    route *r = mem_zero(sizeof *r);
    if (!r) return fail_memory(f, "a task");
    r->generation = -1;
    arena_init(&r->arena, 4096);
    arena_init(&r->sentence_arena, 0);
    init_locks(r);
    err e = copy_options(r, o, f);
    if (e == E_OK) e = fit_if_needed(r, f);
    if (e == E_OK && o->background) {
        e = route_fitter_start(r, f);
        if (e == E_OK && route_is_stale(r)) route_fit_in_background(r);
    }
    if (e != E_OK) {
        route_close(r);
        return e;
    }
    *out = r;
    return E_OK;
}

void route_close(route *r) {
    if (!r) return;
    route_fitter_stop(r);
    route_drop(r->brain);
    route_file_drop(r->sentence_file);
    arena_deinit(&r->sentence_arena);
    arena_deinit(&r->arena);
    mutex *locks[] = {&r->lock, &r->refresh_lock, &r->sentence_lock, &r->fit_lock, &r->fitter_lock};
    for (size_t i = 0; i < sizeof locks / sizeof *locks; i++) mutex_deinit(locks[i]);
    cond_deinit(&r->fitter_wake);
    mem_free(r);
}

/* ---- one question ---- */

static const char *const role_names[] = {"system", "customer", "desk", "tool"};

/* The last user message is the question; what came before, the newest turns, is its history. */
static err read_question(route_case *c, fail *f) {
    const gen_request *rq = c->rq;
    size_t last = rq->n_messages;
    while (last > 0 && rq->messages[last - 1].role != GEN_USER) last--;
    if (last == 0) return fail_set(f, E_INPUT, "there is no message of role \"user\" to answer");
    c->text = str_trim(rq->messages[last - 1].content);
    if (c->text.n > ROUTE_QUESTION_BYTES_MAX) {
        fail_set(f, E_TOO_LARGE, "the question has %zu bytes, above the limit of %d", c->text.n,
                 ROUTE_QUESTION_BYTES_MAX);
        return fail_hint(f, "ask in fewer words; nothing was cut");
    }
    buf history = {0};
    size_t first = last - 1 > ROUTE_HISTORY_TURNS_MAX ? last - 1 - ROUTE_HISTORY_TURNS_MAX : 0;
    for (size_t i = first; i + 1 < last; i++)
        if (rq->messages[i].role == GEN_USER || rq->messages[i].role == GEN_ASSISTANT)
            buf_printf(&history, "%s: %.*s\n", role_names[rq->messages[i].role],
                       STR_ARG(rq->messages[i].content));
    err e = buf_ok(&history, f);
    c->history = e == E_OK ? arena_str(c->a, buf_str(&history)) : STR_NONE;
    buf_deinit(&history);
    if (e == E_OK && !c->history.p) e = fail_memory(f, "a question");
    return e;
}

static err begin_trace(route_case *c, fail *f) {
    const task *t = c->brain->file->task;
    gen_trace *x = c->trace;
    *x = (gen_trace){.request_id = c->rq->id,
                     .trace_id = c->rq->trace_id,
                     .at_ms = clock_now_ms(),
                     .task_id = arena_str(c->a, t->id),
                     .task_name = arena_str(c->a, t->name),
                     .tenant = c->rq->tenant,
                     .subject = c->rq->subject,
                     .purpose = c->how->dry ? STR("evaluate") : STR("answer"),
                     .task_digest = arena_str(c->a, str_from(t->digest)),
                     .model_digest = arena_str(c->a, str_from(c->r->o.embedder_digest)),
                     .question = c->text,
                     .confidence = (double)NAN};
    if (!x->task_id.p || !x->task_name.p || !x->task_digest.p || !x->model_digest.p)
        return fail_memory(f, "a trace");
    return E_OK;
}

typedef struct tier_row {
    gen_tier tier;
    err (*run)(route_case *c, gen_step *step, fail *f);
} tier_row;

/* in order of price */
static const tier_row tiers[] = {
    {GEN_TIER_SLM, route_small},
    {GEN_TIER_LLM, route_large},
    {GEN_TIER_HUMAN, route_human},
};

static bool tier_present(const route_case *c, gen_tier tier) {
    const task *t = c->brain->file->task;
    if (tier == GEN_TIER_SLM) return t->slm.present;
    if (tier == GEN_TIER_LLM) return t->llm.present;
    return t->human.present && c->r->o.people.ask;
}

static err run_tier(route_case *c, const tier_row *row, fail *f) {
    gen_step *step = &c->trace->steps[c->trace->n_steps];
    int64_t start_ns = clock_mono_ns();
    *step = (gen_step){.tier = row->tier,
                       .confidence = (double)NAN,
                       .threshold = (double)NAN,
                       .start_ns = start_ns};
    TRY(row->run(c, step, f));
    step->latency_us = (clock_mono_ns() - start_ns) / 1000;
    if (step->outcome == GEN_SKIPPED) step->cost_usd = 0;
    c->trace->cost_usd += step->cost_usd;
    c->trace->n_steps++;
    if (step->outcome == GEN_PASSED_ON && row->run != route_draft) c->reason = step->reason;
    if (step->outcome == GEN_FAILED && c->reason == GEN_WHY_NONE) c->reason = step->reason;
    if (step->draft.n) {
        c->draft = step->draft;
        c->draft_from = step->tier;
    }
    return E_OK;
}

/* Tiers may be left out of a task; without people, what nobody may answer is said to be unanswered.
 */
static err run_tiers(route_case *c, fail *f) {
    static const tier_row draft = {GEN_TIER_SLM, route_draft};
    for (size_t i = 0; i < sizeof tiers / sizeof *tiers && !c->done; i++) {
        if (!tier_present(c, tiers[i].tier)) continue;
        if (c->how->small && tiers[i].tier != GEN_TIER_SLM) continue;
        if (tiers[i].tier == GEN_TIER_HUMAN && route_wants_draft(c)) TRY(run_tier(c, &draft, f));
        TRY(run_tier(c, &tiers[i], f));
    }
    if (c->done) return E_OK;
    c->trace->tier = GEN_TIER_NONE;
    c->trace->reason = c->reason;
    c->trace->label = c->guess && !c->guess->is_other ? arena_str(c->a, c->guess->name) : STR("");
    c->trace->confidence = c->guess ? c->guess_confidence : (double)NAN;
    return E_OK;
}

err route_run(route *r, const gen_request *rq, const route_ask *how, gen_trace *trace, fail *f) {
    static const route_ask plain = {0};
    route_case c = {.r = r, .rq = rq, .how = how ? how : &plain, .trace = trace, .a = rq->arena};
    int64_t start_ns = clock_mono_ns();
    TRY(read_question(&c, f));
    TRY(route_hold(r, &c.brain, f));
    err e = begin_trace(&c, f);
    if (e == E_OK && c.text.n == 0) e = fail_set(f, E_INPUT, "the question is empty");
    if (e == E_OK) e = run_tiers(&c, f);
    route_drop(c.brain);
    trace->latency_us = (clock_mono_ns() - start_ns) / 1000;
    return e;
}

static err run_stage(void *self, gen_exchange *x, const gen_stage *rest, fail *f) {
    (void)rest; /* the last of its stages: its tiers answer */
    route *r = self;
    TRY(route_run(r, x->request, NULL, x->trace, f));
    *x->reply = (gen_reply){.text = x->trace->answer.p ? x->trace->answer : STR(""),
                            .model = x->request->model,
                            .finish = GEN_STOP,
                            .trace = x->trace};
    for (size_t i = 0; i < x->trace->n_steps; i++) {
        x->reply->prompt_tokens += x->trace->steps[i].tokens_in;
        x->reply->completion_tokens += x->trace->steps[i].tokens_out;
    }
    return E_OK;
}

gen_stage route_stage(route *r) {
    return (gen_stage){.name = "route", .self = r, .run = run_stage};
}

static err run_judge(void *self, gen_exchange *x, const gen_stage *rest, fail *f) {
    static const route_ask how = {.dry = true, .no_large = true, .small = true};
    gen_trace *t = x->trace;
    route *r = self;
    (void)rest;
    TRY(route_run(r, x->request, &how, t, f));
    const gen_step *s = &t->steps[0];
    bool none = !t->n_steps || s->outcome == GEN_SKIPPED;
    t->purpose = STR("decide");
    if (none || (isnan(s->confidence) && s->reason == GEN_WHY_NOT_PROVEN))
        return fail_set(f, E_UNDONE, "the task \"%.*s\" has %s", STR_ARG(t->task_name),
                        none ? "no small tier that could decide" : "nothing fitted yet");
    t->label = s->label;
    t->confidence = s->confidence;
    t->answer = s->label.p ? s->label : STR("");
    *x->reply = (gen_reply){.text = t->answer,
                            .model = x->request->model,
                            .finish = GEN_STOP,
                            .prompt_tokens = s->tokens_in,
                            .trace = t};
    return E_OK;
}

gen_stage route_judge_stage(route *r) {
    return (gen_stage){.name = "judge", .self = r, .run = run_judge};
}

/* ---- explaining ---- */

static void explain_labels(json_writer *w, const route_brain *b, const fit_answer *x) {
    json_key(w, "labels");
    json_begin_array(w);
    for (size_t i = 0; i < FIT_TOP; i++) {
        const route_label *l = route_brain_label(b, x->top[i].label);
        if (!l) continue;
        json_begin_object(w);
        json_field_str(w, "label", l->name);
        json_field_double(w, "score", x->top[i].score);
        json_end_object(w);
    }
    json_end_array(w);
}

static err explain(route *r, const route_brain *b, str text, json_writer *w, arena *a, fail *f) {
    fit_answer x;
    float *v = arena_new_n(a, float, (size_t)r->o.embedder->width);
    if (!v) return fail_memory(f, "an embedding");
    TRY(r->o.embedder->embed(r->o.embedder->self, &text, 1, true, v, NULL, f));
    TRY(fit_head_predict(b->head->fit, b->taught, text, v, &x, f));
    const route_label *near = route_brain_label(b, x.nearest_label);
    explain_labels(w, b, &x);
    json_field_double(w, "confidence", x.confidence);
    json_field_double(w, "threshold",
                      fit_head_threshold(b->head->fit) > 1 ? (double)NAN
                                                           : fit_head_threshold(b->head->fit));
    json_field_double(w, "novelty", x.novelty);
    json_field_bool(w, "taught", x.taught);
    json_key(w, "nearest");
    json_begin_object(w);
    json_field_str(w, "label", near ? near->name : STR_NONE);
    json_field_double(w, "similarity", x.nearest_similarity);
    json_end_object(w);
    return E_OK;
}

err route_explain(route *r, str text, json_writer *w, fail *f) {
    route_brain *b;
    arena a;
    TRY(route_hold(r, &b, f));
    arena_init(&a, 0);
    err e = b->head
                ? E_OK
                : fail_set(f, E_UNSUPPORTED,
                           "nothing is fitted for this task yet, so there is nothing to explain");
    if (e == E_OK) e = explain(r, b, text, w, &a, f);
    arena_deinit(&a);
    route_drop(b);
    return e;
}

/* ---- describing ---- */

static void put_label(json_writer *w, const route_label *l) {
    json_begin_object(w);
    json_field_str(w, "name", l->name);
    json_field_text(w, "about", l->about);
    json_field_bool(w, "always_human", l->always_human);
    json_field_bool(w, "needs_record", l->needs_record);
    json_field_text(w, "reply", l->reply);
    json_end_object(w);
}

static void put_head(json_writer *w, const route_brain *b) {
    const fit_report *x = b->head ? fit_head_report(b->head->fit) : NULL;
    json_field_int(w, "examples", x ? (int64_t)x->rows : 0);
    json_field_int(w, "learned_since_fit", (int64_t)b->n_rows);
    json_field_double(w, "threshold", x && x->threshold.any ? x->threshold.at : (double)NAN);
    json_key(w, "cross_validated");
    json_begin_object(w);
    json_field_int(w, "rows", x ? (int64_t)x->threshold.n : 0);
    json_field_int(w, "answered", x ? (int64_t)x->threshold.answered : 0);
    json_field_int(w, "wrong", x ? (int64_t)x->threshold.wrong : 0);
    json_field_double(w, "wrong_at_most", x ? x->threshold.high : (double)NAN);
    json_end_object(w);
}

static void put_calibration(json_writer *w, const route_head *h) {
    const fit_report *x = fit_head_report(h->fit);
    json_begin_object(w);
    json_field_text(
        w, "method",
        STR("logistic regression on five figures of cross-validated rows: scores of the "
            "best label, its lead, out of scope, and nearness to the examples; ece and accuracy "
            "are held out, by folds"));
    json_field_int(w, "examples", (int64_t)x->rows);
    json_field_int(w, "out_of_scope", (int64_t)x->other_rows);
    json_field_int(w, "folds", x->folds);
    json_field_double(w, "ece", x->ece);
    json_field_int(w, "ece_bins", STAT_ECE_BINS);
    json_field_double(w, "accuracy", x->accuracy);
    json_field_double(w, "threshold", x->threshold.any ? x->threshold.at : (double)NAN);
    json_field_int(w, "answered", (int64_t)x->threshold.answered);
    json_field_int(w, "wrong", (int64_t)x->threshold.wrong);
    json_field_int(w, "fitted_ms", h->at_ms);
    json_field_text(
        w, "covers",
        STR("that the best label is right and the question in scope, for questions like "
            "the task's examples; not the other labels, and no other wording or time"));
    json_end_object(w);
}

err route_calibration(route *r, json_writer *w, fail *f) {
    route_brain *b;
    TRY(route_hold(r, &b, f));
    if (b->head)
        put_calibration(w, b->head);
    else
        json_put_null(w);
    route_drop(b);
    return E_OK;
}

static void put_tiers(json_writer *w, route *r, const task *t) {
    json_key(w, "tiers");
    json_begin_array(w);
    if (t->slm.present) json_put_z(w, "slm");
    if (t->llm.present && r->o.large) json_put_z(w, "llm");
    if (t->human.present) json_put_z(w, "human");
    json_end_array(w);
    json_field_z(w, "large_tier",
                 !t->llm.present      ? "absent"
                 : !r->o.large        ? "not configured"
                 : !t->llm.private_ok ? "kept out by privacy"
                                      : "ready");
}

err route_describe(route *r, json_writer *w, fail *f) {
    route_brain *b;
    TRY(route_hold(r, &b, f));
    const task *t = b->file->task;
    json_begin_object(w);
    json_field_str(w, "name", t->name);
    json_field_str(w, "id", t->id);
    json_field_str(w, "title", t->title);
    json_field_z(w, "kind", t->kind == TASK_CLASSIFY ? "classify" : "answer");
    json_field_z(w, "mode", task_mode_name(b->mode));
    json_key(w, "file_mode"); /* what it goes back to when the switch is off */
    json_put_z(w, task_mode_name(t->mode));
    json_field_double(w, "max_wrong", t->max_wrong);
    put_tiers(w, r, t);
    put_head(w, b);
    json_key(w, "labels");
    json_begin_array(w);
    for (size_t i = 0; i < b->n_labels; i++) put_label(w, &b->labels[i]);
    json_end_array(w);
    json_end_object(w);
    route_drop(b);
    return E_OK;
}
