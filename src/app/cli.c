/* cli.c - see cli.h. */
#include "app/cli.h"
#include "base/near.h"

#include <stdio.h>
#include <string.h>

static size_t option_row(const cli_verb *v, str name, char letter) {
    for (size_t i = 0; i < v->n_options; i++) {
        if (letter && v->options[i].letter == letter) return i;
        if (!letter && str_is(name, v->options[i].name)) return i;
    }
    return STR_INDEX_NONE;
}

static err unknown_option(const cli_verb *v, const char *arg, fail *f) {
    str name = str_from(arg + strspn(arg, "-"));
    near meant = near_to(str_slice(name, 0, str_find_char(name, '=')));
    for (size_t i = 0; i < v->n_options; i++) near_try(&meant, str_from(v->options[i].name));
    fail_set(f, E_USAGE, "bantam %s has no option \"%s\"", v->name, arg);
    if (meant.best.p && str_starts(str_from(arg), STR("--")))
        return fail_hint(f, "did you mean --%.*s? bantam %s --help lists its options",
                         STR_ARG(meant.best), v->name);
    return fail_hint(f, "bantam %s --help lists its options", v->name);
}

static err store_value(cli *c, size_t row, const char *value, fail *f) {
    const cli_option *o = &c->verb->options[row];
    size_t most = o->many ? CLI_MANY_MAX : 1;
    if (c->n_values[row] >= most)
        return fail_set(f, E_USAGE, "--%s is given more than %zu time%s", o->name, most,
                        most > 1 ? "s" : "");
    c->values[row][c->n_values[row]++] = value;
    return E_OK;
}

/* One option at argv[*at]; moves *at over its value. */
static err take_option(cli *c, int argc, char **argv, int *at, fail *f) {
    const char *arg = argv[*at];
    bool is_long = arg[1] == '-';
    str name = str_from(arg + (is_long ? 2 : 1));
    const char *inline_value = NULL;
    size_t equals = is_long ? str_find_char(name, '=') : STR_INDEX_NONE;
    if (equals != STR_INDEX_NONE) {
        inline_value = name.p + equals + 1;
        name.n = equals;
    }
    size_t row = option_row(c->verb, name, is_long ? 0 : name.p[0]);
    if (row == STR_INDEX_NONE) return unknown_option(c->verb, arg, f);
    const cli_option *o = &c->verb->options[row];
    if (!is_long && name.n != 1) { /* -n20 */
        if (!o->value) return unknown_option(c->verb, arg, f);
        inline_value = arg + 2;
    }
    if (!o->value) {
        bool word =
            !inline_value || !strcmp(inline_value, "true") || !strcmp(inline_value, "false");
        if (!word) return fail_set(f, E_USAGE, "--%s takes no value but true and false", o->name);
        return store_value(c, row, inline_value ? inline_value : "", f);
    }
    if (!inline_value && *at + 1 >= argc) {
        fail_set(f, E_USAGE, "--%s needs a value: --%s %s", o->name, o->name, o->value);
        return E_USAGE;
    }
    return store_value(c, row, inline_value ? inline_value : argv[++*at], f);
}

err cli_parse(cli *c, const cli_verb *verb, int argc, char **argv, bool *help, fail *f) {
    bool only_args = false;
    c->verb = verb;
    *help = false;
    for (int i = 0; i < argc; i++) {
        const char *arg = argv[i];
        if (only_args || arg[0] != '-' || !arg[1]) {
            if (c->n_args == CLI_ARGS_MAX)
                return fail_set(f, E_USAGE, "more than %d arguments", CLI_ARGS_MAX);
            c->args[c->n_args++] = arg;
        } else if (!strcmp(arg, "--")) {
            only_args = true;
        } else if (!strcmp(arg, "--help") || !strcmp(arg, "-h")) {
            *help = true;
            return E_OK;
        } else {
            TRY(take_option(c, argc, argv, &i, f));
        }
    }
    if (c->n_args >= verb->args_min && c->n_args <= verb->args_max) return E_OK;
    fail_set(f, E_USAGE, "bantam %s takes %s: bantam %s %s", verb->name,
             c->n_args < verb->args_min ? "more arguments" : "fewer arguments", verb->name,
             verb->args);
    return fail_hint(f, "quote a text with spaces; bantam %s --help shows examples", verb->name);
}

void cli_print_help(const cli_verb *v) {
    printf("%s\n\nusage: bantam %s %s\n", v->summary, v->name, v->args);
    if (v->n_options) printf("\noptions:\n");
    for (size_t i = 0; i < v->n_options; i++) {
        const cli_option *o = &v->options[i];
        char left[64];
        int n = o->letter ? snprintf(left, sizeof left, "-%c, --%s", o->letter, o->name)
                          : snprintf(left, sizeof left, "    --%s", o->name);
        if (o->value) snprintf(left + n, sizeof left - (size_t)n, " %s", o->value);
        printf("  %-28s %s\n", left, o->help);
    }
    if (v->help) printf("\n%s", v->help);
}

static size_t must_row(const cli *c, const char *name) {
    size_t row = option_row(c->verb, str_from(name), 0);
    CHECK(row != STR_INDEX_NONE);
    return row;
}

bool cli_has(const cli *c, const char *name) {
    return option_row(c->verb, str_from(name), 0) != STR_INDEX_NONE;
}
bool cli_flag(const cli *c, const char *name) {
    const char *text = cli_value(c, name);
    return text && strcmp(text, "false") != 0;
}
const char *cli_value(const cli *c, const char *name) {
    return cli_value_at(c, name, 0);
}
size_t cli_count(const cli *c, const char *name) {
    return c->n_values[must_row(c, name)];
}
const char *cli_value_at(const cli *c, const char *name, size_t index) {
    size_t row = must_row(c, name);
    return index < c->n_values[row] ? c->values[row][index] : NULL;
}

err cli_int(const cli *c, const char *name, int64_t fallback, int64_t min, int64_t max,
            int64_t *out, fail *f) {
    const char *text = cli_value(c, name);
    int64_t v = fallback;
    if (text && (!str_to_int(str_from(text), &v) || v < min || v > max))
        return fail_set(f, E_USAGE, "--%s must be a whole number from %lld to %lld, not \"%s\"",
                        name, (long long)min, (long long)max, text);
    *out = v;
    return E_OK;
}

err cli_double(const cli *c, const char *name, double fallback, double min, double max, double *out,
               fail *f) {
    const char *text = cli_value(c, name);
    double v = fallback;
    if (text && (!str_to_double(str_from(text), &v) || v < min || v > max))
        return fail_set(f, E_USAGE, "--%s must be a number from %g to %g, not \"%s\"", name, min,
                        max, text);
    *out = v;
    return E_OK;
}
