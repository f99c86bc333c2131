/* grammar_negate.c - the opposite of a schema, word by word: a value that it refuses satisfies one
 * of the alternatives that are made here. What a grammar cannot say the opposite of is refused by
 * its word. See grammar_schema.h. */
#include "grammar/grammar_made.h"

#include <string.h>

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
        json name = made_text(type_name((json_kind)k));
        if (!(kinds & 1 << k)) TRY(made_add(j->d, &left, &name, f));
    }
    json list = made_list_json(&left), number = made_text("number");
    made_put(&o, "type", &list);
    if (left.n) TRY(made_add_object(j->d, &j->l, &o, f));
    if (!(kinds & 1 << JSON_NUMBER) || !whole) return E_OK;
    made_put(&part, "type", &number);
    made_put(&part, SCHEMA_FRACTION, &made_yes);
    return made_add_object(j->d, &j->l, &part, f);
}

/* {"type": type, word: value} */
static err typed(denial *j, const char *type, const char *word, const json *value, fail *f) {
    made o = {0};
    json name = made_text(type);
    made_put(&o, "type", &name);
    made_put(&o, word, value);
    return made_add_object(j->d, &j->l, &o, f);
}

/* Counts: less than the least, or more than the most. */
static err deny_count(denial *j, const char *type, const char *other, double bound, fail *f) {
    json n = made_number(bound);
    return bound < 0 ? E_OK : typed(j, type, other, &n, f);
}

static err not_equal(const schema_doc *d, const json *v, json *out, fail *f);

static err unequal_array(denial *j, const json *v, fail *f) {
    TRY(deny_count(j, "array", "maxItems", (double)v->count - 1, f));
    TRY(deny_count(j, "array", "minItems", (double)v->count + 1, f));
    for (size_t i = 0; i < v->count; i++) {
        made_list prefix = {0};
        json item, least = made_number((double)i + 1), type = made_text("array");
        made o = {0};
        for (size_t k = 0; k < i; k++) TRY(made_add(j->d, &prefix, &made_yes, f));
        TRY(not_equal(j->d, &v->items[i], &item, f));
        TRY(made_add(j->d, &prefix, &item, f));
        json list = made_list_json(&prefix);
        made_put(&o, "type", &type);
        made_put(&o, "minItems", &least);
        made_put(&o, j->d->draft7 ? "items" : "prefixItems", &list);
        TRY(made_add_object(j->d, &j->l, &o, f));
    }
    return E_OK;
}

static err unequal_object(denial *j, const json *v, fail *f) {
    TRY(deny_count(j, "object", "maxProperties", (double)v->count - 1, f));
    TRY(deny_count(j, "object", "minProperties", (double)v->count + 1, f));
    for (size_t i = 0; i < v->count; i++) {
        json value, absent, other;
        TRY(not_equal(j->d, &v->members[i].value, &value, f));
        TRY(made_member(j->d, v->members[i].key, NULL, true, &absent, f));
        TRY(made_member(j->d, v->members[i].key, &value, true, &other, f));
        TRY(made_add(j->d, &j->l, &absent, f));
        TRY(made_add(j->d, &j->l, &other, f));
    }
    return E_OK;
}

/* All values but those of `list`, which are of one kind; containers only one at a time. */
static err none_of(const schema_doc *d, json_kind kind, const made_list *list, json *out, fail *f) {
    denial j = {.d = d};
    json type = made_text(type_name(kind)), values = made_list_json(list);
    const json *v = &list->items[0];
    TRY(deny_type(&j, &type, f));
    switch (kind) {
    case JSON_NULL: break;
    case JSON_BOOL:
        values = v->boolean ? made_no : made_yes;
        if (list->n == 1) TRY(typed(&j, "boolean", "const", &values, f));
        break;
    case JSON_NUMBER: TRY(typed(&j, "number", SCHEMA_NONE_OF, &values, f)); break;
    case JSON_STRING: TRY(typed(&j, "string", SCHEMA_NONE_OF, &values, f)); break;
    case JSON_ARRAY: TRY(unequal_array(&j, v, f)); break;
    case JSON_OBJECT: TRY(unequal_object(&j, v, f)); break;
    }
    json any = made_list_json(&j.l);
    return made_single(d, "anyOf", &any, out, f);
}

static err not_equal(const schema_doc *d, const json *v, json *out, fail *f) {
    made_list one = {0};
    TRY(made_add(d, &one, v, f));
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
            if (values[i].kind == (json_kind)kind) TRY(made_add(j->d, &same, &values[i], f));
        if (kind == JSON_BOOL) drop_equal(&same);
        if (!same.n) continue;
        TRY(none_of(j->d, (json_kind)kind, &same, &other, f));
        TRY(made_add(j->d, &all, &other, f));
    }
    for (size_t i = 0; i < n; i++) {
        if (values[i].kind < JSON_ARRAY) continue;
        TRY(not_equal(j->d, &values[i], &other, f));
        TRY(made_add(j->d, &all, &other, f));
    }
    if (!all.n) return made_add(j->d, &j->l, &made_yes, f);
    json list = made_list_json(&all);
    TRY(made_single(j->d, "allOf", &list, &one, f));
    return made_add(j->d, &j->l, &one, f);
}

/* ---- words that hold schemas ---- */

/* The opposite of each, all of them or any. */
static err opposites(const schema_doc *d, const json *list, const char *word, json *out, fail *f) {
    made_list all = {0};
    for (size_t i = 0; i < list->count; i++) {
        json one;
        TRY(made_opposite(d, &list->items[i], &one, f));
        TRY(made_add(d, &all, &one, f));
    }
    json made_of = made_list_json(&all);
    return made_single(d, word, &made_of, out, f);
}

static err deny_one_of(denial *j, const json *list, fail *f) {
    json none;
    TRY(opposites(j->d, list, "allOf", &none, f));
    TRY(made_add(j->d, &j->l, &none, f));
    for (size_t i = 0; i < list->count; i++)
        for (size_t k = 0; k < i; k++) {
            json pair;
            TRY(made_both(j->d, &list->items[i], &list->items[k], &pair, f));
            TRY(made_add(j->d, &j->l, &pair, f));
        }
    return E_OK;
}

static err deny_if(denial *j, const json *condition, fail *f) {
    static const char *const words[] = {"then", "else"};
    for (int i = 0; i < 2; i++) {
        const json *branch = json_get(j->s, words[i]);
        json premise = *condition, other, one;
        if (!branch) continue;
        if (i) TRY(made_opposite(j->d, condition, &premise, f));
        TRY(made_opposite(j->d, branch, &other, f));
        TRY(made_both(j->d, &premise, &other, &one, f));
        TRY(made_add(j->d, &j->l, &one, f));
    }
    return E_OK;
}

static err deny_required(denial *j, const json *list, fail *f) {
    for (size_t i = 0; list->kind == JSON_ARRAY && i < list->count; i++) {
        json one;
        TRY(made_member(j->d, list->items[i].string, NULL, true, &one, f));
        TRY(made_add(j->d, &j->l, &one, f));
    }
    return E_OK;
}

static err deny_properties(denial *j, const json *v, fail *f) {
    for (size_t i = 0; v->kind == JSON_OBJECT && i < v->count; i++) {
        json other, one;
        if (schema_says_nothing(&v->members[i].value)) continue;
        TRY(made_opposite(j->d, &v->members[i].value, &other, f));
        TRY(made_member(j->d, v->members[i].key, &other, true, &one, f));
        TRY(made_add(j->d, &j->l, &one, f));
    }
    return E_OK;
}

static err deny_prefix(denial *j, const json *list, fail *f) {
    for (size_t i = 0; i < list->count; i++) {
        made_list prefix = {0};
        made o = {0};
        json other, least = made_number((double)i + 1), type = made_text("array");
        if (schema_says_nothing(&list->items[i])) continue;
        for (size_t k = 0; k < i; k++) TRY(made_add(j->d, &prefix, &made_yes, f));
        TRY(made_opposite(j->d, &list->items[i], &other, f));
        TRY(made_add(j->d, &prefix, &other, f));
        json made_of = made_list_json(&prefix);
        made_put(&o, "type", &type);
        made_put(&o, "minItems", &least);
        made_put(&o, j->d->draft7 ? "items" : "prefixItems", &made_of);
        TRY(made_add_object(j->d, &j->l, &o, f));
    }
    return E_OK;
}

/* Some item from `from` on is not as `schema` says. */
static err deny_rest(denial *j, const json *schema, size_t from, fail *f) {
    json other, begin = made_number((double)from), type = made_text("array");
    made o = {0};
    if (schema_says_nothing(schema)) return E_OK;
    TRY(made_opposite(j->d, schema, &other, f));
    made_put(&o, "type", &type);
    made_put(&o, "contains", &other);
    made_put(&o, SCHEMA_FROM, &begin);
    return made_add_object(j->d, &j->l, &o, f);
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
    json type = made_text("array"), zero = made_number(0), bound;
    made less = {0}, more = {0};
    if (few > 0) {
        bound = made_number(few - 1);
        made_put(&less, "type", &type);
        made_put(&less, "contains", schema);
        made_put(&less, "minContains", &zero);
        made_put(&less, "maxContains", &bound);
        if (from) made_put(&less, SCHEMA_FROM, from);
        TRY(made_add_object(j->d, &j->l, &less, f));
    }
    if (!most || most->kind != JSON_NUMBER) return E_OK;
    bound = made_number(most->number + 1);
    made_put(&more, "type", &type);
    made_put(&more, "contains", schema);
    made_put(&more, "minContains", &bound);
    return made_add_object(j->d, &j->l, &more, f);
}

static err deny_dependent(denial *j, str name, const json *v, fail *f) {
    json there, other, one;
    TRY(made_member(j->d, name, &made_yes, true, &there, f));
    if (v->kind != JSON_ARRAY) {
        TRY(made_opposite(j->d, v, &other, f));
        TRY(made_both(j->d, &there, &other, &one, f));
        return made_add(j->d, &j->l, &one, f);
    }
    for (size_t i = 0; i < v->count; i++) {
        TRY(made_member(j->d, v->items[i].string, NULL, true, &other, f));
        TRY(made_both(j->d, &there, &other, &one, f));
        TRY(made_add(j->d, &j->l, &one, f));
    }
    return E_OK;
}

/* {"type": "object", SCHEMA_SOME: what} */
static err deny_members(denial *j, const made *what, fail *f) {
    json of, type = made_text("object");
    made o = {0};
    TRY(made_done(j->d, what, &of, f));
    made_put(&o, SCHEMA_DERIVED, &made_yes);
    made_put(&o, "type", &type);
    made_put(&o, SCHEMA_SOME, &of);
    return made_add_object(j->d, &j->l, &o, f);
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
    if (names && !keys) made_put(&what, "properties", names);
    if (list && !keys) made_put(&what, "patternProperties", list);
    made_put(&what, keys ? "propertyNames" : "additionalProperties", v);
    return deny_members(j, &what, f);
}

static err deny_patterns(denial *j, const json *v, fail *f) {
    for (size_t i = 0; v->kind == JSON_OBJECT && i < v->count; i++) {
        json pattern = {.kind = JSON_STRING, .string = v->members[i].key};
        made what = {0};
        if (schema_says_nothing(&v->members[i].value)) continue;
        made_put(&what, "pattern", &pattern);
        made_put(&what, "value", &v->members[i].value);
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
    return made_add(j->d, &j->l, &one, f);
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
    TRY(made_opposite(j->d, target, &one, f));
    return made_add(j->d, &j->l, &one, f);
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
    if (!strcmp(word, "not")) return made_add(j->d, &j->l, v, f);
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
    json any, one = made_no;
    if (s->kind == JSON_BOOL || (s->kind == JSON_OBJECT && !s->count)) {
        *out = schema_says_nothing(s) ? &made_no : &made_yes;
        return E_OK;
    }
    if (s->kind != JSON_OBJECT) return fail_set(f, E_INPUT, "\"not\" must be a schema");
    if ((*out = made_known(d, &key))) return E_OK;
    TRY(deny_words(&j, f));
    any = made_list_json(&j.l);
    if (j.l.n) TRY(made_single(d, "anyOf", &any, &one, f));
    return made_keep(d, &key, &one, out, f);
}
