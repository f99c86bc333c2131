/* pip_config.c - see pip_config.h. The files are Python configparser's INI: "key = value" or
 * "key: value", further lines of a value indented, '#' and ';' begin comments. */
#include "registry/pip_config.h"

#include "base/buf.h"
#include "base/file.h"

#include <stdio.h>

void pip_config_init(pip_config *c) {
    *c = (pip_config){.index_url = STR("https://pypi.org/simple")};
}

static void put_list(pip_list *list, str value) {
    list->n = 0;
    size_t at = 0;
    while (at < value.n && list->n < PIP_LIST_MAX) {
        while (at < value.n && (unsigned char)value.p[at] <= ' ') at++;
        size_t from = at;
        while (at < value.n && (unsigned char)value.p[at] > ' ') at++;
        if (at > from) list->items[list->n++] = str_slice(value, from, at);
    }
}

static bool is_true(str value) {
    static const char *const words[] = {"1", "true", "yes", "on", "t", "y"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_eq_nocase(value, str_from(words[i]))) return true;
    return false;
}

/* key with '-' between its words, value trimmed and in the arena */
static void put_option(pip_config *c, str key, str value) {
    if (str_is(key, "index-url") || str_is(key, "pypi-url")) c->index_url = value;
    if (str_is(key, "extra-index-url")) put_list(&c->extra_index_url, value);
    if (str_is(key, "find-links")) put_list(&c->find_links, value);
    if (str_is(key, "trusted-host")) put_list(&c->trusted_host, value);
    if (str_is(key, "no-index")) c->no_index = is_true(value);
    if (str_is(key, "cert")) c->cert = value;
    if (str_is(key, "proxy")) c->proxy = value;
}

/* --- one file --- */

typedef struct ini {
    pip_config *config;
    arena *arena;
    bool wanted; /* inside [global] or [install] */
    str key;     /* with '-'; .p NULL when no value is being gathered */
    buf value;
} ini;

static err ini_flush(ini *i, fail *f) {
    if (i->key.p && i->wanted) {
        TRY(buf_ok(&i->value, f));
        str value = arena_str(i->arena, str_trim(buf_str(&i->value)));
        if (!value.p) return fail_memory(f, "pip's configuration");
        put_option(i->config, i->key, value);
    }
    i->key = STR_NONE;
    buf_reset(&i->value);
    return E_OK;
}

static err ini_option(ini *i, str line, fail *f) {
    size_t at = 0;
    while (at < line.n && line.p[at] != '=' && line.p[at] != ':') at++;
    str key = str_trim(str_slice(line, 0, at));
    char *name = arena_z(i->arena, key);
    if (!name) return fail_memory(f, "pip's configuration");
    for (char *c = name; *c; c++) {
        if (*c == '_') *c = '-';
        if (*c >= 'A' && *c <= 'Z') *c = (char)(*c | 32);
    }
    i->key = (str){name, key.n};
    buf_put(&i->value, str_slice(line, at + 1, line.n));
    return at < line.n && key.n ? E_OK : fail_set(f, E_INPUT, "not \"key = value\"");
}

static err ini_line(ini *i, str line, fail *f) {
    str text = str_trim(line);
    if (!text.n || text.p[0] == '#' || text.p[0] == ';') return E_OK;
    bool indented = line.p[0] == ' ' || line.p[0] == '\t';
    if (indented && i->key.p) {
        buf_put_char(&i->value, '\n');
        buf_put(&i->value, text);
        return E_OK;
    }
    TRY(ini_flush(i, f));
    if (text.p[0] != '[') return ini_option(i, text, f);
    i->wanted = str_is(text, "[global]") || str_is(text, "[install]");
    return text.p[text.n - 1] == ']' ? E_OK : fail_set(f, E_INPUT, "no ']'");
}

err pip_config_read(pip_config *c, arena *a, str text, const char *file, fail *f) {
    ini i = {.config = c, .arena = a, .value = {.bytes_max = PIP_FILE_BYTES_MAX}};
    int line = 0;
    err e = E_OK;
    while (text.p && e == E_OK) {
        line++;
        e = ini_line(&i, str_cut(&text, '\n'), f);
    }
    if (e == E_OK) e = ini_flush(&i, f);
    buf_deinit(&i.value);
    if (e == E_INPUT) {
        fail_set(f, E_INPUT, "pip's configuration \"%s\", line %d is not understood", file, line);
        fail_hint(f, "correct the file; `pip config debug` shows which ones are read");
    }
    return e;
}

/* --- all of them --- */

typedef struct loader {
    pip_config *config;
    arena *arena;
    pip_env env;
    void *env_ctx;
    fail *f;
} loader;

static const char *env_get(const loader *l, const char *name) {
    const char *value = l->env ? l->env(l->env_ctx, name) : NULL;
    return value && *value ? value : NULL;
}

static err load_file(loader *l, const char *path) {
    str text;
    if (!file_exists(path) || file_is_dir(path)) return E_OK;
    err e = file_read(l->arena, path, PIP_FILE_BYTES_MAX, &text, l->f);
    if (e == E_NOT_FOUND || e == E_DENIED) return E_OK; /* as pip does */
    return e == E_OK ? pip_config_read(l->config, l->arena, text, path, l->f) : e;
}

static err load_under(loader *l, const char *dir, const char *rest) {
    char path[FILE_PATH_BYTES];
    if (!dir) return E_OK;
    TRY(file_join(path, dir, rest, l->f));
    return load_file(l, path);
}

static err load_files(loader *l) {
    const char *named = env_get(l, "PIP_CONFIG_FILE"), *home = env_get(l, "HOME");
    const char *xdg = env_get(l, "XDG_CONFIG_HOME");
    if (named && str_is(str_from(named), "/dev/null")) return E_OK; /* pip: no files at all */
    TRY(load_file(l, "/etc/xdg/pip/pip.conf"));
    TRY(load_file(l, "/etc/pip.conf"));
    TRY(load_under(l, home, ".pip/pip.conf"));
    TRY(xdg ? load_under(l, xdg, "pip/pip.conf") : load_under(l, home, ".config/pip/pip.conf"));
    TRY(load_under(l, env_get(l, "VIRTUAL_ENV"), "pip.conf"));
    return named ? load_file(l, named) : E_OK;
}

static err load_variables(loader *l) {
    static const char *const names[][2] = {
        {"PIP_INDEX_URL", "index-url"},
        {"PIP_EXTRA_INDEX_URL", "extra-index-url"},
        {"PIP_FIND_LINKS", "find-links"},
        {"PIP_NO_INDEX", "no-index"},
        {"PIP_TRUSTED_HOST", "trusted-host"},
        {"PIP_CERT", "cert"},
        {"PIP_PROXY", "proxy"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = env_get(l, names[i][0]);
        if (!value) continue;
        str kept = arena_str(l->arena, str_trim(str_from(value)));
        if (!kept.p) return fail_memory(l->f, "pip's configuration");
        put_option(l->config, str_from(names[i][1]), kept);
    }
    return E_OK;
}

err pip_config_load(pip_config *c, arena *a, pip_env env, void *env_ctx, fail *f) {
    pip_config loaded;
    pip_config_init(&loaded);
    loader l = {&loaded, a, env, env_ctx, f};
    TRY(load_files(&l));
    TRY(load_variables(&l));
    *c = loaded;
    return E_OK;
}
