/* api_ollama.c - POST /api/chat and /api/generate: Ollama's dialect over the same stages as every
 * chat. A stream is one JSON object a line; the last has "done": true with the reason and the times
 * in nanoseconds. Calls come as one line, whole. What fails before the first word has its own
 * status; later the last line is {"error"}. A task's words come after its stages ran.
 *
 *     load_duration          loading the model
 *     prompt_eval_duration   from then to the first token, waiting included
 *     eval_duration          from there to the last
 *     total_duration         from the request's head to its answer */
#include "api/api_ollama.h"
#include "api/api_chat.h"
#include "api/api_routes.h"

#include "base/clock.h"

#include <math.h>

#define NDJSON "application/x-ndjson"

/* ---- errors ---- */

static void put_error(api_call *c, const fail *f, int status) {
    char text[API_ERROR_TEXT_BYTES];
    (void)status;
    api_error_text(f, text, sizeof text);
    json_begin_object(&c->w);
    json_field_z(&c->w, "error", text);
    json_end_object(&c->w);
}

static err put_last(api_call *c, fail *f) {
    buf_put_char(&c->out, '\n');
    return http_stream_put(c->rp, buf_str(&c->out), f);
}

const api_dialect api_ollama = {
    .prefix = "/api/", .any_type = true, .put_error = put_error, .put_last = put_last};

/* ---- what an answer says ---- */

static void put_calls(api_call *c, json_writer *w, const gen_call *calls, size_t n) {
    json_key(w, "tool_calls");
    json_begin_array(w);
    for (size_t i = 0; i < n; i++) {
        json_begin_object(w);
        json_field_text(w, "id", calls[i].id);
        json_key(w, "function");
        json_begin_object(w);
        json_field_int(w, "index", (int64_t)i);
        json_field_text(w, "name", calls[i].name);
        json_key(w, "arguments");
        api_put_json_text(c, w, calls[i].arguments);
        json_end_object(w);
        json_end_object(w);
    }
    json_end_array(w);
}

static void put_logprobs(json_writer *w, const gen_token *tokens, size_t n) {
    if (!tokens || !n) return;
    json_key(w, "logprobs");
    api_put_token_list(w, tokens, n);
}

/* Head and words, of them what was thought; the object is left open. */
static void put_words(ollama_chat *m, json_writer *w, str text, str thought, const gen_call *calls,
                      size_t n) {
    json_begin_object(w);
    json_field_text(w, "model", m->asked);
    api_ollama_put_now(w, "created_at");
    if (m->generates) {
        json_field_str(w, "response", text.p ? text : STR(""));
        if (thought.n) json_field_str(w, "thinking", thought);
        return;
    }
    json_key(w, "message");
    json_begin_object(w);
    json_field_z(w, "role", "assistant");
    json_field_str(w, "content", text.p ? text : STR(""));
    if (thought.n) json_field_str(w, "thinking", thought);
    if (n) put_calls(m->chat.call, w, calls, n);
    json_end_object(w);
}

static void put_done(ollama_chat *m, json_writer *w, const gen_exchange *x) {
    const gen_reply *r = x->reply;
    double first_ns = r->timings.first_token_ms * 1e6;
    if (!isfinite(first_ns) || first_ns < 0) first_ns = 0;
    if (first_ns > (double)m->run_ns) first_ns = (double)m->run_ns;
    json_field_bool(w, "done", true);
    json_field_z(w, "done_reason", r->finish == GEN_LENGTH ? "length" : "stop");
    json_field_int(w, "total_duration", clock_mono_ns() - m->chat.call->rq->start_ns);
    json_field_int(w, "load_duration", m->load_ns);
    json_field_int(w, "prompt_eval_count", r->prompt_tokens);
    json_field_int(w, "prompt_eval_duration", (int64_t)first_ns);
    json_field_int(w, "eval_count", r->completion_tokens);
    json_field_int(w, "eval_duration", m->run_ns - (int64_t)first_ns);
    api_chat_put_extension(&m->chat, w, x);
    json_end_object(w);
}

static err run(ollama_chat *m, gen_exchange *x, fail *f) {
    int64_t start_ns = clock_mono_ns();
    TRY(api_run_chat(&m->chat, x, f));
    m->run_ns = clock_mono_ns() - start_ns;
    return E_OK;
}

/* ---- whole ---- */

static err answer_whole(ollama_chat *m, gen_exchange *x, fail *f) {
    json_writer *w = &m->chat.call->w;
    str text;
    TRY(run(m, x, f));
    TRY(api_chat_content(&m->chat, x, &text, f));
    put_words(m, w, text, x->reply->reasoning, x->reply->calls, x->reply->n_calls);
    if (m->chat.request.top_logprobs >= 0) put_logprobs(w, x->reply->tokens, x->reply->n_tokens);
    put_done(m, w, x);
    return E_OK;
}

/* ---- streamed ---- */

static void begin_line(ollama_chat *m, json_writer *w) {
    buf_reset(&m->chat.call->out);
    *w = (json_writer){.out = &m->chat.call->out};
}

static err send_line(ollama_chat *m, fail *f) {
    api_call *c = m->chat.call;
    buf_put_char(&c->out, '\n');
    TRY(buf_ok(&c->out, f));
    if (!m->chat.begun) TRY(http_stream_begin(c->rp, 200, NDJSON, f));
    m->chat.begun = true;
    return http_stream_put(c->rp, buf_str(&c->out), f);
}

static err stream_event(void *self, const gen_event *event, fail *f) {
    ollama_chat *m = self;
    json_writer w;
    bool logprobs = m->chat.request.top_logprobs >= 0 && event->n_tokens && !event->call;
    if (event->call || (!event->text.n && !logprobs)) return E_OK; /* calls: when they are whole */
    begin_line(m, &w);
    put_words(m, &w, event->thinks ? STR("") : event->text, event->thinks ? event->text : STR(""),
              NULL, 0);
    json_field_bool(&w, "done", false);
    if (logprobs) put_logprobs(&w, event->tokens, event->n_tokens);
    json_end_object(&w);
    return send_line(m, f);
}

static err send_calls(ollama_chat *m, const gen_reply *r, fail *f) {
    json_writer w;
    if (!r->n_calls) return E_OK;
    begin_line(m, &w);
    put_words(m, &w, STR(""), STR(""), r->calls, r->n_calls);
    json_field_bool(&w, "done", false);
    json_end_object(&w);
    return send_line(m, f);
}

static err answer_stream(ollama_chat *m, gen_exchange *x, fail *f) {
    json_writer w;
    str text;
    if (!m->chat.is_task) x->sink = (gen_sink){.self = m, .put = stream_event};
    TRY(run(m, x, f));
    if (m->chat.is_task) {
        TRY(api_chat_content(&m->chat, x, &text, f));
        TRY(stream_event(m, &(gen_event){.text = text}, f));
    }
    TRY(send_calls(m, x->reply, f));
    begin_line(m, &w);
    put_words(m, &w, STR(""), STR(""), NULL, 0);
    put_done(m, &w, x);
    TRY(send_line(m, f));
    m->chat.call->done = true;
    return http_stream_end(m->chat.call->rp, f);
}

/* ---- nothing asked ---- */

static err answer_empty(ollama_chat *m, fail *f) {
    api_call *c = m->chat.call;
    bool unload = m->keep.said && m->keep.ms == 0;
    TRY(api_read_admission(c, &m->chat.request, f)); /* checked, though nothing is admitted */
    if (!unload) TRY(api_ollama_load(c, m->chat.request.model, &m->load_ns, f));
    TRY(api_ollama_settle(c, m->chat.request.model, &m->keep, f));
    put_words(m, &c->w, STR(""), STR(""), NULL, 0);
    json_field_bool(&c->w, "done", true);
    json_field_z(&c->w, "done_reason", unload ? "unload" : "load");
    json_end_object(&c->w);
    return E_OK;
}

/* ---- routes ---- */

static err answer(ollama_chat *m, fail *f) {
    api_call *c = m->chat.call;
    gen_reply reply = {0};
    m->chat.at_s = clock_now_ms() / 1000;
    m->chat.id = m->chat.request.id;
    if (m->empty) return answer_empty(m, f);
    TRY(api_ollama_load(c, m->chat.request.model, &m->load_ns, f));
    str model = m->chat.request.model; /* a run may put another name there */
    gen_exchange x = {.request = &m->chat.request, .reply = &reply};
    TRY(m->chat.stream ? answer_stream(m, &x, f) : answer_whole(m, &x, f));
    err kept = api_ollama_settle(c, model, &m->keep, f);
    return c->done ? E_OK : kept; /* a stream that has ended says no more */
}

err api_ollama_chat(api_call *c, fail *f) {
    ollama_chat m = {.chat = {.call = c, .n = 1}};
    TRY(api_ollama_read_chat(c, &m, f));
    return answer(&m, f);
}

err api_ollama_generate(api_call *c, fail *f) {
    ollama_chat m = {.chat = {.call = c, .n = 1}};
    TRY(api_ollama_read_generate(c, &m, f));
    return answer(&m, f);
}
