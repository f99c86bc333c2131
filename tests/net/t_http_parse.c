/* Tests of net/http_parse.c: what is a request, what is refused, and that it does not matter in
 * which pieces the bytes come. */
#include "test.h"

#include "net/http_parse.h"

static const http_limits limits = {256, 1024, 64, NULL, 0};

typedef struct parsed {
    arena arena;
    http_request rq;
    http_parse parse;
} parsed;

static void parsed_init(parsed *p) {
    *p = (parsed){0};
    arena_init(&p->arena, 0);
    http_parse_init(&p->parse, &limits, &p->arena, &p->rq);
}
static void parsed_deinit(parsed *p) {
    http_parse_deinit(&p->parse);
    arena_deinit(&p->arena);
}

/* Feeds text in pieces of `step` bytes; *left gets what stands behind the request. */
static http_parse_state feed(parsed *p, const char *text, size_t n, size_t step, str *left) {
    size_t at = 0, given = 0, used;
    http_parse_state state = HTTP_PARSE_MORE;
    while (given < n && (state == HTTP_PARSE_MORE || state == HTTP_PARSE_CONTINUE)) {
        given = given + step < n ? given + step : n;
        state = http_parse_feed(&p->parse, (str){text + at, given - at}, &used);
        at += used;
    }
    *left = (str){text + at, n - at};
    return state;
}

static void reads_a_request_in_any_pieces(void **state) {
    (void)state;
    static const char text[] = "\r\nPOST /a%20b/c?x=1&y=%2B HTTP/1.1\r\nHost: localhost:80\r\n"
                               "Content-Length: 5\r\nX-A:  padded \t\r\n\r\nhelloGET /next";
    for (size_t step = 1; step < sizeof text; step++) {
        parsed p;
        str left;
        parsed_init(&p);
        assert_int_equal(feed(&p, text, sizeof text - 1, step, &left), HTTP_PARSE_WHOLE);
        assert_true(str_is(p.rq.method, "POST"));
        assert_true(str_is(p.rq.path, "/a b/c"));
        assert_true(
            str_is(http_query(&(http_request){.query = p.rq.query, .arena = &p.arena}, "y"), "+"));
        assert_true(str_is(p.rq.body, "hello"));
        assert_true(str_is(http_header_get(&p.rq, "x-a"), "padded"));
        assert_true(str_is(left, "GET /next"));
        assert_true(p.parse.keep_alive);
        parsed_deinit(&p);
    }
}

static void takes_chunks_apart(void **state) {
    (void)state;
    static const char text[] = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\nGET / HTTP/1.1";
    for (size_t step = 1; step < sizeof text; step++) {
        parsed p;
        str left;
        parsed_init(&p);
        assert_int_equal(feed(&p, text, sizeof text - 1, step, &left), HTTP_PARSE_WHOLE);
        assert_true(str_is(p.rq.body, "abcde"));
        assert_int_equal(p.rq.headers_n, 2);
        assert_true(str_is(left, "GET / HTTP/1.1"));
        parsed_deinit(&p);
    }
}

#define H "Host: h\r\n"
typedef struct refusal {
    const char *text;
    int status;
} refusal;

static const refusal refusals[] = {
    /* smuggling: two ways to say where a request ends */
    {"POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 3\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 4\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 3, 3\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: +3\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: -3\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 0x3\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 99999999999999999999999\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Content-Length : 3\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, identity\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding : chunked\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding:\x0b"
     "chunked\r\n\r\n",
     400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
     400},
    {"POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "X: a\r\n Content-Length: 3\r\n\r\n", 400},
    {"GET / HTTP/1.1\n" H "\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "X: a\rb\r\n\r\n", 400},
    /* bad chunks */
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n-1\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\n0\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n3\r\nabcX0\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n 3\r\nabc\r\n0\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n3;a\nabc\r\n0\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", 400},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\n\r\n", 400},
    /* hosts */
    {"GET / HTTP/1.1\r\nX: y\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H H "\r\n", 400},
    {"GET http://other/ HTTP/1.1\r\n" H "\r\n", 400},
    /* lines */
    {"GET /\r\n\r\n", 400},
    {"GET  / HTTP/1.1\r\n" H "\r\n", 400},
    {"GET / HTTP/1.1 \r\n" H "\r\n", 505},
    {"GET / HTTP/2.0\r\n" H "\r\n", 505},
    {"GET / HTP/1.1\r\n" H "\r\n", 400},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
    {"CONNECT h:80 HTTP/1.1\r\n" H "\r\n", 501},
    {"TRACE / HTTP/1.1\r\n" H "\r\n", 501},
    {"get / HTTP/1.1\r\n" H "\r\n", 501},
    {"GET * HTTP/1.1\r\n" H "\r\n", 400},
    {"GET ?q=1 HTTP/1.1\r\n" H "\r\n", 400},
    {"GET x HTTP/1.1\r\n" H "\r\n", 400},
    {"GET /%zz HTTP/1.1\r\n" H "\r\n", 400},
    {"GET /%00 HTTP/1.1\r\n" H "\r\n", 400},
    {"GET /\xc3\xa4 HTTP/1.1\r\n" H "\r\n", 400},
    {"GET / HTTP/1.1\r\n" H ": y\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "noname\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "a b: y\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" H "Expect: tea\r\n\r\n", 417},
    {"\x16\x03\x01\x02", 400},
    {"{\"json\":1}", 400},
    /* limits */
    {"POST / HTTP/1.1\r\n" H "Content-Length: 65\r\n\r\n", 413},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n41\r\n"
     "12345678901234567890123456789012345678901234567890123456789012345\r\n0\r\n\r\n",
     413},
};

static void refuses_by_table(void **state) {
    (void)state;
    int bad = 0;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const refusal *r = &refusals[i];
        for (size_t step = 1; step < 600; step += 599 / 3) {
            parsed p;
            str left;
            parsed_init(&p);
            http_parse_state got = feed(&p, r->text, strlen(r->text), step, &left);
            if (got != HTTP_PARSE_BAD || p.parse.bad_status != r->status) {
                print_message("state %d status %d, wanted %d, step %zu: %s\n", (int)got,
                              p.parse.bad_status, r->status, step, r->text);
                bad++;
            }
            parsed_deinit(&p);
        }
    }
    assert_int_equal(bad, 0);
}

static void limits_hold(void **state) {
    (void)state;
    char text[4096];
    parsed p;
    str left;
    int n = snprintf(text, sizeof text, "GET /%0400d", 7); /* no line end: refused all the same */
    parsed_init(&p);
    assert_int_equal(feed(&p, text, (size_t)n, 50, &left), HTTP_PARSE_BAD);
    assert_int_equal(p.parse.bad_status, 414);
    parsed_deinit(&p);
    n = snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: h\r\nX: %01200d", 7);
    parsed_init(&p);
    assert_int_equal(feed(&p, text, (size_t)n, 50, &left), HTTP_PARSE_BAD);
    assert_int_equal(p.parse.bad_status, 431);
    parsed_deinit(&p);
    n = snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: h\r\n");
    for (int i = 0; i < 101; i++) n += snprintf(text + n, sizeof text - (size_t)n, "A:b\r\n");
    parsed_init(&p);
    assert_int_equal(feed(&p, text, (size_t)n, 50, &left), HTTP_PARSE_BAD);
    assert_int_equal(p.parse.bad_status, 431);
    parsed_deinit(&p);
}

static void small_things(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool keep_alive;
    } good[] = {
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", false},
        {"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", true},
        {"GET http://h/x?y HTTP/1.1\r\nHost: H\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n", true},
        {"HEAD /a#b HTTP/1.1\r\nHost: h\r\nX: \xc3\xa4\r\n\r\n", true},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", true},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        parsed p;
        str left;
        parsed_init(&p);
        http_parse_state got = feed(&p, good[i].text, strlen(good[i].text), 7, &left);
        if (got != HTTP_PARSE_WHOLE) print_message("%d %s\n", (int)i, p.parse.bad_text);
        assert_int_equal(got, HTTP_PARSE_WHOLE);
        assert_int_equal(p.parse.keep_alive, good[i].keep_alive);
        parsed_deinit(&p);
    }
    parsed p;
    size_t used;
    parsed_init(&p);
    str head =
        STR("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    assert_int_equal(http_parse_feed(&p.parse, head, &used), HTTP_PARSE_CONTINUE);
    assert_int_equal(used, head.n);
    assert_int_equal(http_parse_feed(&p.parse, STR("ok"), &used), HTTP_PARSE_WHOLE);
    parsed_deinit(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_request_in_any_pieces),
        cmocka_unit_test(takes_chunks_apart),
        cmocka_unit_test(refuses_by_table),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(small_things),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
