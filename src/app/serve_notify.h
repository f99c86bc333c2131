/* serve_notify.h - what a server tells systemd (Type=notify, notify-reload, WatchdogSec=): ready,
 * reloading, stopping, alive, and a line for `systemctl status`. Nothing happens where
 * NOTIFY_SOCKET is not set. "Alive" is said only while the HTTP loop turns. Main thread. */
#ifndef BANTAM_APP_SERVE_NOTIFY_H
#define BANTAM_APP_SERVE_NOTIFY_H

#include "base/arena.h"
#include "net/http_server.h"

typedef struct serve_notify {
    const char *address; /* NULL: nobody listens */
    int64_t every_ms;    /* half of what the watchdog waits; 0 = there is none */
    int64_t next_ms, turns;
} serve_notify;

/* Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the environment: before any thread. */
err serve_notify_open(serve_notify *n, arena *a, fail *f) MUST_CHECK;
void serve_notify_ready(serve_notify *n, const char *status);
void serve_notify_reloading(serve_notify *n); /* ends with the next ready */
void serve_notify_stopping(serve_notify *n);
void serve_notify_tick(serve_notify *n, http_server *s); /* often */

#endif
