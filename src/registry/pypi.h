/* pypi.h - finding a wheel as pip would: find-links folders and pages, then the indexes in order.
 * Blocking; any thread; results live in the arena. */
#ifndef BANTAM_REGISTRY_PYPI_H
#define BANTAM_REGISTRY_PYPI_H

#include "registry/fetch.h"
#include "registry/pip_config.h"

typedef struct pypi_options {
    const pip_config *pip;
    const char *from_dir; /* looked at first; may be NULL */
    pip_env env;          /* for the proxies' variables */
    void *env_ctx;
} pypi_options;

typedef struct pypi_wheel {
    const char *path; /* when it lies on this machine, else NULL */
    const char *url;  /* may hold credentials; never shown */
    str filename, version;
    str sha256;    /* as the index says; empty when it does not */
    int64_t bytes; /* -1 = not said */
} pypi_wheel;

/* package: any spelling; version: empty = the newest final one. E_NOT_FOUND names the places that
 * were looked at; where one of them could not be asked, that place's error. */
err pypi_find(arena *a, const pypi_options *o, str package, str version, pypi_wheel *out,
              fail *f) MUST_CHECK;
/* Proxy, certificates and trust for a URL. */
err pypi_route(arena *a, const pypi_options *o, str url, fetch_route *out, fail *f) MUST_CHECK;
/* The path of a file: URL or of a plain path; NULL for any other URL or want of memory. */
const char *pypi_local_path(arena *a, str place);

#endif
