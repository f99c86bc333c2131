/* serve_listen.c - see serve_listen.h. */
#include "app/serve_listen.h"

#include "app/home.h"
#include "app/serve_guard.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_FD = 3 };

/* How many were handed to this very process. */
static err count_fds(arena *a, int64_t *n, const char **names, fail *f) {
    const char *fds, *pid;
    int64_t whose = 0;
    *n = 0;
    TRY(home_env_take(a, "LISTEN_FDS", &fds, f));
    TRY(home_env_take(a, "LISTEN_PID", &pid, f));
    TRY(home_env_take(a, "LISTEN_FDNAMES", names, f));
    if (!fds || !pid || !str_to_int(str_from(pid), &whose) || whose != getpid()) return E_OK;
    if (!str_to_int(str_from(fds), n) || *n < 1 || *n > SERVE_FDS_MAX)
        return fail_set(f, E_INPUT, "LISTEN_FDS=%s: 1 to %d sockets can be taken", fds,
                        SERVE_FDS_MAX);
    return E_OK;
}

static err take_fds(serve_listen *l, int64_t n, const char *names, arena *a, fail *f) {
    str rest = str_from(names);
    for (int fd = FIRST_FD; fd < FIRST_FD + n; fd++) {
        http_place p;
        str name = rest.p ? str_cut(&rest, ':') : STR("");
        TRY(http_place_of(&p, fd, f));
        log_info("app", "socket \"%.*s\" of the service manager: %s, port %d", STR_ARG(name),
                 p.host, p.port);
        if (p.port > 0) l->port = p.port;
        if (!p.loopback && !(l->host = arena_z(a, str_from(p.host))))
            return fail_memory(f, "a name");
        l->fds[l->fds_n++] = fd;
    }
    l->no_tcp = true;
    return E_OK;
}

static err take_settings(serve_listen *l, const serve_config *c, fail *f) {
    const cli *v = &c->values;
    bool said = serve_config_source(c, "port") || serve_config_source(c, "host");
    int64_t port;
    TRY(cli_int(v, "port", 0, 1, 65535, &port, f));
    if (cli_count(v, "listen") > SERVE_FDS_MAX)
        return fail_set(f, E_USAGE, "more than %d times --listen", SERVE_FDS_MAX);
    for (size_t i = 0; i < cli_count(v, "listen"); i++)
        l->paths[l->paths_n++] = cli_value_at(v, "listen", i) + strlen("unix:");
    l->no_tcp = l->paths_n && !said;
    if (!l->no_tcp) l->port = (int)port;
    if (!l->no_tcp) l->host = cli_value(v, "host");
    return E_OK;
}

err serve_listen_read(serve_listen *l, const serve_config *c, arena *a, fail *f) {
    int64_t n;
    const char *names;
    *l = (serve_listen){.host = "127.0.0.1"};
    TRY(count_fds(a, &n, &names, f));
    if (!n) return take_settings(l, c, f);
    if (serve_config_source(c, "port") || serve_config_source(c, "host") ||
        cli_count(&c->values, "listen"))
        log_warn("app",
                 "the sockets are the service manager's: host, port and listen are not used");
    return take_fds(l, n, names, a, f);
}

void serve_listen_print(const serve_listen *l) {
    for (size_t i = 0; i < l->paths_n; i++)
        printf("  curl -s --unix-socket %s http://localhost/health\n", l->paths[i]);
}
