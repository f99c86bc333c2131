/* f_tokenizer_json.c - any bytes as a tokenizer.json; what opens must tokenise and decode
 * without harm, and make no control token of outside text. */
#include "token/token.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_ids(const tokenizer *t, token_ids ids, bool outside) {
    for (size_t i = 0; i < ids.n; i++) {
        int32_t id = ids.p[i];
        if (id < 0 || (size_t)id >= tokenizer_count(t)) abort();
        if (outside && tokenizer_type(t, id) == TOKEN_CONTROL && id != tokenizer_unknown(t))
            abort();
    }
    buf out = {0};
    tokenizer_decode(t, ids.p, ids.n, false, &out);
    buf_deinit(&out);
}

static void encode(const tokenizer *t, str text) {
    arena a;
    token_ids ids;
    arena_init(&a, 0);
    token_encode_options all = {TOKEN_SPECIAL_ALL, true, true};
    token_span spans[2] = {{str_slice(text, 0, text.n / 2), true},
                           {str_slice(text, text.n / 2, text.n), false}};
    if (tokenizer_encode(t, &a, text, &all, &ids, NULL) == E_OK) check_ids(t, ids, false);
    if (tokenizer_encode(t, &a, text, NULL, &ids, NULL) == E_OK) check_ids(t, ids, true);
    if (tokenizer_encode_spans(t, &a, spans, 2, NULL, &ids, NULL) == E_OK) check_ids(t, ids, false);
    arena_deinit(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    tokenizer *t = NULL;
    fail f;
    str text = {(const char *)data, n};
    if (tokenizer_open_json(&t, text, &f) != E_OK) return 0;
    encode(t, str_slice(text, 0, 2048));
    encode(t, STR("I'm  42 \xC3\xA9te\xCC\x81 \xE2\x96\x81<s>ab\r\n\n\xF0\x9F\x98\x80\xFFz"));
    for (size_t id = 0; id < tokenizer_count(t) && id < 4096; id++)
        (void)tokenizer_find(t, tokenizer_piece(t, (int32_t)id));
    tokenizer_close(t);
    return 0;
}
