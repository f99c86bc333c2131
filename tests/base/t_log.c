/* t_log.c - tests base/log.c: lines as text and as JSON, read back from stderr. */
#include "test.h"

#include "base/log.h"
#include "text/json.h"

#include <unistd.h>

static char line[65536];

/* What one call wrote to stderr. */
#define CAPTURE(call)                                        \
    do {                                                     \
        int pipes_[2], saved_ = dup(STDERR_FILENO);          \
        assert_int_equal(pipe(pipes_), 0);                   \
        dup2(pipes_[1], STDERR_FILENO);                      \
        call;                                                \
        dup2(saved_, STDERR_FILENO);                         \
        close(saved_), close(pipes_[1]);                     \
        ssize_t n_ = read(pipes_[0], line, sizeof line - 1); \
        line[n_ > 0 ? n_ : 0] = 0;                           \
        close(pipes_[0]);                                    \
    } while (0)

static arena mem;
static const json *parsed(void) {
    const json *v;
    fail f = {0};
    size_t n = strlen(line);
    assert_true(n > 0 && line[n - 1] == '\n' && strchr(line, '\n') == line + n - 1);
    assert_ok(json_parse(&mem, (str){line, n - 1}, &v, &f), &f);
    return v;
}
static const char *member(const json *v, const char *key) {
    const json *x = json_get(v, key);
    return x && x->kind == JSON_STRING ? arena_z(&mem, x->string) : "";
}

static const log_field fields[] = {{"route", STR("/v1/x"), 0},
                                   {"empty", STR(""), 0},
                                   {"status", STR_NONE, 200},
                                   {"ms", STR_NONE, 1.25}};

static void as_text(void **state) {
    (void)state;
    log_set_form(LOG_AS_TEXT);
    log_set_request("req_1", "abc");
    CAPTURE(log_warn("room", "say %d", 7));
    assert_non_null(strstr(line, "Z warn room: say 7\n"));
    CAPTURE(log_write_fields(LOG_INFO, "api", "said", fields, 4));
    assert_non_null(strstr(line, " info api: said route=/v1/x status=200 ms=1.25\n"));
    CAPTURE(log_debug("room", "not wanted"));
    assert_string_equal(line, "");
}

static void as_json(void **state) {
    (void)state;
    log_set_form(LOG_AS_JSON);
    log_set_request("req_1", "abc");
    CAPTURE(log_error(
        "room", "a \"quoted\"\n\\line \x01 \xc3\xa9 \xff \xe2\x82 \xed\xa0\x80 \xf4\x90\x80\x80"));
    const json *v = parsed();
    assert_string_equal(member(v, "level"), "error");
    assert_string_equal(member(v, "message"),
                        "a \"quoted\"\n\\line \x01 \xc3\xa9 \xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd "
                        "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd "
                        "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    assert_string_equal(member(v, "request_id"), "req_1");
    assert_string_equal(member(v, "trace_id"), "abc");
    assert_int_equal(strlen(member(v, "time")), 24);
    log_set_request(NULL, NULL);
    CAPTURE(log_write_fields(LOG_INFO, "api", "said", fields, 4));
    v = parsed();
    assert_null(json_get(v, "request_id"));
    assert_null(json_get(v, "empty"));
    assert_int_equal(json_get(v, "status")->integer, 200);
    assert_true(json_get(v, "ms")->number == 1.25);
}

/* However long its parts, a line is one whole object. */
static void long_lines(void **state) {
    (void)state;
    static char text[3 * LOG_VALUE_BYTES];
    log_field many[LOG_FIELDS_MAX];
    log_set_form(LOG_AS_JSON);
    for (int c = 0; c < 3; c++) {
        memset(text, "\x01z\xff"[c], sizeof text - 1);
        for (int i = 0; i < LOG_FIELDS_MAX; i++) many[i] = (log_field){"x", str_from(text), 0};
        CAPTURE(log_write_fields(LOG_INFO, "api", text, many, LOG_FIELDS_MAX));
        assert_string_equal(member(parsed(), "level"), "info");
    }
}

static void masks(void **state) {
    (void)state;
    char out[64];
    assert_string_equal(log_mask(STR("my  secret question"), out), "3 words, 19 bytes");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_text), cmocka_unit_test(as_json),
                                       cmocka_unit_test(long_lines), cmocka_unit_test(masks)};
    arena_init(&mem, 0);
    int bad = cmocka_run_group_tests(tests, NULL, NULL);
    arena_deinit(&mem);
    return bad;
}
