/* token_work.c - what one call of encode holds: the ids so far, scratch, whether it failed. */
#include "token/token_int.h"

#include "base/mem.h"

void token_work_fail(token_work *w, err why) {
    if (!w->failed) w->why = why;
    w->failed = true;
}

void token_work_put(token_work *w, int32_t id) {
    if (w->n == w->cap && !w->failed) {
        size_t cap = w->cap ? w->cap * 2 : 256, bytes;
        int32_t *ids = mem_size(cap, sizeof *ids, &bytes) ? mem_resize(w->ids, bytes) : NULL;
        if (ids) {
            w->ids = ids;
            w->cap = cap;
        } else {
            token_work_fail(w, E_NO_MEMORY);
        }
    }
    if (!w->failed) w->ids[w->n++] = id;
}

void *token_work_scratch(token_work *w, size_t bytes) {
    if (bytes > w->scratch_bytes) {
        mem_free(w->scratch);
        w->scratch = mem_alloc(bytes);
        w->scratch_bytes = w->scratch ? bytes : 0;
    }
    if (!w->scratch) token_work_fail(w, E_NO_MEMORY);
    return w->scratch;
}

void token_work_deinit(token_work *w) {
    mem_free(w->ids);
    mem_free(w->scratch);
    for (size_t i = 0; i < sizeof w->normal / sizeof *w->normal; i++) buf_deinit(&w->normal[i]);
    for (size_t i = 0; i < sizeof w->stages / sizeof *w->stages; i++) buf_deinit(&w->stages[i]);
    token_regex_state_deinit(&w->regex);
}
