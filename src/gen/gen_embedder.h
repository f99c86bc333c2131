/* gen_embedder.h - an encoder of this machine as an embedder. */
#ifndef BANTAM_GEN_GEN_EMBEDDER_H
#define BANTAM_GEN_GEN_EMBEDDER_H

#include "gen/gen.h"
#include "model/model.h"

enum { GEN_EMBED_TOKENS_MAX = 256 }; /* what all-MiniLM-L6-v2 was trained to read */

/* Borrows the model, which must be an encoder; any thread. */
gen_embedder gen_embedder_of(model *m);

#endif
