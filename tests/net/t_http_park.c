/* Tests of what may take long: streams and clients that leave them (http_reply.c), parked requests,
 * wakes, deadlines and stopping (http_park.c). */
#include "http_test.h"

#include "base/thread.h"

#include <stdatomic.h>

enum { REPLY_BYTES = 64 * 1024, WAITERS = 200 };
static char reply[REPLY_BYTES];
static http_server *server;
static int port;
static atomic_int open_gate;   /* the "person" has answered */
static atomic_int stream_ends; /* how the last /flood ended: err + 1 */
static atomic_int runs;

static int64_t now_ms(void) {
    return clock_mono_ns() / 1000000;
}

/* Park first, look second: see http_park. */
static void wait_for_person(http_request *rq, http_reply *rp, int64_t wait_ms) {
    fail f;
    http_reply_header(rp, "X-Each-Run", STR("once"));
    if (rq->wakes == 0) {
        rq->state = arena_printf(rq->arena, "mine").p ? (void *)(uintptr_t)1 : NULL;
        assert_ok(http_park(rq, rq->path, now_ms() + wait_ms, &f), &f);
    } else {
        assert_ptr_equal(rq->state, (void *)(uintptr_t)1);
        assert_ok(http_park(rq, rq->path, rq->deadline_ms, &f), &f);
    }
    if (!atomic_load(&open_gate) && !rq->timed_out && !rq->stopping) return;
    str text = arena_printf(rq->arena, "wakes %d timed_out %d stopping %d body %.*s;", rq->wakes,
                            rq->timed_out, rq->stopping, STR_ARG(rq->body));
    (void)!http_send(rp, 200, "text/plain", text, NULL);
}

static void stream_numbers(http_reply *rp) {
    fail f;
    char text[32];
    assert_ok(http_stream_begin(rp, 200, "text/event-stream", &f), &f);
    for (int i = 0; i < 3; i++) {
        snprintf(text, sizeof text, "{\"n\":%d}", i);
        assert_ok(sse_put(rp, i == 1 ? "named" : NULL, str_from(text), &f), &f);
    }
    assert_ok(sse_put(rp, NULL, STR("two\nlines\r\nthree\rfour"), &f), &f);
    assert_ok(sse_ping(rp, &f), &f);
    assert_ok(http_stream_end(rp, &f), &f);
}

static void stream_flood(http_reply *rp) {
    static char filler[32 * 1024];
    fail f;
    err e = http_stream_begin(rp, 200, "text/plain", &f);
    while (e == E_OK) e = http_stream_put(rp, (str){filler, sizeof filler}, &f);
    atomic_store(&stream_ends, (int)e + 1);
}

/* A stream that waits for its next word without a worker. */
static void stream_parked(http_request *rq, http_reply *rp) {
    fail f;
    if (!rp->streaming) assert_ok(http_stream_begin(rp, 200, "text/plain", &f), &f);
    assert_ok(http_park(rq, rq->path, now_ms() + 5000, &f), &f);
    str text = arena_printf(rq->arena, "[run %d]", rq->wakes);
    if (http_stream_put(rp, text, &f) != E_OK) return;
    if (rq->wakes == 2) (void)!http_stream_end(rp, &f);
}

static void handler(void *ctx, http_request *rq, http_reply *rp) {
    (void)ctx;
    fail f;
    atomic_fetch_add(&runs, 1);
    if (str_starts(rq->path, STR("/wait"))) wait_for_person(rq, rp, 5000);
    if (str_starts(rq->path, STR("/short"))) wait_for_person(rq, rp, 150);
    if (str_is(rq->path, "/numbers")) stream_numbers(rp);
    if (str_is(rq->path, "/flood")) stream_flood(rp);
    if (str_is(rq->path, "/parked-stream")) stream_parked(rq, rp);
    if (str_is(rq->path, "/cut")) {
        assert_ok(http_stream_begin(rp, 200, "text/plain", &f), &f);
        assert_ok(http_stream_put(rp, STR("half"), &f), &f);
    }
}

static int setup(void **state) {
    (void)state;
    fail f;
    http_options o = {.handler = handler,
                      .workers = 2,
                      .queue_max = 8,
                      .connections_max = 400,
                      .stream_bytes_max = 64 * 1024,
                      .write_ms_max = 300};
    if (http_server_open(&server, &o, &f) != E_OK) return -1;
    port = http_server_port(server);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    http_server_close(server, 1000);
    return 0;
}

static int ask(const char *line, const char *more) {
    char text[512];
    int fd = wire_open(port);
    snprintf(text, sizeof text, "%s HTTP/1.1\r\nHost: localhost:%d\r\n%s\r\n", line, port, more);
    wire_send(fd, text);
    return fd;
}

static void wait_until_parked(int n) {
    http_counts counts = {0};
    for (int i = 0; i < 1500; i++) {
        http_server_counts(server, &counts);
        if (counts.parked == n && counts.running == 0) return;
        clock_sleep_ms(2);
    }
    fail_msg("%d parked, wanted %d", counts.parked, n);
}

static void streams_events(void **state) {
    (void)state;
    int fd = ask("GET /numbers", "");
    assert_true(wire_read(fd, "\r\n0\r\n\r\n", reply, REPLY_BYTES, 2000));
    assert_non_null(strstr(reply, "Transfer-Encoding: chunked"));
    assert_non_null(strstr(reply, "data: {\"n\":0}\n\n"));
    assert_non_null(strstr(reply, "event: named\ndata: {\"n\":1}\n\n"));
    assert_non_null(strstr(reply, "data: two\ndata: lines\ndata: three\ndata: four\n\n"));
    assert_non_null(strstr(reply, ":\n\n"));
    wire_send(fd, "GET /numbers HTTP/1.0\r\n\r\n"); /* and the connection goes on */
    assert_true(wire_read(fd, NULL, reply, REPLY_BYTES, 2000));
    assert_null(strstr(reply, "chunked"));
    assert_non_null(strstr(reply, "\r\n\r\ndata: {\"n\":0}\n\n"));
    close(fd);
    fd = ask("GET /cut", "");
    assert_true(wire_read(fd, NULL, reply, REPLY_BYTES, 2000));
    assert_non_null(strstr(reply, "4\r\nhalf\r\n"));
    assert_null(strstr(reply, "\r\n0\r\n")); /* the client sees that it is not whole */
    close(fd);
}

static void wait_stream_end(err wanted) {
    for (int i = 0; i < 1500 && atomic_load(&stream_ends) == 0; i++) clock_sleep_ms(2);
    assert_int_equal(atomic_load(&stream_ends) - 1, wanted);
    atomic_store(&stream_ends, 0);
}

static void a_slow_reader_holds_the_stream_back(void **state) {
    (void)state;
    int fd = ask("GET /flood", "");
    assert_true(wire_read(fd, "\r\n\r\n", reply, REPLY_BYTES, 2000));
    for (int i = 0; i < 120; i++) { /* reads now and then: the stream goes on past write_ms_max */
        assert_true(recv(fd, reply, REPLY_BYTES, 0) > 0);
        clock_sleep_ms(5);
    }
    assert_int_equal(atomic_load(&stream_ends), 0);
    wait_stream_end(E_CANCELLED); /* then it reads no more */
    close(fd);
    fd = ask("GET /flood", "");
    assert_true(wire_read(fd, "\r\n\r\n", reply, REPLY_BYTES, 2000));
    close(fd); /* one that leaves is noticed at once */
    wait_stream_end(E_CANCELLED);
}

static void a_wake_runs_it_again(void **state) {
    (void)state;
    atomic_store(&open_gate, 0);
    int before = atomic_load(&runs);
    int fd = ask("POST /wait/7", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n");
    wait_until_parked(1);
    assert_int_equal(http_wake(server, STR("/wait/8")), 0);
    assert_int_equal(http_wake(server, STR("/wait/7")), 1); /* too early: it parks again */
    for (int i = 0; i < 1500 && atomic_load(&runs) < before + 2; i++) clock_sleep_ms(2);
    wait_until_parked(1);
    atomic_store(&open_gate, 1);
    assert_int_equal(http_wake(server, STR("/wait/7")), 1);
    assert_true(
        wire_read(fd, "wakes 2 timed_out 0 stopping 0 body abc;", reply, REPLY_BYTES, 2000));
    const char *header = strstr(reply, "X-Each-Run: once\r\n");
    assert_non_null(header);
    assert_null(strstr(header + 1, "X-Each-Run")); /* not one for each run that parked */
    int woken = 1; /* the loop forgets the park a moment after the answer left */
    for (int i = 0; i < 1500 && woken; i++, clock_sleep_ms(2))
        woken = http_wake(server, STR("/wait/7"));
    assert_int_equal(woken, 0);
    close(fd);
}

static void the_deadline_runs_it_again(void **state) {
    (void)state;
    atomic_store(&open_gate, 0);
    int64_t start_ms = now_ms();
    int fd = ask("GET /short", "");
    assert_true(wire_read(fd, "wakes 1 timed_out 1 ", reply, REPLY_BYTES, 2000));
    assert_true(now_ms() - start_ms >= 149);
    close(fd);
}

static void one_that_leaves_is_dropped(void **state) {
    (void)state;
    int before = atomic_load(&runs);
    int fd = ask("GET /wait/left", "");
    wait_until_parked(1);
    close(fd);
    wait_until_parked(0);
    assert_int_equal(http_wake(server, STR("/wait/left")), 0);
    assert_int_equal(atomic_load(&runs), before + 1);
}

static void many_wait_without_workers(void **state) {
    (void)state;
    int fds[WAITERS];
    atomic_store(&open_gate, 0);
    for (int i = 0; i < WAITERS; i++) {
        fds[i] = ask("GET /wait/all", "");
        if (i % 4 == 3) wait_until_parked(i + 1); /* the queue holds eight */
    }
    int other = ask("GET /numbers", ""); /* both workers are free */
    assert_true(wire_read(other, "\r\n0\r\n\r\n", reply, REPLY_BYTES, 2000));
    close(other);
    atomic_store(&open_gate, 1);
    assert_int_equal(http_wake(server, STR("/wait/all")), WAITERS); /* far more than the queue */
    for (int i = 0; i < WAITERS; i++) {
        assert_true(wire_read(fds[i], "wakes 1 timed_out 0", reply, REPLY_BYTES, 3000));
        close(fds[i]);
    }
}

static void a_stream_may_wait_too(void **state) {
    (void)state;
    int fd = ask("GET /parked-stream", "");
    for (int i = 0; i < 2; i++) {
        wait_until_parked(1);
        int before = atomic_load(&runs);
        assert_int_equal(http_wake(server, STR("/parked-stream")), 1);
        for (int k = 0; k < 1500 && atomic_load(&runs) == before; k++) clock_sleep_ms(2);
    }
    assert_true(wire_read(fd, "\r\n0\r\n\r\n", reply, REPLY_BYTES, 2000));
    assert_non_null(strstr(reply, "[run 0]"));
    assert_non_null(strstr(reply, "[run 2]"));
    close(fd);
}

/* Wakes that hit every moment between http_park and the loop's resting of the connection. */
static atomic_int hammer_on;
static void hammer_run(void *arg) {
    (void)arg;
    while (atomic_load(&hammer_on)) http_wake(server, STR("/wait/race"));
}

static void no_wake_is_lost(void **state) {
    (void)state;
    fail f;
    thread hammer = {0};
    atomic_store(&hammer_on, 1);
    atomic_store(&open_gate, 0);
    assert_ok(thread_start(&hammer, "hammer", hammer_run, NULL, &f), &f);
    for (int i = 0; i < 30; i++) {
        int fd = ask("GET /wait/race", "");
        clock_sleep_ms(1);
        atomic_store(&open_gate, 1);
        assert_true(wire_read(fd, "timed_out 0 stopping 0", reply, REPLY_BYTES, 2000));
        atomic_store(&open_gate, 0);
        close(fd);
    }
    atomic_store(&hammer_on, 0);
    thread_join(&hammer);
}

static void stopping_asks_the_parked_once_more(void **state) {
    (void)state;
    http_server *first = server;
    int first_port = port;
    atomic_store(&open_gate, 0);
    void *none = NULL;
    assert_int_equal(setup(&none), 0);
    int fd = ask("GET /wait/stop", "");
    wait_until_parked(1);
    http_server_close(server, 2000);
    server = first;
    port = first_port;
    assert_true(wire_read(fd, "stopping 1", reply, REPLY_BYTES, 2000));
    close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_events),
        cmocka_unit_test(a_slow_reader_holds_the_stream_back),
        cmocka_unit_test(a_wake_runs_it_again),
        cmocka_unit_test(the_deadline_runs_it_again),
        cmocka_unit_test(one_that_leaves_is_dropped),
        cmocka_unit_test(many_wait_without_workers),
        cmocka_unit_test(a_stream_may_wait_too),
        cmocka_unit_test(no_wake_is_lost),
        cmocka_unit_test(stopping_asks_the_parked_once_more),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
