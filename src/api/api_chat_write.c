/* api_chat_write.c - a chat's answer in OpenAI's shape: whole, or as chunks of a stream. */
#include "api/api_chat.h"

#include <math.h>
#include <stdio.h>

/* ---- parts ---- */

static void put_details(json_writer *w, const gen_reply *r) {
    json_key(w, "prompt_tokens_details");
    json_begin_object(w);
    json_field_int(w, "cached_tokens", r->timings.known_tokens > 0 ? r->timings.known_tokens : 0);
    json_field_int(w, "audio_tokens", 0);
    json_end_object(w);
    json_key(w, "completion_tokens_details");
    json_begin_object(w);
    json_field_int(w, "reasoning_tokens", r->reasoning_tokens);
    json_field_int(w, "audio_tokens", 0);
    json_field_int(w, "accepted_prediction_tokens", 0);
    json_field_int(w, "rejected_prediction_tokens", 0);
    json_end_object(w);
}

void api_put_usage(json_writer *w, const gen_reply *r) {
    json_key(w, "usage");
    json_begin_object(w);
    json_field_int(w, "prompt_tokens", r->prompt_tokens);
    json_field_int(w, "completion_tokens", r->completion_tokens);
    json_field_int(w, "total_tokens", r->prompt_tokens + r->completion_tokens);
    put_details(w, r);
    json_end_object(w);
}

/* n tokens at a rate: how many milliseconds all of them and each took. */
static void put_pace(json_writer *w, const char *const names[4], int64_t n, double tok_s) {
    bool known = tok_s > 0;
    double each = known ? 1000 / tok_s : (double)NAN;
    json_field_int(w, names[0], n);
    json_field_double(w, names[1], each * (double)n);
    json_field_double(w, names[2], each);
    json_field_double(w, names[3], known ? tok_s : (double)NAN);
}

void api_put_timings(json_writer *w, const gen_reply *r) {
    static const char *const prompt[] = {"prompt_n", "prompt_ms", "prompt_per_token_ms",
                                         "prompt_per_second"};
    static const char *const made[] = {"predicted_n", "predicted_ms", "predicted_per_token_ms",
                                       "predicted_per_second"};
    int64_t known = r->timings.known_tokens > 0 ? r->timings.known_tokens : 0;
    json_key(w, "timings");
    json_begin_object(w);
    json_field_int(w, "cache_n", known);
    put_pace(w, prompt, r->prompt_tokens - known, r->timings.prefill_tok_s);
    put_pace(w, made, r->completion_tokens, r->timings.decode_tok_s);
    json_field_double(w, "first_token_ms", r->timings.first_token_ms);
    json_end_object(w);
}

static void put_logprob(json_writer *w, const gen_logprob *p) {
    json_field_text(w, "token", p->bytes);
    json_field_double(w, "logprob", p->logprob);
    json_key(w, "bytes");
    json_begin_array(w);
    for (size_t i = 0; i < p->bytes.n; i++) json_put_int(w, (unsigned char)p->bytes.p[i]);
    json_end_array(w);
}

void api_put_token_list(json_writer *w, const gen_token *tokens, size_t n) {
    json_begin_array(w);
    for (size_t i = 0; i < n; i++) {
        json_begin_object(w);
        put_logprob(w, &tokens[i].chosen);
        json_key(w, "top_logprobs");
        json_begin_array(w);
        for (int32_t k = 0; k < tokens[i].n_top; k++) {
            json_begin_object(w);
            put_logprob(w, &tokens[i].top[k]);
            json_end_object(w);
        }
        json_end_array(w);
        json_end_object(w);
    }
    json_end_array(w);
}

void api_put_logprobs(json_writer *w, const gen_token *tokens, size_t n) {
    json_key(w, "logprobs");
    if (!tokens) {
        json_put_null(w);
        return;
    }
    json_begin_object(w);
    json_key(w, "content");
    api_put_token_list(w, tokens, n);
    json_field_text(w, "refusal", STR_NONE);
    json_end_object(w);
}

static const char *finish_name(const api_chat *chat, gen_finish x) {
    if (x == GEN_CALLS) return chat->legacy ? "function_call" : "tool_calls";
    return x == GEN_LENGTH ? "length" : "stop";
}

static void put_function(json_writer *w, str name, str arguments) {
    json_begin_object(w);
    if (name.p) json_field_str(w, "name", name);
    json_field_str(w, "arguments", arguments);
    json_end_object(w);
}

static void put_calls(const api_chat *chat, json_writer *w, const gen_reply *r) {
    if (!r->n_calls) return;
    json_key(w, chat->legacy ? "function_call" : "tool_calls");
    if (chat->legacy) {
        put_function(w, r->calls[0].name, r->calls[0].arguments);
        return;
    }
    json_begin_array(w);
    for (size_t i = 0; i < r->n_calls; i++) {
        json_begin_object(w);
        json_field_str(w, "id", r->calls[i].id);
        json_field_z(w, "type", "function");
        json_key(w, "function");
        put_function(w, r->calls[i].name, r->calls[i].arguments);
        json_end_object(w);
    }
    json_end_array(w);
}

/* Which build and model answered: equal ones give equal words for equal seeds. */
static void put_fingerprint(api_chat *chat, json_writer *w) {
    str build = chat->call->api->o.build;
    uint64_t hash = str_hash(build) * 31 + str_hash(chat->request.model);
    char text[16] = "";
    snprintf(text, sizeof text, "fp_%010llx", (unsigned long long)(hash & 0xffffffffffull));
    json_field_text(w, "system_fingerprint", build.n ? str_from(text) : STR_NONE);
}

static void put_head(api_chat *chat, json_writer *w, const char *object, const gen_reply *r) {
    json_field_text(w, "id", chat->id);
    json_field_z(w, "object", object);
    json_field_int(w, "created", chat->at_s);
    json_field_text(w, "model", r && r->model.n && !chat->is_task ? r->model : chat->request.model);
    put_fingerprint(chat, w);
}

/* ---- whole ---- */

static void put_whole_choice(api_chat *chat, json_writer *w, const gen_reply *r, str content) {
    json_begin_object(w);
    json_field_int(w, "index", chat->index);
    json_key(w, "message");
    json_begin_object(w);
    json_field_z(w, "role", "assistant");
    json_key(w, "content");
    if (r->n_calls && !content.n)
        json_put_null(w);
    else
        json_put_str(w, content.p ? content : STR(""));
    json_field_text(w, "refusal", STR_NONE);
    if (r->reasoning.n) json_field_str(w, "reasoning_content", r->reasoning);
    put_calls(chat, w, r);
    json_end_object(w);
    api_put_logprobs(w, chat->request.top_logprobs >= 0 ? r->tokens : NULL, r->n_tokens);
    json_field_z(w, "finish_reason", finish_name(chat, r->finish));
    json_end_object(w);
}

void api_chat_put_whole(json_writer *w, const api_said *said, size_t n, const gen_reply *sum) {
    json_begin_object(w);
    put_head(said->chat, w, "chat.completion", said->x->reply);
    json_key(w, "choices");
    json_begin_array(w);
    for (size_t i = 0; i < n; i++)
        put_whole_choice(said[i].chat, w, said[i].x->reply, said[i].content);
    json_end_array(w);
    api_put_usage(w, sum);
    if (!said->chat->is_task) api_put_timings(w, said->x->reply);
    api_chat_put_extension(said->chat, w, said->x);
    json_end_object(w);
}

/* ---- chunks ---- */

static void begin_chunk(api_chat *chat, json_writer *w) {
    buf_reset(&chat->call->out);
    *w = (json_writer){.out = &chat->call->out};
    json_begin_object(w);
    put_head(chat, w, "chat.completion.chunk", NULL);
    json_key(w, "choices");
    json_begin_array(w);
}

static void begin_choice(api_chat *chat, json_writer *w) {
    begin_chunk(chat, w);
    json_begin_object(w);
    json_field_int(w, "index", chat->index);
    json_key(w, "delta");
    json_begin_object(w);
}

/* finish NULL: more follows */
static void end_choice(api_chat *chat, json_writer *w, const gen_event *event, const char *finish) {
    json_end_object(w);
    api_put_logprobs(w, chat->request.top_logprobs >= 0 && event ? event->tokens : NULL,
                     event ? event->n_tokens : 0);
    json_field_z(w, "finish_reason", finish);
    json_end_object(w);
    json_end_array(w);
    if (chat->include_usage) json_field_text(w, "usage", STR_NONE);
}

static err end_chunk(api_chat *chat, json_writer *w, fail *f) {
    json_end_object(w);
    TRY(buf_ok(&chat->call->out, f));
    return sse_put(chat->call->rp, NULL, buf_str(&chat->call->out), f);
}

err api_chat_send_role(api_chat *chat, fail *f) {
    json_writer w;
    begin_choice(chat, &w);
    json_field_z(&w, "role", "assistant");
    json_field_str(&w, "content", STR(""));
    end_choice(chat, &w, NULL, NULL);
    return end_chunk(chat, &w, f);
}

static void put_call_delta(const api_chat *chat, json_writer *w, const gen_event *event) {
    str name = event->call_begins ? event->call->name : STR_NONE;
    json_key(w, chat->legacy ? "function_call" : "tool_calls");
    if (chat->legacy) {
        put_function(w, name, event->text);
        return;
    }
    json_begin_array(w);
    json_begin_object(w);
    json_field_int(w, "index", (int64_t)event->call_index);
    if (event->call_begins) {
        json_field_str(w, "id", event->call->id);
        json_field_z(w, "type", "function");
    }
    json_key(w, "function");
    put_function(w, name, event->text);
    json_end_object(w);
    json_end_array(w);
}

err api_chat_send_event(api_chat *chat, const gen_event *event, fail *f) {
    json_writer w;
    if (!event->text.n && !event->n_tokens && !event->call_begins) return E_OK;
    begin_choice(chat, &w);
    if (event->call)
        put_call_delta(chat, &w, event);
    else
        json_field_str(&w, event->thinks ? "reasoning_content" : "content", event->text);
    end_choice(chat, &w, event, NULL);
    return end_chunk(chat, &w, f);
}

err api_chat_send_finish(api_chat *chat, const gen_exchange *x, fail *f) {
    json_writer w;
    begin_choice(chat, &w);
    end_choice(chat, &w, NULL, finish_name(chat, x->reply->finish));
    if (!chat->is_task) api_put_timings(&w, x->reply);
    api_chat_put_extension(chat, &w, x);
    return end_chunk(chat, &w, f);
}

err api_chat_send_usage(api_chat *chat, const gen_reply *sum, fail *f) {
    json_writer w;
    if (!chat->include_usage) return E_OK;
    begin_chunk(chat, &w);
    json_end_array(&w);
    api_put_usage(&w, sum);
    return end_chunk(chat, &w, f);
}
