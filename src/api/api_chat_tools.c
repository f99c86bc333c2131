/* api_chat_tools.c - what a chat may call: tools and tool_choice, and the older functions and
 * function_call. Names, schemas and choices are checked where calls are held to them (gen_tools.h,
 * grammar.h). */
#include "api/api_chat.h"

#include "gen/gen_tools.h"

/* {"name", "description", "parameters"} */
static err read_function(api_call *c, const json *v, const char *field, gen_tool *out, fail *f) {
    if (!v || v->kind != JSON_OBJECT)
        return api_refuse(c, f, field, "a tool needs a function, an object with a name");
    c->param = field;
    TRY(json_get_str(v, "name", STR(""), &out->name, f));
    TRY(json_get_str(v, "description", STR(""), &out->description, f));
    c->param = NULL;
    if (!out->name.n) return api_refuse(c, f, field, "a function needs a name");
    const json *parameters = json_get(v, "parameters");
    if (!parameters || parameters->kind == JSON_NULL) return E_OK;
    if (parameters->kind != JSON_OBJECT)
        return api_refuse(c, f, field, "a function's parameters must be a JSON schema, an object");
    out->parameters = parameters;
    return E_OK;
}

static err read_old(api_call *c, const json *v, size_t at, gen_tool *out, fail *f) {
    return read_function(c, v, api_place(c, "functions[%zu].name", at), out, f);
}

static err read_tool(api_call *c, const json *v, size_t at, gen_tool *out, fail *f) {
    const json *type = json_get(v, "type");
    if (type && type->kind == JSON_STRING && !str_is(type->string, "function"))
        return api_refuse(c, f, api_place(c, "tools[%zu].type", at),
                          "a tool of type \"%.*s\" is not supported, \"function\" is",
                          STR_ARG(str_slice(type->string, 0, 64)));
    return read_function(c, json_get(v, "function"), api_place(c, "tools[%zu].function", at), out,
                         f);
}

err api_read_tool_list(api_call *c, gen_request *rq, const char *key, api_tool_reader read,
                       fail *f) {
    const json *all = json_get(c->body, key);
    if (api_is_empty(all)) return E_OK;
    if (all->kind != JSON_ARRAY || all->count > GEN_TOOLS_MAX)
        return api_refuse(c, f, key, "%s must be an array of at most %d", key, GEN_TOOLS_MAX);
    gen_tool *tools = arena_new_n(c->a, gen_tool, all->count);
    if (!tools) return fail_memory(f, "tools");
    for (size_t i = 0; i < all->count; i++) {
        tools[i] = (gen_tool){.description = STR("")};
        TRY(read(c, &all->items[i], i, &tools[i], f));
    }
    rq->tools = tools;
    rq->n_tools = all->count;
    return E_OK;
}

bool api_has_tool(const gen_request *rq, str name) {
    for (size_t i = 0; i < rq->n_tools; i++)
        if (str_eq(rq->tools[i].name, name)) return true;
    return false;
}

static err choose_one(api_call *c, gen_request *rq, const char *key, str name, fail *f) {
    rq->tool_choice = GEN_TOOLS_ONE;
    rq->tool_name = name;
    if (api_has_tool(rq, name)) return E_OK;
    return api_refuse(c, f, key, "%s names \"%.*s\", which is not among the tools", key,
                      STR_ARG(str_slice(name, 0, 64)));
}

/* "none" | "auto" | "required" | {"type": "function", "function": {"name"}}; the older form knows
 * no "required", and {"name"} only. */
static err read_choice(api_call *c, api_chat *chat, const char *key, fail *f) {
    const json *v = json_get(c->body, key);
    gen_request *rq = &chat->request;
    rq->tool_choice = GEN_TOOLS_AUTO;
    if (!v || v->kind == JSON_NULL) return E_OK;
    if (v->kind == JSON_OBJECT) {
        const json *name = json_get(chat->legacy ? v : json_get(v, "function"), "name");
        if (name && name->kind == JSON_STRING) return choose_one(c, rq, key, name->string, f);
    }
    if (v->kind == JSON_STRING && str_is(v->string, "auto")) return E_OK;
    if (v->kind == JSON_STRING && str_is(v->string, "none")) {
        rq->tool_choice = GEN_TOOLS_NONE;
        return E_OK;
    }
    if (v->kind != JSON_STRING || chat->legacy || !str_is(v->string, "required"))
        return api_refuse(c, f, key,
                          "%s is \"none\", \"auto\"%s or an object with a function's name", key,
                          chat->legacy ? "" : ", \"required\"");
    rq->tool_choice = GEN_TOOLS_REQUIRED;
    if (!rq->n_tools) return api_refuse(c, f, key, "%s \"required\" needs tools", key);
    return E_OK;
}

err api_chat_read_tools(api_call *c, api_chat *chat, fail *f) {
    bool parallel, tools = !api_is_empty(json_get(c->body, "tools")),
                   functions = !api_is_empty(json_get(c->body, "functions"));
    if (tools && functions)
        return api_refuse(c, f, "functions", "either tools or functions, not both");
    chat->legacy = functions;
    TRY(api_get_bool(c, "parallel_tool_calls", true, &parallel, f));
    if (tools || functions) TRY(api_only_models(c, chat, functions ? "functions" : "tools", f));
    if (tools) TRY(api_read_tool_list(c, &chat->request, "tools", read_tool, f));
    if (functions) TRY(api_read_tool_list(c, &chat->request, "functions", read_old, f));
    chat->request.one_call = !parallel || functions;
    return read_choice(c, chat, functions ? "function_call" : "tool_choice", f);
}
