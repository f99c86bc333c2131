/* chat_values.c - messages, tools and variables as a template sees them; see chat.h. Nothing of the
 * caller's is changed: what differs is made anew in the request's arena, the rest is shared. */
#include "token/chat_int.h"

#include <string.h>

enum { VALUE_NAMES = 4, REASONING_NAMES = 3 };

static const char *const reasoning_names[REASONING_NAMES] = {"reasoning_content", "thinking",
                                                             "reasoning"};

/* ---- checks ---- */

static err check_calls(const json *message, size_t i, fail *f) {
    const json *calls = json_get(message, "tool_calls");
    if (!calls || calls->kind == JSON_NULL) return E_OK;
    if (calls->kind != JSON_ARRAY)
        return fail_set(f, E_INPUT, "messages[%zu].tool_calls must be an array", i);
    if (calls->count > CHAT_TOOL_CALLS_MAX)
        return fail_set(f, E_TOO_LARGE, "messages[%zu] has %zu tool calls, above the limit %d", i,
                        calls->count, CHAT_TOOL_CALLS_MAX);
    return E_OK;
}

static err check_array(const json *v, const char *what, fail *f) {
    if (!v || v->kind == JSON_ARRAY || v->kind == JSON_NULL) return E_OK;
    return fail_set(f, E_INPUT, "%s must be an array", what);
}

static const char *const own_names[VALUE_NAMES] = {"messages", "tools", "documents",
                                                   "add_generation_prompt"};

static err check_extra(const json *extra, fail *f) {
    if (!extra) return E_OK;
    if (extra->kind != JSON_OBJECT)
        return fail_set(f, E_INPUT, "the template's further variables must be an object");
    for (int i = 0; i < VALUE_NAMES; i++)
        if (json_get(extra, own_names[i]))
            return fail_set(f, E_INPUT, "%s is no further variable: it has its own place",
                            own_names[i]);
    return E_OK;
}

err chat_check(const chat_input *in, fail *f) {
    const json *m = in->messages;
    if (!m || m->kind != JSON_ARRAY) return fail_set(f, E_INPUT, "messages must be an array");
    if (m->count > CHAT_MESSAGES_MAX)
        return fail_set(f, E_TOO_LARGE, "%zu messages are above the limit %d", m->count,
                        CHAT_MESSAGES_MAX);
    for (size_t i = 0; i < m->count; i++) {
        const json *role = json_get(json_at(m, i), "role");
        if (!role || role->kind != JSON_STRING)
            return fail_set(f, E_INPUT, "messages[%zu] must be an object with a role", i);
        TRY(check_calls(json_at(m, i), i, f));
    }
    TRY(check_array(in->tools, "tools", f));
    TRY(check_array(in->documents, "documents", f));
    TRY(check_extra(in->extra, f));
    if (in->continue_last && in->add_generation_prompt)
        return fail_set(f, E_INPUT, "a prompt either asks for an answer or goes on with one");
    return E_OK;
}

/* ---- tool calls ---- */

static json text_json(str s) {
    return (json){.kind = JSON_STRING, .string = s};
}

static json object_json(const json_member *m, size_t n) {
    return (json){.kind = JSON_OBJECT, .count = n, .members = m};
}

/* A copy of the object's members with one value put in the place of another. */
static err with_member(arena *a, const json *object, const char *key, json value, json *out,
                       fail *f) {
    json_member *m = arena_new_n(a, json_member, object->count + 1);
    if (!m) return fail_memory(f, "messages");
    for (size_t i = 0; i < object->count; i++) {
        m[i] = object->members[i];
        if (str_is(m[i].key, key)) m[i].value = value;
    }
    *out = object_json(m, object->count);
    return E_OK;
}

static err to_object(arena *a, const json *arguments, size_t message, json *out, fail *f) {
    const json *parsed = NULL;
    if (!str_trim(arguments->string).n) { /* some servers say "" for a call without arguments */
        *out = object_json(NULL, 0);
        return E_OK;
    }
    fail why;
    err e = json_parse(a, arguments->string, &parsed, &why);
    if (e == E_NO_MEMORY) return fail_memory(f, "messages");
    if (e != E_OK || parsed->kind != JSON_OBJECT)
        return fail_set(f, E_INPUT,
                        "messages[%zu]: a tool call's arguments are no JSON object, and the "
                        "model's template reads nothing else",
                        message);
    *out = *parsed;
    return E_OK;
}

static err to_text(arena *a, const json *arguments, json *out, fail *f) {
    buf b = {.bytes_max = TOKEN_TEXT_BYTES_MAX};
    json_writer w = {.out = &b};
    json_put_value(&w, arguments);
    str kept = b.failed ? STR_NONE : arena_str(a, buf_str(&b));
    buf_deinit(&b);
    if (!kept.p) return fail_memory(f, "messages");
    *out = text_json(kept);
    return E_OK;
}

static err one_call(const chat *c, arena *a, const json *call, size_t message, json *out, fail *f) {
    const json *function = json_get(call, "function"), *of = function ? function : call,
               *arguments = json_get(of, "arguments");
    bool text = arguments && arguments->kind == JSON_STRING,
         object = arguments && arguments->kind == JSON_OBJECT;
    json changed;
    *out = *call;
    if (text && !c->features.arguments_as_text && c->features.arguments_as_object)
        TRY(to_object(a, arguments, message, &changed, f));
    else if (object && !c->features.arguments_as_object && c->features.arguments_as_text)
        TRY(to_text(a, arguments, &changed, f));
    else
        return E_OK;
    TRY(with_member(a, of, "arguments", changed, out, f));
    if (!function) return E_OK;
    json inner = *out;
    return with_member(a, call, "function", inner, out, f);
}

static err all_calls(const chat *c, arena *a, const json *calls, size_t message, json *out,
                     fail *f) {
    json *items = arena_new_n(a, json, calls->count + 1);
    if (!items) return fail_memory(f, "messages");
    for (size_t i = 0; i < calls->count; i++)
        TRY(one_call(c, a, &calls->items[i], message, &items[i], f));
    *out = (json){.kind = JSON_ARRAY, .count = calls->count, .items = items};
    return E_OK;
}

/* ---- messages ---- */

/* The texts of parts, with line ends between them. */
static err join_parts(arena *a, const json *parts, size_t message, json *out, fail *f) {
    buf b = {.bytes_max = TOKEN_TEXT_BYTES_MAX};
    err e = E_OK;
    for (size_t i = 0; i < parts->count && e == E_OK; i++) {
        const json *text = json_get(&parts->items[i], "text");
        if (!text || text->kind != JSON_STRING)
            e = fail_set(f, E_UNSUPPORTED,
                         "messages[%zu].content[%zu]: the model's template reads text only",
                         message, i);
        if (i) buf_put_char(&b, '\n');
        if (e == E_OK) buf_put(&b, text->string);
    }
    if (e == E_OK) e = buf_ok(&b, f);
    str kept = e == E_OK ? arena_str(a, buf_str(&b)) : STR_NONE;
    buf_deinit(&b);
    if (e == E_OK && !kept.p) return fail_memory(f, "messages");
    if (e == E_OK) *out = text_json(kept);
    return e;
}

static const json *present(const json *message, const char *key) {
    const json *v = json_get(message, key);
    return v && v->kind != JSON_NULL ? v : NULL;
}

static err one_message(const chat *c, arena *a, const json *message, size_t at, json *out,
                       fail *f) {
    json_member *m = arena_new_n(a, json_member, message->count + REASONING_NAMES);
    const json *reasoning = NULL;
    size_t n = 0;
    if (!m) return fail_memory(f, "messages");
    for (int i = 0; i < REASONING_NAMES && !reasoning; i++)
        reasoning = present(message, reasoning_names[i]);
    if (reasoning && !present(message, "thinking"))
        m[n++] = (json_member){STR("thinking"), *reasoning};
    for (size_t i = 0; i < message->count; i++) {
        const json_member *was = &message->members[i];
        if (was->value.kind == JSON_NULL) continue;
        m[n] = *was;
        if (str_is(was->key, "tool_calls") && was->value.kind == JSON_ARRAY)
            TRY(all_calls(c, a, &was->value, at, &m[n].value, f));
        if (str_is(was->key, "content") && was->value.kind == JSON_ARRAY && !c->features.parts)
            TRY(join_parts(a, &was->value, at, &m[n].value, f));
        n++;
    }
    if (reasoning && !present(message, "reasoning_content"))
        m[n++] = (json_member){STR("reasoning_content"), *reasoning};
    *out = object_json(m, n);
    return E_OK;
}

static err all_messages(const chat *c, arena *a, const json *messages, json *out, fail *f) {
    json *items = arena_new_n(a, json, messages->count + 1);
    if (!items) return fail_memory(f, "messages");
    for (size_t i = 0; i < messages->count; i++)
        TRY(one_message(c, a, &messages->items[i], i, &items[i], f));
    *out = (json){.kind = JSON_ARRAY, .count = messages->count, .items = items};
    return E_OK;
}

/* ---- the message that is gone on with ---- */

static err marked_text(arena *a, str text, json *out, fail *f) {
    str kept = arena_printf(a, "%.*s%s", STR_ARG(text), CHAT_MARK);
    if (!kept.p || kept.n != text.n + sizeof CHAT_MARK - 1) return fail_memory(f, "a prompt");
    *out = text_json(kept);
    return E_OK;
}

/* The last part that is text gets the mark. */
static err marked_parts(arena *a, const json *parts, json *out, fail *f) {
    json *items = arena_new_n(a, json, parts->count + 1), text;
    size_t last = parts->count;
    if (!items) return fail_memory(f, "a prompt");
    for (size_t i = 0; i < parts->count; i++) {
        const json *part = json_get(&parts->items[i], "text");
        items[i] = parts->items[i];
        if (part && part->kind == JSON_STRING) last = i;
    }
    if (last == parts->count)
        return fail_set(f, E_INPUT, "the last message has no text to go on with");
    TRY(marked_text(a, json_get(&parts->items[last], "text")->string, &text, f));
    TRY(with_member(a, &parts->items[last], "text", text, &items[last], f));
    *out = (json){.kind = JSON_ARRAY, .count = parts->count, .items = items};
    return E_OK;
}

static err mark_last(arena *a, json *messages, fail *f) {
    json *items = arena_new_n(a, json, messages->count + 1), marked;
    if (!items) return fail_memory(f, "a prompt");
    if (!messages->count) return fail_set(f, E_INPUT, "there is no message to go on with");
    memcpy(items, messages->items, messages->count * sizeof *items);
    json *last = &items[messages->count - 1];
    const json *content = json_get(last, "content");
    if (content && content->kind == JSON_STRING)
        TRY(marked_text(a, content->string, &marked, f));
    else if (content && content->kind == JSON_ARRAY)
        TRY(marked_parts(a, content, &marked, f));
    else
        return fail_set(f, E_INPUT, "the last message has no text to go on with");
    json before = *last;
    TRY(with_member(a, &before, "content", marked, last, f));
    messages->items = items;
    return E_OK;
}

err chat_values(const chat *c, arena *a, const chat_input *in, const json **out, fail *f) {
    static const json none = {.kind = JSON_NULL};
    size_t more = in->extra ? in->extra->count : 0;
    json_member *m = arena_new_n(a, json_member, VALUE_NAMES + more);
    json *values = arena_new(a, json);
    if (!m || !values) return fail_memory(f, "a prompt");
    m[0].key = STR("messages");
    TRY(all_messages(c, a, in->messages, &m[0].value, f));
    if (in->continue_last) TRY(mark_last(a, &m[0].value, f));
    m[1] = (json_member){STR("tools"), in->tools ? *in->tools : none};
    m[2] = (json_member){STR("documents"), in->documents ? *in->documents : none};
    m[3] = (json_member){STR("add_generation_prompt"),
                         {.kind = JSON_BOOL, .boolean = in->add_generation_prompt}};
    if (more) memcpy(m + VALUE_NAMES, in->extra->members, more * sizeof *m);
    *values = object_json(m, VALUE_NAMES + more);
    *out = values;
    return E_OK;
}
