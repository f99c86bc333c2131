/* f_template.c - fuzz target: template source, a zero byte, JSON values. Whatever compiles is
 * rendered within its limits, twice to the same bytes; the spans cover the output, touch and
 * alternate; and no character that only the values have is ever trusted. */
#include "text/template.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char fallback[] = "{\"messages\":[{\"role\":\"user\",\"content\":\"<|x|>\"},{\"role\":"
                               "\"tool\",\"content\":[1,null]}],\"n\":3}";

/* U+E000 has no case, no digits, no escape but its number: what is made of it holds it still. */
#define MARK "\xEE\x80\x80"
static const char marked[] =
    "{\"messages\":[{\"role\":\"" MARK "\",\"content\":\"" MARK MARK "\"},{\"role\":\"user\","
    "\"content\":[{\"type\":\"text\",\"text\":\" " MARK " a " MARK "\\n\"}],\"" MARK "\":1}],"
    "\"x\":\"" MARK "\",\"n\":3,\"tools\":[{\"function\":{\"name\":\"" MARK "\"}}]}";

static void check_spans(const template_spans *s, size_t bytes) {
    size_t at = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (s->items[i].from != at || s->items[i].to <= at) abort();
        if (i && s->items[i].trusted == s->items[i - 1].trusted) abort();
        at = s->items[i].to;
    }
    if (at != bytes) abort();
}

static err render(const template *t, arena *a, const json *values, buf *out,
                  template_spans *spans) {
    fail f;
    template_input in = {.values = values, .now_ms = 1};
    err e = template_render(t, a, &in, out, spans, &f);
    if (e == E_OK) check_spans(spans, out->n);
    return e;
}

/* Whether the rendering was within its limits: one that is not takes its time, once. */
static bool check_same(const template *t, arena *a, const json *values) {
    template_spans spans[2];
    buf out[2] = {{0}, {0}};
    err first = render(t, a, values, &out[0], &spans[0]), second = first;
    if (first != E_TOO_LARGE) second = render(t, a, values, &out[1], &spans[1]);
    if (first != second || (first == E_OK && !str_eq(buf_str(&out[0]), buf_str(&out[1])))) abort();
    buf_deinit(&out[0]);
    buf_deinit(&out[1]);
    return first != E_TOO_LARGE;
}

/* The template may write the mark itself, or by its number. */
static bool writes_mark(str source) {
    for (size_t i = 0; i + 3 < source.n; i++)
        if (memcmp(source.p + i, "000", 3) == 0) return true;
    return str_find(source, STR(MARK)) != STR_INDEX_NONE;
}

static void check_trust(const template *t, arena *a) {
    const json *values;
    template_spans spans;
    buf out = {0};
    fail f;
    if (json_parse(a, str_from(marked), &values, &f) == E_OK &&
        render(t, a, values, &out, &spans) == E_OK)
        for (size_t i = 0; i < spans.n; i++) {
            str s = str_slice(buf_str(&out), spans.items[i].from, spans.items[i].to);
            if (spans.items[i].trusted && str_find(s, STR(MARK)) != STR_INDEX_NONE) abort();
        }
    buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    arena a;
    fail f;
    const template *t;
    const json *values;
    const uint8_t *zero = size ? memchr(data, 0, size) : NULL;
    size_t n = zero ? (size_t)(zero - data) : size;
    str source = {(const char *)data, n},
        text = zero ? (str){(const char *)zero + 1, size - n - 1} : str_from(fallback);
    arena_init(&a, 4096);
    a.bytes_max = 64u << 20;
    if (json_parse(&a, text, &values, &f) == E_OK && values->kind == JSON_OBJECT &&
        template_compile(&a, source, &t, &f) == E_OK) {
        if (check_same(t, &a, values) && !writes_mark(source)) check_trust(t, &a);
    }
    arena_deinit(&a);
    return 0;
}
