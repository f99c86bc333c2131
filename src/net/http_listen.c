/* http_listen.c - binding, and finding out who sits on a port that is busy. Owner: the opener. */
#include "net/http_int.h"

#include "base/file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PROC_NET_BYTES_MAX = 4 << 20,
    LISTEN_BACKLOG = 512,
    PORT_TRIES = 8,
    SEND_BYTES = 256 * 1024
};

typedef struct listen_address {
    struct sockaddr_storage storage;
    socklen_t n;
} listen_address;

/* --- who has the port: /proc/net/tcp gives the socket's inode, /proc/PID/fd who holds it --- */

/* "sl local_address rem_address st tx rx tr tm retr uid timeout inode": the inode of the listener.
 */
static bool listener_inode_of(str line, int port, int64_t *inode) {
    str field[10] = {{0}};
    size_t n = 0;
    while (line.p && n < 10) {
        str part = str_cut(&line, ' ');
        if (part.n) field[n++] = part;
    }
    char wanted[8];
    snprintf(wanted, sizeof wanted, ":%04X", (unsigned)port);
    return n == 10 && str_is(field[3], "0A") && str_ends(field[1], str_from(wanted)) &&
           str_to_int(field[9], inode);
}

static bool listener_inode(arena *a, int port, int64_t *inode) {
    static const char *const tables[] = {"/proc/net/tcp", "/proc/net/tcp6"};
    for (size_t t = 0; t < 2; t++) {
        str text;
        if (file_read(a, tables[t], PROC_NET_BYTES_MAX, &text, NULL) != E_OK) continue;
        while (text.p)
            if (listener_inode_of(str_cut(&text, '\n'), port, inode)) return true;
    }
    return false;
}

static bool process_holds(arena *a, str pid, int64_t inode) {
    char dir[64], path[FILE_PATH_BYTES], target[64], wanted[64];
    snprintf(wanted, sizeof wanted, "socket:[%lld]", (long long)inode);
    snprintf(dir, sizeof dir, "/proc/%.*s/fd", STR_ARG(pid));
    str *names;
    size_t n;
    if (file_list(a, dir, &names, &n, NULL) != E_OK) return false; /* another user's */
    for (size_t i = 0; i < n; i++) {
        if (file_join(path, dir, names[i].p, NULL) != E_OK) continue;
        ssize_t got = readlink(path, target, sizeof target - 1);
        if (got > 0 && str_is((str){target, (size_t)got}, wanted)) return true;
    }
    return false;
}

/* "process 1234 (nginx)" into out, or "another process". */
static void port_owner(int port, char *out, size_t out_bytes) {
    arena a;
    arena_init(&a, 0);
    str *pids, name;
    size_t n;
    int64_t inode, pid;
    snprintf(out, out_bytes, "another process");
    bool found =
        listener_inode(&a, port, &inode) && file_list(&a, "/proc", &pids, &n, NULL) == E_OK;
    for (size_t i = 0; found && i < n; i++) {
        if (!str_to_int(pids[i], &pid) || !process_holds(&a, pids[i], inode)) continue;
        char path[64];
        snprintf(path, sizeof path, "/proc/%lld/comm", (long long)pid);
        if (file_read(&a, path, 256, &name, NULL) != E_OK) name = STR("unknown");
        snprintf(out, out_bytes, "process %lld (%.*s)", (long long)pid, STR_ARG(str_trim(name)));
        break;
    }
    arena_deinit(&a);
}

static err port_busy(int port, fail *f) {
    char owner[128];
    port_owner(port, owner, sizeof owner);
    fail_set(f, E_EXISTS, "port %d is taken by %s", port, owner);
    fail_hint(f, "stop that program, or choose another port with --port");
    return E_EXISTS;
}

/* --- binding --- */

static bool address_parse(const char *host, int port, listen_address *out) {
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    *out = (listen_address){0};
    if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
        memcpy(&out->storage, &v4, sizeof v4);
        out->n = sizeof v4;
    } else if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1) {
        memcpy(&out->storage, &v6, sizeof v6);
        out->n = sizeof v6;
    }
    return out->n > 0;
}

static int bound_port(int fd) {
    listen_address at = {.n = sizeof at.storage};
    if (getsockname(fd, (struct sockaddr *)&at.storage, &at.n) != 0) return 0;
    if (at.storage.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&at.storage)->sin6_port);
    return ntohs(((struct sockaddr_in *)&at.storage)->sin_port);
}

/* Binds and listens; E_UNSUPPORTED when the machine has no such address. */
static err listen_on(http_server *s, const char *host, int port, fail *f) {
    listen_address at;
    if (!address_parse(host, port, &at)) {
        fail_set(f, E_INPUT, "\"%s\" is not an IPv4 or IPv6 address to bind", host);
        fail_hint(f, "write 127.0.0.1 for this machine only, 0.0.0.0 for all addresses");
        return E_INPUT;
    }
    int family = at.storage.ss_family, one = 1;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno == EAFNOSUPPORT ? fail_set(f, E_UNSUPPORTED, "no %s on this machine", host)
                                     : fail_errno(f, "cannot make a socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    /* inherited by each connection: megabytes in the kernel would hide for seconds that a client
     * does not read, and epoll reports room only when a third of the buffer is free */
    int send_bytes = SEND_BYTES;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof send_bytes);
    if (family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    err e = E_OK;
    if (bind(fd, (struct sockaddr *)&at.storage, at.n) != 0 || listen(fd, LISTEN_BACKLOG) != 0) {
        if (errno == EADDRINUSE)
            e = port_busy(port, f);
        else if (errno == EADDRNOTAVAIL)
            e = fail_set(f, E_UNSUPPORTED, "no address \"%s\" on this machine", host);
        else
            e = fail_errno(f, "cannot listen on %s, port %d", host, port);
        close(fd);
        return e;
    }
    http_listener l = {.fd = fd, .port = bound_port(fd)};
    s->listeners[s->listeners_n++] = l;
    s->port = l.port;
    return E_OK;
}

void http_listen_close(http_server *s) {
    for (size_t i = 0; i < s->listeners_n; i++) {
        http_unix_remove(&s->listeners[i]);
        close(s->listeners[i].fd);
    }
    s->listeners_n = 0;
}

/* Both loopback addresses on one port: a browser that is told "localhost" tries ::1 first, and must
 * not find somebody else there. */
static err listen_loopback(http_server *s, fail *f) {
    TRY(listen_on(s, "127.0.0.1", s->o.port, f));
    err e = listen_on(s, "::1", s->port, f);
    return e == E_UNSUPPORTED ? E_OK : e;
}

static err listen_host(http_server *s, fail *f) {
    if (s->o.host) return listen_on(s, s->o.host, s->o.port, f);
    err e = E_OK;
    for (int try = 0; try < PORT_TRIES; try++) {
        e = listen_loopback(s, f);
        if (e != E_EXISTS || s->o.port != 0)
            break; /* a free port is free for both or tried again */
        http_listen_close(s);
    }
    return e;
}

/* ---- inherited sockets, UNIX sockets ---- */

err http_place_of(http_place *out, int fd, fail *f) {
    listen_address at = {.n = sizeof at.storage};
    int listening = 0, type = 0;
    socklen_t n = sizeof listening;
    http_place p = {.port = -1};
    bool ok = getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &n) == 0 && listening;
    n = sizeof type;
    ok = ok && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0 && type == SOCK_STREAM;
    ok = ok && getsockname(fd, (struct sockaddr *)&at.storage, &at.n) == 0;
    if (!ok) return fail_set(f, E_INPUT, "descriptor %d is no socket that listens", fd);
    if (at.storage.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&at.storage;
        p.port = ntohs(v4->sin_port);
        p.loopback = (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
        inet_ntop(AF_INET, &v4->sin_addr, p.host, sizeof p.host);
    } else if (at.storage.ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&at.storage;
        p.port = ntohs(v6->sin6_port);
        p.loopback = IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
        inet_ntop(AF_INET6, &v6->sin6_addr, p.host, sizeof p.host);
    } else if (at.storage.ss_family == AF_UNIX) {
        p.loopback = true;
        snprintf(p.host, sizeof p.host, "unix");
    } else {
        return fail_set(f, E_UNSUPPORTED, "descriptor %d is neither a TCP nor a UNIX socket", fd);
    }
    *out = p;
    return E_OK;
}

/* Its file, if it has one, is the service manager's. */
static err adopt(http_server *s, int fd, fail *f) {
    http_place p;
    TRY(http_place_of(&p, fd, f));
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        return fail_errno(f, "cannot take over descriptor %d", fd);
    s->listeners[s->listeners_n++] = (http_listener){.fd = fd, .port = p.port};
    if (p.port >= 0) s->port = p.port;
    return E_OK;
}

err http_listen_open(http_server *s, fail *f) {
    const http_options *o = &s->o;
    if (o->fds_n + o->unix_paths_n + 2 > HTTP_LISTEN_MAX)
        return fail_set(f, E_INPUT, "more than %d sockets to listen on", HTTP_LISTEN_MAX - 2);
    for (size_t i = 0; i < o->fds_n; i++) TRY(adopt(s, o->fds[i], f));
    if (!o->no_tcp) TRY(listen_host(s, f));
    for (size_t i = 0; i < o->unix_paths_n; i++) {
        TRY(http_unix_listen(&s->listeners[s->listeners_n], o->unix_paths[i], f));
        s->listeners_n++;
    }
    return E_OK;
}
