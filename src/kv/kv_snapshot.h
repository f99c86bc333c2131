/* kv_snapshot.h - a prefix in a file: its tokens and the pages that hold their keys and values.
 *
 *     0    8  "BANTAMKV"
 *     8    4  version, 1                  12   4  positions of a page
 *    16   64  model: what the caller says identifies weights and adapter
 *    80   32  build                      112  16  kernels
 *   128    4  type of the numbers        132   4  0
 *   136    8  layers                     144   8  heads        152  8  head width
 *   160    8  bytes of a page            168   8  tokens n, whole pages
 *   176    8  checksum of all but itself 184   8  0
 *   192       tokens [n] int32, then pages [n / positions of a page]; little endian
 *
 * Numbers of another model, build, kernels or type would give other tokens, so such a file is
 * refused by what differs. Any thread, while the sequence's pages do not change. */
#ifndef BANTAM_KV_SNAPSHOT_H
#define BANTAM_KV_SNAPSHOT_H

#include "base/str.h"
#include "kv/kv.h"

/* What made the numbers; each is text of at most so many bytes. */
enum { KV_MODEL_BYTES = 64, KV_BUILD_BYTES = 32, KV_KERNELS_BYTES = 16 };
typedef struct kv_origin {
    str model, build, kernels;
} kv_origin;

/* Writes the first n positions (whole pages, n > 0) of s, which hold these tokens: all or nothing,
 * at first under another name. E_INPUT for an origin that is too long. */
err kv_snapshot_save(const char *path, const kv_origin *o, const kv_pool *p, const kv_sequence *s,
                     const int32_t *tokens, int64_t n, fail *f) MUST_CHECK;

typedef struct kv_snapshot {
    const int32_t *tokens; /* [n] borrowed from the bytes */
    int64_t n;
    const char *pages;
    size_t page_bytes;
} kv_snapshot;

/* Reads a file's bytes, which begin on a multiple of 8. E_CORRUPT, or E_UNSUPPORTED naming the
 * first of model, build, kernels, type and shape that is not what is wanted. Tokens may be any
 * number. */
err kv_snapshot_read(str bytes, const char *name, const kv_origin *want, const kv_shape *shape,
                     kv_snapshot *out, fail *f) MUST_CHECK;
/* Puts one page of it into the same page of s, which nobody shares. */
void kv_snapshot_fill(const kv_snapshot *from, const kv_pool *p, const kv_sequence *s,
                      int64_t page);

#endif
