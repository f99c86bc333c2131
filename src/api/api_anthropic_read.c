/* api_anthropic_read.c - the body of Anthropic's messages as a gen request. */
#include "api/api_anthropic.h"
#include "api/api_chat.h"

#include "base/rand.h"

#define ROWS(a) (a), sizeof(a) / sizeof *(a)

static const api_field fields[] = {
    {"model", API_FIELD_READ, NULL},
    {"messages", API_FIELD_READ, NULL},
    {"system", API_FIELD_READ, NULL},
    {"max_tokens", API_FIELD_READ, NULL},
    {"stream", API_FIELD_READ, NULL},
    {"temperature", API_FIELD_READ, NULL},
    {"top_p", API_FIELD_READ, NULL},
    {"top_k", API_FIELD_READ, NULL},
    {"stop_sequences", API_FIELD_READ, NULL},
    {"tools", API_FIELD_READ, NULL},
    {"tool_choice", API_FIELD_READ, NULL},
    {"thinking", API_FIELD_READ, NULL},
    {"metadata", API_FIELD_READ, NULL},
    {"output_config", API_FIELD_READ, NULL},
    {"output_format", API_FIELD_READ, NULL},
    {"service_tier", API_FIELD_IGNORED, NULL},
    {"cache_control", API_FIELD_IGNORED, NULL},
    {"inference_geo", API_FIELD_IGNORED, NULL},
    {"priority", API_FIELD_READ, NULL},
    {"deadline_ms", API_FIELD_READ, NULL},
    {"adapter", API_FIELD_READ, NULL},
    {"speed", API_FIELD_IGNORED, NULL},
    {"diagnostics", API_FIELD_IGNORED, NULL},
    {"container", API_FIELD_EMPTY, NULL},
    {"context_management", API_FIELD_EMPTY, NULL},
    {"mcp_servers", API_FIELD_EMPTY, NULL},
};
static const api_field tool_fields[] = {
    {"name", API_FIELD_READ, NULL},
    {"description", API_FIELD_READ, NULL},
    {"input_schema", API_FIELD_READ, NULL},
    {"type", API_FIELD_READ, NULL},
    {"strict", API_FIELD_IGNORED, NULL}, /* calls always satisfy the schema */
    {"cache_control", API_FIELD_IGNORED, NULL},
    {"eager_input_streaming", API_FIELD_IGNORED, NULL},
    {"defer_loading", API_FIELD_EMPTY, NULL},
    {"allowed_callers", API_FIELD_IGNORED, NULL},
    {"input_examples", API_FIELD_EMPTY, NULL},
};
static const api_field choice_fields[] = {{"type", API_FIELD_READ, NULL},
                                          {"name", API_FIELD_READ, NULL},
                                          {"disable_parallel_tool_use", API_FIELD_READ, NULL}};
static const api_field thinking_fields[] = {{"type", API_FIELD_READ, NULL},
                                            {"budget_tokens", API_FIELD_IGNORED, NULL},
                                            {"display", API_FIELD_IGNORED, NULL}};
static const api_field metadata_fields[] = {{"user_id", API_FIELD_READ, NULL}};
static const api_field output_fields[] = {{"format", API_FIELD_READ, NULL},
                                          {"effort", API_FIELD_IGNORED, NULL}};
static const api_field format_fields[] = {{"type", API_FIELD_READ, NULL},
                                          {"schema", API_FIELD_READ, NULL}};

/* ---- tools ---- */

static err read_tool(api_call *c, const json *v, size_t index, gen_tool *out, fail *f) {
    const char *place = api_place(c, "tools[%zu]", index);
    const json *schema = json_get(v, "input_schema");
    str type = api_text_of(v, "type");
    if (type.n && !str_is(type, "custom"))
        return api_refuse(c, f, api_place(c, "%s.type", place),
                          "%s: the tool \"%.*s\" would run on the server, which runs none; give it "
                          "as a tool of your own, with input_schema",
                          place, STR_ARG(str_slice(type, 0, 64)));
    if (v->kind != JSON_OBJECT) return api_refuse(c, f, place, "%s must be an object", place);
    TRY(api_check_fields(c, v, api_place(c, "%s.", place), ROWS(tool_fields), f));
    *out = (gen_tool){.name = api_text_of(v, "name"),
                      .description = api_text_of(v, "description"),
                      .parameters = schema};
    if (!out->name.n)
        return api_refuse(c, f, api_place(c, "%s.name", place), "%s needs a name", place);
    if (!schema || schema->kind != JSON_OBJECT)
        return api_refuse(c, f, api_place(c, "%s.input_schema", place),
                          "%s.input_schema must be a JSON Schema, an object", place);
    return E_OK;
}

static err read_choice(api_call *c, gen_request *rq, fail *f) {
    static const struct {
        const char *type;
        gen_tool_choice choice;
    } rows[] = {{"auto", GEN_TOOLS_AUTO},
                {"any", GEN_TOOLS_REQUIRED},
                {"tool", GEN_TOOLS_ONE},
                {"none", GEN_TOOLS_NONE}};
    const json *v;
    bool found = false;
    TRY(api_get_object(c, "tool_choice", ROWS(choice_fields), &v, f));
    if (!v) return E_OK;
    str type = api_text_of(v, "type");
    for (size_t i = 0; i < sizeof rows / sizeof *rows && !found; i++) {
        found = str_is(type, rows[i].type);
        if (found) rq->tool_choice = rows[i].choice;
    }
    if (!found)
        return api_refuse(c, f, "tool_choice.type", "tool_choice.type is auto, any, tool or none");
    if (!rq->n_tools && rq->tool_choice != GEN_TOOLS_NONE)
        return api_refuse(c, f, "tool_choice", "tool_choice needs tools");
    rq->tool_name = api_text_of(v, "name");
    if (rq->tool_choice == GEN_TOOLS_ONE && !api_has_tool(rq, rq->tool_name))
        return api_refuse(c, f, "tool_choice.name", "tool_choice.name must be that of a tool");
    c->param = "tool_choice.disable_parallel_tool_use";
    TRY(json_get_bool(v, "disable_parallel_tool_use", false, &rq->one_call, f));
    c->param = NULL;
    return E_OK;
}

/* ---- how it is to be answered ---- */

static err read_stops(api_call *c, gen_request *rq, fail *f) {
    const json *v = json_get(c->body, "stop_sequences");
    if (api_is_empty(v)) return E_OK;
    if (v->kind != JSON_ARRAY)
        return api_refuse(c, f, "stop_sequences", "stop_sequences must be an array");
    return api_ask_stops(c, v, "stop_sequences", rq, f);
}

static err read_sampling(api_call *c, gen_request *rq, fail *f) {
    int64_t top_k;
    gen_sampling *s = &rq->sampling;
    TRY(api_get_double(c, "temperature", 1, 0, 2, &s->temperature, f));
    TRY(api_get_double(c, "top_p", 1, 0, 1, &s->top_p, f));
    TRY(api_get_int(c, "top_k", 0, 0, INT32_MAX, &top_k, f));
    s->top_k = (int32_t)top_k;
    rand_secret(&s->seed, sizeof s->seed);
    return E_OK;
}

/* enabled and disabled reach the template as enable_thinking; adaptive leaves it to the model. */
static err read_thinking(api_call *c, gen_request *rq, fail *f) {
    const json *v;
    TRY(api_get_object(c, "thinking", ROWS(thinking_fields), &v, f));
    if (!v) return E_OK;
    str type = api_text_of(v, "type");
    bool on = str_is(type, "enabled");
    if (str_is(type, "adaptive")) return E_OK;
    if (!on && !str_is(type, "disabled"))
        return api_refuse(c, f, "thinking.type", "thinking.type is enabled, disabled or adaptive");
    json_member *m = arena_new_n(c->a, json_member, API_THINK_VARIABLES);
    json *extra = arena_new(c->a, json);
    if (!m || !extra) return fail_memory(f, "a template's variables");
    api_think_variables(m, on);
    *extra = (json){.kind = JSON_OBJECT, .count = API_THINK_VARIABLES, .members = m};
    rq->extra = extra;
    return E_OK;
}

/* {"type": "json_schema", "schema": {...}}, as output_config.format or, older, output_format. */
static err read_shape(api_call *c, gen_request *rq, fail *f) {
    const json *output, *format;
    TRY(api_get_object(c, "output_config", ROWS(output_fields), &output, f));
    TRY(api_get_object(c, "output_format", ROWS(format_fields), &format, f));
    const char *place = format ? "output_format" : "output_config.format";
    if (!format) format = json_get(output, "format");
    if (!format || format->kind == JSON_NULL) return E_OK;
    if (format->kind != JSON_OBJECT || !str_is(api_text_of(format, "type"), "json_schema"))
        return api_refuse(c, f, place, "%s must be {\"type\": \"json_schema\", \"schema\": ...}",
                          place);
    TRY(api_check_fields(c, format, api_place(c, "%s.", place), ROWS(format_fields), f));
    rq->shape.kind = GEN_SHAPE_SCHEMA;
    rq->shape.schema = json_get(format, "schema");
    c->shaped = api_place(c, "%s.schema", place);
    if (!rq->shape.schema) return api_refuse(c, f, c->shaped, "%s is missing", c->shaped);
    return E_OK;
}

static err read_limit(api_call *c, const anthropic_chat *m, gen_request *rq, fail *f) {
    int64_t n;
    TRY(api_get_int(c, "max_tokens", 0, 1, INT32_MAX, &n, f));
    if (!n && !m->counting)
        return api_refuse(c, f, "max_tokens", "max_tokens is missing; it must be at least 1");
    rq->max_tokens = (int32_t)n;
    return E_OK;
}

/* A task's answers are approved words, chosen and not written: there is nothing to call or hold. */
static err check_task(api_call *c, const api_chat *chat, fail *f) {
    const gen_request *rq = &chat->request;
    if (!rq->n_tools && rq->shape.kind == GEN_SHAPE_NONE) return E_OK;
    return api_only_models(c, chat, rq->n_tools ? "tools" : "output_config.format", f);
}

/* A date. Versions before 2023-06-01 stream otherwise; those since then differ in fields, which are
 * read or refused one by one. */
static err check_version(api_call *c, fail *f) {
    str version = http_header_get(c->rq, "anthropic-version");
    bool good = !version.n ||
                (version.n == STR("2023-06-01").n && str_compare(version, STR("2023-06-01")) >= 0 &&
                 str_compare(version, STR("3000")) < 0);
    if (good) return E_OK;
    return api_refuse(c, f, "anthropic-version",
                      "anthropic-version \"%.*s\" is not spoken here, 2023-06-01 is",
                      STR_ARG(str_slice(version, 0, 32)));
}

err api_anthropic_read(api_call *c, anthropic_chat *m, fail *f) {
    api_chat *chat = &m->chat;
    gen_request *rq = &chat->request;
    const json *metadata;
    str model;
    TRY(check_version(c, f));
    TRY(api_check_fields(c, c->body, "", ROWS(fields), f));
    TRY(api_get_str(c, "model", STR(""), &model, f));
    TRY(api_ask_begin(c, chat, model, f));
    TRY(read_limit(c, m, rq, f));
    TRY(api_anthropic_turns(c, rq, f));
    TRY(api_read_tool_list(c, rq, "tools", read_tool, f));
    TRY(read_choice(c, rq, f));
    TRY(read_stops(c, rq, f));
    TRY(read_sampling(c, rq, f));
    TRY(read_thinking(c, rq, f));
    TRY(read_shape(c, rq, f));
    TRY(check_task(c, chat, f));
    TRY(api_get_object(c, "metadata", ROWS(metadata_fields), &metadata, f));
    rq->subject = api_text_of(metadata, "user_id");
    return api_get_bool(c, "stream", false, &chat->stream, f);
}
