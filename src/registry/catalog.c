/* catalog.c - see catalog.h. */
#include "registry/catalog.h"

#include <string.h>

static const char builtin_text[] =
#include "registry_catalog.inc"
    ;

str catalog_builtin(void) {
    return (str){builtin_text, sizeof builtin_text - 1};
}

const char *registry_kind_name(registry_kind k) {
    static const char *const names[] = {"generator", "encoder", "other"};
    return names[k <= REGISTRY_OTHER ? k : REGISTRY_OTHER];
}

bool catalog_name_ok(str name) {
    if (!name.n || name.n > CATALOG_NAME_BYTES_MAX || name.p[0] == '.' || name.p[0] == '-')
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool ok =
            (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
        if (!ok) return false;
    }
    return true;
}

const catalog_entry *catalog_find(const catalog *c, str name) {
    for (size_t i = 0; i < c->entries_n; i++)
        if (str_eq(c->entries[i]->name, name)) return c->entries[i];
    return NULL;
}

/* --- reading --- */

typedef struct reader {
    catalog *catalog;
    arena *arena;
    const char *file;
    int line;
    catalog_entry *entry;
    fail *f;
} reader;

static err bad_line(reader *r, const char *what, str value) {
    return fail_set(r->f, E_INPUT, "catalog \"%s\", line %d: %s \"%.*s\"", r->file, r->line, what,
                    STR_ARG(str_slice(value, 0, 120)));
}

static err put_entry(reader *r, catalog_entry *entry) {
    catalog *c = r->catalog;
    for (size_t i = 0; i < c->entries_n; i++) {
        if (!str_eq(c->entries[i]->name, entry->name)) continue;
        c->entries[i] = entry;
        return E_OK;
    }
    if (c->entries_n == CATALOG_ENTRIES_MAX) return bad_line(r, "too many entries at", entry->name);
    if (c->entries_n == c->entries_cap) {
        size_t cap = c->entries_cap ? 2 * c->entries_cap : 16;
        catalog_entry **bigger = arena_new_n(r->arena, catalog_entry *, cap);
        if (!bigger) return fail_memory(r->f, "the catalog");
        if (c->entries_n) memcpy(bigger, c->entries, c->entries_n * sizeof *bigger);
        c->entries = bigger;
        c->entries_cap = cap;
    }
    c->entries[c->entries_n++] = entry;
    return E_OK;
}

/* The entry that ends here must say where it comes from. */
static err end_entry(reader *r) {
    if (!r->entry) return E_OK;
    if (!r->entry->source.n)
        return bad_line(r, "no \"source\" in the entry before this line,", r->entry->name);
    if (!r->entry->tag.n) r->entry->tag = STR("latest");
    return put_entry(r, r->entry);
}

static err begin_entry(reader *r, str line) {
    str name = str_slice(line, 1, line.n - 1);
    if (line.n < 3 || line.p[line.n - 1] != ']' || !catalog_name_ok(name))
        return bad_line(r, "not a name in brackets:", line);
    TRY(end_entry(r));
    r->entry = arena_new(r->arena, catalog_entry);
    if (!r->entry) return fail_memory(r->f, "the catalog");
    r->entry->name = name;
    r->entry->kind = REGISTRY_OTHER;
    return E_OK;
}

static bool sha256_ok(str s) {
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f'))) return false;
    return s.n == 64;
}

/* "MEMBER BYTES SHA256"; the member may hold spaces, so it is cut from the right. */
static err put_file(reader *r, str value) {
    catalog_entry *e = r->entry;
    size_t second = value.n, first;
    while (second > 0 && value.p[second - 1] != ' ') second--;
    first = second ? second - 1 : 0;
    while (first > 0 && value.p[first - 1] != ' ') first--;
    catalog_file file = {.member = str_trim(str_slice(value, 0, first)),
                         .sha256 = str_slice(value, second, value.n)};
    file.name = str_after_last(file.member, '/');
    str bytes = str_trim(str_slice(value, first, second));
    bool ok = file.member.n && file.name.n && file.name.p[0] != '.' &&
              str_to_int(bytes, &file.bytes) && file.bytes >= 0 && sha256_ok(file.sha256);
    if (!ok) return bad_line(r, "not MEMBER BYTES SHA256:", value);
    if (str_is(file.name, "manifest")) return bad_line(r, "a name that is taken:", file.name);
    for (size_t i = 0; i < e->files_n; i++)
        if (str_eq(e->files[i].name, file.name)) return bad_line(r, "two files named", file.name);
    if (e->files_n == CATALOG_FILES_MAX) return bad_line(r, "too many files at", value);
    e->files[e->files_n++] = file;
    return E_OK;
}

static err put_kind(reader *r, str value) {
    for (int k = 0; k <= REGISTRY_OTHER; k++) {
        if (!str_is(value, registry_kind_name((registry_kind)k))) continue;
        r->entry->kind = (registry_kind)k;
        return E_OK;
    }
    return bad_line(r, "kind is not generator, encoder or other:", value);
}

static err put_source(reader *r, str value) {
    static const char *const forms[] = {"pypi:", "hf:", "https://", "http://"};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (!str_starts(value, str_from(forms[i]))) continue;
        r->entry->source = value;
        return E_OK;
    }
    return bad_line(r, "source is not pypi:, hf: or a URL:", value);
}

static err put_value(reader *r, str line) {
    str value = line;
    str key = str_trim(str_cut(&value, '='));
    if (!value.p) return bad_line(r, "neither [name] nor key = value:", line);
    value = str_trim(value);
    if (!r->entry) return bad_line(r, "a key before the first [name]:", key);
    if (!value.n) return bad_line(r, "no value for", key);
    catalog_entry *e = r->entry;
    if (str_is(key, "file")) return put_file(r, value);
    if (str_is(key, "kind")) return put_kind(r, value);
    if (str_is(key, "source")) return put_source(r, value);
    if (str_is(key, "tag") && !catalog_name_ok(value)) return bad_line(r, "not a tag:", value);
    str *at = str_is(key, "tag")       ? &e->tag
              : str_is(key, "licence") ? &e->licence
              : str_is(key, "terms")   ? &e->terms
              : str_is(key, "purpose") ? &e->purpose
                                       : NULL;
    if (!at) return bad_line(r, "unknown key", key);
    *at = value;
    return E_OK;
}

err catalog_read(catalog *c, arena *a, str text, const char *file, fail *f) {
    reader r = {.catalog = c, .arena = a, .file = file, .f = f};
    while (text.p) {
        str line = str_cut(&text, '\n');
        r.line++;
        if (line.n > CATALOG_LINE_BYTES_MAX) return bad_line(&r, "the line is too long:", line);
        line = str_trim(line);
        if (!line.n || line.p[0] == '#') continue;
        TRY(line.p[0] == '[' ? begin_entry(&r, line) : put_value(&r, line));
    }
    return end_entry(&r);
}
