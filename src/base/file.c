/* file.c - whole-file reads, maps and atomic writes; see file.h. All POSIX file calls of the
 * numeric half and of the tools meet here, so the torture test can make each of them fail. */
#include "base/file.h"

#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static atomic_llong file_fail_left; /* counts down to the call that fails; 0 = off */

void file_fail_at(int64_t n) {
    atomic_store(&file_fail_left, n);
}

static bool file_must_fail(void) {
    if (atomic_load_explicit(&file_fail_left, memory_order_relaxed) == 0) return false;
    if (atomic_fetch_sub(&file_fail_left, 1) != 1) return false;
    errno = ENOSPC;
    return true;
}

err file_read_fd(arena *a, int fd, const char *name, size_t bytes_max, str *out, fail *f) {
    if (!bytes_max) bytes_max = (size_t)1 << 30;
    struct stat info;
    if (fstat(fd, &info) != 0) return fail_errno(f, "cannot look at \"%s\"", name);
    if (S_ISDIR(info.st_mode)) return fail_set(f, E_INPUT, "\"%s\" is a folder, not a file", name);
    size_t cap = S_ISREG(info.st_mode) && info.st_size > 0 ? (size_t)info.st_size + 1 : 64 * 1024;
    size_t n = 0;
    char *p = NULL;
    for (;;) {
        if (cap > bytes_max + 1) cap = bytes_max + 1;
        char *grown = mem_resize(p, cap);
        if (!grown) {
            mem_free(p);
            return fail_memory(f, name);
        }
        p = grown;
        ssize_t got = read(fd, p + n, cap - n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            fail_errno(f, "cannot read \"%s\"", name);
            mem_free(p);
            return f ? f->code : E_IO;
        }
        if (got == 0) break;
        n += (size_t)got;
        if (n > bytes_max) {
            mem_free(p);
            return fail_set(f, E_TOO_LARGE, "\"%s\" is larger than the limit of %zu bytes", name,
                            bytes_max);
        }
        if (n == cap) cap *= 2;
    }
    str s = arena_str(a, (str){p, n});
    mem_free(p);
    if (!s.p) return fail_memory(f, name);
    *out = s;
    return E_OK;
}

err file_read(arena *a, const char *path, size_t bytes_max, str *out, fail *f) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fail_errno(f, "cannot open \"%s\"", path);
    err e = file_read_fd(a, fd, path, bytes_max, out, f);
    close(fd);
    return e;
}

err file_map_open(file_map *m, const char *path, fail *f) {
    int fd =
        open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* who opens a pipe would wait for ever */
    if (fd < 0) return fail_errno(f, "cannot open \"%s\"", path);
    struct stat info;
    err e = E_OK;
    void *p = NULL;
    if (fstat(fd, &info) != 0) {
        e = fail_errno(f, "cannot look at \"%s\"", path);
    } else if (!S_ISREG(info.st_mode)) {
        e = fail_set(f, E_INPUT, "\"%s\" is not a file", path);
    } else if (info.st_size > 0) {
        p = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED) e = fail_errno(f, "cannot map \"%s\"", path);
    }
    if (e != E_OK || !p) close(fd);
    if (e != E_OK) return e;
    *m = (file_map){.p = p,
                    .n = (size_t)info.st_size,
                    .mtime_ns = (int64_t)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec,
                    .fd = fd};
    return E_OK;
}

void file_map_close(file_map *m) {
    if (m->p) {
        munmap((void *)(uintptr_t)m->p, m->n);
        close(m->fd);
    }
    *m = (file_map){0};
}

void file_map_release(const file_map *m) {
    if (m->p) (void)madvise((void *)(uintptr_t)m->p, m->n, MADV_DONTNEED);
}

void file_map_release_part(const file_map *m, const void *p, size_t n) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = (uintptr_t)p, to = from + n,
              start = (uintptr_t)m->p;
    if (!m->p || from < start || to > start + m->n) return;
    from = (from + page - 1) / page * page;
    to = to / page * page;
    if (from < to) (void)madvise((void *)from, to - from, MADV_DONTNEED);
}

bool file_map_copy(const file_map *m, const void *p, size_t n, void *out) {
    uintptr_t from = (uintptr_t)p, start = (uintptr_t)m->p;
    if (!m->p || from < start || n > m->n || from - start > m->n - n) return false;
    for (size_t done = 0; done < n;) {
        ssize_t got = pread(m->fd, (char *)out + done, n - done, (off_t)(from - start + done));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        done += (size_t)got;
    }
    return true;
}

err file_put(int fd, str bytes, const char *name, fail *f) {
    while (bytes.n) {
        ssize_t n = file_must_fail() ? -1 : write(fd, bytes.p, bytes.n);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_errno(f, "cannot write \"%s\"", name);
        bytes.p += n;
        bytes.n -= (size_t)n;
    }
    return E_OK;
}

err file_sync(int fd, const char *name, fail *f) {
    if (file_must_fail() || fsync(fd) != 0) return fail_errno(f, "cannot sync \"%s\"", name);
    return E_OK;
}

err file_cut(int fd, int64_t bytes, const char *name, fail *f) {
    if (file_must_fail() || ftruncate(fd, bytes) != 0 || lseek(fd, bytes, SEEK_SET) < 0)
        return fail_errno(f, "cannot cut \"%s\" to %lld bytes", name, (long long)bytes);
    return E_OK;
}

err file_read_at(int fd, int64_t offset, void *out, size_t n, size_t *got, const char *name,
                 fail *f) {
    size_t done = 0;
    while (done < n) {
        ssize_t more = pread(fd, (char *)out + done, n - done, offset + (int64_t)done);
        if (more < 0 && errno == EINTR) continue;
        if (more < 0) return fail_errno(f, "cannot read \"%s\"", name);
        if (more == 0) break;
        done += (size_t)more;
    }
    *got = done;
    return E_OK;
}

bool file_wait_readable(int fd, int ms) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, ms) > 0;
}

err file_open_read(int *fd, const char *path, fail *f) {
    int opened = open(path, O_RDONLY | O_CLOEXEC);
    if (opened < 0) return fail_errno(f, "cannot open \"%s\"", path);
    *fd = opened;
    return E_OK;
}

void file_close(int fd) {
    if (fd >= 0) close(fd);
}

void file_dir_of(char out[FILE_PATH_BYTES], const char *path) {
    snprintf(out, FILE_PATH_BYTES, "%s", path);
    char *slash = strrchr(out, '/');
    if (!slash)
        strcpy(out, ".");
    else
        slash[slash == out] = 0;
}

err file_sync_dir_of(const char *path, fail *f) {
    char dir[FILE_PATH_BYTES];
    file_dir_of(dir, path);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return fail_errno(f, "cannot open folder \"%s\"", dir);
    err e = file_sync(fd, dir, f);
    close(fd);
    return e;
}

err file_rename(const char *from, const char *to, fail *f) {
    if (file_must_fail() || rename(from, to) != 0)
        return fail_errno(f, "cannot rename \"%s\" to \"%s\"", from, to);
    return file_sync_dir_of(to, f);
}

err file_write(const char *path, str bytes, unsigned mode, fail *f) {
    char temp[FILE_PATH_BYTES + 32];
    snprintf(temp, sizeof temp, "%s.tmp-%d", path, (int)getpid());
    int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, (mode_t)mode);
    if (fd < 0) return fail_errno(f, "cannot create \"%s\"", temp);
    err e = file_put(fd, bytes, path, f);
    if (e == E_OK) e = file_sync(fd, path, f);
    if (close(fd) != 0 && e == E_OK) e = fail_errno(f, "cannot close \"%s\"", temp);
    if (e == E_OK) e = file_rename(temp, path, f);
    if (e != E_OK) unlink(temp);
    return e;
}

err file_open_append(int *fd, const char *path, int64_t *bytes, fail *f) {
    int opened = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    struct stat info;
    if (opened < 0) return fail_errno(f, "cannot create \"%s\"", path);
    if (fstat(opened, &info) != 0) {
        err e = fail_errno(f, "cannot look at \"%s\"", path);
        close(opened);
        return e;
    }
    *fd = opened;
    *bytes = info.st_size;
    return E_OK;
}

err file_open_new(int *fd, const char *path, fail *f) {
    *fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    return *fd >= 0 ? E_OK : fail_errno(f, "cannot create \"%s\"", path);
}

err file_real_path(char out[FILE_PATH_BYTES], const char *path, fail *f) {
    char real[PATH_MAX];
    if (!realpath(path, real)) return fail_errno(f, "cannot find \"%s\"", path);
    if (strlen(real) >= FILE_PATH_BYTES)
        return fail_set(f, E_TOO_LARGE, "the path \"%.60s...\" is too long", real);
    memcpy(out, real, strlen(real) + 1);
    return E_OK;
}

void file_guard_standard(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) != -1 || errno != EBADF) continue;
        /* open takes the lowest number that is free: this one */
        if (open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY) != fd) return;
    }
}

bool file_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0;
}
bool file_is_dir(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool file_is_special(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && !S_ISDIR(info.st_mode) && !S_ISREG(info.st_mode);
}

bool file_is_same(const char *a, const char *b) {
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

err file_size(const char *path, int64_t *bytes, fail *f) {
    struct stat info;
    if (stat(path, &info) != 0) return fail_errno(f, "cannot look at \"%s\"", path);
    *bytes = info.st_size;
    return E_OK;
}

err file_mode(const char *path, unsigned *mode, fail *f) {
    struct stat info;
    if (stat(path, &info) != 0) return fail_errno(f, "cannot look at \"%s\"", path);
    *mode = info.st_mode & 07777;
    return E_OK;
}

err file_make_dirs(const char *path, fail *f) {
    char part[FILE_PATH_BYTES];
    size_t n = strlen(path);
    if (n >= sizeof part) return fail_set(f, E_INPUT, "path of %zu bytes is too long", n);
    for (size_t i = 1; i <= n; i++) {
        if (i < n && path[i] != '/') continue;
        memcpy(part, path, i);
        part[i] = 0;
        if (mkdir(part, 0700) == 0 || errno == EEXIST) continue;
        int why = errno; /* a folder that is there may still be one of a read-only disk */
        if (file_is_dir(part)) continue;
        errno = why;
        return fail_errno(f, "cannot create folder \"%s\"", part);
    }
    return file_is_dir(path) ? E_OK : fail_set(f, E_EXISTS, "\"%s\" is not a folder", path);
}

err file_remove(const char *path, fail *f) {
    if (unlink(path) != 0 && errno != ENOENT) return fail_errno(f, "cannot remove \"%s\"", path);
    return E_OK;
}

static err remove_tree_at(const char *path, int depth, fail *f) {
    struct stat info;
    if (lstat(path, &info) != 0)
        return errno == ENOENT ? E_OK : fail_errno(f, "cannot look at \"%s\"", path);
    if (!S_ISDIR(info.st_mode)) return file_remove(path, f);
    if (depth >= 16) return fail_set(f, E_TOO_LARGE, "\"%s\" lies too deep to be removed", path);
    arena a;
    arena_init(&a, 0);
    str *names;
    size_t n = 0;
    char inner[FILE_PATH_BYTES];
    err e = file_list(&a, path, &names, &n, f);
    for (size_t i = 0; e == E_OK && i < n; i++) {
        e = file_join(inner, path, names[i].p, f);
        if (e == E_OK) e = remove_tree_at(inner, depth + 1, f);
    }
    arena_deinit(&a);
    if (e == E_OK && rmdir(path) != 0) e = fail_errno(f, "cannot remove folder \"%s\"", path);
    return e;
}

err file_remove_tree(const char *path, fail *f) {
    return remove_tree_at(path, 0, f);
}

err file_disk_free(const char *dir, int64_t *bytes, fail *f) {
    struct statvfs info;
    if (statvfs(dir, &info) != 0) return fail_errno(f, "cannot look at the disk of \"%s\"", dir);
    *bytes = (int64_t)info.f_bavail * (int64_t)info.f_frsize;
    return E_OK;
}

static int name_order(const void *a, const void *b) {
    return str_compare(*(const str *)a, *(const str *)b);
}

err file_list(arena *a, const char *dir, str **names, size_t *n, fail *f) {
    DIR *d = opendir(dir);
    if (!d) return fail_errno(f, "cannot open folder \"%s\"", dir);
    size_t count = 0, cap = 0;
    str *list = NULL;
    struct dirent *entry;
    err e = E_OK;
    while (e == E_OK && (entry = readdir(d))) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        if (count == cap) {
            size_t bigger = cap ? 2 * cap : 32;
            str *grown = arena_new_n(a, str, bigger);
            if (grown && count) memcpy(grown, list, count * sizeof *list);
            list = grown;
            cap = bigger;
        }
        str name = list ? arena_str(a, str_from(entry->d_name)) : STR_NONE;
        if (!name.p)
            e = fail_memory(f, "a folder's names");
        else
            list[count++] = name;
    }
    closedir(d);
    if (e != E_OK) return e;
    if (count) qsort(list, count, sizeof *list, name_order);
    *names = list;
    *n = count;
    return E_OK;
}

err file_join(char out[FILE_PATH_BYTES], const char *dir, const char *name, fail *f) {
    int n = snprintf(out, FILE_PATH_BYTES, "%s/%s", dir, name);
    if (n < 0 || n >= FILE_PATH_BYTES)
        return fail_set(f, E_INPUT, "path \"%s/...\" is too long", dir);
    return E_OK;
}

err file_lock_take(file_lock *l, const char *path, fail *f) {
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return fail_errno(f, "cannot open lock \"%s\"", path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        bool held = errno == EWOULDBLOCK;
        err e = held ? fail_set(f, E_BUSY, "\"%s\" is held by another process", path)
                     : fail_errno(f, "cannot lock \"%s\"", path);
        close(fd);
        return e;
    }
    l->fd = fd;
    return E_OK;
}

bool file_lock_is_held(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    bool held = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(fd);
    return held;
}

void file_lock_give(file_lock *l) {
    if (l->fd >= 0) close(l->fd);
    l->fd = -1;
}
