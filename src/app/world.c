/* world.c - see world.h. */
#include "app/world.h"

#include "app/world_int.h"
#include "keep/keep.h"

enum { MIGRATIONS_MAX = 64 };

/* ---- home and registry ---- */

/* Where models are only used, a home that may not be written (a container's, another's) will do:
 * what would be kept there is not kept. */
static err open_home(world *w, world_needs needs, fail *f) {
    fail why = {0};
    TRY(home_find(&w->arena, &w->home, f));
    err e = home_make(&w->home, &why);
    if (e == E_DENIED && needs == WORLD_MODELS) return E_OK;
    if (e != E_OK && f) *f = why;
    return e;
}

err world_open(world *w, world_needs needs, fail *f) {
    arena_init(&w->arena, 0);
    mutex_init(&w->lock);
    cond_init(&w->changed);
    TRY(open_home(w, needs, f));
    str catalog = arena_printf(&w->arena, "%s/models.catalog", w->home.dir);
    if (!catalog.p) return fail_memory(f, "paths");
    return registry_open(&w->registry,
                         &(registry_options){.root = w->home.models,
                                             .catalog_file = catalog.p,
                                             .env = home_env,
                                             .from_dir = home_env(NULL, "BANTAM_FROM")},
                         f);
}

err world_run(const cli *c, world_needs needs, err (*body)(const cli *c, world *w, fail *f),
              fail *f) {
    static world w; /* large, one a process */
    int64_t threads = 0, context = 0;
    if (cli_has(c, "threads")) TRY(cli_int(c, "threads", 0, 0, 256, &threads, f));
    if (cli_has(c, "ctx")) TRY(cli_int(c, "ctx", 0, 0, 1 << 24, &context, f));
    err e = world_open(&w, needs, f);
    w.threads = (int)threads;
    w.kern = cli_has(c, "kern") ? cli_value(c, "kern") : NULL;
    w.int8 = cli_has(c, "int8") && cli_flag(c, "int8");
    w.kv = cli_has(c, "kv") ? cli_value(c, "kv") : NULL;
    w.context = (int32_t)context;
    w.accept_license = cli_has(c, "accept-license") && cli_flag(c, "accept-license");
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

static size_t all_migrations(store_migration all[MIGRATIONS_MAX]) {
    size_t counts[5], n = 0;
    const store_migration *const parts[] = {
        route_migrations(&counts[0]), desk_migrations(&counts[1]), audit_migrations(&counts[2]),
        who_migrations(&counts[3]), keep_migrations(&counts[4])};
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++)
        for (size_t i = 0; i < counts[p]; i++) {
            CHECK(n < MIGRATIONS_MAX);
            all[n++] = parts[p][i];
        }
    return n;
}

err world_try_store(const char *path, fail *f) {
    store_migration all[MIGRATIONS_MAX];
    store *s;
    TRY(store_open(&s, path, all, all_migrations(all), f));
    store_close(s);
    return E_OK;
}

err world_open_store(world *w, fail *f) {
    store_migration all[MIGRATIONS_MAX];
    TRY(store_open(&w->store, w->home.db, all, all_migrations(all), f));
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
    world_models_close(w);
    team_close(w->team);
    registry_close(w->registry);
    cond_deinit(&w->changed);
    mutex_deinit(&w->lock);
    arena_deinit(&w->arena);
    *w = (world){0};
}
