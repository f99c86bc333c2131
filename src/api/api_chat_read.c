/* api_chat_read.c - the body of a chat as a gen request. One table says what happens to each field;
 * what would change the result and is not done here is refused, naming the field, and so is a field
 * that nobody has heard of. */
#include "api/api_int.h"

#include "base/rand.h"

/* ---- fields ---- */

typedef enum field_rule {
    FIELD_READ,    /* read below */
    FIELD_IGNORED, /* cannot change the result */
    FIELD_EMPTY,   /* refused unless null, false, empty or 0 */
    FIELD_WORD     /* refused unless null or this word */
} field_rule;

typedef struct field_row {
    const char *name;
    field_rule rule;
    const char *word;
} field_row;

static const field_row fields[] = {
    {"model", FIELD_READ, NULL},
    {"messages", FIELD_READ, NULL},
    {"stream", FIELD_READ, NULL},
    {"stream_options", FIELD_READ, NULL},
    {"max_tokens", FIELD_READ, NULL},
    {"max_completion_tokens", FIELD_READ, NULL},
    {"temperature", FIELD_READ, NULL},
    {"top_p", FIELD_READ, NULL},
    {"top_k", FIELD_READ, NULL},
    {"min_p", FIELD_READ, NULL},
    {"typical_p", FIELD_READ, NULL},
    {"repeat_penalty", FIELD_READ, NULL},
    {"seed", FIELD_READ, NULL},
    {"stop", FIELD_READ, NULL},
    {"logprobs", FIELD_READ, NULL},
    {"top_logprobs", FIELD_READ, NULL},
    {"n", FIELD_READ, NULL},
    {"response_format", FIELD_READ, NULL},
    {"modalities", FIELD_READ, NULL},
    {"user", FIELD_READ, NULL},
    {"safety_identifier", FIELD_IGNORED, NULL},
    {"metadata", FIELD_IGNORED, NULL},
    {"store", FIELD_IGNORED, NULL},
    {"service_tier", FIELD_IGNORED, NULL},
    {"prediction", FIELD_IGNORED, NULL},
    {"prompt_cache_key", FIELD_IGNORED, NULL},
    {"prompt_cache_retention", FIELD_IGNORED, NULL},
    {"parallel_tool_calls", FIELD_IGNORED, NULL},
    {"tools", FIELD_EMPTY, NULL},
    {"functions", FIELD_EMPTY, NULL},
    {"audio", FIELD_EMPTY, NULL},
    {"logit_bias", FIELD_READ, NULL},
    {"web_search_options", FIELD_EMPTY, NULL},
    {"presence_penalty", FIELD_READ, NULL},
    {"frequency_penalty", FIELD_READ, NULL},
    {"priority", FIELD_READ, NULL},
    {"deadline_ms", FIELD_READ, NULL},
    {"adapter", FIELD_READ, NULL},
    {"tool_choice", FIELD_WORD, "none"},
    {"function_call", FIELD_WORD, "none"},
    {"reasoning_effort", FIELD_WORD, "none"},
    {"verbosity", FIELD_WORD, "medium"},
};

static const field_row *find_field(str name) {
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (str_is(name, fields[i].name)) return &fields[i];
    return NULL;
}

static bool is_empty(const json *v) {
    switch (v->kind) {
    case JSON_NULL: return true;
    case JSON_BOOL: return !v->boolean;
    case JSON_NUMBER: return !(v->number < 0 || v->number > 0);
    case JSON_STRING: return v->string.n == 0;
    default: return v->count == 0;
    }
}

static err check_field(api_call *c, const json_member *m, fail *f) {
    const field_row *row = find_field(m->key);
    if (!row) {
        const char *name = arena_z(c->a, str_slice(m->key, 0, 64));
        return api_refuse(c, f, name ? name : "?", "the field \"%s\" is not known here",
                          name ? name : "?");
    }
    if (row->rule == FIELD_EMPTY && !is_empty(&m->value))
        return api_refuse(c, f, row->name, "%s is not supported", row->name);
    bool other_word = m->value.kind != JSON_NULL && !(m->value.kind == JSON_STRING && row->word &&
                                                      str_is(m->value.string, row->word));
    if (row->rule == FIELD_WORD && other_word)
        return api_refuse(c, f, row->name, "%s is not supported, except as \"%s\"", row->name,
                          row->word);
    return E_OK;
}

static bool only_text(const json *modalities) {
    if (!modalities || modalities->kind == JSON_NULL) return true;
    if (modalities->kind != JSON_ARRAY) return false;
    for (size_t i = 0; i < modalities->count; i++)
        if (modalities->items[i].kind != JSON_STRING ||
            !str_is(modalities->items[i].string, "text"))
            return false;
    return true;
}

static err check_fields(api_call *c, fail *f) {
    for (size_t i = 0; i < c->body->count; i++) TRY(check_field(c, &c->body->members[i], f));
    const json *n = json_get(c->body, "n");
    if (n && n->kind != JSON_NULL && !(n->is_int && n->integer == 1))
        return api_refuse(c, f, "n", "n is not supported, except as 1");
    if (!only_text(json_get(c->body, "modalities")))
        return api_refuse(c, f, "modalities", "modalities is not supported, except as [\"text\"]");
    return E_OK;
}

/* ---- messages ---- */

static bool role_of(str name, gen_role *out) {
    static const struct {
        const char *name;
        gen_role role;
    } roles[] = {{"system", GEN_SYSTEM},
                 {"developer", GEN_SYSTEM},
                 {"user", GEN_USER},
                 {"assistant", GEN_ASSISTANT}};
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (str_is(name, roles[i].name)) {
            *out = roles[i].role;
            return true;
        }
    return false;
}

static const char *field_at(api_call *c, size_t i, const char *key) {
    str name = arena_printf(c->a, "messages[%zu].%s", i, key);
    return name.p ? name.p : "messages";
}

/* Parts of type text, one after the other. */
static err join_parts(api_call *c, const json *parts, size_t at, str *out, fail *f) {
    size_t bytes = 0;
    for (size_t i = 0; i < parts->count; i++) {
        const json *type = json_get(&parts->items[i], "type");
        const json *text = json_get(&parts->items[i], "text");
        if (!type || !str_is(type->string, "text") || !text || text->kind != JSON_STRING)
            return api_refuse(c, f, field_at(c, at, "content"),
                              "only content parts {\"type\":\"text\",\"text\":...} are supported");
        bytes += text->string.n;
    }
    char *all = arena_alloc(c->a, bytes + 1);
    if (!all) return fail_memory(f, "a message");
    *out = (str){all, bytes};
    for (size_t i = 0; i < parts->count; i++) {
        str text = json_get(&parts->items[i], "text")->string;
        for (size_t k = 0; k < text.n; k++) *all++ = text.p[k];
    }
    return E_OK;
}

static err read_message(api_call *c, const json *v, size_t at, gen_message *out, fail *f) {
    const json *role = json_get(v, "role"), *content = json_get(v, "content");
    const json *calls = json_get(v, "tool_calls"), *name = json_get(v, "name");
    if (!role || role->kind != JSON_STRING)
        return api_refuse(c, f, field_at(c, at, "role"), "a message needs a role, as a string");
    if (!role_of(role->string, &out->role))
        return api_refuse(c, f, field_at(c, at, "role"),
                          "the role \"%.*s\" is not supported; system, developer, user and "
                          "assistant are",
                          STR_ARG(str_slice(role->string, 0, 64)));
    if (calls && !is_empty(calls))
        return api_refuse(c, f, field_at(c, at, "tool_calls"), "tool calls are not supported");
    out->name = name && name->kind == JSON_STRING ? name->string : STR("");
    if (content && content->kind == JSON_ARRAY) return join_parts(c, content, at, &out->content, f);
    if (!content || content->kind != JSON_STRING)
        return api_refuse(c, f, field_at(c, at, "content"),
                          "a message needs content: a string, or an array of text parts");
    out->content = content->string;
    return E_OK;
}

static err read_messages(api_call *c, gen_request *rq, fail *f) {
    const json *all = json_get(c->body, "messages");
    if (!all || all->kind != JSON_ARRAY || all->count == 0)
        return api_refuse(c, f, "messages", "messages must be an array with at least one message");
    if (all->count > API_MESSAGES_MAX)
        return api_refuse(c, f, "messages", "%zu messages are above the limit of %d", all->count,
                          API_MESSAGES_MAX);
    gen_message *out = arena_new_n(c->a, gen_message, all->count);
    if (!out) return fail_memory(f, "messages");
    for (size_t i = 0; i < all->count; i++) TRY(read_message(c, &all->items[i], i, &out[i], f));
    rq->messages = out;
    rq->n_messages = all->count;
    return E_OK;
}

/* ---- how it is to be answered ---- */

static err read_stops(api_call *c, gen_request *rq, fail *f) {
    const json *v = json_get(c->body, "stop");
    if (!v || v->kind == JSON_NULL) return E_OK;
    const json *items = v->kind == JSON_ARRAY ? v->items : v;
    size_t n = v->kind == JSON_ARRAY ? v->count : 1;
    if (n > API_STOPS_MAX)
        return api_refuse(c, f, "stop", "%zu stops are above the limit of %d", n, API_STOPS_MAX);
    str *stops = arena_new_n(c->a, str, n ? n : 1);
    if (!stops) return fail_memory(f, "stops");
    for (size_t i = 0; i < n; i++) {
        if (items[i].kind != JSON_STRING || !items[i].string.n)
            return api_refuse(c, f, "stop", "stop must be a text or an array of texts, not empty");
        stops[i] = items[i].string;
    }
    rq->stops = stops;
    rq->n_stops = n;
    return E_OK;
}

static err read_sampling(api_call *c, gen_request *rq, fail *f) {
    int64_t top_k, seed;
    gen_sampling *s = &rq->sampling;
    uint64_t random;
    TRY(api_get_double(c, "temperature", 1, 0, 2, &s->temperature, f));
    TRY(api_get_double(c, "top_p", 1, 0, 1, &s->top_p, f));
    TRY(api_get_double(c, "min_p", 0, 0, 1, &s->min_p, f));
    TRY(api_get_int(c, "top_k", 0, 0, INT32_MAX, &top_k, f));
    TRY(api_get_double(c, "typical_p", 0, 0, 1, &s->typical_p, f));
    TRY(api_get_double(c, "repeat_penalty", 0, 0, 2, &s->repeat_penalty, f));
    TRY(api_get_double(c, "frequency_penalty", 0, -2, 2, &s->frequency_penalty, f));
    TRY(api_get_double(c, "presence_penalty", 0, -2, 2, &s->presence_penalty, f));
    rand_secret(&random, sizeof random);
    TRY(api_get_int(c, "seed", (int64_t)random, INT64_MIN, INT64_MAX, &seed, f));
    s->top_k = (int32_t)top_k;
    s->seed = (uint64_t)seed;
    return E_OK;
}

/* A task's answers are approved words, chosen and not written: there is nothing to hold. */
static err only_models(api_call *c, const api_chat *chat, const char *field, fail *f) {
    if (!chat->is_task) return E_OK;
    return api_refuse(c, f, field, "%s is for models; a task's answer is chosen, not written",
                      field);
}

static err read_bias(api_call *c, api_chat *chat, fail *f) {
    const json *all = json_get(c->body, "logit_bias");
    if (!all || is_empty(all)) return E_OK;
    TRY(only_models(c, chat, "logit_bias", f));
    if (all->kind != JSON_OBJECT || all->count > API_BIAS_MAX)
        return api_refuse(c, f, "logit_bias", "logit_bias must be an object of at most %d tokens",
                          API_BIAS_MAX);
    gen_bias *out = arena_new_n(c->a, gen_bias, all->count);
    if (!out) return fail_memory(f, "biases");
    for (size_t i = 0; i < all->count; i++) {
        int64_t id;
        const json *v = &all->members[i].value;
        if (!str_to_int(all->members[i].key, &id) || id < 0 || id > INT32_MAX ||
            v->kind != JSON_NUMBER || !(v->number >= -100 && v->number <= 100))
            return api_refuse(c, f, "logit_bias",
                              "logit_bias maps token ids to numbers from -100 to 100");
        out[i] = (gen_bias){(int32_t)id, (float)v->number};
    }
    chat->request.bias = out;
    chat->request.n_bias = all->count;
    return E_OK;
}

/* {"type": "text" | "json_object" | "json_schema", "json_schema": {"name", "schema", "strict"}} */
static err read_format(api_call *c, api_chat *chat, fail *f) {
    const json *format = json_get(c->body, "response_format"), *type = json_get(format, "type");
    gen_shape *shape = &chat->request.shape;
    if (!format || format->kind == JSON_NULL) return E_OK;
    if (!type || type->kind != JSON_STRING)
        return api_refuse(c, f, "response_format", "response_format needs a type");
    if (str_is(type->string, "text")) return E_OK;
    TRY(only_models(c, chat, "response_format", f));
    if (str_is(type->string, "json_object")) {
        shape->kind = GEN_SHAPE_JSON;
        return E_OK;
    }
    if (!str_is(type->string, "json_schema"))
        return api_refuse(c, f, "response_format.type",
                          "response_format.type is text, json_object or json_schema");
    shape->kind = GEN_SHAPE_SCHEMA;
    shape->schema = json_get(json_get(format, "json_schema"), "schema");
    if (!shape->schema)
        return api_refuse(c, f, "response_format.json_schema",
                          "response_format.json_schema needs a schema");
    c->shaped = "response_format.json_schema.schema";
    return E_OK;
}

static err read_logprobs(api_call *c, api_chat *chat, fail *f) {
    bool wanted;
    int64_t top;
    TRY(api_get_bool(c, "logprobs", false, &wanted, f));
    TRY(api_get_int(c, "top_logprobs", 0, 0, 20, &top, f));
    if (top > 0 && !wanted)
        return api_refuse(c, f, "top_logprobs", "top_logprobs needs \"logprobs\": true");
    if (wanted && chat->is_task)
        return api_refuse(c, f, "logprobs", "a task's answer has no token log-probabilities");
    chat->request.top_logprobs = wanted ? (int32_t)top : -1;
    return E_OK;
}

static err read_limits(api_call *c, gen_request *rq, fail *f) {
    int64_t old, tokens;
    TRY(api_get_int(c, "max_tokens", 0, 1, INT32_MAX, &old, f));
    TRY(api_get_int(c, "max_completion_tokens", old, 1, INT32_MAX, &tokens, f));
    rq->max_tokens = (int32_t)tokens;
    return E_OK;
}

static err read_stream(api_call *c, api_chat *chat, fail *f) {
    TRY(api_get_bool(c, "stream", false, &chat->stream, f));
    const json *options = json_get(c->body, "stream_options");
    if (!options || options->kind == JSON_NULL) return E_OK;
    if (!chat->stream)
        return api_refuse(c, f, "stream_options", "stream_options needs \"stream\": true");
    if (options->kind != JSON_OBJECT)
        return api_refuse(c, f, "stream_options", "stream_options must be an object");
    c->param = "stream_options.include_usage";
    TRY(json_get_bool(options, "include_usage", false, &chat->include_usage, f));
    c->param = NULL;
    return E_OK;
}

static bool client_left(void *rq) {
    return http_gone(rq);
}

err api_chat_read(api_call *c, api_chat *chat, fail *f) {
    gen_request *rq = &chat->request;
    TRY(api_get_str(c, "model", STR(""), &rq->model, f));
    if (!rq->model.n) return api_refuse(c, f, "model", "model must name a model or a task");
    TRY(check_fields(c, f));
    chat->is_task = str_starts(rq->model, STR("task:"));
    chat->task_name = chat->is_task ? str_slice(rq->model, 5, rq->model.n) : STR_NONE;
    rq->id = str_from(c->rq->id);
    rq->arena = c->a;
    rq->tenant = STR("");
    rq->gone = client_left;
    rq->gone_ctx = c->rq;
    TRY(read_messages(c, rq, f));
    TRY(api_get_str(c, "user", STR(""), &rq->subject, f));
    TRY(read_sampling(c, rq, f));
    TRY(read_limits(c, rq, f));
    TRY(read_stops(c, rq, f));
    TRY(read_bias(c, chat, f));
    TRY(read_format(c, chat, f));
    TRY(read_logprobs(c, chat, f));
    return read_stream(c, chat, f);
}
