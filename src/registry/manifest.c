/* manifest.c - see manifest.h. */
#include "registry/manifest.h"

#include "base/file.h"
#include "text/hash.h"
#include "text/json.h"

#include <stdlib.h>

enum { MANIFEST_BYTES_MAX = 256 * 1024, MANIFEST_FORMAT = 1 };

static int by_name(const void *a, const void *b) {
    return str_compare(((const catalog_file *)a)->name, ((const catalog_file *)b)->name);
}

err manifest_sum(manifest *m, arena *a, fail *f) {
    buf lines = {0};
    char hex[HASH_SHA256_HEX_BYTES];
    m->bytes = 0;
    qsort(m->files, m->files_n, sizeof *m->files, by_name);
    for (size_t i = 0; i < m->files_n; i++) {
        const catalog_file *file = &m->files[i];
        m->bytes += file->bytes;
        buf_printf(&lines, "%.*s  %.*s\n", STR_ARG(file->sha256), STR_ARG(file->name));
    }
    hash_sha256_hex(buf_str(&lines), hex);
    err e = buf_ok(&lines, f);
    buf_deinit(&lines);
    if (e != E_OK) return e;
    if (m->is_link) { /* its files are used in place and were never hashed */
        m->sha256 = STR("");
        if (!m->files_n) m->bytes = -1;
        return E_OK;
    }
    m->sha256 = m->files_n == 1 ? m->files[0].sha256 : arena_str(a, str_from(hex));
    return m->sha256.p ? E_OK : fail_memory(f, "a manifest");
}

static void put_text(json_writer *w, const char *key, str value) {
    json_field_str(w, key, value.p ? value : STR(""));
}

static void put_files(json_writer *w, const manifest *m) {
    json_key(w, "files");
    json_begin_array(w);
    for (size_t i = 0; i < m->files_n; i++) {
        json_begin_object(w);
        put_text(w, "name", m->files[i].name);
        json_field_int(w, "bytes", m->files[i].bytes);
        put_text(w, "sha256", m->files[i].sha256);
        json_end_object(w);
    }
    json_end_array(w);
}

err manifest_save(const manifest *m, const char *dir, fail *f) {
    char path[FILE_PATH_BYTES];
    buf text = {0};
    json_writer w = {.out = &text, .pretty = true};
    TRY(file_join(path, dir, "manifest", f));
    json_begin_object(&w);
    json_field_int(&w, "format", MANIFEST_FORMAT);
    put_text(&w, "name", m->name);
    put_text(&w, "tag", m->tag);
    put_text(&w, "kind", str_from(registry_kind_name(m->kind)));
    put_text(&w, "source", m->source);
    put_text(&w, "licence", m->licence);
    put_text(&w, "purpose", m->purpose);
    put_text(&w, "entry", m->entry);
    json_field_bool(&w, "link", m->is_link);
    if (m->terms.n) put_text(&w, "terms", m->terms);
    if (m->accepted.n) put_text(&w, "terms_accepted", m->accepted);
    put_files(&w, m);
    json_end_object(&w);
    buf_put_char(&text, '\n');
    err e = buf_ok(&text, f);
    if (e == E_OK) e = file_write(path, buf_str(&text), 0644, f);
    buf_deinit(&text);
    return e;
}

static err read_files(manifest *m, const json *files, fail *f) {
    for (size_t i = 0; files && files->kind == JSON_ARRAY && i < files->count; i++) {
        if (m->files_n == CATALOG_FILES_MAX) return fail_set(f, E_INPUT, "too many files");
        const json *row = json_at(files, i);
        catalog_file *file = &m->files[m->files_n++];
        TRY(json_get_str(row, "name", STR(""), &file->name, f));
        TRY(json_get_str(row, "sha256", STR(""), &file->sha256, f));
        TRY(json_get_int(row, "bytes", 0, 0, INT64_MAX / CATALOG_FILES_MAX, &file->bytes, f));
    }
    return E_OK;
}

static err read_manifest(manifest *m, arena *a, str text, fail *f) {
    const json *v;
    str kind;
    TRY(json_parse(a, text, &v, f));
    TRY(json_get_str(v, "name", STR(""), &m->name, f));
    TRY(json_get_str(v, "tag", STR(""), &m->tag, f));
    TRY(json_get_str(v, "kind", STR("other"), &kind, f));
    TRY(json_get_str(v, "source", STR(""), &m->source, f));
    TRY(json_get_str(v, "licence", STR(""), &m->licence, f));
    TRY(json_get_str(v, "purpose", STR(""), &m->purpose, f));
    TRY(json_get_str(v, "entry", STR(""), &m->entry, f));
    TRY(json_get_bool(v, "link", false, &m->is_link, f));
    TRY(json_get_str(v, "terms", STR(""), &m->terms, f));
    TRY(json_get_str(v, "terms_accepted", STR(""), &m->accepted, f));
    TRY(read_files(m, json_get(v, "files"), f));
    m->kind = REGISTRY_OTHER;
    for (int k = 0; k < REGISTRY_OTHER; k++)
        if (str_is(kind, registry_kind_name((registry_kind)k))) m->kind = (registry_kind)k;
    bool up = str_find_char(m->entry, '/') != STR_INDEX_NONE || str_is(m->entry, "..");
    if (!m->entry.n || (up && !m->is_link)) return fail_set(f, E_INPUT, "no file is named");
    return manifest_sum(m, a, f);
}

err manifest_load(manifest *m, arena *a, const char *dir, fail *f) {
    char path[FILE_PATH_BYTES];
    str text;
    *m = (manifest){0};
    TRY(file_join(path, dir, "manifest", f));
    TRY(file_read(a, path, MANIFEST_BYTES_MAX, &text, f));
    err e = read_manifest(m, a, text, f);
    if (e != E_INPUT) return e;
    fail_set(f, E_CORRUPT, "\"%s\" is damaged", path);
    return fail_hint(f, "remove the folder and pull the model again");
}
