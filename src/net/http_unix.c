/* http_unix.c - listening on a UNIX socket in the file system.
 *
 * The file gets its mode before anybody can connect (the socket's own mode is what bind gives it).
 * A socket that lies there already is removed only when nobody answers on it; ours is removed when
 * the server stops listening, if it is still ours. Owner: the opener, then the loop. */
#include "net/http_int.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { UNIX_BACKLOG = 512, UNIX_MODE = 0600 };

static err unix_address(const char *path, struct sockaddr_un *out, fail *f) {
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    size_t n = strlen(path);
    if (!n || path[0] == '@' || n >= sizeof out->sun_path) {
        fail_set(f, E_INPUT, "\"unix:%.80s\" names no socket", path);
        return fail_hint(f, "write unix:/PATH, of at most %zu bytes", sizeof out->sun_path - 1);
    }
    memcpy(out->sun_path, path, n);
    return E_OK;
}

/* Does somebody answer there? A full queue is an answer. */
static bool is_served(const struct sockaddr_un *at) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return true;
    bool dead = connect(fd, (const struct sockaddr *)at, sizeof *at) != 0 && errno == ECONNREFUSED;
    close(fd);
    return !dead;
}

static err clear_stale(const struct sockaddr_un *at, fail *f) {
    struct stat info;
    if (lstat(at->sun_path, &info) != 0)
        return errno == ENOENT ? E_OK : fail_errno(f, "cannot look at \"%s\"", at->sun_path);
    if (!S_ISSOCK(info.st_mode))
        return fail_set(f, E_EXISTS, "\"%s\" is there and is no socket", at->sun_path);
    if (is_served(at)) {
        fail_set(f, E_EXISTS, "another process answers at \"%s\"", at->sun_path);
        return fail_hint(f, "stop it, or choose another path with --listen");
    }
    if (unlink(at->sun_path) != 0)
        return fail_errno(f, "cannot remove the old socket \"%s\"", at->sun_path);
    return E_OK;
}

static err bind_at(int fd, const struct sockaddr_un *at, http_listener *l, fail *f) {
    struct stat info;
    if (fchmod(fd, UNIX_MODE) != 0 || bind(fd, (const struct sockaddr *)at, sizeof *at) != 0 ||
        lstat(at->sun_path, &info) != 0)
        return fail_errno(f, "cannot make the socket \"%s\"", at->sun_path);
    memcpy(l->path, at->sun_path, sizeof l->path);
    l->dev = info.st_dev;
    l->ino = info.st_ino;
    if (listen(fd, UNIX_BACKLOG) != 0)
        return fail_errno(f, "cannot listen at \"%s\"", at->sun_path);
    return E_OK;
}

err http_unix_listen(http_listener *out, const char *path, fail *f) {
    struct sockaddr_un at;
    http_listener l = {.port = -1};
    TRY(unix_address(path, &at, f));
    TRY(clear_stale(&at, f));
    l.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l.fd < 0) return fail_errno(f, "cannot make a socket");
    err e = bind_at(l.fd, &at, &l, f);
    if (e == E_OK) {
        *out = l;
        return E_OK;
    }
    http_unix_remove(&l);
    close(l.fd);
    return e;
}

void http_unix_remove(const http_listener *l) {
    struct stat info;
    if (l->path[0] && lstat(l->path, &info) == 0 && info.st_dev == l->dev && info.st_ino == l->ino)
        unlink(l->path);
}
