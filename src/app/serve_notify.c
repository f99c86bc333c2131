/* serve_notify.c - see serve_notify.h. */
#include "app/serve_notify.h"

#include "app/home.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/notify.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

static void tell(serve_notify *n, const char *message) {
    fail f = {0};
    if (!n->address || notify_send(n->address, str_from(message), &f) == E_OK) return;
    log_warn("app", "%s", f.text);
}

/* WATCHDOG_PID, where it is set, says for whom the other is meant. */
static int64_t watchdog_ms(const char *usec, const char *pid) {
    int64_t us = 0, whose = 0;
    bool ours = !pid || (str_to_int(str_from(pid), &whose) && whose == getpid());
    if (!usec || !ours || !str_to_int(str_from(usec), &us) || us <= 0) return 0;
    return us / 2000 > 0 ? us / 2000 : 1;
}

err serve_notify_open(serve_notify *n, arena *a, fail *f) {
    const char *usec, *pid;
    *n = (serve_notify){.turns = -1};
    TRY(home_env_take(a, "NOTIFY_SOCKET", &n->address, f));
    TRY(home_env_take(a, "WATCHDOG_USEC", &usec, f));
    TRY(home_env_take(a, "WATCHDOG_PID", &pid, f));
    n->every_ms = n->address ? watchdog_ms(usec, pid) : 0;
    return E_OK;
}

void serve_notify_ready(serve_notify *n, const char *status) {
    char text[256];
    snprintf(text, sizeof text, "READY=1\nSTATUS=%s\n", status);
    tell(n, text);
}

void serve_notify_reloading(serve_notify *n) {
    char text[96];
    snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%" PRId64 "\n",
             clock_mono_ns() / 1000);
    tell(n, text);
}

void serve_notify_stopping(serve_notify *n) {
    tell(n, "STOPPING=1\nSTATUS=letting requests finish\n");
}

void serve_notify_tick(serve_notify *n, http_server *s) {
    int64_t now_ms = clock_mono_ns() / 1000000;
    if (!n->every_ms || now_ms < n->next_ms) return;
    n->next_ms = now_ms + n->every_ms;
    int64_t turns = http_server_turns(s);
    if (turns != n->turns)
        tell(n, "WATCHDOG=1\n");
    else
        log_error("app", "the HTTP loop did not turn for %lld ms", (long long)n->every_ms);
    n->turns = turns;
}
