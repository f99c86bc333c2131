/* Tests of net/http_ping.c over loopback: comment lines while a stream is silent, before its head
 * (which goes out early then) and within; none in other streams, none when an error comes in time.
 */
#include "http_test.h"

#include <stdatomic.h>

enum { PING_MS = 40 };
static http_server *server;
static int port;
static char reply[16 * 1024];
static atomic_int gate; /* handlers go on when it is above their step */

static void wait_gate(int step) {
    while (atomic_load(&gate) < step) clock_sleep_ms(2);
}

static void handler(void *ctx, http_request *rq, http_reply *rp) {
    (void)ctx;
    fail f;
    bool plain = str_is(rq->path, "/plain"), late = str_is(rq->path, "/late");
    if (!plain) http_stream_promise(rp);
    if (str_is(rq->path, "/error")) {
        assert_false(http_stream_begun(rp));
        (void)!http_send(rp, 429, "text/plain", STR("no"), NULL);
        return;
    }
    if (!plain) wait_gate(1);
    if (late) { /* too late for a status of its own */
        assert_true(http_stream_begun(rp));
        assert_int_equal(http_send(rp, 429, "text/plain", STR("no"), &f), E_INTERNAL);
    } else {
        const char *type = plain ? "application/x-ndjson" : "text/event-stream";
        assert_ok(http_stream_begin(rp, 200, type, &f), &f);
    }
    if (plain) assert_ok(http_stream_put(rp, STR("{}\n"), &f), &f);
    if (!plain) assert_ok(sse_put(rp, NULL, STR("one"), &f), &f);
    wait_gate(2);
    if (!plain) assert_ok(sse_put(rp, NULL, STR("two"), &f), &f);
    assert_ok(http_stream_end(rp, &f), &f);
}

static int setup(void **state) {
    (void)state;
    fail f;
    http_options o = {.handler = handler, .workers = 2, .sse_ping_ms = PING_MS};
    if (http_server_open(&server, &o, &f) != E_OK) return -1;
    port = http_server_port(server);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    http_server_close(server, 1000);
    return 0;
}

static int ask(const char *path) {
    char text[128];
    int fd = wire_open(port);
    atomic_store(&gate, 0);
    snprintf(text, sizeof text,
             "GET %s HTTP/1.1\r\nHost: localhost:%d\r\nConnection: close\r\n\r\n", path, port);
    wire_send(fd, text);
    return fd;
}

/* Head and comments come before the handler says a word; then its events, each whole, with comments
 * between; one head in all. */
static void silent(const char *path) {
    char more[4096];
    int fd = ask(path);
    assert_true(wire_read(fd, ":\n\n\r\n3\r\n:\n\n", reply, sizeof reply, 5000));
    assert_non_null(strstr(reply, "HTTP/1.1 200 OK"));
    assert_non_null(strstr(reply, "Content-Type: text/event-stream"));
    assert_null(strstr(reply, "data:"));
    atomic_store(&gate, 1);
    assert_true(wire_read(fd, "data: one\n\n\r\n", more, sizeof more, 5000));
    assert_null(strstr(more, "HTTP/1.1"));
    assert_true(wire_read(fd, "3\r\n:\n\n", more, sizeof more, 5000));
    atomic_store(&gate, 2);
    assert_true(wire_read(fd, NULL, more, sizeof more, 5000));
    char *end = strstr(more, "data: two\n\n\r\n0\r\n\r\n");
    assert_true(end && strlen(end) == strlen("data: two\n\n\r\n0\r\n\r\n"));
    close(fd);
}

static void silent_stream(void **state) {
    (void)state;
    silent("/stream");
}
static void late_error(void **state) {
    (void)state;
    silent("/late");
}

static void error_in_time(void **state) {
    (void)state;
    int fd = ask("/error");
    assert_true(wire_read(fd, NULL, reply, sizeof reply, 5000));
    assert_non_null(strstr(reply, "HTTP/1.1 429"));
    assert_null(strstr(reply, ":\n\n"));
    close(fd);
}

/* Lines of JSON have no comments; and with none promised nothing is early. */
static void other_streams(void **state) {
    (void)state;
    int fd = ask("/plain");
    assert_true(wire_read(fd, "{}\n", reply, sizeof reply, 5000));
    assert_false(wire_read(fd, ":\n\n", reply, sizeof reply, 5 * PING_MS));
    atomic_store(&gate, 2);
    assert_true(wire_read(fd, NULL, reply, sizeof reply, 5000));
    close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silent_stream), cmocka_unit_test(late_error),
        cmocka_unit_test(error_in_time), cmocka_unit_test(other_streams)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
