/* grammar_derive.c - the alternatives in which if, dependentSchemas and oneOf hold; see
 * grammar_schema.h.
 *
 * A derived schema is JSON (grammar_made.h) of the words that a schema has and a few of our own.
 * These begin with a byte that is no UTF-8, so no schema from outside has them. */
#include "grammar/grammar_made.h"

bool schema_says_nothing(const json *s) {
    return s->kind == JSON_BOOL ? s->boolean : s->kind == JSON_OBJECT && s->count == 0;
}

err schema_if(const schema_doc *d, const json *s, const json **out, fail *f) {
    const json *condition = json_get(s, "if"), *then = json_get(s, "then"),
               *other = json_get(s, "else");
    made_key key = {s->members, MADE_IF};
    json holds = *condition, fails, list;
    made_list l = {0};
    if ((*out = made_known(d, &key))) return E_OK;
    TRY(made_opposite(d, condition, &fails, f));
    if (then) TRY(made_both(d, condition, then, &holds, f));
    if (other) {
        json not_so = fails;
        TRY(made_both(d, &not_so, other, &fails, f));
    }
    TRY(made_add(d, &l, &holds, f));
    TRY(made_add(d, &l, &fails, f));
    list = made_list_json(&l);
    return made_keep(d, &key, &list, out, f);
}

err schema_dependent(const schema_doc *d, str name, const json *v, const json **out, fail *f) {
    made_key key = {v, MADE_DEPENDENT};
    json absent, there, one, list, rest = *v;
    made_list l = {0};
    if ((*out = made_known(d, &key))) return E_OK;
    TRY(made_member(d, name, NULL, false, &absent, f));
    TRY(made_member(d, name, &made_yes, true, &there,
                    f)); /* what is no object depends on nothing */
    if (v->kind == JSON_ARRAY) TRY(made_single(d, "required", v, &rest, f));
    TRY(made_both(d, &there, &rest, &one, f));
    TRY(made_add(d, &l, &absent, f));
    TRY(made_add(d, &l, &one, f));
    list = made_list_json(&l);
    return made_keep(d, &key, &list, out, f);
}

/* One alternative and none of those that may hold at once with it. */
static err only(const schema_doc *d, const json *list, size_t i, uint64_t apart, json *out,
                fail *f) {
    made_list all = {0};
    json one;
    TRY(made_add(d, &all, &list->items[i], f));
    for (size_t k = 0; k < list->count; k++) {
        if (k == i || apart >> k & 1) continue;
        TRY(made_opposite(d, &list->items[k], &one, f));
        TRY(made_add(d, &all, &one, f));
    }
    json word = made_list_json(&all);
    return made_single(d, "allOf", &word, out, f);
}

err schema_exactly_one(const schema_doc *d, const json *list, const uint64_t *apart,
                       const json **out, fail *f) {
    made_key key = {list->items, MADE_ONE_OF};
    made_list l = {0};
    if ((*out = made_known(d, &key))) return E_OK;
    for (size_t i = 0; i < list->count; i++) {
        json one;
        TRY(only(d, list, i, apart[i], &one, f));
        TRY(made_add(d, &l, &one, f));
    }
    json all = made_list_json(&l);
    return made_keep(d, &key, &all, out, f);
}
