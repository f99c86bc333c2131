/* cmd_generate.c - bantam score, template: a generator on this machine, without making text. */
#include "app/cmd.h"
#include "app/out.h"
#include "app/world.h"
#include "base/file.h"
#include "gen/gen_local.h"
#include "token/chat.h"

#include <math.h>
#include <stdio.h>

enum { TEXT_BYTES_MAX = 64 << 20 };

/* ---- score ---- */

static void softmax(const double *logprob, size_t n, double *p) {
    double most = logprob[0], sum = 0;
    for (size_t i = 1; i < n; i++) most = logprob[i] > most ? logprob[i] : most;
    for (size_t i = 0; i < n; i++) sum += p[i] = exp(logprob[i] - most);
    for (size_t i = 0; i < n; i++) p[i] /= sum;
}

static err score(const cli *c, world *w, fail *f) {
    const char *prompt = cli_value(c, "prompt");
    size_t n = cli_count(c, "choice");
    str choices[CLI_MANY_MAX];
    double logprob[CLI_MANY_MAX], p[CLI_MANY_MAX];
    gen_local *g;
    if (!prompt || n == 0)
        return fail_set(f, E_USAGE, "bantam score needs --prompt P and at least one --choice C");
    for (size_t i = 0; i < n; i++) choices[i] = str_from(cli_value_at(c, "choice", i));
    TRY(world_local(w, str_from(c->args[0]), &g, f));
    TRY(gen_local_score(g, c->arena, str_from(prompt), choices, n, logprob, f));
    softmax(logprob, n, p);
    if (!cli_flag(c, "json")) {
        for (size_t i = 0; i < n; i++)
            printf("%6.2f %%  %10.4f  %s\n", 100 * p[i], logprob[i], choices[i].p);
        return E_OK;
    }
    buf b = {0};
    json_writer j = {.out = &b};
    json_begin_object(&j);
    json_key(&j, "choices");
    json_begin_array(&j);
    for (size_t i = 0; i < n; i++) {
        json_begin_object(&j);
        json_field_str(&j, "text", choices[i]);
        json_field_double(&j, "logprob", logprob[i]);
        json_field_double(&j, "p", p[i]);
        json_end_object(&j);
    }
    json_end_array(&j);
    json_end_object(&j);
    return out_json(&b, f);
}

/* ---- template ---- */

static err read_messages(const cli *c, const char *path, chat_input *in, fail *f) {
    str text;
    const json *v;
    TRY(file_read(c->arena, path, TEXT_BYTES_MAX, &text, f));
    TRY(json_parse(c->arena, text, &v, f));
    in->messages = v->kind == JSON_ARRAY ? v : json_get(v, "messages");
    in->tools = json_get(v, "tools");
    if (in->tools && in->tools->kind == JSON_NULL) in->tools = NULL;
    if (!in->messages || in->messages->kind != JSON_ARRAY)
        return fail_set(f, E_INPUT,
                        "\"%s\" must hold an array of messages, or an object with \"messages\"",
                        path);
    return E_OK;
}

static err template_body(const cli *c, world *w, fail *f) {
    const char *path = cli_value(c, "messages");
    world_model *m;
    chat *chat;
    chat_text text;
    str joined;
    chat_input in = {.add_generation_prompt = cli_flag(c, "add-generation-prompt")};
    if (!path) return fail_set(f, E_USAGE, "bantam template needs --messages FILE.json");
    TRY(read_messages(c, path, &in, f));
    TRY(world_open_vocabulary(w, str_from(c->args[0]), &m, f));
    model *x = world_model_of(m);
    TRY(chat_open(&chat, model_tokenizer(x), model_about(x)->chat_template, f));
    err e = chat_render(chat, c->arena, &in, &text, f);
    if (e == E_OK) e = chat_join(c->arena, &text, &joined, f);
    chat_close(chat);
    if (e == E_OK) fwrite(joined.p, 1, joined.n, stdout);
    return e;
}

static err run_score(const cli *c, fail *f) {
    return world_run(c, WORLD_MODELS, score, f);
}
static err run_template(const cli *c, fail *f) {
    return world_run(c, WORLD_MODELS, template_body, f);
}
#define ENGINE_OPTIONS                                                                      \
    {"kern", 0, "NAME", "numeric kernels (default: the fastest; bantam doctor lists them)", \
     false},                                                                                \
        {"kv", 0, "TYPE", "type of keys and values: f32, f16 or q8 (default f16)", false},  \
        {"threads", 't', "N", "compute threads (default: the cores there are)", false}, {   \
        "json", 0, NULL, "print one JSON object on stdout", false                           \
    }

static const cli_option score_options[] = {
    {"prompt", 0, "P", "what stands before the choices", false},
    {"choice", 0, "C", "a continuation; give several", true},
    ENGINE_OPTIONS};
static const cli_option template_options[] = {
    {"messages", 0, "FILE.json", "an array of messages, or {\"messages\",\"tools\"}", false},
    {"add-generation-prompt", 0, NULL, "end with the opening of the assistant's turn", false}};
#define OPTIONS(table) table, sizeof table / sizeof *table

static const cli_verb verbs[] = {
    {"score", "MODEL --prompt P --choice A --choice B",
     "compare continuations by their probability",
     "Log-probabilities of the choices' tokens behind the prompt, summed, and a softmax over "
     "them.\n\n"
     "  bantam score smollm2 --prompt \"The capital of France is\" --choice \" Paris\" --choice \" "
     "Rome\"\n",
     OPTIONS(score_options), 1, 1, run_score},
    {"template", "MODEL --messages FILE.json", "render a chat as the model reads it",
     "  bantam template smollm2 --messages chat.json --add-generation-prompt\n",
     OPTIONS(template_options), 1, 1, run_template},
};

cmd_group cmd_generate(void) {
    return (cmd_group){verbs, sizeof verbs / sizeof *verbs};
}
