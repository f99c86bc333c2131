/* chat_make.h - what the tests of chats share: a small tokenizer, templates as JSON messages. */
#ifndef BANTAM_TESTS_CHAT_MAKE_H
#define BANTAM_TESTS_CHAT_MAKE_H

#include "base/file.h"
#include "token/chat.h"
#include "../test.h"

/* A vocabulary of three control tokens and two letters. */
static inline tokenizer *chat_make_tokenizer(int add_bos) {
    str pieces[] = {STR("<s>"), STR("a"), STR("b"), STR("<|im_start|>"), STR("<|im_end|>")};
    int32_t types[] = {TOKEN_CONTROL, TOKEN_NORMAL, TOKEN_NORMAL, TOKEN_CONTROL, TOKEN_CONTROL};
    token_source s = TOKEN_SOURCE_NONE;
    tokenizer *t = NULL;
    fail f;
    s.kind = STR("gpt2");
    s.pieces = pieces;
    s.types = types;
    s.piece_count = 5;
    s.bos = 0;
    s.eos = 4;
    s.add_bos = add_bos;
    assert_ok(tokenizer_open(&t, &s, &f), &f);
    return t;
}

static inline const json *chat_make_json(arena *a, const char *text) {
    const json *v;
    fail f;
    assert_ok(json_parse(a, str_from(text), &v, &f), &f);
    return v;
}

/* Opens a chat over a template; closes by chat_close. */
static inline chat *chat_make(const tokenizer *t, str text) {
    chat *c = NULL;
    fail f;
    assert_ok(chat_open(&c, t, text, &f), &f);
    return c;
}

/* The prompt with what is outside in brackets, so that a test reads: "<|im_start|>user\n[hi]". */
static inline const char *chat_make_marked(const chat *c, arena *a, const chat_input *in, err *e,
                                           fail *f) {
    chat_text text;
    buf b = {0};
    *e = chat_render(c, a, in, &text, f);
    if (*e != E_OK) return "";
    for (size_t i = 0; i < text.count; i++) {
        buf_put_z(&b, text.spans[i].trusted ? "" : "[");
        buf_put(&b, text.spans[i].text);
        buf_put_z(&b, text.spans[i].trusted ? "" : "]");
    }
    const char *kept = arena_z(a, buf_str(&b));
    buf_deinit(&b);
    assert_non_null(kept);
    return kept;
}

#endif
