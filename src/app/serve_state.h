/* serve_state.h - a running server: what cmd_serve.c opens and closes, and serve_reload.c changes.
 * The main thread's. */
#ifndef BANTAM_APP_SERVE_STATE_H
#define BANTAM_APP_SERVE_STATE_H

#include "api/api.h"
#include "app/serve_config.h"
#include "app/serve_guard.h"
#include "app/serve_listen.h"
#include "app/serve_notify.h"
#include "app/serve_telemetry.h"
#include "app/world.h"
#include "base/file.h"

typedef struct serve {
    const cli *command;
    serve_config *config; /* as it was at the start: what needs a restart holds from here */
    serve_config *live;   /* what can change: the same one until the first SIGHUP */
    world *w;
    api *api;
    http_server *http;
    file_lock lock;
    int port, connections;
    const char *host;
    serve_guard guard;
    serve_telemetry telemetry;
    serve_notify notify;
    serve_listen listen;
    int64_t drain_ms, notice_ms;
} serve;

/* Settings that are taken at the start and at SIGHUP alike. */
void serve_take_times(serve *s, const cli *c);
void serve_take_log_level(const serve_config *c);
void serve_http_live(const cli *c, const serve_guard *g, http_live *out);

/* Reads the settings anew. What can change is taken, what cannot is named in the log; when anything
 * is wrong all stays as it was and the log says why. True: taken. */
bool serve_reload(serve *s);

#endif
