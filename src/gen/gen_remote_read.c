/* gen_remote_read.c - what a server's answer says, checked before it is believed; see
 * gen_remote_int.h. */
#include "gen/gen_remote_int.h"

err gen_remote_not_agreed(fail *f) {
    return fail_set(f, E_NETWORK,
                    "the large model's server sent something that is not a chat completion");
}

bool gen_remote_offered(const gen_request *rq, str name) {
    bool offered = false;
    for (size_t i = 0; i < rq->n_tools; i++) offered |= str_eq(rq->tools[i].name, name);
    return offered && rq->tool_choice != GEN_TOOLS_NONE;
}

bool gen_remote_is_object(const gen_request *rq, str arguments) {
    const json *v;
    fail ignored;
    return json_parse(rq->arena, arguments, &v, &ignored) == E_OK && v->kind == JSON_OBJECT;
}

/* {"id", "type", "function": {"name", "arguments"}}: one of the tools that were offered, its
 * arguments a JSON object as text. */
static err read_call(const gen_request *rq, const json *v, gen_call *out, fail *f) {
    const json *name = json_get(json_get(v, "function"), "name"), *id = json_get(v, "id"),
               *text = json_get(json_get(v, "function"), "arguments");
    if (!name || name->kind != JSON_STRING || !id || id->kind != JSON_STRING || !text ||
        text->kind != JSON_STRING)
        return gen_remote_not_agreed(f);
    if (!gen_remote_offered(rq, name->string) || !gen_remote_is_object(rq, text->string))
        return gen_remote_not_agreed(f);
    *out = (gen_call){id->string, name->string, text->string};
    return E_OK;
}

static err read_calls(const gen_request *rq, const json *v, gen_reply *out, fail *f) {
    if (!v || v->kind == JSON_NULL) return E_OK;
    if (v->kind != JSON_ARRAY || v->count > GEN_REMOTE_CALLS_MAX) return gen_remote_not_agreed(f);
    gen_call *calls = arena_new_n(rq->arena, gen_call, v->count + 1);
    if (!calls) return fail_memory(f, "calls");
    for (size_t i = 0; i < v->count; i++) TRY(read_call(rq, &v->items[i], &calls[i], f));
    out->calls = calls;
    out->n_calls = v->count;
    if (v->count) out->finish = GEN_CALLS;
    return E_OK;
}

err gen_remote_read_head(const json *v, gen_reply *out, fail *f) {
    const json *usage = json_get(v, "usage");
    gen_reply reply = *out;
    fail ignored;
    if (usage && usage->kind == JSON_OBJECT &&
        (json_get_int(usage, "prompt_tokens", reply.prompt_tokens, 0, INT32_MAX,
                      &reply.prompt_tokens, &ignored) != E_OK ||
         json_get_int(usage, "completion_tokens", reply.completion_tokens, 0, INT32_MAX,
                      &reply.completion_tokens, &ignored) != E_OK))
        return gen_remote_not_agreed(f);
    if (json_get_str(v, "model", reply.model, &reply.model, &ignored) != E_OK)
        return gen_remote_not_agreed(f);
    *out = reply;
    return E_OK;
}

err gen_remote_read_reply(const gen_request *rq, str body, gen_reply *out, fail *f) {
    const json *v, *choice;
    fail ignored;
    gen_reply reply = {.finish = GEN_STOP, .model = STR("")};
    str finish;
    if (json_parse(rq->arena, body, &v, &ignored) != E_OK) return gen_remote_not_agreed(f);
    choice = json_at(json_get(v, "choices"), 0);
    const json *message = json_get(choice, "message"), *content = json_get(message, "content");
    TRY(read_calls(rq, json_get(message, "tool_calls"), &reply, f));
    bool silent = reply.n_calls && (!content || content->kind == JSON_NULL);
    if (!silent && (!content || content->kind != JSON_STRING)) return gen_remote_not_agreed(f);
    if (json_get_str(choice, "finish_reason", STR("stop"), &finish, &ignored) != E_OK)
        return gen_remote_not_agreed(f);
    reply.text = silent ? STR("") : content->string;
    if (str_is(finish, "length")) reply.finish = GEN_LENGTH;
    TRY(gen_remote_read_head(v, &reply, f));
    *out = reply;
    return E_OK;
}
