/* Tests of net/http_client.c and http_retry.c, against our own server. */
#include "http_test.h"

#include "net/http_client.h"

#include <stdatomic.h>

static http_server *server;
static int port;
static char base[64];
static atomic_int asked; /* requests so far */

static void respond(http_reply *rp, int status, const char *text) {
    (void)!http_send(rp, status, "Text/Plain; charset=utf-8", str_from(text), NULL);
}

static void ranged(http_request *rq, http_reply *rp) {
    static const char whole[] = "0123456789";
    int from = 0;
    str range = http_header_get(rq, "range");
    if (range.p && sscanf(range.p, "bytes=%d-", &from) == 1) {
        char text[64];
        snprintf(text, sizeof text, "bytes %d-9/10", from);
        http_reply_header(rp, "Content-Range", str_from(text));
    }
    http_reply_header(rp, "ETag", STR("\"v1\""));
    respond(rp, from ? 206 : 200, whole + from);
}

static void handler(void *ctx, http_request *rq, http_reply *rp) {
    (void)ctx;
    fail f;
    int n = atomic_fetch_add(&asked, 1) + 1;
    if (str_is(rq->path, "/echo")) {
        str key = http_header_get(rq, "authorization");
        str text = arena_printf(rq->arena, "%.*s|%.*s|%.*s", STR_ARG(rq->method), STR_ARG(key),
                                STR_ARG(rq->body));
        (void)!http_send(rp, 200, "text/plain", text, NULL);
    } else if (str_is(rq->path, "/range")) {
        ranged(rq, rp);
    } else if (str_is(rq->path, "/file")) {
        http_reply_header(rp, "Location", STR("file:///etc/passwd"));
        respond(rp, 302, "");
    } else if (str_is(rq->path, "/loop")) {
        http_reply_header(rp, "Location", STR("/loop"));
        respond(rp, 302, "");
    } else if (str_is(rq->path, "/moved")) {
        http_reply_header(rp, "Location", STR("/range"));
        respond(rp, 302, "");
    } else if (str_is(rq->path, "/third-time")) {
        if (n < 3) http_reply_header(rp, "Retry-After", STR("0"));
        respond(rp, n < 3 ? 503 : 200, n < 3 ? "busy" : "at last");
    } else if (str_is(rq->path, "/later")) {
        http_reply_header(rp, "Retry-After", STR("3600"));
        respond(rp, 429, "{\"error\":1}");
    } else if (str_is(rq->path, "/hangs")) {
        for (int i = 0; i < 600 && !http_gone(rq); i++) clock_sleep_ms(5);
    } else if (str_is(rq->path, "/half")) {
        if (http_stream_begin(rp, 200, "text/plain", &f) != E_OK) return;
        (void)!http_stream_put(rp, STR("half"), &f); /* and never ended */
    } else if (str_is(rq->path, "/endless")) {
        static char filler[8192];
        err e = http_stream_begin(rp, 200, "text/plain", &f);
        while (e == E_OK) e = http_stream_put(rp, (str){filler, sizeof filler}, &f);
    } else {
        respond(rp, 404, "nothing here");
    }
}

static int setup(void **state) {
    (void)state;
    fail f;
    http_options o = {.handler = handler, .workers = 3};
    if (http_server_open(&server, &o, &f) != E_OK) return -1;
    port = http_server_port(server);
    snprintf(base, sizeof base, "http://127.0.0.1:%d", port);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    http_server_close(server, 100);
    return 0;
}

static arena mem;
static const char *url(const char *path) {
    return arena_printf(&mem, "%s%s", base, path).p;
}
static int each_setup(void **state) {
    (void)state;
    arena_init(&mem, 0);
    atomic_store(&asked, 0);
    return 0;
}
static int each_teardown(void **state) {
    (void)state;
    arena_deinit(&mem);
    return 0;
}

static void asks_and_gets(void **state) {
    (void)state;
    fail f;
    http_answer answer;
    http_field key = {"Authorization", STR("Bearer k")};
    http_call c = {.url = url("/echo"), .body = STR("hello"), .fields = &key, .fields_n = 1};
    assert_ok(http_ask(&mem, &c, &answer, &f), &f);
    assert_int_equal(answer.status, 200);
    assert_true(str_is(answer.body, "POST|Bearer k|hello"));
    assert_true(str_is(answer.content_type, "text/plain"));
    assert_int_equal(answer.content_length, (int64_t)answer.body.n);
    assert_true(answer.wall_us > 0 && answer.retry_after_ms == -1);
    c = (http_call){.url = url("/none")};
    assert_ok(http_ask(&mem, &c, &answer, &f), &f);
    assert_int_equal(http_status_err(&c, &answer, &f), E_NOT_FOUND);
    assert_true(str_is(answer.body, "nothing here"));
    c = (http_call){.url = url("/moved")};
    assert_ok(http_ask(&mem, &c, &answer, &f), &f);
    assert_true(str_is(answer.body, "0123456789") && str_ends(answer.url, STR("/range")));
}

static void ranges(void **state) {
    (void)state;
    fail f;
    http_answer answer;
    http_call c = {.url = url("/range"), .range_from = 4, .if_range = "\"v1\""};
    assert_ok(http_ask(&mem, &c, &answer, &f), &f);
    assert_int_equal(answer.status, 206);
    assert_true(str_is(answer.body, "456789") && str_is(answer.etag, "\"v1\""));
    assert_int_equal(answer.range_total, 10);
}

static void refuses_to_send(void **state) {
    (void)state;
    fail f;
    http_answer answer;
    http_field bad = {"X-Key", STR("secret\r\nX-Evil: 1")};
    http_call c = {.url = url("/echo"), .fields = &bad, .fields_n = 1};
    assert_int_equal(http_ask(&mem, &c, &answer, &f), E_INPUT);
    assert_null(strstr(f.text, "secret"));
    bad = (http_field){"X Key", STR("v")};
    assert_int_equal(http_ask(&mem, &c, &answer, &f), E_INPUT);
    static const char *const urls[] = {"file:///etc/passwd", "ftp://h/",  "/etc/passwd", "",
                                       "http://h/a\r\nX: y", "gopher://h"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        c = (http_call){.url = urls[i]};
        assert_int_equal(http_ask(&mem, &c, &answer, &f), E_INPUT);
    }
    c = (http_call){.url = url("/file")};
    assert_int_not_equal(http_ask(&mem, &c, &answer, &f), E_OK);
    c = (http_call){.url = url("/loop"), .redirects_max = 3};
    assert_int_equal(http_ask(&mem, &c, &answer, &f), E_NETWORK);
    assert_true(atomic_load(&asked) <= 6);
    http_field key = {"x-api-key", STR("k")}; /* a key goes to no other place */
    c = (http_call){.url = url("/moved"), .fields = &key, .fields_n = 1};
    assert_ok(http_ask(&mem, &c, &answer, &f), &f);
    assert_int_equal(answer.status, 302);
}

static bool count_bytes(void *ctx, str bytes) {
    *(size_t *)ctx += bytes.n;
    return *(size_t *)ctx < 100000;
}

static void limits_and_ends(void **state) {
    (void)state;
    fail f;
    http_answer answer;
    http_call c = {.url = url("/endless"), .body_bytes_max = 50000};
    assert_int_equal(http_ask(&mem, &c, &answer, &f), E_TOO_LARGE);
    size_t bytes = 0;
    c = (http_call){.url = url("/endless"), .sink = count_bytes, .ctx = &bytes};
    assert_int_equal(http_ask(&mem, &c, &answer, &f), E_CANCELLED);
    assert_true(bytes >= 100000);
    c = (http_call){.url = url("/half")};
    assert_int_equal(http_ask(&mem, &c, &answer, &f), E_NETWORK); /* never a half answer as whole */
    c = (http_call){.url = url("/hangs"), .total_ms_max = 100};
    assert_int_equal(http_ask(&mem, &c, &answer, &f), E_TIMEOUT);
    c = (http_call){.url = url("/hangs"), .stall_ms_max = 100};
    assert_int_equal(http_ask(&mem, &c, &answer, &f), E_TIMEOUT);
    c = (http_call){.url = "http://me:hunter2@127.0.0.1:1/p?token=t0ken"};
    assert_int_equal(http_ask(&mem, &c, &answer, &f), E_NETWORK);
    assert_null(strstr(f.text, "hunter2"));
    assert_null(strstr(f.text, "t0ken"));
    assert_non_null(strstr(f.text, "http://127.0.0.1:1/p"));
    assert_true(f.hint[0]);
}

static void tries_again(void **state) {
    (void)state;
    fail f;
    http_answer answer;
    http_retry r = {.tries_max = 5, .base_ms = 1};
    http_call c = {.url = url("/third-time")};
    assert_ok(http_ask_retry(&mem, &c, &r, &answer, &f), &f);
    assert_int_equal(r.tries, 3);
    assert_true(str_is(answer.body, "at last"));
    r = (http_retry){.tries_max = 5, .base_ms = 1};
    c = (http_call){.url = url("/later")};
    assert_ok(http_ask_retry(&mem, &c, &r, &answer, &f), &f);
    assert_int_equal(r.tries, 1); /* an hour is longer than we wait */
    assert_int_equal(answer.retry_after_ms, 3600 * 1000);
    assert_int_equal(http_status_err(&c, &answer, &f), E_BUSY);
    c = (http_call){.url = url("/none")};
    assert_ok(http_ask_retry(&mem, &c, &r, &answer, &f), &f);
    assert_int_equal(r.tries, 1);
    r = (http_retry){.tries_max = 2, .base_ms = 1};
    c = (http_call){.url = "http://127.0.0.1:1/"};
    assert_int_equal(http_ask_retry(&mem, &c, &r, &answer, &f), E_NETWORK);
    assert_int_equal(r.tries, 2);
    /* a sink that has taken half an answer gets no other; one that has taken nothing does */
    size_t bytes = 0;
    atomic_store(&asked, 0);
    r = (http_retry){.tries_max = 5, .base_ms = 1};
    c = (http_call){.url = url("/half"), .sink = count_bytes, .ctx = &bytes};
    assert_int_equal(http_ask_retry(&mem, &c, &r, &answer, &f), E_NETWORK);
    assert_true(r.tries == 1 && bytes == 4);
    bytes = 0;
    atomic_store(&asked, 0);
    c.url = url("/third-time");
    assert_ok(http_ask_retry(&mem, &c, &r, &answer, &f), &f);
    assert_true(r.tries == 3 && bytes == strlen("at last"));
    r = (http_retry){.tries_max = 50, .base_ms = 20, .total_ms_max = 150};
    c = (http_call){.url = url("/hangs"), .total_ms_max = 60};
    int64_t start_ns = clock_mono_ns();
    assert_int_equal(http_ask_retry(&mem, &c, &r, &answer, &f), E_TIMEOUT);
    assert_true((clock_mono_ns() - start_ns) / 1000000 < 600);
}

static void waits_are_bounded(void **state) {
    (void)state;
    http_retry r = {.tries_max = 8, .base_ms = 100, .wait_ms_max = 1000};
    for (uint64_t seed = 0; seed < 200; seed++) {
        for (int n = 1; n < 8; n++) {
            int64_t wait = http_retry_wait_ms(&r, n, -1, seed), most = 100 << (n - 1);
            assert_true(wait >= 0 && wait <= (most < 1000 ? most : 1000));
        }
        assert_int_equal(http_retry_wait_ms(&r, 8, -1, seed), -1);
        assert_true(http_retry_wait_ms(&r, 1, 500, seed) >= 500);
        assert_int_equal(http_retry_wait_ms(&r, 1, 1500, seed), -1);
    }
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, each_setup, each_teardown)
    const struct CMUnitTest tests[] = {
        T(asks_and_gets),   T(ranges),      T(refuses_to_send),
        T(limits_and_ends), T(tries_again), T(waits_are_bounded),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
