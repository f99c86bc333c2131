/* stamp.h - which bytes a model in place has, without reading them all. */
#ifndef BANTAM_APP_STAMP_H
#define BANTAM_APP_STAMP_H

#include "base/arena.h"
#include "base/err.h"

enum { STAMP_BYTES = 65 };

/* 64 hex digits over name, size and change time of the file, or of each file in the folder: what
 * was computed with a model that lies in place must not be taken for another one's. Not a hash of
 * the content: a pulled model has that. Any thread; scratch in a. */
err stamp_path(arena *a, const char *path, char out[STAMP_BYTES], fail *f) MUST_CHECK;

#endif
