/* t_http_form.c - tests net/http_form.c. Forms as curl and Python's requests send them, and what
 * two programs could read differently. */
#include "test_arena.h"

#include "net/http_form.h"

static fail f;
static http_part *parts;
static size_t n;

static err form(const char *type, const char *body) {
    return http_form_read(&a, str_from(type), str_from(body), &parts, &n, &f);
}

static void reads_what_clients_send(void **state) {
    (void)state;
    /* curl 7.88 -F purpose=batch -F 'file=@a"b.txt' */
    assert_ok(form("multipart/form-data; boundary=------------------------5e63e0a7d1b4c1f2",
                   "--------------------------5e63e0a7d1b4c1f2\r\n"
                   "Content-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n"
                   "--------------------------5e63e0a7d1b4c1f2\r\n"
                   "Content-Disposition: form-data; name=\"file\"; filename=\"a\\\"b.txt\"\r\n"
                   "Content-Type: text/plain\r\n\r\n\r\n-- not the end\r\n\r\n"
                   "--------------------------5e63e0a7d1b4c1f2--\r\n"),
              &f);
    assert_int_equal(n, 2);
    assert_true(str_is(http_form_get(parts, n, "purpose")->body, "batch"));
    assert_null(http_form_get(parts, n, "purpose")->filename.p);
    const http_part *file = http_form_get(parts, n, "file");
    assert_true(str_is(file->filename, "a\"b.txt"));
    assert_true(str_is(file->type, "text/plain"));
    assert_true(str_is(file->body, "\r\n-- not the end\r\n"));
    assert_null(http_form_get(parts, n, "other"));
    /* Python's requests: no Content-Type on plain fields, no line end at the end */
    assert_ok(form("Multipart/Form-Data; charset=utf-8; Boundary=\"b c\"",
                   "--b c\r\ncontent-disposition:form-data;name=x\r\n\r\n\r\n--b c--"),
              &f);
    assert_true(n == 1 && parts[0].body.n == 0);
    assert_ok(form("multipart/form-data; boundary=b", "--b--"), &f);
    assert_int_equal(n, 0);
}

#define D "Content-Disposition: form-data; name=\"x\"\r\n"

static void refuses_what_is_wrong(void **state) {
    (void)state;
    static const struct {
        const char *type, *body;
        err e;
    } rows[] = {
        {"application/json", "{}", E_INPUT},
        {"multipart/mixed; boundary=b", "--b--", E_INPUT},
        {"multipart/form-data", "--b--", E_INPUT},
        {"multipart/form-data; boundary=", "--b--", E_INPUT},
        {"multipart/form-data; boundary=\"b", "--b--", E_INPUT},
        {"multipart/form-data; boundary=b\tc", "--b\tc--", E_INPUT},
        {"multipart/form-data; boundary=b", "", E_INPUT},
        {"multipart/form-data; boundary=b", "preamble\r\n--b--", E_INPUT},
        {"multipart/form-data; boundary=b", "--b\n" D "\r\n\r\n--b--", E_INPUT},
        {"multipart/form-data; boundary=b", "--b\r\n" D "\r\nx", E_INPUT},
        {"multipart/form-data; boundary=b", "--b\r\n" D "\r\nx\n--b--", E_INPUT},
        {"multipart/form-data; boundary=b", "--b\r\n" D, E_INPUT},
        {"multipart/form-data; boundary=b", "--b\r\n\r\n\r\nx\r\n--b--", E_INPUT},
        {"multipart/form-data; boundary=b", "--b\r\nX: y\r\n\r\nx\r\n--b--", E_INPUT},
        {"multipart/form-data; boundary=b", "--b\r\nnothing\r\n\r\nx\r\n--b--", E_INPUT},
        {"multipart/form-data; boundary=b", "--b\r\n" D D "\r\nx\r\n--b--", E_INPUT},
        {"multipart/form-data; boundary=b",
         "--b\r\nContent-Disposition: attachment; name=x\r\n\r\nx\r\n--b--", E_INPUT},
        {"multipart/form-data; boundary=b",
         "--b\r\nContent-Disposition: form-data; filename=x\r\n\r\nx\r\n--b--", E_INPUT},
        {"multipart/form-data; boundary=b",
         "--b\r\n" D "Content-Transfer-Encoding: base64\r\n\r\nx\r\n--b--", E_UNSUPPORTED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        err e = form(rows[i].type, rows[i].body);
        if (e != rows[i].e) fail_msg("row %zu -> %d", i, (int)e);
    }
}

static void has_limits(void **state) {
    (void)state;
    str body = STR("--b");
    for (int i = 0; i <= HTTP_PARTS_MAX; i++)
        body = arena_printf(&a, "%.*s\r\n" D "\r\n%d\r\n--b", STR_ARG(body), i);
    body = arena_printf(&a, "%.*s--", STR_ARG(body));
    assert_int_equal(form("multipart/form-data; boundary=b", body.p), E_TOO_LARGE);
    char *head = arena_alloc(&a, HTTP_PART_HEAD_BYTES_MAX + 1);
    memset(head, 'x', HTTP_PART_HEAD_BYTES_MAX);
    body = arena_printf(&a, "--b\r\n" D "X: %s\r\n\r\n\r\n--b--", head);
    assert_int_equal(form("multipart/form-data; boundary=b", body.p), E_INPUT);
}

int main(void) {
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(reads_what_clients_send),
        T(refuses_what_is_wrong),
        T(has_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
