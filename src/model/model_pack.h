/* model_pack.h - a model's linear layers laid out for the kernels, in memory or in a cache file.
 *
 * While an architecture binds its weights they are listed (model_pack in model_int.h); then all are
 * packed at once over the team, or found packed in a file of an earlier start (model_cache.h). */
#ifndef BANTAM_MODEL_MODEL_PACK_H
#define BANTAM_MODEL_MODEL_PACK_H

#include "model/model_int.h"

/* One listed weight: where it lies among the packed bytes. */
typedef struct pack_item {
    weight *w;
    size_t offset, bytes;  /* bytes 0: these kernels use it as it is */
    const tensor *rounded; /* floats that w is the Q8_0 of (options.int8); w's own data is NULL */
} pack_item;

struct model_packing {
    pack_item *items; /* [n] */
    size_t n, room;
    size_t bytes; /* of all, in lines of MODEL_PACK_ALIGN */
    void *memory; /* packed here, or */
    file_map map; /* in a mapped cache file */
};

enum { MODEL_PACK_ALIGN = 64 };

/* Where an item's numbers lie in the model's file. */
static inline const tensor *model_pack_source(const pack_item *item) {
    return item->rounded ? item->rounded : item->w->w;
}
/* Packs what is listed, or maps it. A cache that cannot be read or written is no error. */
err model_pack_all(model *m, fail *f) MUST_CHECK;
void model_pack_close(model *m);

#endif
