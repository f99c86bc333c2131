/* home.h - where Bantam keeps its things. The only reader of the environment, with main.
 *
 *   $BANTAM_HOME, else $XDG_DATA_HOME/bantam, else ~/.local/share/bantam
 *     bantam.db        store        journal/   of the record
 *     models/          pulled       tasks/    task files     serve.lock held by a running server
 *     bantam.yaml      settings of serve
 *     history          lines typed into chats, mode 0600     chats/    saved ones */
#ifndef BANTAM_APP_HOME_H
#define BANTAM_APP_HOME_H

#include "base/arena.h"
#include "base/err.h"

typedef struct home {
    const char *dir, *db, *journal, *models, *tasks, *lock;
    const char *task_dirs[2]; /* ./tasks, then home's */
} home;

/* The folder alone; makes nothing. E_USAGE where the environment names none. */
err home_dir(arena *a, const char **out, fail *f) MUST_CHECK;
/* The paths; looks at nothing and makes nothing. */
err home_find(arena *a, home *out, fail *f) MUST_CHECK;
/* Makes the folders (mode 0700) and ends a restore that was broken off. */
err home_make(const home *h, fail *f) MUST_CHECK;
/* Both. */
err home_open(arena *a, home *out, fail *f) MUST_CHECK;
/* The same, copied and taken out, so that no child process inherits it. Before any thread starts.
 */
err home_env_take(arena *a, const char *name, const char **out, fail *f) MUST_CHECK;
const char *home_env(void *unused, const char *name); /* NULL when unset or empty */
/* True while a server runs over this home; *port and *pid from its lock file. */
bool home_server_runs(const home *h, int64_t *port, int64_t *pid);

#endif
