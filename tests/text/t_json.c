/* t_json.c - tests text/json.c: what is accepted, what is refused, and that writing reads back. */
#include "text/json.h"
#include "test.h"

static err parse(const char *z, const json **v) {
    static arena a;
    static fail f;
    arena_deinit(&a);
    arena_init(&a, 0);
    return json_parse(&a, str_from(z), v, &f);
}

static void accepts(void **state) {
    (void)state;
    const json *v;
    assert_int_equal(
        parse(" {\"a\":[1,-2.5e3,true,null,\"\\u00e9\\ud83d\\ude00\\n\"],\"a2\":{}} ", &v), E_OK);
    const json *a = json_get(v, "a");
    assert_int_equal(a->count, 5);
    assert_true(json_at(a, 0)->is_int);
    assert_true(json_at(a, 1)->number < -2499);
    assert_true(str_is(json_at(a, 4)->string, "\xc3\xa9\xf0\x9f\x98\x80\n"));
    assert_int_equal(parse("{\"k\":1,\"k\":2}", &v), E_OK);
    assert_int_equal(json_get(v, "k")->integer, 2);
}

static void refuses(void **state) {
    (void)state;
    static const char *const rows[] = {
        "",
        "{",
        "[1,]",
        "{\"a\":1,}",
        "01",
        "1.",
        "1e",
        "-",
        "+1",
        "nan",
        "'a'",
        "\"a",
        "\"\\x\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\x01\"",
        "\"\xff\"",
        "\"\xc0\xaf\"",
        "\"\xed\xa0\x80\"",
        "[1] 2",
        "{1:2}",
        "{\"a\" 1}",
        "1e999",
        "tru",
        "[",
        "]",
        "{\"a\":}",
    };
    const json *v;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (parse(rows[i], &v) != E_INPUT) fail_msg("accepted or crashed: %s", rows[i]);
}

static void bounds_depth(void **state) {
    (void)state;
    char text[1000];
    const json *v;
    memset(text, '[', sizeof text);
    text[sizeof text - 1] = 0;
    assert_int_equal(parse(text, &v), E_INPUT);
}

static void truncated_everywhere(void **state) {
    (void)state;
    static const char whole[] =
        "{\"a\":[1,-2.5e3,true,null,\"\\u00e9\\ud83d\\ude00\\n\"],\"b\":{\"c\":\"d\"}}";
    const json *v;
    for (size_t n = 0; n + 1 < sizeof whole; n++) {
        char *copy = malloc(n ? n : 1);
        fail f;
        arena a;
        arena_init(&a, 0);
        memcpy(copy, whole, n);
        assert_int_equal(json_parse(&a, (str){copy, n}, &v, &f), E_INPUT);
        arena_deinit(&a);
        free(copy);
    }
}

static void reads_typed(void **state) {
    (void)state;
    const json *v;
    fail f;
    int64_t i;
    str s;
    bool b;
    assert_int_equal(parse("{\"i\":3.0,\"s\":\"x\",\"b\":true,\"n\":null,\"big\":1e30}", &v), E_OK);
    assert_ok(json_get_int(v, "i", 0, 0, 10, &i, &f), &f);
    assert_int_equal(i, 3);
    assert_int_equal(json_get_int(v, "i", 0, 4, 10, &i, &f), E_INPUT);
    assert_int_equal(json_get_int(v, "big", 0, 0, 10, &i, &f), E_INPUT);
    assert_int_equal(json_get_int(v, "s", 0, 0, 10, &i, &f), E_INPUT);
    assert_ok(json_get_str(v, "n", STR("d"), &s, &f), &f);
    assert_true(str_is(s, "d"));
    assert_ok(json_get_bool(v, "b", false, &b, &f), &f);
    assert_true(b);
}

static void writes_back(void **state) {
    (void)state;
    static const char text[] =
        "{\"a\":[1,0.1,\"q\\\"\\u0001\"],\"b\":{\"c\":null,\"d\":true},\"e\":[],\"f\":{}}";
    const json *v;
    buf b = {0};
    json_writer w = {.out = &b};
    assert_int_equal(parse(text, &v), E_OK);
    json_put_value(&w, v);
    assert_string_equal(buf_z(&b), text);
    buf_reset(&b);
    w = (json_writer){.out = &b};
    json_begin_array(&w);
    json_put_double(&w, 0.1);
    json_put_double(&w, 1.0 / 3);
    json_put_double(&w, 1e300 * 1e300);
    json_put_str(&w, STR("\xff"));
    json_end_array(&w);
    assert_string_equal(buf_z(&b), "[0.1,0.3333333333333333,null,\"\xef\xbf\xbd\"]");
    buf_deinit(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts),      cmocka_unit_test(refuses),
        cmocka_unit_test(bounds_depth), cmocka_unit_test(truncated_everywhere),
        cmocka_unit_test(reads_typed),  cmocka_unit_test(writes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
