/* world_models.c - the models of a world: states and leases; see world.h. A state changes
 * under the world's lock, which is given up while a model is loaded or unloaded; who needs the same
 * model meanwhile waits for `changed`. */
#include "app/world_int.h"
#include "base/clock.h"

enum { PAUSE_MS = 5000, PAUSE_MS_MAX = 60000 }; /* after a failed load; doubled each time */

const char *world_state_name(world_state s) {
    static const char *const names[] = {"unloaded", "loading", "loaded", "unloading", "failed"};
    return names[s];
}

/* ---- loading ---- */

static bool is_whole(const world_model *m, bool generator) {
    return m->state == WORLD_LOADED && (!generator || m->local);
}

/* A load that failed is not tried again at once: each try costs seconds, and clients insist. */
static err paused(const world_model *m, int64_t now_ns, fail *f) {
    int left_s = (int)((m->retry_ns - now_ns) / 1000000000) + 1;
    fail_set(f, E_BUSY, "%.*s could not be loaded and is tried again in %d s: %.200s",
             STR_ARG(m->name), left_s, m->why.text);
    fail_hint(f, "%.200s", m->why.hint);
    if (f) f->retry_s = left_s;
    return E_BUSY;
}

static void note_failure(world_model *m, const fail *why) {
    m->pause_ms = m->pause_ms ? 2 * m->pause_ms : PAUSE_MS;
    if (m->pause_ms > PAUSE_MS_MAX) m->pause_ms = PAUSE_MS_MAX;
    m->retry_ns = clock_mono_ns() + m->pause_ms * 1000000;
    m->why = *why;
}

/* What is asked wrongly says nothing about the model, and a stop is nobody's fault. */
static bool is_asked_wrongly(err e) {
    return e == E_UNSUPPORTED || e == E_CANCELLED || e == E_BUSY;
}

/* Lock held, given up meanwhile; nobody else may touch the entry. */
static void shut(world_model *m) {
    mutex_unlock(&m->w->lock);
    world_model_shut(m);
    mutex_lock(&m->w->lock);
}

/* The model that guesses; it may be m itself under another name, which is being opened just now. */
static err open_draft(world_model *m, world_model **out, fail *f) {
    world *w = m->w;
    world_model *entry;
    if (!w->draft || str_is(m->asked, w->draft)) return E_OK;
    mutex_lock(&w->lock);
    err e = world_entry(w, str_from(w->draft), &entry, f);
    mutex_unlock(&w->lock);
    TRY(e);
    if (entry != m) return world_open_model(w, str_from(w->draft), out, f);
    *out = m;
    return E_OK;
}

/* Lock not held: the state keeps others away. */
static err open_parts(world_model *m, bool generator, fail *f) {
    world_model *draft = NULL;
    if (!m->model) TRY(world_weights_open(m, f));
    if (!generator || m->local) return E_OK;
    TRY(world_check_generates(m, f));
    TRY(open_draft(m, &draft, f));
    return world_engine_open(m, draft ? draft->model : NULL, f);
}

/* The state is LOADING, set by us. Lock held; given up while it is loaded. */
static err load(world_model *m, bool generator, fail *f) {
    world *w = m->w;
    fail why = {0};
    err e = world_open_team(w, &why);
    if (e == E_OK) e = world_room_make(w, world_model_bytes(m, generator) - m->bytes, m, &why);
    if (e == E_OK) {
        m->bytes = world_model_bytes(m, generator);
        mutex_unlock(&w->lock);
        e = open_parts(m, generator, &why);
        mutex_lock(&w->lock);
    }
    bool failed = e != E_OK && !is_asked_wrongly(e);
    if (failed && m->users == 1) shut(m); /* no half of a model stays for nobody */
    m->bytes = m->model ? world_model_bytes(m, false) : 0;
    m->state = m->model ? WORLD_LOADED : failed ? WORLD_FAILED : WORLD_UNLOADED;
    if (failed) note_failure(m, &why);
    if (e == E_OK) m->pause_ms = 0;
    m->used_ns = clock_mono_ns();
    cond_broadcast(&w->changed);
    if (e != E_OK && f) *f = why;
    return e;
}

err world_entry_take(world_model *m, bool generator, fail *f) {
    world *w = m->w;
    err e = E_OK;
    m->users++;          /* from here on nobody unloads it */
    if (m->vocabulary) { /* a command tokenised with it, and wants more now */
        m->vocabulary = false;
        m->state = WORLD_UNLOADED;
        shut(m);
    }
    while (e == E_OK && !is_whole(m, generator)) {
        if (m->state == WORLD_LOADING || m->state == WORLD_UNLOADING) {
            cond_wait(&w->changed, &w->lock);
            continue;
        }
        int64_t now_ns = clock_mono_ns();
        if (m->state == WORLD_FAILED && now_ns < m->retry_ns) {
            e = paused(m, now_ns, f);
            break;
        }
        if (generator && m->model) e = world_check_generates(m, f);
        if (e != E_OK) break;
        m->state = WORLD_LOADING;
        atomic_store(&m->percent, 0);
        e = load(m, generator, f);
    }
    if (e != E_OK) m->users--;
    return e;
}

err world_take(world *w, str name, bool generator, world_model **out, fail *f) {
    world_model *m;
    mutex_lock(&w->lock);
    err e = world_entry(w, name, &m, f);
    if (e == E_OK) e = world_entry_take(m, generator, f);
    mutex_unlock(&w->lock);
    if (e == E_OK) *out = m;
    return e;
}

void world_give(world_model *m) {
    if (!m) return;
    mutex_lock(&m->w->lock);
    CHECK(m->users > 0);
    m->users--;
    m->used_ns = clock_mono_ns();
    cond_broadcast(&m->w->changed);
    mutex_unlock(&m->w->lock);
}

gen_local *world_local_of(world_model *m) {
    return m->local;
}

/* ---- for good ---- */

static err hold(world *w, str name, bool generator, world_model **out, fail *f) {
    TRY(world_take(w, name, generator, out, f));
    mutex_lock(&w->lock);
    (*out)->held = true;
    mutex_unlock(&w->lock);
    world_give(*out);
    return E_OK;
}

err world_open_model(world *w, str name, world_model **out, fail *f) {
    return hold(w, name, false, out, f);
}

err world_local(world *w, str name, gen_local **out, fail *f) {
    world_model *m;
    TRY(hold(w, name, true, &m, f));
    *out = m->local;
    return E_OK;
}

/* Main thread, of a command that needs no more; a model with weights is not opened a second time.
 */
err world_open_vocabulary(world *w, str name, world_model **out, fail *f) {
    TRY(world_entry(w, name, out, f));
    if ((*out)->model) return E_OK;
    (*out)->vocabulary = true;
    TRY(world_weights_open(*out, f));
    (*out)->state = WORLD_LOADED;
    return E_OK;
}

err world_embedder(world *w, str name, const gen_embedder **out, const char **digest, fail *f) {
    world_model *m;
    TRY(world_open_model(w, name, &m, f));
    if (!m->embedder.embed) {
        fail_set(f, E_UNSUPPORTED, "%.*s is no encoder, so it gives no embeddings", STR_ARG(name));
        return fail_hint(f, "use minilm");
    }
    *out = &m->embedder;
    if (digest) *digest = m->digest;
    return E_OK;
}

model *world_model_of(world_model *m) {
    return m->model;
}

const registry_model *world_found_of(world_model *m) {
    return &m->found;
}

void world_close_model(world *w, str name) {
    if (w->draft && str_is(name, w->draft)) return; /* another's engine may guess with it */
    mutex_lock(&w->lock);
    world_model *m = world_entry_find(w, name);
    if (m && m->state == WORLD_LOADED && m->users == 0 && !model_about(m->model)->is_encoder) {
        m->held = false;
        world_model_unload(m);
    }
    mutex_unlock(&w->lock);
}

/* ---- looked at and told from outside ---- */

bool world_orphan_next(world *w, const world_model **at, registry_model *out) {
    mutex_lock(&w->lock);
    const world_model *m = *at ? (*at)->next : w->models;
    while (m && !(m->state == WORLD_LOADED && m->found.path && !file_exists(m->found.path)))
        m = m->next;
    if (m) *out = m->found;
    if (m) out->name = m->name;
    mutex_unlock(&w->lock);
    *at = m;
    return m != NULL;
}

void world_status_get(world *w, str name, world_status *out) {
    int64_t now_ns = clock_mono_ns();
    *out = (world_status){0};
    mutex_lock(&w->lock);
    const world_model *m = world_entry_find(w, name);
    if (m) {
        *out = (world_status){.state = m->state,
                              .percent = atomic_load(&m->percent),
                              .bytes = m->bytes,
                              .users = m->users,
                              .idle_ms = m->users ? 0 : (now_ns - m->used_ns) / 1000000};
        int64_t keep_ms = m->keep_ms ? m->keep_ms : m->w->keep_alive_ms;
        out->keep_ms = keep_ms > 0 && !m->held ? keep_ms : -1;
        if (m->state == WORLD_FAILED && m->retry_ns > now_ns)
            out->retry_s = (int32_t)((m->retry_ns - now_ns) / 1000000000) + 1;
        out->has_engine = m->state == WORLD_LOADED && m->local;
        if (out->has_engine) gen_local_stats(m->local, &out->engine);
    }
    mutex_unlock(&w->lock);
}

err world_load(world *w, str name, fail *f) {
    world_model *m;
    mutex_lock(&w->lock);
    err e = world_entry(w, name, &m, f);
    if (e == E_OK) e = world_entry_take(m, m->found.kind == REGISTRY_GENERATOR, f);
    mutex_unlock(&w->lock);
    if (e == E_OK) world_give(m);
    return e;
}

/* Lock held. */
static err unload(world_model *m, fail *f) {
    if (m->state == WORLD_LOADING || m->users > 0) {
        fail_set(f, E_BUSY, "%.*s is in use by %d requests", STR_ARG(m->name), m->users);
        return fail_hint(f, "ask again when they have ended");
    }
    if (m->held) {
        fail_set(f, E_BUSY, "%.*s belongs to a task that is served", STR_ARG(m->name));
        return fail_hint(f, "it stays as long as the task does");
    }
    if (m->state == WORLD_LOADED) world_model_unload(m);
    return E_OK;
}

err world_unload(world *w, str name, fail *f) {
    mutex_lock(&w->lock);
    world_model *m = world_entry_find(w, name);
    err e = m ? unload(m, f) : E_OK;
    mutex_unlock(&w->lock);
    return e;
}

err world_keep_alive(world *w, str name, int64_t ms, fail *f) {
    world_model *m;
    mutex_lock(&w->lock);
    err e = world_entry(w, name, &m, f);
    if (e == E_OK) m->keep_ms = ms < 0 ? -1 : ms == 0 ? 1 : ms;
    mutex_unlock(&w->lock);
    return e;
}

static bool is_due(const world_model *m, int64_t now_ns) {
    int64_t keep_ms = m->keep_ms ? m->keep_ms : m->w->keep_alive_ms;
    return m->state == WORLD_LOADED && m->users == 0 && !m->held && keep_ms > 0 &&
           now_ns - m->used_ns > keep_ms * 1000000;
}

void world_models_tick(world *w) {
    int64_t now_ns = clock_mono_ns();
    mutex_lock(&w->lock);
    for (world_model *m = w->models; m; m = m->next)
        if (is_due(m, now_ns)) world_model_unload(m);
    mutex_unlock(&w->lock);
}

void world_models_close(world *w) {
    for (world_model *m = w->models; m; m = m->next) {
        gen_local_close(m->local); /* all engines first: one may draft for another */
        m->local = NULL;
    }
    for (world_model *m = w->models; m; m = m->next) world_model_shut(m);
}
