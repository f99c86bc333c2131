/* api_field.c - see api_field.h. */
#include "api/api_field.h"

#include <stdio.h>

bool api_is_empty(const json *v) {
    if (!v) return true;
    switch (v->kind) {
    case JSON_NULL: return true;
    case JSON_BOOL: return !v->boolean;
    case JSON_NUMBER: return !(v->number < 0 || v->number > 0);
    case JSON_STRING: return v->string.n == 0;
    default: return v->count == 0;
    }
}

const char *api_place(api_call *c, const char *fmt, ...) {
    char text[192];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    const char *z = arena_z(c->a, str_from(text));
    return z ? z : "";
}

str api_text_of(const json *v, const char *key) {
    const json *x = json_get(v, key);
    return x && x->kind == JSON_STRING ? x->string : STR("");
}

err api_json_text(api_call *c, const json *v, str *out, fail *f) {
    buf b = {0};
    json_writer w = {.out = &b};
    json_put_value(&w, v);
    err e = buf_ok(&b, f);
    str text = e == E_OK ? arena_str(c->a, buf_str(&b)) : STR_NONE;
    buf_deinit(&b);
    if (e != E_OK) return e;
    if (!text.p) return fail_memory(f, "a value");
    *out = text;
    return E_OK;
}

void api_put_json_text(api_call *c, json_writer *w, str text) {
    const json *v;
    if (json_parse(c->a, text.n ? text : STR("{}"), &v, NULL) == E_OK)
        json_put_value(w, v);
    else
        json_put_str(w, text);
}

static bool is_word(const json *v, const char *word) {
    double number;
    switch (v->kind) {
    case JSON_NULL: return true;
    case JSON_BOOL:
        return str_is(STR("true"), word) ? v->boolean : !v->boolean && str_is(STR("false"), word);
    case JSON_NUMBER:
        return str_to_double(str_from(word), &number) && !(v->number < number) &&
               !(v->number > number);
    case JSON_STRING: return str_is(v->string, word);
    default: return false;
    }
}

static err check_field(api_call *c, const json_member *m, const char *where, const api_field *row,
                       fail *f) {
    const char *name = api_place(c, "%s%.*s", where, STR_ARG(str_slice(m->key, 0, 64)));
    if (!row) return api_refuse(c, f, name, "the field \"%s\" is not known here", name);
    if (row->rule == API_FIELD_EMPTY && !api_is_empty(&m->value))
        return api_refuse(c, f, name, "%s is not supported", name);
    if (row->rule == API_FIELD_WORD && !is_word(&m->value, row->word))
        return api_refuse(c, f, name, "%s is not supported, except as %s", name, row->word);
    return E_OK;
}

err api_check_fields(api_call *c, const json *v, const char *where, const api_field *rows, size_t n,
                     fail *f) {
    for (size_t i = 0; i < v->count; i++) {
        const api_field *row = NULL;
        for (size_t k = 0; k < n && !row; k++)
            if (str_is(v->members[i].key, rows[k].name)) row = &rows[k];
        TRY(check_field(c, &v->members[i], where, row, f));
    }
    return E_OK;
}

err api_check_names(api_call *c, const char *const *names, fail *f) {
    for (size_t i = 0; i < c->body->count; i++) {
        size_t k = 0;
        while (names[k] && !str_is(c->body->members[i].key, names[k])) k++;
        if (!names[k]) TRY(check_field(c, &c->body->members[i], "", NULL, f));
    }
    return E_OK;
}

err api_get_object(api_call *c, const char *key, const api_field *rows, size_t n, const json **out,
                   fail *f) {
    const json *v = json_get(c->body, key);
    *out = NULL;
    if (!v || v->kind == JSON_NULL) return E_OK;
    if (v->kind != JSON_OBJECT) return api_refuse(c, f, key, "%s must be an object", key);
    *out = v;
    return api_check_fields(c, v, api_place(c, "%s.", key), rows, n, f);
}

err api_read_ids(api_call *c, const json *v, const char *param, gen_ids *out, fail *f) {
    if (v->kind != JSON_ARRAY)
        return api_refuse(c, f, param, "%s must be an array of token ids", param);
    int32_t *ids = arena_new_n(c->a, int32_t, v->count + 1);
    if (!ids) return fail_memory(f, "tokens");
    for (size_t i = 0; i < v->count; i++) {
        const json *id = &v->items[i];
        if (id->kind != JSON_NUMBER || !id->is_int || id->integer < 0 || id->integer > INT32_MAX)
            return api_refuse(c, f, param, "%s: item %zu of the tokens is no token id", param, i);
        ids[i] = (int32_t)id->integer;
    }
    *out = (gen_ids){ids, v->count};
    return E_OK;
}

void api_think_variables(json_member *m, bool on) {
    const json v = {.kind = JSON_BOOL, .boolean = on};
    m[0] = (json_member){STR("enable_thinking"), v};
    m[1] = (json_member){STR("thinking"), v}; /* DeepSeek's */
}
