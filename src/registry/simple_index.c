/* simple_index.c - see simple_index.h. Of HTML only anchors and <base> are looked at, which is all
 * that PEP 503 uses; whatever else a page holds is passed over. */
#include "registry/simple_index.h"

#include "net/url.h"
#include "text/json.h"

#include <string.h>

enum { VERSION_PARTS_MAX = 8 };

err simple_page_add(simple_page *p, arena *a, const simple_file *file, fail *f) {
    if (p->n == SIMPLE_FILES_MAX)
        return fail_set(f, E_TOO_LARGE, "a package index page lists more than %d files",
                        SIMPLE_FILES_MAX);
    if (p->n == p->cap) {
        size_t cap = p->cap ? 2 * p->cap : 32;
        simple_file *bigger = arena_new_n(a, simple_file, cap);
        if (!bigger) return fail_memory(f, "a package index page");
        if (p->n) memcpy(bigger, p->files, p->n * sizeof *bigger);
        p->files = bigger;
        p->cap = cap;
    }
    p->files[p->n++] = *file;
    return E_OK;
}

static bool is_sha256(str s) {
    for (size_t i = 0; i < s.n; i++) {
        char c = (char)(s.p[i] | 32);
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
    }
    return s.n == 64;
}

/* --- HTML --- */

/* Replaces the few entities that stand in links; the rest stays as it is. */
static str entities_decode(arena *a, str s) {
    static const char *const rows[][2] = {{"&amp;", "&"},  {"&#38;", "&"},   {"&lt;", "<"},
                                          {"&gt;", ">"},   {"&quot;", "\""}, {"&#39;", "'"},
                                          {"&#x27;", "'"}, {"&#43;", "+"}};
    if (str_find_char(s, '&') == STR_INDEX_NONE) return s;
    char *to = arena_alloc(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; to && i < s.n;) {
        size_t row = 0, rows_n = sizeof rows / sizeof *rows;
        while (row < rows_n && !str_starts(str_slice(s, i, s.n), str_from(rows[row][0]))) row++;
        to[n++] = row < rows_n ? rows[row][1][0] : s.p[i];
        i += row < rows_n ? strlen(rows[row][0]) : 1;
    }
    return to ? (str){to, n} : s;
}

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Takes the next attribute off the inside of a tag; false at its end. */
static bool next_attribute(str *tag, str *name, str *value) {
    size_t i = 0;
    while (i < tag->n && (is_space(tag->p[i]) || tag->p[i] == '/')) i++;
    size_t from = i;
    while (i < tag->n && !is_space(tag->p[i]) && tag->p[i] != '=') i++;
    *name = str_slice(*tag, from, i);
    *value = STR("");
    while (i < tag->n && is_space(tag->p[i])) i++;
    if (i < tag->n && tag->p[i] == '=') {
        i++;
        while (i < tag->n && is_space(tag->p[i])) i++;
        char quote = i < tag->n && (tag->p[i] == '"' || tag->p[i] == '\'') ? tag->p[i] : 0;
        size_t start = i += quote != 0;
        while (i < tag->n && (quote ? tag->p[i] != quote : !is_space(tag->p[i]))) i++;
        *value = str_slice(*tag, start, i);
        i += quote != 0;
    }
    *tag = str_slice(*tag, i, tag->n);
    return name->n > 0;
}

/* End of a tag that begins at `from`: '>' outside of quotes; n when there is none. */
static size_t tag_end(str s, size_t from) {
    char quote = 0;
    for (size_t i = from; i < s.n; i++) {
        char c = s.p[i];
        if (quote)
            quote = c == quote ? 0 : quote;
        else if (c == '"' || c == '\'')
            quote = c;
        else if (c == '>')
            return i;
    }
    return s.n;
}

static err add_link(simple_page *p, arena *a, str base, str href, bool yanked, fail *f) {
    str fragment, url, name;
    simple_file file = {.bytes = -1, .yanked = yanked, .sha256 = STR("")};
    TRY(url_join(a, base, str_trim(entities_decode(a, href)), &url, f));
    file.url = url_cut_fragment(url, &fragment);
    while (fragment.p && fragment.n) {
        str part = str_cut(&fragment, '&');
        str hash = str_starts(part, STR("sha256=")) ? str_slice(part, 7, part.n) : STR_NONE;
        if (hash.p && is_sha256(hash)) file.sha256 = hash;
    }
    str path = file.url;
    name = str_after_last(str_cut(&path, '?'), '/');
    if (url_decode(a, name, false, &file.filename, NULL) != E_OK || !file.filename.n) return E_OK;
    return simple_page_add(p, a, &file, f);
}

static err read_html(simple_page *p, arena *a, str base, str text, fail *f) {
    size_t at = 0;
    while (at < text.n) {
        const char *open = memchr(text.p + at, '<', text.n - at);
        if (!open) break;
        size_t from = (size_t)(open - text.p) + 1, end = tag_end(text, from);
        str tag = str_slice(text, from, end), name, value, href = STR_NONE;
        at = end + 1;
        bool yanked = false;
        size_t word = 0;
        while (word < tag.n && !is_space(tag.p[word])) word++;
        str element = str_slice(tag, 0, word);
        bool is_base = str_eq_nocase(element, STR("base"));
        if (!is_base && !str_eq_nocase(element, STR("a"))) continue;
        tag = str_slice(tag, word, tag.n);
        while (next_attribute(&tag, &name, &value)) {
            if (str_eq_nocase(name, STR("href"))) href = value;
            yanked |= str_eq_nocase(name, STR("data-yanked"));
        }
        if (href.p && is_base) TRY(url_join(a, base, entities_decode(a, href), &base, f));
        if (href.p && !is_base) TRY(add_link(p, a, base, href, yanked, f));
    }
    return E_OK;
}

/* --- JSON --- */

static str json_text(const json *v, const char *key) {
    const json *member = json_get(v, key);
    return member && member->kind == JSON_STRING ? member->string : STR("");
}

static err read_json(simple_page *p, arena *a, str base, str text, fail *f) {
    const json *page;
    TRY(json_parse(a, text, &page, f));
    const json *files = json_get(page, "files");
    for (size_t i = 0; files && files->kind == JSON_ARRAY && i < files->count; i++) {
        const json *row = json_at(files, i), *size = json_get(row, "size");
        const json *yanked = json_get(row, "yanked");
        str fragment, url, hash = json_text(json_get(row, "hashes"), "sha256");
        simple_file file = {.filename = json_text(row, "filename"),
                            .sha256 = is_sha256(hash) ? hash : STR(""),
                            .bytes =
                                size && size->is_int && size->integer >= 0 ? size->integer : -1};
        file.yanked = yanked && (yanked->kind == JSON_STRING ||
                                 (yanked->kind == JSON_BOOL && yanked->boolean));
        if (!file.filename.n || !json_text(row, "url").n) continue;
        TRY(url_join(a, base, json_text(row, "url"), &url, f));
        file.url = url_cut_fragment(url, &fragment);
        TRY(simple_page_add(p, a, &file, f));
    }
    return E_OK;
}

err simple_page_read(simple_page *p, arena *a, str base, str text, fail *f) {
    str start = str_trim(text);
    return start.n && start.p[0] == '{' ? read_json(p, a, base, text, f)
                                        : read_html(p, a, base, text, f);
}

/* --- names and versions --- */

err simple_name(arena *a, str package, str *out, fail *f) {
    char *to = arena_alloc(a, package.n + 1);
    size_t n = 0;
    if (!to) return fail_memory(f, "a package name");
    for (size_t i = 0; i < package.n; i++) {
        char c = package.p[i];
        bool dash = c == '-' || c == '_' || c == '.';
        bool alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!dash && !alpha && !(c >= '0' && c <= '9'))
            return fail_set(f, E_INPUT, "\"%.*s\" is not the name of a Python package",
                            STR_ARG(str_slice(package, 0, 80)));
        if (dash && n && to[n - 1] == '-') continue;
        to[n++] = dash ? '-' : alpha ? (char)(c | 32) : c;
    }
    if (!n || to[0] == '-' || to[n - 1] == '-')
        return fail_set(f, E_INPUT, "\"%.*s\" is not the name of a Python package",
                        STR_ARG(str_slice(package, 0, 80)));
    *out = (str){to, n};
    return E_OK;
}

bool simple_wheel_version(arena *a, str filename, str package, str *version) {
    str part[6], rest = filename, name;
    size_t n = 0;
    if (!str_ends(filename, STR(".whl"))) return false;
    rest.n -= 4;
    while (rest.p && n < 6) part[n++] = str_cut(&rest, '-');
    if (rest.p || n < 5) return false;
    if (!str_is(part[n - 1], "any") || !str_is(part[n - 2], "none")) return false;
    if (simple_name(a, part[0], &name, NULL) != E_OK || !str_eq(name, package)) return false;
    *version = part[1];
    return part[1].n > 0;
}

/* Release numbers of "1!2.3.4rc1+local"; *tail is what follows them. */
static size_t version_parts(str v, int64_t parts[VERSION_PARTS_MAX + 1], str *tail) {
    size_t n = 1, at = str_starts(v, STR("v")) ? 1 : 0;
    parts[0] = 0; /* epoch */
    size_t bang = str_find_char(v, '!');
    if (bang != STR_INDEX_NONE && str_to_int(str_slice(v, at, bang), &parts[0])) at = bang + 1;
    while (n <= VERSION_PARTS_MAX && at < v.n && v.p[at] >= '0' && v.p[at] <= '9') {
        size_t from = at;
        while (at < v.n && v.p[at] >= '0' && v.p[at] <= '9') at++;
        if (!str_to_int(str_slice(v, from, at), &parts[n])) parts[n] = INT64_MAX;
        n++;
        bool more = at + 1 < v.n && v.p[at] == '.' && v.p[at + 1] >= '0' && v.p[at + 1] <= '9';
        at += more;
        if (!more) break;
    }
    *tail = str_slice(v, at, v.n);
    return n;
}

/* -1 development or pre-release, 0 final, 1 post-release */
static int version_stage(str tail) {
    if (!tail.n || tail.p[0] == '+') return 0;
    return str_find(tail, STR("post")) != STR_INDEX_NONE &&
                   str_find(tail, STR("dev")) == STR_INDEX_NONE
               ? 1
               : -1;
}

bool simple_version_is_final(str version) {
    int64_t parts[VERSION_PARTS_MAX + 1];
    str tail;
    return version_parts(version, parts, &tail) > 1 && version_stage(tail) >= 0;
}

int simple_version_compare(str a, str b) {
    int64_t left[VERSION_PARTS_MAX + 1] = {0}, right[VERSION_PARTS_MAX + 1] = {0};
    str left_tail, right_tail;
    version_parts(a, left, &left_tail);
    version_parts(b, right, &right_tail);
    for (size_t i = 0; i <= VERSION_PARTS_MAX; i++)
        if (left[i] != right[i]) return left[i] < right[i] ? -1 : 1;
    int left_stage = version_stage(left_tail), right_stage = version_stage(right_tail);
    if (left_stage != right_stage) return left_stage < right_stage ? -1 : 1;
    return str_compare(left_tail, right_tail);
}

const simple_file *simple_pick(arena *a, const simple_page *p, str package, str version) {
    const simple_file *best = NULL;
    str best_version = STR(""), found;
    for (size_t i = 0; i < p->n; i++) {
        const simple_file *file = &p->files[i];
        if (!simple_wheel_version(a, file->filename, package, &found)) continue;
        bool wanted = version.n ? simple_version_compare(found, version) == 0
                                : simple_version_is_final(found) && !file->yanked;
        if (!wanted || (best && simple_version_compare(found, best_version) <= 0)) continue;
        best = file;
        best_version = found;
    }
    return best;
}
