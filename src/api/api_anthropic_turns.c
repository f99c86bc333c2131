/* api_anthropic_turns.c - Anthropic's system and messages as gen messages.
 *
 * One message of theirs can be several of ours: each tool_result becomes a message of role tool,
 * and the texts between two of them one message of the user. An assistant's blocks become one
 * message: its texts, its thinking, its calls. Images and documents are refused by name. */
#include "api/api_anthropic.h"

#include <string.h>

enum { BLOCKS_MAX = 4096 };

typedef struct turns {
    api_call *call;
    gen_message *out; /* [max] */
    size_t n, max;
    gen_call *calls; /* [BLOCKS_MAX at most] of all messages, in order */
    size_t n_calls;
} turns;

/* ---- fields of a block ---- */

#define CACHE_FIELD \
    { "cache_control", API_FIELD_IGNORED, NULL } /* prefixes are always kept */
static const api_field message_fields[] = {{"role", API_FIELD_READ, NULL},
                                           {"content", API_FIELD_READ, NULL}};
static const api_field text_fields[] = {{"type", API_FIELD_READ, NULL},
                                        {"text", API_FIELD_READ, NULL},
                                        {"citations", API_FIELD_EMPTY, NULL},
                                        CACHE_FIELD};
static const api_field call_fields[] = {{"type", API_FIELD_READ, NULL},
                                        {"id", API_FIELD_READ, NULL},
                                        {"name", API_FIELD_READ, NULL},
                                        {"input", API_FIELD_READ, NULL},
                                        {"caller", API_FIELD_IGNORED, NULL},
                                        {"toolset_name", API_FIELD_EMPTY, NULL},
                                        CACHE_FIELD};
static const api_field result_fields[] = {
    {"type", API_FIELD_READ, NULL},          {"tool_use_id", API_FIELD_READ, NULL},
    {"content", API_FIELD_READ, NULL},       {"is_error", API_FIELD_READ, NULL},
    {"toolset_name", API_FIELD_EMPTY, NULL}, CACHE_FIELD};
static const api_field thinking_fields[] = {{"type", API_FIELD_READ, NULL},
                                            {"thinking", API_FIELD_READ, NULL},
                                            {"signature", API_FIELD_IGNORED, NULL}};

typedef enum block_kind { BLOCK_TEXT, BLOCK_CALL, BLOCK_RESULT, BLOCK_THINKING } block_kind;

#define ROWS(a) (a), sizeof(a) / sizeof *(a)
static const struct {
    const char *type;
    const api_field *fields;
    size_t n;
} block_rows[] = {[BLOCK_TEXT] = {"text", ROWS(text_fields)},
                  [BLOCK_CALL] = {"tool_use", ROWS(call_fields)},
                  [BLOCK_RESULT] = {"tool_result", ROWS(result_fields)},
                  [BLOCK_THINKING] = {"thinking", ROWS(thinking_fields)}};
enum { BLOCK_KINDS = sizeof block_rows / sizeof *block_rows };

/* Which kind of block it is; allowed: bits of the kinds that may stand at this place. */
static err check_block(api_call *c, const json *v, const char *place, unsigned allowed,
                       block_kind *out, fail *f) {
    str type = api_text_of(v, "type");
    if (!type.n) return api_refuse(c, f, place, "%s is no content block: it has no type", place);
    for (int k = 0; k < BLOCK_KINDS; k++) {
        if (!str_is(type, block_rows[k].type) || !(allowed >> k & 1)) continue;
        *out = (block_kind)k;
        return api_check_fields(c, v, api_place(c, "%s.", place), block_rows[k].fields,
                                block_rows[k].n, f);
    }
    return api_refuse(c, f, place, "%s: a block of type \"%.*s\" is not supported here", place,
                      STR_ARG(str_slice(type, 0, 64)));
}

/* ---- texts ---- */

static err need_text(api_call *c, const json *v, const char *key, const char *place, str *out,
                     fail *f) {
    const json *x = json_get(v, key);
    const char *name = api_place(c, "%s.%s", place, key);
    if (!x || x->kind != JSON_STRING) return api_refuse(c, f, name, "%s must be a string", name);
    *out = x->string;
    return E_OK;
}

/* Texts on lines of their own. It grows by doubling: four thousand blocks must not be copied four
 * thousand times into an arena that gives nothing back. */
typedef struct lines {
    str text; /* of one block: borrowed */
    char *own;
    size_t cap;
} lines;

static err add_line(api_call *c, lines *l, str s, fail *f) {
    if (!s.n || !l->text.n) {
        if (s.n) l->text = s;
        return E_OK;
    }
    size_t n = l->text.n + 1 + s.n;
    if (n > l->cap) {
        char *wider = arena_alloc_unset(c->a, 2 * n);
        if (!wider) return fail_memory(f, "a message");
        memcpy(wider, l->text.p, l->text.n);
        l->own = wider;
        l->cap = 2 * n;
    }
    l->own[l->text.n] = '\n';
    memcpy(l->own + l->text.n + 1, s.p, s.n);
    l->text = (str){l->own, n};
    return E_OK;
}

static str text_of(const lines *l) {
    return l->text.n ? l->text : STR("");
}

/* A string, or blocks of text alone: system, and what a tool gave. */
static err read_texts(api_call *c, const json *v, const char *place, str *out, fail *f) {
    lines all = {0};
    *out = STR("");
    if (!v || v->kind == JSON_NULL) return E_OK;
    if (v->kind == JSON_STRING) {
        *out = v->string;
        return E_OK;
    }
    if (v->kind != JSON_ARRAY)
        return api_refuse(c, f, place, "%s must be a string or an array of text blocks", place);
    for (size_t i = 0; i < v->count; i++) {
        const char *at = api_place(c, "%s[%zu]", place, i);
        block_kind kind;
        str text;
        TRY(check_block(c, &v->items[i], at, 1u << BLOCK_TEXT, &kind, f));
        TRY(need_text(c, &v->items[i], "text", at, &text, f));
        TRY(add_line(c, &all, text, f));
    }
    *out = text_of(&all);
    return E_OK;
}

/* ---- what the user brings ---- */

static gen_message *add(turns *t, gen_role role) {
    gen_message *m = &t->out[t->n++];
    *m = (gen_message){.role = role,
                       .content = STR(""),
                       .name = STR(""),
                       .reasoning = STR(""),
                       .call_id = STR("")};
    return m;
}

static const gen_call *find_call(const turns *t, str id) {
    for (size_t i = t->n_calls; i > 0; i--)
        if (str_eq(t->calls[i - 1].id, id)) return &t->calls[i - 1];
    return NULL;
}

static err read_result(turns *t, const json *v, const char *place, fail *f) {
    api_call *c = t->call;
    gen_message *m = add(t, GEN_TOOL);
    const json *is_error = json_get(v, "is_error");
    TRY(need_text(c, v, "tool_use_id", place, &m->call_id, f));
    const gen_call *call = find_call(t, m->call_id);
    if (!call)
        return api_refuse(c, f, api_place(c, "%s.tool_use_id", place),
                          "%s.tool_use_id \"%.*s\" is the id of no earlier tool_use", place,
                          STR_ARG(str_slice(m->call_id, 0, 64)));
    m->name = call->name;
    TRY(read_texts(c, json_get(v, "content"), api_place(c, "%s.content", place), &m->content, f));
    if (!is_error || !is_error->boolean) return E_OK;
    m->content = arena_printf(c->a, "error: %.*s", STR_ARG(m->content));
    return m->content.p ? E_OK : fail_memory(f, "a message");
}

static err read_user(turns *t, const json *blocks, const char *place, fail *f) {
    api_call *c = t->call;
    gen_message *words = NULL; /* the message that takes texts */
    lines said = {0};          /* its */
    for (size_t i = 0; i < blocks->count; i++) {
        const char *at = api_place(c, "%s[%zu]", place, i);
        block_kind kind;
        str text;
        TRY(check_block(c, &blocks->items[i], at, 1u << BLOCK_TEXT | 1u << BLOCK_RESULT, &kind, f));
        if (kind == BLOCK_RESULT) {
            TRY(read_result(t, &blocks->items[i], at, f));
            words = NULL;
            continue;
        }
        TRY(need_text(c, &blocks->items[i], "text", at, &text, f));
        if (!words) {
            words = add(t, GEN_USER);
            said = (lines){0};
        }
        TRY(add_line(c, &said, text, f));
        words->content = text_of(&said);
    }
    return E_OK;
}

/* ---- what the assistant said ---- */

static err read_call(turns *t, const json *v, const char *place, fail *f) {
    api_call *c = t->call;
    gen_call *call = &t->calls[t->n_calls];
    const json *input = json_get(v, "input");
    TRY(need_text(c, v, "id", place, &call->id, f));
    TRY(need_text(c, v, "name", place, &call->name, f));
    if (!input || input->kind != JSON_OBJECT)
        return api_refuse(c, f, api_place(c, "%s.input", place), "%s.input must be an object",
                          place);
    TRY(api_json_text(c, input, &call->arguments, f));
    t->n_calls++;
    return E_OK;
}

static err read_assistant(turns *t, const json *blocks, const char *place, fail *f) {
    enum { MAY = 1u << BLOCK_TEXT | 1u << BLOCK_CALL | 1u << BLOCK_THINKING };
    api_call *c = t->call;
    gen_message *m = add(t, GEN_ASSISTANT);
    lines said = {0}, thought = {0};
    m->calls = t->calls + t->n_calls;
    for (size_t i = 0; i < blocks->count; i++) {
        const char *at = api_place(c, "%s[%zu]", place, i);
        const json *v = &blocks->items[i];
        block_kind kind;
        str text;
        TRY(check_block(c, v, at, MAY, &kind, f));
        if (kind == BLOCK_CALL) {
            TRY(read_call(t, v, at, f));
            m->n_calls++;
            continue;
        }
        TRY(need_text(c, v, kind == BLOCK_TEXT ? "text" : "thinking", at, &text, f));
        TRY(add_line(c, kind == BLOCK_TEXT ? &said : &thought, text, f));
    }
    m->content = text_of(&said);
    m->reasoning = text_of(&thought);
    return E_OK;
}

/* ---- all of them ---- */

static err read_message(turns *t, const json *v, size_t index, fail *f) {
    api_call *c = t->call;
    const char *place = api_place(c, "messages[%zu]", index);
    const json *content = json_get(v, "content");
    str role = api_text_of(v, "role");
    bool user = str_is(role, "user"), system = str_is(role, "system");
    if (!user && !system && !str_is(role, "assistant"))
        return api_refuse(c, f, api_place(c, "%s.role", place),
                          "%s.role must be user, assistant or system", place);
    TRY(api_check_fields(c, v, api_place(c, "%s.", place), ROWS(message_fields), f));
    place = api_place(c, "%s.content", place);
    if (system && !api_is_empty(content))
        return read_texts(c, content, place, &add(t, GEN_SYSTEM)->content, f);
    if (!system && content && content->kind == JSON_STRING) {
        add(t, user ? GEN_USER : GEN_ASSISTANT)->content = content->string;
        return E_OK;
    }
    if (system || !content || content->kind != JSON_ARRAY || !content->count)
        return api_refuse(c, f, place, "%s must be a string or an array of content blocks", place);
    return user ? read_user(t, content, place, f) : read_assistant(t, content, place, f);
}

static size_t count_blocks(const json *all) {
    size_t n = 0;
    for (size_t i = 0; i < all->count; i++) {
        const json *content = json_get(&all->items[i], "content");
        n += content && content->kind == JSON_ARRAY ? content->count + 1 : 1;
    }
    return n;
}

err api_anthropic_turns(api_call *c, gen_request *rq, fail *f) {
    const json *all = json_get(c->body, "messages");
    turns t = {.call = c};
    str system;
    if (!all || all->kind != JSON_ARRAY || !all->count)
        return api_refuse(c, f, "messages", "messages must be an array with at least one message");
    t.max = count_blocks(all) + 1;
    if (all->count > API_MESSAGES_MAX || t.max > BLOCKS_MAX)
        return api_refuse(c, f, "messages",
                          "%zu messages with %zu blocks are above the limits of %d and %d",
                          all->count, t.max, API_MESSAGES_MAX, BLOCKS_MAX);
    t.out = arena_new_n(c->a, gen_message, t.max);
    t.calls = arena_new_n(c->a, gen_call, t.max);
    if (!t.out || !t.calls) return fail_memory(f, "messages");
    TRY(read_texts(c, json_get(c->body, "system"), "system", &system, f));
    if (system.n) add(&t, GEN_SYSTEM)->content = system;
    for (size_t i = 0; i < all->count; i++) TRY(read_message(&t, &all->items[i], i, f));
    if (t.out[t.n - 1].role == GEN_ASSISTANT)
        return api_refuse(c, f, "messages",
                          "the last message is the assistant's; to go on with its words (prefill) "
                          "is not supported");
    rq->messages = t.out;
    rq->n_messages = t.n;
    return E_OK;
}
