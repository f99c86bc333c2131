/* Tests of net/sse_read.c. Rules and examples: WHATWG HTML, "Interpreting an event stream". */
#include "net/sse_read.h"

#include "test.h"

static buf seen; /* each event's data in brackets */

static err take(void *ctx, str data, fail *f) {
    (void)ctx;
    buf_printf(&seen, "<%.*s>", STR_ARG(data));
    return str_is(data, "stop") ? fail_set(f, E_LIMIT, "enough") : E_OK;
}

/* In pieces of `step` bytes. */
static err read_all(const char *text, size_t step, size_t most, fail *f) {
    sse_reader r = {.take = take, .event_bytes_max = most};
    str all = str_from(text);
    err e = E_OK;
    buf_reset(&seen);
    for (size_t i = 0; i < all.n && e == E_OK; i += step)
        e = sse_read(&r, str_slice(all, i, i + step < all.n ? i + step : all.n), f);
    sse_reader_deinit(&r);
    return e;
}

static void events_come_whole_however_cut(void **state) {
    (void)state;
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"data: YHOO\ndata: +2\ndata: 10\n\n", "<YHOO\n+2\n10>"},
        {": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third\n\n",
         "<first event><second event>< third>"},
        {"data\n\ndata\ndata\n\ndata:", "<><\n>"},
        {"data:test\n\ndata: test\n\n", "<test><test>"},
        {"data: a\r\n\r\ndata: b\r\rdata: c\n\ndata: cut off\n", "<a><b><c>"},
        {"event: ping\ndata: {\"a\": \"b: c\"}\n\nretry: 5\n\n", "<{\"a\": \"b: c\"}>"},
        {"dat: x\nData: y\n\n", ""}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t step = 1; step < 40; step++) {
            fail f = {0};
            assert_ok(read_all(rows[i].text, step, 100, &f), &f);
            assert_string_equal(buf_z(&seen), rows[i].want);
        }
}

static void has_limits(void **state) {
    (void)state;
    fail f = {0};
    assert_ok(read_all("data: 123456\n\n", 3, 12, &f), &f);
    assert_int_equal(read_all("data: 1234567\n\n", 3, 12, &f), E_TOO_LARGE);
    assert_int_equal(read_all("data: 123456\ndata: 123456\n\n", 3, 12, &f), E_TOO_LARGE);
    assert_int_equal(read_all(": endless comment", 3, 12, &f), E_TOO_LARGE);
    assert_int_equal(read_all("data: stop\n\ndata: more\n\n", 50, 12, &f), E_LIMIT);
    assert_string_equal(buf_z(&seen), "<stop>");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(events_come_whole_however_cut),
                                       cmocka_unit_test(has_limits)};
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    buf_deinit(&seen);
    return rc;
}
