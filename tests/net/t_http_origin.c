/* Tests of net/http_origin.c: the table of who may speak to us. */
#include "test.h"

#include "net/http_origin.h"

static const char *const hosts[] = {"desk.example", "fixed.example:444"};
static const char *const origins[] = {"https://intranet.example"};
static const http_origin_rules rules = {hosts, 2, origins, 1};

static void hosts_by_table(void **state) {
    (void)state;
    static const struct {
        const char *host;
        bool ok;
    } rows[] = {
        {"localhost:8080", true},
        {"LOCALHOST:8080", true},
        {"127.0.0.1:8080", true},
        {"[::1]:8080", true},
        {"localhost.:8080", true},
        {"localhost", true}, /* a port that is forwarded to ours is another */
        {"localhost:8081", true},
        {"evil.example:8080", false},
        {"localhost.evil.com", false},
        {"127.0.0.1.nip.io", false},
        {"127.0.0.2:8080", false},
        {"[::2]:8080", false},
        {"[::1", false},
        {"", false},
        {":8080", false},
        {"localhost:", false},
        {"localhost:+8080", false},
        {"localhost:8080x", false},
        {"desk.example", true},
        {"desk.example:9", true},
        {"Desk.Example:8080", true},
        {"fixed.example:444", true},
        {"fixed.example:443", false},
        {"a.desk.example", false},
        {"localhost:99999", false},
        {"localhost:8080:1", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (http_host_allowed(&rules, str_from(rows[i].host)) != rows[i].ok)
            fail_msg("%s should be %d", rows[i].host, rows[i].ok);
    }
    const char *any[] = {"*"};
    http_origin_rules local = {0};
    assert_true(http_host_allowed(&local, STR("localhost")));
    assert_true(http_host_allowed(&local, STR("127.0.0.1:99")));
    assert_false(http_host_allowed(&local, STR("evil.example")));
    http_origin_rules open = {.hosts = any, .hosts_n = 1};
    assert_true(http_host_allowed(&open, STR("whatever.example")));
}

static void origins_by_table(void **state) {
    (void)state;
    static const struct {
        const char *method, *host, *origin, *site;
        bool ok;
    } rows[] = {
        {"GET", "localhost:8080", NULL, NULL, true},
        {"GET", "", NULL, NULL, true},                /* HTTP/1.0 without Host */
        {"POST", "localhost:8080", NULL, NULL, true}, /* curl, the OpenAI client */
        {"POST", "localhost:8080", "http://localhost:8080", "same-origin", true},
        {"POST", "127.0.0.1:8080", "http://127.0.0.1:8080", NULL, true},
        {"POST", "localhost:9000", "http://localhost:9000", "same-origin", true}, /* forwarded */
        {"POST", "localhost:8080", "http://localhost:9000", "same-site", false},
        {"POST", "127.0.0.1:8080", "http://localhost:8080", NULL, false},
        {"GET", "localhost:8080", "http://evil.example", NULL, false},
        {"GET", "localhost:8080", "http://localhost:3000", "same-site", false},
        {"POST", "localhost:8080", "null", NULL, false},
        {"POST", "localhost:8080", "", NULL, false},
        {"POST", "localhost:8080", "http://", NULL, false},
        {"POST", "localhost:8080", "ftp://localhost:8080", NULL, false},
        {"POST", "localhost:8080", "http://localhost:8080.evil.example", NULL, false},
        {"POST", "localhost:8080", "https://intranet.example", "cross-site", true},
        {"POST", "localhost:8080", "https://intranet.example.evil", "cross-site", false},
        {"POST", "localhost:8080", NULL, "cross-site", false},
        {"DELETE", "localhost:8080", NULL, "same-site", false},
        {"POST", "localhost:8080", NULL, "none", true},
        {"GET", "localhost:8080", NULL, "cross-site", true},         /* a link in a mail */
        {"GET", "rebound.example:8080", NULL, "same-origin", false}, /* DNS rebinding */
        {"POST", "rebound.example:8080", "http://rebound.example:8080", "same-origin", false},
        {"POST", "desk.example", "https://desk.example", "same-origin", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        http_header headers[2];
        size_t n = 0;
        if (rows[i].origin) headers[n++] = (http_header){STR("Origin"), str_from(rows[i].origin)};
        if (rows[i].site)
            headers[n++] = (http_header){STR("Sec-Fetch-Site"), str_from(rows[i].site)};
        http_request rq = {.method = str_from(rows[i].method),
                           .host = str_from(rows[i].host),
                           .headers = headers,
                           .headers_n = n};
        const char *code, *why = http_origin_refusal(&rules, &rq, &code);
        if ((why == NULL) != rows[i].ok) fail_msg("row %zu: %s", i, why ? why : "allowed");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_by_table),
        cmocka_unit_test(origins_by_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
