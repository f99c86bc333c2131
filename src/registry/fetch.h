/* fetch.h - one file over HTTP to disk: resumed where it was cut, hashed as it comes, checked for
 * room before the first byte. What is at `to` after E_OK is whole and right; after an error it is a
 * beginning that the next call goes on from, unless it was proved wrong. Any thread. */
#ifndef BANTAM_REGISTRY_FETCH_H
#define BANTAM_REGISTRY_FETCH_H

#include "registry/registry.h"
#include "text/hash.h"

/* How to reach a server: from pip's configuration and the proxy variables. */
typedef struct fetch_route {
    const char *proxy, *no_proxy, *ca_file; /* NULL = none */
    bool insecure_tls;
} fetch_route;

typedef struct fetch {
    const char *url;    /* may hold credentials; never shown */
    const char *to;     /* path; "to.etag" is used beside it */
    str sha256;         /* what it must be; empty = not known */
    int64_t bytes;      /* how long it must be; -1 = not known */
    int64_t room_bytes; /* needed on the same disk afterwards, besides the file itself */
    fetch_route route;
    const registry_pull_options *pull; /* progress and cancelling; may be NULL */
} fetch;

/* Also gives the file's hash. E_CORRUPT: another hash or length than promised, also when fetched
 * afresh. E_NO_SPACE, E_CANCELLED, and what http_ask and http_status_err give. */
err fetch_run(const fetch *job, char hash[HASH_SHA256_HEX_BYTES], fail *f) MUST_CHECK;

/* E_NO_SPACE naming what is missing when fewer than `bytes` are free where `path` will lie. */
err fetch_check_room(const char *path, int64_t bytes, fail *f) MUST_CHECK;

#endif
