/* model_packing.h - the listed weights and where they lie among the packed bytes; shared by
 * model_pack.c, which packs them, and model_cache.c, which keeps them in a file. */
#ifndef BANTAM_MODEL_MODEL_PACKING_H
#define BANTAM_MODEL_MODEL_PACKING_H

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

#endif
