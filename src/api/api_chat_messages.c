/* api_chat_messages.c - the messages of a chat: roles, contents, calls that were made and their
 * results. */
#include "api/api_chat.h"

static bool role_of(str name, gen_role *out) {
    static const struct {
        const char *name;
        gen_role role;
    } roles[] = {{"system", GEN_SYSTEM},       {"developer", GEN_SYSTEM}, {"user", GEN_USER},
                 {"assistant", GEN_ASSISTANT}, {"tool", GEN_TOOL},        {"function", GEN_TOOL}};
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (str_is(name, roles[i].name)) {
            *out = roles[i].role;
            return true;
        }
    return false;
}

static const char *field_at(api_call *c, size_t i, const char *key) {
    return api_place(c, "messages[%zu].%s", i, key);
}

static const json *part_text(const json *part) {
    const json *type = json_get(part, "type");
    if (!type || type->kind != JSON_STRING) return NULL;
    if (str_is(type->string, "text")) return json_get(part, "text");
    return str_is(type->string, "refusal") ? json_get(part, "refusal") : NULL;
}

/* Parts of type text (and what an assistant refused with), one after the other. */
static err join_parts(api_call *c, const json *parts, size_t at, str *out, fail *f) {
    size_t bytes = 0;
    for (size_t i = 0; i < parts->count; i++) {
        const json *text = part_text(&parts->items[i]);
        if (!text || text->kind != JSON_STRING)
            return api_refuse(c, f, field_at(c, at, "content"),
                              "only content parts {\"type\":\"text\",\"text\":...} are supported");
        bytes += text->string.n;
    }
    char *all = arena_alloc(c->a, bytes + 1);
    if (!all) return fail_memory(f, "a message");
    *out = (str){all, bytes};
    for (size_t i = 0; i < parts->count; i++) {
        str text = part_text(&parts->items[i])->string;
        for (size_t k = 0; k < text.n; k++) *all++ = text.p[k];
    }
    return E_OK;
}

/* ---- calls ---- */

static err read_call(api_call *c, const json *v, size_t at, gen_call *out, fail *f) {
    const json *type = json_get(v, "type"), *function = json_get(v, "function");
    const char *field = field_at(c, at, "tool_calls");
    if (type && type->kind == JSON_STRING && !str_is(type->string, "function"))
        return api_refuse(c, f, field, "only calls of type \"function\" are supported");
    c->param = field;
    TRY(json_get_str(v, "id", STR(""), &out->id, f));
    TRY(json_get_str(function, "name", STR(""), &out->name, f));
    TRY(json_get_str(function, "arguments", STR(""), &out->arguments, f));
    c->param = NULL;
    if (!out->name.n || !out->id.n)
        return api_refuse(c, f, field, "a tool call needs an id, and a function with a name");
    return E_OK;
}

/* The one call of the older form has no id; nine characters please every template. */
static err read_function_call(api_call *c, const json *v, size_t at, gen_message *out, fail *f) {
    gen_call *call = arena_new(c->a, gen_call);
    if (!call) return fail_memory(f, "messages");
    c->param = field_at(c, at, "function_call");
    TRY(json_get_str(v, "name", STR(""), &call->name, f));
    TRY(json_get_str(v, "arguments", STR(""), &call->arguments, f));
    if (!call->name.n) return fail_set(f, E_INPUT, "a function call needs a name");
    c->param = NULL;
    call->id = arena_printf(c->a, "call%05zu", at);
    if (!call->id.p) return fail_memory(f, "messages");
    out->calls = call;
    out->n_calls = 1;
    return E_OK;
}

static err read_calls(api_call *c, const json *message, size_t at, gen_message *out, fail *f) {
    const json *all = json_get(message, "tool_calls"), *one = json_get(message, "function_call");
    const char *field = field_at(c, at, "tool_calls");
    if (!api_is_empty(one) && api_is_empty(all)) return read_function_call(c, one, at, out, f);
    if (api_is_empty(all)) return E_OK;
    if (out->role != GEN_ASSISTANT)
        return api_refuse(c, f, field, "only an assistant's message has tool calls");
    if (all->kind != JSON_ARRAY || all->count > API_CALLS_MAX)
        return api_refuse(c, f, field, "tool_calls must be an array of at most %d", API_CALLS_MAX);
    gen_call *calls = arena_new_n(c->a, gen_call, all->count);
    if (!calls) return fail_memory(f, "messages");
    for (size_t i = 0; i < all->count; i++) TRY(read_call(c, &all->items[i], at, &calls[i], f));
    out->calls = calls;
    out->n_calls = all->count;
    return E_OK;
}

/* Of which call a message of role tool, or of the older role function, is the result. */
static err read_result(api_call *c, const json *message, size_t at, gen_message *out, fail *f) {
    const gen_message *before = out - at;
    c->param = field_at(c, at, "tool_call_id");
    TRY(json_get_str(message, "tool_call_id", STR(""), &out->call_id, f));
    c->param = NULL;
    for (size_t i = at; i > 0 && !out->call_id.n && out->name.n; i--)
        for (size_t k = 0; k < before[i - 1].n_calls && !out->call_id.n; k++)
            if (str_eq(before[i - 1].calls[k].name, out->name))
                out->call_id = before[i - 1].calls[k].id;
    if (out->call_id.n) return E_OK;
    return api_refuse(c, f, field_at(c, at, "tool_call_id"),
                      "a result needs the tool_call_id of its call");
}

/* ---- messages ---- */

static err read_content(api_call *c, const json *message, size_t at, gen_message *out, fail *f) {
    const json *content = json_get(message, "content"), *refusal = json_get(message, "refusal");
    if (api_is_empty(content) && refusal && refusal->kind == JSON_STRING) content = refusal;
    if (content && content->kind == JSON_ARRAY) return join_parts(c, content, at, &out->content, f);
    out->content = STR("");
    if (out->n_calls && (!content || content->kind == JSON_NULL)) return E_OK;
    if (!content || content->kind != JSON_STRING)
        return api_refuse(c, f, field_at(c, at, "content"),
                          "a message needs content: a string, or an array of text parts");
    out->content = content->string;
    return E_OK;
}

static err read_reasoning(api_call *c, const json *message, size_t at, gen_message *out, fail *f) {
    static const char *const names[] = {"reasoning_content", "reasoning", "thinking"};
    out->reasoning = STR("");
    for (size_t i = 0; i < sizeof names / sizeof *names && !out->reasoning.n; i++) {
        c->param = field_at(c, at, names[i]);
        TRY(json_get_str(message, names[i], STR(""), &out->reasoning, f));
    }
    c->param = NULL;
    return E_OK;
}

static err read_message(api_call *c, const json *v, size_t at, gen_message *out, fail *f) {
    const json *role = json_get(v, "role"), *name = json_get(v, "name");
    if (!role || role->kind != JSON_STRING)
        return api_refuse(c, f, field_at(c, at, "role"), "a message needs a role, as a string");
    if (!role_of(role->string, &out->role))
        return api_refuse(c, f, field_at(c, at, "role"),
                          "the role \"%.*s\" is not supported; system, developer, user, "
                          "assistant, tool and function are",
                          STR_ARG(str_slice(role->string, 0, 64)));
    out->name = name && name->kind == JSON_STRING ? name->string : STR("");
    out->call_id = STR("");
    TRY(read_calls(c, v, at, out, f));
    TRY(read_reasoning(c, v, at, out, f));
    if (out->role == GEN_TOOL) TRY(read_result(c, v, at, out, f));
    return read_content(c, v, at, out, f);
}

err api_chat_read_messages(api_call *c, gen_request *rq, fail *f) {
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
