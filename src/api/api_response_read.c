/* api_response_read.c - the body of a response's request. */
#include "api/api_chat.h"
#include "api/api_response.h"

#include "base/rand.h"

#include <stdio.h>

#define ROWS(a) (a), sizeof(a) / sizeof *(a)

static const api_field fields[] = {
    {"model", API_FIELD_READ, NULL},
    {"input", API_FIELD_READ, NULL},
    {"instructions", API_FIELD_READ, NULL},
    {"previous_response_id", API_FIELD_READ, NULL},
    {"conversation", API_FIELD_EMPTY, NULL},
    {"store", API_FIELD_READ, NULL},
    {"background", API_FIELD_READ, NULL},
    {"stream", API_FIELD_READ, NULL},
    {"stream_options", API_FIELD_READ, NULL},
    {"max_output_tokens", API_FIELD_READ, NULL},
    {"max_tool_calls", API_FIELD_IGNORED, NULL}, /* of tools that run on the server: none do */
    {"temperature", API_FIELD_READ, NULL},
    {"top_p", API_FIELD_READ, NULL},
    {"top_logprobs", API_FIELD_READ, NULL},
    {"text", API_FIELD_READ, NULL},
    {"tools", API_FIELD_READ, NULL},
    {"tool_choice", API_FIELD_READ, NULL},
    {"parallel_tool_calls", API_FIELD_READ, NULL},
    {"reasoning", API_FIELD_READ, NULL},
    {"include", API_FIELD_READ, NULL},
    {"truncation", API_FIELD_WORD, "disabled"},
    {"metadata", API_FIELD_READ, NULL},
    {"user", API_FIELD_READ, NULL},
    {"safety_identifier", API_FIELD_READ, NULL},
    {"prompt", API_FIELD_EMPTY, NULL},
    {"context_management", API_FIELD_EMPTY, NULL},
    {"moderation", API_FIELD_EMPTY, NULL},
    {"prompt_cache_key", API_FIELD_IGNORED, NULL},
    {"prompt_cache_retention", API_FIELD_IGNORED, NULL},
    {"service_tier", API_FIELD_IGNORED, NULL},
    {"priority", API_FIELD_READ, NULL},
    {"deadline_ms", API_FIELD_READ, NULL},
    {"adapter", API_FIELD_READ, NULL},
};
static const api_field tool_fields[] = {
    {"type", API_FIELD_READ, NULL},           {"name", API_FIELD_READ, NULL},
    {"description", API_FIELD_READ, NULL},    {"parameters", API_FIELD_READ, NULL},
    {"defer_loading", API_FIELD_EMPTY, NULL}, {"strict", API_FIELD_IGNORED, NULL}}; /* always are */
static const api_field text_fields[] = {{"format", API_FIELD_READ, NULL},
                                        {"verbosity", API_FIELD_IGNORED, NULL}};
static const api_field format_fields[] = {{"type", API_FIELD_READ, NULL},
                                          {"name", API_FIELD_IGNORED, NULL},
                                          {"description", API_FIELD_IGNORED, NULL},
                                          {"schema", API_FIELD_READ, NULL},
                                          {"strict", API_FIELD_IGNORED, NULL}};
static const api_field reasoning_fields[] = {{"effort", API_FIELD_READ, NULL},
                                             {"summary", API_FIELD_IGNORED, NULL},
                                             {"generate_summary", API_FIELD_IGNORED, NULL}};
static const api_field stream_fields[] = {{"include_obfuscation", API_FIELD_EMPTY, NULL}};

/* ---- tools ---- */

static err read_tool(api_call *c, const json *v, size_t index, gen_tool *out, fail *f) {
    const char *place = api_place(c, "tools[%zu]", index);
    str type = api_text_of(v, "type");
    const json *parameters = json_get(v, "parameters");
    if (!str_is(type, "function"))
        return api_refuse(c, f, api_place(c, "%s.type", place),
                          "a tool of type \"%.*s\" is not supported, \"function\" is",
                          STR_ARG(str_slice(type, 0, 64)));
    TRY(api_check_fields(c, v, api_place(c, "%s.", place), ROWS(tool_fields), f));
    *out = (gen_tool){.name = api_text_of(v, "name"), .description = api_text_of(v, "description")};
    if (!out->name.n)
        return api_refuse(c, f, api_place(c, "%s.name", place), "%s needs a name", place);
    if (!parameters || parameters->kind == JSON_NULL) return E_OK;
    if (parameters->kind != JSON_OBJECT)
        return api_refuse(c, f, api_place(c, "%s.parameters", place),
                          "%s.parameters must be a JSON schema, an object", place);
    out->parameters = parameters;
    return E_OK;
}

static err read_tools(api_call *c, api_response *r, fail *f) {
    gen_request *rq = &r->chat.request;
    bool parallel;
    TRY(api_get_bool(c, "parallel_tool_calls", true, &parallel, f));
    rq->one_call = !parallel;
    if (!api_is_empty(json_get(c->body, "tools"))) TRY(api_only_models(c, &r->chat, "tools", f));
    return api_read_tool_list(c, rq, "tools", read_tool, f);
}

static err read_choice(api_call *c, gen_request *rq, fail *f) {
    static const struct {
        const char *word;
        gen_tool_choice choice;
    } rows[] = {
        {"auto", GEN_TOOLS_AUTO}, {"none", GEN_TOOLS_NONE}, {"required", GEN_TOOLS_REQUIRED}};
    const json *v = json_get(c->body, "tool_choice");
    if (!v || v->kind == JSON_NULL) return E_OK;
    for (size_t i = 0; v->kind == JSON_STRING && i < sizeof rows / sizeof *rows; i++) {
        if (!str_is(v->string, rows[i].word)) continue;
        rq->tool_choice = rows[i].choice;
        if (rq->tool_choice == GEN_TOOLS_REQUIRED && !rq->n_tools)
            return api_refuse(c, f, "tool_choice", "tool_choice \"required\" needs tools");
        return E_OK;
    }
    if (v->kind != JSON_OBJECT || !str_is(api_text_of(v, "type"), "function"))
        return api_refuse(c, f, "tool_choice",
                          "tool_choice is auto, none, required or {\"type\":\"function\",\"name\":"
                          "...}");
    rq->tool_choice = GEN_TOOLS_ONE;
    rq->tool_name = api_text_of(v, "name");
    if (api_has_tool(rq, rq->tool_name)) return E_OK;
    return api_refuse(c, f, "tool_choice.name", "tool_choice.name must be that of a tool");
}

/* ---- how it is to be answered ---- */

static err read_format(api_call *c, api_response *r, fail *f) {
    const json *text, *format;
    gen_shape *shape = &r->chat.request.shape;
    TRY(api_get_object(c, "text", ROWS(text_fields), &text, f));
    format = json_get(text, "format");
    if (!format || format->kind == JSON_NULL) return E_OK;
    str type = api_text_of(format, "type");
    if (str_is(type, "text")) return E_OK;
    TRY(api_only_models(c, &r->chat, "text.format", f));
    if (format->kind == JSON_OBJECT)
        TRY(api_check_fields(c, format, "text.format.", ROWS(format_fields), f));
    if (str_is(type, "json_object")) {
        shape->kind = GEN_SHAPE_JSON;
        return E_OK;
    }
    if (!str_is(type, "json_schema"))
        return api_refuse(c, f, "text.format.type",
                          "text.format.type is text, json_object or json_schema");
    shape->kind = GEN_SHAPE_SCHEMA;
    shape->schema = json_get(format, "schema");
    c->shaped = "text.format.schema";
    if (!shape->schema) return api_refuse(c, f, c->shaped, "text.format needs a schema");
    return E_OK;
}

static err read_reasoning(api_call *c, api_response *r, fail *f) {
    static const char *const efforts[] = {"none", "minimal", "low", "medium", "high", "xhigh"};
    const json *v;
    bool known = false;
    TRY(api_get_object(c, "reasoning", ROWS(reasoning_fields), &v, f));
    str effort = api_text_of(v, "effort");
    if (!effort.n) return E_OK;
    for (size_t i = 0; i < sizeof efforts / sizeof *efforts; i++)
        known |= str_is(effort, efforts[i]);
    if (!known)
        return api_refuse(c, f, "reasoning.effort",
                          "reasoning.effort is none, minimal, low, medium, high or xhigh");
    json *extra = arena_new(c->a, json);
    json_member *m = arena_new_n(c->a, json_member, 1 + API_THINK_VARIABLES);
    if (!extra || !m) return fail_memory(f, "template variables");
    m[0] = (json_member){STR("reasoning_effort"), {.kind = JSON_STRING, .string = effort}};
    api_think_variables(m + 1, false);
    size_t n = str_is(effort, "none") ? 1 + API_THINK_VARIABLES : 1;
    *extra = (json){.kind = JSON_OBJECT, .count = n, .members = m};
    r->chat.request.extra = extra;
    return E_OK;
}

static err read_include(api_call *c, api_response *r, fail *f) {
    const json *all = json_get(c->body, "include");
    if (api_is_empty(all)) return E_OK;
    if (all->kind != JSON_ARRAY) return api_refuse(c, f, "include", "include must be an array");
    for (size_t i = 0; i < all->count; i++) {
        str word = all->items[i].kind == JSON_STRING ? all->items[i].string : STR("");
        if (str_is(word, "message.output_text.logprobs"))
            r->logprobs = true;
        else if (!str_is(word, "reasoning.encrypted_content")) /* there never is any */
            return api_refuse(c, f, "include", "include \"%.*s\" is not supported",
                              STR_ARG(str_slice(word, 0, 64)));
    }
    return r->logprobs ? api_only_models(c, &r->chat, "include", f) : E_OK;
}

static err read_numbers(api_call *c, api_response *r, fail *f) {
    gen_request *rq = &r->chat.request;
    int64_t tokens, top;
    TRY(api_get_double(c, "temperature", 1, 0, 2, &rq->sampling.temperature, f));
    TRY(api_get_double(c, "top_p", 1, 0, 1, &rq->sampling.top_p, f));
    TRY(api_get_int(c, "max_output_tokens", 0, 1, INT32_MAX, &tokens, f));
    TRY(api_get_int(c, "top_logprobs", 0, 0, 20, &top, f));
    if (top && !r->logprobs)
        return api_refuse(c, f, "top_logprobs",
                          "top_logprobs needs \"message.output_text.logprobs\" in include");
    rand_secret(&rq->sampling.seed, sizeof rq->sampling.seed);
    rq->max_tokens = (int32_t)tokens;
    rq->top_logprobs = r->logprobs ? (int32_t)top : -1;
    return E_OK;
}

static err read_metadata(api_call *c, fail *f) {
    const json *v = json_get(c->body, "metadata");
    if (!v || v->kind == JSON_NULL) return E_OK;
    if (v->kind != JSON_OBJECT || v->count > 16)
        return api_refuse(c, f, "metadata", "metadata must be an object of at most 16 texts");
    for (size_t i = 0; i < v->count; i++)
        if (v->members[i].value.kind != JSON_STRING || v->members[i].key.n > 64 ||
            v->members[i].value.string.n > 512)
            return api_refuse(c, f, "metadata",
                              "metadata maps names of up to 64 bytes to texts of up to 512");
    return E_OK;
}

static err read_ways(api_call *c, api_response *r, fail *f) {
    const json *stream_options;
    TRY(api_get_bool(c, "stream", false, &r->chat.stream, f));
    TRY(api_get_object(c, "stream_options", ROWS(stream_fields), &stream_options, f));
    TRY(api_get_bool(c, "store", true, &r->store, f));
    TRY(api_get_bool(c, "background", false, &r->background, f));
    if (!r->background) return E_OK;
    if (r->chat.stream)
        return api_refuse(c, f, "stream",
                          "a background response is not streamed: ask for it with "
                          "GET /v1/responses/ID");
    if (!r->store) return api_refuse(c, f, "store", "a background response must be stored");
    if (!c->api->runner) return fail_set(f, E_UNSUPPORTED, "nothing is run in the background here");
    return E_OK;
}

static err name_it(api_call *c, api_response *r, fail *f) {
    rand_id(r->tag, 24);
    const api_inside *inside = c->inside;
    bool known = inside && inside->job->kind == KEEP_RESPONSE;
    if (known) snprintf(r->tag, sizeof r->tag, "%.*s", STR_ARG(str_slice(inside->job->ref, 5, 32)));
    r->id = arena_printf(c->a, "resp_%s", r->tag);
    return r->id.p ? E_OK : fail_memory(f, "a response");
}

err api_response_read(api_call *c, api_response *r, fail *f) {
    api_chat *chat = &r->chat;
    gen_request *rq = &chat->request;
    TRY(api_check_fields(c, c->body, "", ROWS(fields), f));
    str model;
    TRY(api_get_str(c, "model", STR(""), &model, f));
    TRY(api_ask_begin(c, chat, model, f));
    rq->tenant = c->who.tenant.p ? c->who.tenant : STR("");
    TRY(api_read_subject(c, &rq->subject, f));
    TRY(name_it(c, r, f));
    TRY(read_tools(c, r, f));
    TRY(read_choice(c, rq, f));
    TRY(read_format(c, r, f));
    TRY(read_reasoning(c, r, f));
    TRY(read_include(c, r, f));
    TRY(read_numbers(c, r, f));
    TRY(read_metadata(c, f));
    TRY(read_ways(c, r, f));
    TRY(api_get_str(c, "previous_response_id", STR(""), &r->previous, f));
    return api_response_turns(c, r, f);
}
