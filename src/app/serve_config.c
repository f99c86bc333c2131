/* serve_config.c - see serve_config.h. */
#include "app/serve_config.h"

#include "app/home.h"
#include "base/file.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

/* ---- one value ---- */

static void forget(serve_config *c, size_t i, serve_source source, int line) {
    c->values.n_values[i] = 0;
    c->sources[i] = source;
    c->lines[i] = line;
}

static err add(serve_config *c, size_t i, str text, fail *f) {
    size_t most = serve_option_at(i)->many ? CLI_MANY_MAX : 1;
    const char *kept = arena_z(&c->arena, text);
    if (!kept) return fail_memory(f, "settings");
    if (c->values.n_values[i] == most)
        return fail_set(f, E_INPUT, "%s has more than %zu values", serve_option_at(i)->name, most);
    c->values.values[i][c->values.n_values[i]++] = kept;
    return E_OK;
}

static err wrong(const serve_option *o, const char *place, const char *wanted, str text, fail *f) {
    if (o->secret) return fail_set(f, E_USAGE, "%s must be %s", place, wanted);
    return fail_set(f, E_USAGE, "%s must be %s, not \"%.*s\"", place, wanted,
                    STR_ARG(str_slice(text, 0, 80)));
}

static err take(serve_config *c, size_t i, const char *place, str text, fail *f) {
    const serve_option *o = serve_option_at(i);
    char wanted[SERVE_WANTED_BYTES];
    if (!serve_option_takes(o, text, wanted)) return wrong(o, place, wanted, text, f);
    return add(c, i, text, f);
}

/* ---- defaults, environment, command line ---- */

static err take_defaults(serve_config *c, fail *f) {
    for (size_t i = 0; i < serve_option_count(); i++) {
        const char *text = serve_option_at(i)->fallback;
        forget(c, i, SERVE_FROM_DEFAULT, 0);
        if (text) TRY(add(c, i, str_from(text), f));
    }
    return E_OK;
}

/* A list stands in one variable, with commas. */
static err take_variable(serve_config *c, size_t i, fail *f) {
    const serve_option *o = serve_option_at(i);
    char place[SERVE_ENV_BYTES];
    const char *name = serve_option_env(o, place), *text = home_env(NULL, name);
    if (!text) return E_OK;
    forget(c, i, SERVE_FROM_ENV, 0);
    if (!o->many) return take(c, i, name, str_from(text), f);
    str rest = str_from(text);
    while (rest.p) {
        str part = str_trim(str_cut(&rest, ','));
        if (part.n) TRY(take(c, i, name, part, f));
    }
    return E_OK;
}

static err take_command(serve_config *c, size_t i, const cli *command, fail *f) {
    const serve_option *o = serve_option_at(i);
    char place[80];
    if (!cli_has(command, o->name) || !cli_count(command, o->name)) return E_OK;
    snprintf(place, sizeof place, "--%s", o->name);
    forget(c, i, SERVE_FROM_COMMAND, 0);
    for (size_t k = 0; k < cli_count(command, o->name); k++) {
        const char *text = cli_value_at(command, o->name, k);
        if (o->kind == SERVE_FLAG && !*text) text = "true";
        TRY(take(c, i, place, str_from(text), f));
    }
    return E_OK;
}

/* ---- the file ---- */

static err take_scalar(serve_config *c, size_t i, const yaml *v, fail *f) {
    const serve_option *o = serve_option_at(i);
    char wanted[SERVE_WANTED_BYTES];
    bool bare = o->kind == SERVE_FLAG || o->kind == SERVE_NUMBER;
    bool scalar = v->kind == YAML_SCALAR && !yaml_is_null(v);
    bool ok = scalar && serve_option_takes(o, v->text, wanted) && !(bare && v->quoted) &&
              strlen(v->text.p) == v->text.n;
    if (ok) return add(c, i, v->text, f);
    (void)serve_option_takes(o, STR(""), wanted);
    if (!scalar || o->secret)
        return yaml_fail(v, f, "key \"%s\" must be %s, not %s", o->name, wanted,
                         scalar ? "this" : yaml_kind_name(v));
    return yaml_fail(v, f, "key \"%s\" must be %s, not %s\"%.*s\"", o->name, wanted,
                     bare && v->quoted ? "the text " : "", STR_ARG(str_slice(v->text, 0, 80)));
}

/* "NAME: VALUE" is NAME=VALUE. */
static err take_pairs(serve_config *c, size_t i, const yaml *map, fail *f) {
    for (size_t k = 0; k < map->count; k++) {
        const yaml_member *m = &map->members[k];
        yaml pair = m->value;
        if (pair.kind == YAML_SCALAR && !yaml_is_null(&pair))
            pair.text = arena_printf(&c->arena, "%.*s=%.*s", STR_ARG(m->key), STR_ARG(pair.text));
        if (!pair.text.p && pair.kind == YAML_SCALAR) return fail_memory(f, "settings");
        TRY(take_scalar(c, i, &pair, f));
    }
    return E_OK;
}

static err take_member(serve_config *c, size_t i, const yaml_member *m, fail *f) {
    const serve_option *o = serve_option_at(i);
    const yaml *v = &m->value;
    if (yaml_is_null(v)) return E_OK;
    forget(c, i, SERVE_FROM_FILE, m->line);
    if (v->kind == YAML_MAP && o->kind == SERVE_PAIR) return take_pairs(c, i, v, f);
    if (v->kind != YAML_LIST || !o->many) return take_scalar(c, i, v, f);
    for (size_t k = 0; k < v->count; k++) TRY(take_scalar(c, i, yaml_at(v, k), f));
    return E_OK;
}

static err take_map(serve_config *c, const yaml *map, fail *f) {
    const char *keys[CLI_OPTIONS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < serve_option_count(); i++)
        if (!serve_option_at(i)->no_file) keys[n++] = serve_option_at(i)->name;
    TRY(yaml_only(map, keys, n, f));
    for (size_t k = 0; k < map->count; k++)
        for (size_t i = 0; i < serve_option_count(); i++)
            if (str_is(map->members[k].key, serve_option_at(i)->name))
                TRY(take_member(c, i, &map->members[k], f));
    return E_OK;
}

/* Nothing but comments: a file that says nothing. */
static bool is_bare(str text) {
    while (text.p) {
        str line = str_trim(str_cut(&text, '\n'));
        if (line.n && line.p[0] != '#') return false;
    }
    return true;
}

static err refuse_open_secret(const serve_config *c, fail *f) {
    unsigned mode;
    for (size_t i = 0; i < serve_option_count(); i++) {
        if (!serve_option_at(i)->secret || c->sources[i] != SERVE_FROM_FILE) continue;
        TRY(file_mode(c->path, &mode, f));
        if (!(mode & 007)) continue;
        fail_set(f, E_DENIED,
                 "\"%s\" line %d holds a key, and everybody on this machine may read it", c->path,
                 c->lines[i]);
        return fail_hint(f, "chmod o= %s; or put the key into %s", c->path,
                         serve_option_at(i)->env);
    }
    return E_OK;
}

static err take_file(serve_config *c, fail *f) {
    str text;
    const yaml *map;
    if (!c->path) return E_OK;
    TRY(file_read(&c->arena, c->path, SERVE_FILE_BYTES_MAX, &text, f));
    if (is_bare(text)) return E_OK;
    TRY(yaml_parse(&c->arena, c->path, text, &map, f));
    TRY(take_map(c, map, f));
    return refuse_open_secret(c, f);
}

/* Which file: named, or the one of the home folder where there is one. */
static err find_file(serve_config *c, const serve_config_from *from, fail *f) {
    const char *named = from->path, *dir;
    char path[FILE_PATH_BYTES];
    if (!named && from->command && cli_has(from->command, "config"))
        named = cli_value(from->command, "config");
    if (!named && !from->only_file) named = home_env(NULL, "BANTAM_SERVE_CONFIG");
    if (!named) {
        TRY(home_dir(&c->arena, &dir, f));
        TRY(file_join(path, dir, "bantam.yaml", f));
        if (!file_exists(path)) return E_OK;
        named = path;
    } else if (!file_exists(named)) {
        fail_set(f, E_NOT_FOUND, "there is no configuration \"%s\"", named);
        return fail_hint(f, "bantam config keys lists what may stand in one");
    }
    c->path = arena_z(&c->arena, str_from(named));
    return c->path ? E_OK : fail_memory(f, "settings");
}

/* ---- all of them ---- */

static err read_all(serve_config *c, const serve_config_from *from, fail *f) {
    TRY(take_defaults(c, f));
    TRY(find_file(c, from, f));
    TRY(take_file(c, f));
    for (size_t i = 0; i < serve_option_count() && !from->only_file; i++)
        TRY(take_variable(c, i, f));
    for (size_t i = 0; i < serve_option_count() && from->command; i++)
        TRY(take_command(c, i, from->command, f));
    return E_OK;
}

err serve_config_open(serve_config **out, const serve_config_from *from, fail *f) {
    serve_config *c = mem_zero(sizeof *c);
    if (!c) return fail_memory(f, "settings");
    arena_init(&c->arena, 4096);
    c->values.verb = serve_option_verb();
    c->values.arena = &c->arena;
    err e = read_all(c, from, f);
    if (e == E_OK)
        *out = c;
    else
        serve_config_close(c);
    return e;
}

void serve_config_close(serve_config *c) {
    if (!c) return;
    arena_deinit(&c->arena);
    mem_free(c);
}

/* ---- looking ---- */

static size_t index_of(const char *name) {
    return (size_t)(serve_option_find(name) - serve_option_at(0));
}

serve_source serve_config_source(const serve_config *c, const char *name) {
    return c->sources[index_of(name)];
}

str serve_config_origin(const serve_config *c, size_t i, arena *a) {
    char name[SERVE_ENV_BYTES];
    switch (c->sources[i]) {
    case SERVE_FROM_FILE: return arena_printf(a, "%s:%d", c->path, c->lines[i]);
    case SERVE_FROM_ENV:
        return arena_printf(a, "environment %s", serve_option_env(serve_option_at(i), name));
    case SERVE_FROM_COMMAND: return STR("command line");
    case SERVE_FROM_DEFAULT: break;
    }
    return STR("default");
}

str serve_config_text(const serve_config *c, size_t i, arena *a) {
    str all = STR("");
    for (size_t k = 0; k < c->values.n_values[i]; k++)
        all = arena_printf(a, "%.*s%s%s", STR_ARG(all), k ? ", " : "",
                           serve_option_at(i)->secret ? "********" : c->values.values[i][k]);
    return all;
}

bool serve_config_same(const serve_config *x, const serve_config *y, size_t i) {
    size_t n = x->values.n_values[i];
    if (n != y->values.n_values[i]) return false;
    for (size_t k = 0; k < n; k++)
        if (strcmp(x->values.values[i][k], y->values.values[i][k])) return false;
    return true;
}
