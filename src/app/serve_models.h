/* serve_models.h - the models of a server: what the API lists, finds, loads and unloads. */
#ifndef BANTAM_APP_SERVE_MODELS_H
#define BANTAM_APP_SERVE_MODELS_H

#include "api/api.h"
#include "app/cli.h"
#include "app/world.h"

/* --memory, --keep-alive, --alias, --adapter, --parallel, --queue, --isolate-tenants into the
 * world, before anything is loaded. */
err serve_models_read(const cli *c, world *w, fail *f) MUST_CHECK;
/* w outlives what is given. Its calls come from any thread. */
api_models serve_models(world *w);

#define SERVE_MODEL_OPTIONS                                                                       \
    {"memory", 0, "SIZE", "that models may take, as 6GiB (default: three quarters of all)",       \
     false},                                                                                      \
        {"keep-alive", 0, "TIME", "unload a model that was idle for 5m, 1h (default: never)",     \
         false},                                                                                  \
        {"alias", 0, "NAME=MODEL", "answer to another name (repeat)", true},                      \
        {"adapter", 0, "NAME=PATH", "a LoRA adapter, asked for as MODEL+NAME (repeat)", true},    \
        {"parallel", 0, "N", "requests that one model answers at once (default 16)", false},      \
        {"queue", 0, "N", "requests that wait behind them; more get 429 (default 64)", false}, {  \
        "isolate-tenants", 0, "on|off", "known prefixes stay within a tenant (default on)", false \
    }

#endif
