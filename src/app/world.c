/* world.c - see world.h. */
#include "app/world.h"

#include "app/stop.h"
#include "app/stamp.h"
#include "base/file.h"
#include "base/mem.h"
#include "gen/gen_embedder.h"
#include "kern/kern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MIGRATIONS_MAX = 64 };

struct world_model {
    str name;
    registry_model found;
    model *model;
    gen_embedder embedder;
    gen_local *local; /* decoders: the engine, once somebody asked */
    model_adapter *adapter;
    char digest[80];
};

/* ---- home, registry, team ---- */

err world_open(world *w, fail *f) {
    arena_init(&w->arena, 0);
    mutex_init(&w->lock);
    TRY(home_open(&w->arena, &w->home, f));
    str catalog = arena_printf(&w->arena, "%s/models.catalog", w->home.dir);
    if (!catalog.p) return fail_memory(f, "paths");
    return registry_open(&w->registry,
                         &(registry_options){.root = w->home.models,
                                             .catalog_file = catalog.p,
                                             .env = home_env,
                                             .from_dir = home_env(NULL, "BANTAM_FROM")},
                         f);
}

static err open_team(world *w, fail *f) {
    return w->team ? E_OK : team_open(&w->team, w->threads, f);
}

err world_run(const cli *c, world_needs needs, err (*body)(const cli *c, world *w, fail *f),
              fail *f) {
    static world w; /* large, one a process */
    int64_t threads = 0, context = 0;
    if (cli_has(c, "threads")) TRY(cli_int(c, "threads", 0, 0, 256, &threads, f));
    if (cli_has(c, "ctx")) TRY(cli_int(c, "ctx", 0, 0, 1 << 24, &context, f));
    err e = world_open(&w, f);
    w.threads = (int)threads;
    w.kern = cli_has(c, "kern") ? cli_value(c, "kern") : NULL;
    w.kv = cli_has(c, "kv") ? cli_value(c, "kv") : NULL;
    w.context = (int32_t)context;
    w.draft = cli_has(c, "draft") ? cli_value(c, "draft") : NULL;
    w.lora = cli_has(c, "lora") ? cli_value(c, "lora") : NULL;
    if (e == E_OK && needs == WORLD_STORE) e = world_open_store(&w, f);
    if (e == E_OK) e = body(c, &w, f);
    world_close(&w);
    return e;
}

/* ---- store ---- */

static err approved_reply(void *self, str task_id, str label, arena *a, str *out, fail *f) {
    world *w = self;
    world_task *t = world_task_by_id(w, task_id);
    if (!t) { /* a review of a task that is not open here: its file says what a label answers */
        task_place *places;
        size_t n;
        TRY(task_list(a, w->home.task_dirs, 2, &places, &n, f));
        for (size_t i = 0; i < n; i++) {
            task *x;
            fail ignored;
            if (task_load(a, places[i].path.p, &x, &ignored) == E_OK && str_eq(x->id, task_id))
                return route_reply_of(w->store, x, label, a, out, f);
        }
        *out = STR_NONE;
        return E_OK;
    }
    return route_reply(t->route, label, a, out, f);
}

err world_open_store(world *w, fail *f) {
    store_migration all[MIGRATIONS_MAX];
    const store_migration *parts[4];
    size_t counts[4], n = 0;
    parts[0] = route_migrations(&counts[0]);
    parts[1] = desk_migrations(&counts[1]);
    parts[2] = audit_migrations(&counts[2]);
    parts[3] = who_migrations(&counts[3]);
    for (size_t p = 0; p < 4; p++)
        for (size_t i = 0; i < counts[p]; i++) {
            CHECK(n < MIGRATIONS_MAX);
            all[n++] = parts[p][i];
        }
    TRY(store_open(&w->store, w->home.db, all, n, f));
    w->desk = (desk){.store = w->store,
                     .labels = route_labels(w->store),
                     .reply_text = approved_reply,
                     .reply_self = w};
    TRY(who_open(&w->who, &(who_options){.store = w->store}, f));
    return audit_open(
        &w->audit,
        &(audit_options){.store = w->store, .folder = w->home.journal, .background = w->serving},
        f);
}

void world_close(world *w) {
    for (size_t i = 0; i < w->n_tasks; i++) {
        route_close(w->tasks[i].route);
        gen_remote_close(w->tasks[i].remote);
    }
    audit_close(w->audit);
    who_close(w->who);
    store_close(w->store);
    for (size_t i = 0; i < w->n_models; i++) {
        gen_local_close(w->models[i]->local); /* all engines first: one may draft for another */
    }
    for (size_t i = 0; i < w->n_models; i++) {
        model_adapter_close(w->models[i]->adapter);
        model_close(w->models[i]->model);
    }
    team_close(w->team);
    registry_close(w->registry);
    mutex_deinit(&w->lock);
    arena_deinit(&w->arena);
    *w = (world){0};
}

/* ---- models ---- */

static void pull_progress(void *ctx, const char *stage, int64_t bytes, int64_t total) {
    world *w = ctx;
    progress_put(&w->progress, stage, (uint64_t)bytes, total > 0 ? (uint64_t)total : 0);
}

static bool pull_cancelled(void *ctx) {
    (void)ctx;
    return stop_wanted();
}

/* Shows a model's own terms and waits for a "yes". Where nobody sits, nobody has accepted. */
static bool ask_terms(void *ctx, const registry_terms *terms) {
    char line[16];
    (void)ctx;
    if (isatty(STDIN_FILENO) != 1 || isatty(STDERR_FILENO) != 1) return false;
    fprintf(stderr, "%.*s has terms of its own (%.*s):\n", STR_ARG(terms->name),
            STR_ARG(terms->licence));
    if (terms->notice.n) fprintf(stderr, "  %.*s\n", STR_ARG(terms->notice));
    fprintf(stderr, "  %.*s\nDo you accept them? Type yes: ", STR_ARG(terms->url));
    fflush(stderr);
    if (!fgets(line, sizeof line, stdin)) return false;
    return str_eq_nocase(str_trim(str_from(line)), STR("yes"));
}

err world_pull(world *w, str name, bool accept_license, registry_model *out, fail *f) {
    registry_pull_options o = {.progress = pull_progress,
                               .accept = ask_terms,
                               .cancelled = pull_cancelled,
                               .ctx = w,
                               .accept_license = accept_license};
    progress_init(&w->progress, PROGRESS_BYTES);
    err e = registry_pull(w->registry, &w->arena, name, &o, out, f);
    progress_end(&w->progress);
    return e;
}

err world_find_model(world *w, str name, registry_model *out, fail *f) {
    err e = registry_find(w->registry, &w->arena, name, out, f);
    if (e != E_OK && e != E_NOT_FOUND) return e;
    if (e == E_OK && out->path) return E_OK;
    /* in the catalog, not here yet: fetch it; anything else stays not found */
    registry_model *all;
    size_t n;
    fail ignored;
    if (registry_list(w->registry, &w->arena, &all, &n, &ignored) != E_OK) return e;
    str base = name;
    size_t colon = str_find_char(name, ':');
    if (colon != STR_INDEX_NONE) base.n = colon;
    for (size_t i = 0; i < n; i++)
        if (all[i].in_catalog && str_eq(all[i].name, base)) {
            fprintf(stderr, "fetching %.*s, which is not on this machine yet\n", STR_ARG(name));
            return world_pull(w, name, false, out, f);
        }
    return e;
}

static err open_found(world *w, world_model *m, bool vocabulary_only, fail *f) {
    const kern_table *kern;
    TRY(kern_select(w->kern, &kern, f));
    if (m->found.sha256.n && !m->found.is_link)
        snprintf(m->digest, sizeof m->digest, "%.*s", STR_ARG(m->found.sha256));
    else
        TRY(stamp_path(&w->arena, m->found.path, m->digest, f));
    if (!vocabulary_only) TRY(open_team(w, f));
    str cache = arena_printf(&w->arena, "%s/cache", w->home.dir);
    if (!cache.p) return fail_memory(f, "a model");
    TRY(model_open(&m->model, m->found.path,
                   &(model_options){.kern = kern,
                                    .team = w->team,
                                    .cache_dir = cache.p,
                                    .vocabulary_only = vocabulary_only},
                   f));
    const model_info *info = model_about(m->model);
    if (info->is_encoder && info->has_weights) m->embedder = gen_embedder_of(m->model);
    return E_OK;
}

static err open_model(world *w, str name, bool vocabulary_only, world_model **out, fail *f) {
    for (size_t i = 0; i < w->n_models; i++)
        if (str_eq(w->models[i]->name, name)) {
            *out = w->models[i];
            return E_OK;
        }
    if (w->n_models == WORLD_MODELS_MAX)
        return fail_set(f, E_BUSY, "more than %d models are open", WORLD_MODELS_MAX);
    world_model *m = arena_new(&w->arena, world_model);
    if (!m) return fail_memory(f, "a model");
    m->name = arena_str(&w->arena, name);
    if (!m->name.p) return fail_memory(f, "a model");
    TRY(world_find_model(w, name, &m->found, f));
    TRY(open_found(w, m, vocabulary_only, f));
    w->models[w->n_models++] = m;
    *out = m;
    return E_OK;
}

err world_open_model(world *w, str name, world_model **out, fail *f) {
    mutex_lock(&w->lock);
    err e = open_model(w, name, false, out, f);
    mutex_unlock(&w->lock);
    return e;
}
err world_open_vocabulary(world *w, str name, world_model **out, fail *f) {
    return open_model(w, name, true, out, f);
}

model *world_model_of(world_model *m) {
    return m->model;
}

const registry_model *world_found_of(world_model *m) {
    return &m->found;
}

bool world_is_open(world *w, str name) {
    bool open = false;
    mutex_lock(&w->lock);
    for (size_t i = 0; i < w->n_models; i++) open = open || str_eq(w->models[i]->name, name);
    mutex_unlock(&w->lock);
    return open;
}

void world_close_model(world *w, str name) {
    if (w->draft && str_is(name, w->draft)) return; /* another's engine may guess with it */
    for (size_t i = 0; i < w->n_models; i++) {
        world_model *m = w->models[i];
        if (!str_eq(m->name, name) || model_about(m->model)->is_encoder) continue;
        gen_local_close(m->local);
        model_adapter_close(m->adapter);
        model_close(m->model);
        w->models[i] = w->models[--w->n_models];
        return;
    }
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

/* ---- tasks ---- */

static err open_large(world_task *t, const task *x, fail *f) {
    if (!x->llm.present) return E_OK;
    char name[160];
    snprintf(name, sizeof name, "%.*s", STR_ARG(x->llm.key_env));
    const char *key = x->llm.key_env.n ? home_env(NULL, name) : "";
    if (!key)
        return E_OK; /* its key is not set: the tier is not configured, and the banner says so */
    TRY(gen_remote_open(&t->remote,
                        &(gen_remote_options){.url = x->llm.url,
                                              .key = str_from(key),
                                              .model = x->llm.model,
                                              .timeout_ms = x->llm.timeout_ms,
                                              .retries = x->llm.retries},
                        f));
    t->large = gen_remote_provider(t->remote);
    return E_OK;
}

static void fit_progress(void *self, const char *what, size_t done, size_t total) {
    world *w = self;
    progress_put(&w->progress, what, done, total);
}

static bool interrupted(void *self) {
    (void)self;
    return stop_wanted();
}

static err open_route(world *w, world_task *t, const task *x, fail *f) {
    route_options o = {.task_path = t->path.p,
                       .store = w->store,
                       .large = t->large.generate ? &t->large : NULL,
                       .people = x->human.present ? desk_people(&w->desk) : (gen_people){0},
                       .embedder_digest = "",
                       .url_base = w->url_base ? w->url_base : "",
                       .background = w->serving,
                       .progress = fit_progress,
                       .progress_self = w,
                       .cancelled = interrupted};
    if (x->slm.present) TRY(world_embedder(w, x->slm.model, &o.embedder, &o.embedder_digest, f));
    TRY(open_team(w, f));
    o.team = w->team;
    if (x->generate_draft) {
        TRY(world_provider(w, STR(WORLD_DRAFTER), &t->drafter, NULL, f));
        t->drafter.name = WORLD_DRAFTER;
        o.drafter = &t->drafter;
    }
    progress_init(&w->progress, PROGRESS_COUNT);
    err e = route_open(&t->route, &o, f);
    progress_end(&w->progress);
    return e;
}

err world_task_open(world *w, str name_or_path, world_task **out, fail *f) {
    str path;
    task *x;
    TRY(task_find(&w->arena, w->home.task_dirs, 2, name_or_path, &path, f));
    for (size_t i = 0; i < w->n_tasks; i++)
        if (str_eq(w->tasks[i].path, path)) {
            *out = &w->tasks[i];
            return E_OK;
        }
    if (w->n_tasks == WORLD_TASKS_MAX)
        return fail_set(f, E_BUSY, "more than %d tasks are open", WORLD_TASKS_MAX);
    TRY(task_load(&w->arena, path.p, &x, f));
    world_task *t = &w->tasks[w->n_tasks];
    *t = (world_task){.name = x->name, .path = path, .id = x->id, .task = x};
    err e = open_large(t, x, f);
    if (e == E_OK) e = open_route(w, t, x, f);
    if (e != E_OK) {
        gen_remote_close(t->remote);
        *t = (world_task){0};
        return e;
    }
    w->n_tasks++;
    *out = t;
    return E_OK;
}

world_task *world_task_by_id(world *w, str id) {
    for (size_t i = 0; i < w->n_tasks; i++)
        if (str_eq(w->tasks[i].id, id)) return &w->tasks[i];
    return NULL;
}

/* ---- generators ---- */

static err open_local(world *w, str name, gen_local **out, fail *f) {
    world_model *m;
    kv_type kv;
    TRY(kv_type_of(w->kv, &kv, f));
    TRY(open_model(w, name, false, &m, f));
    if (model_about(m->model)->is_encoder) {
        fail_set(f, E_UNSUPPORTED, "%.*s is an encoder: it gives embeddings, not text",
                 STR_ARG(name));
        return fail_hint(f, "use smollm2");
    }
    if (m->local) {
        *out = m->local;
        return E_OK;
    }
    world_model *draft = NULL;
    if (w->draft) TRY(open_model(w, str_from(w->draft), false, &draft, f));
    if (w->lora && !m->adapter) TRY(model_adapter_open(&m->adapter, m->model, w->lora, f));
    TRY(gen_local_open(&m->local,
                       &(gen_local_options){.m = m->model,
                                            .kv = kv,
                                            .name = m->name,
                                            .context_max = w->context,
                                            .draft = draft ? draft->model : NULL,
                                            .adapter = m->adapter},
                       f));
    *out = m->local;
    return E_OK;
}

err world_local(world *w, str name, gen_local **out, fail *f) {
    mutex_lock(&w->lock);
    err e = open_local(w, name, out, f);
    mutex_unlock(&w->lock);
    return e;
}

err world_provider(world *w, str name, gen_provider *out, bool *has_template, fail *f) {
    gen_local *g;
    TRY(world_local(w, name, &g, f));
    *out = gen_local_provider(g);
    if (has_template) *has_template = gen_local_has_template(g);
    return E_OK;
}
