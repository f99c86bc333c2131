/* token_json_read.c - what all parts of a tokenizer.json are read with; see token_json_int.h. */
#include "token/token_json_int.h"

enum { SEQUENCE_MAX = 4 };

bool token_json_is_null(const json *v) {
    return !v || v->kind == JSON_NULL;
}
str token_json_type(const json *v) {
    const json *type = json_get(v, "type");
    return type && type->kind == JSON_STRING ? type->string : STR("");
}
err token_json_refuse(const char *component, const json *v, fail *f) {
    str type = str_slice(token_json_type(v), 0, TOKEN_JSON_SHOWN);
    fail_set(f, E_UNSUPPORTED,
             "tokenizer.json has the %s \"%.*s\" (or an option of it) that is not supported",
             component, STR_ARG(type));
    return fail_hint(f, "docs/LIMITS.md lists what can be read");
}
err token_json_require(const json *v, const char *key, bool usual, bool wanted,
                       const char *component, fail *f) {
    bool is;
    TRY(json_get_bool(v, key, usual, &is, f));
    return is == wanted ? E_OK : token_json_refuse(component, v, f);
}

static err each_within(json_reader *r, const json *v, const char *key, token_json_read *read,
                       int depth, fail *f) {
    if (token_json_is_null(v)) return E_OK;
    if (!str_is(token_json_type(v), "Sequence")) return read(r, v, f);
    const json *list = json_get(v, key);
    if (depth == SEQUENCE_MAX) return token_json_refuse("too deep", v, f);
    for (size_t i = 0; list && i < list->count; i++)
        TRY(each_within(r, json_at(list, i), key, read, depth + 1, f));
    return E_OK;
}
err token_json_each(json_reader *r, const json *v, const char *key, token_json_read *read,
                    fail *f) {
    return each_within(r, v, key, read, 0, f);
}
