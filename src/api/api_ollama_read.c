/* api_ollama_read.c - the bodies of Ollama's chat and generate as gen requests. */
#include "api/api_chat.h"
#include "api/api_ollama.h"

#define ROWS(a) (a), sizeof(a) / sizeof *(a)

/* What both have, and what every dialect has alike (api_admit.c). */
#define COMMON_FIELDS                                                                \
    {"model", API_FIELD_READ, NULL}, {"stream", API_FIELD_READ, NULL},               \
        {"format", API_FIELD_READ, NULL}, {"options", API_FIELD_READ, NULL},         \
        {"keep_alive", API_FIELD_READ, NULL}, {"think", API_FIELD_READ, NULL},       \
        {"logprobs", API_FIELD_READ, NULL}, {"top_logprobs", API_FIELD_READ, NULL},  \
        {"truncate", API_FIELD_WORD, "false"}, {"shift", API_FIELD_WORD, "false"},   \
        {"priority", API_FIELD_READ, NULL}, {"deadline_ms", API_FIELD_READ, NULL}, { \
        "adapter", API_FIELD_READ, NULL                                              \
    }

static const api_field chat_fields[] = {
    COMMON_FIELDS,
    {"messages", API_FIELD_READ, NULL},
    {"tools", API_FIELD_READ, NULL},
    {"tool_choice", API_FIELD_READ, NULL},
    {"parallel_tool_calls", API_FIELD_READ, NULL},
};
static const api_field generate_fields[] = {
    COMMON_FIELDS,
    {"prompt", API_FIELD_READ, NULL},
    {"system", API_FIELD_READ, NULL},
    {"raw", API_FIELD_READ, NULL},
    {"suffix", API_FIELD_EMPTY, NULL},
    {"template", API_FIELD_EMPTY, NULL},
    {"context", API_FIELD_EMPTY, NULL},
    {"images", API_FIELD_EMPTY, NULL},
    {"width", API_FIELD_EMPTY, NULL},
    {"height", API_FIELD_EMPTY, NULL},
    {"steps", API_FIELD_EMPTY, NULL},
};
static const api_field message_fields[] = {
    {"role", API_FIELD_READ, NULL},         {"content", API_FIELD_READ, NULL},
    {"thinking", API_FIELD_READ, NULL},     {"tool_calls", API_FIELD_READ, NULL},
    {"tool_name", API_FIELD_READ, NULL},    {"name", API_FIELD_READ, NULL},
    {"tool_call_id", API_FIELD_READ, NULL}, {"images", API_FIELD_EMPTY, NULL}};
static const api_field call_fields[] = {{"id", API_FIELD_READ, NULL},
                                        {"type", API_FIELD_WORD, "function"},
                                        {"function", API_FIELD_READ, NULL}};
static const api_field function_fields[] = {{"name", API_FIELD_READ, NULL},
                                            {"arguments", API_FIELD_READ, NULL},
                                            {"index", API_FIELD_IGNORED, NULL},
                                            {"description", API_FIELD_IGNORED, NULL}};

/* ---- calls and their results ---- */

/* Ollama's clients send calls without ids and results by a tool's name alone, so calls get ids of
 * their own, and a result belongs to the first call of its name that has none yet. */
typedef struct talk {
    api_call *call;
    gen_message *out;
    gen_call *calls; /* of all messages, in order */
    bool *answered;  /* [n_calls] */
    size_t n_calls;
} talk;

static err read_call(talk *t, const json *v, const char *place, fail *f) {
    api_call *c = t->call;
    gen_call *call = &t->calls[t->n_calls];
    const json *function = json_get(v, "function"), *arguments = json_get(function, "arguments");
    if (v->kind != JSON_OBJECT || !function || function->kind != JSON_OBJECT)
        return api_refuse(c, f, place, "%s needs a function, an object with a name", place);
    TRY(api_check_fields(c, v, api_place(c, "%s.", place), ROWS(call_fields), f));
    TRY(api_check_fields(c, function, api_place(c, "%s.function.", place), ROWS(function_fields),
                         f));
    *call = (gen_call){.id = api_text_of(v, "id"), .name = api_text_of(function, "name")};
    if (!call->name.n) return api_refuse(c, f, place, "%s.function needs a name", place);
    if (!call->id.n) call->id = arena_printf(c->a, "call%05zu", t->n_calls);
    if (!call->id.p) return fail_memory(f, "a message");
    t->answered[t->n_calls++] = false;
    if (arguments && arguments->kind == JSON_STRING)
        call->arguments = arguments->string;
    else if (arguments && arguments->kind == JSON_OBJECT)
        return api_json_text(c, arguments, &call->arguments, f);
    else
        call->arguments = STR("{}");
    return E_OK;
}

static err read_calls(talk *t, const json *all, size_t index, gen_message *m, fail *f) {
    api_call *c = t->call;
    const char *place = api_place(c, "messages[%zu].tool_calls", index);
    if (api_is_empty(all)) return E_OK;
    if (all->kind != JSON_ARRAY || m->role != GEN_ASSISTANT || all->count > API_CALLS_MAX)
        return api_refuse(c, f, place, "%s must be an array of at most %d, of an assistant", place,
                          API_CALLS_MAX);
    m->calls = t->calls + t->n_calls;
    m->n_calls = all->count;
    for (size_t i = 0; i < all->count; i++)
        TRY(read_call(t, &all->items[i], api_place(c, "%s[%zu]", place, i), f));
    return E_OK;
}

static err read_result(talk *t, const json *v, size_t index, gen_message *m, fail *f) {
    str id = api_text_of(v, "tool_call_id"), name = api_text_of(v, "tool_name");
    if (!name.n) name = m->name;
    for (size_t i = 0; i < t->n_calls; i++) {
        bool fits = id.n     ? str_eq(id, t->calls[i].id)
                    : name.n ? !t->answered[i] && str_eq(name, t->calls[i].name)
                             : !t->answered[i];
        if (!fits) continue;
        t->answered[i] = true;
        m->call_id = t->calls[i].id;
        m->name = t->calls[i].name;
        return E_OK;
    }
    const char *place = api_place(t->call, "messages[%zu].tool_name", index);
    return api_refuse(t->call, f, place, "messages[%zu] is the result of no earlier call", index);
}

/* ---- messages ---- */

static bool role_of(str name, gen_role *out) {
    static const char *const names[] = {"system", "user", "assistant", "tool"};
    for (int i = 0; i < 4; i++)
        if (str_is(name, names[i])) {
            *out = (gen_role)i;
            return true;
        }
    return false;
}

static err read_message(talk *t, const json *v, size_t index, fail *f) {
    api_call *c = t->call;
    gen_message *m = &t->out[index];
    const char *place = api_place(c, "messages[%zu]", index);
    const json *content = json_get(v, "content");
    *m = (gen_message){.content = api_text_of(v, "content"),
                       .reasoning = api_text_of(v, "thinking"),
                       .name = api_text_of(v, "name"),
                       .call_id = STR("")};
    if (v->kind != JSON_OBJECT || !role_of(api_text_of(v, "role"), &m->role))
        return api_refuse(c, f, api_place(c, "%s.role", place),
                          "%s.role must be system, user, assistant or tool", place);
    TRY(api_check_fields(c, v, api_place(c, "%s.", place), ROWS(message_fields), f));
    if (content && content->kind != JSON_STRING && content->kind != JSON_NULL)
        return api_refuse(c, f, api_place(c, "%s.content", place), "%s.content must be a string",
                          place);
    TRY(read_calls(t, json_get(v, "tool_calls"), index, m, f));
    return m->role == GEN_TOOL ? read_result(t, v, index, m, f) : E_OK;
}

static size_t count_calls(const json *all) {
    size_t n = 0;
    for (size_t i = 0; i < all->count; i++) {
        const json *calls = json_get(&all->items[i], "tool_calls");
        n += calls && calls->kind == JSON_ARRAY ? calls->count : 0;
    }
    return n;
}

static err read_messages(api_call *c, ollama_chat *m, fail *f) {
    const json *all = json_get(c->body, "messages");
    gen_request *rq = &m->chat.request;
    m->empty = api_is_empty(all);
    if (m->empty) return E_OK;
    if (all->kind != JSON_ARRAY || all->count > API_MESSAGES_MAX)
        return api_refuse(c, f, "messages", "messages must be an array of at most %d",
                          API_MESSAGES_MAX);
    size_t n_calls = count_calls(all) + 1;
    talk t = {.call = c,
              .out = arena_new_n(c->a, gen_message, all->count),
              .calls = arena_new_n(c->a, gen_call, n_calls),
              .answered = arena_new_n(c->a, bool, n_calls)};
    if (!t.out || !t.calls || !t.answered) return fail_memory(f, "messages");
    for (size_t i = 0; i < all->count; i++) TRY(read_message(&t, &all->items[i], i, f));
    if (t.out[all->count - 1].role == GEN_ASSISTANT)
        return api_refuse(c, f, "messages",
                          "the last message is the assistant's; to go on with its words is not "
                          "supported");
    rq->messages = t.out;
    rq->n_messages = all->count;
    return E_OK;
}

/* ---- how it is to be answered ---- */

/* "json" or a schema. */
static err read_format(api_call *c, ollama_chat *m, fail *f) {
    const json *v = json_get(c->body, "format");
    gen_shape *shape = &m->chat.request.shape;
    if (!v || v->kind == JSON_NULL || (v->kind == JSON_STRING && !v->string.n)) return E_OK;
    TRY(api_only_models(c, &m->chat, "format", f));
    if (v->kind == JSON_STRING && str_is(v->string, "json")) {
        shape->kind = GEN_SHAPE_JSON;
        return E_OK;
    }
    if (v->kind != JSON_OBJECT)
        return api_refuse(c, f, "format", "format must be \"json\" or a JSON Schema, an object");
    shape->kind = GEN_SHAPE_SCHEMA;
    shape->schema = v;
    c->shaped = "format";
    return E_OK;
}

/* true and false reach the template as enable_thinking; a word as reasoning_effort, too. */
static err read_think(api_call *c, gen_request *rq, fail *f) {
    const json *v = json_get(c->body, "think");
    if (!v || v->kind == JSON_NULL) return E_OK;
    bool word =
        v->kind == JSON_STRING && (str_is(v->string, "low") || str_is(v->string, "medium") ||
                                   str_is(v->string, "high") || str_is(v->string, "max"));
    if (v->kind != JSON_BOOL && !word)
        return api_refuse(c, f, "think", "think must be true, false, low, medium, high or max");
    json_member *m = arena_new_n(c->a, json_member, API_THINK_VARIABLES + 1);
    json *extra = arena_new(c->a, json);
    if (!m || !extra) return fail_memory(f, "a template's variables");
    api_think_variables(m, word || v->boolean);
    m[API_THINK_VARIABLES] = (json_member){STR("reasoning_effort"), *v};
    *extra = (json){.kind = JSON_OBJECT, .count = API_THINK_VARIABLES + word, .members = m};
    rq->extra = extra;
    return E_OK;
}

/* "model", and "name" as older clients say it. */
err api_ollama_read_model(api_call *c, str *asked, str *name, fail *f) {
    TRY(api_get_str(c, "model", STR(""), asked, f));
    str older;
    TRY(api_get_str(c, "name", STR(""), &older, f));
    if (!asked->n) *asked = older;
    if (!asked->n) return api_refuse(c, f, "model", "model must name a model or a task");
    *name = *asked;
    if (str_ends(*name, STR(":latest"))) name->n -= STR(":latest").n;
    return E_OK;
}

static err read_rest(api_call *c, ollama_chat *m, fail *f) {
    api_chat *chat = &m->chat;
    gen_request *rq = &chat->request;
    int64_t context = 0;
    str model;
    TRY(api_ollama_read_model(c, &m->asked, &model, f));
    TRY(api_ask_begin(c, chat, model, f));
    TRY(api_ollama_read_keep(c, &m->keep, f));
    TRY(api_ollama_read_options(c, rq, &context, f));
    TRY(read_format(c, m, f));
    TRY(read_think(c, rq, f));
    TRY(api_ask_logprobs(c, chat, f));
    TRY(api_get_bool(c, "stream", true, &chat->stream, f));
    return api_ollama_check_context(c, rq->model, context, f);
}

err api_ollama_read_chat(api_call *c, ollama_chat *m, fail *f) {
    TRY(api_check_fields(c, c->body, "", ROWS(chat_fields), f));
    TRY(read_rest(c, m, f));
    TRY(read_messages(c, m, f));
    return api_chat_read_tools(c, &m->chat, f);
}

err api_ollama_read_generate(api_call *c, ollama_chat *m, fail *f) {
    gen_request *rq = &m->chat.request;
    gen_message *messages = arena_new_n(c->a, gen_message, 2);
    str prompt, system;
    if (!messages) return fail_memory(f, "messages");
    m->generates = true;
    TRY(api_check_fields(c, c->body, "", ROWS(generate_fields), f));
    TRY(read_rest(c, m, f));
    TRY(api_get_str(c, "prompt", STR(""), &prompt, f));
    TRY(api_get_str(c, "system", STR(""), &system, f));
    TRY(api_get_bool(c, "raw", false, &rq->raw, f));
    if (rq->raw) TRY(api_only_models(c, &m->chat, "raw", f));
    if (rq->raw && system.n)
        return api_refuse(c, f, "system", "a raw prompt stands alone: it takes no system");
    m->empty = prompt.n == 0;
    if (system.n) messages[rq->n_messages++] = (gen_message){.role = GEN_SYSTEM, .content = system};
    messages[rq->n_messages++] = (gen_message){.role = GEN_USER, .content = prompt};
    rq->messages = messages;
    return E_OK;
}
