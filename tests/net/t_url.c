/* Tests of net/url.c; the joins are RFC 3986's own examples (5.4). */
#include "test.h"

#include "net/url.h"

static void joins_like_the_rfc(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"g:h", "g:h"},
        {"g", "http://a/b/c/g"},
        {"./g", "http://a/b/c/g"},
        {"g/", "http://a/b/c/g/"},
        {"/g", "http://a/g"},
        {"//g", "http://g"},
        {"?y", "http://a/b/c/d;p?y"},
        {"g?y", "http://a/b/c/g?y"},
        {"g#s", "http://a/b/c/g#s"},
        {".", "http://a/b/c/"},
        {"..", "http://a/b/"},
        {"../g", "http://a/b/g"},
        {"../..", "http://a/"},
        {"../../g", "http://a/g"},
        {"../../../g", "http://a/g"},
        {"/./g", "http://a/g"},
        {"g;x=1/../y", "http://a/b/c/y"},
    };
    arena a;
    fail f;
    arena_init(&a, 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        str got;
        assert_ok(url_join(&a, STR("http://a/b/c/d;p?q"), str_from(rows[i][0]), &got, &f), &f);
        if (!str_is(got, rows[i][1])) fail_msg("%s -> %.*s", rows[i][0], STR_ARG(got));
    }
    str got;
    assert_ok(url_join(&a, STR("file:///opt/simple/x/"), STR("../../x.whl#sha256=1"), &got, &f),
              &f);
    assert_true(str_is(got, "file:///opt/x.whl#sha256=1"));
    assert_ok(url_join(&a, STR("http://host"), STR("x"), &got, &f), &f);
    assert_true(str_is(got, "http://host/x"));
    arena_deinit(&a);
}

static void escapes(void **state) {
    (void)state;
    arena a;
    str got;
    fail f;
    arena_init(&a, 0);
    assert_ok(url_decode(&a, STR("a%2fb+c%C3%A4"), true, &got, &f), &f);
    assert_true(str_is(got, "a/b c\xc3\xa4"));
    static const char *const bad[] = {"%", "%4", "%zz", "%00", "a%1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(url_decode(&a, str_from(bad[i]), false, &got, &f), E_INPUT);
    assert_ok(url_encode(&a, STR("a b/\xc3\xa4"), "/", &got, &f), &f);
    assert_true(str_is(got, "a%20b/%C3%A4"));
    assert_true(str_is(url_query_find(&a, STR("a=1&b=x%20y&b=2&c"), "b"), "x y"));
    assert_true(str_is(url_query_find(&a, STR("a=1&c"), "c"), ""));
    assert_null(url_query_find(&a, STR("a=1"), "z").p);
    assert_null(url_query_find(&a, STR("a=%"), "a").p);
    arena_deinit(&a);
}

static void secrets_are_cut(void **state) {
    (void)state;
    arena a;
    arena_init(&a, 0);
    assert_true(
        str_is(url_public(&a, STR("https://me:secret@host:1/p?token=x#f")), "https://host:1/p"));
    assert_true(str_is(url_public(&a, STR("https://a@b@host/")), "https://host/"));
    assert_true(str_is(url_public(&a, STR("https://host/a@b")), "https://host/a@b"));
    assert_true(str_is(url_public(&a, STR("plain")), "plain"));
    assert_true(url_has_scheme(STR("HTTPS://x"), "https"));
    assert_false(url_has_scheme(STR("/etc/passwd"), "file"));
    arena_deinit(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joins_like_the_rfc),
        cmocka_unit_test(escapes),
        cmocka_unit_test(secrets_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
