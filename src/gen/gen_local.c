/* gen_local.c - see gen_local.h. */
#include "gen/gen_local.h"

#include "base/clock.h"
#include "base/mem.h"
#include "gen/gen_calls.h"
#include "gen/gen_prompt.h"
#include "gen/gen_shape.h"
#include "gen/gen_think.h"
#include "token/chat.h"

#include <float.h>
#include <math.h>
#include <string.h>

_Static_assert((int)GEN_STOP_BYTES_MAX == (int)ENGINE_STOP_BYTES_MAX,
               "what the engine can look for");

enum {
    LOCAL_WAIT_MS = 100,    /* how often a waiting worker looks whether its client has left */
    PROMPT_END_TOKENS = 16, /* where a tag of thinking may stand */
    PROMPT_END_BYTES = 256
};

struct gen_local {
    arena arena;
    const tokenizer *tokenizer;
    engine *engine;
    const model_adapter *adapter;
    gen_adapters adapters;
    bool isolate_tenants;
    gen_shaper *shaper;
    chat *chat;     /* NULL: none, or one we cannot render */
    fail chat_fail; /* why */
    gen_tools tools;
    gen_think_vocabulary thoughts; /* tags NULL: it does not think, as far as we know */
    str name;
};

static err open_shaper(gen_local *g, fail *f) {
    size_t n;
    const str *marks = gen_tools_marks(&n);
    return gen_shaper_open(&g->shaper, g->tokenizer, marks, n, f);
}

static err open_chat(gen_local *g, const model *m, fail *f) {
    str text = model_about(m)->chat_template;
    err bad = chat_open(&g->chat, g->tokenizer, text, &g->chat_fail);
    if (bad == E_NO_MEMORY) return fail_memory(f, "a chat template");
    if (bad != E_OK) g->chat = NULL;
    TRY(gen_think_vocabulary_init(&g->thoughts, g->chat ? gen_think_find(text) : NULL, g->tokenizer,
                                  f));
    return gen_tools_find(&g->tools, g->chat, text, f);
}

err gen_local_open(gen_local **out, const gen_local_options *o, fail *f) {
    gen_local *g = mem_zero(sizeof *g);
    if (!g) return fail_memory(f, "a generator");
    arena_init(&g->arena, 1024);
    g->tokenizer = model_tokenizer(o->m);
    g->adapter = o->adapter;
    g->adapters = o->adapters;
    g->isolate_tenants = o->isolate_tenants;
    g->name = arena_str(&g->arena, o->name);
    err e = g->name.p ? E_OK : fail_memory(f, "a generator");
    if (e == E_OK) e = open_shaper(g, f);
    if (e == E_OK)
        e = engine_open(&g->engine,
                        &(engine_options){.model = o->m,
                                          .kv = o->kv,
                                          .sequences_max = o->sequences_max,
                                          .waiting_max = o->waiting_max,
                                          .kv_bytes_max = o->kv_bytes_max,
                                          .context_max = o->context_max,
                                          .draft = o->draft},
                        f);
    if (e == E_OK) e = open_chat(g, o->m, f);
    if (e != E_OK) {
        gen_local_close(g);
        return e;
    }
    *out = g;
    return E_OK;
}

void gen_local_close(gen_local *g) {
    if (!g) return;
    engine_close(g->engine);
    gen_shaper_close(g->shaper);
    chat_close(g->chat);
    gen_think_vocabulary_deinit(&g->thoughts);
    arena_deinit(&g->arena);
    mem_free(g);
}

bool gen_local_has_template(const gen_local *g) {
    return g->chat != NULL;
}

void gen_local_stats(const gen_local *g, engine_stats *out) {
    engine_stats_get(g->engine, out);
}

int64_t gen_local_bytes(const gen_local *g) {
    return engine_kv_bytes(g->engine);
}

int32_t gen_local_context(const gen_local *g) {
    return engine_context(g->engine);
}

/* ---- the prompt ---- */

static err read_ids(const gen_local *g, const gen_request *rq, token_ids *out, fail *f) {
    int32_t *ids = arena_new_n(rq->arena, int32_t, rq->n_ids);
    if (!ids) return fail_memory(f, "a prompt");
    for (size_t i = 0; i < rq->n_ids; i++) {
        if (rq->ids[i] < 0 || (size_t)rq->ids[i] >= tokenizer_count(g->tokenizer))
            return fail_set(f, E_INPUT, "token %d of the prompt is outside the vocabulary of %zu",
                            rq->ids[i], tokenizer_count(g->tokenizer));
        ids[i] = rq->ids[i];
    }
    *out = (token_ids){.p = ids, .n = rq->n_ids};
    return E_OK;
}

static err read_prompt(gen_local *g, const gen_request *rq, token_ids *out, fail *f) {
    chat_input in;
    if (rq->n_ids) return read_ids(g, rq, out, f);
    if (rq->n_messages == 0) return fail_set(f, E_INPUT, "there is no message");
    if (rq->raw) {
        token_encode_options o = {.special = TOKEN_SPECIAL_ALL,
                                  .add_bos = tokenizer_adds_bos(g->tokenizer)};
        return tokenizer_encode(g->tokenizer, rq->arena, rq->messages[0].content, &o, out, f);
    }
    if (!g->chat) {
        fail_set(f, E_UNSUPPORTED, "%.*s cannot chat: %s", STR_ARG(g->name), g->chat_fail.text);
        return fail_hint(f, "give it a plain prompt (run --raw)");
    }
    TRY(gen_prompt_make(&in, &g->tools, rq, f));
    return chat_encode(g->chat, rq->arena, &in, out, f);
}

/* Whether the answer to this prompt begins with what the model thinks. */
static gen_think_state begins(const gen_local *g, const gen_request *rq, const token_ids *prompt) {
    char text[PROMPT_END_BYTES];
    size_t n = 0, first = prompt->n > PROMPT_END_TOKENS ? prompt->n - PROMPT_END_TOKENS : 0;
    if (rq->raw || rq->n_ids || !g->thoughts.tags) return GEN_THINK_OFF;
    for (size_t i = first; i < prompt->n; i++) {
        str piece = tokenizer_piece(g->tokenizer, prompt->p[i]);
        if (piece.n > sizeof text - n) n = 0; /* a long one is no tag */
        if (piece.n > sizeof text) continue;
        memcpy(text + n, piece.p, piece.n);
        n += piece.n;
    }
    return gen_think_begin(g->thoughts.tags, (str){text, n});
}

/* ---- the answer ---- */

typedef struct run {
    gen_local *g;
    const gen_request *rq;
    gen_sink sink;
    const gen_tools_plan *plan; /* NULL: nothing can be called */
    gen_think think;
    bool
        reads; /* calls or stops behind what is thought: by the calls' reader, which has the text */
    gen_calls calls;
    buf text;     /* where there is no reader */
    int32_t *ids; /* [max] in the request's arena */
    gen_token *tokens;
    size_t n, max;
    size_t n_prompt;
    engine_finish finish;
    int32_t stop; /* index of the stop that struck; -1 none */
} run;

static err grow(run *r, fail *f) {
    if (r->n < r->max) return E_OK;
    size_t max = r->max ? 2 * r->max : 64;
    int32_t *ids = arena_new_n(r->rq->arena, int32_t, max);
    gen_token *tokens = r->rq->top_logprobs >= 0 ? arena_new_n(r->rq->arena, gen_token, max) : NULL;
    if (!ids || (r->rq->top_logprobs >= 0 && !tokens)) return fail_memory(f, "an answer");
    if (r->n) memcpy(ids, r->ids, r->n * sizeof *ids);
    if (r->n && tokens) memcpy(tokens, r->tokens, r->n * sizeof *tokens);
    r->ids = ids;
    r->tokens = tokens;
    r->max = max;
    return E_OK;
}

static err put_logprobs(run *r, const engine_event *e, gen_token *out, fail *f) {
    gen_logprob *top = arena_new_n(r->rq->arena, gen_logprob, (size_t)e->n_top + 1);
    if (!top) return fail_memory(f, "log-probabilities");
    for (int32_t i = 0; i < e->n_top; i++)
        top[i] = (gen_logprob){e->top[i].id, tokenizer_piece(r->g->tokenizer, e->top[i].id),
                               (double)e->top[i].logprob};
    *out =
        (gen_token){.chosen = {e->id, tokenizer_piece(r->g->tokenizer, e->id), (double)e->logprob},
                    .top = top,
                    .n_top = e->n_top};
    return E_OK;
}

/* What the model says, not what it thinks. */
static err take_said(void *self, const gen_event *event, fail *f) {
    run *r = self;
    if (r->reads) return gen_calls_put(&r->calls, event, f);
    buf_put(&r->text, event->text);
    if (r->sink.put && (event->text.n || event->n_tokens))
        return r->sink.put(r->sink.self, event, f);
    return E_OK;
}

static err take_event(run *r, const engine_event *e, fail *f) {
    gen_event out = {.text = e->text, .prompt_tokens = (int64_t)r->n_prompt};
    if (e->id != TOKEN_NONE) {
        TRY(grow(r, f));
        r->ids[r->n] = e->id;
        if (r->tokens) {
            TRY(put_logprobs(r, e, &r->tokens[r->n], f));
            out.tokens = &r->tokens[r->n];
            out.n_tokens = 1;
        }
        r->n++;
    }
    bool end = e->id != TOKEN_NONE && tokenizer_is_end(r->g->tokenizer, e->id);
    if (r->think.tags) return gen_think_put(&r->think, &out, e->id != TOKEN_NONE && !end, f);
    return take_said(r, &out, f);
}

static err check_time(const gen_request *rq, fail *f) {
    if (rq->gone && rq->gone(rq->gone_ctx)) return fail_set(f, E_CANCELLED, "the client left");
    if (!rq->deadline_ms || clock_now_ms() <= rq->deadline_ms) return E_OK;
    return fail_set(f, E_TIMEOUT, "the request's deadline passed before its answer was whole");
}

/* The deadline on the engine's clock; one that has passed is 1, not "none". */
static int64_t mono_deadline(const gen_request *rq) {
    if (!rq->deadline_ms) return 0;
    int64_t at_ns = clock_mono_ns() + (rq->deadline_ms - clock_now_ms()) * 1000000;
    return at_ns > 0 ? at_ns : 1;
}

static err read_events(run *r, engine_sequence *s, fail *f) {
    r->finish = ENGINE_RUNNING;
    while (r->finish == ENGINE_RUNNING) {
        engine_event event;
        err e = engine_next(s, LOCAL_WAIT_MS, &event, f);
        if (e == E_OK) {
            e = take_event(r, &event, f);
            r->finish = r->reads && r->calls.stopped ? ENGINE_STOP : event.finish;
            r->stop = r->reads ? (r->calls.stopped ? r->calls.stop : -1) : event.stop;
        }
        if (e == E_TIMEOUT) e = E_OK;
        if (e != E_OK) return e;
        if (r->finish == ENGINE_RUNNING) TRY(check_time(r->rq, f));
    }
    if (r->finish == ENGINE_EXPIRED)
        return fail_set(f, E_TIMEOUT,
                        "the request's deadline passed while it waited for its turn; "
                        "nothing of it was begun");
    if (r->think.tags) TRY(gen_think_end(&r->think, f));
    if (r->reads) return gen_calls_end(&r->calls, f);
    return buf_ok(&r->text, f);
}

static gen_finish finish_of(const run *r) {
    if (r->finish == ENGINE_LENGTH) return GEN_LENGTH;
    if (r->finish != ENGINE_STOP) return GEN_FINISH_CANCELLED;
    return r->plan && r->calls.n_calls ? GEN_CALLS : GEN_STOP;
}

static err fill_calls(run *r, gen_reply *out, fail *f) {
    size_t n = r->calls.n_calls;
    gen_call *calls = arena_new_n(r->rq->arena, gen_call, n + 1);
    if (!calls) return fail_memory(f, "calls");
    memcpy(calls, r->calls.calls, n * sizeof *calls);
    out->calls = calls;
    out->n_calls = n;
    return E_OK;
}

/* The answer, and what was thought: apart, or before it. */
static err fill_text(run *r, gen_reply *out, fail *f) {
    arena *a = r->rq->arena;
    str said = buf_str(r->reads ? &r->calls.text : &r->text), thought = buf_str(&r->think.text);
    if (r->think.as_text) {
        buf_put(&r->think.text, said);
        TRY(buf_ok(&r->think.text, f));
        said = buf_str(&r->think.text);
        thought = STR("");
    }
    out->text = arena_str(a, said);
    out->reasoning = arena_str(a, thought);
    out->reasoning_tokens = r->think.tokens;
    return out->text.p && out->reasoning.p ? E_OK : fail_memory(f, "an answer");
}

static err fill_reply(run *r, engine_sequence *s, gen_reply *out, fail *f) {
    engine_timings t;
    engine_timings_get(s, &t);
    /* the end token is not part of the answer */
    size_t n = r->n;
    if (n && tokenizer_is_end(r->g->tokenizer, r->ids[n - 1])) n--;
    *out =
        (gen_reply){.model = r->g->name,
                    .finish = finish_of(r),
                    .stop = r->stop >= 0 ? r->rq->stops[r->stop] : STR(""),
                    .prompt_tokens = (int64_t)r->n_prompt,
                    .completion_tokens = (int64_t)n,
                    .ids = r->ids,
                    .n_ids = n,
                    .tokens = r->tokens,
                    .n_tokens = r->tokens ? n : 0,
                    .timings = {t.prefill_tok_s, t.decode_tok_s, t.first_token_ms, t.known_tokens,
                                t.submitted_ns, t.started_ns, t.first_ns, t.last_ns}};
    TRY(fill_text(r, out, f));
    return r->plan ? fill_calls(r, out, f) : E_OK;
}

static engine_sampling sampling_of(const gen_sampling *s) {
    return (engine_sampling){.temperature = s->temperature,
                             /* the likeliest alone; the engine's 0 is off */
                             .top_p = s->top_p > 0 ? s->top_p : DBL_MIN,
                             .min_p = s->min_p,
                             .top_k = s->top_k,
                             .seed = s->seed,
                             .typical_p = s->typical_p,
                             .repeat_penalty = s->repeat_penalty,
                             .frequency_penalty = s->frequency_penalty,
                             .presence_penalty = s->presence_penalty,
                             .penalty_last_n = s->penalty_last_n,
                             .dry_multiplier = s->dry_multiplier,
                             .dry_base = s->dry_base,
                             .dry_allowed_length = s->dry_allowed_length};
}

/* The request's biases as the engine wants them. */
static err read_bias(const gen_local *g, const gen_request *rq, engine_sampling *out, fail *f) {
    engine_bias *bias = arena_new_n(rq->arena, engine_bias, rq->n_bias + 1);
    size_t tokens = tokenizer_count(g->tokenizer);
    if (!bias) return fail_memory(f, "biases");
    for (size_t i = 0; i < rq->n_bias; i++) {
        int32_t id = rq->bias[i].id;
        if (id < 0 || (size_t)id >= tokens)
            return fail_set(f, E_INPUT, "token %d has a bias and is outside the vocabulary of %zu",
                            id, tokens);
        bias[i] = (engine_bias){id, rq->bias[i].bias};
    }
    out->bias = bias;
    out->n_bias = rq->n_bias;
    return E_OK;
}

static err run_sequence(run *r, const engine_ask *ask, gen_reply *out, fail *f) {
    engine_sequence *s;
    TRY(engine_submit(r->g->engine, ask, &s, f));
    err e = read_events(r, s, f);
    if (e == E_OK) e = fill_reply(r, s, out, f);
    engine_release(s);
    return e;
}

static err take_adapter(gen_local *g, const gen_request *rq, const model_adapter **out, fail *f) {
    *out = g->adapter;
    if (!rq->adapter.n) return E_OK;
    if (g->adapters.take) return g->adapters.take(g->adapters.self, rq->adapter, out, f);
    return fail_set(f, E_NOT_FOUND, "there is no adapter \"%.*s\" here",
                    STR_ARG(str_slice(rq->adapter, 0, 80)));
}

static void give_adapter(gen_local *g, const gen_request *rq, const model_adapter *a) {
    if (rq->adapter.n) g->adapters.give(g->adapters.self, a);
}

static err open_mask(run *r, engine_ask *ask, gen_shape_run **shape, gen_think_mask *thoughts,
                     fail *f) {
    const gen_request *rq = r->rq;
    if (!r->plan && rq->shape.kind == GEN_SHAPE_NONE) return E_OK;
    TRY(gen_shape_open(shape, r->g->shaper, &rq->shape, r->plan ? &r->plan->grammar : NULL, f));
    ask->mask = gen_shape_mask(*shape);
    if (r->think.state == GEN_THINK_OFF) return E_OK;
    gen_think_mask_init(thoughts, &r->g->thoughts, r->think.state, ask->mask);
    ask->mask = &thoughts->mask;
    return E_OK;
}

static err blame(gen_reply *out, gen_fault fault, err e) {
    if (e != E_OK) out->fault = fault;
    return e;
}

/* With the adapter taken. */
static err answer(run *r, engine_ask *ask, gen_reply *out, fail *f) {
    gen_shape_run *shape = NULL;
    gen_think_mask thoughts;
    TRY(blame(out, GEN_FAULT_BIAS, read_bias(r->g, r->rq, &ask->sampling, f)));
    TRY(blame(out, GEN_FAULT_SHAPE, open_mask(r, ask, &shape, &thoughts, f)));
    gen_calls_init(&r->calls, r->plan, r->rq, r->sink);
    err e = run_sequence(r, ask, out, f);
    /* a grammar may turn out too wide while it is written under */
    if (shape && (e == E_TOO_LARGE || e == E_UNSUPPORTED)) e = blame(out, GEN_FAULT_SHAPE, e);
    gen_shape_close(shape);
    gen_calls_deinit(&r->calls);
    gen_think_deinit(&r->think);
    buf_deinit(&r->text);
    return e;
}

static err generate(void *self, const gen_request *rq, gen_sink sink, gen_reply *out, fail *f) {
    run r = {.g = self, .rq = rq, .sink = sink, .stop = -1};
    token_ids prompt;
    TRY(blame(out, GEN_FAULT_TOOLS, gen_tools_plan_make(&r.plan, &r.g->tools, rq, f)));
    TRY(blame(out, rq->n_ids ? GEN_FAULT_PROMPT : GEN_FAULT_UNKNOWN,
              read_prompt(r.g, rq, &prompt, f)));
    r.n_prompt = prompt.n;
    gen_think_state begun = begins(r.g, rq, &prompt);
    if (begun != GEN_THINK_OFF) {
        gen_think_init(&r.think, r.g->thoughts.tags, begun, !rq->apart);
        r.think.sink = sink;
        r.think.rest = (gen_sink){.self = &r, .put = take_said};
    }
    r.reads = r.plan || (r.think.tags && rq->n_stops);
    engine_ask ask = {.prompt = prompt.p,
                      .n_prompt = prompt.n,
                      .max_tokens = rq->max_tokens,
                      .sampling = sampling_of(&rq->sampling),
                      .stops = rq->stops,
                      .n_stops = r.reads ? 0 : rq->n_stops, /* the calls' reader looks for them */
                      .top_logprobs = rq->top_logprobs,
                      .tenant = rq->tenant.n ? str_hash(rq->tenant) | 1 : 0,
                      .priority = rq->priority,
                      .deadline_ns = mono_deadline(rq),
                      .cache_scope =
                          r.g->isolate_tenants && rq->tenant.n ? str_hash(rq->tenant) | 1 : 0};
    TRY(take_adapter(r.g, rq, &ask.adapter, f));
    err e = answer(&r, &ask, out, f);
    give_adapter(r.g, rq, ask.adapter);
    return e;
}

static err count(void *self, const gen_request *rq, int64_t *tokens, fail *f) {
    token_ids prompt;
    TRY(read_prompt(self, rq, &prompt, f));
    *tokens = (int64_t)prompt.n;
    return E_OK;
}

static err score(void *self, const gen_request *rq, const str *choices, size_t n, double *logprob,
                 int64_t *prompt_tokens, fail *f) {
    gen_local *g = self;
    const model_adapter *adapter;
    token_ids head, *tails = arena_new_n(rq->arena, token_ids, n + 1);
    if (!tails) return fail_memory(f, "choices");
    TRY(read_prompt(g, rq, &head, f));
    for (size_t i = 0; i < n; i++) {
        TRY(tokenizer_encode(g->tokenizer, rq->arena, choices[i], NULL, &tails[i], f));
        if (tails[i].n == 0) return fail_set(f, E_INPUT, "choice %zu is empty", i + 1);
    }
    TRY(take_adapter(g, rq, &adapter, f));
    err e = engine_score(g->engine, &head, tails, n, adapter, logprob, f);
    give_adapter(g, rq, adapter);
    *prompt_tokens = (int64_t)head.n;
    return e;
}

gen_provider gen_local_provider(gen_local *g) {
    return (gen_provider){
        .name = "local", .self = g, .generate = generate, .count = count, .score = score};
}

err gen_local_score(gen_local *g, arena *a, str prompt, const str *choices, size_t n,
                    double *logprob, fail *f) {
    token_ids head, *tails = arena_new_n(a, token_ids, n + 1);
    token_encode_options with_bos = {.add_bos = tokenizer_adds_bos(g->tokenizer)};
    if (!tails) return fail_memory(f, "choices");
    TRY(tokenizer_encode(g->tokenizer, a, prompt, &with_bos, &head, f));
    if (head.n == 0)
        return fail_set(f, E_INPUT, "the prompt is empty, so there is nothing to score behind");
    for (size_t i = 0; i < n; i++) {
        TRY(tokenizer_encode(g->tokenizer, a, choices[i], NULL, &tails[i], f));
        if (tails[i].n == 0) return fail_set(f, E_INPUT, "choice %zu is empty", i + 1);
    }
    return engine_score(g->engine, &head, tails, n, g->adapter, logprob, f);
}
