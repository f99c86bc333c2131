/* f_form.c - any bytes as a form: the first line is its Content-Type. Parts lie within the body,
 * have names, and do not overlap. */
#include "net/http_form.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    /* a copy of exact size, so that a read past it is seen */
    char *copy = malloc(n + 1);
    for (size_t i = 0; i < n; i++) copy[i] = (char)data[i];
    str body = {copy, n}, type = str_cut(&body, '\n');
    arena a;
    fail f = {0};
    http_part *parts;
    size_t count;
    arena_init(&a, 4096);
    if (!body.p) body = STR("");
    err e = http_form_read(&a, type, body, &parts, &count, &f);
    CHECK(e == E_OK || f.text[0]);
    const char *at = body.p;
    for (size_t i = 0; e == E_OK && i < count; i++) {
        CHECK(parts[i].name.n > 0 && parts[i].body.p > at);
        at = parts[i].body.p + parts[i].body.n;
        CHECK(at <= body.p + body.n);
    }
    CHECK(e != E_OK || count <= HTTP_PARTS_MAX);
    arena_deinit(&a);
    free(copy);
    return 0;
}
