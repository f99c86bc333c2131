/* engine_generate.c - the tokens that a part's logits say: drawn, forced by a grammar, or guessed
 * before and held. Engine thread; the lock is not held. */
#include "engine/engine_int.h"

#include <math.h>
#include <string.h>

static bool ends(const engine_sequence *s, int32_t id) {
    for (int32_t i = 0; i < s->n_stop_ids; i++)
        if (s->stop_ids[i] == id) return true;
    return !s->ignore_end && tokenizer_is_end(model_tokenizer(s->e->o.model), id);
}

static void describe(engine *e, const engine_sequence *s, const float *logits, engine_token *t) {
    int64_t n = e->about->vocabulary;
    t->logprob = NAN;
    t->n_top = 0;
    if (s->top_logprobs < 0 || !logits) return;
    double sum = sampler_log_sum(logits, n);
    t->logprob = (float)((double)logits[t->id] - sum);
    t->n_top = s->top_logprobs < n ? s->top_logprobs : (int32_t)n;
    sampler_top(&e->sampler, logits, sum, t->n_top, t->top);
}

/* A token more, whose logits (NULL: forced) are these; says whether it goes on. */
static engine_finish put_token(engine *e, engine_sequence *s, int32_t id, const float *logits) {
    if (ends(s, id)) return ENGINE_STOP;
    engine_token *t = &e->made[e->n_made++];
    t->id = id;
    describe(e, s, logits, t);
    s->tokens[s->n_tokens++] = id;
    return s->n_tokens - s->n_prompt >= s->made_max ? ENGINE_LENGTH : ENGINE_RUNNING;
}

/* Tokens that the grammar leaves no choice of. */
static engine_finish put_forced(engine *e, engine_sequence *s) {
    int32_t ids[ENGINE_FORCED_MAX];
    int64_t most = s->made_max - (s->n_tokens - s->n_prompt);
    engine_finish finish = ENGINE_RUNNING;
    if (!engine_forces(s) || most < 1) return finish;
    if (most > ENGINE_FORCED_MAX) most = ENGINE_FORCED_MAX;
    int32_t n = s->mask->forced(s->mask->self, ids, (int32_t)most);
    CHECK(n <= most);
    for (int32_t i = 0; i < n && finish == ENGINE_RUNNING; i++)
        finish = put_token(e, s, ids[i], NULL);
    return finish;
}

/* Marks the tokens at which repetitions end. */
static void find_breaks(engine_sequence *s) {
    const tokenizer *t = model_tokenizer(s->e->o.model);
    for (; s->n_breaks < s->n_tokens; s->n_breaks++) {
        str piece = tokenizer_piece(t, s->tokens[s->n_breaks]);
        bool found = false;
        for (size_t i = 0; i < s->n_breakers && !found; i++)
            found =
                str_find(piece, (str){s->breakers[i].bytes, s->breakers[i].n}) != STR_INDEX_NONE;
        s->breaks[s->n_breaks] = found;
    }
}

static err pick(engine *e, engine_sequence *s, const float *logits, int32_t *id, fail *f) {
    bool all = true;
    if (s->mask) {
        size_t words = ((size_t)e->about->vocabulary + 63) / 64;
        memset(e->mask, 0, words * sizeof *e->mask);
        all = false;
        TRY(s->mask->allowed(s->mask->self, e->mask, &all, f));
    }
    if (s->sampling.dry_multiplier > 0) find_breaks(s);
    sampler_past past = {s->tokens, s->n_tokens, s->breaks};
    return sampler_pick(&e->sampler, logits, &s->sampling, &past, all ? NULL : e->mask, id, f);
}

/* The next token, from the logits of the sequence's last row. */
static err generate(engine *e, engine_sequence *s, const float *logits, engine_finish *finish,
                    fail *f) {
    int32_t id;
    int64_t before = s->n_tokens;
    if (before == s->n_prompt) {
        *finish = put_forced(e, s);
        if (*finish != ENGINE_RUNNING || s->n_tokens > before) return E_OK;
    }
    TRY(pick(e, s, logits, &id, f));
    *finish = put_token(e, s, id, logits);
    if (*finish == ENGINE_STOP) return E_OK;
    if (s->mask) TRY(s->mask->accept(s->mask->self, id, f));
    if (*finish == ENGINE_RUNNING) *finish = put_forced(e, s);
    return E_OK;
}

/* The tokens that a part's logits say: one, or, behind guesses that hold, several. */
err engine_generate_part(engine *e, engine_sequence *s, const engine_part *p, engine_finish *finish,
                         fail *f) {
    int64_t drafts = p->n_wanted - 1, held = 0;
    for (; true; held++) {
        const float *logits = e->logits + (p->first_wanted + held) * e->about->vocabulary;
        int64_t before = s->n_tokens;
        int32_t guess = s->tokens[before]; /* only looked at while held < drafts */
        TRY(generate(e, s, logits, finish, f));
        bool right = s->n_tokens == before + 1 && s->tokens[before] == guess;
        if (*finish != ENGINE_RUNNING || held == drafts || !right) break;
        s->n_done++;
    }
    if (drafts > 0 && (*finish == ENGINE_RUNNING || held == drafts)) {
        draft_record_add(&s->records[s->source], drafts, held);
        e->held += held;
    }
    s->n_draft = 0;
    if (s->draft_done >= s->n_tokens) s->draft_done = s->n_tokens - 1;
    return E_OK;
}
