/* f_encode.c - any bytes as text, under every pre-tokenizer and kind, with a vocabulary of all
 * bytes and a few merges. Valid UTF-8 must come back from BPE as it was.
 * First byte: which tokenizer, and where the trusted part begins. */
#include "token/token.h"

#include "text/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { BYTES = 256, EXTRA = 8, KINDS = 18, WORDPIECE = 14, SPM, GEMMA4, UNIGRAM };
static const char *const pres[KINDS] = {
    "default", "gpt-2",          "smollm",       "llama-bpe",   "qwen2",  "qwen35", "falcon",
    "dbrx",    "deepseek-coder", "deepseek-llm", "deepseek-v3", "gpt-4o", "tekken", "minicpm5",
};
static const char *const names[] = {
    [WORDPIECE] = "bert", [SPM] = "llama", [GEMMA4] = "gemma4", [UNIGRAM] = "t5"};
static tokenizer *tokenizers[KINDS];

/* The models over characters: byte tokens, two letters, blanks and what they make together. */
static tokenizer *open_chars(size_t kind) {
    static char written[BYTES][8];
    const char *const more[EXTRA] = {"a",  "b",       "\xE2\x96\x81", "ab",
                                     "aa", "\u2581a", "<|e|>",        "aab"};
    str pieces[BYTES + EXTRA], merges[3] = {STR("a b"), STR("a a"), STR("aa b")};
    int32_t types[BYTES + EXTRA];
    float scores[BYTES + EXTRA];
    for (int i = 0; i < BYTES + EXTRA; i++) {
        if (i < BYTES) snprintf(written[i], sizeof written[i], "<0x%02X>", (unsigned)i);
        pieces[i] = str_from(i < BYTES ? written[i] : more[i - BYTES]);
        types[i] = i < BYTES ? TOKEN_BYTE : i == BYTES + 6 ? TOKEN_CONTROL : TOKEN_NORMAL;
        scores[i] = (float)(-i % 5);
    }
    token_source s = TOKEN_SOURCE_NONE;
    s.kind = str_from(names[kind]);
    s.unknown = 0;
    s.remove_extra_whitespaces = 1;
    s.merges = merges;
    s.merge_count = 3;
    s.pieces = pieces;
    s.types = types;
    s.scores = scores;
    s.piece_count = BYTES + EXTRA;
    tokenizer *t = NULL;
    if (tokenizer_open(&t, &s, NULL) != E_OK) abort();
    return t;
}

static tokenizer *open_one(size_t kind) {
    if (kind > WORDPIECE) return open_chars(kind);
    static char written[BYTES][2];
    str pieces[BYTES + EXTRA], merges[4] = {STR("a a"), STR("aa aa"), STR("a b"), STR("0 0")};
    int32_t types[BYTES + EXTRA];
    const char *const more[EXTRA] = {"aa", "aaaa", "ab", "00", "<|e|>", "<t>", "  ", "[UNK]"};
    for (int b = 0, hidden = 0; b < BYTES; b++) {
        bool shown = (b > 32 && b < 127) || (b > 0xA0 && b != 0xAD);
        int c = shown ? b : 0x100 + hidden++;
        written[b][0] = (char)(c < 0x80 ? c : 0xC0 | c >> 6);
        written[b][1] = (char)(0x80 | (c & 0x3F));
        pieces[b] = (str){written[b], c < 0x80 ? 1 : 2};
    }
    for (size_t i = 0; i < BYTES + EXTRA; i++) types[i] = TOKEN_NORMAL;
    for (size_t i = 0; i < EXTRA; i++) pieces[BYTES + i] = str_from(more[i]);
    types[BYTES + 4] = TOKEN_CONTROL;
    types[BYTES + 5] = types[BYTES + 6] = TOKEN_USER;
    token_source s = TOKEN_SOURCE_NONE;
    s.kind = pres[kind] ? STR("gpt2") : STR("bert");
    s.pre = str_from(pres[kind]);
    s.pieces = pieces;
    s.types = types;
    s.piece_count = BYTES + EXTRA;
    s.merges = merges;
    s.merge_count = 4;
    s.unknown = BYTES + 7;
    tokenizer *t = NULL;
    if (tokenizer_open(&t, &s, NULL) != E_OK) abort();
    return t;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    if (n < 1) return 0;
    size_t kind = data[0] % KINDS, cut = data[0] / KINDS;
    str text = {(const char *)data + 1, n - 1};
    if (!tokenizers[kind]) tokenizers[kind] = open_one(kind);
    token_span spans[2] = {{str_slice(text, 0, cut), false}, {str_slice(text, cut, n), true}};
    arena a;
    token_ids ids, joined;
    arena_init(&a, 0);
    if (tokenizer_encode(tokenizers[kind], &a, text, NULL, &ids, NULL) != E_OK) abort();
    if (tokenizer_encode_spans(tokenizers[kind], &a, spans, 2, NULL, &joined, NULL) != E_OK)
        abort();
    buf out = {0};
    tokenizer_decode(tokenizers[kind], ids.p, ids.n, false, &out);
    bool blank = str_find(text, STR("\xE2\x96\x81")) != STR_INDEX_NONE;
    bool exact = kind < WORDPIECE || ((kind == SPM || kind == GEMMA4) && !blank);
    if (exact && utf8_ok(text) && !str_eq(buf_str(&out), text)) abort();
    buf_deinit(&out);
    arena_deinit(&a);
    return 0;
}
