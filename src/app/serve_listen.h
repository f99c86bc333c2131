/* serve_listen.h - where a server listens: host and port, UNIX sockets, or sockets that a service
 * manager opened before it started us (LISTEN_FDS, as sd_listen_fds(3) describes). Main thread. */
#ifndef BANTAM_APP_SERVE_LISTEN_H
#define BANTAM_APP_SERVE_LISTEN_H

#include "app/serve_config.h"
#include "net/http_server.h"

enum { SERVE_FDS_MAX = 8 };

typedef struct serve_listen {
    int fds[SERVE_FDS_MAX]; /* inherited; instead of all else */
    size_t fds_n;
    const char *paths[SERVE_FDS_MAX];
    size_t paths_n;
    bool no_tcp;
    int port;         /* 0: no TCP */
    const char *host; /* the one that reaches farthest; "127.0.0.1" when all are this machine's */
} serve_listen;

/* Takes LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES out of the environment: before any thread. */
err serve_listen_read(serve_listen *l, const serve_config *c, arena *a, fail *f) MUST_CHECK;
void serve_listen_print(const serve_listen *l); /* what to paste for the sockets, for the banner */

#endif
