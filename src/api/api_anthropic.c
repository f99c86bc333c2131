/* api_anthropic.c - POST /v1/messages and /v1/messages/count_tokens: Anthropic's dialect over the
 * same stages as every chat, its answer whole or as events, its errors.
 *
 *     message_start, ping, then for each block content_block_start, content_block_delta ...,
 *     content_block_stop, at last message_delta with the reason and the usage, message_stop
 *
 * A stream begins with its first words, so what fails before them has its own status; what fails
 * later is an event "error". A task's words come after its stages ran. */
#include "api/api_anthropic.h"
#include "api/api_chat.h"
#include "api/api_routes.h"

#include "base/clock.h"

/* ---- errors ---- */

static const char *error_type(int status) {
    static const struct {
        int status;
        const char *type;
    } rows[] = {{401, "authentication_error"}, {403, "permission_error"}, {404, "not_found_error"},
                {413, "request_too_large"},    {429, "rate_limit_error"}, {503, "overloaded_error"},
                {504, "timeout_error"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].status == status) return rows[i].type;
    return status >= 500 ? "api_error" : "invalid_request_error";
}

static void put_error(api_call *c, const fail *f, int status) {
    char text[API_ERROR_TEXT_BYTES];
    api_error_text(f, text, sizeof text);
    json_begin_object(&c->w);
    json_field_z(&c->w, "type", "error");
    json_key(&c->w, "error");
    json_begin_object(&c->w);
    json_field_z(&c->w, "type", error_type(status));
    json_field_z(&c->w, "message", text);
    json_end_object(&c->w);
    json_field_z(&c->w, "request_id", c->rq->id);
    json_end_object(&c->w);
}

static err put_last(api_call *c, fail *f) {
    return sse_put(c->rp, "error", buf_str(&c->out), f);
}

const api_dialect api_anthropic = {.prefix = "/v1/messages",
                                   .id_header = "request-id",
                                   .put_error = put_error,
                                   .put_last = put_last};

/* ---- what an answer says ---- */

static const char *stop_reason(const gen_reply *r) {
    if (r->finish == GEN_CALLS) return "tool_use";
    if (r->finish == GEN_LENGTH) return "max_tokens";
    return r->stop.n ? "stop_sequence" : "end_turn";
}

static void put_end(json_writer *w, const gen_reply *r) {
    json_field_z(w, "stop_reason", stop_reason(r));
    json_field_text(w, "stop_sequence", r->finish == GEN_STOP ? r->stop : STR_NONE);
}

/* known: of the prompt's tokens, how many were computed before; -1 = not said. */
static void put_usage(json_writer *w, int64_t prompt, int64_t known, int64_t made) {
    if (known < 0 || known > prompt) known = 0;
    json_key(w, "usage");
    json_begin_object(w);
    json_field_int(w, "input_tokens", prompt - known);
    json_field_int(w, "cache_creation_input_tokens", 0);
    json_field_int(w, "cache_read_input_tokens", known);
    json_field_int(w, "output_tokens", made);
    json_end_object(w);
}

static void put_head(anthropic_chat *m, json_writer *w) {
    json_field_text(w, "id", m->chat.id);
    json_field_z(w, "type", "message");
    json_field_z(w, "role", "assistant");
    json_field_text(w, "model", m->chat.request.model);
}

static void put_call(api_call *c, json_writer *w, const gen_call *call) {
    json_begin_object(w);
    json_field_z(w, "type", "tool_use");
    json_field_text(w, "id", call->id);
    json_field_text(w, "name", call->name);
    json_key(w, "input");
    api_put_json_text(c, w, call->arguments);
    json_end_object(w);
}

static void put_text(json_writer *w, str text) {
    json_begin_object(w);
    json_field_z(w, "type", "text");
    json_field_str(w, "text", text);
    json_end_object(w);
}

/* Anthropic signs its thoughts; ours need none to come back. */
static void put_thought(json_writer *w, str text) {
    json_begin_object(w);
    json_field_z(w, "type", "thinking");
    json_field_str(w, "thinking", text);
    json_field_str(w, "signature", STR(""));
    json_end_object(w);
}

static void put_content(api_call *c, json_writer *w, str text, const gen_reply *r) {
    json_key(w, "content");
    json_begin_array(w);
    if (r->reasoning.n) put_thought(w, r->reasoning);
    if (text.n) put_text(w, text);
    for (size_t i = 0; i < r->n_calls; i++) put_call(c, w, &r->calls[i]);
    json_end_array(w);
}

/* ---- whole ---- */

static err answer_whole(anthropic_chat *m, gen_exchange *x, fail *f) {
    json_writer *w = &m->chat.call->w;
    const gen_reply *r = x->reply;
    str text;
    TRY(api_run_chat(&m->chat, x, f));
    TRY(api_chat_content(&m->chat, x, &text, f));
    json_begin_object(w);
    put_head(m, w);
    put_content(m->chat.call, w, text, r);
    put_end(w, r);
    put_usage(w, r->prompt_tokens, r->timings.known_tokens, r->completion_tokens);
    api_chat_put_extension(&m->chat, w, x);
    json_end_object(w);
    return E_OK;
}

/* ---- streamed ---- */

static void begin_event(anthropic_chat *m, json_writer *w, const char *type) {
    buf_reset(&m->chat.call->out);
    *w = (json_writer){.out = &m->chat.call->out};
    json_begin_object(w);
    json_field_z(w, "type", type);
}

static err end_event(anthropic_chat *m, json_writer *w, const char *type, fail *f) {
    json_end_object(w);
    TRY(buf_ok(&m->chat.call->out, f));
    return sse_put(m->chat.call->rp, type, buf_str(&m->chat.call->out), f);
}

static err send_start(anthropic_chat *m, int64_t prompt_tokens, fail *f) {
    json_writer w;
    begin_event(m, &w, "message_start");
    json_key(&w, "message");
    json_begin_object(&w);
    put_head(m, &w);
    put_content(m->chat.call, &w, STR(""), &(gen_reply){0});
    json_field_text(&w, "stop_reason", STR_NONE);
    json_field_text(&w, "stop_sequence", STR_NONE);
    put_usage(&w, prompt_tokens, -1, 0);
    json_end_object(&w);
    TRY(end_event(m, &w, "message_start", f));
    begin_event(m, &w, "ping");
    return end_event(m, &w, "ping", f);
}

static err begin_stream(anthropic_chat *m, int64_t prompt_tokens, fail *f) {
    if (m->chat.begun) return E_OK;
    TRY(http_stream_begin(m->chat.call->rp, 200, "text/event-stream", f));
    m->chat.begun = true;
    return send_start(m, prompt_tokens, f);
}

static err close_block(anthropic_chat *m, fail *f) {
    json_writer w;
    if (m->open == ANTHROPIC_NONE) return E_OK;
    begin_event(m, &w, "content_block_stop");
    json_field_int(&w, "index", (int64_t)m->index);
    m->open = ANTHROPIC_NONE;
    m->index++;
    return end_event(m, &w, "content_block_stop", f);
}

static anthropic_block block_of(const gen_event *event) {
    if (event->call) return ANTHROPIC_CALL;
    return event->thinks ? ANTHROPIC_THOUGHT : ANTHROPIC_TEXT;
}

static err open_block(anthropic_chat *m, const gen_event *event, fail *f) {
    json_writer w;
    TRY(close_block(m, f));
    m->open = block_of(event);
    m->call_index = event->call_index;
    begin_event(m, &w, "content_block_start");
    json_field_int(&w, "index", (int64_t)m->index);
    json_key(&w, "content_block");
    if (event->call)
        put_call(m->chat.call, &w, &(gen_call){.id = event->call->id, .name = event->call->name});
    else if (event->thinks)
        put_thought(&w, STR(""));
    else
        put_text(&w, STR(""));
    return end_event(m, &w, "content_block_start", f);
}

static err send_delta(anthropic_chat *m, const gen_event *event, fail *f) {
    static const char *const types[] = {[ANTHROPIC_TEXT] = "text_delta",
                                        [ANTHROPIC_CALL] = "input_json_delta",
                                        [ANTHROPIC_THOUGHT] = "thinking_delta"};
    static const char *const keys[] = {[ANTHROPIC_TEXT] = "text",
                                       [ANTHROPIC_CALL] = "partial_json",
                                       [ANTHROPIC_THOUGHT] = "thinking"};
    json_writer w;
    begin_event(m, &w, "content_block_delta");
    json_field_int(&w, "index", (int64_t)m->index);
    json_key(&w, "delta");
    json_begin_object(&w);
    json_field_z(&w, "type", types[m->open]);
    json_field_str(&w, keys[m->open], event->text);
    json_end_object(&w);
    return end_event(m, &w, "content_block_delta", f);
}

static bool fits_open(const anthropic_chat *m, const gen_event *event) {
    if (m->open != block_of(event)) return false;
    return !event->call || m->call_index == event->call_index;
}

static err stream_event(void *self, const gen_event *event, fail *f) {
    anthropic_chat *m = self;
    TRY(begin_stream(m, event->prompt_tokens, f));
    if (!event->text.n && !event->call) return E_OK;
    if (!fits_open(m, event)) TRY(open_block(m, event, f));
    return event->text.n ? send_delta(m, event, f) : E_OK;
}

static err send_end(anthropic_chat *m, const gen_exchange *x, fail *f) {
    json_writer w;
    const gen_reply *r = x->reply;
    begin_event(m, &w, "message_delta");
    json_key(&w, "delta");
    json_begin_object(&w);
    put_end(&w, r);
    json_end_object(&w);
    put_usage(&w, r->prompt_tokens, r->timings.known_tokens, r->completion_tokens);
    api_chat_put_extension(&m->chat, &w, x);
    TRY(end_event(m, &w, "message_delta", f));
    begin_event(m, &w, "message_stop");
    return end_event(m, &w, "message_stop", f);
}

static err answer_stream(anthropic_chat *m, gen_exchange *x, fail *f) {
    api_call *c = m->chat.call;
    str text;
    if (!m->chat.is_task) x->sink = (gen_sink){.self = m, .put = stream_event};
    http_stream_promise(c->rp);
    TRY(api_run_chat(&m->chat, x, f));
    TRY(begin_stream(m, x->reply->prompt_tokens, f));
    if (m->chat.is_task) {
        TRY(api_chat_content(&m->chat, x, &text, f));
        TRY(stream_event(m, &(gen_event){.text = text}, f));
    }
    TRY(close_block(m, f));
    TRY(send_end(m, x, f));
    c->done = true;
    return http_stream_end(c->rp, f);
}

/* ---- routes ---- */

err api_messages(api_call *c, fail *f) {
    anthropic_chat m = {.chat = {.call = c}};
    gen_reply reply = {0};
    TRY(api_anthropic_read(c, &m, f));
    m.chat.at_s = clock_now_ms() / 1000;
    m.chat.id = arena_printf(c->a, "msg_%s", c->rq->id);
    if (!m.chat.id.p) return fail_memory(f, "an answer");
    gen_exchange x = {.request = &m.chat.request, .reply = &reply};
    return m.chat.stream ? answer_stream(&m, &x, f) : answer_whole(&m, &x, f);
}

err api_messages_count(api_call *c, fail *f) {
    anthropic_chat m = {.chat = {.call = c}, .counting = true};
    int64_t tokens = 0;
    TRY(api_anthropic_read(c, &m, f));
    TRY(api_count_tokens(&m.chat, &tokens, f));
    json_begin_object(&c->w);
    json_field_int(&c->w, "input_tokens", tokens);
    json_end_object(&c->w);
    return E_OK;
}
