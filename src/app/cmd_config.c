/* cmd_config.c - bantam config show, check, keys: the settings of `bantam serve`, looked at. */
#include "app/cmd.h"
#include "app/out.h"
#include "app/serve_config.h"
#include "app/serve_guard.h"

#include <stdio.h>
#include <string.h>

enum { CONFIG_OPTIONS_MAX = CLI_OPTIONS_MAX };

/* ---- show ---- */

static void put_value(json_writer *j, const serve_option *o, const char *text) {
    int64_t n = 0;
    if (!text)
        json_put_null(j);
    else if (o->secret)
        json_put_z(j, "********");
    else if (o->kind == SERVE_FLAG)
        json_put_bool(j, !strcmp(text, "true"));
    else if (o->kind == SERVE_NUMBER && str_to_int(str_from(text), &n))
        json_put_int(j, n);
    else
        json_put_z(j, text);
}

static void put_setting(json_writer *j, const serve_config *s, size_t i, arena *a) {
    static const char *const sources[] = {"default", "file", "environment", "command line"};
    const serve_option *o = serve_option_at(i);
    const cli *v = &s->values;
    json_begin_object(j);
    json_field_str(j, "name", str_from(o->name));
    json_key(j, "value");
    if (o->many) {
        json_begin_array(j);
        for (size_t k = 0; k < v->n_values[i]; k++) put_value(j, o, v->values[i][k]);
        json_end_array(j);
    } else {
        put_value(j, o, v->n_values[i] ? v->values[i][0] : NULL);
    }
    json_field_str(j, "source", str_from(sources[s->sources[i]]));
    json_field_str(j, "origin", serve_config_origin(s, i, a));
    json_field_bool(j, "live", o->live);
    json_end_object(j);
}

static err show_json(const serve_config *s, arena *a, fail *f) {
    buf b = {0};
    json_writer j = {.out = &b};
    json_begin_object(&j);
    json_field_z(&j, "file", s->path);
    json_key(&j, "settings");
    json_begin_array(&j);
    for (size_t i = 0; i < serve_option_count(); i++) put_setting(&j, s, i, a);
    json_end_array(&j);
    json_end_object(&j);
    return out_json(&b, f);
}

static void show_line(const serve_config *s, size_t i, bool origin, arena *a) {
    const serve_option *o = serve_option_at(i);
    str text = serve_config_text(s, i, a);
    if (!text.n) text = o->usual ? arena_printf(a, "(%s)", o->usual) : STR("");
    if (origin)
        printf("%-17s %-28.*s %.*s\n", o->name, STR_ARG(text),
               STR_ARG(serve_config_origin(s, i, a)));
    else
        printf("%-17s %.*s\n", o->name, STR_ARG(text));
}

static err run_show(const cli *c, fail *f) {
    serve_config *s;
    err e = E_OK;
    TRY(serve_config_open(&s, &(serve_config_from){.command = c}, f));
    if (cli_flag(c, "json"))
        e = show_json(s, c->arena, f);
    else
        for (size_t i = 0; i < serve_option_count(); i++)
            show_line(s, i, cli_flag(c, "origin"), c->arena);
    serve_config_close(s);
    return e;
}

/* ---- check ---- */

static err check_file(const serve_config *s, fail *f) {
    serve_guard guard;
    size_t n = 0;
    if (!s->path) {
        fail_set(f, E_NOT_FOUND, "there is no configuration in the home folder");
        return fail_hint(f, "bantam config check FILE checks any other");
    }
    TRY(serve_guard_read(&s->values, cli_value(&s->values, "host"), &guard, f));
    for (size_t i = 0; i < serve_option_count(); i++) n += s->sources[i] == SERVE_FROM_FILE;
    printf("%s is right and sets %zu of %zu settings\n", s->path, n, serve_option_count() - 1);
    return E_OK;
}

static err run_check(const cli *c, fail *f) {
    serve_config *s;
    serve_config_from from = {.path = c->n_args ? c->args[0] : NULL, .only_file = true};
    TRY(serve_config_open(&s, &from, f));
    err e = check_file(s, f);
    serve_config_close(s);
    return e;
}

/* ---- keys ---- */

static const char *kind_text(const serve_option *o) {
    switch (o->kind) {
    case SERVE_FLAG: return "true, false";
    case SERVE_SWITCH: return "on, off";
    case SERVE_BYTES: return "a size: 512MiB, 6GiB";
    case SERVE_TIME: return "a time: 5m, 1h, never";
    case SERVE_PAIR:
    case SERVE_UNIX:
    case SERVE_ORIGIN: return o->value;
    case SERVE_WORD:
    case SERVE_NUMBER:
    case SERVE_TEXT: break;
    }
    return NULL;
}

/* "1 to 65535", "f32, f16", "FILE, a list" */
static str value_text(const serve_option *o, arena *a) {
    str text = str_from(kind_text(o)), rest = str_from(o->value);
    if (o->kind == SERVE_NUMBER)
        text = arena_printf(a, "%lld to %lld", (long long)o->min, (long long)o->max);
    if (o->kind == SERVE_TEXT) text = str_from(o->value);
    for (size_t k = 0; o->kind == SERVE_WORD && rest.p; k++) {
        str word = str_cut(&rest, '|');
        text = arena_printf(a, "%.*s%s%.*s", STR_ARG(text), k ? ", " : "", STR_ARG(word));
    }
    for (size_t k = 0; k < text.n; k++)
        if (text.p[k] == '|') return arena_printf(a, "NAME or FILE%s", o->many ? ", a list" : "");
    return o->many ? arena_printf(a, "%.*s, a list", STR_ARG(text)) : text;
}

static err run_keys(const cli *c, fail *f) {
    char name[SERVE_ENV_BYTES];
    (void)f;
    printf("| key | value | default | environment | SIGHUP | what |\n|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < serve_option_count(); i++) {
        const serve_option *o = serve_option_at(i);
        const char *usual = o->fallback ? o->fallback : o->usual;
        printf("| `%s`%s | %.*s | %s | `%s` | %s | %s |\n", o->name,
               o->no_file  ? " (option only)"
               : o->secret ? " (no option)"
                           : "",
               STR_ARG(value_text(o, c->arena)), usual, serve_option_env(o, name),
               o->live ? "taken" : "restart", o->help);
    }
    return E_OK;
}

/* ---- the verbs ---- */

/* serve's own options, so that what wins can be seen, and two of ours. */
static const cli_option *show_options(size_t *n) {
    static cli_option rows[CONFIG_OPTIONS_MAX];
    size_t serve_n;
    const cli_option *serve = serve_option_rows(&serve_n);
    CHECK(serve_n + 2 <= CONFIG_OPTIONS_MAX);
    rows[0] = (cli_option){"origin", 0, NULL, "say where each value stands", false};
    rows[1] = (cli_option){"json", 0, NULL, "print one JSON object on stdout", false};
    memcpy(rows + 2, serve, serve_n * sizeof *rows);
    *n = serve_n + 2;
    return rows;
}

cmd_group cmd_config(void) {
    static cli_verb verbs[] = {
        {"config show", "[serve's options]", "show the settings of serve as it would start here",
         "Command line > environment > file > default. Keys are shown as stars.\n\n"
         "  bantam config show --origin\n  bantam config show --config new.yaml --json\n",
         NULL, 0, 0, 0, run_show},
        {"config check", "[FILE]", "check a configuration file before a server reads it",
         "Without FILE: bantam.yaml of the home folder.\n\n  bantam config check new.yaml\n", NULL,
         0, 0, 1, run_check},
        {"config keys", "", "list every setting: key, value, default, variable",
         "  bantam config keys\n", NULL, 0, 0, 0, run_keys},
    };
    verbs[0].options = show_options(&verbs[0].n_options);
    return (cmd_group){verbs, sizeof verbs / sizeof *verbs};
}
