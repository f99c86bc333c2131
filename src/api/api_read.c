/* api_read.c - typed reads of a body and of a query, which name the field they fail on. */
#include "api/api_int.h"

static err noted(api_call *c, const char *key, err e) {
    if (e != E_OK) c->param = key;
    return e;
}

err api_get_str(api_call *c, const char *key, str fallback, str *out, fail *f) {
    return noted(c, key, json_get_str(c->body, key, fallback, out, f));
}

err api_get_int(api_call *c, const char *key, int64_t fallback, int64_t min, int64_t max,
                int64_t *out, fail *f) {
    return noted(c, key, json_get_int(c->body, key, fallback, min, max, out, f));
}

err api_get_bool(api_call *c, const char *key, bool fallback, bool *out, fail *f) {
    return noted(c, key, json_get_bool(c->body, key, fallback, out, f));
}

err api_get_double(api_call *c, const char *key, double fallback, double min, double max,
                   double *out, fail *f) {
    double v;
    TRY(noted(c, key, json_get_double(c->body, key, fallback, &v, f)));
    const json *given = json_get(c->body, key);
    if (given && given->kind == JSON_NUMBER && !(v >= min && v <= max))
        return api_refuse(c, f, key, "%s is %g, which is not within %g and %g", key, v, min, max);
    *out = v;
    return E_OK;
}

err api_read_subject(api_call *c, str *out, fail *f) {
    str user, newer;
    TRY(api_get_str(c, "user", STR(""), &user, f));
    TRY(api_get_str(c, "safety_identifier", STR(""), &newer, f));
    *out = user.n ? user : newer;
    return E_OK;
}

str api_query(api_call *c, const char *key) {
    str v = http_query(c->rq, key);
    return v.p ? v : STR("");
}

err api_query_int(api_call *c, const char *key, int64_t fallback, int64_t min, int64_t max,
                  int64_t *out, fail *f) {
    str text = http_query(c->rq, key);
    int64_t v = fallback;
    if (text.p && (!str_to_int(text, &v) || v < min || v > max))
        return api_refuse(c, f, key, "%s is \"%.*s\", not a whole number from %lld to %lld", key,
                          STR_ARG(str_slice(text, 0, 64)), (long long)min, (long long)max);
    *out = v;
    return E_OK;
}
