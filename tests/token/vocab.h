/* vocab.h - a tokenizer from a GGUF file's metadata, for tests and benchmarks. */
#ifndef BANTAM_TESTS_TOKEN_VOCAB_H
#define BANTAM_TESTS_TOKEN_VOCAB_H

#include "base/file.h"
#include "format/gguf.h"
#include "token/token.h"

static inline int32_t vocab_id(const gguf *g, const char *key) {
    int64_t id;
    if (gguf_get_int(g, key, TOKEN_NONE, &id, NULL) != E_OK) return TOKEN_NONE;
    return (int32_t)id;
}
static inline int vocab_flag(const gguf *g, const char *key) {
    bool is;
    if (!gguf_has(g, key) || gguf_get_bool(g, key, false, &is, NULL) != E_OK) return -1;
    return is;
}

#define VOCAB "tokenizer.ggml."
static inline err vocab_charsmap(const gguf *g, arena *a, str *out, fail *f) {
    int32_t *numbers;
    size_t n;
    TRY(gguf_get_ints(g, VOCAB "precompiled_charsmap", a, &numbers, &n, f));
    char *bytes = arena_alloc(a, n);
    if (!bytes) return fail_memory(f, "a character map");
    for (size_t i = 0; i < n; i++) bytes[i] = (char)numbers[i];
    *out = (str){bytes, n};
    return E_OK;
}
static inline err vocab_source(const gguf *g, arena *a, token_source *s, fail *f) {
    str *pieces, *merges;
    int32_t *types;
    float *scores;
    size_t n;
    *s = TOKEN_SOURCE_NONE;
    TRY(gguf_get_str(g, VOCAB "model", STR(""), &s->kind, f));
    TRY(gguf_get_str(g, VOCAB "pre", STR(""), &s->pre, f));
    TRY(gguf_get_strs(g, VOCAB "tokens", a, &pieces, &s->piece_count, f));
    TRY(gguf_get_strs(g, VOCAB "merges", a, &merges, &s->merge_count, f));
    TRY(gguf_get_ints(g, VOCAB "token_type", a, &types, &n, f));
    if (n == s->piece_count) s->types = types;
    TRY(gguf_get_floats(g, VOCAB "scores", a, &scores, &n, f));
    if (n == s->piece_count) s->scores = scores;
    s->pieces = pieces;
    s->merges = merges;
    s->bos = vocab_id(g, VOCAB "bos_token_id");
    s->eos = vocab_id(g, VOCAB "eos_token_id");
    s->eot = vocab_id(g, VOCAB "eot_token_id");
    s->unknown = vocab_id(g, VOCAB "unknown_token_id");
    s->padding = vocab_id(g, VOCAB "padding_token_id");
    s->cls = vocab_id(g, VOCAB "cls_token_id");
    s->separator = vocab_id(g, VOCAB "seperator_token_id"); /* spelt so in the format */
    s->mask = vocab_id(g, VOCAB "mask_token_id");
    s->add_space_prefix = vocab_flag(g, VOCAB "add_space_prefix");
    s->remove_extra_whitespaces = vocab_flag(g, VOCAB "remove_extra_whitespaces");
    s->add_bos = vocab_flag(g, VOCAB "add_bos_token");
    s->add_eos = vocab_flag(g, VOCAB "add_eos_token");
    return vocab_charsmap(g, a, &s->charsmap, f);
}

/* The chat template goes to *chat (in a) where that is not NULL. */
static inline err vocab_open(const char *path, tokenizer **t, arena *a, str *chat, fail *f) {
    file_map m;
    gguf *g = NULL;
    arena scratch;
    token_source s;
    str written = STR("");
    arena_init(&scratch, 1 << 20);
    err e = file_map_open(&m, path, f);
    if (e != E_OK) return e;
    TRY_OUT(gguf_open(&g, (str){(const char *)m.p, m.n}, path, f));
    TRY_OUT(vocab_source(g, &scratch, &s, f));
    if (chat) TRY_OUT(gguf_get_str(g, "tokenizer.chat_template", STR(""), &written, f));
    if (chat) *chat = arena_str(a, written);
    e = tokenizer_open(t, &s, f);
out:
    gguf_close(g);
    file_map_close(&m);
    arena_deinit(&scratch);
    return e;
}

#endif
