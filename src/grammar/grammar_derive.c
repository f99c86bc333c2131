/* grammar_derive.c - schemas that others stand for: the negation of a schema, and the alternatives
 * in which if, dependentSchemas and oneOf hold; see grammar_schema.h.
 *
 * A derived schema is JSON made in the document's arena, of the words that a schema has and a few
 * of our own. These begin with a byte that is no UTF-8, so no schema from outside has them. A part
 * of a schema that is copied shares its members, by which references know where it stood. What a
 * grammar cannot say the opposite of is refused by its word. */
#include "grammar/grammar_schema.h"

#include <string.h>

enum { MADE_MEMBERS = 6 };

/* An object being made. */
typedef struct made {
    json_member m[MADE_MEMBERS];
    size_t n;
} made;

/* A list being made; grows in the arena. */
typedef struct made_list {
    json *items;
    size_t n, room;
} made_list;

static const json yes = {.kind = JSON_BOOL, .boolean = true}, no = {.kind = JSON_BOOL};

static void put(made *o, const char *key, const json *value) {
    CHECK(o->n < MADE_MEMBERS);
    o->m[o->n++] = (json_member){.key = str_from(key), .value = *value};
}

static err done(const schema_doc *d, const made *o, json *out, fail *f) {
    json_member *m = arena_new_n(d->a, json_member, o->n);
    if (!m) return fail_memory(f, "a grammar");
    memcpy(m, o->m, o->n * sizeof *m);
    *out = (json){.kind = JSON_OBJECT, .count = o->n, .members = m};
    return E_OK;
}

static err add(const schema_doc *d, made_list *l, const json *item, fail *f) {
    if (l->n == l->room) {
        size_t room = l->room ? 2 * l->room : 4;
        json *more = arena_new_n(d->a, json, room);
        if (!more) return fail_memory(f, "a grammar");
        if (l->n) memcpy(more, l->items, l->n * sizeof *more);
        l->items = more;
        l->room = room;
    }
    l->items[l->n++] = *item;
    return E_OK;
}

static json list_of(const made_list *l) {
    return (json){.kind = JSON_ARRAY, .count = l->n, .items = l->items};
}

static err add_made(const schema_doc *d, made_list *l, const made *o, fail *f) {
    json v;
    TRY(done(d, o, &v, f));
    return add(d, l, &v, f);
}

static json number_of(double n) {
    return (json){.kind = JSON_NUMBER, .number = n};
}
static json text_of(const char *z) {
    return (json){.kind = JSON_STRING, .string = str_from(z)};
}

/* {word: value} */
static err single(const schema_doc *d, const char *word, const json *value, json *out, fail *f) {
    made o = {0};
    put(&o, word, value);
    return done(d, &o, out, f);
}

static err opposite(const schema_doc *d, const json *s, json *out, fail *f) {
    if (s->kind == JSON_BOOL) {
        *out = s->boolean ? no : yes;
        return E_OK;
    }
    return single(d, "not", s, out, f);
}

/* {name: schema} as a value of "properties" */
static err property(const schema_doc *d, str name, const json *schema, json *out, fail *f) {
    json_member *m = arena_new(d->a, json_member);
    if (!m) return fail_memory(f, "a grammar");
    *m = (json_member){.key = name, .value = *schema};
    *out = (json){.kind = JSON_OBJECT, .count = 1, .members = m};
    return E_OK;
}

/* Objects in which `name` is there and satisfies schema (NULL: is not there). */
static err with_member(const schema_doc *d, str name, const json *schema, bool objects, json *out,
                       fail *f) {
    made o = {0};
    json properties, object = text_of("object"), key = {.kind = JSON_STRING, .string = name};
    made_list required = {0};
    put(&o, SCHEMA_DERIVED, &yes);
    if (objects) put(&o, "type", &object);
    if (schema) {
        TRY(add(d, &required, &key, f));
        json list = list_of(&required);
        put(&o, "required", &list);
        if (schema == &yes) return done(d, &o, out, f); /* nothing is said about it */
    }
    TRY(property(d, name, schema ? schema : &no, &properties, f));
    put(&o, "properties", &properties);
    return done(d, &o, out, f);
}

/* ---- the opposite of single words: alternatives are added to l ---- */

typedef struct denial {
    const schema_doc *d;
    const json *s;
    made_list l;
} denial;

static const char *type_name(json_kind k) {
    static const char *const names[] = {"null", "boolean", "number", "string", "array", "object"};
    return names[k];
}

static err deny_type(denial *j, const json *type, fail *f) {
    int kinds;
    bool whole;
    made_list left = {0};
    made o = {0}, part = {0};
    TRY(schema_kinds_of(type, &kinds, &whole, f));
    for (int k = JSON_NULL; k <= JSON_OBJECT; k++) {
        json name = text_of(type_name((json_kind)k));
        if (!(kinds & 1 << k)) TRY(add(j->d, &left, &name, f));
    }
    json list = list_of(&left), number = text_of("number");
    put(&o, "type", &list);
    if (left.n) TRY(add_made(j->d, &j->l, &o, f));
    if (!(kinds & 1 << JSON_NUMBER) || !whole) return E_OK;
    put(&part, "type", &number);
    put(&part, SCHEMA_FRACTION, &yes);
    return add_made(j->d, &j->l, &part, f);
}

/* {"type": type, word: value} */
static err typed(denial *j, const char *type, const char *word, const json *value, fail *f) {
    made o = {0};
    json name = text_of(type);
    put(&o, "type", &name);
    put(&o, word, value);
    return add_made(j->d, &j->l, &o, f);
}

/* Counts: less than the least, or more than the most. */
static err deny_count(denial *j, const char *type, const char *other, double bound, fail *f) {
    json n = number_of(bound);
    return bound < 0 ? E_OK : typed(j, type, other, &n, f);
}

static err not_equal(const schema_doc *d, const json *v, json *out, fail *f);

static err unequal_array(denial *j, const json *v, fail *f) {
    TRY(deny_count(j, "array", "maxItems", (double)v->count - 1, f));
    TRY(deny_count(j, "array", "minItems", (double)v->count + 1, f));
    for (size_t i = 0; i < v->count; i++) {
        made_list prefix = {0};
        json item, least = number_of((double)i + 1), type = text_of("array");
        made o = {0};
        for (size_t k = 0; k < i; k++) TRY(add(j->d, &prefix, &yes, f));
        TRY(not_equal(j->d, &v->items[i], &item, f));
        TRY(add(j->d, &prefix, &item, f));
        json list = list_of(&prefix);
        put(&o, "type", &type);
        put(&o, "minItems", &least);
        put(&o, j->d->draft7 ? "items" : "prefixItems", &list);
        TRY(add_made(j->d, &j->l, &o, f));
    }
    return E_OK;
}

static err unequal_object(denial *j, const json *v, fail *f) {
    TRY(deny_count(j, "object", "maxProperties", (double)v->count - 1, f));
    TRY(deny_count(j, "object", "minProperties", (double)v->count + 1, f));
    for (size_t i = 0; i < v->count; i++) {
        json value, absent, other;
        TRY(not_equal(j->d, &v->members[i].value, &value, f));
        TRY(with_member(j->d, v->members[i].key, NULL, true, &absent, f));
        TRY(with_member(j->d, v->members[i].key, &value, true, &other, f));
        TRY(add(j->d, &j->l, &absent, f));
        TRY(add(j->d, &j->l, &other, f));
    }
    return E_OK;
}

/* All values but those of `list`, which are of one kind; containers only one at a time. */
static err none_of(const schema_doc *d, json_kind kind, const made_list *list, json *out, fail *f) {
    denial j = {.d = d};
    json type = text_of(type_name(kind)), values = list_of(list);
    const json *v = &list->items[0];
    TRY(deny_type(&j, &type, f));
    switch (kind) {
    case JSON_NULL: break;
    case JSON_BOOL:
        values = v->boolean ? no : yes;
        if (list->n == 1) TRY(typed(&j, "boolean", "const", &values, f));
        break;
    case JSON_NUMBER: TRY(typed(&j, "number", SCHEMA_NONE_OF, &values, f)); break;
    case JSON_STRING: TRY(typed(&j, "string", SCHEMA_NONE_OF, &values, f)); break;
    case JSON_ARRAY: TRY(unequal_array(&j, v, f)); break;
    case JSON_OBJECT: TRY(unequal_object(&j, v, f)); break;
    }
    json any = list_of(&j.l);
    return single(d, "anyOf", &any, out, f);
}

static err not_equal(const schema_doc *d, const json *v, json *out, fail *f) {
    made_list one = {0};
    TRY(add(d, &one, v, f));
    return none_of(d, v->kind, &one, out, f);
}

/* Of truth values that are all the same, one. */
static void drop_equal(made_list *l) {
    for (size_t i = 1; i < l->n; i++)
        if (l->items[i].boolean != l->items[0].boolean) return;
    if (l->n) l->n = 1;
}

/* Scalars are left out together, containers one by one. */
static err deny_values(denial *j, const json *values, size_t n, fail *f) {
    made_list all = {0};
    json other, one;
    for (int kind = JSON_NULL; kind <= JSON_STRING; kind++) {
        made_list same = {0};
        for (size_t i = 0; i < n; i++)
            if (values[i].kind == (json_kind)kind) TRY(add(j->d, &same, &values[i], f));
        if (kind == JSON_BOOL) drop_equal(&same);
        if (!same.n) continue;
        TRY(none_of(j->d, (json_kind)kind, &same, &other, f));
        TRY(add(j->d, &all, &other, f));
    }
    for (size_t i = 0; i < n; i++) {
        if (values[i].kind < JSON_ARRAY) continue;
        TRY(not_equal(j->d, &values[i], &other, f));
        TRY(add(j->d, &all, &other, f));
    }
    if (!all.n) return add(j->d, &j->l, &yes, f);
    json list = list_of(&all);
    TRY(single(j->d, "allOf", &list, &one, f));
    return add(j->d, &j->l, &one, f);
}

/* ---- words that hold schemas ---- */

/* The opposite of each, all of them or any. */
static err opposites(const schema_doc *d, const json *list, const char *word, json *out, fail *f) {
    made_list all = {0};
    for (size_t i = 0; i < list->count; i++) {
        json one;
        TRY(opposite(d, &list->items[i], &one, f));
        TRY(add(d, &all, &one, f));
    }
    json made_of = list_of(&all);
    return single(d, word, &made_of, out, f);
}

/* {"allOf": [x, y]} */
static err both(const schema_doc *d, const json *x, const json *y, json *out, fail *f) {
    made_list l = {0};
    TRY(add(d, &l, x, f));
    TRY(add(d, &l, y, f));
    json list = list_of(&l);
    return single(d, "allOf", &list, out, f);
}

static err deny_one_of(denial *j, const json *list, fail *f) {
    json none;
    TRY(opposites(j->d, list, "allOf", &none, f));
    TRY(add(j->d, &j->l, &none, f));
    for (size_t i = 0; i < list->count; i++)
        for (size_t k = 0; k < i; k++) {
            json pair;
            TRY(both(j->d, &list->items[i], &list->items[k], &pair, f));
            TRY(add(j->d, &j->l, &pair, f));
        }
    return E_OK;
}

static err deny_if(denial *j, const json *condition, fail *f) {
    static const char *const words[] = {"then", "else"};
    for (int i = 0; i < 2; i++) {
        const json *branch = json_get(j->s, words[i]);
        json premise = *condition, other, one;
        if (!branch) continue;
        if (i) TRY(opposite(j->d, condition, &premise, f));
        TRY(opposite(j->d, branch, &other, f));
        TRY(both(j->d, &premise, &other, &one, f));
        TRY(add(j->d, &j->l, &one, f));
    }
    return E_OK;
}

static err deny_required(denial *j, const json *list, fail *f) {
    for (size_t i = 0; list->kind == JSON_ARRAY && i < list->count; i++) {
        json one;
        TRY(with_member(j->d, list->items[i].string, NULL, true, &one, f));
        TRY(add(j->d, &j->l, &one, f));
    }
    return E_OK;
}

static err deny_properties(denial *j, const json *v, fail *f) {
    for (size_t i = 0; v->kind == JSON_OBJECT && i < v->count; i++) {
        json other, one;
        if (schema_says_nothing(&v->members[i].value)) continue;
        TRY(opposite(j->d, &v->members[i].value, &other, f));
        TRY(with_member(j->d, v->members[i].key, &other, true, &one, f));
        TRY(add(j->d, &j->l, &one, f));
    }
    return E_OK;
}

static err deny_prefix(denial *j, const json *list, fail *f) {
    for (size_t i = 0; i < list->count; i++) {
        made_list prefix = {0};
        made o = {0};
        json other, least = number_of((double)i + 1), type = text_of("array");
        if (schema_says_nothing(&list->items[i])) continue;
        for (size_t k = 0; k < i; k++) TRY(add(j->d, &prefix, &yes, f));
        TRY(opposite(j->d, &list->items[i], &other, f));
        TRY(add(j->d, &prefix, &other, f));
        json made_of = list_of(&prefix);
        put(&o, "type", &type);
        put(&o, "minItems", &least);
        put(&o, j->d->draft7 ? "items" : "prefixItems", &made_of);
        TRY(add_made(j->d, &j->l, &o, f));
    }
    return E_OK;
}

/* Some item from `from` on is not as `schema` says. */
static err deny_rest(denial *j, const json *schema, size_t from, fail *f) {
    json other, begin = number_of((double)from), type = text_of("array");
    made o = {0};
    if (schema_says_nothing(schema)) return E_OK;
    TRY(opposite(j->d, schema, &other, f));
    put(&o, "type", &type);
    put(&o, "contains", &other);
    put(&o, SCHEMA_FROM, &begin);
    return add_made(j->d, &j->l, &o, f);
}

static err deny_items(denial *j, fail *f) {
    const json *items = json_get(j->s, "items"), *first = json_get(j->s, "prefixItems");
    if (items && items->kind == JSON_ARRAY) {
        first = items;
        items = json_get(j->s, "additionalItems");
    } else if (j->d->draft7) {
        first = NULL;
    }
    if (first && first->kind == JSON_ARRAY) TRY(deny_prefix(j, first, f));
    return items ? deny_rest(j, items, first ? first->count : 0, f) : E_OK;
}

static err deny_contains(denial *j, const json *schema, fail *f) {
    const json *least = json_get(j->s, "minContains"), *most = json_get(j->s, "maxContains"),
               *from = json_get(j->s, SCHEMA_FROM);
    double few = least && least->kind == JSON_NUMBER ? least->number : 1;
    json type = text_of("array"), zero = number_of(0), bound;
    made less = {0}, more = {0};
    if (few > 0) {
        bound = number_of(few - 1);
        put(&less, "type", &type);
        put(&less, "contains", schema);
        put(&less, "minContains", &zero);
        put(&less, "maxContains", &bound);
        if (from) put(&less, SCHEMA_FROM, from);
        TRY(add_made(j->d, &j->l, &less, f));
    }
    if (!most || most->kind != JSON_NUMBER) return E_OK;
    bound = number_of(most->number + 1);
    put(&more, "type", &type);
    put(&more, "contains", schema);
    put(&more, "minContains", &bound);
    return add_made(j->d, &j->l, &more, f);
}

static err deny_dependent(denial *j, str name, const json *v, fail *f) {
    json there, other, one;
    TRY(with_member(j->d, name, &yes, true, &there, f));
    if (v->kind != JSON_ARRAY) {
        TRY(opposite(j->d, v, &other, f));
        TRY(both(j->d, &there, &other, &one, f));
        return add(j->d, &j->l, &one, f);
    }
    for (size_t i = 0; i < v->count; i++) {
        TRY(with_member(j->d, v->items[i].string, NULL, true, &other, f));
        TRY(both(j->d, &there, &other, &one, f));
        TRY(add(j->d, &j->l, &one, f));
    }
    return E_OK;
}

/* {"type": "object", SCHEMA_SOME: what} */
static err deny_members(denial *j, const made *what, fail *f) {
    json of, type = text_of("object");
    made o = {0};
    TRY(done(j->d, what, &of, f));
    put(&o, SCHEMA_DERIVED, &yes);
    put(&o, "type", &type);
    put(&o, SCHEMA_SOME, &of);
    return add_made(j->d, &j->l, &o, f);
}

static err deny_further(denial *j, const char *word, const json *v, fail *f) {
    const json *names = json_get(j->s, "properties"), *list = json_get(j->s, "patternProperties");
    made what = {0};
    if (schema_says_nothing(v)) return E_OK;
    if (!strncmp(word, "unevaluated", 11)) {
        schema_refuse(word, j->s, f);
        return fail_hint(f, "its opposite cannot be held by a grammar");
    }
    bool keys = !strcmp(word, "propertyNames"); /* `word` itself does not last */
    if (names && !keys) put(&what, "properties", names);
    if (list && !keys) put(&what, "patternProperties", list);
    put(&what, keys ? "propertyNames" : "additionalProperties", v);
    return deny_members(j, &what, f);
}

static err deny_patterns(denial *j, const json *v, fail *f) {
    for (size_t i = 0; v->kind == JSON_OBJECT && i < v->count; i++) {
        json pattern = {.kind = JSON_STRING, .string = v->members[i].key};
        made what = {0};
        if (schema_says_nothing(&v->members[i].value)) continue;
        put(&what, "pattern", &pattern);
        put(&what, "value", &v->members[i].value);
        TRY(deny_members(j, &what, f));
    }
    return E_OK;
}

/* ---- one schema ---- */

/* Words whose opposite is the other word with a bound next to it. */
static const struct {
    const char *word, *type, *other;
    int step;
} counts[] = {{"minLength", "string", "maxLength", -1},
              {"maxLength", "string", "minLength", 1},
              {"minItems", "array", "maxItems", -1},
              {"maxItems", "array", "minItems", 1},
              {"minProperties", "object", "maxProperties", -1},
              {"maxProperties", "object", "minProperties", 1}};
/* Words whose opposite is another word with the same value. */
static const struct {
    const char *word, *type, *other;
} swaps[] = {
    {"minimum", "number", "exclusiveMaximum"},     {"maximum", "number", "exclusiveMinimum"},
    {"exclusiveMinimum", "number", "maximum"},     {"exclusiveMaximum", "number", "minimum"},
    {"multipleOf", "number", SCHEMA_NOT_MULTIPLE}, {"pattern", "string", SCHEMA_NOT_PATTERN},
    {SCHEMA_NOT_MULTIPLE, "number", "multipleOf"}, {SCHEMA_NOT_PATTERN, "string", "pattern"}};

static err deny_bounds(denial *j, const char *word, const json *v, fail *f) {
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (!strcmp(word, counts[i].word) && v->kind == JSON_NUMBER)
            return deny_count(j, counts[i].type, counts[i].other, v->number + counts[i].step, f);
    for (size_t i = 0; i < sizeof swaps / sizeof *swaps; i++)
        if (!strcmp(word, swaps[i].word)) return typed(j, swaps[i].type, swaps[i].other, v, f);
    return E_OK;
}

static err deny_choice(denial *j, const char *word, const json *v, fail *f) {
    json one;
    if (v->kind != JSON_ARRAY) return fail_set(f, E_INPUT, "\"%s\" must be a list", word);
    if (!strcmp(word, "oneOf")) return deny_one_of(j, v, f);
    TRY(opposites(j->d, v, !strcmp(word, "anyOf") ? "allOf" : "anyOf", &one, f));
    return add(j->d, &j->l, &one, f);
}

static err deny_dependents(denial *j, const json *v, fail *f) {
    for (size_t i = 0; v->kind == JSON_OBJECT && i < v->count; i++)
        TRY(deny_dependent(j, v->members[i].key, &v->members[i].value, f));
    return E_OK;
}

static err deny_ref(denial *j, const char *word, fail *f) {
    const json *target;
    json one;
    TRY(schema_follow(j->d, j->s, word, &target, f));
    TRY(opposite(j->d, target, &one, f));
    return add(j->d, &j->l, &one, f);
}

/* NULL-ended lists of words that are dealt with alike */
static bool among(const char *word, const char *const *list) {
    for (; *list; list++)
        if (!strcmp(word, *list)) return true;
    return false;
}

static err deny_word(denial *j, const char *word, const json *v, fail *f) {
    static const char *const choices[] = {"anyOf", "oneOf", "allOf", NULL},
                             *const dependents[] = {"dependentRequired", "dependentSchemas",
                                                    "dependencies", NULL},
                             *const further[] = {"additionalProperties", "propertyNames",
                                                 "unevaluatedItems", "unevaluatedProperties", NULL},
                             *const never[] = {"patternProperties", "uniqueItems",  "$recursiveRef",
                                               SCHEMA_FRACTION,     SCHEMA_NONE_OF, NULL};
    if (!strcmp(word, "type")) return deny_type(j, v, f);
    if (!strcmp(word, "const")) return deny_values(j, v, 1, f);
    if (!strcmp(word, "enum"))
        return deny_values(j, v->items, v->kind == JSON_ARRAY ? v->count : 0, f);
    if (!strcmp(word, "not")) return add(j->d, &j->l, v, f);
    if (!strcmp(word, "if")) return deny_if(j, v, f);
    if (!strcmp(word, "required")) return deny_required(j, v, f);
    if (!strcmp(word, "properties")) return deny_properties(j, v, f);
    if (!strcmp(word, "contains")) return deny_contains(j, v, f);
    if (!strcmp(word, "$ref") || !strcmp(word, "$dynamicRef")) return deny_ref(j, word, f);
    if (among(word, choices)) return deny_choice(j, word, v, f);
    if (among(word, dependents)) return deny_dependents(j, v, f);
    if (among(word, further)) return deny_further(j, word, v, f);
    if (!strcmp(word, "patternProperties")) return deny_patterns(j, v, f);
    if (among(word, never) && !(v->kind == JSON_BOOL && !v->boolean)) {
        schema_refuse(word, j->s, f);
        return fail_hint(f, "its opposite cannot be held by a grammar");
    }
    return deny_bounds(j, word, v, f);
}

bool schema_says_nothing(const json *s) {
    return s->kind == JSON_BOOL ? s->boolean : s->kind == JSON_OBJECT && s->count == 0;
}

/* What was made of `from` for the word is made once, so that schemas that refer to themselves end.
 * Known by what copies share. */
typedef struct made_key {
    const void *from;
    size_t word;
} made_key;
enum { MADE_OPPOSITE, MADE_IF, MADE_DEPENDENT, MADE_ONE_OF };

static const json *known(const schema_doc *d, const made_key *k) {
    return map_get_ptr(d->made, (str){(const char *)k, sizeof *k});
}

static err keep(const schema_doc *d, const made_key *k, const json *v, const json **out, fail *f) {
    json *kept = arena_new(d->a, json);
    if (!kept) return fail_memory(f, "a grammar");
    *kept = *v;
    *out = kept;
    return map_put_ptr(d->made, (str){(const char *)k, sizeof *k}, kept, f);
}

static err deny_words(denial *j, fail *f) {
    char word[64];
    const json *s = j->s;
    bool alone = j->d->draft7 && json_get(s, "$ref"), items = false;
    for (size_t i = 0; i < s->count; i++) {
        str key = s->members[i].key;
        if (key.n >= sizeof word || (alone && !str_eq(key, STR("$ref")))) continue;
        memcpy(word, key.p, key.n);
        word[key.n] = 0;
        items = items || !strcmp(word, "items") || !strcmp(word, "prefixItems");
        TRY(deny_word(j, word, &s->members[i].value, f));
    }
    return items ? deny_items(j, f) : E_OK;
}

err schema_negate(const schema_doc *d, const json *s, const json **out, fail *f) {
    denial j = {.d = d, .s = s};
    made_key key = {s->members, MADE_OPPOSITE};
    json any, one = no;
    if (s->kind == JSON_BOOL || (s->kind == JSON_OBJECT && !s->count)) {
        *out = schema_says_nothing(s) ? &no : &yes;
        return E_OK;
    }
    if (s->kind != JSON_OBJECT) return fail_set(f, E_INPUT, "\"not\" must be a schema");
    if ((*out = known(d, &key))) return E_OK;
    TRY(deny_words(&j, f));
    any = list_of(&j.l);
    if (j.l.n) TRY(single(d, "anyOf", &any, &one, f));
    return keep(d, &key, &one, out, f);
}

/* ---- alternatives ---- */

err schema_if(const schema_doc *d, const json *s, const json **out, fail *f) {
    const json *condition = json_get(s, "if"), *then = json_get(s, "then"),
               *other = json_get(s, "else");
    made_key key = {s->members, MADE_IF};
    json holds = *condition, fails, list;
    made_list l = {0};
    if ((*out = known(d, &key))) return E_OK;
    TRY(opposite(d, condition, &fails, f));
    if (then) TRY(both(d, condition, then, &holds, f));
    if (other) {
        json not_so = fails;
        TRY(both(d, &not_so, other, &fails, f));
    }
    TRY(add(d, &l, &holds, f));
    TRY(add(d, &l, &fails, f));
    list = list_of(&l);
    return keep(d, &key, &list, out, f);
}

err schema_dependent(const schema_doc *d, str name, const json *v, const json **out, fail *f) {
    made_key key = {v, MADE_DEPENDENT};
    json absent, there, one, list, rest = *v;
    made_list l = {0};
    if ((*out = known(d, &key))) return E_OK;
    TRY(with_member(d, name, NULL, false, &absent, f));
    TRY(with_member(d, name, &yes, true, &there, f)); /* what is no object depends on nothing */
    if (v->kind == JSON_ARRAY) TRY(single(d, "required", v, &rest, f));
    TRY(both(d, &there, &rest, &one, f));
    TRY(add(d, &l, &absent, f));
    TRY(add(d, &l, &one, f));
    list = list_of(&l);
    return keep(d, &key, &list, out, f);
}

/* One alternative and none of those that may hold at once with it. */
static err only(const schema_doc *d, const json *list, size_t i, uint64_t apart, json *out,
                fail *f) {
    made_list all = {0};
    json one;
    TRY(add(d, &all, &list->items[i], f));
    for (size_t k = 0; k < list->count; k++) {
        if (k == i || apart >> k & 1) continue;
        TRY(opposite(d, &list->items[k], &one, f));
        TRY(add(d, &all, &one, f));
    }
    json word = list_of(&all);
    return single(d, "allOf", &word, out, f);
}

err schema_exactly_one(const schema_doc *d, const json *list, const uint64_t *apart,
                       const json **out, fail *f) {
    made_key key = {list->items, MADE_ONE_OF};
    made_list l = {0};
    if ((*out = known(d, &key))) return E_OK;
    for (size_t i = 0; i < list->count; i++) {
        json one;
        TRY(only(d, list, i, apart[i], &one, f));
        TRY(add(d, &l, &one, f));
    }
    json all = list_of(&l);
    return keep(d, &key, &all, out, f);
}
