/* api_response_stream.c - a response as events, each with its sequence_number:
 *
 *     response.created, response.in_progress,
 *     thoughts:   response.output_item.added, response.content_part.added,
 *                 response.reasoning_text.delta ..., response.reasoning_text.done,
 *                 response.content_part.done, response.output_item.done
 *     a message:  response.output_item.added, response.content_part.added,
 *                 response.output_text.delta ..., response.output_text.done,
 *                 response.content_part.done, response.output_item.done
 *     a call:     response.output_item.added, response.function_call_arguments.delta ...,
 *                 response.function_call_arguments.done, response.output_item.done
 *     response.completed | response.incomplete | response.failed
 *
 * The stream begins with the first words, so what fails before them has its own status, unless a
 * comment had to go out first (http_stream_promise): then it is response.failed, too. The last
 * event goes out when the response is on the disk. */
#include "api/api_chat.h"
#include "api/api_response.h"

static void begin_event(api_response *r, json_writer *w, const char *type) {
    buf_reset(&r->chat.call->out);
    *w = (json_writer){.out = &r->chat.call->out};
    json_begin_object(w);
    json_field_z(w, "type", type);
    json_field_int(w, "sequence_number", r->sequence++);
}

static err end_event(api_response *r, json_writer *w, const char *type, fail *f) {
    json_end_object(w);
    TRY(buf_ok(&r->chat.call->out, f));
    return sse_put(r->chat.call->rp, type, buf_str(&r->chat.call->out), f);
}

static err send_response(api_response *r, const char *type, const response_end *end, fail *f) {
    json_writer w;
    begin_event(r, &w, type);
    json_key(&w, "response");
    api_response_put(r, &w, end);
    return end_event(r, &w, type, f);
}

static err begin_stream(api_response *r, fail *f) {
    if (r->chat.begun) return E_OK;
    if (!http_stream_begun(r->chat.call->rp))
        TRY(http_stream_begin(r->chat.call->rp, 200, "text/event-stream", f));
    r->chat.begun = true;
    const response_end running = {.status = "in_progress"};
    TRY(send_response(r, "response.created", &running, f));
    return send_response(r, "response.in_progress", &running, f);
}

/* ---- items ---- */

static const struct {
    const char *delta, *done;
} piece_names[] = {
    [RESPONSE_TEXT] = {"response.output_text.delta", "response.output_text.done"},
    [RESPONSE_CALL] = {"response.function_call_arguments.delta",
                       "response.function_call_arguments.done"},
    [RESPONSE_THOUGHT] = {"response.reasoning_text.delta", "response.reasoning_text.done"}};

static response_block block_of(const gen_event *event) {
    if (event->call) return RESPONSE_CALL;
    return event->thinks ? RESPONSE_THOUGHT : RESPONSE_TEXT;
}

static str open_id(api_response *r) {
    if (r->open == RESPONSE_CALL) return api_response_call_id(r, r->call_index);
    return r->open == RESPONSE_THOUGHT ? api_response_thought_id(r) : api_response_message_id(r);
}

static void put_place(api_response *r, json_writer *w) {
    json_field_str(w, "item_id", open_id(r));
    json_field_int(w, "output_index", (int64_t)r->n_output - 1);
    if (r->open != RESPONSE_CALL) json_field_int(w, "content_index", 0);
}

static err send_item(api_response *r, const char *type, str text, const char *status, fail *f) {
    json_writer w;
    begin_event(r, &w, type);
    json_field_int(&w, "output_index", (int64_t)r->n_output - 1);
    json_key(&w, "item");
    if (r->open == RESPONSE_CALL)
        api_response_put_call(r, &w, r->call, r->call_index, text.p ? text : STR(""), status);
    else if (r->open == RESPONSE_THOUGHT)
        api_response_put_thought(r, &w, text, status);
    else
        api_response_put_message(r, &w, text, NULL, 0, status);
    return end_event(r, &w, type, f);
}

static err send_part(api_response *r, const char *type, str text, fail *f) {
    json_writer w;
    begin_event(r, &w, type);
    put_place(r, &w);
    json_key(&w, "part");
    if (r->open == RESPONSE_THOUGHT)
        api_response_put_thought_text(&w, text);
    else
        api_response_put_text(r, &w, text, NULL, 0);
    return end_event(r, &w, type, f);
}

static err send_piece(api_response *r, const char *type, const char *key, str text,
                      const gen_event *event, fail *f) {
    json_writer w;
    begin_event(r, &w, type);
    put_place(r, &w);
    json_field_str(&w, key, text);
    if (r->open == RESPONSE_TEXT)
        api_response_put_text_logprobs(&w, event ? event->tokens : NULL,
                                       event && r->logprobs ? event->n_tokens : 0);
    else if (r->open == RESPONSE_CALL && !event)
        json_field_str(&w, "name", r->call->name);
    return end_event(r, &w, type, f);
}

static err close_item(api_response *r, const char *status, fail *f) {
    if (r->open == RESPONSE_NONE) return E_OK;
    TRY(buf_ok(&r->text, f));
    str text = r->text.n ? buf_str(&r->text) : STR("");
    if (r->open == RESPONSE_CALL) {
        TRY(send_piece(r, piece_names[r->open].done, "arguments", text, NULL, f));
    } else {
        TRY(send_piece(r, piece_names[r->open].done, "text", text, NULL, f));
        TRY(send_part(r, "response.content_part.done", text, f));
    }
    TRY(send_item(r, "response.output_item.done", text, status, f));
    r->open = RESPONSE_NONE;
    buf_reset(&r->text);
    return E_OK;
}

static err open_item(api_response *r, const gen_event *event, fail *f) {
    TRY(close_item(r, "completed", f));
    r->open = block_of(event);
    r->call = event->call;
    r->call_index = event->call_index;
    r->n_output++;
    TRY(send_item(r, "response.output_item.added", STR_NONE, "in_progress", f));
    return event->call ? E_OK : send_part(r, "response.content_part.added", STR(""), f);
}

static bool fits_open(const api_response *r, const gen_event *event) {
    if (r->open != block_of(event)) return false;
    return !event->call || r->call_index == event->call_index;
}

static err stream_event(void *self, const gen_event *event, fail *f) {
    api_response *r = self;
    TRY(begin_stream(r, f));
    if (!event->text.n && !event->call) return E_OK;
    if (!fits_open(r, event)) TRY(open_item(r, event, f));
    if (!event->text.n) return E_OK;
    buf_put(&r->text, event->text);
    return send_piece(r, piece_names[r->open].delta, "delta", event->text, event, f);
}

/* ---- the end ---- */

static err send_end(api_response *r, const gen_exchange *x, fail *f) {
    api_call *c = r->chat.call;
    response_end end = {.status = api_response_status(x), .x = x};
    TRY(api_chat_content(&r->chat, x, &end.content, f));
    TRY(begin_stream(r, f));
    bool said = r->open == RESPONSE_TEXT || r->open == RESPONSE_CALL || x->reply->n_calls;
    if (r->chat.is_task || !said) TRY(open_item(r, &(gen_event){0}, f));
    if (r->chat.is_task) TRY(stream_event(r, &(gen_event){.text = end.content}, f));
    TRY(close_item(r, end.status, f));
    buf_reset(&c->out);
    json_writer w = {.out = &c->out};
    api_response_put(r, &w, &end);
    TRY(buf_ok(&c->out, f));
    str object = arena_str(c->a, buf_str(&c->out));
    if (!object.p) return fail_memory(f, "a response");
    if (r->store) TRY(api_response_keep(r, &end, object, f));
    const char *type =
        str_is(STR("incomplete"), end.status) ? "response.incomplete" : "response.completed";
    begin_event(r, &w, type);
    json_key(&w, "response");
    json_put_raw(&w, object);
    return end_event(r, &w, type, f);
}

static err send_failed(api_response *r, const fail *why, fail *f) {
    const response_end end = {.status = "failed", .why = why, .code = r->chat.call->code};
    TRY(begin_stream(r, f));
    TRY(send_response(r, "response.failed", &end, f));
    return http_stream_end(r->chat.call->rp, f);
}

err api_response_stream(api_response *r, gen_exchange *x, fail *f) {
    api_call *c = r->chat.call;
    fail why = {0};
    if (!r->chat.is_task) x->sink = (gen_sink){.self = r, .put = stream_event};
    http_stream_promise(c->rp);
    err e = api_run_chat(&r->chat, x, &why);
    if (e == E_OK) e = send_end(r, x, &why);
    buf_deinit(&r->text);
    if (e != E_OK && (e == E_CANCELLED || (!r->chat.begun && !http_stream_begun(c->rp)))) {
        if (f) *f = why;
        return e;
    }
    c->done = true;
    return e == E_OK ? http_stream_end(c->rp, f) : send_failed(r, &why, f);
}
