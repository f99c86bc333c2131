/* engine_score.c - the log-probabilities of given choices; see engine.h. The caller waits while the
 * engine thread puts one choice after another behind the prompt. */
#include "engine/engine_int.h"

#include <math.h>
#include <string.h>

/* ---- engine thread ---- */

/* After the prompt: the first token of every choice. Then choice by choice: its tokens but
 * the last stand behind the prompt, the row of each gives the next one's probability. */
static void score_first(const engine *e, engine_sequence *s, const float *logits) {
    double sum = sampler_log_sum(logits, e->about->vocabulary);
    for (size_t c = 0; c < s->scoring.n; c++)
        s->scoring.logprob[c] = (double)logits[s->scoring.choices[c].p[0]] - sum;
}

static void score_rows(const engine *e, engine_sequence *s, const engine_part *p) {
    const token_ids *choice = &s->scoring.choices[s->scoring.at];
    for (int64_t i = 0; i < p->n_wanted; i++) {
        const float *logits = e->logits + (p->first_wanted + i) * e->about->vocabulary;
        int64_t next = s->n_done - p->rows + i - s->n_prompt + 1;
        s->scoring.logprob[s->scoring.at] +=
            (double)logits[choice->p[next]] - sampler_log_sum(logits, e->about->vocabulary);
    }
}

/* Puts the next choice of more than one token behind the prompt; false when none is left. */
static bool score_next(engine_sequence *s, size_t from) {
    engine_scoring *sc = &s->scoring;
    for (sc->at = from; sc->at < sc->n && sc->choices[sc->at].n < 2;) sc->at++;
    if (sc->at == sc->n) return false;
    const token_ids *choice = &sc->choices[sc->at];
    memcpy(s->tokens + s->n_prompt, choice->p, (choice->n - 1) * sizeof *choice->p);
    s->n_done = s->n_prompt;
    s->n_tokens = s->n_prompt + (int64_t)choice->n - 1;
    return true;
}

engine_finish engine_score_part(engine *e, engine_sequence *s, const engine_part *p) {
    bool more = true;
    if (p->n_wanted == 0) return ENGINE_RUNNING;
    if (s->n_done == s->n_prompt) {
        score_first(e, s, e->logits + p->first_wanted * e->about->vocabulary);
        more = score_next(s, 0);
    } else {
        score_rows(e, s, p);
        if (s->n_done == s->n_tokens) more = score_next(s, s->scoring.at + 1);
    }
    return more ? ENGINE_RUNNING : ENGINE_STOP;
}

/* ---- caller ---- */

static err check_numbers(const double *logprob, size_t n, fail *f) {
    for (size_t i = 0; i < n; i++) {
        if (!isnan(logprob[i])) continue;
        fail_set(f, E_CORRUPT, "the model's logits behind choice %zu are not numbers", i + 1);
        return fail_hint(f, "its weights may be damaged: fetch the model again");
    }
    return E_OK;
}

static err check_score(const engine *e, const token_ids *prompt, const token_ids *choices, size_t n,
                       size_t *longest, fail *f) {
    *longest = 0;
    TRY(engine_check_ids(e, prompt->p, prompt->n, f));
    if (n < 1) return fail_set(f, E_INPUT, "there are no choices to score");
    for (size_t i = 0; i < n; i++) {
        if (choices[i].n < 1) return fail_set(f, E_INPUT, "choice %zu has no tokens", i + 1);
        TRY(engine_check_ids(e, choices[i].p, choices[i].n, f));
        if (choices[i].n > *longest) *longest = choices[i].n;
    }
    return engine_check_room(e, prompt->n, *longest, f);
}

err engine_score(engine *e, const token_ids *prompt, const token_ids *choices, size_t n,
                 const model_adapter *adapter, double *logprob, fail *f) {
    size_t longest;
    TRY(check_score(e, prompt, choices, n, &longest, f));
    TRY(engine_check_adapter(e, adapter, f));
    engine_sequence *s;
    mutex_lock(&e->lock);
    err result = engine_slot_take(e, 0, &s, f);
    if (result != E_OK) {
        mutex_unlock(&e->lock);
        return result;
    }
    engine_slot_reset(s, prompt->p, prompt->n);
    engine_slot_root(s, 0, adapter);
    s->scores = true;
    s->scoring = (engine_scoring){.choices = choices, .n = n, .logprob = logprob};
    s->room_max = (int64_t)(prompt->n + longest);
    engine_slot_queue(e, s);
    while (s->state != SLOT_DONE) cond_wait(&s->ready, &e->lock);
    result = s->failure.code;
    if (result == E_OK && s->finish == ENGINE_CANCELLED)
        result = fail_set(f, E_CANCELLED, "the engine is closing");
    else if (result != E_OK && f)
        *f = s->failure;
    s->state = SLOT_FREE;
    mutex_unlock(&e->lock);
    return result == E_OK ? check_numbers(logprob, n, f) : result;
}
