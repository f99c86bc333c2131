/* world_room.c - the budget of memory that models share: what is taken, and what makes way. A model
 * counts with its file (which is mapped), its keys and values, and its scratch memory; an adapter
 * with its matrices. */
#include "app/world_int.h"
#include "base/machine.h"

enum { SHARE_OF = 4, SHARE_PARTS = 3 }; /* three quarters of what the machine or cgroup has */
static const int64_t memory_unknown = (int64_t)4 << 30;

int64_t world_memory_max(world *w) {
    int64_t set = atomic_load(&w->memory_max);
    if (set > 0) return set;
    if ((set = atomic_load(&w->memory_usual)) > 0) return set;
    machine about;
    machine_look(&about);
    int64_t have = about.memory_bytes > 0 ? about.memory_bytes : memory_unknown;
    if (about.memory_limit_bytes > 0 && about.memory_limit_bytes < have)
        have = about.memory_limit_bytes;
    set = have / SHARE_OF * SHARE_PARTS;
    atomic_store(&w->memory_usual, set);
    return set;
}

void world_models_limit(world *w, int64_t memory_max, int64_t keep_alive_ms) {
    mutex_lock(&w->lock);
    atomic_store(&w->memory_max, memory_max);
    w->keep_alive_ms = keep_alive_ms;
    mutex_unlock(&w->lock);
}

static int64_t used(world *w) {
    int64_t sum = world_lora_bytes(w);
    for (const world_model *m = w->models; m; m = m->next) sum += m->bytes;
    return sum;
}

int64_t world_memory_used(world *w) {
    mutex_lock(&w->lock);
    int64_t sum = used(w);
    mutex_unlock(&w->lock);
    return sum;
}

void world_model_shut(world_model *m) {
    gen_local_close(m->local);
    world_loras_shut(m);
    model_adapter_close(m->lora);
    model_close(m->model);
    m->local = NULL;
    m->lora = NULL;
    m->model = NULL;
    m->embedder = (gen_embedder){0};
}

void world_model_unload(world_model *m) {
    world *w = m->w;
    m->state = WORLD_UNLOADING;
    mutex_unlock(&w->lock);
    world_model_shut(m);
    mutex_lock(&w->lock);
    m->state = WORLD_UNLOADED;
    m->bytes = 0;
    cond_broadcast(&w->changed);
}

static world_model *least_used(world *w, const world_model *but) {
    world_model *least = NULL;
    for (world_model *m = w->models; m; m = m->next) {
        bool idle = m->state == WORLD_LOADED && m->users == 0 && !m->held && m != but;
        if (idle && (!least || m->used_ns < least->used_ns)) least = m;
    }
    return least;
}

static err no_room(world *w, int64_t bytes, fail *f) {
    double mib = 1048576, most = (double)world_memory_max(w);
    if ((double)bytes > most) {
        fail_set(f, E_NO_MEMORY,
                 "the model needs %.0f MiB, and all models together may take %.0f MiB: %.0f MiB "
                 "are missing",
                 (double)bytes / mib, most / mib, ((double)bytes - most) / mib);
        return fail_hint(f, "give more with --memory, or take a smaller model");
    }
    fail_set(f, E_BUSY,
             "the model needs %.0f MiB; %.0f of %.0f MiB are taken by models that are in use",
             (double)bytes / mib, (double)used(w) / mib, most / mib);
    fail_hint(f, "try again when requests to them have ended, or give more with --memory");
    if (f) f->retry_s = 1;
    return E_BUSY;
}

err world_room_make(world *w, int64_t bytes, const world_model *but, fail *f) {
    while (bytes > 0 && used(w) + bytes > world_memory_max(w)) {
        world_model *m = least_used(w, but);
        if (world_lora_drop(w, m ? m->used_ns : INT64_MAX)) continue;
        if (!m) return no_room(w, bytes + (but ? but->bytes : 0), f);
        world_model_unload(m);
    }
    return E_OK;
}
