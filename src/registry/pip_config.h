/* pip_config.h - where this machine's pip would look: its files and variables, read as pip reads
 * them (https://pip.pypa.io/en/stable/topics/configuration/), lowest first: /etc/xdg/pip/pip.conf,
 * /etc/pip.conf, ~/.pip/pip.conf, ~/.config/pip/pip.conf, $VIRTUAL_ENV/pip.conf, $PIP_CONFIG_FILE,
 * PIP_* variables. A later one replaces the whole value. Sections [global] and [install].
 * Any thread; results live in the arena. */
#ifndef BANTAM_REGISTRY_PIP_CONFIG_H
#define BANTAM_REGISTRY_PIP_CONFIG_H

#include "base/arena.h"
#include "base/err.h"

enum { PIP_LIST_MAX = 32, PIP_FILE_BYTES_MAX = 1 << 20 };

typedef struct pip_list {
    str items[PIP_LIST_MAX];
    size_t n;
} pip_list;

typedef struct pip_config {
    str index_url; /* https://pypi.org/simple unless set */
    pip_list extra_index_url;
    pip_list find_links;   /* folders, files or URLs */
    pip_list trusted_host; /* "host" or "host:port": certificates are not asked for there */
    bool no_index;
    str cert, proxy; /* empty = none */
} pip_config;

typedef const char *(*pip_env)(void *ctx, const char *name);

/* Reads files and variables. A file that cannot be read or understood is E_INPUT with its line. */
err pip_config_load(pip_config *c, arena *a, pip_env env, void *env_ctx, fail *f) MUST_CHECK;
/* One file's text over what c holds. */
err pip_config_read(pip_config *c, arena *a, str text, const char *file, fail *f) MUST_CHECK;
void pip_config_init(pip_config *c);

#endif
