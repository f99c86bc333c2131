/* Tests of app/serve_option.c: the table keeps its own rules, and values are read as they are
 * written by people. */
#include "test.h"

#include "app/serve_option.h"

static void rows_are_sound(void **state) {
    (void)state;
    char wanted[SERVE_WANTED_BYTES], name[SERVE_ENV_BYTES], other[SERVE_ENV_BYTES];
    size_t n;
    const cli_option *rows = serve_option_rows(&n);
    assert_true(n <= serve_option_count() && serve_option_at(serve_option_count()) == NULL);
    for (size_t i = 0; i < n; i++) assert_string_not_equal(rows[i].name, "key");
    for (size_t i = 0; i < serve_option_count(); i++) {
        const serve_option *o = serve_option_at(i);
        assert_true(o->help && (o->fallback || o->usual));
        assert_true((o->kind == SERVE_FLAG) == (o->value == NULL));
        if (o->fallback) assert_true(serve_option_takes(o, str_from(o->fallback), wanted));
        assert_false(serve_option_takes(o, STR(""), wanted));
        assert_true(wanted[0]);
        serve_option_env(o, name);
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(o->name, serve_option_at(k)->name);
            assert_string_not_equal(serve_option_env(o, name),
                                    serve_option_env(serve_option_at(k), other));
        }
    }
    assert_string_equal(serve_option_env(serve_option_find("drain-notice"), name),
                        "BANTAM_SERVE_DRAIN_NOTICE");
    assert_string_equal(serve_option_env(serve_option_find("key"), name), "BANTAM_KEY");
}

static void sizes_and_times(void **state) {
    (void)state;
    int64_t v;
    assert_true(serve_bytes_of(STR("6GiB"), &v) && v == 6ll << 30);
    assert_true(serve_bytes_of(STR("1.5 gb"), &v) && v == 1500000000);
    assert_true(serve_bytes_of(STR("77"), &v) && v == 77);
    assert_true(serve_time_of(STR("5m"), &v) && v == 300000);
    assert_true(serve_time_of(STR("never"), &v) && v == 0);
    static const char *const bad[] = {"", "x", "-1", "5 miles", "1.2.3m", "m", "1e3m", "5"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(serve_time_of(str_from(bad[i]), &v));
    assert_false(serve_bytes_of(STR("1 MiBs"), &v));
}

static void kinds(void **state) {
    (void)state;
    static const struct {
        const char *name, *good, *bad;
    } rows[] = {{"port", "65535", "65536"},
                {"port", "1", "0x1"},
                {"kv", "f16", "f1"},
                {"kv", "q8", "f32|f16"},
                {"isolate-tenants", "off", "no"},
                {"require-auth", "true", "yes"},
                {"memory", "1MiB", "1000000"},
                {"alias", "a=b", "a="},
                {"alias", "a=b=c", "=b"},
                {"cors-origin", "https://a.example:8443", "https://a.example/"},
                {"cors-origin", "http://localhost", "*"}};
    char wanted[SERVE_WANTED_BYTES];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const serve_option *o = serve_option_find(rows[i].name);
        assert_true(serve_option_takes(o, str_from(rows[i].good), wanted));
        assert_false(serve_option_takes(o, str_from(rows[i].bad), wanted));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows_are_sound),
                                       cmocka_unit_test(sizes_and_times), cmocka_unit_test(kinds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
