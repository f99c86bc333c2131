/* cmd_generate.c - bantam run, score, template: a generator on this machine, from a terminal. */
#include "app/cmd.h"
#include "app/out.h"
#include "app/stop.h"
#include "app/world.h"
#include "base/file.h"
#include "gen/gen_local.h"
#include "token/chat.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

enum { TEXT_BYTES_MAX = 64 << 20, MAX_TOKENS_DEFAULT = 512 };

static err print_json(buf *b, fail *f) {
    err e = out_json(b, f);
    buf_deinit(b);
    return e;
}

/* ---- run ---- */

static err print_event(void *self, const gen_event *event, fail *f) {
    (void)self;
    fwrite(event->text.p, 1, event->text.n, stdout);
    if (stop_wanted()) return fail_set(f, E_CANCELLED, "stopped");
    return out_flush(f);
}

static bool interrupted(void *ctx) {
    (void)ctx;
    return stop_wanted();
}

static err read_prompt(const cli *c, str *out, fail *f) {
    if (c->n_args > 1) {
        *out = str_from(c->args[1]);
        return E_OK;
    }
    if (isatty(STDIN_FILENO) == 1) {
        fail_set(f, E_USAGE, "bantam run %s needs a prompt", c->args[0]);
        return fail_hint(f, "bantam run %s \"Why is the sky blue?\", or pipe a text into it",
                         c->args[0]);
    }
    return file_read_fd(c->arena, STDIN_FILENO, "standard input", TEXT_BYTES_MAX, out, f);
}

static err read_sampling(const cli *c, gen_request *rq, fail *f) {
    int64_t max, seed, top_k;
    TRY(cli_int(c, "max-tokens", MAX_TOKENS_DEFAULT, 1, 1 << 20, &max, f));
    TRY(cli_int(c, "seed", 0, 0, INT64_MAX, &seed, f));
    TRY(cli_int(c, "top-k", 0, 0, 1 << 20, &top_k, f));
    TRY(cli_double(c, "temp", 0, 0, 10, &rq->sampling.temperature, f));
    TRY(cli_double(c, "top-p", 1, 0, 1, &rq->sampling.top_p, f));
    TRY(cli_double(c, "min-p", 0, 0, 1, &rq->sampling.min_p, f));
    rq->max_tokens = (int32_t)max;
    rq->sampling.top_k = (int32_t)top_k;
    rq->sampling.seed = (uint64_t)seed;
    return E_OK;
}

static err print_reply(const gen_reply *r, fail *f) {
    buf b = {0};
    json_writer j = {.out = &b};
    json_begin_object(&j);
    json_key(&j, "text");
    json_put_str(&j, r->text);
    json_key(&j, "ids");
    json_begin_array(&j);
    for (size_t i = 0; i < r->n_ids; i++) json_put_int(&j, r->ids[i]);
    json_end_array(&j);
    json_key(&j, "prompt_tokens");
    json_put_int(&j, r->prompt_tokens);
    json_key(&j, "completion_tokens");
    json_put_int(&j, r->completion_tokens);
    json_key(&j, "finish");
    json_put_z(&j, r->finish == GEN_LENGTH ? "length"
                   : r->finish == GEN_STOP ? "stop"
                                           : "cancelled");
    json_key(&j, "timings");
    json_begin_object(&j);
    json_field_double(&j, "prefill_tok_s", r->timings.prefill_tok_s);
    json_field_double(&j, "decode_tok_s", r->timings.decode_tok_s);
    json_field_double(&j, "first_token_ms", r->timings.first_token_ms);
    json_end_object(&j);
    json_end_object(&j);
    return print_json(&b, f);
}

static err generate(const cli *c, world *w, fail *f) {
    gen_provider p;
    gen_reply reply = {0};
    gen_message message = {.role = GEN_USER};
    bool json = cli_flag(c, "json"), has_template;
    gen_request rq = {.id = STR("run"),
                      .messages = &message,
                      .n_messages = 1,
                      .top_logprobs = -1,
                      .gone = interrupted,
                      .arena = c->arena};
    TRY(read_sampling(c, &rq, f));
    TRY(read_prompt(c, &message.content, f));
    TRY(world_provider(w, str_from(c->args[0]), &p, &has_template, f));
    rq.model = str_from(c->args[0]);
    rq.raw = cli_flag(c, "raw") || !has_template;
    err e = p.generate(p.self, &rq, (gen_sink){.put = json ? NULL : print_event}, &reply, f);
    if (e == E_OK && json) return print_reply(&reply, f);
    if (!json) printf("\n");
    if (e == E_OK && reply.finish == GEN_LENGTH)
        fprintf(stderr, "(stopped at --max-tokens %d)\n", rq.max_tokens);
    return e;
}

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
        json_key(&j, "text");
        json_put_str(&j, choices[i]);
        json_field_double(&j, "logprob", logprob[i]);
        json_field_double(&j, "p", p[i]);
        json_end_object(&j);
    }
    json_end_array(&j);
    json_end_object(&j);
    return print_json(&b, f);
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

static err run_run(const cli *c, fail *f) {
    return world_run(c, WORLD_MODELS, generate, f);
}
static err run_score(const cli *c, fail *f) {
    return world_run(c, WORLD_MODELS, score, f);
}
static err run_template(const cli *c, fail *f) {
    return world_run(c, WORLD_MODELS, template_body, f);
}
#define ENGINE_OPTIONS                                                                      \
    {"kern", 0, "NAME", "numeric kernels: f32, ref or avx2 (default: the fastest)", false}, \
        {"kv", 0, "f32|f16", "type of keys and values (default f16)", false},               \
        {"threads", 't', "N", "compute threads (default: the cores there are)", false}, {   \
        "json", 0, NULL, "print one JSON object on stdout", false                           \
    }

static const cli_option run_options[] = {
    {"max-tokens", 0, "N", "at most N tokens (default 512)", false},
    {"temp", 0, "T", "temperature; 0 (default) takes the likeliest token", false},
    {"top-p", 0, "P", "keep the likeliest that sum to P", false},
    {"min-p", 0, "P", "keep those at least P times as likely as the best", false},
    {"top-k", 0, "K", "keep the K likeliest", false},
    {"seed", 0, "S", "same seed, build and kernels: same answer", false},
    {"raw", 0, NULL, "take the prompt as it is, without the chat template", false},
    ENGINE_OPTIONS};
static const cli_option score_options[] = {
    {"prompt", 0, "P", "what stands before the choices", false},
    {"choice", 0, "C", "a continuation; give several", true},
    ENGINE_OPTIONS};
static const cli_option template_options[] = {
    {"messages", 0, "FILE.json", "an array of messages, or {\"messages\",\"tools\"}", false},
    {"add-generation-prompt", 0, NULL, "end with the opening of the assistant's turn", false}};
#define OPTIONS(table) table, sizeof table / sizeof *table

static const cli_verb verbs[] = {
    {"run", "MODEL PROMPT", "answer one prompt with a small model",
     "MODEL is a catalog name (fetched if absent), a GGUF file or a model folder.\n\n"
     "  bantam run smollm2 \"Write a friendly one-line greeting.\"\n"
     "  echo \"Summarise: ...\" | bantam run smollm2\n",
     OPTIONS(run_options), 1, 2, run_run},
    {"score", "MODEL --prompt P --choice A --choice B",
     "compare continuations by their probability", NULL, OPTIONS(score_options), 1, 1, run_score},
    {"template", "MODEL --messages FILE.json", "render a chat as the model reads it", NULL,
     OPTIONS(template_options), 1, 1, run_template},
};

cmd_group cmd_generate(void) {
    return (cmd_group){verbs, sizeof verbs / sizeof *verbs};
}
