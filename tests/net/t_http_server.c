/* Tests of the server over real loopback sockets: net/http_server.c, http_loop.c, http_conn.c,
 * http_reply.c, http_worker.c, http_listen.c. Waiting and streams: t_http_park.c. */
#include "http_test.h"

#include "base/mem.h"
#include "base/thread.h"

#include <stdatomic.h>

enum { REPLY_BYTES = 256 * 1024 };
static char reply[REPLY_BYTES];
static http_server *server;
static int port;
static atomic_int slow_gate; /* /slow waits while it is 1 */
static atomic_int running;

static void echo(http_request *rq, http_reply *rp) {
    str text = arena_printf(rq->arena, "%.*s %.*s?%.*s %zu %.*s", STR_ARG(rq->method),
                            STR_ARG(rq->path), STR_ARG(rq->query), rq->body.n, STR_ARG(rq->body));
    http_reply_header(rp, "X-Peer", str_from(rq->peer_is_loopback ? "loopback" : "far"));
    (void)!http_send(rp, 200, "text/plain", text, NULL);
}

static void handler(void *ctx, http_request *rq, http_reply *rp) {
    (void)ctx;
    fail f;
    if (str_is(rq->path, "/slow")) {
        atomic_fetch_add(&running, 1);
        while (atomic_load(&slow_gate) && !http_gone(rq)) clock_sleep_ms(2);
        atomic_fetch_sub(&running, 1);
    }
    if (str_is(rq->path, "/forgets")) return;
    if (str_is(rq->path, "/inject")) {
        http_reply_header(rp, "X-A", STR("b\r\nSet-Cookie: c"));
        assert_int_equal(http_send(rp, 200, "text/plain", STR("x"), &f), E_INTERNAL);
        return;
    }
    if (str_is(rq->path, "/empty")) {
        (void)!http_send(rp, 204, NULL, STR(""), NULL);
        return;
    }
    if (str_is(rq->path, "/large")) {
        size_t n = 8 << 20;
        char *p = mem_alloc(n);
        memset(p, 'x', n);
        (void)!http_send(rp, 200, "text/plain", (str){p, n}, NULL);
        mem_free(p);
        return;
    }
    echo(rq, rp);
}

/* On the loop itself. */
static bool quick(void *ctx, http_request *rq, http_reply *rp) {
    (void)ctx;
    if (!str_is(rq->path, "/quick")) return false;
    return http_send(rp, 200, "text/plain", STR("quick!"), NULL) == E_OK;
}

static int setup(void **state) {
    (void)state;
    fail f;
    http_options o = {.handler = handler,
                      .quick = quick,
                      .workers = 2,
                      .queue_max = 4,
                      .connections_max = 300,
                      .body_bytes_max = 100 * 1000,
                      .header_ms_max = 300,
                      .body_ms_max = 300,
                      .idle_ms_max = 600,
                      .write_ms_max = 500};
    if (http_server_open(&server, &o, &f) != E_OK) return -1;
    port = http_server_port(server);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    http_server_close(server, 1000);
    return 0;
}

/* "GET path" with the right Host and what else is given. */
static const char *request_text(const char *line, const char *more) {
    static char text[2048];
    snprintf(text, sizeof text, "%s HTTP/1.1\r\nHost: localhost:%d\r\n%s\r\n", line, port, more);
    return text;
}

static bool has(const char *wanted) {
    if (strstr(reply, wanted)) return true;
    print_message("no \"%s\" in: %.600s\n", wanted, reply);
    return false;
}

static void answers_and_closes(void **state) {
    (void)state;
    wire_ask(port, request_text("GET /a?b=c", "Connection: close\r\n"), reply, REPLY_BYTES);
    assert_true(has("HTTP/1.1 200 OK\r\n"));
    assert_true(has("\r\nDate: ") && has("x-request-id: req_") && has("Connection: close\r\n"));
    assert_true(has("X-Peer: loopback\r\n") && has("\r\n\r\nGET /a?b=c 0 "));
}

static void keeps_alive_and_pipelines(void **state) {
    (void)state;
    int fd = wire_open(port);
    char text[1024];
    snprintf(text, sizeof text,
             "GET /1 HTTP/1.1\r\nHost: localhost:%d\r\n\r\n"
             "POST /2 HTTP/1.1\r\nHost: localhost:%d\r\nContent-Length: 3\r\n\r\nabc"
             "HEAD /3 HTTP/1.1\r\nHost: localhost:%d\r\n\r\n"
             "POST /4 HTTP/1.1\r\nHost: localhost:%d\r\nTransfer-Encoding: chunked\r\n\r\n"
             "2\r\nxy\r\n0\r\n\r\n",
             port, port, port, port);
    wire_send(fd, text);
    assert_true(wire_read(fd, "POST /4? 2 xy", reply, REPLY_BYTES, 3000));
    char *one = strstr(reply, "GET /1? 0 "), *two = strstr(reply, "POST /2? 3 abc");
    assert_true(one && two && one < two);
    assert_null(strstr(reply, "HEAD /3")); /* its body is left out, its length is not */
    wire_send(fd, request_text("GET /5", ""));
    assert_true(wire_read(fd, "GET /5? 0 ", reply, REPLY_BYTES, 3000));
    close(fd);
}

static void a_long_pipeline(void **state) {
    (void)state;
    int fd = wire_open(port);
    char text[16 * 1024];
    size_t n = 0;
    int count = 150;
    for (int i = 0; i < count; i++)
        n += (size_t)snprintf(text + n, sizeof text - n,
                              "GET /%d HTTP/1.1\r\nHost: localhost:%d\r\n%s\r\n", i, port,
                              i % 2 ? "Origin: null\r\n" : "");
    wire_send(fd, text);
    assert_true(wire_read(fd, "GET /148? 0 ", reply, REPLY_BYTES, 5000));
    n = 0; /* the loop's own answers, and a worker's between them, keep their order */
    for (int i = 0; i < count; i++)
        n += (size_t)snprintf(
            text + n, sizeof text - n, "GET /%s HTTP/1.1\r\nHost: localhost:%d\r\n%s\r\n",
            i % 50 == 49 ? "mark" : "quick", port, i + 1 == count ? "Connection: close\r\n" : "");
    fd = wire_open(port);
    wire_send(fd, text);
    assert_true(wire_read(fd, NULL, reply, REPLY_BYTES, 5000));
    int quicks = 0, marks = 0;
    for (const char *p = reply; *p; p++) {
        quicks += !strncmp(p, "quick!", 6);
        if (!strncmp(p, "GET /mark? 0 ", 13)) assert_int_equal(quicks, 49 * ++marks);
    }
    assert_int_equal(marks, 3);
    close(fd);
}

static void byte_by_byte(void **state) {
    (void)state;
    int fd = wire_open(port);
    const char *text = request_text("POST /b", "Content-Length: 4\r\nConnection: close\r\n");
    for (const char *p = text; *p; p++) {
        char one[2] = {*p, 0};
        wire_send(fd, one);
    }
    wire_send(fd, "body");
    assert_true(wire_read(fd, NULL, reply, REPLY_BYTES, 3000));
    assert_true(has("POST /b? 4 body"));
    close(fd);
}

static void limits_by_table(void **state) {
    (void)state;
    static char text[64 * 1024];
    static const struct {
        const char *head;
        int pad;
        const char *status;
    } rows[] = {
        {"GET /", 9000, "HTTP/1.1 414 "},
        {"GET / HTTP/1.1\r\nX: ", 33000, "HTTP/1.1 431 "},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100001\r\n\r\n", 0, "HTTP/1.1 413 "},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 0,
         "HTTP/1.1 400 "},
        {"nonsense\r\n\r\n", 0, "HTTP/1.1 400 "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(text, sizeof text, "%s%0*d", rows[i].head, rows[i].pad, 0);
        wire_ask(port, text, reply, REPLY_BYTES);
        assert_true(has(rows[i].status));
        assert_true(has("Content-Type: application/json") && has("{\"error\":{\"code\":\""));
        assert_true(has("Connection: close"));
    }
}

/* The answer must reach a client that is still sending a body which nobody will read. */
/* Strangers who send large bodies fill what all bodies may take, not the machine; who asks in few
 * words is answered meanwhile, and there is room again when they are done. */
static void bodies_take_no_more_than_they_may(void **state) {
    enum { BODY = 140 * 1000, SENT = 130 * 1000 };
    (void)state;
    fail f;
    http_server *small, *usual = server;
    int usual_port = port;
    http_options o = {.handler = handler,
                      .workers = 2,
                      .body_bytes_max = 200 * 1000,
                      .bodies_bytes_max = 240 * 1024,
                      .body_ms_max = 20000};
    char *body = mem_alloc(BODY + 1), line[64];
    memset(body, 'x', BODY);
    body[BODY] = 0;
    assert_int_equal(http_server_open(&small, &o, &f), E_OK);
    port = http_server_port(small);
    snprintf(line, sizeof line, "Content-Length: %d\r\n", BODY);
    int first = wire_open(port);
    wire_send(first, request_text("POST /", line));
    assert_int_equal(send(first, body, SENT, MSG_NOSIGNAL), SENT);
    for (int i = 0; i < 2; i++) {
        int fd = wire_open(port);
        wire_send(fd, request_text("POST /", i ? line : "Content-Length: 5\r\n"));
        if (i)
            (void)!send(fd, body, BODY, MSG_NOSIGNAL);
        else
            wire_send(fd, "hello");
        assert_true(wire_read(fd, "\r\n\r\n", reply, REPLY_BYTES, 5000));
        assert_true(has(i ? "HTTP/1.1 503 " : "HTTP/1.1 200 "));
        if (i) assert_true(has("Retry-After: "));
        close(fd);
    }
    wire_send(first, body + SENT);
    assert_true(wire_read(first, "\r\n\r\n", reply, REPLY_BYTES, 5000));
    assert_true(has("HTTP/1.1 200 "));
    close(first);
    mem_free(body);
    http_server_close(small, 1000);
    server = usual;
    port = usual_port;
}

static void too_large_is_told_while_sending(void **state) {
    (void)state;
    int fd = wire_open(port);
    wire_send(fd, request_text("POST /", "Content-Length: 90000000\r\n"));
    static char filler[64 * 1024];
    memset(filler, 'x', sizeof filler);
    for (int i = 0; i < 12; i++)
        if (send(fd, filler, sizeof filler, MSG_NOSIGNAL) < 0) break;
    assert_true(wire_read(fd, "body_too_large", reply, REPLY_BYTES, 3000));
    assert_true(has("\r\nx-request-id: req_")); /* as every answer */
    close(fd);
}

static void slow_clients_are_cut(void **state) {
    (void)state;
    int64_t start_ns = clock_mono_ns();
    int head = wire_open(port), body = wire_open(port), mute = wire_open(port);
    wire_send(body, request_text("POST /", "Content-Length: 100\r\n"));
    for (int i = 0; i < 10; i++) { /* a byte now and then must not buy time */
        send(head, &"GET / HTTP"[i], 1, MSG_NOSIGNAL);
        send(body, "x", 1, MSG_NOSIGNAL);
        clock_sleep_ms(40);
    }
    assert_true(wire_read(head, "HTTP/1.1 408 ", reply, REPLY_BYTES, 2000));
    assert_true(wire_read(body, "body_timeout", reply, REPLY_BYTES, 2000));
    assert_true(wire_read(mute, NULL, reply, REPLY_BYTES, 2000));
    assert_string_equal(reply, "");
    assert_true(clock_mono_ns() - start_ns < 3000 * 1000000LL);
    close(head), close(body), close(mute);
}

static void idle_connections_are_closed(void **state) {
    (void)state;
    int fd = wire_open(port);
    wire_send(fd, request_text("GET /i", ""));
    assert_true(wire_read(fd, "GET /i", reply, REPLY_BYTES, 2000));
    assert_true(wire_read(fd, NULL, reply, REPLY_BYTES, 3000));
    close(fd);
}

/* Most clients send all of a body before they look for an answer. */
static void too_large_is_read_after_sending(void **state) {
    (void)state;
    enum { BYTES = 24 << 20, PIECE = 1 << 16 };
    static char piece[PIECE];
    int fd = wire_open(port);
    wire_send(fd, "POST /big HTTP/1.1\r\nHost: localhost\r\nContent-Length: 25165824\r\n\r\n");
    for (size_t sent = 0; sent < BYTES;) {
        ssize_t n = send(fd, piece, PIECE, MSG_NOSIGNAL);
        assert_true(n > 0);
        sent += (size_t)n;
    }
    assert_true(wire_read(fd, "body_too_large", reply, REPLY_BYTES, 3000));
    close(fd);
}

static void half_closed_gets_its_answer(void **state) {
    (void)state;
    int fd = wire_open(port);
    wire_send(fd, request_text("GET /half", ""));
    shutdown(fd, SHUT_WR);
    assert_true(wire_read(fd, NULL, reply, REPLY_BYTES, 3000));
    assert_true(has("GET /half? 0 "));
    close(fd);
    fd = wire_open(port);
    wire_send(fd, "GET /half HT"); /* half a request, then the end */
    shutdown(fd, SHUT_WR);
    assert_true(wire_read(fd, NULL, reply, REPLY_BYTES, 3000));
    assert_string_equal(reply, "");
    close(fd);
}

static void expects_continue(void **state) {
    (void)state;
    int fd = wire_open(port);
    wire_send(fd, request_text("POST /e", "Content-Length: 2\r\nExpect: 100-continue\r\n"));
    assert_true(wire_read(fd, "HTTP/1.1 100 Continue\r\n\r\n", reply, REPLY_BYTES, 2000));
    wire_send(fd, "ok");
    assert_true(wire_read(fd, "POST /e? 2 ok", reply, REPLY_BYTES, 2000));
    close(fd);
}

static void odd_handlers(void **state) {
    (void)state;
    wire_ask(port, request_text("GET /forgets", "Connection: close\r\n"), reply, REPLY_BYTES);
    assert_true(has("HTTP/1.1 500 "));
    wire_ask(port, request_text("GET /inject", "Connection: close\r\n"), reply, REPLY_BYTES);
    assert_true(has("HTTP/1.1 500 "));
    assert_null(strstr(reply, "Set-Cookie"));
    wire_ask(port, request_text("GET /empty", "Connection: close\r\n"), reply, REPLY_BYTES);
    assert_true(has("HTTP/1.1 204 No Content"));
    assert_null(strstr(reply, "Content-Length"));
    wire_ask(port, "GET /old HTTP/1.0\r\n\r\n", reply, REPLY_BYTES);
    assert_true(has("GET /old? 0 ") && has("Connection: close"));
}

static void other_websites_are_refused(void **state) {
    (void)state;
    wire_ask(port, request_text("GET /", "Origin: http://evil.example\r\nConnection: close\r\n"),
             reply, REPLY_BYTES);
    assert_true(has("HTTP/1.1 403 ") && has("origin_not_allowed"));
    wire_ask(port, "GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", reply,
             REPLY_BYTES);
    assert_true(has("HTTP/1.1 403 ") && has("host_not_allowed"));
}

static void wait_for_counts(int running_now, int queued) {
    http_counts counts = {0};
    for (int i = 0; i < 1000; i++) {
        http_server_counts(server, &counts);
        if (counts.running == running_now && counts.queued == queued) return;
        clock_sleep_ms(2);
    }
    fail_msg("%d run, %d wait", counts.running, counts.queued);
}

static void full_pool_is_said(void **state) {
    (void)state;
    atomic_store(&slow_gate, 1);
    int fds[6];
    for (int i = 0; i < 6; i++) { /* two run, four wait */
        fds[i] = wire_open(port);
        wire_send(fds[i], request_text("GET /slow", "Connection: close\r\n"));
        if (i == 1) wait_for_counts(2, 0);
    }
    wait_for_counts(2, 4);
    wire_ask(port, request_text("GET /x", "Connection: close\r\n"), reply, REPLY_BYTES);
    assert_true(has("HTTP/1.1 503 ") && has("Retry-After: 1"));
    int fd = wire_open(port); /* what the loop answers by itself needs no worker */
    for (int i = 0; i < 3; i++) {
        wire_send(fd, request_text(i == 1 ? "HEAD /quick" : "GET /quick", ""));
        assert_true(wire_read(fd, i == 1 ? "\r\n\r\n" : "quick!", reply, REPLY_BYTES, 3000));
    }
    close(fd);
    atomic_store(&slow_gate, 0);
    for (int i = 0; i < 6; i++) {
        assert_true(wire_read(fds[i], NULL, reply, REPLY_BYTES, 3000));
        assert_true(has("GET /slow? 0 "));
        close(fds[i]);
    }
}

static void a_client_that_leaves_is_seen(void **state) {
    (void)state;
    atomic_store(&slow_gate, 1);
    int fd = wire_open(port);
    wire_send(fd, request_text("GET /slow", ""));
    for (int i = 0; i < 500 && atomic_load(&running) == 0; i++) clock_sleep_ms(2);
    assert_int_equal(atomic_load(&running), 1);
    close(fd);
    for (int i = 0; i < 500 && atomic_load(&running) != 0; i++) clock_sleep_ms(2);
    assert_int_equal(atomic_load(&running), 0);
    atomic_store(&slow_gate, 0);
}

static void a_large_answer_waits_for_its_reader(void **state) {
    (void)state;
    int fd = wire_open(port);
    wire_send(fd, request_text("GET /large", "Connection: close\r\n"));
    size_t total = 0;
    for (;;) {
        if (total < 100000) clock_sleep_ms(5);
        ssize_t n = recv(fd, reply, REPLY_BYTES, 0);
        if (n <= 0) break;
        total += (size_t)n;
    }
    assert_true(total > (8u << 20));
    close(fd);
    fd = wire_open(port); /* one that never reads is closed after write_ms_max */
    wire_send(fd, request_text("GET /large", ""));
    clock_sleep_ms(1200);
    total = 0;
    for (ssize_t n; (n = recv(fd, reply, REPLY_BYTES, 0)) > 0;) total += (size_t)n;
    assert_true(total < (8u << 20));
    close(fd);
}

static void two_hundred_at_once(void **state) {
    (void)state;
    enum { CLIENTS = 200 };
    int fds[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) fds[i] = wire_open(port);
    for (int round = 0; round < 3; round++) {
        int done = 0, busy = 0;
        for (int i = 0; i < CLIENTS; i++) wire_send(fds[i], request_text("GET /many", ""));
        for (int i = 0; i < CLIENTS; i++) {
            assert_true(wire_read(fds[i], "\r\n\r\n", reply, REPLY_BYTES, 5000));
            if (strstr(reply, " 200 ")) {
                done++;
                if (!strstr(reply, "/many")) wire_read(fds[i], "/many", reply, REPLY_BYTES, 5000);
            } else { /* the queue holds four: being told so is right */
                assert_true(has("HTTP/1.1 503 "));
                if (!strstr(reply, "}}")) wire_read(fds[i], "}}", reply, REPLY_BYTES, 5000);
                busy++;
            }
        }
        assert_int_equal(done + busy, CLIENTS);
        assert_true(done > 0);
    }
    for (int i = 0; i < CLIENTS; i++) close(fds[i]);
}

static void connections_are_limited(void **state) {
    (void)state;
    enum { CLIENTS = 320 };
    int fds[CLIENTS];
    http_counts counts;
    for (int i = 0; i < CLIENTS; i++) fds[i] = wire_open(port);
    clock_sleep_ms(50);
    http_server_counts(server, &counts);
    assert_true(counts.connections <= 300);
    wire_ask(port, request_text("GET /new", "Connection: close\r\n"), reply, REPLY_BYTES);
    assert_true(has("GET /new? 0 ")); /* the idlest made room */
    for (int i = 0; i < CLIENTS; i++) close(fds[i]);
}

static void busy_port_is_named(void **state) {
    (void)state;
    http_server *second = NULL;
    fail f;
    http_options o = {.handler = handler, .port = port};
    assert_int_equal(http_server_open(&second, &o, &f), E_EXISTS);
    char wanted[64];
    snprintf(wanted, sizeof wanted, "port %d is taken by process %d (", port, (int)getpid());
    assert_non_null(strstr(f.text, wanted));
    o = (http_options){.handler = handler, .host = "not-an-address"};
    assert_int_equal(http_server_open(&second, &o, &f), E_INPUT);
    o = (http_options){.handler = handler, .host = "203.0.113.7"};
    assert_int_equal(http_server_open(&second, &o, &f), E_UNSUPPORTED);
}

static void stops_after_the_last_answer(void **state) {
    (void)state;
    http_server *second;
    fail f;
    http_options o = {.handler = handler};
    assert_ok(http_server_open(&second, &o, &f), &f);
    atomic_store(&slow_gate, 1);
    int idle = wire_open(http_server_port(second)), fd = wire_open(http_server_port(second));
    char text[256];
    snprintf(text, sizeof text, "GET /slow HTTP/1.1\r\nHost: localhost:%d\r\n\r\n",
             http_server_port(second));
    wire_send(fd, text);
    for (int i = 0; i < 500 && atomic_load(&running) == 0; i++) clock_sleep_ms(2);
    int64_t start_ns = clock_mono_ns();
    http_server_close(second, 200); /* the handler sees http_gone when the time is up */
    int64_t took_ms = (clock_mono_ns() - start_ns) / 1000000;
    assert_true(took_ms >= 150 && took_ms < 2000);
    atomic_store(&slow_gate, 0);
    close(fd), close(idle);
}

static void survives_want_of_memory(void **state) {
    (void)state;
    for (int64_t n = 1; n < 25; n++) {
        int fd = wire_open(port);
        mem_fail_at(n, false);
        wire_send(fd, request_text("POST /m", "Content-Length: 3\r\nConnection: close\r\n\r\nab"));
        wire_read(fd, NULL, reply, REPLY_BYTES, 3000);
        mem_fail_at(0, false);
        close(fd);
    }
    wire_ask(port, request_text("GET /after", "Connection: close\r\n"), reply, REPLY_BYTES);
    assert_true(has("GET /after? 0 "));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_and_closes),
        cmocka_unit_test(keeps_alive_and_pipelines),
        cmocka_unit_test(a_long_pipeline),
        cmocka_unit_test(byte_by_byte),
        cmocka_unit_test(limits_by_table),
        cmocka_unit_test(bodies_take_no_more_than_they_may),
        cmocka_unit_test(too_large_is_told_while_sending),
        cmocka_unit_test(too_large_is_read_after_sending),
        cmocka_unit_test(slow_clients_are_cut),
        cmocka_unit_test(idle_connections_are_closed),
        cmocka_unit_test(half_closed_gets_its_answer),
        cmocka_unit_test(expects_continue),
        cmocka_unit_test(odd_handlers),
        cmocka_unit_test(other_websites_are_refused),
        cmocka_unit_test(full_pool_is_said),
        cmocka_unit_test(a_client_that_leaves_is_seen),
        cmocka_unit_test(a_large_answer_waits_for_its_reader),
        cmocka_unit_test(two_hundred_at_once),
        cmocka_unit_test(connections_are_limited),
        cmocka_unit_test(busy_port_is_named),
        cmocka_unit_test(stops_after_the_last_answer),
        cmocka_unit_test(survives_want_of_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
