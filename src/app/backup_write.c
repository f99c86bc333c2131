/* backup_write.c - see backup.h. A journal grows, and is emptied once its records are committed to
 * the database, while it is copied; so it goes through a copy beside the target, which holds what
 * could be read, and the database is taken after it: what the copy lacks is in there. A file that
 * vanishes between the list and the opening is left out. */
#include "app/backup.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/map.h"
#include "bantam.h"
#include "text/archive_library.h"
#include "text/hash.h"
#include "text/json.h"

#include <stdio.h>
#include <string.h>

enum { BLOCK_BYTES = 256 * 1024 };

typedef struct sink {
    const char *dir;     /* a folder, or */
    struct archive *tar; /* an archive */
    const char *name;    /* for errors */
    arena *a;
    map seen;         /* paths that are in it */
    const char *copy; /* not NULL: files go through a copy of this name first */
    buf list;         /* the manifest's files */
    json_writer w;
    backup_sum sum;
    char block[BLOCK_BYTES];
} sink;

bool backup_leaves(str name) {
    static const char *const left[] = {"models",        "cache",         "bantam.db",
                                       "bantam.db-wal", "bantam.db-shm", "journal"};
    for (size_t i = 0; i < sizeof left / sizeof *left; i++)
        if (str_is(name, left[i])) return true;
    return str_ends(name, STR(".lock")) || str_starts(name, STR(".")) ||
           str_starts(name, STR("before-restore-")) ||
           str_find(name, STR(".partial")) != STR_INDEX_NONE ||
           str_find(name, STR(".tmp-")) != STR_INDEX_NONE;
}

/* ---- one file into the backup ---- */

static err tar_failed(sink *s, fail *f) {
    const char *why = archive_error_string(s->tar);
    bool full = archive_errno(s->tar) == 28; /* ENOSPC */
    fail_set(f, full ? E_NO_SPACE : E_IO, "cannot write \"%s\": %s", s->name, why ? why : "?");
    return full ? fail_hint(f, "free some disk space and try again; nothing was lost") : f->code;
}

static err tar_begin(sink *s, const char *path, int64_t bytes, fail *f) {
    struct archive_entry *entry = archive_entry_new();
    if (!entry) return fail_memory(f, "an archive");
    archive_entry_set_pathname(entry, path);
    archive_entry_set_size(entry, bytes);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0600);
    archive_entry_set_mtime(entry, clock_now_ms() / 1000, 0);
    int rc = archive_write_header(s->tar, entry);
    archive_entry_free(entry);
    return rc == ARCHIVE_OK ? E_OK : tar_failed(s, f);
}

static err note_file(sink *s, const char *path, int64_t bytes, const char *hex, fail *f) {
    str kept = arena_str(s->a, str_from(path));
    if (!kept.p) return fail_memory(f, "a backup");
    TRY(map_put(&s->seen, kept, 1, f));
    json_begin_object(&s->w);
    json_field_str(&s->w, "path", kept);
    json_field_int(&s->w, "bytes", bytes);
    json_field_str(&s->w, "sha256", str_from(hex));
    json_end_object(&s->w);
    s->sum.files++;
    s->sum.bytes += bytes;
    if (s->sum.files > BACKUP_FILES_MAX)
        return fail_set(f, E_TOO_LARGE, "there are more than %d files", BACKUP_FILES_MAX);
    return buf_ok(&s->list, f);
}

/* out is the target's descriptor, or -1 with an archive. */
static err pump(sink *s, int in, int out, const char *path, int64_t bytes, char hex[65], fail *f) {
    hash_sha256_stream hash;
    unsigned char digest[HASH_SHA256_BYTES];
    hash_sha256_begin(&hash);
    for (int64_t at = 0; at < bytes;) {
        size_t want = bytes - at < BLOCK_BYTES ? (size_t)(bytes - at) : BLOCK_BYTES, got;
        TRY(file_read_at(in, at, s->block, want, &got, path, f));
        if (!got) {
            fail_set(f, E_BUSY, "\"%s\" became shorter while it was copied", path);
            return fail_hint(f, "try again");
        }
        hash_sha256_put(&hash, (str){s->block, got});
        if (out >= 0)
            TRY(file_put(out, (str){s->block, got}, path, f));
        else if (archive_write_data(s->tar, s->block, got) != (la_ssize_t)got)
            return tar_failed(s, f);
        at += (int64_t)got;
    }
    hash_sha256_end(&hash, digest);
    hash_hex(digest, sizeof digest, hex);
    return E_OK;
}

static err target_open(sink *s, const char *path, int *fd, fail *f) {
    char to[FILE_PATH_BYTES], folder[FILE_PATH_BYTES];
    TRY(file_join(to, s->dir, path, f));
    snprintf(folder, sizeof folder, "%s", to);
    *strrchr(folder, '/') = 0;
    TRY(file_make_dirs(folder, f));
    return file_open_new(fd, to, f);
}

static err put_opened(sink *s, int in, const char *path, int64_t bytes, fail *f) {
    int out = -1;
    char hex[65];
    if (s->tar)
        TRY(tar_begin(s, path, bytes, f));
    else
        TRY(target_open(s, path, &out, f));
    err e = pump(s, in, out, path, bytes, hex, f);
    if (e == E_OK && out >= 0) e = file_sync(out, path, f);
    if (out >= 0) file_close(out);
    TRY(e);
    return note_file(s, path, bytes, hex, f);
}

/* What can be read of `in`, up to the length that it has now. */
static err copy_what_is_there(sink *s, int in, const char *from, fail *f) {
    int out;
    int64_t bytes;
    size_t got = 1;
    TRY(file_size(from, &bytes, f));
    TRY(file_open_new(&out, s->copy, f));
    err e = E_OK;
    for (int64_t at = 0; e == E_OK && got && at < bytes; at += (int64_t)got) {
        size_t want = bytes - at < BLOCK_BYTES ? (size_t)(bytes - at) : BLOCK_BYTES;
        e = file_read_at(in, at, s->block, want, &got, from, f);
        if (e == E_OK && got) e = file_put(out, (str){s->block, got}, s->copy, f);
    }
    file_close(out);
    return e;
}

static err put_file(sink *s, const char *from, const char *path, fail *f);

static err put_copy(sink *s, const char *from, const char *path, fail *f) {
    int in;
    const char *copy = s->copy;
    err e = file_open_read(&in, from, f);
    if (e == E_NOT_FOUND) return E_OK; /* gone since it was listed: its records are committed */
    TRY(e);
    e = copy_what_is_there(s, in, from, f);
    file_close(in);
    s->copy = NULL;
    if (e == E_OK) e = put_file(s, copy, path, f);
    s->copy = copy;
    return e == E_NOT_FOUND ? E_OK : e;
}

static err put_file(sink *s, const char *from, const char *path, fail *f) {
    if (s->copy) return put_copy(s, from, path, f);
    int in;
    int64_t bytes = 0;
    err e = file_open_read(&in, from, f);
    if (e == E_NOT_FOUND) return E_OK; /* gone since it was listed */
    TRY(e);
    e = file_size(from, &bytes, f);
    if (e == E_OK) e = put_opened(s, in, path, bytes, f);
    file_close(in);
    return e == E_NOT_FOUND ? E_OK : e;
}

/* ---- folders ---- */

static err put_tree(sink *s, const char *from, const char *path, int depth, fail *f);

static err put_entry(sink *s, const char *dir, const char *path, str name, int depth, fail *f) {
    char from[FILE_PATH_BYTES], to[FILE_PATH_BYTES];
    int64_t ignored;
    TRY(file_join(from, dir, name.p, f));
    if (path[0])
        TRY(file_join(to, path, name.p, f));
    else
        snprintf(to, sizeof to, "%s", name.p);
    if (file_is_dir(from)) return put_tree(s, from, to, depth + 1, f);
    if (map_get(&s->seen, str_from(to), &ignored)) return E_OK;
    return put_file(s, from, to, f);
}

static bool is_passing(str name) { /* half-written, or a lock */
    return str_find(name, STR(".tmp-")) != STR_INDEX_NONE || str_ends(name, STR(".lock"));
}

static err put_tree(sink *s, const char *from, const char *path, int depth, fail *f) {
    str *names;
    size_t n;
    if (depth > BACKUP_DEPTH_MAX)
        return fail_set(f, E_TOO_LARGE, "\"%s\" lies more than %d folders deep", from,
                        BACKUP_DEPTH_MAX);
    err e = file_list(s->a, from, &names, &n, f);
    if (e == E_NOT_FOUND) return E_OK;
    TRY(e);
    for (size_t i = 0; i < n; i++)
        if (depth ? !is_passing(names[i]) : !backup_leaves(names[i]))
            TRY(put_entry(s, from, path, names[i], depth, f));
    return E_OK;
}

/* ---- the whole ---- */

/* A copy, and what a killed one leaves beside itself: a journal would be played into the next. */
static err remove_copy(const char *copy, fail *f) {
    static const char *const ends[] = {"", "-journal", "-wal", "-shm"};
    char path[FILE_PATH_BYTES + 32];
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        snprintf(path, sizeof path, "%s%s", copy, ends[i]);
        TRY(file_remove(path, f));
    }
    return E_OK;
}

static err put_database(sink *s, store *db, const char *to, fail *f) {
    char copy[FILE_PATH_BYTES + 16];
    snprintf(copy, sizeof copy, "%s.partial-db", to);
    TRY(remove_copy(copy, f));
    err e = store_copy(db, copy, f);
    if (e == E_OK) e = put_file(s, copy, "bantam.db", f);
    (void)!remove_copy(copy, NULL); /* it is only left over */
    return e;
}

static err put_manifest(sink *s, fail *f) {
    buf text = {0};
    json_writer w = {.out = &text, .pretty = true};
    json_end_array(&s->w);
    json_begin_object(&w);
    json_field_str(&w, "bantam", STR("backup"));
    json_field_int(&w, "format", BACKUP_FORMAT);
    json_field_str(&w, "program", str_from(bantam_version()));
    json_field_int(&w, "created_ms", clock_now_ms());
    json_key(&w, "files");
    json_put_raw(&w, buf_str(&s->list));
    json_end_object(&w);
    err e = buf_ok(&s->list, f);
    if (e == E_OK) e = buf_ok(&text, f);
    if (e == E_OK) hash_sha256_hex(buf_str(&text), s->sum.manifest);
    if (e == E_OK && s->tar) {
        e = tar_begin(s, "manifest.json", (int64_t)text.n, f);
        if (e == E_OK && archive_write_data(s->tar, text.p, text.n) != (la_ssize_t)text.n)
            e = tar_failed(s, f);
    } else if (e == E_OK) {
        char to[FILE_PATH_BYTES];
        e = file_join(to, s->dir, "manifest.json", f);
        if (e == E_OK) e = file_write(to, buf_str(&text), 0600, f);
    }
    buf_deinit(&text);
    return e;
}

static err put_journals(sink *s, const home *h, const char *to, fail *f) {
    char copy[FILE_PATH_BYTES + 16];
    snprintf(copy, sizeof copy, "%s.partial-log", to);
    s->copy = copy;
    err e = put_tree(s, h->journal, "journal", 1, f);
    s->copy = NULL;
    (void)!file_remove(copy, NULL); /* it is only left over */
    return e;
}

/* Journals, then the database, then the rest; what came into being meanwhile is taken at the end,
 * so that no row names a file that is not there. */
static err put_all(sink *s, const home *h, store *db, const char *to, fail *f) {
    json_begin_array(&s->w);
    TRY(put_journals(s, h, to, f));
    TRY(put_tree(s, h->dir, "", 0, f));
    TRY(put_database(s, db, to, f));
    TRY(put_tree(s, h->dir, "", 0, f));
    return put_manifest(s, f);
}

static err make_folder(sink *s, const home *h, store *db, const char *to, const char *partial,
                       fail *f) {
    s->dir = partial;
    TRY(file_make_dirs(partial, f));
    TRY(put_all(s, h, db, to, f));
    return file_rename(partial, to, f);
}

static err tar_open(sink *s, int fd, fail *f) {
    s->tar = archive_write_new();
    if (!s->tar) return fail_memory(f, "an archive");
    bool good = archive_write_set_format_pax_restricted(s->tar) == ARCHIVE_OK &&
                archive_write_add_filter_zstd(s->tar) == ARCHIVE_OK &&
                archive_write_open_fd(s->tar, fd) == ARCHIVE_OK;
    return good ? E_OK : tar_failed(s, f);
}

static err make_archive(sink *s, const home *h, store *db, const char *to, const char *partial,
                        fail *f) {
    int fd;
    TRY(archive_library_load(f));
    TRY(file_open_new(&fd, partial, f));
    err e = tar_open(s, fd, f);
    if (e == E_OK) e = put_all(s, h, db, to, f);
    if (e == E_OK && archive_write_close(s->tar) != ARCHIVE_OK) e = tar_failed(s, f);
    archive_write_free(s->tar);
    if (e == E_OK) e = file_sync(fd, partial, f);
    file_close(fd);
    TRY(e);
    return file_rename(partial, to, f);
}

static bool is_archive(const char *path) {
    return str_ends(str_from(path), STR(".tar.zst"));
}

err backup_make(const home *h, store *db, const char *to, backup_sum *out, fail *f) {
    static sink s; /* large; the main thread's */
    char partial[FILE_PATH_BYTES];
    arena a;
    if (file_exists(to)) {
        fail_set(f, E_EXISTS, "\"%s\" exists already", to);
        return fail_hint(f, "a backup never replaces one: choose another name");
    }
    if (strlen(to) + 16 > sizeof partial)
        return fail_set(f, E_INPUT, "the path of %zu bytes is too long", strlen(to));
    snprintf(partial, sizeof partial, "%s.partial", to);
    TRY(file_remove_tree(partial, f));
    arena_init(&a, 0);
    s = (sink){.name = to, .a = &a};
    s.w = (json_writer){.out = &s.list};
    map_init(&s.seen, NULL);
    err e = is_archive(to) ? make_archive(&s, h, db, to, partial, f)
                           : make_folder(&s, h, db, to, partial, f);
    if (e == E_OK)
        *out = s.sum;
    else
        (void)!file_remove_tree(partial, NULL);
    map_deinit(&s.seen);
    buf_deinit(&s.list);
    arena_deinit(&a);
    return e;
}
