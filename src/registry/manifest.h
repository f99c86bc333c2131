/* manifest.h - the file "manifest" in each model's folder: one JSON object that says what lies
 * there and where it came from. It is written last, so a folder without one is no model. Any
 * thread. */
#ifndef BANTAM_REGISTRY_MANIFEST_H
#define BANTAM_REGISTRY_MANIFEST_H

#include "registry/catalog.h"

typedef struct manifest {
    str name, tag, source, licence, purpose;
    registry_kind kind;
    str entry; /* file that is the model, "." for the folder; for a link its absolute path */
    bool is_link;
    catalog_file files[CATALOG_FILES_MAX];
    size_t files_n;
    str terms, accepted; /* URL of the terms, and when a person accepted them; empty = none */
    int64_t bytes;       /* sum of files */
    str sha256;          /* see registry.h */
} manifest;

/* Sums files into bytes and sha256 (texts in the arena). */
err manifest_sum(manifest *m, arena *a, fail *f) MUST_CHECK;
err manifest_save(const manifest *m, const char *dir, fail *f) MUST_CHECK;
/* E_NOT_FOUND when dir holds none, E_CORRUPT when it is not one. */
err manifest_load(manifest *m, arena *a, const char *dir, fail *f) MUST_CHECK;

#endif
