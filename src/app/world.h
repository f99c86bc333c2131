/* world.h - the wiring: which rooms a command needs, opened in order and closed in reverse.
 *
 * The one place that knows every room. A command says what it needs; the rest stays closed, so
 * `bantam tokenize` starts in milliseconds. Main thread opens and closes.
 *
 * Models lie side by side within a budget of memory. One is loaded when it is first asked for, once
 * for all who ask meanwhile; where another needs its room the least recently used of those that
 * nobody uses is unloaded:
 *
 *     UNLOADED -take-> LOADING -> LOADED -need of room, keep_alive, world_unload-> UNLOADED
 *                         '-----> FAILED -take after its pause-> LOADING
 *
 * A lease (world_provider and world_leased_embedder take one a call) keeps a model where it is. */
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

enum { WORLD_TASKS_MAX = 64 };

typedef struct world_task {
    str name, path, id;
    task *task; /* as it was when opened */
    route *route;
    gen_remote *remote;
    gen_provider large, drafter;
} world_task;

typedef struct world_model world_model;     /* a model, loaded or not; world_models.c */
typedef struct world_offer world_offer;     /* a name that is answered; world_offer.c */
typedef struct world_adapter world_adapter; /* a file of an adapter; world_adapter.c */
typedef struct world_lora world_lora;       /* one opened for a model */
typedef struct world_alias world_alias;     /* world_offer.c */

typedef struct world {
    arena arena;
    home home;
    registry *registry;
    team *team;
    int threads;
    const char *kern, *kv; /* --kern, --kv; NULL = best, f16 */
    bool int8;             /* --int8: encoders' matrices of floats are multiplied in int8 */
    int32_t context;       /* --ctx; 0 = the model's */
    bool accept_license;   /* --accept-license: of a model that is fetched on the way */
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
    _Atomic int64_t memory_max;   /* bytes that models may take; 0 = a share of the machine's */
    _Atomic int64_t memory_usual; /* that share, once it was looked for */
    int64_t keep_alive_ms;      /* a model that nobody used for so long is unloaded; 0 = none is */
    int32_t sequences, waiting; /* of each model's engine: generating, in its queue; 0 = usual */
    bool isolate;               /* prefixes are shared within a tenant only */
    world_model *models;        /* lists, guarded by lock as all of the above that changes */
    world_offer *offers;
    world_adapter *adapters;
    world_lora *loras;
    world_alias *aliases;
    progress progress;
    mutex lock;   /* models and tasks: workers of a server open them too */
    cond changed; /* the state of a model */
} world;

/* A store needs a home that can be written; models alone do not. */
typedef enum world_needs { WORLD_MODELS, WORLD_STORE } world_needs;
/* Runs a command inside a world: opens what it needs, with the options --threads, --kern, --int8
 * and --kv where its verb has them, runs body, closes. */
err world_run(const cli *c, world_needs needs, err (*body)(const cli *c, world *w, fail *f),
              fail *f) MUST_CHECK;

/* Home folder and registry: cheap. */
err world_open(world *w, world_needs needs, fail *f) MUST_CHECK;
/* The database, the record, the people's queue. */
err world_open_store(world *w, fail *f) MUST_CHECK;
/* Can this program open that database? Brings it up to date. */
err world_try_store(const char *path, fail *f) MUST_CHECK;
void world_close(world *w);

/* A catalog name (fetched if absent), a GGUF file or a model folder. */
err world_find_model(world *w, str name, registry_model *out, fail *f) MUST_CHECK;
/* Fetches a model with a progress line. */
err world_pull(world *w, str name, bool accept_license, registry_model *out, fail *f) MUST_CHECK;
/* Loaded once per name, for good: a command works with what it opened. */
err world_open_model(world *w, str name, world_model **out, fail *f) MUST_CHECK;
/* Tokenizer and template alone, of any architecture. */
err world_open_vocabulary(world *w, str name, world_model **out, fail *f) MUST_CHECK;
model *world_model_of(world_model *m);
const registry_model *world_found_of(world_model *m);
/* Closes a generator of this name, when it is open and drafts for no other: a chat takes another
 * one. */
void world_close_model(world *w, str name);
/* Encoders only; it stays loaded. */
err world_embedder(world *w, str name, const gen_embedder **out, const char **digest,
                   fail *f) MUST_CHECK;
/* Generators only: starts its engine, for good. */
err world_local(world *w, str name, gen_local **out, fail *f) MUST_CHECK;

/* ---- names and leases: any thread ---- */

/* What a name stands for: "smollm2", an alias, "smollm2+support-lora". Loads nothing; each call of
 * what it gives takes the model, loading it where needed. E_NOT_FOUND names what is missing.
 * out->model: what really answers. has_template may be NULL; asking for it loads the model. */
err world_provider(world *w, str name, gen_provider *out, bool *has_template, fail *f) MUST_CHECK;
/* Loads it the first time, for its width. */
err world_leased_embedder(world *w, str name, const gen_embedder **out, fail *f) MUST_CHECK;
/* Of generators and encoders. */
err world_vocabulary(world *w, str name, gen_vocabulary *out, fail *f) MUST_CHECK;
bool world_is_known(world *w, str name); /* was it asked for before, and found? */
/* The model behind a name, without alias and adapter. */
err world_base_of(world *w, str name, str *out, fail *f) MUST_CHECK;
/* Keeps a model where it is until it is given back. generator: with its engine. */
err world_take(world *w, str name, bool generator, world_model **out, fail *f) MUST_CHECK;
void world_give(world_model *m);           /* NULL is fine */
gen_local *world_local_of(world_model *m); /* of a taken generator */

/* `alias` stands for `target` (a model or model+adapter). E_EXISTS when the alias stands for
 * another already. Before serving. */
err world_alias_add(world *w, str alias, str target, fail *f) MUST_CHECK;
/* "ALIAS=TARGET" and "NAME=PATH", as options and configuration have them. */
err world_alias_read(world *w, str pair, fail *f) MUST_CHECK;
err world_adapter_read(world *w, str pair, fail *f) MUST_CHECK;
/* An adapter under a name; those of $BANTAM_HOME/adapters are known without. */
err world_adapter_add(world *w, str name, str path, fail *f) MUST_CHECK;

/* Names of the adapters known: added, and those of the home folder. */
err world_adapter_list(world *w, arena *a, str **names, size_t *n, fail *f) MUST_CHECK;
/* Instead of the aliases there are: pairs "ALIAS=TARGET", n of them; all or none. An alias that
 * goes is not found from then on, what runs under it goes on. Any thread, while it serves as well.
 */
err world_alias_replace(world *w, const char *const *pairs, size_t n, fail *f) MUST_CHECK;
/* The next alias; NULL first, false: no more. */
bool world_alias_next(world *w, const world_alias **at, str *alias, str *target);

typedef enum world_state {
    WORLD_UNLOADED,
    WORLD_LOADING,
    WORLD_LOADED,
    WORLD_UNLOADING,
    WORLD_FAILED
} world_state;
const char *world_state_name(world_state s); /* "loaded" */

typedef struct world_status {
    world_state state;
    int percent;     /* of loading */
    int64_t bytes;   /* that it takes of the budget */
    int32_t users;   /* requests that are at it */
    int64_t idle_ms; /* since the last one ended; 0 while there are some */
    int64_t keep_ms; /* it is unloaded when idle for so long; -1 never by time */
    int32_t retry_s; /* failed: seconds until it is tried again */
    bool has_engine; /* a generator that somebody asked */
    engine_stats engine;
} world_status;
/* One after the other, *at NULL at first: the models that are in memory though their file is gone.
 */
bool world_orphan_next(world *w, const world_model **at, registry_model *out);
void world_status_get(world *w, str name, world_status *out); /* a registry's name */

/* Tokens that a generator holds, prompt and answer; loads it. */
err world_context(world *w, str name, int32_t *tokens, fail *f) MUST_CHECK;
err world_load(world *w, str name, fail *f) MUST_CHECK;
/* E_BUSY while requests use it or a task holds it. */
err world_unload(world *w, str name, fail *f) MUST_CHECK;
/* From its next return on: < 0 never by time, 0 at once, else after so long. */
err world_keep_alive(world *w, str name, int64_t ms, fail *f) MUST_CHECK;
/* Unloads what has been idle for its time; the housekeeper calls it. */
void world_models_tick(world *w);
/* Another budget (0: the usual) and idle time (0: none); what is above it now goes when room is
 * asked for next. */
void world_models_limit(world *w, int64_t memory_max, int64_t keep_alive_ms);
int64_t world_memory_max(world *w);  /* the budget */
int64_t world_memory_used(world *w); /* what models take of it */

/* Opens a task by name or path; the same one is opened once. */
err world_task_open(world *w, str name_or_path, world_task **out, fail *f) MUST_CHECK;
world_task *world_task_by_id(world *w, str id); /* among those open; NULL */

#endif
