/* engine_snapshot.c - prefixes to disk and back; see engine.h. The caller's thread reads and writes
 * the file; meanwhile the sequence is held by the engine thread: it has its pages and computes
 * nothing, so nobody changes them. */
#include "base/file.h"
#include "engine/engine_int.h"

#include <string.h>

static kv_origin origin_of(const engine *e, const engine_snapshot_options *o) {
    return (kv_origin){
        .model = o->model, .build = o->build, .kernels = str_from(model_kernels(e->o.model)->name)};
}

/* Waits until the engine thread holds the sequence of these tokens for us. */
static err hold(engine *e, const int32_t *tokens, int64_t n, const engine_snapshot_options *o,
                bool fills, engine_sequence **out, fail *f) {
    engine_sequence *s;
    TRY(engine_check_ids(e, tokens, (size_t)n, f));
    TRY(engine_check_room(e, (size_t)n, 0, f));
    TRY(engine_check_adapter(e, o->adapter, f));
    mutex_lock(&e->lock);
    err result = engine_slot_take(e, 0, &s, f);
    if (result == E_OK) {
        engine_slot_reset(s, tokens, (size_t)n);
        engine_slot_root(s, o->cache_scope, o->adapter);
        s->hold = fills ? HOLD_TO_FILL : HOLD_TO_SAVE;
        s->room_max = n;
        engine_slot_queue(e, s);
        while (!s->held && s->state != SLOT_DONE) cond_wait(&s->ready, &e->lock);
        result = s->failure.code;
        if (result != E_OK && f) *f = s->failure;
        if (result == E_OK && !s->held) result = fail_set(f, E_CANCELLED, "the engine is closing");
        if (result != E_OK) s->state = SLOT_FREE;
        *out = s;
    }
    mutex_unlock(&e->lock);
    return result;
}

err engine_snapshot_save(engine *e, const token_ids *tokens, const engine_snapshot_options *o,
                         int64_t *saved, fail *f) {
    engine_sequence *s = NULL;
    int64_t n = (int64_t)(tokens->n - tokens->n % KV_PAGE_TOKENS);
    const kv_origin origin = origin_of(e, o);
    if (n == 0)
        return fail_set(f, E_INPUT,
                        "a prefix of %zu tokens is too short for a snapshot: %d at least",
                        tokens->n, KV_PAGE_TOKENS);
    TRY(hold(e, tokens->p, n, o, false, &s, f));
    err result = kv_snapshot_save(o->path, &origin, e->pool, s->kv, tokens->p, n, f);
    engine_release(s);
    if (result == E_OK) *saved = n;
    return result;
}

static err load(engine *e, const kv_snapshot *file, const engine_snapshot_options *o, fail *f) {
    engine_sequence *s = NULL;
    TRY(hold(e, file->tokens, file->n, o, true, &s, f));
    for (int64_t page = s->n_known / KV_PAGE_TOKENS; page < file->n / KV_PAGE_TOKENS; page++)
        kv_snapshot_fill(file, e->pool, s->kv, page);
    mutex_lock(&e->lock);
    s->filled = true;
    mutex_unlock(&e->lock);
    engine_release(s);
    return E_OK;
}

err engine_snapshot_load(engine *e, const engine_snapshot_options *o, int64_t *known, fail *f) {
    file_map map;
    kv_snapshot file;
    const kv_origin origin = origin_of(e, o);
    TRY(file_map_open(&map, o->path, f));
    err result = kv_snapshot_read((str){(const char *)map.p, map.n}, o->path, &origin,
                                  kv_pool_shape(e->pool), &file, f);
    if (result == E_OK) result = load(e, &file, o, f);
    if (result == E_OK) *known = file.n;
    file_map_close(&map);
    return result;
}
