/* json.c - reading what has been parsed; see json.h. Pure functions over immutable values. Not
 * here: parsing (json_parse.c), writing (json_write.c). */
#include "text/json.h"

#include <math.h>

const char *json_kind_name(json_kind k) {
    static const char *const names[] = {"null",     "a boolean", "a number",
                                        "a string", "an array",  "an object"};
    return names[k];
}

const json *json_get(const json *v, const char *key) {
    if (!v || v->kind != JSON_OBJECT) return NULL;
    str k = str_from(key);
    for (size_t i = 0; i < v->count; i++)
        if (str_eq(v->members[i].key, k)) return &v->members[i].value;
    return NULL;
}

const json *json_at(const json *v, size_t index) {
    return v && v->kind == JSON_ARRAY && index < v->count ? &v->items[index] : NULL;
}

static err wrong_kind(const char *key, const char *wanted, const json *got, fail *f) {
    return fail_set(f, E_INPUT, "\"%s\" must be %s, not %s", key, wanted,
                    json_kind_name(got->kind));
}

err json_get_str(const json *v, const char *key, str fallback, str *out, fail *f) {
    const json *got = json_get(v, key);
    if (got && got->kind != JSON_NULL && got->kind != JSON_STRING)
        return wrong_kind(key, "a string", got, f);
    *out = got && got->kind == JSON_STRING ? got->string : fallback;
    return E_OK;
}

err json_get_int(const json *v, const char *key, int64_t fallback, int64_t min, int64_t max,
                 int64_t *out, fail *f) {
    const json *got = json_get(v, key);
    if (!got || got->kind == JSON_NULL) {
        *out = fallback;
        return E_OK;
    }
    if (got->kind != JSON_NUMBER) return wrong_kind(key, "a whole number", got, f);
    bool whole = got->is_int || (got->number == trunc(got->number) && fabs(got->number) < 9e15);
    int64_t value = got->is_int ? got->integer : whole ? (int64_t)got->number : 0;
    if (!whole || value < min || value > max)
        return fail_set(f, E_INPUT, "\"%s\" must be a whole number from %lld to %lld, not %.*s",
                        key, (long long)min, (long long)max,
                        STR_ARG(str_slice(got->string, 0, 40)));
    *out = value;
    return E_OK;
}

err json_get_double(const json *v, const char *key, double fallback, double *out, fail *f) {
    const json *got = json_get(v, key);
    if (got && got->kind != JSON_NULL && got->kind != JSON_NUMBER)
        return wrong_kind(key, "a number", got, f);
    *out = got && got->kind == JSON_NUMBER ? got->number : fallback;
    return E_OK;
}

err json_get_bool(const json *v, const char *key, bool fallback, bool *out, fail *f) {
    const json *got = json_get(v, key);
    if (got && got->kind != JSON_NULL && got->kind != JSON_BOOL)
        return wrong_kind(key, "true or false", got, f);
    *out = got && got->kind == JSON_BOOL ? got->boolean : fallback;
    return E_OK;
}
