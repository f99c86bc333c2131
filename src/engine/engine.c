/* engine.c - the side of the workers: opening, submitting, reading, cancelling; see engine.h. The
 * loop of the engine thread is engine_step.c. */
#include "engine/engine.h"

#include "base/clock.h"
#include "base/mem.h"
#include "engine/engine_int.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SEQUENCES = 16, WAITING = 64, ROWS = 128, SEQUENCES_MAX = 4096, WANTED_LEAST = 16 };
static const size_t kv_bytes_usual = (size_t)1 << 30;

/* ---- open and close ---- */

static err fill_options(engine *e, const engine_options *o, fail *f) {
    e->o = *o;
    e->about = model_about(o->model);
    if (e->about->is_encoder || !e->about->has_weights)
        return fail_set(f, E_UNSUPPORTED, "%.*s generates no text", STR_ARG(e->about->path));
    if (!e->o.sequences_max) e->o.sequences_max = SEQUENCES;
    if (!e->o.waiting_max) e->o.waiting_max = WAITING;
    if (!e->o.rows_max) e->o.rows_max = ROWS;
    if (!e->o.context_max || e->o.context_max > e->about->context)
        e->o.context_max = (int32_t)e->about->context;
    bool ok = e->o.sequences_max > 0 && e->o.sequences_max <= SEQUENCES_MAX &&
              e->o.waiting_max > 0 && e->o.waiting_max <= SEQUENCES_MAX &&
              e->o.rows_max >= e->o.sequences_max && e->o.context_max > 0;
    if (ok) return E_OK;
    return fail_set(f, E_INPUT,
                    "an engine with %d sequences, %d waiting, %d tokens a step and a context of %d",
                    e->o.sequences_max, e->o.waiting_max, e->o.rows_max, e->o.context_max);
}

static err open_pages(engine *e, fail *f) {
    kv_pool_options o = {.shape = {.layers = e->about->layers,
                                   .heads = e->about->kv_heads,
                                   .head_width = e->about->head_width,
                                   .type = e->o.kv},
                         .tokens_max = e->o.context_max,
                         .sequences_max = e->o.sequences_max,
                         .bytes_max = e->o.kv_bytes_max ? e->o.kv_bytes_max : kv_bytes_usual};
    return kv_pool_open(&e->pool, &o, f);
}

static size_t longest_piece(const tokenizer *t) {
    size_t most = 0, n = tokenizer_count(t);
    for (size_t i = 0; i < n; i++) {
        size_t bytes = tokenizer_piece(t, (int32_t)i).n;
        if (bytes > most) most = bytes;
    }
    return most;
}

static err open_slots(engine *e, fail *f) {
    size_t tokens, texts, text = engine_text_bytes(longest_piece(model_tokenizer(e->o.model)));
    e->n_slots = e->o.sequences_max + e->o.waiting_max;
    size_t n = (size_t)e->n_slots;
    bool fits = mem_size(n, (size_t)e->o.context_max * sizeof(int32_t), &tokens) &&
                mem_size(n, 2 * text, &texts);
    if (fits) {
        e->slots = mem_zero(n * sizeof *e->slots);
        e->tokens = mem_zero(tokens);
        e->texts = mem_zero(texts);
    }
    if (!e->slots || !e->tokens || !e->texts) return fail_memory(f, "the engine's sequences");
    for (int32_t i = 0; i < e->n_slots; i++) {
        e->slots[i].e = e;
        e->slots[i].tokens = e->tokens + (size_t)i * (size_t)e->o.context_max;
        e->slots[i].text.held = e->texts + (size_t)i * 2 * text;
        e->slots[i].text.cap = text;
        cond_init(&e->slots[i].ready);
    }
    return E_OK;
}

static err open_batch(engine *e, fail *f) {
    size_t rows = (size_t)e->o.rows_max, sequences = (size_t)e->o.sequences_max, logits;
    e->wanted_max = e->o.sequences_max > WANTED_LEAST ? e->o.sequences_max : WANTED_LEAST;
    if (e->wanted_max > e->o.rows_max) e->wanted_max = e->o.rows_max;
    if (!mem_size((size_t)e->wanted_max, (size_t)e->about->vocabulary * sizeof(float), &logits))
        return fail_memory(f, "logits");
    e->row_tokens = mem_alloc(rows * sizeof *e->row_tokens);
    e->row_positions = mem_alloc(rows * sizeof *e->row_positions);
    e->row_sequences = mem_alloc(rows * sizeof *e->row_sequences);
    e->wanted = mem_alloc((size_t)e->wanted_max * sizeof *e->wanted);
    e->logits = mem_alloc_aligned(logits);
    e->parts = mem_alloc(sequences * sizeof *e->parts);
    e->part_kv = mem_alloc(sequences * sizeof *e->part_kv);
    e->running = mem_alloc(sequences * sizeof *e->running);
    e->waiting = mem_alloc((size_t)e->o.waiting_max * sizeof *e->waiting);
    bool ok = e->row_tokens && e->row_positions && e->row_sequences && e->wanted && e->logits &&
              e->parts && e->part_kv && e->running && e->waiting;
    if (!ok) return fail_memory(f, "the engine's batch");
    return sampler_open(&e->sampler, e->about->vocabulary, f);
}

static err open_parts(engine *e, const engine_options *o, fail *f) {
    TRY(fill_options(e, o, f));
    TRY(open_pages(e, f));
    TRY(model_run_open(&e->run, o->model,
                       &(model_run_options){.rows_max = e->o.rows_max,
                                            .sequences_max = e->o.sequences_max,
                                            .positions_max = e->o.context_max},
                       f));
    TRY(open_slots(e, f));
    TRY(open_batch(e, f));
    return thread_start(&e->thread, "bantam-engine", engine_main, e, f);
}

err engine_open(engine **out, const engine_options *o, fail *f) {
    engine *e = mem_zero(sizeof *e);
    if (!e) return fail_memory(f, "an engine");
    mutex_init(&e->lock);
    cond_init(&e->work);
    err result = open_parts(e, o, f);
    if (result != E_OK) {
        engine_close(e);
        return result;
    }
    *out = e;
    return E_OK;
}

void engine_close(engine *e) {
    if (!e) return;
    mutex_lock(&e->lock);
    e->stop = true;
    cond_signal(&e->work);
    mutex_unlock(&e->lock);
    thread_join(&e->thread);
    for (int32_t i = 0; e->slots && i < e->n_slots; i++)
        if (e->slots[i].e) cond_deinit(&e->slots[i].ready);
    sampler_close(&e->sampler);
    model_run_close(e->run);
    kv_pool_close(e->pool);
    void *blocks[] = {e->slots,         e->tokens,        e->texts,   e->row_tokens,
                      e->row_positions, e->row_sequences, e->wanted,  e->logits,
                      e->parts,         e->part_kv,       e->running, e->waiting};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) mem_free(blocks[i]);
    cond_deinit(&e->work);
    mutex_deinit(&e->lock);
    mem_free(e);
}

/* ---- submit ---- */

static err check_ids(const engine *e, const int32_t *ids, size_t n, fail *f) {
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= e->about->vocabulary)
            return fail_set(f, E_INPUT, "token %d is outside the vocabulary of %lld", ids[i],
                            (long long)e->about->vocabulary);
    return E_OK;
}

static err check_sampling(const engine_sampling *s, fail *f) {
    bool ok = s->temperature >= 0 && s->temperature <= 100 && s->top_p >= 0 && s->top_p <= 1 &&
              s->min_p >= 0 && s->min_p <= 1 && s->top_k >= 0;
    if (ok) return E_OK;
    return fail_set(f, E_INPUT,
                    "temperature %g (0 to 100), top_p %g (0 to 1), min_p %g (0 to 1) or top_k %d "
                    "(0 and up) is out of range",
                    s->temperature, s->top_p, s->min_p, s->top_k);
}

/* Positions that a prompt and what follows it need, within context and pages. */
static err check_room(const engine *e, size_t prompt, size_t more, fail *f) {
    int64_t context = e->o.context_max;
    if (prompt < 1) return fail_set(f, E_INPUT, "the prompt is empty");
    if (prompt > (size_t)context || more > (size_t)context - prompt) {
        fail_set(f, E_CONTEXT,
                 "a prompt of %zu tokens and %zu to be made are above the context of %lld", prompt,
                 more, (long long)context);
        return fail_hint(f, "shorten the prompt or lower max_tokens");
    }
    int64_t pages = kv_pages_for((int64_t)(prompt + more));
    if (pages <= kv_pool_pages(e->pool)) return E_OK;
    fail_set(f, E_TOO_LARGE, "%zu tokens need %lld pages of keys and values, the budget holds %lld",
             prompt + more, (long long)pages, (long long)kv_pool_pages(e->pool));
    return fail_hint(f, "lower max_tokens, or give the engine more memory");
}

static err check_ask(const engine *e, const engine_ask *a, fail *f) {
    TRY(check_sampling(&a->sampling, f));
    TRY(check_ids(e, a->prompt, a->n_prompt, f));
    if (a->max_tokens < 0) return fail_set(f, E_INPUT, "max_tokens %d is negative", a->max_tokens);
    TRY(check_room(e, a->n_prompt, a->max_tokens ? (size_t)a->max_tokens : 1, f));
    if (a->n_stops > ENGINE_STOPS_MAX || a->n_stop_ids > ENGINE_STOP_IDS_MAX)
        return fail_set(f, E_INPUT, "%zu stop texts and %zu stop tokens; %d and %d are possible",
                        a->n_stops, a->n_stop_ids, ENGINE_STOPS_MAX, ENGINE_STOP_IDS_MAX);
    for (size_t i = 0; i < a->n_stops; i++)
        if (a->stops[i].n < 1 || a->stops[i].n > ENGINE_STOP_BYTES_MAX)
            return fail_set(f, E_INPUT, "a stop text of %zu bytes; 1 to %d are possible",
                            a->stops[i].n, ENGINE_STOP_BYTES_MAX);
    if (a->top_logprobs < -1 || a->top_logprobs > ENGINE_TOP_MAX)
        return fail_set(f, E_INPUT, "%d candidates a token; at most %d are given", a->top_logprobs,
                        ENGINE_TOP_MAX);
    return E_OK;
}

/* A slot of its own for a new sequence, still FREE for the others' eyes; lock held. */
static engine_sequence *free_slot(engine *e) {
    if (e->n_waiting >= e->o.waiting_max) return NULL;
    for (int32_t i = 0; i < e->n_slots; i++)
        if (e->slots[i].state == SLOT_FREE) return &e->slots[i];
    return NULL;
}

/* Empties a slot but for what it owns. */
static void slot_reset(engine_sequence *s, const int32_t *prompt, size_t n) {
    s->cancel = s->released = s->ended = s->scores = s->ignore_end = false;
    s->finish = ENGINE_RUNNING;
    fail_clear(&s->failure);
    s->head = s->count = s->n_stop_ids = 0;
    s->top_logprobs = -1;
    s->sampling = (engine_sampling){0};
    s->n_prompt = s->n_tokens = (int64_t)n;
    s->n_done = s->given = s->started_ns = s->first_ns = s->last_ns = s->sampled = 0;
    memcpy(s->tokens, prompt, n * sizeof *prompt);
    s->submitted_ns = clock_mono_ns();
}

static void slot_fill(engine_sequence *s, const engine_ask *a) {
    int64_t context = s->e->o.context_max;
    slot_reset(s, a->prompt, a->n_prompt);
    s->sampling = a->sampling;
    s->made_max = a->max_tokens ? a->max_tokens : context - s->n_prompt;
    s->room = s->n_prompt + s->made_max;
    s->ignore_end = a->ignore_end;
    s->top_logprobs = a->top_logprobs;
    s->n_stop_ids = (int32_t)a->n_stop_ids;
    if (a->n_stop_ids) memcpy(s->stop_ids, a->stop_ids, a->n_stop_ids * sizeof *a->stop_ids);
    engine_text_init(&s->text, s->text.held, s->text.cap, a->stops, a->n_stops);
}

/* Lock held. */
static void slot_queue(engine *e, engine_sequence *s) {
    s->state = SLOT_WAITING;
    e->waiting[e->n_waiting++] = s;
    cond_signal(&e->work);
}

static err engine_full(const engine *e, fail *f) {
    if (e->stop) return fail_set(f, E_CANCELLED, "the engine is closing");
    fail_set(f, E_BUSY,
             "%d sequences are generating and %d are waiting, which is all there is room for",
             e->n_running, e->n_waiting);
    return fail_hint(f, "try again in a moment");
}

err engine_submit(engine *e, const engine_ask *ask, engine_sequence **out, fail *f) {
    TRY(check_ask(e, ask, f));
    mutex_lock(&e->lock);
    engine_sequence *s = e->stop ? NULL : free_slot(e);
    err result = E_OK;
    if (s) {
        slot_fill(s, ask);
        slot_queue(e, s);
        *out = s;
    } else {
        result = engine_full(e, f);
    }
    mutex_unlock(&e->lock);
    return result;
}

/* ---- read ---- */

/* The next token into *t: E_OK, E_TIMEOUT, or *ended when there is none any more. */
static err take_token(engine_sequence *s, int64_t wait_ms, engine_token *t, bool *ended, fail *f) {
    engine *e = s->e;
    int64_t until = clock_mono_ns() + wait_ms * 1000000;
    err result = E_OK;
    mutex_lock(&e->lock);
    while (s->count == 0 && s->state != SLOT_DONE && result == E_OK) {
        int64_t left = wait_ms < 0 ? -1 : (until - clock_mono_ns()) / 1000000;
        if ((wait_ms >= 0 && left <= 0) || !cond_wait_ms(&s->ready, &e->lock, left))
            result = s->count || s->state == SLOT_DONE ? E_OK : E_TIMEOUT;
    }
    *ended = s->count == 0;
    if (result == E_OK && s->count > 0) {
        *t = s->queue[s->head];
        if (s->count == ENGINE_QUEUE_TOKENS) cond_signal(&e->work); /* it waited for us */
        s->head = (s->head + 1) % ENGINE_QUEUE_TOKENS;
        s->count--;
    } else if (result == E_OK && s->failure.code != E_OK) {
        if (f) *f = s->failure;
        result = s->failure.code;
    }
    mutex_unlock(&e->lock);
    return result == E_TIMEOUT ? fail_set(f, E_TIMEOUT, "no token in %lld ms", (long long)wait_ms)
                               : result;
}

static void last_event(engine_sequence *s, engine_event *out) {
    out->finish = s->text.stopped ? ENGINE_STOP : s->finish;
    out->text = engine_text_flush(&s->text);
    s->ended = true;
}

err engine_next(engine_sequence *s, int64_t wait_ms, engine_event *out, fail *f) {
    engine_token t;
    bool ended = s->text.stopped;
    if (s->ended) return fail_set(f, E_INPUT, "the sequence has ended");
    if (!ended) TRY(take_token(s, wait_ms, &t, &ended, f));
    *out = (engine_event){.id = TOKEN_NONE, .logprob = NAN, .text = STR("")};
    if (ended) {
        last_event(s, out);
        return E_OK;
    }
    out->id = t.id;
    out->logprob = t.logprob;
    out->n_top = t.n_top;
    memcpy(out->top, t.top, sizeof t.top);
    out->text = engine_text_put(&s->text, tokenizer_piece(model_tokenizer(s->e->o.model), t.id));
    s->given++;
    if (s->text.stopped) engine_cancel(s);
    return E_OK;
}

void engine_cancel(engine_sequence *s) {
    engine *e = s->e;
    mutex_lock(&e->lock);
    s->cancel = true;
    cond_signal(&e->work);
    mutex_unlock(&e->lock);
}

void engine_release(engine_sequence *s) {
    if (!s) return;
    engine *e = s->e;
    mutex_lock(&e->lock);
    if (s->state == SLOT_DONE)
        s->state = SLOT_FREE;
    else
        s->cancel = s->released = true; /* the engine thread frees it */
    cond_signal(&e->work);
    mutex_unlock(&e->lock);
}

static double per_second(int64_t n, int64_t ns) {
    return n > 0 && ns > 0 ? (double)n * 1e9 / (double)ns : NAN;
}

void engine_timings_get(engine_sequence *s, engine_timings *out) {
    mutex_lock(&s->e->lock);
    *out = (engine_timings){
        .prompt_tokens = s->n_prompt,
        .made_tokens = s->given,
        .prefill_tok_s = s->first_ns ? per_second(s->n_prompt, s->first_ns - s->started_ns) : NAN,
        .decode_tok_s = per_second(s->sampled - 1, s->last_ns - s->first_ns),
        .first_token_ms = s->first_ns ? (double)(s->first_ns - s->submitted_ns) / 1e6 : NAN,
    };
    mutex_unlock(&s->e->lock);
}

/* ---- score ---- */

static err check_score(const engine *e, const token_ids *prompt, const token_ids *choices, size_t n,
                       size_t *longest, fail *f) {
    *longest = 0;
    TRY(check_ids(e, prompt->p, prompt->n, f));
    if (n < 1) return fail_set(f, E_INPUT, "there are no choices to score");
    for (size_t i = 0; i < n; i++) {
        if (choices[i].n < 1) return fail_set(f, E_INPUT, "choice %zu has no tokens", i + 1);
        TRY(check_ids(e, choices[i].p, choices[i].n, f));
        if (choices[i].n > *longest) *longest = choices[i].n;
    }
    return check_room(e, prompt->n, *longest, f);
}

err engine_score(engine *e, const token_ids *prompt, const token_ids *choices, size_t n,
                 double *logprob, fail *f) {
    size_t longest;
    TRY(check_score(e, prompt, choices, n, &longest, f));
    mutex_lock(&e->lock);
    engine_sequence *s = e->stop ? NULL : free_slot(e);
    if (!s) {
        err full = engine_full(e, f);
        mutex_unlock(&e->lock);
        return full;
    }
    slot_reset(s, prompt->p, prompt->n);
    s->scores = true;
    s->scoring = (engine_scoring){.choices = choices, .n = n, .logprob = logprob};
    s->room = (int64_t)(prompt->n + longest);
    slot_queue(e, s);
    while (s->state != SLOT_DONE) cond_wait(&s->ready, &e->lock);
    err result = s->failure.code;
    if (result == E_OK && s->finish == ENGINE_CANCELLED)
        result = fail_set(f, E_CANCELLED, "the engine is closing");
    else if (result != E_OK && f)
        *f = s->failure;
    s->state = SLOT_FREE;
    mutex_unlock(&e->lock);
    return result;
}

/* ---- looking ---- */

void engine_stats_get(engine *e, engine_stats *out) {
    mutex_lock(&e->lock);
    *out = e->stats;
    out->running = e->n_running;
    out->waiting = e->n_waiting;
    out->pages = kv_pool_pages(e->pool);
    mutex_unlock(&e->lock);
}

int32_t engine_context(const engine *e) {
    return e->o.context_max;
}
