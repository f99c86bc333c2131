/* engine_guess.c - which sequences guess tokens for the next step, and how many; engine_draft.h
 * says how. The engine thread, without the lock: only it changes what is looked at here. */
#include "base/clock.h"
#include "engine/engine_int.h"

#include <string.h>

/* Tokens that a guess of s may have: what it makes at most, less the one that comes anyway. */
static int64_t guess_max(const engine *e, const engine_sequence *s) {
    int64_t left = s->made_max - (s->n_tokens - s->n_prompt) - 1;
    return left < e->o.draft_max ? left : e->o.draft_max;
}

static int64_t how_many(engine *e, engine_sequence *s, draft_step *step, int64_t most,
                        double each_ns) {
    if (e->o.draft_always) return most;
    return draft_length(&s->records[s->source], &e->cost, step, most, each_ns);
}

/* From its own past. The copy may run into what it writes: a repetition goes on. */
static int64_t guess_past(engine *e, engine_sequence *s, draft_step *step, int64_t most) {
    int64_t match, from = draft_find(s->tokens, s->n_tokens, &match);
    if (from < 0) return 0;
    s->source = match > 2 ? DRAFT_LONG : DRAFT_SHORT;
    int64_t n = how_many(e, s, step, most, 0);
    for (int64_t i = 0; i < n; i++) s->tokens[s->n_tokens + i] = s->tokens[from + i];
    return n;
}

static int64_t guess_model(engine *e, engine_sequence *s, draft_step *step, int64_t most) {
    drafter *d = &e->drafter;
    s->source = DRAFT_MODEL;
    int64_t n = how_many(e, s, step, most, d->row_ns);
    return n ? drafter_guess(d, &s->draft_kv, &s->draft_done, s->tokens, s->n_tokens, n) : 0;
}

void engine_guess(engine *e) {
    draft_step step = {0};
    if (e->o.draft_max < 1) return;
    for (int32_t i = 0; i < e->n_running; i++) {
        const engine_sequence *s = e->running[i];
        if (s->held) continue;
        if (!engine_generates(s) || s->n_tokens - s->n_done != 1) return; /* no idle time */
        step.rows++;
        step.tokens++;
    }
    int64_t outputs = e->wanted_max - e->n_running;
    for (int32_t i = 0; i < e->n_running; i++) {
        engine_sequence *s = e->running[i];
        int64_t most = guess_max(e, s);
        if (most > outputs) most = outputs;
        if (s->held || s->draft_off || most < 1 || s->draft_at == s->n_tokens) continue;
        s->n_draft = guess_past(e, s, &step, most);
        if (!s->n_draft && e->drafter.m) s->n_draft = guess_model(e, s, &step, most);
        s->draft_at = s->n_tokens;
        outputs -= s->n_draft;
    }
}
