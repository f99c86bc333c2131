/* chat.c - renders messages through a compiled template and tokenises the spans; see chat.h.
 *
 * The template sees what Hugging Face's apply_chat_template passes: messages, tools, documents
 * (none), add_generation_prompt and what the caller adds, all outside text; and the special tokens'
 * texts, which are trusted as the template itself is. */
#include "token/chat.h"

#include "base/mem.h"
#include "text/template.h"

#include <string.h>

enum { SPECIAL_NAMES = 4, VALUE_NAMES = 4, MESSAGES_MAX = 65536 };

struct chat {
    arena a;
    const tokenizer *t;
    const template *compiled;
    json trusted; /* object of the special tokens' texts */
    json_member specials[SPECIAL_NAMES];
};

static void chat_add_special(chat *c, const char *name, int32_t id) {
    str text = tokenizer_piece(c->t, id);
    if (!text.n) return; /* undefined in the template, as where it comes from */
    c->specials[c->trusted.count++] =
        (json_member){str_from(name), {.kind = JSON_STRING, .string = text}};
}

err chat_open(chat **out, const tokenizer *t, str template_text, fail *f) {
    if (!template_text.n) {
        fail_set(f, E_NOT_FOUND, "the model has no chat template");
        return fail_hint(f, "give it plain text (run --raw)");
    }
    chat *c = mem_zero(sizeof *c);
    if (!c) return fail_memory(f, "a chat template");
    arena_init(&c->a, 0);
    c->t = t;
    c->trusted = (json){.kind = JSON_OBJECT, .members = c->specials};
    chat_add_special(c, "bos_token", tokenizer_bos(t));
    chat_add_special(c, "eos_token", tokenizer_eos(t));
    chat_add_special(c, "unk_token", tokenizer_unknown(t));
    chat_add_special(c, "pad_token", tokenizer_padding(t));
    err e = template_compile(&c->a, template_text, &c->compiled, f);
    if (e != E_OK) {
        chat_close(c);
        return e;
    }
    *out = c;
    return E_OK;
}

void chat_close(chat *c) {
    if (!c) return;
    arena_deinit(&c->a);
    mem_free(c);
}

static err chat_check(const chat_input *in, fail *f) {
    const json *m = in->messages;
    if (!m || m->kind != JSON_ARRAY) return fail_set(f, E_INPUT, "messages must be an array");
    if (m->count > MESSAGES_MAX)
        return fail_set(f, E_TOO_LARGE, "%zu messages are above the limit %d", m->count,
                        MESSAGES_MAX);
    for (size_t i = 0; i < m->count; i++) {
        const json *role = json_get(json_at(m, i), "role");
        if (!role || role->kind != JSON_STRING)
            return fail_set(f, E_INPUT, "messages[%zu] must be an object with a role", i);
    }
    if (in->tools && in->tools->kind != JSON_ARRAY && in->tools->kind != JSON_NULL)
        return fail_set(f, E_INPUT, "tools must be an array");
    if (in->extra && in->extra->kind != JSON_OBJECT)
        return fail_set(f, E_INPUT, "the template's further variables must be an object");
    return E_OK;
}

/* The object of values; NULL when memory is out. */
static const json *chat_values(arena *a, const chat_input *in) {
    size_t more = in->extra ? in->extra->count : 0;
    json_member *m = arena_new_n(a, json_member, VALUE_NAMES + more);
    json *values = arena_new(a, json);
    if (!m || !values) return NULL;
    m[0] = (json_member){STR("messages"), *in->messages};
    m[1] = (json_member){STR("tools"), in->tools ? *in->tools : (json){.kind = JSON_NULL}};
    m[2] = (json_member){STR("documents"), {.kind = JSON_NULL}};
    m[3] = (json_member){STR("add_generation_prompt"),
                         {.kind = JSON_BOOL, .boolean = in->add_generation_prompt}};
    if (more) memcpy(m + VALUE_NAMES, in->extra->members, more * sizeof *m);
    *values = (json){.kind = JSON_OBJECT, .count = VALUE_NAMES + more, .members = m};
    return values;
}

static err chat_cut(arena *a, str text, const template_spans *spans, chat_text *out, fail *f) {
    token_span *cut = arena_new_n(a, token_span, spans->n + 1);
    if (!cut) return fail_memory(f, "a prompt");
    for (size_t i = 0; i < spans->n; i++) {
        const template_span *s = &spans->items[i];
        cut[i] = (token_span){str_slice(text, s->from, s->to), s->trusted};
    }
    *out = (chat_text){cut, spans->n};
    return E_OK;
}

err chat_render(const chat *c, arena *a, const chat_input *in, chat_text *out, fail *f) {
    buf rendered = {.bytes_max = TOKEN_TEXT_BYTES_MAX};
    template_spans spans = {0};
    TRY(chat_check(in, f));
    const json *values = chat_values(a, in);
    if (!values) return fail_memory(f, "a prompt");
    template_input input = {.values = values, .trusted = &c->trusted};
    err e = template_render(c->compiled, a, &input, &rendered, &spans, f);
    if (e == E_OK) e = buf_ok(&rendered, f);
    if (e == E_OK) {
        str text = arena_str(a, buf_str(&rendered));
        e = text.p ? chat_cut(a, text, &spans, out, f) : fail_memory(f, "a prompt");
    }
    buf_deinit(&rendered);
    return e;
}

/* Whether the template itself has put BOS at the start. */
static bool chat_begins_with_bos(const chat *c, const chat_text *text) {
    str bos = tokenizer_piece(c->t, tokenizer_bos(c->t));
    for (size_t i = 0; i < text->count; i++)
        if (text->spans[i].text.n)
            return text->spans[i].trusted && bos.n && str_starts(text->spans[i].text, bos);
    return false;
}

err chat_encode(const chat *c, arena *a, const chat_input *in, token_ids *out, fail *f) {
    chat_text text;
    TRY(chat_render(c, a, in, &text, f));
    token_encode_options o = {
        .add_bos = tokenizer_adds_bos(c->t) && !chat_begins_with_bos(c, &text),
    };
    return tokenizer_encode_spans(c->t, a, text.spans, text.count, &o, out, f);
}

err chat_join(arena *a, const chat_text *text, str *out, fail *f) {
    size_t n = 0;
    for (size_t i = 0; i < text->count; i++) n += text->spans[i].text.n;
    char *p = arena_alloc(a, n + 1);
    if (!p) return fail_memory(f, "a prompt");
    *out = (str){p, n};
    for (size_t i = 0; i < text->count; i++) {
        str s = text->spans[i].text;
        if (s.n) memcpy(p, s.p, s.n);
        p += s.n;
    }
    return E_OK;
}
