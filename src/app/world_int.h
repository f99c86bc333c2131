/* world_int.h - what the files of the world share: a model's entry, a name that is answered. */
#ifndef BANTAM_APP_WORLD_INT_H
#define BANTAM_APP_WORLD_INT_H

#include "app/world.h"
#include "base/file.h"

#include <stdatomic.h>

/* Lives as long as the world. `lock` of the world guards all but what only a load changes: model,
 * local, digest and embedder, which nobody touches while the state is LOADING or UNLOADING. */
struct world_model {
    world *w;
    world_model *next;
    str name;  /* as it is called in replies */
    str asked; /* as it was first asked for: a path, perhaps */
    registry_model found;
    world_state state;
    int32_t users;   /* leases */
    bool held;       /* by a command or a task: stays */
    bool vocabulary; /* opened without weights */
    int64_t used_ns; /* when the last lease ended */
    int64_t keep_ms; /* > 0: unloaded when idle for so long; 0 = the world's; -1 = never by time */
    int64_t bytes;   /* of the budget */
    int64_t retry_ns, pause_ms; /* failed: not tried before; the next pause */
    fail why;                   /* it failed */
    atomic_int percent;
    model *model;
    gen_embedder embedder; /* encoders */
    gen_local *local;      /* generators: the engine, once somebody asked */
    model_adapter *lora;   /* --lora */
    char digest[80];
};

/* An adapter that is open for a model; guarded by the world's lock. */
struct world_lora {
    world_lora *next;
    world_model *m;
    str name; /* stands behind this struct */
    model_adapter *adapter;
    int32_t users;
    int64_t used_ns, bytes;
};

/* Who calls whom: models -> load -> adapter -> room -> lora, all of them -> entry. */

/* ---- world_models.c ---- */
/* Lock held; given up while loading. */
err world_entry_take(world_model *m, bool generator, fail *f) MUST_CHECK;
void world_models_close(world *w);

/* ---- world_load.c: what takes long; lock not held, the state is LOADING ---- */
err world_weights_open(world_model *m, fail *f) MUST_CHECK;
/* draft: guesses for it; NULL = nobody */
err world_engine_open(world_model *m, model *draft, fail *f) MUST_CHECK;
/* E_UNSUPPORTED where the open model is an encoder. */
err world_check_generates(const world_model *m, fail *f) MUST_CHECK;
/* Bytes that it takes: what is open, and what `generator` would add. */
int64_t world_model_bytes(const world_model *m, bool generator);
err world_open_team(world *w, fail *f) MUST_CHECK;

/* ---- world_room.c ---- */
/* Closes what is open of it. Lock not held, the state is LOADING or UNLOADING. */
void world_model_shut(world_model *m);
/* Lock held, given up while a model is unloaded. Makes room for `bytes` more by unloading what
 * nobody uses, the least recently used first; never `but`. */
err world_room_make(world *w, int64_t bytes, const world_model *but, fail *f) MUST_CHECK;
void world_model_unload(world_model *m); /* lock held, given up meanwhile */

/* ---- world_entry.c: lock held ---- */
/* The entry of a name; loads nothing. */
err world_entry(world *w, str name, world_model **out, fail *f) MUST_CHECK;
world_model *world_entry_find(world *w, str name); /* NULL: not asked for before */

/* ---- world_adapter.c ---- */
gen_adapters world_adapters_of(world_model *m);
/* The file or folder of a name; E_NOT_FOUND names it. Lock held. */
err world_adapter_find(world *w, str name, char out[FILE_PATH_BYTES], fail *f) MUST_CHECK;

/* ---- world_lora.c ---- */
/* Closes those of a model that is unloaded; lock not held, nobody uses it. */
void world_loras_shut(world_model *m);
/* Closes the least recently used one that nobody uses, if it was given back before before_ns. Lock
 * held. */
bool world_lora_drop(world *w, int64_t before_ns);
int64_t world_lora_bytes(world *w); /* of all that are open; lock held */

/* ---- world_offer.c ---- */
struct world_alias {
    world_alias *next;
    str name, target;
};

#endif
