/* cmd_run.c - bantam run: a chat with a small model on a terminal, or one answer. */
#include "app/cmd.h"
#include "app/out.h"
#include "app/stop.h"
#include "app/stream.h"
#include "app/talk.h"
#include "base/clock.h"
#include "base/file.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_BYTES_MAX = 64 << 20, MAX_TOKENS_DEFAULT = 512, STDIN_WAIT_MS = 3000 };

/* ---- one answer ---- */

static void put_logprob(json_writer *j, const gen_logprob *l) {
    json_field_int(j, "id", l->id);
    json_field_str(j, "text", l->bytes);
    json_field_double(j, "logprob", l->logprob);
}

static void put_logprobs(json_writer *j, const gen_reply *r) {
    json_key(j, "logprobs");
    json_begin_array(j);
    for (size_t i = 0; i < r->n_tokens; i++) {
        json_begin_object(j);
        put_logprob(j, &r->tokens[i].chosen);
        json_key(j, "top");
        json_begin_array(j);
        for (int32_t k = 0; k < r->tokens[i].n_top; k++) {
            json_begin_object(j);
            put_logprob(j, &r->tokens[i].top[k]);
            json_end_object(j);
        }
        json_end_array(j);
        json_end_object(j);
    }
    json_end_array(j);
}

static void put_timings(json_writer *j, const gen_timings *t) {
    json_key(j, "timings");
    json_begin_object(j);
    json_field_double(j, "prefill_tok_s", t->prefill_tok_s);
    json_field_double(j, "decode_tok_s", t->decode_tok_s);
    json_field_double(j, "first_token_ms", t->first_token_ms);
    json_end_object(j);
}

static err print_reply(const gen_reply *r, bool logprobs, fail *f) {
    buf b = {0};
    json_writer j = {.out = &b};
    json_begin_object(&j);
    json_field_str(&j, "text", r->text);
    json_key(&j, "ids");
    json_begin_array(&j);
    for (size_t i = 0; i < r->n_ids; i++) json_put_int(&j, r->ids[i]);
    json_end_array(&j);
    json_field_int(&j, "prompt_tokens", r->prompt_tokens);
    json_field_int(&j, "completion_tokens", r->completion_tokens);
    json_field_z(&j, "finish",
                 r->finish == GEN_LENGTH ? "length"
                 : r->finish == GEN_STOP ? "stop"
                                         : "cancelled");
    put_timings(&j, &r->timings);
    if (logprobs) put_logprobs(&j, r);
    json_end_object(&j);
    return out_json(&b, f);
}

/* ---- the prompt ---- */

static err join_args(const cli *c, str *out, fail *f) {
    str whole = STR("");
    for (size_t i = 1; i < c->n_args; i++) {
        whole = arena_printf(c->arena, "%.*s%s%s", STR_ARG(whole), i > 1 ? " " : "", c->args[i]);
        if (!whole.p) return fail_memory(f, "a prompt");
    }
    *out = whole;
    return E_OK;
}

/* The arguments, and below them what comes on standard input where that is no terminal. Beside
 * arguments it must begin to come soon: a program that starts us may have left us a silent pipe. */
static err read_prompt(const cli *c, str *out, fail *f) {
    str text = STR(""), piped = STR("");
    bool only_stdin = c->n_args == 1 || (c->n_args == 2 && !strcmp(c->args[1], "-"));
    if (!only_stdin) TRY(join_args(c, &text, f));
    if (isatty(STDIN_FILENO) != 1) {
        if (only_stdin || file_wait_readable(STDIN_FILENO, STDIN_WAIT_MS))
            TRY(file_read_fd(c->arena, STDIN_FILENO, "standard input", TEXT_BYTES_MAX, &piped, f));
        else
            fprintf(stderr,
                    "(nothing came on standard input in %d s: the prompt is the argument "
                    "alone)\n",
                    STDIN_WAIT_MS / 1000);
    }
    if (!text.n)
        text = piped;
    else if (str_trim(piped).n)
        text = arena_printf(c->arena, "%.*s\n\n%.*s", STR_ARG(text), STR_ARG(piped));
    if (!text.p) return fail_memory(f, "a prompt");
    if (!(cli_flag(c, "raw") ? text : str_trim(text)).n) {
        fail_set(f, E_USAGE, "the prompt is empty");
        return fail_hint(f,
                         "bantam run %s \"Why is the sky blue?\"; on a terminal without a prompt "
                         "it is a chat",
                         c->args[0]);
    }
    *out = text;
    return E_OK;
}

/* ---- the command ---- */

static bool is_chat(const cli *c) {
    return c->n_args == 1 && !cli_flag(c, "json") && isatty(STDIN_FILENO) == 1;
}

static err read_options(const cli *c, talk_options *o, int64_t *logprobs, fail *f) {
    if (is_chat(c))
        parameters_init_chat(&o->parameters, (uint64_t)clock_now_ms());
    else
        parameters_init(&o->parameters);
    TRY(parameters_read(&o->parameters, c, f));
    TRY(cli_int(c, "logprobs", -1, 0, ENGINE_TOP_MAX, logprobs, f));
    if (*logprobs >= 0 && !cli_flag(c, "json"))
        return fail_set(f, E_USAGE, "--logprobs needs --json, where they are put");
    o->model = c->args[0];
    o->raw = cli_flag(c, "raw");
    o->verbose = cli_flag(c, "verbose");
    o->system = cli_value(c, "system") ? str_from(cli_value(c, "system")) : STR("");
    if (o->raw && o->system.n)
        return fail_set(f, E_USAGE, "--raw takes the prompt as it is, so --system has no place");
    return E_OK;
}

/* Where nobody said how many tokens, the usual number, or as many as the context holds. */
static err generate(const gen_provider *p, gen_request *rq, gen_sink sink, gen_reply *reply,
                    fail *f) {
    bool usual = !rq->max_tokens;
    if (usual) rq->max_tokens = MAX_TOKENS_DEFAULT;
    err e = p->generate(p->self, rq, sink, reply, f);
    if (e != E_CONTEXT || !usual) return e;
    rq->max_tokens = 0;
    return p->generate(p->self, rq, sink, reply, f);
}

static err answer_once(const cli *c, world *w, const talk_options *o, int64_t logprobs, fail *f) {
    gen_provider p;
    gen_reply reply = {0};
    gen_message messages[2] = {{.role = GEN_SYSTEM, .content = o->system}, {.role = GEN_USER}};
    stream s = {.arena = c->arena, .terminal = isatty(STDOUT_FILENO) == 1};
    bool json = cli_flag(c, "json"), has_template;
    TRY(read_prompt(c, &messages[1].content, f));
    TRY(world_provider(w, str_from(o->model), &p, &has_template, f));
    bool raw = o->raw || !has_template, system = o->system.n > 0 && !raw;
    gen_request rq = {.id = STR("run"),
                      .model = str_from(o->model),
                      .messages = messages + !system,
                      .n_messages = 1 + (size_t)system,
                      .raw = raw,
                      .top_logprobs = (int32_t)logprobs,
                      .gone = stop_gone,
                      .arena = c->arena};
    parameters_use(&o->parameters, &rq);
    if (stop_wanted()) return fail_set(f, E_CANCELLED, "stopped");
    err e = generate(&p, &rq, (gen_sink){&s, json ? NULL : stream_put}, &reply, f);
    if (!json && (e == E_OK || s.text.n)) printf("\n");
    (void)!fflush(stdout); /* before what is said on stderr; out_flush tells of a failure */
    buf_deinit(&s.text);
    if (e == E_CANCELLED && stop_wanted()) fail_set(f, e, "stopped"); /* not "the client left" */
    if (e == E_OK && json) e = print_reply(&reply, logprobs >= 0, f);
    if (e == E_OK && !json && reply.finish == GEN_LENGTH && rq.max_tokens)
        fprintf(stderr, "(stopped at --max-tokens %d)\n", rq.max_tokens);
    else if (e == E_OK && !json && reply.finish == GEN_LENGTH)
        fprintf(stderr, "(the context is full; a larger --ctx or a shorter prompt leaves more)\n");
    if (e == E_OK && o->verbose) stream_print_timings(&reply);
    return e;
}

/* The engine would take what there is without a word. */
static err check_context(const cli *c, world *w, fail *f) {
    world_model *m;
    if (!w->context) return E_OK;
    TRY(world_open_model(w, str_from(c->args[0]), &m, f));
    int64_t context = model_about(world_model_of(m))->context;
    if (w->context <= context) return E_OK;
    fail_set(f, E_CONTEXT, "--ctx %d is above the context of %lld of %s", w->context,
             (long long)context, c->args[0]);
    return fail_hint(f, "leave --ctx out to have all of it");
}

static err run_body(const cli *c, world *w, fail *f) {
    talk_options o = {0};
    int64_t logprobs;
    TRY(read_options(c, &o, &logprobs, f));
    TRY(check_context(c, w, f));
    return is_chat(c) ? talk_run(w, &o, f) : answer_once(c, w, &o, logprobs, f);
}

static err run_run(const cli *c, fail *f) {
    return world_run(c, WORLD_MODELS, run_body, f);
}

static const cli_option options[] = {
    {"system", 0, "TEXT", "what the model is told first", false},
    {"raw", 0, NULL, "take the prompt as it is, without the chat template", false},
    PARAMETERS_OPTIONS,
    {"ctx", 'c', "N", "tokens of prompt and answer together (default: the model's)", false},
    {"lora", 0, "PATH", "an adapter on the model: a PEFT folder or a GGUF file", false},
    {"draft", 0, "MODEL", "a smaller model of the same vocabulary that guesses; same answers",
     false},
    {"logprobs", 0, "K", "with --json: of each token, and of the K likeliest beside it", false},
    {"accept-license", 0, NULL, "accept the own terms of a model that is fetched", false},
    {"verbose", 'v', NULL, "timings behind each answer", false},
    {"kern", 0, "NAME", "numeric kernels (default: the fastest; bantam doctor lists them)", false},
    {"kv", 0, "TYPE", "type of keys and values: f32, f16 or q8 (default f16)", false},
    {"threads", 't', "N", "compute threads (default: the cores there are)", false},
    CLI_JSON_OPTION};

static const cli_verb verbs[] = {
    {"run", "MODEL [PROMPT]", "chat with a small model, or answer one prompt",
     "MODEL is a catalog name (fetched if absent), a GGUF file or a model folder, used where it\n"
     "lies. Without a prompt on a terminal it is a chat: /? lists what can be typed, Ctrl-C stops\n"
     "an answer, Ctrl-D ends; it begins with --temperature 0.7 --top-p 0.9 --repeat-penalty 1.1 "
     "and\n"
     "another seed each time. What comes on standard input stands below the prompt.\n\n"
     "  bantam run smollm2\n"
     "  bantam run smollm2 \"Write a friendly one-line greeting.\"\n"
     "  bantam run smollm2 \"Summarise in one sentence:\" < report.txt\n"
     "  bantam run ./model.gguf --system \"Answer in French.\" --temperature 0.7 --seed 1 "
     "\"Hello\"\n"
     "  bantam run gemma3-270m --raw \"The capital of France is\" -n 20\n\n"
     "Exit codes: 0 answered, 2 bad option or too long for the context, 4 no such model, 6 not\n"
     "possible with this model, 10 network, 130 stopped.\n",
     options, sizeof options / sizeof *options, 1, CLI_ARGS_MAX, run_run},
};

cmd_group cmd_run(void) {
    return (cmd_group){verbs, sizeof verbs / sizeof *verbs};
}
