/* model_convert_read.c - reading the folder's JSON: files, and keys of config.json. */
#include "model/model_convert_int.h"

#include <math.h>
#include <stdio.h>

enum { JSON_FILE_BYTES_MAX = 256 << 20 };

err convert_json(convert *c, const char *file, const json **out, fail *f) {
    char path[FILE_PATH_BYTES];
    str text;
    fail cause = {0};
    *out = NULL;
    TRY(file_join(path, c->folder, file, f));
    if (!file_exists(path)) return E_OK;
    TRY(file_read(&c->arena, path, JSON_FILE_BYTES_MAX, &text, f));
    err e = json_parse(&c->arena, text, out, &cause);
    if (e == E_NO_MEMORY) return fail_memory(f, path);
    if (e == E_OK) return E_OK;
    return fail_set(f, E_CORRUPT, "\"%s\" is not JSON: %.200s", path, cause.text);
}

const json *convert_find(const json *v, const char *names) {
    for (str rest = str_from(names); rest.p;) {
        char key[64];
        str name = str_cut(&rest, ' ');
        snprintf(key, sizeof key, "%.*s", STR_ARG(name));
        const json *found = json_get(v, key);
        if (found && found->kind != JSON_NULL) return found;
    }
    return NULL;
}

bool convert_has_word(const char *words, const char *word) {
    for (str rest = str_from(words); rest.p;)
        if (str_is(str_cut(&rest, ' '), word)) return true;
    return false;
}

err convert_int(const convert *c, const char *names, int64_t fallback, int64_t *out, fail *f) {
    const json *v = convert_find(c->config, names);
    if (!v && fallback >= 0) {
        *out = fallback;
        return E_OK;
    }
    if (!v || v->kind != JSON_NUMBER || !(v->number >= 0) || v->number > (double)INT32_MAX ||
        v->number != floor(v->number))
        return fail_set(f, E_CORRUPT, "\"%s\": config.json says no usable \"%s\"", c->name, names);
    *out = (int64_t)v->number;
    return E_OK;
}

err convert_real(const json *v, const char *name, double fallback, double *out, fail *f) {
    TRY(json_get_double(v, name, fallback, out, f));
    if (isfinite(*out)) return E_OK;
    return fail_set(f, E_CORRUPT, "config.json: \"%s\" is no finite number", name);
}
