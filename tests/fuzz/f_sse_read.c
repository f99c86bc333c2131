/* f_sse_read.c - any bytes as a stream of events, cut anywhere: the first byte says where. What
 * comes of it is the same in one piece and in two. */
#include "net/sse_read.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static err take(void *ctx, str data, fail *f) {
    (void)f;
    buf_printf(ctx, "%zu:", data.n);
    buf_put(ctx, data);
    return E_OK;
}

static err read_parts(str body, size_t at, buf *out) {
    sse_reader r = {.take = take, .ctx = out, .event_bytes_max = 64};
    fail f = {0};
    err e = sse_read(&r, str_slice(body, 0, at), &f);
    if (e == E_OK) e = sse_read(&r, str_slice(body, at, body.n), &f);
    CHECK(e == E_OK || (e == E_TOO_LARGE && f.text[0]));
    sse_reader_deinit(&r);
    return e;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    if (!n) return 0;
    /* a copy of exact size, so that a read past it is seen */
    char *copy = malloc(n);
    for (size_t i = 1; i < n; i++) copy[i - 1] = (char)data[i];
    str body = {copy, n - 1};
    buf one = {0}, two = {0};
    size_t at = n > 1 ? data[0] % n : 0;
    CHECK(read_parts(body, body.n, &one) == read_parts(body, at, &two));
    CHECK(str_eq(buf_str(&one), buf_str(&two)));
    buf_deinit(&one);
    buf_deinit(&two);
    free(copy);
    return 0;
}
