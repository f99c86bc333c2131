/* f_template.c - fuzz target: template source, a zero byte, JSON values. Whatever compiles is
 * rendered within its limits, and the spans cover the output, touch and alternate. */
#include "text/template.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char fallback[] = "{\"messages\":[{\"role\":\"user\",\"content\":\"<|x|>\"},{\"role\":"
                               "\"tool\",\"content\":[1,null]}],\"n\":3}";

static void check_spans(const template_spans *s, size_t bytes) {
    size_t at = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (s->items[i].from != at || s->items[i].to <= at) abort();
        if (i && s->items[i].trusted == s->items[i - 1].trusted) abort();
        at = s->items[i].to;
    }
    if (at != bytes) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    arena a;
    fail f;
    const template *t;
    const json *values;
    template_spans spans;
    buf out = {0};
    const uint8_t *zero = size ? memchr(data, 0, size) : NULL;
    size_t n = zero ? (size_t)(zero - data) : size;
    str text = zero ? (str){(const char *)zero + 1, size - n - 1} : str_from(fallback);
    arena_init(&a, 4096);
    a.bytes_max = 64u << 20;
    if (json_parse(&a, text, &values, &f) == E_OK && values->kind == JSON_OBJECT &&
        template_compile(&a, (str){(const char *)data, n}, &t, &f) == E_OK) {
        template_input in = {.values = values, .now_ms = 1};
        if (template_render(t, &a, &in, &out, &spans, &f) == E_OK) check_spans(&spans, out.n);
    }
    buf_deinit(&out);
    arena_deinit(&a);
    return 0;
}
