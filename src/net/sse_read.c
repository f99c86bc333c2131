/* sse_read.c - see sse_read.h. */
#include "net/sse_read.h"

void sse_reader_deinit(sse_reader *r) {
    buf_deinit(&r->line);
    buf_deinit(&r->data);
}

static err too_large(const sse_reader *r, fail *f) {
    return fail_set(f, E_TOO_LARGE, "an event of the stream is larger than %zu bytes",
                    r->event_bytes_max);
}

/* An empty line: the event is whole. */
static err end_event(sse_reader *r, fail *f) {
    if (!r->has_data) return E_OK;
    TRY(buf_ok(&r->data, f));
    err e = r->take(r->ctx, r->data.n ? buf_str(&r->data) : STR(""), f);
    buf_reset(&r->data);
    r->has_data = false;
    return e;
}

static err take_line(sse_reader *r, fail *f) {
    TRY(buf_ok(&r->line, f));
    str value = buf_str(&r->line);
    if (!value.n) return end_event(r, f);
    str name = str_cut(&value, ':');
    if (!str_is(name, "data")) return E_OK;
    if (!value.p) value = STR("");
    if (str_starts(value, STR(" "))) value = str_slice(value, 1, value.n);
    if (r->has_data) buf_put_char(&r->data, '\n');
    buf_put(&r->data, value);
    r->has_data = true;
    return r->data.n > r->event_bytes_max ? too_large(r, f) : E_OK;
}

err sse_read(sse_reader *r, str bytes, fail *f) {
    for (size_t i = 0; i < bytes.n; i++) {
        char b = bytes.p[i];
        bool crlf = b == '\n' && r->after_cr;
        r->after_cr = b == '\r';
        if (crlf) continue;
        if (b != '\n' && b != '\r') {
            buf_put_char(&r->line, b);
            if (r->line.n > r->event_bytes_max) return too_large(r, f);
            continue;
        }
        TRY(take_line(r, f));
        buf_reset(&r->line);
    }
    return E_OK;
}
