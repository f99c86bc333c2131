/* cmd_show.c - bantam show: what is known of one model. */
#include "app/cmd.h"
#include "app/out.h"
#include "app/show.h"
#include "app/world.h"

#include <stdio.h>

static err show_json(const registry_model *m, const weights *w, bool tensors, fail *f) {
    buf b = {0};
    json_writer j = {.out = &b};
    json_begin_object(&j);
    show_put_json(&j, m, w, tensors);
    json_end_object(&j);
    return out_json(&b, f);
}

/* Fetches nothing: what is not here has nothing to show. */
static err show(const cli *c, world *w, fail *f) {
    registry_model m;
    weights x;
    TRY(registry_find(w->registry, c->arena, str_from(c->args[0]), &m, f));
    TRY(weights_read(&x, c->arena, m.path, f));
    if (cli_flag(c, "json")) return show_json(&m, &x, cli_flag(c, "tensors"), f);
    TRY(show_print(&m, c->arena, f));
    if (cli_flag(c, "tensors")) show_print_tensors(&x, c->arena);
    return E_OK;
}

static err run_show(const cli *c, fail *f) {
    return world_run(c, WORLD_MODELS, show, f);
}

static const cli_option options[] = {
    {"tensors", 0, NULL, "each tensor with type, shape and bytes", false}, CLI_JSON_OPTION};

static const cli_verb verbs[] = {
    {"show", "MODEL", "what is known of a model: architecture, size, licence, tensors",
     "  bantam show smollm2\n  bantam show ./model.gguf --tensors\n", options,
     sizeof options / sizeof *options, 1, 1, run_show},
};

cmd_group cmd_show(void) {
    return (cmd_group){verbs, sizeof verbs / sizeof *verbs};
}
