/* yaml_read.c - what a tree's scalars mean, asked for by key; see yaml.h. Pure functions. Every
 * error says the place and the key, because a person wrote the file by hand. */
#include "base/near.h"
#include "text/yaml.h"

#include <stdio.h>
#include <string.h>

const yaml *yaml_get(const yaml *map, const char *key) {
    if (!map || map->kind != YAML_MAP) return NULL;
    for (size_t i = 0; i < map->count; i++)
        if (str_is(map->members[i].key, key)) return &map->members[i].value;
    return NULL;
}

const yaml *yaml_at(const yaml *list, size_t index) {
    return list && list->kind == YAML_LIST && index < list->count ? &list->items[index] : NULL;
}

bool yaml_is_null(const yaml *v) {
    if (!v) return true;
    if (v->kind != YAML_SCALAR || v->quoted) return false;
    return v->text.n == 0 || str_is(v->text, "~") || str_is(v->text, "null");
}

const char *yaml_kind_name(const yaml *v) {
    if (yaml_is_null(v)) return "nothing";
    return v->kind == YAML_SCALAR ? "a text" : v->kind == YAML_LIST ? "a list" : "a map";
}

err yaml_fail(const yaml *at, fail *f, const char *fmt, ...) {
    char text[FAIL_TEXT_BYTES];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (!at->name)
        return fail_set(f, E_INPUT, "line %d, column %d: %s", at->line, at->column, text);
    return fail_set(f, E_INPUT, "\"%s\" line %d, column %d: %s", at->name, at->line, at->column,
                    text);
}

static err wrong(const yaml *v, const char *key, const char *wanted, fail *f) {
    if (v->kind != YAML_SCALAR)
        return yaml_fail(v, f, "key \"%s\" must be %s, not %s", key, wanted, yaml_kind_name(v));
    return yaml_fail(v, f, "key \"%s\" must be %s, not \"%.*s\"", key, wanted,
                     STR_ARG(str_slice(v->text, 0, 80)));
}

err yaml_get_str(const yaml *map, const char *key, str fallback, str *out, fail *f) {
    const yaml *v = yaml_get(map, key);
    if (!yaml_is_null(v) && v->kind != YAML_SCALAR) return wrong(v, key, "a text", f);
    *out = yaml_is_null(v) ? fallback : v->text;
    return E_OK;
}

err yaml_get_int(const yaml *map, const char *key, int64_t fallback, int64_t min, int64_t max,
                 int64_t *out, fail *f) {
    const yaml *v = yaml_get(map, key);
    int64_t value = fallback;
    if (!yaml_is_null(v)) {
        bool number = v->kind == YAML_SCALAR && !v->quoted && str_to_int(v->text, &value);
        if (!number || value < min || value > max) {
            char wanted[80];
            snprintf(wanted, sizeof wanted, "a whole number from %lld to %lld", (long long)min,
                     (long long)max);
            return wrong(v, key, wanted, f);
        }
    }
    *out = value;
    return E_OK;
}

err yaml_get_double(const yaml *map, const char *key, double fallback, double min, double max,
                    double *out, fail *f) {
    const yaml *v = yaml_get(map, key);
    double value = fallback;
    if (!yaml_is_null(v)) {
        bool number = v->kind == YAML_SCALAR && !v->quoted && str_to_double(v->text, &value);
        if (!number || value < min || value > max) {
            char wanted[80];
            snprintf(wanted, sizeof wanted, "a number from %g to %g", min, max);
            return wrong(v, key, wanted, f);
        }
    }
    *out = value;
    return E_OK;
}

err yaml_get_bool(const yaml *map, const char *key, bool fallback, bool *out, fail *f) {
    const yaml *v = yaml_get(map, key);
    if (yaml_is_null(v)) {
        *out = fallback;
        return E_OK;
    }
    bool yes = v->kind == YAML_SCALAR && !v->quoted && str_is(v->text, "true");
    bool no = v->kind == YAML_SCALAR && !v->quoted && str_is(v->text, "false");
    if (!yes && !no) return wrong(v, key, "true or false", f);
    *out = yes;
    return E_OK;
}

static err get_kind(const yaml *map, const char *key, yaml_kind kind, const yaml **out, fail *f) {
    const yaml *v = yaml_get(map, key);
    if (!yaml_is_null(v) && v->kind != kind)
        return wrong(v, key, kind == YAML_LIST ? "a list" : "a map", f);
    *out = yaml_is_null(v) ? NULL : v;
    return E_OK;
}

err yaml_get_list(const yaml *map, const char *key, const yaml **out, fail *f) {
    return get_kind(map, key, YAML_LIST, out, f);
}
err yaml_get_map(const yaml *map, const char *key, const yaml **out, fail *f) {
    return get_kind(map, key, YAML_MAP, out, f);
}

err yaml_text(const yaml *v, const char *what, str *out, fail *f) {
    if (v->kind != YAML_SCALAR || yaml_is_null(v))
        return yaml_fail(v, f, "%s must be a text, not %s", what, yaml_kind_name(v));
    *out = v->text;
    return E_OK;
}

err yaml_need(const yaml *map, const char *key, const yaml **out, fail *f) {
    const yaml *v = yaml_get(map, key);
    if (yaml_is_null(v)) return yaml_fail(v ? v : map, f, "the key \"%s\" is missing", key);
    *out = v;
    return E_OK;
}

static void hint_allowed(str key, const char *const *allowed, size_t n, fail *f) {
    near meant = near_to(key);
    size_t used = 0;
    char list[FAIL_HINT_BYTES - 40] = "";
    for (size_t i = 0; i < n; i++) {
        near_try(&meant, str_from(allowed[i]));
        int wrote = used < sizeof list ? snprintf(list + used, sizeof list - used, "%s%s",
                                                  i ? ", " : "", allowed[i])
                                       : 0;
        used += wrote > 0 ? (size_t)wrote : 0;
    }
    if (meant.best.p)
        fail_hint(f, "did you mean \"%.*s\"?", STR_ARG(meant.best));
    else
        fail_hint(f, "known keys here: %s", list);
}

err yaml_only(const yaml *v, const char *const *allowed, size_t n, fail *f) {
    if (v->kind != YAML_MAP)
        return yaml_fail(v, f, "a map of keys expected, not %s", yaml_kind_name(v));
    for (size_t i = 0; i < v->count; i++) {
        const yaml_member *m = &v->members[i];
        bool known = false;
        for (size_t k = 0; k < n && !known; k++) known = str_is(m->key, allowed[k]);
        if (known) continue;
        yaml at = {.name = v->name, .line = m->line, .column = m->column};
        yaml_fail(&at, f, "unknown key \"%.*s\"", STR_ARG(str_slice(m->key, 0, 80)));
        hint_allowed(m->key, allowed, n, f);
        return E_INPUT;
    }
    return E_OK;
}
