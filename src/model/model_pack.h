/* model_pack.h - a model's linear layers laid out for the kernels, in memory or in a cache file.
 *
 * While an architecture binds its weights they are listed (model_pack in model_int.h); then all are
 * packed at once over the team, or found packed in a file of an earlier start (model_cache.h). */
#ifndef BANTAM_MODEL_MODEL_PACK_H
#define BANTAM_MODEL_MODEL_PACK_H

#include "model/model_packing.h"

/* Packs what is listed, or maps it. A cache that cannot be read or written is no error. */
err model_pack_all(model *m, fail *f) MUST_CHECK;
void model_pack_close(model *m);

#endif
