/* world.h - the wiring: which rooms a command needs, opened in order and closed in reverse.
 *
 * The one place that knows every room. A command says what it needs; the rest stays closed, so
 * `bantam tokenize` starts in milliseconds. Main thread opens and closes. */
#ifndef BANTAM_APP_WORLD_H
#define BANTAM_APP_WORLD_H

#include "app/cli.h"
#include "app/home.h"
#include "app/progress.h"
#include "audit/audit.h"
#include "base/team.h"
#include "desk/desk.h"
#include "base/thread.h"
#include "gen/gen_local.h"
#include "gen/gen_remote.h"
#include "model/model.h"
#include "registry/registry.h"
#include "route/route.h"
#include "who/who.h"

#define WORLD_DRAFTER "smollm2" /* writes drafts for people where a task says generate: draft */

enum { WORLD_TASKS_MAX = 64, WORLD_MODELS_MAX = 8 };

typedef struct world_task {
    str name, path, id;
    task *task; /* as it was when opened */
    route *route;
    gen_remote *remote;
    gen_provider large, drafter;
} world_task;

typedef struct world_model world_model; /* an opened model; world.c */

typedef struct world {
    arena arena;
    home home;
    registry *registry;
    team *team;
    int threads;
    const char *kern, *kv; /* --kern, --kv; NULL = best, f16 */
    int32_t context;       /* --ctx; 0 = the model's */
    const char *draft;     /* --draft: a smaller model that guesses; NULL = none */
    const char *lora;      /* --lora: an adapter on the generator; NULL = none */
    store *store;
    audit *audit;
    desk desk;
    who_book *who;
    bool serving; /* background threads; url_base is set */
    const char *url_base;
    world_task tasks[WORLD_TASKS_MAX];
    size_t n_tasks;
    world_model *models[WORLD_MODELS_MAX];
    size_t n_models;
    progress progress;
    mutex lock; /* models and tasks: workers of a server open them too */
} world;

/* Runs a command inside a world: opens what it needs, with the options --threads, --kern and --kv
 * where its verb has them, runs body, closes. */
typedef enum world_needs { WORLD_MODELS, WORLD_STORE } world_needs;
err world_run(const cli *c, world_needs needs, err (*body)(const cli *c, world *w, fail *f),
              fail *f) MUST_CHECK;

/* Home folder and registry: cheap. */
err world_open(world *w, fail *f) MUST_CHECK;
/* The database, the record, the people's queue. */
err world_open_store(world *w, fail *f) MUST_CHECK;
void world_close(world *w);

/* A catalog name (fetched if absent), a GGUF file or a model folder. */
err world_find_model(world *w, str name, registry_model *out, fail *f) MUST_CHECK;
/* Fetches a model with a progress line. */
err world_pull(world *w, str name, bool accept_license, registry_model *out, fail *f) MUST_CHECK;
/* Opened once per name. */
err world_open_model(world *w, str name, world_model **out, fail *f) MUST_CHECK;
/* Tokenizer and template alone, of any architecture. */
err world_open_vocabulary(world *w, str name, world_model **out, fail *f) MUST_CHECK;
model *world_model_of(world_model *m);
const registry_model *world_found_of(world_model *m);
bool world_is_open(world *w, str name); /* has a model of this name been opened? Any thread */
/* Closes a generator of this name, when it is open and drafts for no other: a chat takes another
 * one. */
void world_close_model(world *w, str name);
/* Encoders only. */
err world_embedder(world *w, str name, const gen_embedder **out, const char **digest,
                   fail *f) MUST_CHECK;
/* Generators only: starts its engine at first need. has_template may be NULL. Any thread. */
err world_local(world *w, str name, gen_local **out, fail *f) MUST_CHECK;
err world_provider(world *w, str name, gen_provider *out, bool *has_template, fail *f) MUST_CHECK;

/* Opens a task by name or path; the same one is opened once. */
err world_task_open(world *w, str name_or_path, world_task **out, fail *f) MUST_CHECK;
world_task *world_task_by_id(world *w, str id); /* among those open; NULL */

#endif
