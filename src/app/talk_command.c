/* talk_command.c - the /commands of a chat, as users of other programs know them; see talk.h. */
#include "app/out.h"
#include "app/show.h"
#include "app/talk.h"

#include <stdio.h>

/* ---- /set ---- */

static err set_parameter(talk *t, str rest, fail *f) {
    str value = rest;
    str name = str_cut(&value, ' ');
    if (!name.n || !value.p)
        return fail_set(f, E_USAGE, "/set parameter NAME VALUE, for example: temperature 0.7");
    TRY(parameters_set(&t->parameters, &t->session, name, str_trim(value), f));
    printf("%.*s is %.*s.\n", STR_ARG(name), STR_ARG(str_trim(value)));
    return E_OK;
}

static str unquote(str text) {
    static const char *const marks[] = {"\"\"\"", "\""};
    for (size_t i = 0; i < 2; i++) {
        str m = str_from(marks[i]);
        if (text.n >= 2 * m.n && str_starts(text, m) && str_ends(text, m))
            return str_slice(text, m.n, text.n - m.n);
    }
    return text;
}

static err set_system(talk *t, str rest, fail *f) {
    str text = arena_str(&t->session, unquote(rest));
    if (!text.p) return fail_memory(f, "the system text");
    t->system = text;
    printf(text.n ? "The system text is set.\n" : "There is no system text any more.\n");
    return E_OK;
}

static err command_set(talk *t, str rest, bool *ends, fail *f) {
    str value = rest;
    str what = str_cut(&value, ' ');
    (void)ends;
    value = value.p ? str_trim(value) : STR("");
    if (str_is(what, "parameter")) return set_parameter(t, value, f);
    if (str_is(what, "system")) return set_system(t, value, f);
    if (str_is(what, "verbose") || str_is(what, "quiet")) {
        t->verbose = str_is(what, "verbose");
        printf("Timings are %s.\n", t->verbose ? "shown" : "not shown");
        return E_OK;
    }
    if (str_is(what, "history") || str_is(what, "nohistory")) {
        line_keep_history(t->line, str_is(what, "history"));
        printf("Lines are %s.\n", str_is(what, "history") ? "kept" : "not kept");
        return E_OK;
    }
    fail_set(f, E_USAGE, "/set takes parameter, system, verbose, quiet, history or nohistory");
    return E_USAGE;
}

static err command_system(talk *t, str rest, bool *ends, fail *f) {
    (void)ends;
    return set_system(t, rest, f);
}

/* ---- /show ---- */

static err show_info(talk *t, fail *f) {
    world_model *m;
    TRY(world_open_model(t->w, t->model, &m, f));
    return show_print(world_found_of(m), &t->session, f);
}

static err show_template(talk *t, fail *f) {
    world_model *m;
    TRY(world_open_model(t->w, t->model, &m, f));
    str text = model_about(world_model_of(m))->chat_template;
    str safe = out_safe(&t->session, text, false);
    printf("%.*s\n", STR_ARG(text.n ? safe : STR("This model has no chat template.")));
    return E_OK;
}

static err show_license(talk *t, fail *f) {
    world_model *m;
    TRY(world_open_model(t->w, t->model, &m, f));
    const registry_model *found = world_found_of(m);
    printf("%.*s", STR_ARG(found->licence.n ? found->licence : STR("not known: see its source")));
    if (found->terms.n)
        printf("; terms: %.*s (accepted %.*s)", STR_ARG(found->terms), STR_ARG(found->accepted));
    printf("\n");
    return E_OK;
}

static err command_show(talk *t, str rest, bool *ends, fail *f) {
    (void)ends;
    if (!rest.n || str_is(rest, "info")) return show_info(t, f);
    if (str_is(rest, "template")) return show_template(t, f);
    if (str_is(rest, "license") || str_is(rest, "licence")) return show_license(t, f);
    if (str_is(rest, "parameters")) {
        parameters_print(&t->parameters);
        return E_OK;
    }
    if (str_is(rest, "system")) {
        str safe = out_safe(&t->session, t->system, false);
        printf("%.*s\n", STR_ARG(t->system.n ? safe : STR("There is no system text.")));
        return E_OK;
    }
    return fail_set(f, E_USAGE, "/show takes info, parameters, system, template or license");
}

/* ---- the others ---- */

static err command_clear(talk *t, str rest, bool *ends, fail *f) {
    (void)rest, (void)ends, (void)f;
    talk_clear(t);
    printf("A new conversation.\n");
    return E_OK;
}

static err command_save(talk *t, str rest, bool *ends, fail *f) {
    (void)ends;
    TRY(talk_save(t, rest, f));
    printf("Saved; /load %.*s brings it back.\n", STR_ARG(rest));
    return E_OK;
}

/* A saved chat of this name, else a model. */
static err command_load(talk *t, str rest, bool *ends, fail *f) {
    (void)ends;
    if (!rest.n) return fail_set(f, E_USAGE, "/load CHAT or /load MODEL");
    err e = talk_load(t, rest, f);
    if (e == E_OK) {
        printf("The chat \"%.*s\" with %.*s, %zu messages.\n", STR_ARG(rest), STR_ARG(t->model),
               t->n);
        return E_OK;
    }
    if (e != E_NOT_FOUND) return e;
    TRY(talk_take_model(t, rest, f));
    talk_clear(t);
    printf("A new conversation with %.*s.\n", STR_ARG(t->model));
    return E_OK;
}

static err command_bye(talk *t, str rest, bool *ends, fail *f) {
    (void)t, (void)rest, (void)f;
    *ends = true;
    return E_OK;
}

static err command_help(talk *t, str rest, bool *ends, fail *f);

static const struct {
    const char *name, *args, *help;
    err (*run)(talk *t, str rest, bool *ends, fail *f);
} commands[] = {
    {"/set", "parameter NAME VALUE", "how answers are made; /show parameters lists them",
     command_set},
    {"/set", "system TEXT", "what the model is told first (also: /system TEXT)", command_set},
    {"/set", "verbose | quiet", "timings behind each answer", command_set},
    {"/set", "history | nohistory", "whether lines are kept for the arrow keys", command_set},
    {"/system", "TEXT", "the same as /set system", command_system},
    {"/show", "[info]", "the model; also: parameters, system, template, license", command_show},
    {"/clear", "", "begin a new conversation", command_clear},
    {"/save", "NAME", "keep this conversation", command_save},
    {"/load", "NAME", "a saved conversation, or another model", command_load},
    {"/bye", "", "end (also: /exit, Ctrl-D)", command_bye},
    {"/exit", "", NULL, command_bye},
    {"/quit", "", NULL, command_bye},
    {"/help", "", "this list (also: /?)", command_help},
    {"/?", "", NULL, command_help},
};

static err command_help(talk *t, str rest, bool *ends, fail *f) {
    (void)t, (void)rest, (void)ends, (void)f;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        char left[40];
        if (!commands[i].help) continue;
        snprintf(left, sizeof left, "%s %s", commands[i].name, commands[i].args);
        printf("  %-28s %s\n", left, commands[i].help);
    }
    printf("\n  \"\"\"                          begin a text of several lines; \"\"\" ends it\n"
           "  Ctrl-C                       stop the answer, or the line\n"
           "  Up, Ctrl-R                   earlier lines, search them\n");
    return E_OK;
}

err talk_command(talk *t, str text, bool *ends, fail *f) {
    str rest = text;
    str name = str_cut(&rest, ' ');
    rest = rest.p ? str_trim(rest) : STR("");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (str_is(name, commands[i].name)) return commands[i].run(t, rest, ends, f);
    fail_set(f, E_USAGE, "there is no command \"%.*s\"", STR_ARG(str_slice(name, 0, 60)));
    return fail_hint(f, "/? lists them; a text that begins with / goes between \"\"\"");
}
