/* f_tokenizer_json.c - any bytes as a tokenizer.json; what opens must tokenise without harm. */
#include "token/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    tokenizer *t = NULL;
    fail f;
    if (tokenizer_open_json(&t, (str){(const char *)data, n}, &f) != E_OK) return 0;
    arena a;
    token_ids ids;
    arena_init(&a, 0);
    token_encode_options o = {TOKEN_SPECIAL_ALL, true, true};
    str text = {(const char *)data, n < 4096 ? n : 4096};
    if (tokenizer_encode(t, &a, text, &o, &ids, &f) == E_OK)
        for (size_t i = 0; i < ids.n; i++) (void)tokenizer_piece(t, ids.p[i]);
    arena_deinit(&a);
    tokenizer_close(t);
    return 0;
}
