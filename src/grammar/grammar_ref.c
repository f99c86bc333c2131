/* grammar_ref.c - what "$ref" leads to: identifiers and anchors of a schema document, URIs joined
 * as RFC 3986 (5.2) says, JSON pointers (RFC 6901); see grammar_schema.h.
 *
 * The document is walked once: each object knows the URI that its references are relative to. Only
 * what lies in the document is found; nothing is ever fetched. A copy of a schema object is known
 * by its members, which it shares. */
#include "grammar/grammar_schema.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { POINTER_STEP_BYTES = 512 };

typedef struct named_schema {
    str uri, anchor; /* anchor.n == 0: the resource itself */
    const json *at;
    bool dynamic;
    struct named_schema *next;
} named_schema;

/* ---- URIs ---- */

static str without_fragment(str uri) {
    size_t at = str_find_char(uri, '#');
    return at == STR_INDEX_NONE ? uri : str_slice(uri, 0, at);
}

/* Bytes of "scheme:", 0 where there is none. */
static size_t scheme_bytes(str uri) {
    for (size_t i = 0; i < uri.n; i++) {
        char c = uri.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (c == ':' && i > 0) return i + 1;
        if (!letter && (i == 0 || !((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.')))
            return 0;
    }
    return 0;
}

/* Bytes of "scheme://authority". */
static size_t root_bytes(str uri) {
    size_t n = scheme_bytes(uri);
    if (!str_starts(str_slice(uri, n, uri.n), STR("//"))) return n;
    for (n += 2; n < uri.n && uri.p[n] != '/'; n++) {
    }
    return n;
}

/* The path with . and .. done, behind what out holds. */
static void put_path(buf *out, str path) {
    size_t root = out->n;
    if (str_starts(path, STR("/"))) {
        buf_put_char(out, '/');
        path = str_slice(path, 1, path.n);
        root++;
    }
    while (path.p) {
        str step = str_cut(&path, '/');
        bool last = !path.p;
        if (str_eq(step, STR(".."))) {
            if (out->n > root) out->n--; /* the slash behind the step before */
            while (out->n > root && out->p[out->n - 1] != '/') out->n--;
        } else if (!str_eq(step, STR("."))) {
            buf_put(out, step);
            if (!last) buf_put_char(out, '/');
        }
    }
}

/* base has no fragment, ref may have one. */
static err join(arena *a, str base, str ref, str *out, fail *f) {
    buf b = {0};
    str path = without_fragment(ref), fragment = str_slice(ref, path.n, ref.n);
    size_t root = root_bytes(base);
    if (path.n == 0) {
        buf_put(&b, base);
    } else if (scheme_bytes(path)) {
        buf_put(&b, path);
    } else if (str_starts(path, STR("//"))) {
        buf_put(&b, str_slice(base, 0, scheme_bytes(base)));
        buf_put(&b, path);
    } else {
        str merged = path;
        buf all = {0};
        if (path.p[0] != '/') {
            size_t end = base.n;
            while (end > root && base.p[end - 1] != '/') end--;
            buf_put(&all, str_slice(base, root, end));
            if (end == root && root) buf_put_char(&all, '/');
            buf_put(&all, path);
            merged = buf_str(&all);
        }
        buf_put(&b, str_slice(base, 0, root));
        put_path(&b, merged);
        buf_deinit(&all);
    }
    if (fragment.n > 1) buf_put(&b, fragment);
    err e = buf_ok(&b, f);
    if (e == E_OK) {
        *out = b.n ? arena_str(a, buf_str(&b)) : STR("");
        if (!out->p) e = fail_memory(f, "a reference");
    }
    buf_deinit(&b);
    return e;
}

/* ---- the document's names ---- */

static str key_of(const json_member *const *members) {
    return (str){(const char *)members, sizeof *members};
}

static err name_schema(schema_doc *d, str uri, str anchor, const json *at, bool dynamic, fail *f) {
    named_schema *n = arena_new(d->a, named_schema);
    if (!n) return fail_memory(f, "a schema's names");
    *n = (named_schema){uri, anchor, at, dynamic, d->names};
    d->names = n;
    return E_OK;
}

static err read_id(schema_doc *d, const json *v, str *base, fail *f) {
    const json *id = json_get(v, "$id");
    str uri;
    if (!id || id->kind != JSON_STRING || (d->draft7 && json_get(v, "$ref"))) return E_OK;
    TRY(join(d->a, *base, id->string, &uri, f));
    str whole = without_fragment(uri), anchor = str_slice(uri, whole.n, uri.n);
    if (anchor.n > 1) return name_schema(d, whole, str_slice(anchor, 1, anchor.n), v, false, f);
    *base = whole;
    return name_schema(d, whole, STR(""), v, false, f);
}

/* Values are not schemas. */
static bool holds_values(str key) {
    return str_eq(key, STR("const")) || str_eq(key, STR("enum")) || str_eq(key, STR("default")) ||
           str_eq(key, STR("examples"));
}

static err walk(schema_doc *d, const json *v, str base, bool names, int depth, fail *f) {
    static const char *const anchors[] = {"$anchor", "$dynamicAnchor"};
    if (depth > JSON_DEPTH_MAX) return fail_set(f, E_TOO_LARGE, "the schema nests too deeply");
    for (size_t i = 0; v->kind == JSON_ARRAY && i < v->count; i++)
        TRY(walk(d, &v->items[i], base, true, depth + 1, f));
    if (v->kind != JSON_OBJECT || v->count == 0) return E_OK;
    if (names) TRY(read_id(d, v, &base, f));
    for (int i = 0; names && i < 2; i++) {
        const json *anchor = json_get(v, anchors[i]);
        if (anchor && anchor->kind == JSON_STRING)
            TRY(name_schema(d, base, anchor->string, v, i == 1, f));
    }
    str *kept = arena_new(d->a, str);
    if (!kept) return fail_memory(f, "a schema's names");
    *kept = base;
    TRY(map_put_ptr(&d->bases, key_of(&v->members), kept, f));
    for (size_t i = 0; i < v->count; i++) {
        str key = v->members[i].key;
        bool of_names = str_eq(key, STR("properties")) || str_eq(key, STR("patternProperties")) ||
                        str_eq(key, STR("$defs")) || str_eq(key, STR("definitions"));
        if (!names || !holds_values(key)) /* {"properties": {"const": ...}} is a schema's */
            TRY(walk(d, &v->members[i].value, base, !(names && of_names), depth + 1, f));
    }
    return E_OK;
}

err schema_doc_init(schema_doc *d, fail *f) {
    map_init(&d->bases, d->a);
    TRY(name_schema(d, STR(""), STR(""), d->root, false, f));
    return walk(d, d->root, STR(""), true, 0, f);
}

void schema_doc_deinit(schema_doc *d) {
    map_deinit(&d->bases);
}

/* ---- pointers ---- */

/* One step of a JSON pointer, %XX and ~ undone, into out; false when it is malformed. */
static bool unescape(str step, char *out, size_t room, size_t *n) {
    *n = 0;
    for (size_t i = 0; i < step.n; i++) {
        char c = step.p[i];
        if (*n + 1 >= room) return false;
        if (c == '%' && i + 2 < step.n) {
            char hex[3] = {step.p[i + 1], step.p[i + 2], 0}, *end;
            c = (char)strtol(hex, &end, 16);
            if (*end) return false;
            i += 2;
        }
        out[(*n)++] = c;
    }
    size_t k = 0;
    for (size_t i = 0; i < *n; i++) {
        char c = out[i];
        if (c == '~') {
            if (++i == *n || (out[i] != '0' && out[i] != '1')) return false;
            c = out[i] == '0' ? '~' : '/';
        }
        out[k++] = c;
    }
    *n = k;
    return true;
}

static const json *pointer(const json *at, str path) {
    char name[POINTER_STEP_BYTES];
    size_t n;
    while (at && path.p) {
        str step = str_cut(&path, '/');
        int64_t index;
        if (!unescape(step, name, sizeof name, &n)) return NULL;
        str key = {name, n};
        const json *found = NULL;
        if (at->kind == JSON_OBJECT) {
            for (size_t i = 0; i < at->count && !found; i++)
                if (str_eq(at->members[i].key, key)) found = &at->members[i].value;
        } else if (at->kind == JSON_ARRAY && str_to_int(key, &index) && index >= 0) {
            found = json_at(at, (size_t)index);
        }
        at = found;
    }
    return at;
}

/* ---- references ---- */

static const named_schema *find_name(const schema_doc *d, str uri, str anchor) {
    for (const named_schema *n = d->names; n; n = n->next)
        if (str_eq(n->uri, uri) && str_eq(n->anchor, anchor)) return n;
    return NULL;
}

/* How many dynamic anchors of this name the document has. */
static int dynamic_anchors(const schema_doc *d, str anchor) {
    int count = 0;
    for (const named_schema *n = d->names; n; n = n->next)
        count += n->dynamic && str_eq(n->anchor, anchor);
    return count;
}

err schema_follow(const schema_doc *d, const json *schema, const char *word, const json **out,
                  fail *f) {
    const json *ref = json_get(schema, word);
    const str *base = map_get_ptr(&d->bases, key_of(&schema->members));
    str uri;
    if (ref->kind != JSON_STRING) return fail_set(f, E_INPUT, "%s must be a string", word);
    TRY(join(d->a, base ? *base : STR(""), ref->string, &uri, f));
    str whole = without_fragment(uri), fragment = str_slice(uri, whole.n, uri.n);
    const named_schema *resource = find_name(d, whole, STR("")), *anchored = NULL;
    if (!resource) return schema_refuse(word, schema, f);
    fragment = fragment.n ? str_slice(fragment, 1, fragment.n) : fragment;
    if (fragment.n == 0)
        *out = resource->at;
    else if (fragment.p[0] == '/')
        *out = pointer(resource->at, str_slice(fragment, 1, fragment.n));
    else
        *out = (anchored = find_name(d, whole, fragment)) ? anchored->at : NULL;
    if (!*out) return fail_set(f, E_INPUT, "%s \"%.*s\" leads nowhere", word, STR_ARG(ref->string));
    /* where several answer to the name, the way by which one came would tell */
    if (word[1] == 'd' && anchored && anchored->dynamic && dynamic_anchors(d, fragment) > 1)
        return schema_refuse(word, schema, f);
    return E_OK;
}
