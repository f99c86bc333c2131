/* world_tasks.c - the tasks of a world: opened once, with their route, their large tier and, where
 * a task says so, a small model that drafts. Main thread. See world.h. */
#include "app/stop.h"
#include "app/world_int.h"

#include <stdio.h>

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
                       .cancelled = stop_gone};
    if (x->slm.present) TRY(world_embedder(w, x->slm.model, &o.embedder, &o.embedder_digest, f));
    TRY(world_open_team(w, f));
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
