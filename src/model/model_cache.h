/* model_cache.h - packed weights in a file beside the models, mapped at the next start.
 *
 *     byte 0    model_cache_head, then pack_entry[count], padded to a whole page
 *     data_at   the packed bytes, as model_packing's offsets say
 *
 * A file is used only when all of this holds: the head's own sum; the source's path, size, time and
 * header; the list of weights with their types, shapes and places; what the packing code of this
 * build makes of a fixed pattern; the sum of all bytes. Else it is made anew. It is written under a
 * temporary name, synced, and renamed. Numbers are little-endian. */
#ifndef BANTAM_MODEL_MODEL_CACHE_H
#define BANTAM_MODEL_MODEL_CACHE_H

#include "model/model_packing.h"

/* The packed bytes of m in its cache file, mapped until m is closed; false: none, or not ours. */
bool model_cache_find(model *m, const void **base);
/* Writes the packed bytes; false where there is no cache_dir, no space or no permission. */
bool model_cache_keep(model *m, const void *packed);

#endif
