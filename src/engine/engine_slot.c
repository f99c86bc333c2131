/* engine_slot.c - a place for what is asked, whoever asks: what is checked of all, and the slot
 * from FREE to WAITING; see engine_int.h. Lock held, but for the checks. */
#include "base/clock.h"
#include "engine/engine_int.h"

#include <string.h>

/* ---- checks ---- */

err engine_check_ids(const engine *e, const int32_t *ids, size_t n, fail *f) {
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= e->about->vocabulary)
            return fail_set(f, E_INPUT, "token %d is outside the vocabulary of %lld", ids[i],
                            (long long)e->about->vocabulary);
    return E_OK;
}

err engine_check_room(const engine *e, size_t prompt, size_t more, fail *f) {
    int64_t context = e->o.context_max;
    if (prompt < 1) return fail_set(f, E_INPUT, "the prompt is empty");
    if (prompt > (size_t)context || more > (size_t)context - prompt) {
        fail_set(f, E_CONTEXT,
                 "a prompt of %zu tokens and %zu to be made are above the context of %lld", prompt,
                 more, (long long)context);
        return fail_hint(f, "shorten the prompt or lower max_tokens");
    }
    int64_t pages = kv_pages_for((int64_t)(prompt + more)), have = kv_pool_pages(e->pool);
    if (pages <= have) return E_OK;
    fail_set(f, E_TOO_LARGE,
             "%zu tokens need %lld pages of keys and values, the budget holds %lld: %.1f MiB are "
             "missing",
             prompt + more, (long long)pages, (long long)have,
             (double)(pages - have) * (double)kv_page_bytes(kv_pool_shape(e->pool)) / 1048576);
    return fail_hint(f, "lower max_tokens, or give the engine more memory");
}

err engine_check_adapter(const engine *e, const model_adapter *a, fail *f) {
    if (!a || model_adapter_about(a)->model == e->o.model) return E_OK;
    return fail_set(f, E_INPUT, "the adapter %.*s was opened for another model than %.*s",
                    STR_ARG(model_adapter_about(a)->path), STR_ARG(e->about->path));
}

/* ---- slots ---- */

static err engine_full(engine *e, fail *f) {
    if (e->stop) return fail_set(f, E_CANCELLED, "the engine is closing");
    int retry_s = engine_admit_retry_s(e);
    e->stats.refused++;
    fail_set(f, E_LIMIT,
             "%d requests are being answered and %d are waiting, which is all there is room for",
             e->n_running, e->n_waiting);
    if (f) f->retry_s = retry_s;
    return fail_hint(f, "at the pace of now there is room again in about %d s", retry_s);
}

err engine_slot_take(engine *e, uint64_t tenant, engine_sequence **out, fail *f) {
    if (e->stop || engine_admit_full(e, tenant)) return engine_full(e, f);
    for (int32_t i = 0; i < e->n_slots; i++)
        if (e->slots[i].state == SLOT_FREE) {
            *out = &e->slots[i];
            return E_OK;
        }
    return engine_full(e, f);
}

void engine_slot_reset(engine_sequence *s, const int32_t *prompt, size_t n) {
    s->cancel = s->ended = s->scores = s->ignore_end = s->cache_off = s->draft_off = false;
    s->held = s->filled = s->postponed = false;
    s->tenant_id = 0;
    s->priority = 0;
    s->deadline_ns = 0;
    s->hold = HOLD_NOT;
    s->finish = ENGINE_RUNNING;
    fail_clear(&s->failure);
    s->head = s->count = s->n_stop_ids = 0;
    s->top_logprobs = -1;
    s->sampling = (engine_sampling){0};
    s->root = (kv_root){0};
    s->mask = NULL;
    s->adapter = NULL;
    s->n_prompt = s->n_tokens = (int64_t)n;
    s->n_done = s->n_breaks = s->n_known = 0;
    s->n_draft = s->draft_at = s->draft_done = s->drafted = s->drafts_held = 0;
    memset(s->records, 0, sizeof s->records);
    s->given = s->started_ns = s->first_ns = s->last_ns = s->sampled = 0;
    memcpy(s->tokens, prompt, n * sizeof *prompt);
    s->submitted_ns = clock_mono_ns();
}

void engine_slot_root(engine_sequence *s, uint64_t scope, const model_adapter *adapter) {
    s->adapter = adapter;
    s->root = (kv_root){scope, adapter ? model_adapter_about(adapter)->id : 0};
}

void engine_wake(engine *e) {
    e->news = true;
    cond_signal(&e->work);
}

void engine_slot_queue(engine *e, engine_sequence *s) {
    s->state = SLOT_WAITING;
    e->waiting[e->n_waiting++] = s;
    engine_admit_join(e, s);
    engine_wake(e);
}
