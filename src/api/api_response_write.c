/* api_response_write.c - the response object and its items, as answered and as kept. */
#include "api/api_chat.h"
#include "api/api_response.h"

#include "base/clock.h"

str api_response_message_id(api_response *r) {
    return arena_printf(r->chat.request.arena, "msg_%s", r->tag);
}

str api_response_thought_id(api_response *r) {
    return arena_printf(r->chat.request.arena, "rs_%s", r->tag);
}

str api_response_call_id(api_response *r, size_t index) {
    return arena_printf(r->chat.request.arena, "fc_%s_%zu", r->tag, index);
}

const char *api_response_status(const gen_exchange *x) {
    return x->reply->finish == GEN_LENGTH ? "incomplete" : "completed";
}

static void put_empty_list(json_writer *w, const char *key) {
    json_key(w, key);
    json_begin_array(w);
    json_end_array(w);
}

void api_response_put_text_logprobs(json_writer *w, const gen_token *tokens, size_t n) {
    json_key(w, "logprobs");
    api_put_token_list(w, tokens, n);
}

void api_response_put_text(api_response *r, json_writer *w, str text, const gen_token *tokens,
                           size_t n) {
    json_begin_object(w);
    json_field_z(w, "type", "output_text");
    put_empty_list(w, "annotations");
    api_response_put_text_logprobs(w, tokens, r->logprobs ? n : 0);
    json_field_str(w, "text", text.p ? text : STR(""));
    json_end_object(w);
}

/* tokens NULL and text .p NULL: without content yet */
void api_response_put_message(api_response *r, json_writer *w, str text, const gen_token *tokens,
                              size_t n_tokens, const char *status) {
    json_begin_object(w);
    json_field_str(w, "id", api_response_message_id(r));
    json_field_z(w, "type", "message");
    json_field_z(w, "status", status);
    json_field_z(w, "role", "assistant");
    json_key(w, "content");
    json_begin_array(w);
    if (text.p) api_response_put_text(r, w, text, tokens, n_tokens);
    json_end_array(w);
    json_end_object(w);
}

void api_response_put_thought_text(json_writer *w, str text) {
    json_begin_object(w);
    json_field_z(w, "type", "reasoning_text");
    json_field_str(w, "text", text);
    json_end_object(w);
}

void api_response_put_thought(api_response *r, json_writer *w, str text, const char *status) {
    json_begin_object(w);
    json_field_str(w, "id", api_response_thought_id(r));
    json_field_z(w, "type", "reasoning");
    json_field_z(w, "status", status);
    put_empty_list(w, "summary");
    json_key(w, "content");
    json_begin_array(w);
    if (text.p) api_response_put_thought_text(w, text);
    json_end_array(w);
    json_end_object(w);
}

void api_response_put_call(api_response *r, json_writer *w, const gen_call *call, size_t index,
                           str arguments, const char *status) {
    json_begin_object(w);
    json_field_str(w, "id", api_response_call_id(r, index));
    json_field_z(w, "type", "function_call");
    json_field_z(w, "status", status);
    json_field_str(w, "call_id", call->id);
    json_field_str(w, "name", call->name);
    json_field_str(w, "arguments", arguments);
    json_end_object(w);
}

/* ---- the object ---- */

static void put_output(api_response *r, json_writer *w, const response_end *end) {
    json_key(w, "output");
    json_begin_array(w);
    if (end->x) {
        const gen_reply *g = end->x->reply;
        const char *status = api_response_status(end->x);
        if (g->reasoning.n) api_response_put_thought(r, w, g->reasoning, status);
        if (end->content.n || !g->n_calls)
            api_response_put_message(r, w, end->content.p ? end->content : STR(""), g->tokens,
                                     g->n_tokens, status);
        for (size_t i = 0; i < g->n_calls; i++)
            api_response_put_call(r, w, &g->calls[i], i, g->calls[i].arguments, status);
    }
    json_end_array(w);
}

static void put_usage(json_writer *w, const gen_reply *g) {
    int64_t known = g->timings.known_tokens > 0 ? g->timings.known_tokens : 0;
    json_key(w, "usage");
    json_begin_object(w);
    json_field_int(w, "input_tokens", g->prompt_tokens);
    json_key(w, "input_tokens_details");
    json_begin_object(w);
    json_field_int(w, "cached_tokens", known);
    json_end_object(w);
    json_field_int(w, "output_tokens", g->completion_tokens);
    json_key(w, "output_tokens_details");
    json_begin_object(w);
    json_field_int(w, "reasoning_tokens", g->reasoning_tokens);
    json_end_object(w);
    json_field_int(w, "total_tokens", g->prompt_tokens + g->completion_tokens);
    json_end_object(w);
}

static void put_error(json_writer *w, const fail *why, const char *code) {
    char text[API_ERROR_TEXT_BYTES];
    json_key(w, "error");
    if (!why) {
        json_put_null(w);
        return;
    }
    api_error_text(why, text, sizeof text);
    json_begin_object(w);
    json_field_z(w, "code", code ? code : "server_error");
    json_field_z(w, "message", text);
    json_end_object(w);
}

/* As it was sent, or as it is understood without. */
static void put_echo(api_response *r, json_writer *w, const char *key, const char *otherwise) {
    const json *v = json_get(r->chat.call->body, key);
    json_key(w, key);
    if (v && v->kind != JSON_NULL)
        json_put_value(w, v);
    else
        json_put_raw(w, str_from(otherwise));
}

static void put_asked(api_response *r, json_writer *w) {
    put_echo(r, w, "instructions", "null");
    put_echo(r, w, "max_output_tokens", "null");
    put_echo(r, w, "max_tool_calls", "null");
    put_echo(r, w, "parallel_tool_calls", "true");
    put_echo(r, w, "previous_response_id", "null");
    put_echo(r, w, "reasoning", "{\"effort\":null,\"summary\":null}");
    put_echo(r, w, "temperature", "1.0");
    put_echo(r, w, "text", "{\"format\":{\"type\":\"text\"}}");
    put_echo(r, w, "tool_choice", "\"auto\"");
    put_echo(r, w, "tools", "[]");
    put_echo(r, w, "top_logprobs", "0");
    put_echo(r, w, "top_p", "1.0");
    put_echo(r, w, "truncation", "\"disabled\"");
    put_echo(r, w, "metadata", "{}");
    put_echo(r, w, "user", "null");
    put_echo(r, w, "safety_identifier", "null");
    put_echo(r, w, "prompt_cache_key", "null");
    put_echo(r, w, "service_tier", "\"default\"");
}

static bool is_over(const char *status) {
    return str_is(STR("completed"), status) || str_is(STR("incomplete"), status);
}

void api_response_put(api_response *r, json_writer *w, const response_end *end) {
    const gen_reply *g = end->x ? end->x->reply : NULL;
    str model = r->chat.request.model;
    json_begin_object(w);
    json_field_str(w, "id", r->id);
    json_field_z(w, "object", "response");
    api_put_seconds(w, "created_at", r->created_ms);
    json_field_z(w, "status", end->status);
    api_put_seconds(w, "completed_at", is_over(end->status) ? clock_now_ms() : 0);
    json_field_bool(w, "background", r->background);
    json_field_bool(w, "store", r->store);
    put_error(w, end->why, end->code);
    json_key(w, "incomplete_details");
    if (g && g->finish == GEN_LENGTH)
        json_put_raw(w, STR("{\"reason\":\"max_output_tokens\"}"));
    else
        json_put_null(w);
    json_field_str(w, "model", g && g->model.n && !r->chat.is_task ? g->model : model);
    put_output(r, w, end);
    put_asked(r, w);
    if (g)
        put_usage(w, g);
    else
        json_field_text(w, "usage", STR_NONE);
    if (end->x) api_chat_put_extension(&r->chat, w, end->x);
    json_end_object(w);
}

err api_response_rewrite(arena *a, str object, const char *status, const fail *why,
                         const char *code, str *out, fail *f) {
    const json *v;
    buf b = {0};
    json_writer w = {.out = &b};
    TRY(json_parse(a, object, &v, f));
    json_begin_object(&w);
    for (size_t i = 0; i < v->count; i++) {
        str key = v->members[i].key;
        if (str_is(key, "status")) {
            json_field_z(&w, "status", status);
        } else if (str_is(key, "error") && why) {
            put_error(&w, why, code);
        } else {
            json_key_str(&w, key);
            json_put_value(&w, &v->members[i].value);
        }
    }
    json_end_object(&w);
    *out = arena_str(a, buf_str(&b));
    bool failed = b.failed || !out->p;
    buf_deinit(&b);
    return failed ? fail_memory(f, "a response") : E_OK;
}
