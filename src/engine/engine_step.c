/* engine_step.c - the engine thread: admit, batch, forward, sample, post; see engine_int.h.
 *
 *     engine_list.c -> engine_guess.c -> engine_batch.c -> model -> engine_generate.c,
 *     engine_score.c -> here: the readers' queues, and around again
 *
 * The lock is held to look at the lists and to post, never during a forward. Nothing is allocated
 * here. A failed forward ends the sequences of that batch with its error, not the engine. */
#include "base/clock.h"
#include "engine/engine_int.h"

enum {
    MANY_ROWS = 16, /* from here on a step's time says what a row takes */
    WAIT_MS = 100
};

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
            result = engine_generate_part(e, s, p, &finish, &f);
        publish(e, s);
    }
    mutex_lock(&e->lock);
    post_tokens(e, s, !s->scores && finish == ENGINE_STOP);
    if (result != E_OK) {
        s->failure = forwarded != E_OK ? *why : f;
        finish = ENGINE_CANCELLED;
    }
    engine_list_hold(s);
    if (finish != ENGINE_RUNNING) engine_list_finish(s, finish);
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
        engine_list_drop(e, false);
        engine_list_admit(e);
        mutex_unlock(&e->lock);
        engine_guess(e);
        mutex_lock(&e->lock);
        engine_batch_build(e);
        engine_list_count_pages(e);
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
    engine_list_drop(e, true);
    mutex_unlock(&e->lock);
}
