/* engine_step.c - the engine thread: admit, batch, forward, sample, post; see engine_int.h.
 *
 * The lock is held to look at the lists and to post, never during a forward. Nothing is allocated
 * here. A failed forward ends the sequences of that batch with its error, not the engine. */
#include "engine/engine_int.h"

#include "base/clock.h"

#include <math.h>
#include <string.h>

/* ---- lists; lock held ---- */

static void list_remove(engine_sequence **list, int32_t *n, int32_t at) {
    memmove(list + at, list + at + 1, (size_t)(*n - at - 1) * sizeof *list);
    --*n;
}

static void slot_finish(engine_sequence *s, engine_finish how) {
    kv_sequence_give(s->e->pool, s->kv);
    s->kv = NULL;
    s->finish = how;
    s->state = s->released ? SLOT_FREE : SLOT_DONE;
    cond_signal(&s->ready);
}

static void drop_from(engine_sequence **list, int32_t *n, bool all) {
    for (int32_t i = *n - 1; i >= 0; i--) {
        engine_sequence *s = list[i];
        if (!all && !s->cancel) continue;
        list_remove(list, n, i);
        slot_finish(s, ENGINE_CANCELLED);
    }
}

/* The first waiting ones, as long as sequences and pages last: nobody is overtaken. */
static void admit(engine *e) {
    while (e->n_waiting > 0 && e->n_running < e->o.sequences_max) {
        engine_sequence *s = e->waiting[0];
        kv_sequence *kv;
        if (kv_sequence_take(e->pool, &kv, NULL) != E_OK) return;
        if (kv_sequence_grow(e->pool, kv, s->room, NULL) != E_OK) {
            kv_sequence_give(e->pool, kv);
            return;
        }
        s->kv = kv;
        s->state = SLOT_RUNNING;
        list_remove(e->waiting, &e->n_waiting, 0);
        e->running[e->n_running++] = s;
    }
}

/* ---- the batch; lock held ---- */

static bool generates(const engine_sequence *s) {
    return !s->scores && s->n_done >= s->n_prompt;
}

static void add_part(engine *e, engine_sequence *s, int64_t rows, int64_t wanted) {
    int64_t part = e->n_parts++;
    e->parts[part] = (struct engine_part){s, e->n_rows, rows, e->n_wanted, wanted};
    e->part_kv[part] = s->kv;
    for (int64_t i = 0; i < rows; i++) {
        int64_t row = e->n_rows++;
        e->row_tokens[row] = s->tokens[s->n_done + i];
        e->row_positions[row] = (int32_t)(s->n_done + i);
        e->row_sequences[row] = (int32_t)part;
        if (i >= rows - wanted) e->wanted[e->n_wanted++] = row;
    }
}

/* Rows of what is known and not yet forwarded; their outputs: in a choice every row's, else the
 * last one's when it is the prompt's last. */
static void add_piece(engine *e, engine_sequence *s, int64_t limit) {
    int64_t rows = s->n_tokens - s->n_done, free_wanted = e->wanted_max - e->n_wanted;
    if (rows > limit) rows = limit;
    bool choice = s->scores && s->n_done >= s->n_prompt;
    if (choice && rows > free_wanted) rows = free_wanted;
    bool last = s->n_done + rows == s->n_tokens;
    int64_t wanted = choice ? rows : last;
    if (rows < 1 || wanted > free_wanted) return;
    if (!s->started_ns) s->started_ns = clock_mono_ns();
    add_part(e, s, rows, wanted);
}

static void build(engine *e) {
    int64_t limit = e->o.rows_max;
    e->n_rows = e->n_wanted = e->n_parts = 0;
    for (int32_t i = 0; i < e->n_running; i++) {
        engine_sequence *s = e->running[i];
        if (generates(s) && s->count < ENGINE_QUEUE_TOKENS) add_part(e, s, 1, 1);
    }
    if (e->n_rows > 0 && limit > e->n_rows + ENGINE_ROWS_BUSY) limit = e->n_rows + ENGINE_ROWS_BUSY;
    for (int32_t i = 0; i < e->n_running && e->n_rows < limit; i++)
        if (!generates(e->running[i])) add_piece(e, e->running[i], limit - e->n_rows);
}

/* ---- results ---- */

static bool ends(const engine_sequence *s, int32_t id) {
    for (int32_t i = 0; i < s->n_stop_ids; i++)
        if (s->stop_ids[i] == id) return true;
    return !s->ignore_end && tokenizer_is_end(model_tokenizer(s->e->o.model), id);
}

static void describe(const engine_sequence *s, const float *logits, engine_token *t) {
    int64_t n = s->e->about->vocabulary;
    t->logprob = NAN;
    t->n_top = 0;
    if (s->top_logprobs < 0) return;
    double sum = sampler_log_sum(logits, n);
    t->logprob = (float)((double)logits[t->id] - sum);
    t->n_top = s->top_logprobs < n ? s->top_logprobs : (int32_t)n;
    sampler_top(logits, n, sum, t->n_top, t->top);
}

/* A token from the logits of the sequence's last row; *finish says whether it goes on. */
static err sample(engine *e, engine_sequence *s, const float *logits, engine_token *t,
                  engine_finish *finish, fail *f) {
    TRY(sampler_pick(&e->sampler, logits, &s->sampling, s->n_tokens, &t->id, f));
    describe(s, logits, t);
    *finish = ENGINE_RUNNING;
    if (ends(s, t->id)) {
        *finish = ENGINE_STOP;
        return E_OK;
    }
    s->tokens[s->n_tokens++] = t->id;
    if (s->n_tokens - s->n_prompt >= s->made_max) *finish = ENGINE_LENGTH;
    return E_OK;
}

/* Scoring. After the prompt: the first token of every choice. Then choice by choice: its tokens but
 * the last stand behind the prompt, the row of each gives the next one's probability. */
static void score_first(const engine *e, engine_sequence *s, const float *logits) {
    double sum = sampler_log_sum(logits, e->about->vocabulary);
    for (size_t c = 0; c < s->scoring.n; c++)
        s->scoring.logprob[c] = (double)logits[s->scoring.choices[c].p[0]] - sum;
}

static void score_rows(const engine *e, engine_sequence *s, const struct engine_part *p) {
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

static engine_finish score(engine *e, engine_sequence *s, const struct engine_part *p) {
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

/* What one part of the batch brought; the lock is not held while looking at logits. */
static void post(engine *e, const struct engine_part *p, err forwarded, const fail *why) {
    engine_sequence *s = p->s;
    engine_token t = {.id = TOKEN_NONE};
    engine_finish finish = ENGINE_RUNNING;
    fail f = {0};
    err result = forwarded;
    if (result == E_OK) {
        s->n_done += p->rows;
        if (s->scores)
            finish = score(e, s, p);
        else if (p->n_wanted)
            result =
                sample(e, s, e->logits + p->first_wanted * e->about->vocabulary, &t, &finish, &f);
    }
    int64_t now = clock_mono_ns();
    mutex_lock(&e->lock);
    if (t.id != TOKEN_NONE) {
        s->last_ns = now;
        if (!s->first_ns) s->first_ns = now;
        s->sampled++;
    }
    if (result != E_OK) {
        s->failure = forwarded != E_OK ? *why : f;
        finish = ENGINE_CANCELLED;
    } else if (t.id != TOKEN_NONE && finish != ENGINE_STOP) {
        s->queue[(s->head + s->count++) % ENGINE_QUEUE_TOKENS] = t;
        e->stats.made_tokens++;
        cond_signal(&s->ready);
    }
    if (finish != ENGINE_RUNNING) {
        int32_t at = 0;
        while (e->running[at] != s) at++;
        list_remove(e->running, &e->n_running, at);
        slot_finish(s, finish);
    }
    mutex_unlock(&e->lock);
}

static void step(engine *e) {
    fail f = {0};
    model_batch b = {.n_rows = e->n_rows,
                     .tokens = e->row_tokens,
                     .positions = e->row_positions,
                     .sequences = e->row_sequences,
                     .n_sequences = e->n_parts,
                     .pool = e->pool,
                     .kv = e->part_kv,
                     .wanted = e->wanted,
                     .n_wanted = e->n_wanted,
                     .logits = e->logits};
    err result = model_forward(e->run, &b, &f);
    for (int64_t i = 0; i < e->n_parts; i++) post(e, &e->parts[i], result, &f);
}

void engine_main(void *arg) {
    engine *e = arg;
    mutex_lock(&e->lock);
    while (!e->stop) {
        drop_from(e->waiting, &e->n_waiting, false);
        drop_from(e->running, &e->n_running, false);
        admit(e);
        build(e);
        e->stats.pages_free = kv_pool_pages_free(e->pool);
        if (e->n_rows == 0) {
            cond_wait(&e->work, &e->lock);
            continue;
        }
        e->stats.steps++;
        for (int64_t i = 0; i < e->n_parts; i++)
            if (e->parts[i].s->n_done < e->parts[i].s->n_prompt)
                e->stats.prompt_tokens += e->parts[i].rows;
        mutex_unlock(&e->lock);
        step(e);
        mutex_lock(&e->lock);
    }
    drop_from(e->waiting, &e->n_waiting, true);
    drop_from(e->running, &e->n_running, true);
    mutex_unlock(&e->lock);
}
