/* serve_models.h - the models of a server: what the API lists, finds, loads and unloads. */
#ifndef BANTAM_APP_SERVE_MODELS_H
#define BANTAM_APP_SERVE_MODELS_H

#include "api/api.h"
#include "app/cli.h"
#include "app/world.h"

/* --memory, --keep-alive, --alias, --adapter, --parallel, --queue, --isolate-tenants into the
 * world, before anything is loaded. c: merged settings, whose values are checked. */
err serve_models_read(const cli *c, world *w, fail *f) MUST_CHECK;
/* Of those, memory and keep-alive: while it serves as well. */
void serve_models_limit(const cli *c, world *w);
/* w outlives what is given. Its calls come from any thread. */
api_models serve_models(world *w);

#endif
