/* api_chat_read.c - the body of a chat as a gen request. One table says what happens to each field;
 * what would change the result and is not done here is refused, naming the field, and so is a field
 * that nobody has heard of. */
#include "api/api_chat.h"

#include "base/rand.h"

/* ---- fields ---- */

static const api_field fields[] = {
    {"model", API_FIELD_READ, NULL},
    {"messages", API_FIELD_READ, NULL},
    {"stream", API_FIELD_READ, NULL},
    {"stream_options", API_FIELD_READ, NULL},
    {"max_tokens", API_FIELD_READ, NULL},
    {"max_completion_tokens", API_FIELD_READ, NULL},
    {"temperature", API_FIELD_READ, NULL},
    {"top_p", API_FIELD_READ, NULL},
    {"top_k", API_FIELD_READ, NULL},
    {"min_p", API_FIELD_READ, NULL},
    {"typical_p", API_FIELD_READ, NULL},
    {"repeat_penalty", API_FIELD_READ, NULL},
    {"seed", API_FIELD_READ, NULL},
    {"stop", API_FIELD_READ, NULL},
    {"logprobs", API_FIELD_READ, NULL},
    {"top_logprobs", API_FIELD_READ, NULL},
    {"n", API_FIELD_READ, NULL},
    {"response_format", API_FIELD_READ, NULL},
    {"modalities", API_FIELD_READ, NULL},
    {"user", API_FIELD_READ, NULL},
    {"safety_identifier", API_FIELD_READ, NULL},
    {"metadata", API_FIELD_IGNORED, NULL},
    {"store", API_FIELD_IGNORED, NULL},
    {"service_tier", API_FIELD_IGNORED, NULL},
    {"prediction", API_FIELD_IGNORED, NULL},
    {"prompt_cache_key", API_FIELD_IGNORED, NULL},
    {"prompt_cache_retention", API_FIELD_IGNORED, NULL},
    {"parallel_tool_calls", API_FIELD_READ, NULL},
    {"tools", API_FIELD_READ, NULL},
    {"functions", API_FIELD_READ, NULL},
    {"audio", API_FIELD_EMPTY, NULL},
    {"logit_bias", API_FIELD_READ, NULL},
    {"web_search_options", API_FIELD_EMPTY, NULL},
    {"presence_penalty", API_FIELD_READ, NULL},
    {"frequency_penalty", API_FIELD_READ, NULL},
    {"tool_choice", API_FIELD_READ, NULL},
    {"function_call", API_FIELD_READ, NULL},
    {"reasoning_effort", API_FIELD_READ, NULL},
    {"reasoning_format", API_FIELD_READ, NULL},
    {"verbosity", API_FIELD_READ, NULL},
    {"chat_template_kwargs", API_FIELD_READ, NULL},
    {"priority", API_FIELD_READ, NULL},
    {"deadline_ms", API_FIELD_READ, NULL},
    {"adapter", API_FIELD_READ, NULL},
};

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
    TRY(api_check_fields(c, c->body, "", fields, sizeof fields / sizeof *fields, f));
    if (!only_text(json_get(c->body, "modalities")))
        return api_refuse(c, f, "modalities", "modalities is not supported, except as [\"text\"]");
    return E_OK;
}

/* ---- how it is to be answered ---- */

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

static err read_bias(api_call *c, api_chat *chat, fail *f) {
    const json *all = json_get(c->body, "logit_bias");
    if (!all || api_is_empty(all)) return E_OK;
    TRY(api_only_models(c, chat, "logit_bias", f));
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
    TRY(api_only_models(c, chat, "response_format", f));
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

/* Whether one of the words; an absent one is. */
static err check_word(api_call *c, const char *key, const char *const *words, str *out, fail *f) {
    TRY(api_get_str(c, key, STR(""), out, f));
    for (size_t i = 0; words[i] && out->n; i++)
        if (str_is(*out, words[i])) return E_OK;
    if (!out->n) return E_OK;
    return api_refuse(c, f, key, "%s \"%.*s\" is not known here", key,
                      STR_ARG(str_slice(*out, 0, 64)));
}

static void put_variable(json *object, json_member *m, json_member value) {
    for (size_t i = 0; i < object->count; i++)
        if (str_eq(m[i].key, value.key)) return; /* the client's own word stands */
    m[object->count++] = value;
}

/* Variables of the chat template. How much a model thinks is one in the templates that know it. */
static err read_variables(api_call *c, api_chat *chat, fail *f) {
    static const char *const efforts[] = {"none", "minimal", "low", "medium",
                                          "high", "xhigh",   NULL};
    static const char *const lengths[] = {"low", "medium", "high", NULL};
    const json *given = json_get(c->body, "chat_template_kwargs");
    str effort, length;
    TRY(check_word(c, "verbosity", lengths, &length, f));
    TRY(check_word(c, "reasoning_effort", efforts, &effort, f));
    if (!api_is_empty(given)) TRY(api_only_models(c, chat, "chat_template_kwargs", f));
    if (given && given->kind != JSON_NULL && given->kind != JSON_OBJECT)
        return api_refuse(c, f, "chat_template_kwargs", "chat_template_kwargs must be an object");
    size_t n = given && given->kind == JSON_OBJECT ? given->count : 0;
    if (!n && !effort.n) return E_OK;
    json *all = arena_new(c->a, json);
    json_member *m = arena_new_n(c->a, json_member, n + 1 + API_THINK_VARIABLES);
    if (!all || !m) return fail_memory(f, "template variables");
    for (size_t i = 0; i < n; i++) m[i] = given->members[i];
    *all = (json){.kind = JSON_OBJECT, .count = n, .members = m};
    const json word = {.kind = JSON_STRING, .string = effort};
    if (effort.n) put_variable(all, m, (json_member){STR("reasoning_effort"), word});
    json_member off[API_THINK_VARIABLES];
    api_think_variables(off, false);
    for (size_t i = 0; str_is(effort, "none") && i < API_THINK_VARIABLES; i++)
        put_variable(all, m, off[i]);
    chat->request.extra = all;
    return E_OK;
}

/* Whether what a model thinks is told apart: llama-server's words for it. */
static err read_thoughts(api_call *c, api_chat *chat, fail *f) {
    static const char *const formats[] = {"auto", "deepseek", "none", NULL};
    str format;
    TRY(check_word(c, "reasoning_format", formats, &format, f));
    chat->blended = str_is(format, "none");
    return E_OK;
}

static err read_choices(api_call *c, api_chat *chat, fail *f) {
    int64_t n;
    TRY(api_get_int(c, "n", 1, 1, API_CHOICES_MAX, &n, f));
    if (n > 1) TRY(api_only_models(c, chat, "n", f));
    chat->n = (int32_t)n;
    return E_OK;
}

static err read_limits(api_call *c, gen_request *rq, fail *f) {
    int64_t old, tokens;
    TRY(api_get_int(c, "max_tokens", 0, 1, INT32_MAX, &old, f));
    TRY(api_get_int(c, "max_completion_tokens", old, 1, INT32_MAX, &tokens, f));
    rq->max_tokens = (int32_t)tokens;
    return E_OK;
}

static const api_field option_fields[] = {
    {"include_usage", API_FIELD_READ, NULL},
    {"include_obfuscation", API_FIELD_IGNORED, NULL}, /* nothing here is padded */
};

static err read_stream(api_call *c, api_chat *chat, fail *f) {
    TRY(api_get_bool(c, "stream", false, &chat->stream, f));
    const json *options = json_get(c->body, "stream_options");
    if (!options || options->kind == JSON_NULL) return E_OK;
    if (!chat->stream)
        return api_refuse(c, f, "stream_options", "stream_options needs \"stream\": true");
    if (options->kind != JSON_OBJECT)
        return api_refuse(c, f, "stream_options", "stream_options must be an object");
    TRY(api_check_fields(c, options, "stream_options.", option_fields,
                         sizeof option_fields / sizeof *option_fields, f));
    c->param = "stream_options.include_usage";
    TRY(json_get_bool(options, "include_usage", false, &chat->include_usage, f));
    c->param = NULL;
    return E_OK;
}

err api_chat_read_common(api_call *c, api_chat *chat, fail *f) {
    gen_request *rq = &chat->request;
    str model;
    TRY(api_get_str(c, "model", STR(""), &model, f));
    TRY(api_ask_begin(c, chat, model, f));
    TRY(api_read_subject(c, &rq->subject, f));
    TRY(read_sampling(c, rq, f));
    TRY(read_limits(c, rq, f));
    const json *stop = json_get(c->body, "stop");
    if (stop && stop->kind != JSON_NULL) TRY(api_ask_stops(c, stop, "stop", rq, f));
    TRY(read_bias(c, chat, f));
    TRY(read_choices(c, chat, f));
    return read_stream(c, chat, f);
}

err api_chat_read(api_call *c, api_chat *chat, fail *f) {
    TRY(check_fields(c, f));
    TRY(api_chat_read_common(c, chat, f));
    TRY(api_chat_read_messages(c, &chat->request, f));
    TRY(read_format(c, chat, f));
    TRY(api_chat_read_tools(c, chat, f));
    TRY(read_variables(c, chat, f));
    TRY(read_thoughts(c, chat, f));
    return api_ask_logprobs(c, chat, f);
}
