/* engine_list.c - who waits and who runs, and the pages that they hold. Engine thread, lock held.
 */
#include "base/clock.h"
#include "engine/engine_int.h"

#include <string.h>

static void list_remove(engine_sequence **list, int32_t *n, int32_t at) {
    memmove(list + at, list + at + 1, (size_t)(*n - at - 1) * sizeof *list);
    --*n;
}

static void running_remove(engine *e, const engine_sequence *s) {
    int32_t at = 0;
    while (e->running[at] != s) at++;
    list_remove(e->running, &e->n_running, at);
}

void engine_list_count_pages(engine *e) {
    e->stats.pages_free = kv_pool_pages_free(e->pool);
    e->stats.pages_kept = kv_pool_pages_kept(e->pool);
}

static void pages_give(engine *e, engine_sequence *s) {
    kv_sequence_give(e->pool, s->kv);
    drafter_forget(&e->drafter, &s->draft_kv);
    s->kv = NULL;
    s->n_draft = 0;
    engine_list_count_pages(e);
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

void engine_list_drop(engine *e, bool all) {
    drop_from(e->waiting, &e->n_waiting, all);
    drop_from(e->running, &e->n_running, all);
}

void engine_list_finish(engine_sequence *s, engine_finish how) {
    running_remove(s->e, s);
    slot_finish(s, how);
}

/* What it made stands in its tokens and comes again from them; a choice that is scored starts with
 * its prompt. */
void engine_list_postpone(engine *e, engine_sequence *s) {
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

void engine_list_hold(engine_sequence *s) {
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
void engine_list_admit(engine *e) {
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
        engine_list_hold(s);
    }
}
