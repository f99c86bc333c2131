/* grammar_word.c - what single words of a schema say: the kinds and values that type, enum and
 * const leave, which words bound a kind, and that a word cannot be held; see grammar_schema.h. */
#include "grammar/grammar_schema.h"

err schema_refuse(const char *word, const json *schema, fail *f) {
    buf b = {.bytes_max = 4096};
    json_writer w = {.out = &b};
    json_put_value(&w, schema);
    str shown = buf_str(&b);
    if (word[0] == SCHEMA_DERIVED[0]) word += 2; /* one of ours */
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

err schema_kinds_of(const json *type, int *kinds, bool *whole, fail *f) {
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
        TRY(schema_kinds_of(type, &some, &some_whole, f));
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

const char *schema_bound_beside(const json *s, json_kind kind) {
    static const char *const words[][12] = {
        [JSON_NUMBER] = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
                         SCHEMA_NOT_MULTIPLE, SCHEMA_FRACTION, SCHEMA_NONE_OF},
        [JSON_STRING] = {"minLength", "maxLength", "pattern", SCHEMA_NOT_PATTERN, SCHEMA_NONE_OF},
        [JSON_ARRAY] = {"items", "prefixItems", "additionalItems", "minItems", "maxItems",
                        "uniqueItems", "contains", "unevaluatedItems"},
        [JSON_OBJECT] = {"properties", "required", "additionalProperties", "patternProperties",
                         "minProperties", "maxProperties", "propertyNames", "unevaluatedProperties",
                         SCHEMA_SOME}};
    if (kind < JSON_NUMBER) return NULL;
    for (int i = 0; i < 12 && words[kind][i]; i++)
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
        if (fits) (*out)[(*n)++] = v;
    }
    return E_OK;
}
