/* talk.c - see talk.h. */
#include "app/talk.h"

#include "app/out.h"
#include "app/stop.h"
#include "app/stream.h"

#include <stdio.h>
#include <unistd.h>

/* ---- turns ---- */

/* System text and turns; without a template the last text alone. */
static err fill_request(const talk *t, arena *a, gen_request *rq, fail *f) {
    bool plain = t->raw || !t->has_template;
    gen_message *all = arena_new_n(a, gen_message, t->n + 1);
    if (!all) return fail_memory(f, "the conversation");
    size_t n = 0;
    if (t->system.n && !plain) all[n++] = (gen_message){.role = GEN_SYSTEM, .content = t->system};
    for (size_t i = plain ? t->n - 1 : 0; i < t->n; i++) all[n++] = t->messages[i];
    *rq = (gen_request){.id = STR("run"),
                        .model = t->model,
                        .messages = all,
                        .n_messages = n,
                        .raw = plain,
                        .top_logprobs = -1,
                        .gone = stop_gone,
                        .arena = a};
    parameters_use(&t->parameters, rq);
    rq->sampling.seed += t->n; /* another turn, another draw; the same chat, the same answers */
    return E_OK;
}

static void say(const char *text) {
    fprintf(stderr, "%s%s%s\n", out_err_dim(), text, out_err_plain());
}

static void say_ending(const talk *t, const gen_reply *r) {
    char text[160];
    if (r->finish != GEN_LENGTH) return;
    if (t->parameters.max_tokens && r->completion_tokens >= t->parameters.max_tokens)
        snprintf(text, sizeof text, "(stopped at num_predict %lld)",
                 (long long)t->parameters.max_tokens);
    else
        snprintf(text, sizeof text,
                 "(the context of %d tokens is full; /clear begins a new conversation)",
                 gen_local_context(t->local));
    say(text);
}

/* The answer to the turn that was added last. */
static err answer(talk *t, arena *a, fail *f) {
    gen_request rq;
    gen_reply reply = {0};
    stream s = {.arena = a, .terminal = isatty(STDOUT_FILENO) == 1};
    TRY(fill_request(t, a, &rq, f));
    err e = t->provider.generate(t->provider.self, &rq, (gen_sink){&s, stream_put}, &reply, f);
    if (s.text.n || e == E_OK) printf("\n");
    if (e == E_CANCELLED && stop_wanted() && !stop_is_term()) {
        stop_forget();
        say("(stopped)");
        e = E_OK;
    } else if (e == E_CANCELLED && stop_wanted()) {
        fail_set(f, e, "stopped");
    } else if (e == E_OK) {
        say_ending(t, &reply);
        if (t->verbose) stream_print_timings(&reply);
    }
    if (e == E_OK) e = talk_add(t, GEN_ASSISTANT, buf_str(&s.text), f);
    buf_deinit(&s.text);
    return e;
}

/* One question. What cannot be answered is said and taken back; only SIGTERM ends the program. */
static err ask(talk *t, str text, fail *f) {
    arena a;
    fail own = {0};
    size_t before = t->n;
    arena_init(&a, 0);
    err e = talk_add(t, GEN_USER, text, &own);
    if (e == E_OK) e = answer(t, &a, &own);
    if (e == E_CONTEXT)
        fail_hint(&own, "/clear begins a new conversation; /set parameter num_predict N asks for "
                        "less; --ctx and the model bound what fits");
    if (e != E_OK) t->n = before;
    arena_deinit(&a);
    if (e == E_OK) return out_flush(f);
    if (e == E_CANCELLED) {
        *f = own;
        return e;
    }
    out_fail(&own);
    return E_OK;
}

/* ---- reading ---- */

static bool is_open_quote(str text) {
    return str_starts(text, STR("\"\"\""));
}

/* The lines up to one that ends with """. false: it was broken off. */
static bool read_block(talk *t, arena *a, str first, str *out) {
    str rest = str_slice(first, 3, first.n), whole = STR("");
    for (;;) {
        bool closed = str_ends(rest, STR("\"\"\""));
        if (closed) rest.n -= 3;
        bool add_break = whole.n > 0;
        whole = arena_printf(a, "%.*s%s%.*s", STR_ARG(whole), add_break ? "\n" : "", STR_ARG(rest));
        if (closed || !whole.p) break;
        if (line_read(t->line, a, "... ", &rest) != LINE_READ) return false;
    }
    *out = whole;
    return whole.p != NULL;
}

static err take_line(talk *t, arena *a, str text, bool *ends, fail *f) {
    str block;
    str trimmed = str_trim(text);
    if (!trimmed.n) return E_OK;
    if (trimmed.p[0] == '/') {
        fail own = {0};
        err e = talk_command(t, trimmed, ends, &own);
        if (e != E_OK) out_fail(&own);
        return out_flush(f);
    }
    if (!is_open_quote(trimmed)) return ask(t, text, f);
    return read_block(t, a, trimmed, &block) && block.n ? ask(t, block, f) : E_OK;
}

static err converse(talk *t, fail *f) {
    bool ends = false;
    while (!ends) {
        arena a;
        str text;
        arena_init(&a, 0);
        line_end how = line_read(t->line, &a, ">>> ", &text);
        err e = how == LINE_READ ? take_line(t, &a, text, &ends, f) : E_OK;
        arena_deinit(&a);
        if (e != E_OK) return e;
        if (stop_is_term()) return fail_set(f, E_CANCELLED, "stopped");
        if (stop_wanted()) stop_forget();
        if (how == LINE_INTERRUPTED) say("(Ctrl-D or /bye ends the chat)");
        ends = ends || how == LINE_EOF;
    }
    return E_OK;
}

/* ---- the whole ---- */

static void greet(const talk *t) {
    char text[200];
    snprintf(text, sizeof text,
             "%.*s, %d tokens of context. /? lists what can be typed; Ctrl-D ends.",
             STR_ARG(str_slice(t->model, 0, 80)), gen_local_context(t->local));
    say(text);
    if (!t->has_template)
        say("This model has no chat template: each text is gone on with as it stands.");
}

err talk_run(world *w, const talk_options *o, fail *f) {
    talk t = {.w = w, .raw = o->raw, .verbose = o->verbose, .system = o->system};
    str history = arena_printf(&w->arena, "%s/history", w->home.dir);
    t.parameters = o->parameters;
    arena_init(&t.session, 0);
    arena_init(&t.conversation, 0);
    err e = talk_take_model(&t, str_from(o->model), f);
    if (e == E_OK && stop_wanted()) e = fail_set(f, E_CANCELLED, "stopped");
    if (e == E_OK) e = line_open(&t.line, history.p, f);
    if (e == E_OK) {
        stop_be_patient();
        greet(&t);
        e = converse(&t, f);
    }
    line_close(t.line);
    arena_deinit(&t.conversation);
    arena_deinit(&t.session);
    return e;
}
