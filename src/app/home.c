/* home.c - see home.h. */
#include "app/home.h"

#include "app/backup_swap.h"
#include "base/file.h"

#include <stdlib.h>
#include <stdio.h>

const char *home_env(void *unused, const char *name) {
    (void)unused;
    const char *v = getenv(name);
    return v && *v ? v : NULL;
}

err home_env_take(arena *a, const char *name, const char **out, fail *f) {
    const char *v = home_env(NULL, name);
    *out = v ? arena_z(a, str_from(v)) : NULL;
    if (v && !*out) return fail_memory(f, "the environment");
    unsetenv(name);
    return E_OK;
}

static const char *under(arena *a, const char *dir, const char *name) {
    return arena_printf(a, "%s/%s", dir, name).p;
}

err home_dir(arena *a, const char **out, fail *f) {
    const char *dir = home_env(NULL, "BANTAM_HOME"), *data = home_env(NULL, "XDG_DATA_HOME");
    const char *user = home_env(NULL, "HOME");
    if (!dir && data)
        dir = under(a, data, "bantam");
    else if (!dir && user)
        dir = under(a, user, ".local/share/bantam");
    else if (!dir) {
        fail_set(f, E_USAGE, "neither BANTAM_HOME nor HOME is set, so there is no place for data");
        return fail_hint(f, "export BANTAM_HOME=/some/folder");
    } else
        dir = arena_z(a, str_from(dir));
    if (!dir) return fail_memory(f, "paths");
    *out = dir;
    return E_OK;
}

err home_find(arena *a, home *h, fail *f) {
    TRY(home_dir(a, &h->dir, f));
    h->db = under(a, h->dir, "bantam.db");
    h->journal = under(a, h->dir, "journal");
    h->models = under(a, h->dir, "models");
    h->tasks = under(a, h->dir, "tasks");
    h->lock = under(a, h->dir, "serve.lock");
    if (!h->lock || !h->tasks || !h->models || !h->journal || !h->db)
        return fail_memory(f, "paths");
    h->task_dirs[0] = "tasks";
    h->task_dirs[1] = h->tasks;
    return E_OK;
}

err home_make(const home *h, fail *f) {
    const char *make[] = {h->journal, h->models, h->tasks};
    TRY(file_make_dirs(h->dir, f));
    TRY(swap_recover(h->dir, h->lock, f));
    for (size_t i = 0; i < sizeof make / sizeof *make; i++) TRY(file_make_dirs(make[i], f));
    return E_OK;
}

err home_open(arena *a, home *h, fail *f) {
    TRY(home_find(a, h, f));
    return home_make(h, f);
}

bool home_server_runs(const home *h, int64_t *port, int64_t *pid) {
    fail f = {0};
    if (!file_lock_is_held(h->lock)) return false;
    arena a;
    arena_init(&a, 256);
    str text;
    long long p = 0, id = 0;
    if (file_read(&a, h->lock, 256, &text, &f) == E_OK) sscanf(text.p, "%lld %lld", &p, &id);
    arena_deinit(&a);
    *port = p;
    *pid = id;
    return true;
}
