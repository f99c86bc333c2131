/* f_chat_body.c - the body of a chat: read or refused with a field's name, never more. */
#include "api/api_chat.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    arena a;
    fail f = {0};
    http_request rq = {.arena = &a};
    api_call c = {.a = &a, .rq = &rq};
    api_chat chat = {.call = &c};
    arena_init(&a, 4096);
    a.bytes_max = 64 << 20;
    if (json_parse(&a, (str){(const char *)data, n}, &c.body, &f) == E_OK &&
        c.body->kind == JSON_OBJECT) {
        err e = api_chat_read(&c, &chat, &f);
        CHECK(e == E_OK || f.text[0]);
        if (e == E_OK) CHECK(chat.request.n_messages > 0 && chat.request.model.n > 0);
        for (size_t i = 0; e == E_OK && i < chat.request.n_messages; i++)
            CHECK(chat.request.messages[i].content.n <= n);
    }
    arena_deinit(&a);
    return 0;
}
