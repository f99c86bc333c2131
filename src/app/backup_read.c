/* backup_read.c - see backup.h. What comes from outside is not trusted: names that leave the
 * folder, links, devices, more or fewer files than the manifest has, are refused. */
#include "app/backup.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/map.h"
#include "text/archive_library.h"
#include "text/hash.h"
#include "text/json.h"

#include <stdio.h>
#include <string.h>

enum { BLOCK_BYTES = 256 * 1024, MANIFEST_BYTES_MAX = 256 << 20 };

typedef struct reader {
    const char *from, *into;
    arena *a;
    map found; /* path -> 1 */
    char block[BLOCK_BYTES];
} reader;

static err damaged(const reader *r, fail *f, const char *what, str path) {
    fail_set(f, E_CORRUPT, "backup \"%s\": %s: \"%.*s\"", r->from, what,
             STR_ARG(str_slice(path, 0, 120)));
    return fail_hint(f, "nothing was changed; take another backup");
}

/* "a/b.c": no way out of the folder, nothing hidden, no surprises. */
static bool is_good_path(str path) {
    int depth = 0;
    if (!path.n || path.n > 1024) return false;
    for (size_t i = 0; i < path.n; i++)
        if ((unsigned char)path.p[i] < ' ' || path.p[i] == '\\') return false;
    while (path.p) {
        str part = str_cut(&path, '/');
        if (!part.n || part.p[0] == '.' || ++depth > BACKUP_DEPTH_MAX + 1) return false;
    }
    return true;
}

/* ---- unpacking ---- */

static err new_file(reader *r, str path, int *fd, char to[FILE_PATH_BYTES], fail *f) {
    char folder[FILE_PATH_BYTES];
    int64_t bytes;
    str kept = arena_str(r->a, path);
    if (!kept.p) return fail_memory(f, "a backup");
    if (!is_good_path(path)) return damaged(r, f, "a name that no backup has", path);
    if (map_get(&r->found, path, &bytes)) return damaged(r, f, "a file twice", path);
    if (r->found.count > BACKUP_FILES_MAX) return damaged(r, f, "too many files", path);
    TRY(map_put(&r->found, kept, 1, f));
    TRY(file_join(to, r->into, kept.p, f));
    snprintf(folder, sizeof folder, "%s", to);
    *strrchr(folder, '/') = 0;
    TRY(file_make_dirs(folder, f));
    return file_open_new(fd, to, f);
}

static err tar_broken(const reader *r, struct archive *tar, fail *f) {
    const char *why = archive_error_string(tar);
    fail_set(f, E_CORRUPT, "backup \"%s\" cannot be read: %s", r->from, why ? why : "?");
    return fail_hint(f, "nothing was changed; take another backup");
}

static err unpack_data(reader *r, struct archive *tar, int fd, const char *to, fail *f) {
    la_ssize_t got;
    while ((got = archive_read_data(tar, r->block, BLOCK_BYTES)) > 0)
        TRY(file_put(fd, (str){r->block, (size_t)got}, to, f));
    if (got < 0) return tar_broken(r, tar, f);
    return file_sync(fd, to, f);
}

static err unpack_entry(reader *r, struct archive *tar, struct archive_entry *entry, fail *f) {
    const char *name = archive_entry_pathname(entry);
    char to[FILE_PATH_BYTES];
    int fd;
    str path = str_from(name);
    if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry))
        return damaged(r, f, "something that is no file", path);
    TRY(new_file(r, path, &fd, to, f));
    err e = unpack_data(r, tar, fd, to, f);
    file_close(fd);
    return e;
}

static err unpack_all(reader *r, struct archive *tar, fail *f) {
    struct archive_entry *entry;
    archive_read_support_format_tar(tar);
    if (archive_read_support_filter_zstd(tar) != ARCHIVE_OK ||
        archive_read_open_filename(tar, r->from, BLOCK_BYTES) != ARCHIVE_OK)
        return tar_broken(r, tar, f);
    for (;;) {
        int got = archive_read_next_header(tar, &entry);
        if (got == ARCHIVE_EOF) return E_OK;
        if (got != ARCHIVE_OK) return tar_broken(r, tar, f);
        TRY(unpack_entry(r, tar, entry, f));
    }
}

static err unpack_archive(reader *r, fail *f) {
    TRY(archive_library_load(f));
    struct archive *tar = archive_read_new();
    if (!tar) return fail_memory(f, "an archive");
    err e = unpack_all(r, tar, f);
    archive_read_free(tar);
    return e;
}

/* ---- a folder ---- */

static err copy_file(reader *r, const char *from, str path, fail *f) {
    char to[FILE_PATH_BYTES];
    int in, out;
    size_t got = 1;
    TRY(file_open_read(&in, from, f));
    err e = new_file(r, path, &out, to, f);
    if (e == E_OK) {
        for (int64_t at = 0; e == E_OK && got; at += (int64_t)got) {
            e = file_read_at(in, at, r->block, BLOCK_BYTES, &got, from, f);
            if (e == E_OK && got) e = file_put(out, (str){r->block, got}, to, f);
        }
        if (e == E_OK) e = file_sync(out, to, f);
        file_close(out);
    }
    file_close(in);
    return e;
}

static err copy_tree(reader *r, const char *from, const char *path, int depth, fail *f) {
    str *names;
    size_t n;
    char below[FILE_PATH_BYTES];
    if (depth > BACKUP_DEPTH_MAX) return damaged(r, f, "folders too deep", str_from(path));
    TRY(file_list(r->a, from, &names, &n, f));
    for (size_t i = 0; i < n; i++) {
        str to = path[0] ? arena_printf(r->a, "%s/%s", path, names[i].p) : names[i];
        if (!to.p) return fail_memory(f, "a backup");
        TRY(file_join(below, from, names[i].p, f));
        TRY(file_is_dir(below) ? copy_tree(r, below, to.p, depth + 1, f)
                               : copy_file(r, below, to, f));
    }
    return E_OK;
}

/* ---- checking ---- */

static err check_one(reader *r, const json *row, backup_sum *sum, fail *f) {
    str path, sha;
    int64_t bytes, seen, size = 0;
    char at[FILE_PATH_BYTES], hex[65];
    TRY(json_get_str(row, "path", STR(""), &path, f));
    TRY(json_get_str(row, "sha256", STR(""), &sha, f));
    TRY(json_get_int(row, "bytes", -1, 0, INT64_MAX, &bytes, f));
    if (!map_get(&r->found, path, &seen) || seen != 1)
        return damaged(r, f, "a file is missing", path);
    str kept = arena_str(r->a, path);
    if (!kept.p) return fail_memory(f, "a backup");
    TRY(map_put(&r->found, kept, 2, f)); /* the key that is there stays */
    TRY(file_join(at, r->into, kept.p, f));
    TRY(file_size(at, &size, f));
    TRY(hash_file_hex(at, hex, f));
    if (size != bytes || !str_is(sha, hex)) return damaged(r, f, "a file was altered", path);
    sum->files++;
    sum->bytes += bytes;
    return E_OK;
}

static err read_manifest(reader *r, const json **out, backup_sum *sum, fail *f) {
    char at[FILE_PATH_BYTES];
    str text, kind;
    int64_t format;
    TRY(file_join(at, r->into, "manifest.json", f));
    if (!file_exists(at))
        return damaged(r, f, "it is not whole, or no backup: it lacks", STR("manifest.json"));
    TRY(file_read(r->a, at, MANIFEST_BYTES_MAX, &text, f));
    hash_sha256_hex(text, sum->manifest);
    if (json_parse(r->a, text, out, f) != E_OK) return damaged(r, f, f->text, STR("manifest.json"));
    TRY(json_get_str(*out, "bantam", STR(""), &kind, f));
    TRY(json_get_int(*out, "format", 0, 0, INT32_MAX, &format, f));
    if (!str_is(kind, "backup")) return damaged(r, f, "not a backup", STR("manifest.json"));
    if (format != BACKUP_FORMAT)
        return fail_set(f, E_UNSUPPORTED, "backup \"%s\" has format %lld, this program knows %d",
                        r->from, (long long)format, BACKUP_FORMAT);
    return file_remove(at, f);
}

static err check_all(reader *r, backup_sum *sum, fail *f) {
    const json *manifest, *files;
    TRY(read_manifest(r, &manifest, sum, f));
    files = json_get(manifest, "files");
    if (!files || files->kind != JSON_ARRAY)
        return damaged(r, f, "it lists no files", STR("manifest.json"));
    for (size_t i = 0; i < files->count; i++) TRY(check_one(r, json_at(files, i), sum, f));
    for (const map_slot *s = NULL; (s = map_next(&r->found, s));)
        if (s->value.i != 2 && !str_is(s->key, "manifest.json"))
            return damaged(r, f, "a file that the manifest does not have", s->key);
    return E_OK;
}

err backup_unpack(const char *from, const char *into, backup_sum *out, fail *f) {
    static reader r; /* large; the main thread's */
    arena a;
    backup_sum sum = {0};
    if (!file_exists(from)) return fail_set(f, E_NOT_FOUND, "there is no backup \"%s\"", from);
    TRY(file_make_dirs(into, f));
    arena_init(&a, 0);
    r = (reader){.from = from, .into = into, .a = &a};
    map_init(&r.found, NULL);
    err e = file_is_dir(from) ? copy_tree(&r, from, "", 0, f) : unpack_archive(&r, f);
    if (e == E_OK) e = check_all(&r, &sum, f);
    map_deinit(&r.found);
    arena_deinit(&a);
    if (e == E_OK) *out = sum;
    return e;
}
