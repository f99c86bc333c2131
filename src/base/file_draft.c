/* file_draft.c - see file_draft.h. */
#include "base/file_draft.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

err file_draft_check(const char *path, fail *f) {
    char dir[FILE_PATH_BYTES];
    file_dir_of(dir, path);
    if (!path[0]) return fail_set(f, E_INPUT, "the file to write has no name");
    if (file_is_dir(path)) return fail_set(f, E_EXISTS, "\"%s\" is a folder", path);
    if (file_is_special(path)) {
        fail_set(f, E_EXISTS, "\"%s\" is a device or a pipe, which a file would replace", path);
        return fail_hint(f, "give the name of a file");
    }
    if (file_is_dir(dir)) return E_OK;
    fail_set(f, E_NOT_FOUND, "there is no folder \"%s\" to write \"%s\" in", dir, path);
    return fail_hint(f, "make it first: mkdir -p %s", dir);
}

err file_draft_open(file_draft *d, const char *path, fail *f) {
    file_draft made = {.fd = -1};
    int a = snprintf(made.path, sizeof made.path, "%s", path),
        b = snprintf(made.temp, sizeof made.temp, "%s.tmp-%d", path, (int)getpid());
    if (a >= (int)sizeof made.path || b >= (int)sizeof made.temp)
        return fail_set(f, E_TOO_LARGE, "the path \"%.60s...\" is too long", path);
    TRY(file_draft_check(path, f));
    made.fd = open(made.temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (made.fd < 0) return fail_errno(f, "cannot create \"%s\"", made.temp);
    *d = made;
    return E_OK;
}

err file_draft_put(file_draft *d, str bytes, fail *f) {
    return file_put(d->fd, bytes, d->path, f);
}

err file_draft_seal(file_draft *d, fail *f) {
    if (d->fd < 0) return E_OK;
    TRY(file_sync(d->fd, d->path, f));
    int fd = d->fd;
    d->fd = -1;
    return close(fd) == 0 ? E_OK : fail_errno(f, "cannot close \"%s\"", d->temp);
}

err file_draft_keep(file_draft *d, fail *f) {
    TRY(file_draft_seal(d, f));
    TRY(file_rename(d->temp, d->path, f));
    d->temp[0] = 0;
    return E_OK;
}

void file_draft_drop(file_draft *d) {
    if (d->fd >= 0) close(d->fd);
    if (d->temp[0]) unlink(d->temp);
    *d = (file_draft){.fd = -1};
}
