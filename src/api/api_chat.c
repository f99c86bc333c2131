/* api_chat.c - POST /v1/chat/completions: the stages of a chat, and its answer whole or as events.
 *
 *     role chunk, content chunks ..., chunk with finish_reason [and "bantam"], [usage chunk],
 * [DONE]
 *
 * A stream begins with its first words, so what fails before them still has its own status. A
 * task's words come after its stages ran, that is, judged and on record. */
#include "api/api_int.h"

#include "base/clock.h"

#include <math.h>

/* ---- the stages ---- */

static err provider_run(void *self, gen_exchange *x, const gen_stage *rest, fail *f) {
    (void)rest; /* the last of its stages: it answers */
    const gen_provider *p = self;
    return p->generate(p->self, x->request, x->sink, x->reply, f);
}

err api_run_chat(api_chat *chat, gen_exchange *x, fail *f) {
    api *api = chat->call->api;
    route *task = NULL;
    str task_id;
    gen_provider provider = {0};
    gen_stage last;
    err e;
    if (!chat->request.tenant.n && chat->call->who.tenant.n)
        chat->request.tenant = chat->call->who.tenant;
    TRY(api_read_admission(chat->call, &chat->request, f));
    if (chat->is_task && chat->request.adapter.n)
        return api_refuse(chat->call, f, "adapter", "adapter is for models, not for tasks");
    if (chat->is_task) {
        e = api->o.models.task(api->o.models.self, chat->task_name, &task, &task_id, f);
        last = e == E_OK ? route_stage(task) : (gen_stage){0};
    } else {
        e = api->o.models.provider(api->o.models.self, chat->request.model, &provider, f);
        last = (gen_stage){.name = "provider", .self = &provider, .run = provider_run};
        if (e == E_OK && provider.model.p) chat->request.model = provider.model; /* no alias */
    }
    if (e != E_OK) {
        chat->call->param = "model";
        if (e == E_NOT_FOUND) chat->call->code = "model_not_found";
        return e;
    }
    const gen_stage stages[] = {audit_stage(api->o.audit), last, {0}};
    e = gen_next(x, stages, f);
    chat->call->tokens += x->reply->prompt_tokens + x->reply->completion_tokens;
    if (e == E_NOT_FOUND && chat->request.adapter.n) {
        chat->call->param = "adapter";
        chat->call->code = "adapter_not_found";
    }
    if (chat->call->shaped && (e == E_UNSUPPORTED || e == E_INPUT)) { /* the schema's fault */
        chat->call->param = chat->call->shaped;
        chat->call->code = "invalid_json_schema";
    }
    return e;
}

/* ---- what an answer says ---- */

str api_time_text(arena *a, int64_t ms) {
    char t[CLOCK_TEXT_BYTES];
    clock_text(ms, t);
    return arena_printf(a, "%.5s UTC on %.10s", t + 11, t);
}

str api_answer_url(api *api, arena *a, str ref) {
    return arena_printf(a, "%.*s/v1/answers/%.*s", STR_ARG(api->o.url_base), STR_ARG(ref));
}

str api_person_sentence(arena *a, str ref, int64_t expected_by_ms, str url) {
    str when = api_time_text(a, expected_by_ms);
    return arena_printf(a,
                        "A person will answer this. Your reference is %.*s; an answer is expected "
                        "by %.*s. Ask for it at %.*s",
                        STR_ARG(ref), STR_ARG(when), STR_ARG(url));
}

err api_chat_content(api_chat *chat, const gen_exchange *x, str *out, fail *f) {
    const gen_trace *t = x->reply->trace;
    arena *a = chat->request.arena;
    if (!t || t->answer.p) {
        *out = x->reply->text;
        return E_OK;
    }
    if (t->review.n)
        *out =
            api_person_sentence(a, t->review, t->expected_by_ms,
                                t->url.n ? t->url : api_answer_url(chat->call->api, a, t->review));
    else
        *out = arena_printf(a,
                            "This could not be answered: %s. Nobody is set up here to answer "
                            "what the models must not.",
                            gen_reason_text(t->reason));
    return out->p ? E_OK : fail_memory(f, "an answer");
}

static void put_passages(json_writer *w, const gen_trace *t) {
    json_key(w, "passages");
    json_begin_array(w);
    for (size_t i = 0; i < t->n_passages; i++) {
        json_begin_object(w);
        json_field_text(w, "id", t->passages[i].id);
        json_field_text(w, "title", t->passages[i].title);
        json_field_text(w, "text", t->passages[i].text);
        json_field_double(w, "score", t->passages[i].score);
        json_end_object(w);
    }
    json_end_array(w);
}

void api_chat_put_extension(api_chat *chat, json_writer *w, const gen_exchange *x) {
    const gen_trace *t = x->reply->trace;
    static const gen_trace none = {.confidence = (double)NAN};
    if (!t) t = &none; /* a chat with a model: on record, but nothing was decided */
    json_key(w, "bantam");
    json_begin_object(w);
    api_put_z(w, "tier", t->tier ? gen_tier_name(t->tier) : NULL);
    json_field_text(w, "label", t->label);
    json_field_double(w, "confidence", t->confidence);
    json_field_text(w, "trace", chat->request.id);
    json_field_text(w, "review", t->review);
    json_field_text(w, "url",
                    t->review.n && !t->url.n
                        ? api_answer_url(chat->call->api, chat->request.arena, t->review)
                        : t->url);
    api_put_z(w, "reason", t->reason ? gen_reason_code(t->reason) : NULL);
    api_put_z(w, "why", t->reason ? gen_reason_text(t->reason) : NULL);
    if (t->expected_by_ms) json_field_int(w, "expected_by_ms", t->expected_by_ms);
    put_passages(w, t);
    json_field_double(w, "cost_usd", chat->is_task ? t->cost_usd : (double)NAN);
    json_end_object(w);
}

void api_put_usage(json_writer *w, const gen_reply *r) {
    json_key(w, "usage");
    json_begin_object(w);
    json_field_int(w, "prompt_tokens", r->prompt_tokens);
    json_field_int(w, "completion_tokens", r->completion_tokens);
    json_field_int(w, "total_tokens", r->prompt_tokens + r->completion_tokens);
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

void api_put_logprobs(json_writer *w, const gen_token *tokens, size_t n) {
    json_key(w, "logprobs");
    if (!tokens) {
        json_put_null(w);
        return;
    }
    json_begin_object(w);
    json_key(w, "content");
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
    json_field_text(w, "refusal", STR_NONE);
    json_end_object(w);
}

static const char *finish_name(gen_finish x) {
    return x == GEN_LENGTH ? "length" : "stop";
}

/* ---- whole ---- */

static void put_head(api_chat *chat, json_writer *w, const char *object, const gen_exchange *x) {
    json_field_text(w, "id", chat->id);
    api_put_z(w, "object", object);
    json_field_int(w, "created", chat->at_s);
    json_field_text(w, "model",
                    x && x->reply->model.n && !chat->is_task ? x->reply->model
                                                             : chat->request.model);
    json_field_text(w, "system_fingerprint", STR_NONE);
}

static void put_whole(api_chat *chat, json_writer *w, const gen_exchange *x, str content) {
    json_begin_object(w);
    put_head(chat, w, "chat.completion", x);
    json_key(w, "choices");
    json_begin_array(w);
    json_begin_object(w);
    json_field_int(w, "index", 0);
    json_key(w, "message");
    json_begin_object(w);
    api_put_z(w, "role", "assistant");
    json_key(w, "content");
    json_put_str(w, content.p ? content : STR(""));
    json_field_text(w, "refusal", STR_NONE);
    json_end_object(w);
    api_put_logprobs(w, chat->request.top_logprobs >= 0 ? x->reply->tokens : NULL,
                     x->reply->n_tokens);
    api_put_z(w, "finish_reason", finish_name(x->reply->finish));
    json_end_object(w);
    json_end_array(w);
    api_put_usage(w, x->reply);
    api_chat_put_extension(chat, w, x);
    json_end_object(w);
}

static err answer_whole(api_chat *chat, gen_exchange *x, fail *f) {
    str content;
    TRY(api_run_chat(chat, x, f));
    TRY(api_chat_content(chat, x, &content, f));
    put_whole(chat, &chat->call->w, x, content);
    return E_OK;
}

/* ---- streamed ---- */

static void begin_chunk(api_chat *chat, json_writer *w) {
    buf_reset(&chat->call->out);
    *w = (json_writer){.out = &chat->call->out};
    json_begin_object(w);
    put_head(chat, w, "chat.completion.chunk", NULL);
    json_key(w, "choices");
    json_begin_array(w);
}

/* role: only in the first; text .p NULL: none; finish NULL: more follows. */
static void put_choice(json_writer *w, const char *role, str text, const char *finish) {
    json_key(w, "delta");
    json_begin_object(w);
    if (role) api_put_z(w, "role", role);
    if (text.p) {
        json_key(w, "content");
        json_put_str(w, text);
    }
    json_end_object(w);
    api_put_z(w, "finish_reason", finish);
}

static err end_chunk(api_chat *chat, json_writer *w, fail *f) {
    json_end_object(w);
    TRY(buf_ok(&chat->call->out, f));
    return sse_put(chat->call->rp, NULL, buf_str(&chat->call->out), f);
}

static err send_delta(api_chat *chat, const char *role, const gen_event *event, fail *f) {
    json_writer w;
    begin_chunk(chat, &w);
    json_begin_object(&w);
    json_field_int(&w, "index", 0);
    put_choice(&w, role, event->text, NULL);
    api_put_logprobs(&w, chat->request.top_logprobs >= 0 && !role ? event->tokens : NULL,
                     event->n_tokens);
    json_end_object(&w);
    json_end_array(&w);
    if (chat->include_usage) json_field_text(&w, "usage", STR_NONE);
    return end_chunk(chat, &w, f);
}

static err begin_stream(api_chat *chat, fail *f) {
    if (chat->begun) return E_OK;
    TRY(http_stream_begin(chat->call->rp, 200, "text/event-stream", f));
    chat->begun = true;
    return send_delta(chat, "assistant", &(gen_event){.text = STR("")}, f);
}

static err stream_event(void *self, const gen_event *event, fail *f) {
    api_chat *chat = self;
    TRY(begin_stream(chat, f));
    return event->text.n || event->n_tokens ? send_delta(chat, NULL, event, f) : E_OK;
}

static err send_finish(api_chat *chat, const gen_exchange *x, fail *f) {
    json_writer w;
    begin_chunk(chat, &w);
    json_begin_object(&w);
    json_field_int(&w, "index", 0);
    put_choice(&w, NULL, STR_NONE, finish_name(x->reply->finish));
    api_put_logprobs(&w, NULL, 0);
    json_end_object(&w);
    json_end_array(&w);
    if (chat->include_usage) json_field_text(&w, "usage", STR_NONE);
    api_chat_put_extension(chat, &w, x);
    return end_chunk(chat, &w, f);
}

static err send_usage(api_chat *chat, const gen_exchange *x, fail *f) {
    json_writer w;
    if (!chat->include_usage) return E_OK;
    begin_chunk(chat, &w);
    json_end_array(&w);
    api_put_usage(&w, x->reply);
    return end_chunk(chat, &w, f);
}

static err answer_stream(api_chat *chat, gen_exchange *x, fail *f) {
    api_call *c = chat->call;
    str content;
    if (!chat->is_task) x->sink = (gen_sink){.self = chat, .put = stream_event};
    TRY(api_run_chat(chat, x, f));
    TRY(begin_stream(chat, f));
    if (chat->is_task) {
        TRY(api_chat_content(chat, x, &content, f));
        TRY(stream_event(chat, &(gen_event){.text = content}, f));
    }
    TRY(send_finish(chat, x, f));
    TRY(send_usage(chat, x, f));
    TRY(sse_put(c->rp, NULL, STR("[DONE]"), f));
    c->done = true;
    return http_stream_end(c->rp, f);
}

/* ---- route ---- */

err api_chat_completions(api_call *c, fail *f) {
    api_chat chat = {.call = c};
    gen_reply reply = {0};
    TRY(api_chat_read(c, &chat, f));
    chat.at_s = clock_now_ms() / 1000;
    chat.id = arena_printf(c->a, "chatcmpl-%s", c->rq->id);
    if (!chat.id.p) return fail_memory(f, "an answer");
    gen_exchange x = {.request = &chat.request, .reply = &reply};
    return chat.stream ? answer_stream(&chat, &x, f) : answer_whole(&chat, &x, f);
}
