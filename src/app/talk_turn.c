/* talk_turn.c - what a conversation holds: its turns and its model; see talk.h. */
#include "app/talk.h"

#include <string.h>

void talk_clear(talk *t) {
    arena_reset(&t->conversation);
    t->messages = NULL;
    t->n = t->cap = 0;
}

err talk_add(talk *t, gen_role role, str content, fail *f) {
    str kept = arena_str(&t->conversation, content);
    if (!kept.p) return fail_memory(f, "the conversation");
    if (t->n == t->cap) {
        size_t cap = t->cap ? 2 * t->cap : 16;
        gen_message *bigger = arena_new_n(&t->conversation, gen_message, cap);
        if (!bigger) return fail_memory(f, "the conversation");
        if (t->n) memcpy(bigger, t->messages, t->n * sizeof *bigger);
        t->messages = bigger;
        t->cap = cap;
    }
    t->messages[t->n++] = (gen_message){.role = role, .content = kept};
    return E_OK;
}

err talk_take_model(talk *t, str name, fail *f) {
    gen_local *local;
    str kept = arena_str(&t->session, name);
    if (!kept.p) return fail_memory(f, "a name");
    TRY(world_local(t->w, kept, &local, f));
    if (t->model.n && !str_eq(t->model, kept)) world_close_model(t->w, t->model);
    t->model = kept;
    t->local = local;
    t->provider = gen_local_provider(local);
    t->has_template = gen_local_has_template(local);
    return E_OK;
}
