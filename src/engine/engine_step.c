/* engine_step.c - the engine thread: admit, batch, forward, sample, post; see engine_int.h.
 *
 * The lock is held to look at the lists and to post, never during a forward. Nothing is allocated
 * here. A failed forward ends the sequences of that batch with its error, not the engine. */
#include "base/clock.h"
#include "engine/engine_int.h"

#include <math.h>
#include <string.h>

enum {
    MANY_ROWS = 16, /* from here on a step's time says what a row takes */
    WAIT_MS = 100
};

/* ---- lists; lock held ---- */

static void list_remove(engine_sequence **list, int32_t *n, int32_t at) {
    memmove(list + at, list + at + 1, (size_t)(*n - at - 1) * sizeof *list);
    --*n;
}

static void running_remove(engine *e, const engine_sequence *s) {
    int32_t at = 0;
    while (e->running[at] != s) at++;
    list_remove(e->running, &e->n_running, at);
}

static void count_pages(engine *e) {
    e->stats.pages_free = kv_pool_pages_free(e->pool);
    e->stats.pages_kept = kv_pool_pages_kept(e->pool);
}

static void pages_give(engine *e, engine_sequence *s) {
    kv_sequence_give(e->pool, s->kv);
    drafter_forget(&e->drafter, &s->draft_kv);
    s->kv = NULL;
    s->n_draft = 0;
    count_pages(e);
}

static void slot_finish(engine_sequence *s, engine_finish how) {
    pages_give(s->e, s);
    s->finish = how;
    s->e->n_ended += s->started_ns != 0;
    engine_admit_leave(s);
    s->state = SLOT_DONE;
    cond_broadcast(&s->ready);
}

static void drop_from(engine_sequence **list, int32_t *n, bool all) {
    for (int32_t i = *n - 1; i >= 0; i--) {
        engine_sequence *s = list[i];
        if (!all && !s->cancel) continue;
        list_remove(list, n, i);
        if (s->filled) kv_sequence_publish(s->e->pool, s->kv, &s->root, s->tokens, s->n_tokens);
        slot_finish(s, ENGINE_CANCELLED);
    }
}

/* What it made stands in its tokens and comes again from them; a choice that is scored starts with
 * its prompt. */
void engine_postpone(engine *e, engine_sequence *s) {
    running_remove(e, s);
    pages_give(e, s);
    s->n_done = s->grant = s->n_draft = 0;
    if (s->scores) s->n_tokens = s->n_prompt;
    s->state = SLOT_WAITING;
    s->postponed = true;
    memmove(e->waiting + 1, e->waiting, (size_t)e->n_waiting++ * sizeof *e->waiting);
    e->waiting[0] = s;
    e->stats.postponed++;
}

/* Known pages of what it has, and room for some more. */
static bool pages_take(engine *e, engine_sequence *s) {
    int64_t more = s->room_max - s->n_tokens;
    if (!s->scores && more > e->o.reserve) more = e->o.reserve;
    if (kv_sequence_take(e->pool, &s->kv, NULL) != E_OK) return false;
    /* the last token's row is computed in any case where its logits are wanted */
    if (!s->cache_off)
        s->n_done = kv_sequence_match(e->pool, s->kv, &s->root, s->tokens,
                                      s->hold ? s->n_tokens : s->n_tokens - 1);
    if (kv_sequence_grow(e->pool, s->kv, s->n_tokens + more, NULL) == E_OK) return true;
    pages_give(e, s);
    s->n_done = 0;
    return false;
}

static void hold_if_done(engine_sequence *s) {
    s->held = s->hold == HOLD_TO_FILL || (s->hold && s->n_done == s->n_tokens);
    if (s->held) cond_broadcast(&s->ready);
}

/* Those who wait beyond their time are not begun any more. */
static void expire(engine *e) {
    int64_t now_ns = e->n_waiting ? clock_mono_ns() : 0;
    for (int32_t i = e->n_waiting - 1; i >= 0; i--) {
        engine_sequence *s = e->waiting[i];
        if (!engine_admit_expired(s, now_ns)) continue;
        list_remove(e->waiting, &e->n_waiting, i);
        e->stats.expired++;
        slot_finish(s, ENGINE_EXPIRED);
    }
}

/* As long as sequences and pages last, in the order of engine_admit.c. */
static void admit(engine *e) {
    expire(e);
    while (e->n_waiting > 0 && e->n_running < e->o.sequences_max) {
        int32_t at = engine_admit_next(e);
        engine_sequence *s = e->waiting[at];
        if (!pages_take(e, s)) return;
        if (!s->started_ns) {
            s->n_known = s->n_done;
            if (s->n_known > 0 && !s->hold) e->stats.known_hits++;
            if (!s->hold) e->stats.known_tokens += s->n_known;
        }
        s->state = SLOT_RUNNING;
        list_remove(e->waiting, &e->n_waiting, at);
        engine_admit_done(e, s);
        e->running[e->n_running++] = s;
        hold_if_done(s);
    }
}

/* ---- tokens; the lock is not held while looking at logits ---- */

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
static err generate_part(engine *e, engine_sequence *s, const engine_part *p, engine_finish *finish,
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

/* ---- results ---- */

/* Hands out what was made; lock held. */
static void post_tokens(engine *e, engine_sequence *s, bool ended) {
    int64_t now = clock_mono_ns();
    if (e->n_made > 0 || ended) {
        s->last_ns = now;
        if (!s->first_ns) s->first_ns = now;
        s->sampled += e->n_made + ended;
    }
    for (int32_t i = 0; i < e->n_made; i++)
        s->queue[(s->head + s->count++) % ENGINE_QUEUE_TOKENS] = e->made[i];
    e->stats.made_tokens += e->n_made;
    engine_admit_served(s, e->n_made);
    s->drafts_held += e->held;
    e->stats.drafts_held += e->held;
    if (e->n_made > 0) cond_signal(&s->ready);
}

/* Full pages are known from now on; those of a choice that is scored are not. */
static void publish(engine *e, engine_sequence *s) {
    int64_t n = s->scores && s->n_done > s->n_prompt ? s->n_prompt : s->n_done;
    if (!s->cache_off) kv_sequence_publish(e->pool, s->kv, &s->root, s->tokens, n);
}

/* What one part of the batch brought. */
static void post(engine *e, const engine_part *p, err forwarded, const fail *why) {
    engine_sequence *s = p->s;
    engine_finish finish = ENGINE_RUNNING;
    fail f = {0};
    err result = forwarded;
    e->n_made = 0;
    e->held = 0;
    if (result == E_OK) {
        int64_t guessed = s->scores || p->n_wanted == 0 ? 0 : p->n_wanted - 1;
        s->n_done += p->rows - guessed;
        if (s->scores)
            finish = engine_score_part(e, s, p);
        else if (p->n_wanted > 0)
            result = generate_part(e, s, p, &finish, &f);
        publish(e, s);
    }
    mutex_lock(&e->lock);
    post_tokens(e, s, !s->scores && finish == ENGINE_STOP);
    if (result != E_OK) {
        s->failure = forwarded != E_OK ? *why : f;
        finish = ENGINE_CANCELLED;
    }
    hold_if_done(s);
    if (finish != ENGINE_RUNNING) {
        running_remove(e, s);
        slot_finish(s, finish);
    }
    mutex_unlock(&e->lock);
}

static void learn_speed(engine *e, double ns) {
    bool all_generate = true;
    for (int64_t i = 0; i < e->n_parts; i++)
        all_generate = all_generate && engine_generates(e->parts[i].s);
    if (all_generate) draft_cost_learn(&e->cost, e->n_rows, ns);
    double row_ns = ns / (double)e->n_rows;
    if (e->n_rows >= MANY_ROWS) e->row_ns = e->row_ns > 0 ? 0.8 * e->row_ns + 0.2 * row_ns : row_ns;
}

static void step(engine *e) {
    fail f = {0};
    int64_t started = clock_mono_ns();
    model_batch b = {.n_rows = e->n_rows,
                     .tokens = e->row_tokens,
                     .positions = e->row_positions,
                     .sequences = e->row_sequences,
                     .n_sequences = e->n_parts,
                     .pool = e->pool,
                     .kv = e->part_kv,
                     .adapters = e->adapters ? e->part_adapters : NULL,
                     .wanted = e->wanted,
                     .n_wanted = e->n_wanted,
                     .logits = e->logits};
    err result = model_forward(e->run, &b, &f);
    learn_speed(e, (double)(clock_mono_ns() - started));
    for (int64_t i = 0; i < e->n_parts; i++) post(e, &e->parts[i], result, &f);
}

/* Lock held. */
static void count_step(engine *e) {
    e->stats.steps++;
    e->stats.rows += e->n_rows;
    for (int64_t i = 0; i < e->n_parts; i++) {
        engine_sequence *s = e->parts[i].s;
        if (s->n_done < s->n_prompt) e->stats.prompt_tokens += e->parts[i].rows;
        s->drafted += s->n_draft;
        e->stats.drafted += s->n_draft;
    }
}

void engine_main(void *arg) {
    engine *e = arg;
    mutex_lock(&e->lock);
    while (!e->stop) {
        e->news = false; /* what comes while the lock is given up below is not slept over */
        drop_from(e->waiting, &e->n_waiting, false);
        drop_from(e->running, &e->n_running, false);
        admit(e);
        mutex_unlock(&e->lock);
        engine_guess(e);
        mutex_lock(&e->lock);
        engine_batch_build(e);
        count_pages(e);
        if (e->n_rows == 0) {
            /* who waits with a deadline is looked at even when nothing else happens */
            while (!e->news && cond_wait_ms(&e->work, &e->lock, e->n_waiting ? WAIT_MS : -1))
                ;
            continue;
        }
        count_step(e);
        mutex_unlock(&e->lock);
        int64_t started_ns = clock_mono_ns();
        step(e);
        mutex_lock(&e->lock);
        engine_admit_pace(e, (double)(clock_mono_ns() - started_ns));
    }
    drop_from(e->waiting, &e->n_waiting, true);
    drop_from(e->running, &e->n_running, true);
    mutex_unlock(&e->lock);
}
