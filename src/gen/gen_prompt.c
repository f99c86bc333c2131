/* gen_prompt.c - see gen_prompt.h. Messages become objects as OpenAI writes them, which is what
 * templates read. Where a template has no place for tools, calls or results, they become text:
 *
 *     tools    described in the system message (or the first user's, where there is no system)
 *     calls    in the assistant's content, as the model writes them
 *     results  a user's message; those that follow each other are one, for templates want turns */
#include "gen/gen_prompt.h"

#include <string.h>

enum { MEMBERS_MAX = 8 };

typedef struct prompt_job {
    const gen_tools *t;
    const gen_request *rq;
    arena *a;
    bool words; /* tools are to be described */
    json *items;
    size_t n;
} prompt_job;

typedef struct object {
    json_member *m;
    size_t n;
} object;

static json text_json(str s) {
    return (json){.kind = JSON_STRING, .string = s.p ? s : STR("")};
}

static json object_json(object o) {
    return (json){.kind = JSON_OBJECT, .count = o.n, .members = o.m};
}

static err begin(prompt_job *j, object *o, fail *f) {
    *o = (object){.m = arena_new_n(j->a, json_member, MEMBERS_MAX)};
    return o->m ? E_OK : fail_memory(f, "messages");
}

static void put(object *o, const char *key, json value) {
    CHECK(o->n < MEMBERS_MAX);
    o->m[o->n++] = (json_member){str_from(key), value};
}

static err keep(prompt_job *j, buf *b, str *out, fail *f) {
    err e = buf_ok(b, f);
    if (e == E_OK) {
        *out = arena_str(j->a, buf_str(b));
        if (!out->p) e = fail_memory(f, "messages");
    }
    buf_deinit(b);
    return e;
}

/* ---- tools ---- */

static err tool_json(prompt_job *j, const gen_tool *tool, json *out, fail *f) {
    object o;
    const json *parameters = tool->parameters;
    if (!parameters)
        TRY(json_parse(j->a, STR("{\"type\":\"object\",\"properties\":{}}"), &parameters, f));
    TRY(begin(j, &o, f));
    put(&o, "name", text_json(tool->name));
    put(&o, "description", text_json(tool->description));
    put(&o, "parameters", *parameters);
    *out = object_json(o);
    return E_OK;
}

/* wrapped: {"type": "function", "function": tool} */
static err tools_json(prompt_job *j, bool wrapped, json *out, fail *f) {
    json *items = arena_new_n(j->a, json, j->rq->n_tools + 1);
    if (!items) return fail_memory(f, "tools");
    for (size_t i = 0; i < j->rq->n_tools; i++) {
        object o;
        TRY(tool_json(j, &j->rq->tools[i], &items[i], f));
        if (!wrapped) continue;
        TRY(begin(j, &o, f));
        put(&o, "type", text_json(STR("function")));
        put(&o, "function", items[i]);
        items[i] = object_json(o);
    }
    *out = (json){.kind = JSON_ARRAY, .count = j->rq->n_tools, .items = items};
    return E_OK;
}

static void put_words(buf *b, const json *tools, const gen_request *rq) {
    json_writer w = {.out = b};
    buf_put_z(b, "You can call functions. Each line describes one:\n");
    for (size_t i = 0; i < tools->count; i++) {
        w = (json_writer){.out = b};
        json_put_value(&w, &tools->items[i]);
        buf_put_char(b, '\n');
    }
    buf_put_z(b, "To call a function, write\n<tool_call>\n{\"name\": NAME, \"arguments\": OBJECT}\n"
                 "</tool_call>\nwith the function's name and a JSON object of its arguments. ");
    buf_put_z(b,
              rq->one_call ? "Make at most one call. " : "Several calls may follow each other. ");
    buf_put_z(b, rq->tool_choice == GEN_TOOLS_AUTO
                     ? "Call only when it is needed; otherwise answer in plain words."
                     : "Call a function now.");
}

static err words_before(prompt_job *j, str text, str *out, fail *f) {
    json tools;
    buf b = {0};
    TRY(tools_json(j, false, &tools, f));
    if (!j->t->no_system && text.n) {
        buf_put(&b, text);
        buf_put_z(&b, "\n\n");
    }
    put_words(&b, &tools, j->rq);
    if (j->t->no_system && text.n) {
        buf_put_z(&b, "\n\n");
        buf_put(&b, text);
    }
    return keep(j, &b, out, f);
}

/* ---- calls ---- */

static err call_json(prompt_job *j, const gen_call *call, json *out, fail *f) {
    object function, o;
    TRY(begin(j, &function, f));
    TRY(begin(j, &o, f));
    put(&function, "name", text_json(call->name));
    put(&function, "arguments", text_json(call->arguments.n ? call->arguments : STR("{}")));
    put(&o, "id", text_json(call->id));
    put(&o, "type", text_json(STR("function")));
    put(&o, "function", object_json(function));
    *out = object_json(o);
    return E_OK;
}

static err calls_json(prompt_job *j, const gen_message *m, json *out, fail *f) {
    json *items = arena_new_n(j->a, json, m->n_calls);
    if (!items) return fail_memory(f, "messages");
    for (size_t i = 0; i < m->n_calls; i++) TRY(call_json(j, &m->calls[i], &items[i], f));
    *out = (json){.kind = JSON_ARRAY, .count = m->n_calls, .items = items};
    return E_OK;
}

static err calls_as_text(prompt_job *j, const gen_message *m, str *out, fail *f) {
    buf b = {0};
    buf_put(&b, m->content);
    if (m->content.n) buf_put_char(&b, '\n');
    gen_tools_write_calls(j->t->format, m->calls, m->n_calls, &b);
    return keep(j, &b, out, f);
}

/* Which function a result is of: as it says, or by its call. */
static str result_name(const gen_request *rq, size_t at) {
    const gen_message *m = &rq->messages[at];
    for (size_t i = at; i > 0 && !m->name.n; i--)
        for (size_t k = 0; k < rq->messages[i - 1].n_calls; k++)
            if (str_eq(rq->messages[i - 1].calls[k].id, m->call_id))
                return rq->messages[i - 1].calls[k].name;
    return m->name;
}

/* ---- messages ---- */

static err put_message(prompt_job *j, const char *role, str content, const gen_message *m,
                       size_t at, fail *f) {
    object o;
    json calls;
    str name = m->role == GEN_TOOL ? result_name(j->rq, at) : m->name;
    bool plain = m->role == GEN_TOOL && j->t->results_as_user;
    TRY(begin(j, &o, f));
    put(&o, "role", text_json(str_from(role)));
    put(&o, "content", text_json(content));
    if (name.n && !plain) put(&o, "name", text_json(name));
    if (m->reasoning.n) put(&o, "reasoning_content", text_json(m->reasoning));
    if (m->call_id.n && !plain) put(&o, "tool_call_id", text_json(m->call_id));
    if (m->n_calls && !j->t->calls_as_text) {
        TRY(calls_json(j, m, &calls, f));
        put(&o, "tool_calls", calls);
    }
    j->items[j->n++] = object_json(o);
    return E_OK;
}

static err put_results(prompt_job *j, size_t *at, fail *f) {
    const gen_request *rq = j->rq;
    buf b = {0};
    str text;
    size_t first = *at;
    for (; *at < rq->n_messages && rq->messages[*at].role == GEN_TOOL; (*at)++) {
        if (*at > first) buf_put_char(&b, '\n');
        buf_put_z(&b, "<tool_response>\n");
        buf_put(&b, rq->messages[*at].content);
        buf_put_z(&b, "\n</tool_response>");
    }
    if (*at < rq->n_messages && rq->messages[*at].role == GEN_USER) {
        buf_put_z(&b, "\n\n");
        buf_put(&b, rq->messages[(*at)++].content);
    }
    TRY(keep(j, &b, &text, f));
    return put_message(j, "user", text, &rq->messages[first], first, f);
}

static err put_one(prompt_job *j, size_t at, fail *f) {
    static const char *const roles[] = {"system", "user", "assistant", "tool"};
    const gen_message *m = &j->rq->messages[at];
    str content = m->content;
    if (m->n_calls && j->t->calls_as_text) TRY(calls_as_text(j, m, &content, f));
    if (j->words && m->role == (j->t->no_system ? GEN_USER : GEN_SYSTEM)) {
        TRY(words_before(j, content, &content, f));
        j->words = false;
    }
    return put_message(j, roles[m->role], content, m, at, f);
}

static err put_messages(prompt_job *j, fail *f) {
    static const gen_message system = {.role = GEN_SYSTEM};
    const gen_request *rq = j->rq;
    if (j->words && !j->t->no_system && rq->messages[0].role != GEN_SYSTEM) {
        str words;
        TRY(words_before(j, STR(""), &words, f));
        TRY(put_message(j, "system", words, &system, 0, f));
        j->words = false;
    }
    for (size_t i = 0; i < rq->n_messages;) {
        if (rq->messages[i].role == GEN_TOOL && j->t->results_as_user)
            TRY(put_results(j, &i, f));
        else
            TRY(put_one(j, i++, f));
    }
    return E_OK;
}

/* Phi's templates read tools from the system message, as text. */
static err tools_in_system(prompt_job *j, fail *f) {
    json tools;
    buf b = {0};
    json_writer w = {.out = &b};
    str text;
    object o;
    TRY(tools_json(j, false, &tools, f));
    json_put_value(&w, &tools);
    TRY(keep(j, &b, &text, f));
    TRY(begin(j, &o, f));
    put(&o, "role", text_json(STR("system")));
    const json *role = j->n ? json_get(&j->items[0], "role") : NULL;
    bool has = role && str_is(role->string, "system");
    put(&o, "content", has ? *json_get(&j->items[0], "content") : text_json(STR("")));
    put(&o, "tools", text_json(text));
    if (!has) {
        memmove(j->items + 1, j->items, j->n * sizeof *j->items);
        j->n++;
    }
    j->items[0] = object_json(o);
    return E_OK;
}

err gen_prompt_make(chat_input *out, const gen_tools *t, const gen_request *rq, fail *f) {
    gen_tools_place place = t->format->place;
    bool tools = rq->n_tools && rq->tool_choice != GEN_TOOLS_NONE;
    prompt_job j = {.t = t,
                    .rq = rq,
                    .a = rq->arena,
                    .words = tools && place == GEN_TOOLS_IN_WORDS,
                    .items = arena_new_n(rq->arena, json, rq->n_messages + 1)};
    json *lists = arena_new_n(rq->arena, json, 2);
    if (!j.items || !lists) return fail_memory(f, "messages");
    TRY(put_messages(&j, f));
    if (tools && place == GEN_TOOLS_IN_SYSTEM) TRY(tools_in_system(&j, f));
    lists[0] = (json){.kind = JSON_ARRAY, .count = j.n, .items = j.items};
    *out = (chat_input){.messages = &lists[0], .extra = rq->extra, .add_generation_prompt = true};
    if (tools && place == GEN_TOOLS_IN_TEMPLATE) {
        TRY(tools_json(&j, true, &lists[1], f));
        out->tools = &lists[1];
    }
    return E_OK;
}
