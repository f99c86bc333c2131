/* engine_read.c - the side of a sequence's reader: its tokens as text, cancelling, leaving; see
 * engine.h. */
#include "base/clock.h"
#include "engine/engine_int.h"

#include <math.h>
#include <string.h>

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
        /* it may have waited for us, with room for what a mask forces */
        if (s->count >= ENGINE_QUEUE_TOKENS - ENGINE_FORCED_MAX) engine_wake(e);
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
    out->stop = s->text.struck;
    s->ended = true;
}

err engine_next(engine_sequence *s, int64_t wait_ms, engine_event *out, fail *f) {
    engine_token t;
    bool ended = s->text.stopped;
    if (s->ended) return fail_set(f, E_INPUT, "the sequence has ended");
    if (!ended) TRY(take_token(s, wait_ms, &t, &ended, f));
    *out = (engine_event){.id = TOKEN_NONE, .logprob = NAN, .text = STR(""), .stop = -1};
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
    if (s->state != SLOT_DONE) engine_wake(e);
    mutex_unlock(&e->lock);
}

void engine_release(engine_sequence *s) {
    if (!s) return;
    engine *e = s->e;
    mutex_lock(&e->lock);
    s->cancel = true;
    if (s->state != SLOT_DONE) engine_wake(e);
    while (s->state != SLOT_DONE) cond_wait(&s->ready, &e->lock);
    s->state = SLOT_FREE;
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
        .known_tokens = s->n_known,
        .drafted = s->drafted,
        .drafts_held = s->drafts_held,
        .prefill_tok_s =
            s->first_ns ? per_second(s->n_prompt - s->n_known, s->first_ns - s->started_ns) : NAN,
        .decode_tok_s = per_second(s->sampled - 1, s->last_ns - s->first_ns),
        .first_token_ms = s->first_ns ? (double)(s->first_ns - s->submitted_ns) / 1e6 : NAN,
        .submitted_ns = s->submitted_ns,
        .started_ns = s->started_ns,
        .first_ns = s->first_ns,
        .last_ns = s->last_ns,
    };
    mutex_unlock(&s->e->lock);
}
