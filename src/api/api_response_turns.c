/* api_response_turns.c - items as gen messages, and as they are kept.
 *
 * The conversation is instructions (of this request alone), the items of the responses before, and
 * input. A message and the calls behind it become one message of the assistant; the result of a
 * call one of role tool. A reasoning item goes with the assistant's message behind it: whether it
 * is said again is the chat template's to decide. An item_reference stands for a kept item. */
#include "api/api_response.h"

#include <stdio.h>

#define ROWS(a) (a), sizeof(a) / sizeof *(a)

static const api_field message_fields[] = {
    {"type", API_FIELD_READ, NULL},     {"id", API_FIELD_READ, NULL},
    {"role", API_FIELD_READ, NULL},     {"content", API_FIELD_READ, NULL},
    {"phase", API_FIELD_IGNORED, NULL}, {"status", API_FIELD_IGNORED, NULL}};
static const api_field call_fields[] = {
    {"type", API_FIELD_READ, NULL},      {"id", API_FIELD_READ, NULL},
    {"call_id", API_FIELD_READ, NULL},   {"name", API_FIELD_READ, NULL},
    {"arguments", API_FIELD_READ, NULL}, {"status", API_FIELD_IGNORED, NULL},
    {"namespace", API_FIELD_EMPTY, NULL}};
static const api_field output_fields[] = {{"type", API_FIELD_READ, NULL},
                                          {"id", API_FIELD_READ, NULL},
                                          {"call_id", API_FIELD_READ, NULL},
                                          {"output", API_FIELD_READ, NULL},
                                          {"status", API_FIELD_IGNORED, NULL}};

typedef struct turns {
    api_call *call;
    gen_message *out; /* [max] */
    size_t n, max;
    gen_call *calls; /* [max] of all messages, in order */
    size_t n_calls;
    str thought;      /* of the assistant's message to come; "" none */
    keep_item *items; /* of this request, to be kept; NULL while older ones are read */
    size_t n_items;
} turns;

static gen_message *add(turns *t, gen_role role) {
    gen_message *m = &t->out[t->n++];
    *m = (gen_message){.role = role,
                       .content = STR(""),
                       .name = STR(""),
                       .reasoning = role == GEN_ASSISTANT ? t->thought : STR(""),
                       .call_id = STR("")};
    t->thought = STR("");
    return m;
}

/* ---- texts ---- */

static bool is_text_part(str type) {
    return str_is(type, "input_text") || str_is(type, "output_text") || str_is(type, "text") ||
           str_is(type, "reasoning_text");
}

/* NULL: it is no part of text. */
static const json *part_text(const json *part) {
    str type = api_text_of(part, "type");
    const json *text = is_text_part(type)        ? json_get(part, "text")
                       : str_is(type, "refusal") ? json_get(part, "refusal")
                                                 : NULL;
    return text && text->kind == JSON_STRING ? text : NULL;
}

/* A string, or parts of text, one after the other. */
static err read_content(api_call *c, const json *v, const char *place, str *out, fail *f) {
    size_t bytes = 0;
    if (v && v->kind == JSON_STRING) {
        *out = v->string;
        return E_OK;
    }
    if (!v || v->kind != JSON_ARRAY)
        return api_refuse(c, f, place, "%s must be a string or an array of parts", place);
    for (size_t i = 0; i < v->count; i++) {
        const json *text = part_text(&v->items[i]);
        if (!text)
            return api_refuse(c, f, api_place(c, "%s[%zu]", place, i),
                              "%s[%zu]: only parts of text are supported", place, i);
        bytes += text->string.n;
    }
    char *all = arena_alloc(c->a, bytes + 1);
    if (!all) return fail_memory(f, "a message");
    *out = (str){all, bytes};
    for (size_t i = 0; i < v->count; i++) {
        str s = part_text(&v->items[i])->string;
        for (size_t k = 0; k < s.n; k++) *all++ = s.p[k];
    }
    return E_OK;
}

/* ---- the kinds of items ---- */

static err read_message(turns *t, const json *v, const char *place, fail *f) {
    static const struct {
        const char *name;
        gen_role role;
    } roles[] = {{"user", GEN_USER},
                 {"assistant", GEN_ASSISTANT},
                 {"system", GEN_SYSTEM},
                 {"developer", GEN_SYSTEM}};
    api_call *c = t->call;
    str role = api_text_of(v, "role");
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        if (!str_is(role, roles[i].name)) continue;
        TRY(api_check_fields(c, v, api_place(c, "%s.", place), ROWS(message_fields), f));
        gen_message *m = add(t, roles[i].role);
        return read_content(c, json_get(v, "content"), api_place(c, "%s.content", place),
                            &m->content, f);
    }
    return api_refuse(c, f, api_place(c, "%s.role", place),
                      "%s.role must be user, assistant, system or developer", place);
}

static err need_text(turns *t, const json *v, const char *key, const char *place, str *out,
                     fail *f) {
    const json *x = json_get(v, key);
    const char *name = api_place(t->call, "%s.%s", place, key);
    if (!x || x->kind != JSON_STRING || !x->string.n)
        return api_refuse(t->call, f, name, "%s must be a string, not empty", name);
    *out = x->string;
    return E_OK;
}

static err read_call(turns *t, const json *v, const char *place, fail *f) {
    gen_call *call = &t->calls[t->n_calls];
    TRY(api_check_fields(t->call, v, api_place(t->call, "%s.", place), ROWS(call_fields), f));
    TRY(need_text(t, v, "call_id", place, &call->id, f));
    TRY(need_text(t, v, "name", place, &call->name, f));
    TRY(need_text(t, v, "arguments", place, &call->arguments, f));
    gen_message *m =
        t->n && t->out[t->n - 1].role == GEN_ASSISTANT ? &t->out[t->n - 1] : add(t, GEN_ASSISTANT);
    if (!m->n_calls) m->calls = call;
    m->n_calls++;
    t->n_calls++;
    return E_OK;
}

static err read_output(turns *t, const json *v, const char *place, fail *f) {
    str id, content;
    const gen_call *call = NULL;
    TRY(api_check_fields(t->call, v, api_place(t->call, "%s.", place), ROWS(output_fields), f));
    TRY(need_text(t, v, "call_id", place, &id, f));
    for (size_t i = t->n_calls; i > 0 && !call; i--)
        if (str_eq(t->calls[i - 1].id, id)) call = &t->calls[i - 1];
    if (!call)
        return api_refuse(t->call, f, api_place(t->call, "%s.call_id", place),
                          "%s.call_id \"%.*s\" is that of no earlier function_call", place,
                          STR_ARG(str_slice(id, 0, 64)));
    TRY(read_content(t->call, json_get(v, "output"), api_place(t->call, "%s.output", place),
                     &content, f));
    gen_message *m = add(t, GEN_TOOL);
    m->call_id = id;
    m->name = call->name;
    m->content = content;
    return E_OK;
}

/* Its summary is not read: ours have none. */
static err read_thought(turns *t, const json *v, const char *place, fail *f) {
    const json *content = json_get(v, "content");
    if (api_is_empty(content)) return E_OK;
    return read_content(t->call, content, api_place(t->call, "%s.content", place), &t->thought, f);
}

static err read_item(turns *t, const json *v, const char *place, fail *f) {
    api_call *c = t->call;
    str type = api_text_of(v, "type");
    if (v->kind != JSON_OBJECT) return api_refuse(c, f, place, "%s must be an object", place);
    if (!type.n || str_is(type, "message")) return read_message(t, v, place, f);
    if (str_is(type, "function_call")) return read_call(t, v, place, f);
    if (str_is(type, "function_call_output")) return read_output(t, v, place, f);
    if (str_is(type, "reasoning")) return read_thought(t, v, place, f);
    return api_refuse(c, f, api_place(c, "%s.type", place),
                      "%s: an item of type \"%.*s\" is not supported", place,
                      STR_ARG(str_slice(type, 0, 64)));
}

/* ---- as it is kept ---- */

static void put_parts(json_writer *w, const json *content, bool assistant) {
    json_key(w, "content");
    if (content && content->kind == JSON_ARRAY) {
        json_put_value(w, content);
        return;
    }
    json_begin_array(w);
    json_begin_object(w);
    json_field_z(w, "type", assistant ? "output_text" : "input_text");
    json_field_str(w, "text", content ? content->string : STR(""));
    if (assistant) {
        json_key(w, "annotations");
        json_begin_array(w);
        json_end_array(w);
    }
    json_end_object(w);
    json_end_array(w);
}

static void put_item(json_writer *w, const json *v, str id) {
    bool message = !json_get(v, "type") || str_is(api_text_of(v, "type"), "message");
    json_begin_object(w);
    json_field_str(w, "id", id);
    if (message) json_field_z(w, "type", "message");
    json_field_z(w, "status", "completed");
    for (size_t i = 0; i < v->count; i++) {
        str key = v->members[i].key;
        if (str_is(key, "id") || str_is(key, "status") || (message && str_is(key, "type")))
            continue;
        if (message && str_is(key, "content")) {
            put_parts(w, &v->members[i].value, str_is(api_text_of(v, "role"), "assistant"));
            continue;
        }
        json_key_str(w, key);
        json_put_value(w, &v->members[i].value);
    }
    json_end_object(w);
}

static const char *prefix_of(const json *v) {
    str type = api_text_of(v, "type");
    if (str_is(type, "function_call")) return "fc_";
    if (str_is(type, "function_call_output")) return "fco_";
    return str_is(type, "reasoning") ? "rs_" : "msg_";
}

static err note_item(turns *t, const json *v, fail *f) {
    char ref[KEEP_REF_BYTES];
    str id = api_text_of(v, "id");
    buf b = {0};
    json_writer w = {.out = &b};
    if (id.n > KEEP_NAME_BYTES_MAX)
        return api_refuse(t->call, f, "input", "the id of an item is longer than %d bytes",
                          KEEP_NAME_BYTES_MAX);
    keep_ref(prefix_of(v), ref);
    keep_item *item = &t->items[t->n_items++];
    *item =
        (keep_item){.ref = arena_str(t->call->a, id.n ? id : str_from(ref)), .side = KEEP_INPUT};
    if (item->ref.p) put_item(&w, v, item->ref);
    item->text = arena_str(t->call->a, buf_str(&b));
    bool failed = b.failed || !item->ref.p || !item->text.p;
    buf_deinit(&b);
    return failed ? fail_memory(f, "an item") : E_OK;
}

/* ---- all of them ---- */

static err read_kept(turns *t, const keep_item *items, size_t n, fail *f) {
    for (size_t i = 0; i < n; i++) {
        const json *v;
        TRY(json_parse(t->call->a, items[i].text, &v, f));
        TRY(read_item(t, v, api_place(t->call, "previous[%zu]", i), f));
    }
    return E_OK;
}

/* {"type": "item_reference", "id": ...}: *out is what it stands for. */
static err follow(turns *t, const json *v, const char *place, const json **out, fail *f) {
    keep_item item;
    str id;
    *out = v;
    if (!str_is(api_text_of(v, "type"), "item_reference")) return E_OK;
    TRY(need_text(t, v, "id", place, &id, f));
    t->call->param = api_place(t->call, "%s.id", place);
    TRY(keep_item_get(t->call->api->o.store, api_owner(t->call).tenant, id, t->call->a, &item, f));
    t->call->param = NULL;
    return json_parse(t->call->a, item.text, out, f);
}

static err read_input(turns *t, const json *input, fail *f) {
    for (size_t i = 0; i < input->count; i++) {
        const char *place = api_place(t->call, "input[%zu]", i);
        const json *v;
        TRY(follow(t, &input->items[i], place, &v, f));
        TRY(read_item(t, v, place, f));
        TRY(note_item(t, v, f));
    }
    return E_OK;
}

/* A text alone is one message of the user. */
static err input_of(api_call *c, const json **out, fail *f) {
    const json *v = json_get(c->body, "input");
    if (v && v->kind == JSON_ARRAY && v->count) {
        *out = v;
        return E_OK;
    }
    if (!v || v->kind != JSON_STRING)
        return api_refuse(c, f, "input", "input must be a string or an array of items, not empty");
    json_member *m = arena_new_n(c->a, json_member, 2);
    json *message = arena_new_n(c->a, json, 2);
    if (!m || !message) return fail_memory(f, "input");
    m[0] = (json_member){STR("role"), {.kind = JSON_STRING, .string = STR("user")}};
    m[1] = (json_member){STR("content"), *v};
    message[0] = (json){.kind = JSON_OBJECT, .count = 2, .members = m};
    message[1] = (json){.kind = JSON_ARRAY, .count = 1, .items = message};
    *out = &message[1];
    return E_OK;
}

static err read_before(api_call *c, str previous, keep_item **items, size_t *n, fail *f) {
    *n = 0;
    if (!previous.n) return E_OK;
    keep_response row;
    c->param = "previous_response_id";
    err e = keep_response_get(c->api->o.store, api_owner(c).tenant, previous, c->a, &row, f);
    if (e == E_OK && !str_is(STR("completed"), row.status) &&
        !str_is(STR("incomplete"), row.status))
        return fail_set(f, E_INPUT, "the response \"%.*s\" is %s: it has no answer to go on from",
                        STR_ARG(row.ref), row.status);
    if (e == E_OK)
        e = keep_chain(c->api->o.store, api_owner(c).tenant, previous, c->a, items, n, f);
    if (e == E_NOT_FOUND) c->code = "previous_response_not_found";
    if (e == E_OK) c->param = NULL;
    return e;
}

err api_response_turns(api_call *c, api_response *r, fail *f) {
    turns t = {.call = c, .thought = STR("")};
    const json *input = NULL;
    keep_item *before = NULL;
    size_t n_before = 0;
    str instructions;
    TRY(input_of(c, &input, f));
    TRY(read_before(c, r->previous, &before, &n_before, f));
    t.max = input->count + n_before + 1;
    if (t.max > API_MESSAGES_MAX)
        return api_refuse(c, f, "input", "%zu items are above the limit of %d", t.max,
                          API_MESSAGES_MAX);
    t.out = arena_new_n(c->a, gen_message, t.max);
    t.calls = arena_new_n(c->a, gen_call, t.max);
    t.items = arena_new_n(c->a, keep_item, input->count);
    if (!t.out || !t.calls || !t.items) return fail_memory(f, "messages");
    TRY(api_get_str(c, "instructions", STR(""), &instructions, f));
    if (instructions.n) add(&t, GEN_SYSTEM)->content = instructions;
    TRY(read_kept(&t, before, n_before, f));
    TRY(read_input(&t, input, f));
    if (!t.n) return api_refuse(c, f, "input", "input holds nothing that a model can answer");
    r->chat.request.messages = t.out;
    r->chat.request.n_messages = t.n;
    r->input = t.items;
    r->n_input = t.n_items;
    return E_OK;
}
