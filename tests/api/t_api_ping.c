/* t_api_ping.c - every stream of events that the API has: while it is silent its head and comment
 * lines come, then its answer; an error that comes after them is an event of the dialect, and one
 * that comes in time has its own status. Comments: WHATWG HTML, "Server-sent events". */
#include "api_wire.h"

enum { PING_MS = 20 };

static int setup(void **state) {
    fail f = {0};
    if (fake_open(state) != 0) return -1;
    assert_ok(http_server_change(fx.server, &(http_live){.sse_ping_ms = PING_MS}, &f), &f);
    return 0;
}
static int reset(void **state) {
    (void)state;
    arena_reset(&fx.arena);
    atomic_store(&slow_goes, 0);
    return 0;
}

#define MESSAGES(model)                                                                            \
    "\"model\":\"" model "\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}" \
                         "]"

static const struct {
    const char *path, *body;
    const char *first, *end; /* events, in this order */
    const char *failed;
    const char *refused; /* a body that is an error at once, with 503 */
} streams[] = {
    {"/v1/chat/completions", "{" MESSAGES("slow") "}", "\"content\":\"You \"", "data: [DONE]",
     "data: {\"error\":{\"message\":\"the model broke\"", "{" MESSAGES("busy") "}"},
    {"/v1/completions", "{\"model\":\"slow\",\"stream\":true,\"prompt\":\"hi\"}",
     "\"text\":\"You \"", "data: [DONE]", "data: {\"error\":{\"message\":\"the model broke\"",
     "{\"model\":\"busy\",\"stream\":true,\"prompt\":\"hi\"}"},
    {"/v1/responses", "{\"model\":\"slow\",\"stream\":true,\"input\":\"hi\"}",
     "event: response.created", "event: response.completed", "event: response.failed",
     "{\"model\":\"busy\",\"stream\":true,\"input\":\"hi\"}"},
    {"/v1/messages", "{\"max_tokens\":9," MESSAGES("slow") "}", "event: message_start",
     "event: message_stop", "event: error\ndata: {\"type\":\"error\"",
     "{\"max_tokens\":9," MESSAGES("busy") "}"}};

enum { STREAMS = sizeof streams / sizeof *streams };

/* Asks, and waits for two comments: nothing but the head came before them. */
static int ask_silent(size_t i) {
    int fd = wire_open(fx.port);
    wire_put(fd, "POST", streams[i].path, JSON_TYPE, streams[i].body);
    if (!wire_read(fd, ":\n\n\r\n3\r\n:\n\n", wire, WIRE_BYTES, 5000))
        fail_msg("%s stays silent: %s", streams[i].path, wire);
    assert_non_null(strstr(wire, "HTTP/1.1 200 OK"));
    assert_non_null(strstr(wire, "Content-Type: text/event-stream"));
    assert_null(strstr(wire, "data:"));
    return fd;
}

static void says(const char *path, const char *part) {
    if (!strstr(wire, part)) fail_msg("%s: \"%s\" is not in %s", path, part, wire);
}

static void silence_is_broken(void **state) {
    (void)state;
    for (size_t i = 0; i < STREAMS; i++) {
        atomic_store(&slow_goes, 0);
        int fd = ask_silent(i);
        atomic_store(&slow_goes, 1);
        assert_true(wire_read(fd, "\r\n0\r\n\r\n", wire, WIRE_BYTES, 5000));
        says(streams[i].path, streams[i].first);
        says(streams[i].path, streams[i].end);
        assert_true(strstr(wire, streams[i].first) < strstr(wire, streams[i].end));
        assert_null(strstr(wire, "HTTP/1.1")); /* one head in all */
        close(fd);
    }
}

static void a_late_error_is_an_event(void **state) {
    (void)state;
    for (size_t i = 0; i < STREAMS; i++) {
        atomic_store(&slow_goes, 0);
        int fd = ask_silent(i);
        atomic_store(&slow_goes, 2);
        assert_true(wire_read(fd, "\r\n0\r\n\r\n", wire, WIRE_BYTES, 5000));
        says(streams[i].path, streams[i].failed);
        says(streams[i].path, "the model broke");
        assert_null(strstr(wire, streams[i].end));
        close(fd);
    }
}

static void an_early_error_has_its_status(void **state) {
    (void)state;
    for (size_t i = 0; i < STREAMS; i++) {
        int fd = wire_open(fx.port);
        wire_put(fd, "POST", streams[i].path, JSON_TYPE "Connection: close\r\n",
                 streams[i].refused);
        assert_true(wire_read(fd, NULL, wire, WIRE_BYTES, 5000));
        says(streams[i].path, "HTTP/1.1 429");
        says(streams[i].path, "Retry-After: 17");
        assert_null(strstr(wire, "text/event-stream"));
        close(fd);
    }
}

/* A person's answer: the stream is parked, no worker waits, and the comments come all the same. */
static void waiting_for_a_person(void **state) {
    (void)state;
    const json *v = ask("/v1/chat/completions",
                        "{\"model\":\"task:desk\",\"messages\":[{\"role\":\"user\",\"content\":"
                        "\"today your boat service made me furious\"}]}",
                        200);
    str review = text_at(v, "bantam.review");
    str path = arena_printf(&fx.arena, "/v1/answers/%.*s?wait=30", STR_ARG(review));
    int fd = wire_open(fx.port);
    wire_put(fd, "GET", path.p, "Accept: text/event-stream\r\n", "");
    assert_true(wire_read(fd, ":\n\n\r\n3\r\n:\n\n", wire, WIRE_BYTES, 5000));
    says(path.p, "data: {");
    close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup(silence_is_broken, reset),
                                       cmocka_unit_test_setup(a_late_error_is_an_event, reset),
                                       cmocka_unit_test_setup(an_early_error_has_its_status, reset),
                                       cmocka_unit_test_setup(waiting_for_a_person, reset)};
    return cmocka_run_group_tests(tests, setup, fake_close);
}
