/* file.h - files as whole things: read, map, write so that no half file ever has the final name.
 * Any thread; an opened object belongs to one. Paths are C strings, names in errors are quoted. */
#ifndef BANTAM_BASE_FILE_H
#define BANTAM_BASE_FILE_H

#include "base/arena.h"
#include "base/err.h"

enum { FILE_PATH_BYTES = 4096 };

/* Whole file into the arena, zero-terminated; E_TOO_LARGE above bytes_max (0 = 1 GiB). */
err file_read(arena *a, const char *path, size_t bytes_max, str *out, fail *f) MUST_CHECK;
err file_read_fd(arena *a, int fd, const char *name, size_t bytes_max, str *out,
                 fail *f) MUST_CHECK;

typedef struct file_map {
    const unsigned char *p; /* NULL when empty */
    size_t n;
    int64_t mtime_ns;
    int fd; /* open while p is not NULL */
} file_map;
/* Read-only map. A file that shrinks while mapped raises SIGBUS: model files are immutable by rule.
 */
err file_map_open(file_map *m, const char *path, fail *f) MUST_CHECK;
void file_map_close(file_map *m);
/* Gives the pages back to the system until they are read again: for a file whose numbers have been
 * copied elsewhere. */
void file_map_release(const file_map *m);
/* The same for the whole pages among the n bytes at p, which lie in m (else nothing happens). */
void file_map_release_part(const file_map *m, const void *p, size_t n);
/* Copies the n bytes at p, which lie in m, without touching the map: one page looked at through it
 * may make a whole folio of 2 MiB resident. false, and nothing is done, when they do not lie in m
 * or cannot be read. */
bool file_map_copy(const file_map *m, const void *p, size_t n, void *out);

/* Writes "path.tmp-PID", fsyncs, renames, fsyncs the folder: all or nothing. mode e.g. 0644. */
err file_write(const char *path, str bytes, unsigned mode, fail *f) MUST_CHECK;
/* write(2) until done; EINTR handled. */
err file_put(int fd, str bytes, const char *name, fail *f) MUST_CHECK;
err file_sync(int fd, const char *name, fail *f) MUST_CHECK;
/* Cuts an opened file to `bytes`; the next write goes there. */
err file_cut(int fd, int64_t bytes, const char *name, fail *f) MUST_CHECK;
/* Up to n bytes from offset; *got < n only at the end of the file. */
err file_read_at(int fd, int64_t offset, void *out, size_t n, size_t *got, const char *name,
                 fail *f) MUST_CHECK;
/* Is there something to read (or the end) within ms? For pipes and terminals. */
bool file_wait_readable(int fd, int ms);
err file_open_read(int *fd, const char *path, fail *f) MUST_CHECK;
/* For files that are written bit by bit, such as downloads: opens for appending (made when absent,
 * mode 0644), *bytes = what it holds already. Write with file_put. */
err file_open_append(int *fd, const char *path, int64_t *bytes, fail *f) MUST_CHECK;
/* For a work file that nobody else knows of: emptied, or made with mode 0600; under its own name at
 * once, so that who is killed leaves nothing that the next does not find. */
err file_open_new(int *fd, const char *path, fail *f) MUST_CHECK;
void file_close(int fd);
/* The folder that a file of this path lies in: "a/b" -> "a", "b" -> ".", "/b" -> "/". */
void file_dir_of(char out[FILE_PATH_BYTES], const char *path);
err file_sync_dir_of(const char *path, fail *f) MUST_CHECK;
err file_rename(const char *from, const char *to, fail *f) MUST_CHECK;

/* Where a program was started with its standard input, output or error closed, these numbers are
 * taken, so that no file of ours gets them and is written with what was meant for a reader: input
 * is empty, writing output fails, errors go nowhere. First thing in main. */
void file_guard_standard(void);

/* The path without links and dots, from the root; E_NOT_FOUND where nothing is there. */
err file_real_path(char out[FILE_PATH_BYTES], const char *path, fail *f) MUST_CHECK;
bool file_exists(const char *path);
bool file_is_dir(const char *path);
bool file_is_special(const char *path); /* there, and neither file nor folder: a pipe, a device */
bool file_is_same(const char *a, const char *b); /* both exist and are one file */
err file_size(const char *path, int64_t *bytes, fail *f) MUST_CHECK;
err file_mode(const char *path, unsigned *mode, fail *f) MUST_CHECK; /* 07777 of it */
err file_make_dirs(const char *path, fail *f) MUST_CHECK;            /* like mkdir -p, mode 0700 */
err file_remove(const char *path, fail *f) MUST_CHECK;               /* absent is fine */
/* A folder of files and folders, at most 16 deep; absent is fine, links are not followed. */
err file_remove_tree(const char *path, fail *f) MUST_CHECK;
err file_disk_free(const char *dir, int64_t *bytes, fail *f) MUST_CHECK;
/* Names (not paths) in a folder, sorted, without . and ..; E_NOT_FOUND when there is no folder. */
err file_list(arena *a, const char *dir, str **names, size_t *n, fail *f) MUST_CHECK;
/* out = dir/name, E_TOO_LARGE when it does not fit */
err file_join(char out[FILE_PATH_BYTES], const char *dir, const char *name, fail *f) MUST_CHECK;

/* Torture: the n-th write, fsync or rename from now fails with ENOSPC; 0 = off. */
void file_fail_at(int64_t n);

/* An advisory lock that dies with its process. E_BUSY when another holds it. */
typedef struct file_lock {
    int fd;
} file_lock;
err file_lock_take(file_lock *l, const char *path, fail *f) MUST_CHECK;
void file_lock_give(file_lock *l);
/* Does another process hold it? Looks without taking it, so two that look do not see each other. */
bool file_lock_is_held(const char *path);

#endif
