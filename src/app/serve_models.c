/* serve_models.c - see serve_models.h. Only what is on this machine is served: a request must not
 * start a download, nor open a path. */
#include "app/serve_models.h"

#include "app/serve_option.h"
#include "app/weights.h"
#include "base/file.h"

#include <string.h>

/* ---- options ---- */

void serve_models_limit(const cli *c, world *w) {
    int64_t memory = 0, keep_alive_ms = 0;
    (void)serve_bytes_of(str_from(cli_value(c, "memory")), &memory);
    (void)serve_time_of(str_from(cli_value(c, "keep-alive")), &keep_alive_ms);
    world_models_limit(w, memory, keep_alive_ms);
}

err serve_models_read(const cli *c, world *w, fail *f) {
    int64_t parallel, queue;
    serve_models_limit(c, w);
    TRY(cli_int(c, "parallel", 0, 1, 128, &parallel, f));
    TRY(cli_int(c, "queue", 0, 1, 4096, &queue, f));
    w->isolate = !strcmp(cli_value(c, "isolate-tenants"), "on");
    w->sequences = (int32_t)parallel;
    w->waiting = (int32_t)queue;
    for (size_t i = 0; i < cli_count(c, "alias"); i++)
        TRY(world_alias_read(w, str_from(cli_value_at(c, "alias", i)), f));
    for (size_t i = 0; i < cli_count(c, "adapter"); i++)
        TRY(world_adapter_read(w, str_from(cli_value_at(c, "adapter", i)), f));
    return E_OK;
}

/* ---- the list ---- */

typedef struct listing {
    world *w;
    arena *a;
    api_model *models;
    size_t n, max;
} listing;

static err add(listing *l, api_model m, fail *f) {
    if (!m.id.p) return fail_memory(f, "models");
    if (l->n == l->max) {
        size_t max = l->max ? 2 * l->max : 16;
        api_model *more = arena_new_n(l->a, api_model, max);
        if (!more) return fail_memory(f, "models");
        if (l->n) memcpy(more, l->models, l->n * sizeof *more);
        l->models = more;
        l->max = max;
    }
    l->models[l->n++] = m;
    return E_OK;
}

static api_engine of_engine(const world_status *s) {
    const engine_stats *e = &s->engine;
    return (api_engine){.present = s->has_engine,
                        .running = e->running,
                        .waiting = e->waiting,
                        .pages = e->pages,
                        .pages_free = e->pages_free,
                        .pages_kept = e->pages_kept,
                        .queried = e->prompt_tokens + e->known_tokens,
                        .known = e->known_tokens,
                        .drafted = e->drafted,
                        .held = e->drafts_held,
                        .postponed = e->postponed,
                        .refused = e->refused};
}

static api_model of_status(const registry_model *m, const world_status *s) {
    return (api_model){.id = m->name,
                       .kind = m->kind == REGISTRY_ENCODER ? API_ENCODER : API_GENERATOR,
                       .title = m->purpose,
                       .loaded = s->state == WORLD_LOADED,
                       .state = world_state_name(s->state),
                       .percent = s->percent,
                       .bytes = s->bytes,
                       .users = s->users,
                       .left_ms = s->keep_ms < 0            ? -1
                                  : s->keep_ms > s->idle_ms ? s->keep_ms - s->idle_ms
                                                            : 0,
                       .retry_s = s->retry_s,
                       .engine = of_engine(s)};
}

static err add_model(listing *l, const registry_model *m, const str *adapters, size_t n, fail *f) {
    world_status status;
    world_status_get(l->w, m->name, &status);
    api_model plain = of_status(m, &status);
    TRY(add(l, plain, f));
    for (size_t i = 0; m->kind == REGISTRY_GENERATOR && i < n; i++) {
        api_model x = plain;
        x.id = arena_printf(l->a, "%.*s+%.*s", STR_ARG(m->name), STR_ARG(adapters[i]));
        x.parent = m->name;
        x.adapter = adapters[i];
        TRY(add(l, x, f));
    }
    return E_OK;
}

/* What was deleted under a running server still answers and still takes memory. */
static err add_orphans(listing *l, const str *adapters, size_t n, fail *f) {
    const world_model *at = NULL;
    registry_model m;
    while (world_orphan_next(l->w, &at, &m)) TRY(add_model(l, &m, adapters, n, f));
    return E_OK;
}

/* Behind what they stand for; one whose target is not here is left out. */
static err add_aliases(listing *l, fail *f) {
    const world_alias *at = NULL;
    str alias, target;
    size_t n = l->n;
    while (world_alias_next(l->w, &at, &alias, &target))
        for (size_t i = 0; i < n; i++)
            if (str_eq(l->models[i].id, target)) {
                api_model x = l->models[i];
                x.id = alias;
                x.parent = target;
                x.is_alias = true;
                TRY(add(l, x, f));
            }
    return E_OK;
}

static err list_models(void *self, arena *a, api_model **out, size_t *n, fail *f) {
    listing l = {.w = self, .a = a};
    registry_model *all;
    str *adapters;
    size_t found, n_adapters;
    mutex_lock(&l.w->lock);
    err e = registry_list(l.w->registry, a, &all, &found, f);
    if (e == E_OK) e = world_adapter_list(l.w, a, &adapters, &n_adapters, f);
    mutex_unlock(&l.w->lock);
    if (e != E_OK) return e;
    for (size_t i = 0; i < l.w->n_tasks; i++) {
        const world_task *t = &l.w->tasks[i];
        TRY(add(&l,
                (api_model){.id = arena_printf(a, "task:%.*s", STR_ARG(t->name)),
                            .kind = API_TASK,
                            .title = t->task->title,
                            .loaded = true,
                            .state = world_state_name(WORLD_LOADED)},
                f));
    }
    for (size_t i = 0; i < found; i++)
        if (all[i].path && all[i].kind != REGISTRY_OTHER)
            TRY(add_model(&l, &all[i], adapters, n_adapters, f));
    TRY(add_orphans(&l, adapters, n_adapters, f));
    TRY(add_aliases(&l, f));
    *out = l.models;
    *n = l.n;
    return E_OK;
}

/* ---- finding ---- */

/* Reads the models' folder, so only for a name that was never asked before. */
static err check_offered(world *w, str name, fail *f) {
    arena a;
    api_model *models;
    size_t n;
    bool offered = false;
    if (world_is_known(w, name)) return E_OK;
    arena_init(&a, 0);
    err e = list_models(w, &a, &models, &n, f);
    for (size_t i = 0; e == E_OK && i < n; i++) offered = offered || str_eq(models[i].id, name);
    arena_deinit(&a);
    if (e != E_OK || offered) return e;
    fail_set(f, E_NOT_FOUND, "the model \"%.*s\" is not served here",
             STR_ARG(str_slice(name, 0, 80)));
    return fail_hint(f, "GET /v1/models lists what is; bantam pull fetches more");
}

static err find_provider(void *self, str name, gen_provider *out, fail *f) {
    TRY(check_offered(self, name, f));
    return world_provider(self, name, out, NULL, f);
}

static err find_embedder(void *self, str name, const gen_embedder **out, fail *f) {
    TRY(check_offered(self, name, f));
    return world_leased_embedder(self, name, out, f);
}

static err find_vocabulary(void *self, str name, gen_vocabulary *out, fail *f) {
    TRY(check_offered(self, name, f));
    return world_vocabulary(self, name, out, f);
}

static err find_task(void *self, str name, route **out, str *task_id, fail *f) {
    world *w = self;
    for (size_t i = 0; i < w->n_tasks; i++)
        if (str_eq(w->tasks[i].name, name)) {
            *out = w->tasks[i].route;
            *task_id = w->tasks[i].id;
            return E_OK;
        }
    return fail_set(f, E_NOT_FOUND, "the task \"%.*s\" is not served here",
                    STR_ARG(str_slice(name, 0, 80)));
}

/* ---- loading ---- */

static err base_of(world *w, str name, str *out, fail *f) {
    TRY(check_offered(w, name, f));
    return world_base_of(w, name, out, f);
}

static err load(void *self, str name, fail *f) {
    str base;
    TRY(base_of(self, name, &base, f));
    return world_load(self, base, f);
}

static err unload(void *self, str name, fail *f) {
    str base;
    TRY(base_of(self, name, &base, f));
    return world_unload(self, base, f);
}

static err keep(void *self, str name, int64_t ms, fail *f) {
    str base;
    TRY(base_of(self, name, &base, f));
    return world_keep_alive(self, base, ms, f);
}

/* ---- what is known ---- */

static err context(void *self, str name, int32_t *tokens, fail *f) {
    TRY(check_offered(self, name, f));
    return world_context(self, name, tokens, f);
}

static int64_t known(int64_t n) {
    return n > 0 ? n : 0;
}

/* When a file was written; 0 for a folder. */
static int64_t written_ms(const char *path) {
    file_map map;
    if (file_is_dir(path) || file_map_open(&map, path, NULL) != E_OK) return 0;
    int64_t ms = map.mtime_ns / 1000000;
    file_map_close(&map);
    return ms;
}

/* Reads the head of the model's file; loads nothing. */
static err about(void *self, arena *a, str name, api_about *out, fail *f) {
    world *w = self;
    registry_model m;
    weights x;
    str base;
    TRY(base_of(w, name, &base, f));
    mutex_lock(&w->lock);
    err e = registry_find(w->registry, a, base, &m, f);
    mutex_unlock(&w->lock);
    TRY(e);
    TRY(weights_read(&x, a, m.path, f));
    bool gguf = str_ends(str_from(m.path), STR(".gguf"));
    *out = (api_about){.format = gguf ? STR("gguf") : STR("safetensors"),
                       .family = x.architecture,
                       .quantisation = str_from(x.quantisation),
                       .digest = m.sha256,
                       .licence = m.licence,
                       .chat_template = x.chat_template,
                       .bytes = x.bytes,
                       .modified_ms = written_ms(m.path),
                       .parameters = x.parameters,
                       .context = known(x.context),
                       .width = known(x.width),
                       .layers = known(x.layers),
                       .heads = known(x.heads),
                       .kv_heads = known(x.kv_heads)};
    if (w->context && w->context < out->context) out->context = w->context;
    return E_OK;
}

api_models serve_models(world *w) {
    return (api_models){.self = w,
                        .list = list_models,
                        .provider = find_provider,
                        .embedder = find_embedder,
                        .task = find_task,
                        .load = load,
                        .unload = unload,
                        .keep = keep,
                        .context = context,
                        .about = about,
                        .vocabulary = find_vocabulary};
}
