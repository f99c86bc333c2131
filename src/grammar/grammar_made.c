/* grammar_made.c - see grammar_made.h. */
#include "grammar/grammar_made.h"

#include <string.h>

const json made_yes = {.kind = JSON_BOOL, .boolean = true}, made_no = {.kind = JSON_BOOL};

void made_put(made *o, const char *key, const json *value) {
    CHECK(o->n < MADE_MEMBERS);
    o->m[o->n++] = (json_member){.key = str_from(key), .value = *value};
}

err made_done(const schema_doc *d, const made *o, json *out, fail *f) {
    json_member *m = arena_new_n(d->a, json_member, o->n);
    if (!m) return fail_memory(f, "a grammar");
    memcpy(m, o->m, o->n * sizeof *m);
    *out = (json){.kind = JSON_OBJECT, .count = o->n, .members = m};
    return E_OK;
}

err made_add(const schema_doc *d, made_list *l, const json *item, fail *f) {
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

json made_list_json(const made_list *l) {
    return (json){.kind = JSON_ARRAY, .count = l->n, .items = l->items};
}

err made_add_object(const schema_doc *d, made_list *l, const made *o, fail *f) {
    json v;
    TRY(made_done(d, o, &v, f));
    return made_add(d, l, &v, f);
}

json made_number(double n) {
    return (json){.kind = JSON_NUMBER, .number = n};
}
json made_text(const char *z) {
    return (json){.kind = JSON_STRING, .string = str_from(z)};
}

err made_single(const schema_doc *d, const char *word, const json *value, json *out, fail *f) {
    made o = {0};
    made_put(&o, word, value);
    return made_done(d, &o, out, f);
}

err made_opposite(const schema_doc *d, const json *s, json *out, fail *f) {
    if (s->kind == JSON_BOOL) {
        *out = s->boolean ? made_no : made_yes;
        return E_OK;
    }
    return made_single(d, "not", s, out, f);
}

err made_property(const schema_doc *d, str name, const json *schema, json *out, fail *f) {
    json_member *m = arena_new(d->a, json_member);
    if (!m) return fail_memory(f, "a grammar");
    *m = (json_member){.key = name, .value = *schema};
    *out = (json){.kind = JSON_OBJECT, .count = 1, .members = m};
    return E_OK;
}

err made_member(const schema_doc *d, str name, const json *schema, bool objects, json *out,
                fail *f) {
    made o = {0};
    json properties, object = made_text("object"), key = {.kind = JSON_STRING, .string = name};
    made_list required = {0};
    made_put(&o, SCHEMA_DERIVED, &made_yes);
    if (objects) made_put(&o, "type", &object);
    if (schema) {
        TRY(made_add(d, &required, &key, f));
        json list = made_list_json(&required);
        made_put(&o, "required", &list);
        if (schema == &made_yes) return made_done(d, &o, out, f); /* nothing is said about it */
    }
    TRY(made_property(d, name, schema ? schema : &made_no, &properties, f));
    made_put(&o, "properties", &properties);
    return made_done(d, &o, out, f);
}

err made_both(const schema_doc *d, const json *x, const json *y, json *out, fail *f) {
    made_list l = {0};
    TRY(made_add(d, &l, x, f));
    TRY(made_add(d, &l, y, f));
    json list = made_list_json(&l);
    return made_single(d, "allOf", &list, out, f);
}

const json *made_known(const schema_doc *d, const made_key *k) {
    return map_get_ptr(d->made, (str){(const char *)k, sizeof *k});
}

err made_keep(const schema_doc *d, const made_key *k, const json *v, const json **out, fail *f) {
    json *kept = arena_new(d->a, json);
    if (!kept) return fail_memory(f, "a grammar");
    *kept = *v;
    *out = kept;
    return map_put_ptr(d->made, (str){(const char *)k, sizeof *k}, kept, f);
}
