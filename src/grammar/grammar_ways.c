/* grammar_ways.c - what holds for one value: references followed, allOf joined, anyOf and oneOf
 * multiplied out; see grammar_schema.h. */
#include "grammar/grammar_schema.h"

#include <stdlib.h>
#include <string.h>

static const char *const refused[] = {"not",
                                      "if",
                                      "dependentSchemas",
                                      "dependentRequired",
                                      "dependencies",
                                      "propertyNames",
                                      "contains",
                                      "unevaluatedProperties",
                                      "unevaluatedItems",
                                      "$dynamicRef",
                                      "$recursiveRef",
                                      "minContains",
                                      "maxContains"};

err schema_refuse(const char *word, const json *schema, fail *f) {
    buf b = {.bytes_max = 4096};
    json_writer w = {.out = &b};
    json_put_value(&w, schema);
    str shown = buf_str(&b);
    fail_set(f, E_UNSUPPORTED, "the schema word \"%s\" cannot be held by a grammar, in %.*s%s",
             word, (int)(shown.n < 200 ? shown.n : 200), shown.p ? shown.p : "",
             shown.n > 200 ? "..." : "");
    buf_deinit(&b);
    return fail_hint(f,
                     "leave it out and check the answer yourself, or say the same by other words");
}

bool schema_equal(const json *x, const json *y) {
    if (x->kind != y->kind) return false;
    switch (x->kind) {
    case JSON_NULL: return true;
    case JSON_BOOL: return x->boolean == y->boolean;
    case JSON_NUMBER:
        return x->is_int && y->is_int ? x->integer == y->integer
                                      : !(x->number < y->number) && !(x->number > y->number);
    case JSON_STRING: return str_eq(x->string, y->string);
    case JSON_ARRAY:
        if (x->count != y->count) return false;
        for (size_t i = 0; i < x->count; i++)
            if (!schema_equal(&x->items[i], &y->items[i])) return false;
        return true;
    case JSON_OBJECT: break;
    }
    if (x->count != y->count) return false;
    for (size_t i = 0; i < x->count; i++) {
        const json *other = NULL;
        for (size_t k = 0; k < y->count && !other; k++)
            if (str_eq(x->members[i].key, y->members[k].key)) other = &y->members[k].value;
        if (!other || !schema_equal(&x->members[i].value, other)) return false;
    }
    return true;
}

err schema_set_add(schema_set *s, const json *schema, fail *f) {
    for (int i = 0; i < s->n; i++)
        if (s->s[i] == schema) return E_OK;
    if (s->n == SCHEMA_JOINED_MAX)
        return fail_set(f, E_TOO_LARGE, "more than %d schemas hold for one value",
                        SCHEMA_JOINED_MAX);
    s->s[s->n++] = schema;
    return E_OK;
}

/* ---- references ---- */

static bool has_inner_id(const json *v, bool root, int depth) {
    if (depth > JSON_DEPTH_MAX) return true;
    if (v->kind == JSON_ARRAY) {
        for (size_t i = 0; i < v->count; i++)
            if (has_inner_id(&v->items[i], false, depth + 1)) return true;
    } else if (v->kind == JSON_OBJECT) {
        const json *id = json_get(v, "$id");
        if (!root && id && id->kind == JSON_STRING) return true;
        for (size_t i = 0; i < v->count; i++)
            if (has_inner_id(&v->members[i].value, false, depth + 1)) return true;
    }
    return false;
}

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
    char name[512];
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

static const json *anchored(const json *v, str name, int depth) {
    const json *found = NULL;
    if (depth > JSON_DEPTH_MAX) return NULL;
    for (size_t i = 0; v->kind == JSON_ARRAY && i < v->count && !found; i++)
        found = anchored(&v->items[i], name, depth + 1);
    if (v->kind != JSON_OBJECT) return found;
    const json *anchor = json_get(v, "$anchor");
    if (anchor && anchor->kind == JSON_STRING && str_eq(anchor->string, name)) return v;
    for (size_t i = 0; i < v->count && !found; i++)
        found = anchored(&v->members[i].value, name, depth + 1);
    return found;
}

static err follow(const schema_doc *d, const json *ref, const json *schema, const json **out,
                  fail *f) {
    if (ref->kind != JSON_STRING) return fail_set(f, E_INPUT, "$ref must be a string");
    str to = ref->string;
    const json *id = json_get(d->root, "$id");
    if (id && id->kind == JSON_STRING && str_starts(to, id->string))
        to = str_slice(to, id->string.n, to.n);
    if (to.n == 0) to = STR("#");
    if (to.p[0] != '#' || has_inner_id(d->root, true, 0)) return schema_refuse("$ref", schema, f);
    to = str_slice(to, 1, to.n);
    if (to.n == 0)
        *out = d->root;
    else
        *out = to.p[0] == '/' ? pointer(d->root, str_slice(to, 1, to.n)) : anchored(d->root, to, 0);
    if (*out) return E_OK;
    return fail_set(f, E_INPUT, "$ref \"%.*s\" leads nowhere", STR_ARG(ref->string));
}

/* ---- ways ---- */

typedef struct way_job {
    const schema_doc *d;
    schema_ways *out;
    int depth;
} way_job;

/* Alternatives still to be chosen from. */
typedef struct groups {
    const json *g[SCHEMA_JOINED_MAX];
    int n;
} groups;

/* true says nothing where the word is about what else there may be */
static bool harmless(const char *word, const json *v) {
    return v->kind == JSON_BOOL && v->boolean &&
           (!strcmp(word, "propertyNames") || !strncmp(word, "unevaluated", 11));
}

static err check_words(const json *s, fail *f) {
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const json *v = json_get(s, refused[i]);
        if (v && !harmless(refused[i], v)) return schema_refuse(refused[i], s, f);
    }
    return E_OK;
}

static err check_list(const json *list, const char *word, fail *f) {
    if (list->kind == JSON_ARRAY && list->count > 0) return E_OK;
    return fail_set(f, E_INPUT, "\"%s\" must be a list of schemas that is not empty", word);
}

static err shown_apart(way_job *j, const json *list, const json *schema, fail *f);

/* s and all that it includes without choice, into set and more; *never: false is among them */
static err include(way_job *j, const json *s, schema_set *set, groups *more, bool *never, fail *f) {
    if (s->kind == JSON_BOOL) {
        *never = *never || !s->boolean;
        return E_OK;
    }
    if (s->kind != JSON_OBJECT)
        return fail_set(f, E_INPUT, "a schema must be an object, true or false, not %s",
                        json_kind_name(s->kind));
    for (int i = 0; i < set->n; i++)
        if (set->s[i] == s) return E_OK;
    if (++j->depth > SCHEMA_DEPTH_MAX)
        return fail_set(f, E_TOO_LARGE, "references nest deeper than %d", SCHEMA_DEPTH_MAX);
    const json *ref = json_get(s, "$ref"), *target;
    if (ref) {
        TRY(follow(j->d, ref, s, &target, f));
        TRY(schema_set_add(set, s, f)); /* so that a circle of references ends */
        TRY(include(j, target, set, more, never, f));
        if (j->d->draft7) {
            for (int i = 0; i < set->n; i++) /* what stands beside it does not count */
                if (set->s[i] == s) set->s[i] = set->s[--set->n];
            j->depth--;
            return E_OK;
        }
    }
    TRY(check_words(s, f));
    TRY(schema_set_add(set, s, f));
    const json *all = json_get(s, "allOf");
    if (all) TRY(check_list(all, "allOf", f));
    for (size_t i = 0; all && i < all->count; i++)
        TRY(include(j, &all->items[i], set, more, never, f));
    const char *const choices[] = {"anyOf", "oneOf"};
    for (int i = 0; i < 2; i++) {
        const json *list = json_get(s, choices[i]);
        if (!list) continue;
        TRY(check_list(list, choices[i], f));
        if (i && list->count > 1) TRY(shown_apart(j, list, s, f));
        if (more->n == SCHEMA_JOINED_MAX)
            return fail_set(f, E_TOO_LARGE, "more than %d choices for one value",
                            SCHEMA_JOINED_MAX);
        more->g[more->n++] = list;
    }
    j->depth--;
    return E_OK;
}

static err spread(way_job *j, const schema_set *set, const groups *left, fail *f) {
    if (left->n == 0) {
        if (j->out->n == SCHEMA_WAYS_MAX)
            return fail_set(f, E_TOO_LARGE, "more than %d combinations of alternatives",
                            SCHEMA_WAYS_MAX);
        schema_set *way = arena_new(j->d->a, schema_set);
        if (!way) return fail_memory(f, "a grammar");
        *way = *set;
        j->out->way[j->out->n++] = way;
        return E_OK;
    }
    if (++j->depth > SCHEMA_DEPTH_MAX)
        return fail_set(f, E_TOO_LARGE, "alternatives nest deeper than %d", SCHEMA_DEPTH_MAX);
    const json *list = left->g[left->n - 1];
    for (size_t i = 0; i < list->count; i++) {
        schema_set next = *set;
        groups rest = *left;
        bool never = false;
        rest.n--;
        TRY(include(j, &list->items[i], &next, &rest, &never, f));
        if (!never) TRY(spread(j, &next, &rest, f));
    }
    j->depth--;
    return E_OK;
}

static err find_ways(const schema_doc *d, const schema_set *in, schema_ways *out, int depth,
                     fail *f) {
    way_job j = {.d = d, .out = out, .depth = depth};
    schema_set set = {.n = 0};
    groups more = {.n = 0};
    bool never = false;
    out->n = 0;
    for (int i = 0; i < in->n; i++) TRY(include(&j, in->s[i], &set, &more, &never, f));
    return never ? E_OK : spread(&j, &set, &more, f);
}

err schema_find_ways(const schema_doc *d, const schema_set *in, schema_ways *out, fail *f) {
    return find_ways(d, in, out, 0, f);
}

/* ---- kinds and values ---- */

static int kinds_of_name(str name, bool *whole) {
    static const struct {
        const char *name;
        int kinds;
    } names[] = {{"null", 1 << JSON_NULL},     {"boolean", 1 << JSON_BOOL},
                 {"number", 1 << JSON_NUMBER}, {"integer", 1 << JSON_NUMBER},
                 {"string", 1 << JSON_STRING}, {"array", 1 << JSON_ARRAY},
                 {"object", 1 << JSON_OBJECT}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_is(name, names[i].name)) {
            *whole = i == 3;
            return names[i].kinds;
        }
    return 0;
}

static err kinds_of(const json *type, int *kinds, bool *whole, fail *f) {
    bool fraction = false, one_whole = false;
    *kinds = 0;
    *whole = false;
    size_t n = type->kind == JSON_ARRAY ? type->count : 1;
    for (size_t i = 0; i < n; i++) {
        const json *t = type->kind == JSON_ARRAY ? &type->items[i] : type;
        int k = t->kind == JSON_STRING ? kinds_of_name(t->string, &one_whole) : 0;
        if (!k) return fail_set(f, E_INPUT, "\"type\" must name a type of JSON Schema");
        if (k == 1 << JSON_NUMBER && !one_whole) fraction = true;
        *kinds |= k;
    }
    *whole = (*kinds & 1 << JSON_NUMBER) && !fraction;
    return E_OK;
}

err schema_kinds(const schema_set *s, int *kinds, bool *whole, fail *f) {
    *kinds = SCHEMA_ALL_KINDS;
    *whole = false;
    for (int i = 0; i < s->n; i++) {
        const json *type = json_get(s->s[i], "type");
        int some;
        bool some_whole;
        if (!type) continue;
        TRY(kinds_of(type, &some, &some_whole, f));
        *kinds &= some;
        *whole = *whole || some_whole;
    }
    return E_OK;
}

static bool fits_type(const json *v, int kinds, bool whole) {
    if (!(kinds & 1 << v->kind)) return false;
    if (v->kind != JSON_NUMBER || !whole || v->is_int) return true;
    double fraction = v->number - (double)(int64_t)v->number;
    return v->number < 9e15 && v->number > -9e15 && !(fraction < 0) && !(fraction > 0);
}

static bool listed(const json *s, const json *v) {
    const json *list = json_get(s, "enum"), *one = json_get(s, "const");
    if (one && !schema_equal(one, v)) return false;
    if (!list) return true;
    for (size_t i = 0; i < list->count; i++)
        if (schema_equal(&list->items[i], v)) return true;
    return false;
}

/* Words that bound a value of this kind beside type, enum and const. */
static const char *bound_beside(const json *s, json_kind kind) {
    static const char *const words[][12] = {
        [JSON_NUMBER] = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
                         "multipleOf"},
        [JSON_STRING] = {"minLength", "maxLength", "pattern"},
        [JSON_ARRAY] = {"items", "prefixItems", "additionalItems", "minItems", "maxItems",
                        "uniqueItems"},
        [JSON_OBJECT] = {"properties", "required", "additionalProperties", "patternProperties",
                         "minProperties", "maxProperties"}};
    if (kind < JSON_NUMBER) return NULL;
    for (int i = 0; words[kind][i]; i++)
        if (json_get(s, words[kind][i])) return words[kind][i];
    return NULL;
}

err schema_values(const schema_doc *d, const schema_set *s, const json ***out, int *n, fail *f) {
    const json *from = NULL;
    int kinds;
    bool whole;
    TRY(schema_kinds(s, &kinds, &whole, f));
    *n = -1;
    for (int i = 0; i < s->n; i++) {
        const json *list = json_get(s->s[i], "enum");
        if (list && list->kind != JSON_ARRAY)
            return fail_set(f, E_INPUT, "\"enum\" must be a list");
        if (!from && (list || json_get(s->s[i], "const"))) from = s->s[i];
    }
    if (!from) return E_OK;
    const json *one = json_get(from, "const"), *list = json_get(from, "enum");
    size_t most = one ? 1 : list->count;
    *out = arena_new_n(d->a, const json *, most + 1);
    if (!*out) return fail_memory(f, "a grammar");
    *n = 0;
    for (size_t k = 0; k < most; k++) {
        const json *v = one ? one : &list->items[k];
        bool fits = fits_type(v, kinds, whole);
        for (int i = 0; i < s->n && fits; i++) fits = listed(s->s[i], v);
        for (int i = 0; i < s->n && fits; i++) {
            const char *word = bound_beside(s->s[i], v->kind);
            if (word) return schema_refuse(word, s->s[i], f);
        }
        if (fits) (*out)[(*n)++] = v;
    }
    return E_OK;
}

/* ---- whether two schemas exclude each other ---- */

static err apart(way_job *j, const schema_set *x, const schema_set *y, bool *out, fail *f);

/* every way of x and every way of y */
static err schemas_apart(way_job *j, const json *x, const json *y, bool *out, fail *f) {
    schema_ways *ways = arena_new_n(j->d->a, schema_ways, 2);
    schema_set one = {.n = 1}, two = {.n = 1};
    if (!ways) return fail_memory(f, "a grammar");
    one.s[0] = x;
    two.s[0] = y;
    *out = false;
    if (j->depth > 16) return E_OK;
    TRY(find_ways(j->d, &one, &ways[0], j->depth + 1, f));
    TRY(find_ways(j->d, &two, &ways[1], j->depth + 1, f));
    *out = true;
    for (int i = 0; i < ways[0].n && *out; i++)
        for (int k = 0; k < ways[1].n && *out; k++)
            TRY(apart(j, ways[0].way[i], ways[1].way[k], out, f));
    return E_OK;
}

static bool requires(const schema_set *s, str key) {
    for (int i = 0; i < s->n; i++) {
        const json *list = json_get(s->s[i], "required");
        for (size_t k = 0; list && list->kind == JSON_ARRAY && k < list->count; k++)
            if (list->items[k].kind == JSON_STRING && str_eq(list->items[k].string, key))
                return true;
    }
    return false;
}

static const json *member(const json *v, str key) {
    for (size_t i = 0; v && v->kind == JSON_OBJECT && i < v->count; i++)
        if (str_eq(v->members[i].key, key)) return &v->members[i].value;
    return NULL;
}

/* both are objects only, and a member that both require has values that exclude each other */
static err members_apart(way_job *j, const schema_set *x, const schema_set *y, bool *out, fail *f) {
    *out = false;
    for (int i = 0; i < x->n && !*out; i++) {
        const json *mine = json_get(x->s[i], "properties");
        for (size_t k = 0; mine && mine->kind == JSON_OBJECT && k < mine->count && !*out; k++) {
            str key = mine->members[k].key;
            if (!requires(x, key) || !requires(y, key)) continue;
            for (int l = 0; l < y->n && !*out; l++) {
                const json *other = member(json_get(y->s[l], "properties"), key);
                if (other) TRY(schemas_apart(j, &mine->members[k].value, other, out, f));
            }
        }
    }
    return E_OK;
}

static bool closed_to(const schema_set *x, const schema_set *y) {
    for (int i = 0; i < x->n; i++) { /* x has no room for a member that y requires */
        const json *more = json_get(x->s[i], "additionalProperties"), *list = NULL;
        if (!more || more->kind != JSON_BOOL || more->boolean ||
            json_get(x->s[i], "patternProperties"))
            continue;
        for (int k = 0; k < y->n; k++) {
            list = json_get(y->s[k], "required");
            for (size_t l = 0; list && list->kind == JSON_ARRAY && l < list->count; l++)
                if (list->items[l].kind == JSON_STRING &&
                    !member(json_get(x->s[i], "properties"), list->items[l].string))
                    return true;
        }
    }
    return false;
}

static err apart(way_job *j, const schema_set *x, const schema_set *y, bool *out, fail *f) {
    int kx, ky, nx, ny;
    bool wx, wy;
    const json **vx = NULL, **vy = NULL;
    TRY(schema_kinds(x, &kx, &wx, f));
    TRY(schema_kinds(y, &ky, &wy, f));
    *out = (kx & ky) == 0;
    if (*out) return E_OK;
    TRY(schema_values(j->d, x, &vx, &nx, f));
    TRY(schema_values(j->d, y, &vy, &ny, f));
    if (nx >= 0 && ny >= 0) {
        *out = true;
        for (int i = 0; i < nx; i++)
            for (int k = 0; k < ny; k++) *out = *out && !schema_equal(vx[i], vy[k]);
        return E_OK;
    }
    if ((kx & ky) != 1 << JSON_OBJECT || nx >= 0 || ny >= 0) return E_OK;
    *out = closed_to(x, y) || closed_to(y, x);
    return *out ? E_OK : members_apart(j, x, y, out, f);
}

static err shown_apart(way_job *j, const json *list, const json *schema, fail *f) {
    for (size_t i = 0; i < list->count; i++)
        for (size_t k = 0; k < i; k++) {
            bool ok;
            TRY(schemas_apart(j, &list->items[i], &list->items[k], &ok, f));
            if (ok) continue;
            schema_refuse("oneOf", schema, f);
            return fail_hint(f,
                             "its alternatives may hold at once: say anyOf, or give each a member "
                             "with a constant of its own");
        }
    return E_OK;
}
