/* f_json.c - fuzz target: whatever parses is written, parses again and is written the same. */
#include "text/json.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_to(buf *b, const json *v, bool pretty) {
    json_writer w = {.out = b, .pretty = pretty};
    json_put_value(&w, v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    arena a;
    fail f;
    const json *v, *again;
    buf first = {0}, second = {0};
    arena_init(&a, 4096);
    a.bytes_max = 64u << 20;
    if (json_parse(&a, (str){(const char *)data, size}, &v, &f) == E_OK) {
        write_to(&first, v, size & 1);
        if (json_parse(&a, buf_str(&first), &again, &f) == E_OK) {
            write_to(&second, again, size & 1);
            if (!str_eq(buf_str(&first), buf_str(&second))) abort();
        } else if (f.code == E_INPUT) {
            abort();
        }
    }
    buf_deinit(&first);
    buf_deinit(&second);
    arena_deinit(&a);
    return 0;
}
