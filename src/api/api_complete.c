/* api_complete.c - POST /v1/completions: OpenAI's older route, a prompt as it stands and its
 * continuation. The prompt is a text, an array of texts, tokens, or arrays of tokens; no chat
 * template is used, and texts of special tokens in it are those tokens. Prompts and choices are
 * answered one after the other, each with a record of its own ("ID-1", ...), numbered as OpenAI
 * does: all choices of the first prompt, then those of the second.
 *
 *     text chunks ..., a chunk with finish_reason, for each choice; [usage chunk], [DONE] */
#include "api/api_chat.h"
#include "api/api_routes.h"

#include "base/clock.h"

enum { PROMPTS_MAX = 64, TOKENS_DEFAULT = 16, TOP_MAX = 20 };

static const api_field fields[] = {
    {"model", API_FIELD_READ, NULL},
    {"prompt", API_FIELD_READ, NULL},
    {"max_tokens", API_FIELD_READ, NULL},
    {"temperature", API_FIELD_READ, NULL},
    {"top_p", API_FIELD_READ, NULL},
    {"top_k", API_FIELD_READ, NULL},
    {"min_p", API_FIELD_READ, NULL},
    {"typical_p", API_FIELD_READ, NULL},
    {"repeat_penalty", API_FIELD_READ, NULL},
    {"presence_penalty", API_FIELD_READ, NULL},
    {"frequency_penalty", API_FIELD_READ, NULL},
    {"seed", API_FIELD_READ, NULL},
    {"stop", API_FIELD_READ, NULL},
    {"logit_bias", API_FIELD_READ, NULL},
    {"logprobs", API_FIELD_READ, NULL},
    {"n", API_FIELD_READ, NULL},
    {"echo", API_FIELD_READ, NULL},
    {"stream", API_FIELD_READ, NULL},
    {"stream_options", API_FIELD_READ, NULL},
    {"user", API_FIELD_READ, NULL},
    {"priority", API_FIELD_READ, NULL},
    {"deadline_ms", API_FIELD_READ, NULL},
    {"adapter", API_FIELD_READ, NULL},
    {"metadata", API_FIELD_IGNORED, NULL},
    {"best_of", API_FIELD_WORD, "1"},
    {"suffix", API_FIELD_EMPTY, NULL},
};

typedef struct complete_prompt {
    gen_message message; /* its text, or */
    const int32_t *ids;  /* [n_ids] its tokens */
    size_t n_ids;
} complete_prompt;

typedef struct complete {
    api_chat chat; /* what all prompts share */
    const complete_prompt *prompts;
    size_t n_prompts;
    bool echo;
    str model;      /* what answers; "" before the first choice has begun */
    int64_t offset; /* of the next token's text, in bytes; the logprobs' text_offset */
} complete;

/* ---- reading ---- */

static err wrong_prompt(api_call *c, fail *f) {
    return api_refuse(c, f, "prompt",
                      "prompt must be a text, an array of texts, an array of token ids, or an "
                      "array of such arrays, none of them empty");
}

static err read_tokens(api_call *c, const json *v, complete_prompt *out, fail *f) {
    gen_ids ids;
    TRY(api_read_ids(c, v, "prompt", &ids, f));
    *out = (complete_prompt){
        .message = {.role = GEN_USER, .content = STR("")}, .ids = ids.p, .n_ids = ids.n};
    return ids.n ? E_OK : wrong_prompt(c, f);
}

static err read_prompt(api_call *c, const json *v, complete_prompt *out, fail *f) {
    if (v->kind == JSON_ARRAY) return read_tokens(c, v, out, f);
    if (v->kind != JSON_STRING || !v->string.n) return wrong_prompt(c, f);
    *out = (complete_prompt){.message = {.role = GEN_USER, .content = v->string}};
    return E_OK;
}

static err read_prompts(api_call *c, complete *m, fail *f) {
    const json *v = json_get(c->body, "prompt");
    if (!v) return wrong_prompt(c, f);
    bool many = v->kind == JSON_ARRAY && v->count && v->items[0].kind != JSON_NUMBER;
    const json *items = many ? v->items : v;
    m->n_prompts = many ? v->count : 1;
    if (m->n_prompts > PROMPTS_MAX)
        return api_refuse(c, f, "prompt", "%zu prompts are above the limit of %d", m->n_prompts,
                          PROMPTS_MAX);
    complete_prompt *out = arena_new_n(c->a, complete_prompt, m->n_prompts);
    if (!out) return fail_memory(f, "prompts");
    for (size_t i = 0; i < m->n_prompts; i++) TRY(read_prompt(c, &items[i], &out[i], f));
    m->prompts = out;
    return E_OK;
}

static err read_body(api_call *c, complete *m, fail *f) {
    int64_t top;
    gen_request *rq = &m->chat.request;
    TRY(api_check_fields(c, c->body, "", fields, sizeof fields / sizeof *fields, f));
    TRY(api_chat_read_common(c, &m->chat, f));
    if (m->chat.is_task)
        return api_refuse(c, f, "model",
                          "a task is asked at /v1/chat/completions; a completion "
                          "needs a model");
    if (!rq->max_tokens) rq->max_tokens = TOKENS_DEFAULT;
    rq->raw = true;
    TRY(api_get_bool(c, "echo", false, &m->echo, f));
    TRY(api_get_int(c, "logprobs", -1, 0, TOP_MAX, &top, f));
    rq->top_logprobs = (int32_t)top;
    TRY(read_prompts(c, m, f));
    for (size_t i = 0; m->echo && i < m->n_prompts; i++)
        if (m->prompts[i].n_ids || top >= 0)
            return api_refuse(c, f, "echo",
                              "echo is not supported with a prompt of tokens or with logprobs");
    return E_OK;
}

/* ---- writing ---- */

static void put_head(const complete *m, json_writer *w) {
    json_begin_object(w);
    json_field_text(w, "id", m->chat.id);
    json_field_z(w, "object", "text_completion");
    json_field_int(w, "created", m->chat.at_s);
    json_field_text(w, "model", m->model.n ? m->model : m->chat.request.model);
    json_key(w, "choices");
    json_begin_array(w);
}

static void put_numbers(json_writer *w, const gen_token *tokens, size_t n, int64_t *offset) {
    json_key(w, "token_logprobs");
    json_begin_array(w);
    for (size_t i = 0; i < n; i++) json_put_double(w, tokens[i].chosen.logprob);
    json_end_array(w);
    json_key(w, "text_offset");
    json_begin_array(w);
    for (size_t i = 0; i < n; i++) {
        json_put_int(w, *offset);
        *offset += (int64_t)tokens[i].chosen.bytes.n;
    }
    json_end_array(w);
}

static void put_logprobs(json_writer *w, const gen_token *tokens, size_t n, int64_t *offset) {
    json_key(w, "logprobs");
    json_begin_object(w);
    json_key(w, "tokens");
    json_begin_array(w);
    for (size_t i = 0; i < n; i++) json_put_str(w, tokens[i].chosen.bytes);
    json_end_array(w);
    put_numbers(w, tokens, n, offset);
    json_key(w, "top_logprobs");
    json_begin_array(w);
    for (size_t i = 0; i < n; i++) {
        json_begin_object(w);
        for (int32_t k = 0; k < tokens[i].n_top; k++) {
            json_key_str(w, tokens[i].top[k].bytes);
            json_put_double(w, tokens[i].top[k].logprob);
        }
        json_end_object(w);
    }
    json_end_array(w);
    json_end_object(w);
}

/* finish NULL: more follows */
static void put_choice(complete *m, json_writer *w, str head, str text, const gen_token *tokens,
                       size_t n, const char *finish) {
    json_begin_object(w);
    json_field_int(w, "index", m->chat.index);
    str whole =
        head.n ? arena_printf(m->chat.call->a, "%.*s%.*s", STR_ARG(head), STR_ARG(text)) : text;
    json_field_str(w, "text", whole.p ? whole : STR(""));
    if (m->chat.request.top_logprobs >= 0)
        put_logprobs(w, tokens, n, &m->offset);
    else
        json_field_text(w, "logprobs", STR_NONE);
    json_field_z(w, "finish_reason", finish);
    json_end_object(w);
}

static const char *finish_name(gen_finish x) {
    return x == GEN_LENGTH ? "length" : "stop";
}

static err send_chunk(complete *m, str text, const gen_event *event, const char *finish, fail *f) {
    api_call *c = m->chat.call;
    json_writer w = {.out = &c->out};
    buf_reset(&c->out);
    put_head(m, &w);
    put_choice(m, &w, STR_NONE, text, event ? event->tokens : NULL, event ? event->n_tokens : 0,
               finish);
    json_end_array(&w);
    if (m->chat.include_usage) json_field_text(&w, "usage", STR_NONE);
    json_end_object(&w);
    TRY(buf_ok(&c->out, f));
    return sse_put(c->rp, NULL, buf_str(&c->out), f);
}

/* One choice's events. */
typedef struct choice_sink {
    complete *all;
    const api_chat *one;
    str head; /* the prompt, where it is said again; "" when it is out */
} choice_sink;

/* What fails before the model says something has its own status: nothing goes out earlier. */
static err begin_choice(choice_sink *sink, fail *f) {
    complete *m = sink->all;
    str head = sink->head;
    m->model = sink->one->request.model; /* no alias any more */
    sink->head = STR("");
    if (!m->chat.begun) TRY(http_stream_begin(m->chat.call->rp, 200, "text/event-stream", f));
    m->chat.begun = true;
    return head.n ? send_chunk(m, head, NULL, NULL, f) : E_OK;
}

static err stream_event(void *self, const gen_event *event, fail *f) {
    choice_sink *sink = self;
    complete *m = sink->all;
    TRY(begin_choice(sink, f));
    return event->text.n || event->n_tokens ? send_chunk(m, event->text, event, NULL, f) : E_OK;
}

static err end_stream(complete *m, const gen_reply *sum, fail *f) {
    api_call *c = m->chat.call;
    json_writer w = {.out = &c->out};
    buf_reset(&c->out);
    if (m->chat.include_usage) {
        put_head(m, &w);
        json_end_array(&w);
        api_put_usage(&w, sum);
        json_end_object(&w);
        TRY(buf_ok(&c->out, f));
        TRY(sse_put(c->rp, NULL, buf_str(&c->out), f));
    }
    TRY(sse_put(c->rp, NULL, STR("[DONE]"), f));
    c->done = true;
    return http_stream_end(c->rp, f);
}

/* ---- answering ---- */

/* One choice of one prompt. */
static err run_one(complete *m, const complete_prompt *p, int32_t choice, gen_reply *reply,
                   fail *f) {
    api_chat one = m->chat;
    gen_request *rq = &one.request;
    rq->messages = &p->message;
    rq->n_messages = 1;
    rq->ids = p->ids;
    rq->n_ids = p->n_ids;
    rq->sampling.seed += (uint64_t)choice;
    if (m->chat.index) {
        rq->id = arena_printf(rq->arena, "%.*s-%d", STR_ARG(rq->id), m->chat.index);
        if (!rq->id.p) return fail_memory(f, "a choice");
    }
    gen_exchange x = {.request = rq, .reply = reply};
    choice_sink sink = {m, &one, m->echo ? p->message.content : STR("")};
    m->offset = 0;
    if (m->chat.stream) {
        x.sink = (gen_sink){.self = &sink, .put = stream_event};
        http_stream_promise(m->chat.call->rp);
    }
    TRY(api_run_chat(&one, &x, f));
    m->model = rq->model;
    if (!m->chat.stream) {
        if (!m->chat.index) put_head(m, &m->chat.call->w);
        put_choice(m, &m->chat.call->w, sink.head, reply->text, reply->tokens, reply->n_tokens,
                   finish_name(reply->finish));
        return E_OK;
    }
    TRY(begin_choice(&sink, f));
    return send_chunk(m, STR(""), NULL, finish_name(reply->finish), f);
}

/* Of every prompt all choices; sum: the usage of all, a prompt counted once. */
static err run_all(complete *m, gen_reply *sum, fail *f) {
    for (size_t i = 0; i < m->n_prompts; i++)
        for (int32_t k = 0; k < m->chat.n; k++) {
            gen_reply reply = {0};
            TRY(run_one(m, &m->prompts[i], k, &reply, f));
            sum->model = reply.model;
            sum->completion_tokens += reply.completion_tokens;
            if (k == 0) {
                sum->prompt_tokens += reply.prompt_tokens;
                int64_t known = reply.timings.known_tokens;
                sum->timings.known_tokens += known > 0 ? known : 0;
            }
            m->chat.index++;
        }
    return E_OK;
}

err api_completions(api_call *c, fail *f) {
    complete m = {.chat = {.call = c}};
    gen_reply sum = {0};
    TRY(read_body(c, &m, f));
    m.chat.at_s = clock_now_ms() / 1000;
    m.chat.id = arena_printf(c->a, "cmpl-%s", c->rq->id);
    if (!m.chat.id.p) return fail_memory(f, "an answer");
    TRY(run_all(&m, &sum, f));
    if (m.chat.stream) return end_stream(&m, &sum, f);
    json_end_array(&c->w);
    api_put_usage(&c->w, &sum);
    json_end_object(&c->w);
    return E_OK;
}
