/* chat.c - renders messages through a compiled template and tokenises the spans; see chat.h.
 *
 * The template sees what transformers' apply_chat_template passes: messages, tools, documents,
 * add_generation_prompt and what the caller adds, all outside text; and the special tokens' texts,
 * which are trusted as the template itself is. */
#include "token/chat_int.h"

#include "base/mem.h"

#include <string.h>

/* What base models that know its markers are asked in; a role, a line end, the text. */
static const char chatml[] =
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' }}{{ m['content'] }}"
    "{{ '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

static void chat_add_special(chat *c, const char *name, int32_t id) {
    str text = tokenizer_piece(c->t, id);
    if (!text.n) return; /* undefined in the template, as where it comes from */
    c->specials[c->trusted.count++] =
        (json_member){str_from(name), {.kind = JSON_STRING, .string = text}};
}

static bool has_control(const tokenizer *t, const char *text) {
    int32_t id = tokenizer_find(t, str_from(text));
    return id != TOKEN_NONE && tokenizer_type(t, id) == TOKEN_CONTROL;
}

static err chat_choose(const tokenizer *t, str *template_text, bool *plain, fail *f) {
    *plain = template_text->n == 0;
    if (!*plain) return E_OK;
    *template_text = str_from(chatml);
    if (has_control(t, "<|im_start|>") && has_control(t, "<|im_end|>")) return E_OK;
    fail_set(f, E_NOT_FOUND,
             "the model has no chat template, and its vocabulary lacks ChatML's markers");
    return fail_hint(f, "give it plain text (run --raw)");
}

err chat_open(chat **out, const tokenizer *t, str template_text, fail *f) {
    bool plain;
    TRY(chat_choose(t, &template_text, &plain, f));
    chat *c = mem_zero(sizeof *c);
    if (!c) return fail_memory(f, "a chat template");
    arena_init(&c->a, 0);
    c->t = t;
    c->features.chatml = plain;
    c->trusted = (json){.kind = JSON_OBJECT, .members = c->specials};
    chat_add_special(c, "bos_token", tokenizer_bos(t));
    chat_add_special(c, "eos_token", tokenizer_eos(t));
    chat_add_special(c, "unk_token", tokenizer_unknown(t));
    chat_add_special(c, "pad_token", tokenizer_padding(t));
    err e = template_compile(&c->a, template_text, &c->compiled, f);
    if (e == E_OK) e = chat_probe(c, f);
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

chat_features chat_about(const chat *c) {
    return c->features;
}

/* Where the text that is gone on with ends: before the last mark, without the white space that
 * the template left away behind it. */
static err chat_continue_at(str text, size_t *end, fail *f) {
    const str mark = STR(CHAT_MARK), bare = str_slice(mark, 0, mark.n - 1);
    size_t at = STR_INDEX_NONE, next = 0;
    for (; next != STR_INDEX_NONE; next = next == STR_INDEX_NONE ? next : at + 1) {
        size_t hit = str_find(str_slice(text, next, text.n), bare);
        if (hit == STR_INDEX_NONE) break;
        at = next + hit;
    }
    if (at == STR_INDEX_NONE)
        return fail_set(f, E_INPUT, "the template does not show the last message's text as it is");
    bool kept = str_starts(str_slice(text, at, text.n), mark);
    while (!kept && at > 0 && strchr(" \t\n\r", text.p[at - 1])) at--;
    *end = at;
    return E_OK;
}

static err chat_cut(arena *a, str text, const template_spans *spans, chat_text *out, fail *f) {
    token_span *cut = arena_new_n(a, token_span, spans->n + 1);
    size_t n = 0;
    if (!cut) return fail_memory(f, "a prompt");
    for (size_t i = 0; i < spans->n && spans->items[i].from < text.n; i++) {
        const template_span *s = &spans->items[i];
        cut[n++] = (token_span){str_slice(text, s->from, s->to), s->trusted};
    }
    *out = (chat_text){cut, n};
    return E_OK;
}

static err chat_take(arena *a, const buf *rendered, const chat_input *in,
                     const template_spans *spans, chat_text *out, fail *f) {
    str text = arena_str(a, buf_str(rendered));
    if (!text.p) return fail_memory(f, "a prompt");
    if (in->continue_last) TRY(chat_continue_at(text, &text.n, f));
    return chat_cut(a, text, spans, out, f);
}

err chat_render(const chat *c, arena *a, const chat_input *in, chat_text *out, fail *f) {
    buf rendered = {.bytes_max = TOKEN_TEXT_BYTES_MAX};
    template_spans spans = {0};
    const json *values;
    TRY(chat_check(in, f));
    if (in->tools && in->tools->count && !c->features.tools) {
        fail_set(f, E_UNSUPPORTED, "the model's chat template has no place for tools");
        return fail_hint(f, "ask without tools, or choose a model that was trained to use them");
    }
    TRY(chat_values(c, a, in, &values, f));
    err e = chat_fill(c, a, values, in->now_ms, &rendered, &spans, f);
    if (e == E_OK) e = chat_take(a, &rendered, in, &spans, out, f);
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
