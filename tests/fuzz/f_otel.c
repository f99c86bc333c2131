/* f_otel.c - fuzz target: a traceparent of any bytes is refused or comes back as it was; a text of
 * any bytes read as Prometheus' gives JSON that parses. */
#include "otel/otel_int.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_parent(str header) {
    otel_context c;
    char again[OTEL_PARENT_BYTES];
    otel_context_of(STR("req_1"), header, header, &c);
    if (!c.parent) return;
    otel_parent_text(&c, c.parent, again);
    if (memcmp(again + 2, header.p + 2, 51) != 0) abort(); /* all but version and flags */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    str text = {(const char *)data, size};
    buf out = {0};
    json_writer w = {.out = &out};
    otel_window at = {1, 2};
    arena a;
    const json *v;
    read_parent(text);
    json_begin_array(&w);
    otel_text_put(text, &w, &at);
    json_end_array(&w);
    arena_init(&a, 4096);
    if (!out.failed && json_parse(&a, buf_str(&out), &v, NULL) != E_OK) abort();
    arena_deinit(&a);
    buf_deinit(&out);
    return 0;
}
