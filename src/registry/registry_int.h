/* registry_int.h - what registry.c (finding) and pull.c (getting) share. Room registry only. */
#ifndef BANTAM_REGISTRY_REGISTRY_INT_H
#define BANTAM_REGISTRY_REGISTRY_INT_H

#include "base/file.h"
#include "registry/manifest.h"

struct registry {
    arena arena; /* the catalog and the options' texts */
    catalog catalog;
    char root[FILE_PATH_BYTES];
    const char *from_dir; /* NULL = none */
    const char *(*env)(void *ctx, const char *name);
    void *env_ctx;
};

/* "name:tag" -> both; tag empty when there is none. false: neither can be a model's name. */
bool registry_split_name(str what, str *name, str *tag);
/* dir = root/name/tag */
err registry_dir(const registry *r, str name, str tag, char out[FILE_PATH_BYTES],
                 fail *f) MUST_CHECK;
/* A model that is here; tag empty = the catalog's, else the only or first one. E_NOT_FOUND. */
err registry_installed(registry *r, arena *a, str name, str tag, registry_model *out,
                       fail *f) MUST_CHECK;
/* A file or folder that is used where it lies. */
err registry_at_path(arena *a, str path, registry_model *out, fail *f) MUST_CHECK;
registry_kind registry_kind_of(arena *a, const char *path);
/* "SmolLM2 135M.Q4.gguf" -> "smollm2-135m.q4": what may be a name. */
err registry_name_of(arena *a, str path, str *out, fail *f) MUST_CHECK;
/* E_NOT_FOUND with the names that exist as a hint. */
err registry_unknown(registry *r, str what, fail *f);

#endif
