/* t_json.c - tests text/json*.c: grammar, hostile input, numbers both ways. */
#include "base/mem.h"
#include "text/json.h"
#include "test_arena.h"

#include <float.h>
#include <math.h>

static fail f;

static const json *parse(const char *text) {
    const json *v = NULL;
    assert_ok(json_parse(&a, str_from(text), &v, &f), &f);
    return v;
}

static void refuse(const char *text, const char *where) {
    const json *v = NULL;
    assert_int_equal(json_parse(&a, str_from(text), &v, &f), E_INPUT);
    assert_null(v);
    if (!strstr(f.text, where)) fail_msg("%s: \"%s\" says not %s", text, f.text, where);
}

static str written(const json *v, bool pretty) {
    static buf b;
    buf_reset(&b);
    json_writer w = {.out = &b, .pretty = pretty};
    json_put_value(&w, v);
    assert_ok(buf_ok(&b, &f), &f);
    str s = arena_str(&a, buf_str(&b));
    buf_deinit(&b);
    return s;
}

static void reads_all_kinds(void **state) {
    (void)state;
    const json *v = parse(
        " {\"a\":[1,-2.5e1,true,false,null,\"x\\n\\u00e9\\ud83d\\ude00\"],\"b\":{},\"c\":[]} ");
    assert_int_equal(v->kind, JSON_OBJECT);
    const json *list = json_get(v, "a");
    assert_int_equal(list->count, 6);
    assert_true(json_at(list, 0)->is_int && json_at(list, 0)->integer == 1);
    assert_true(!json_at(list, 1)->is_int && json_at(list, 1)->number == -25.0);
    assert_true(json_at(list, 2)->boolean && !json_at(list, 3)->boolean);
    assert_int_equal(json_at(list, 4)->kind, JSON_NULL);
    assert_true(str_is(json_at(list, 5)->string, "x\n\xC3\xA9\xF0\x9F\x98\x80"));
    assert_null(json_at(list, 6));
    assert_null(json_get(v, "nothing"));
    assert_int_equal(json_get(v, "b")->count, 0);
    assert_string_equal(json_kind_name(json_get(v, "c")->kind), "an array");
}

static void refuses_with_place(void **state) {
    (void)state;
    static const char *const bad[][2] = {
        {"", "line 1, column 1"},
        {"[1,]", "column 4"},
        {"{\"a\":1,}", "column 8"},
        {"[1 2]", "column 4"},
        {"{a:1}", "double quotes"},
        {"01", "begin with 0"},
        {"1.", "fraction"},
        {"1e", "exponent"},
        {"-", "digits"},
        {"+1", "value expected"},
        {".5", "value expected"},
        {"NaN", "value expected"},
        {"nul", "value expected"},
        {"\"\\x\"", "escape"},
        {"\"\\u12g4\"", "hexadecimal"},
        {"\"\\ud800\"", "surrogate"},
        {"\"\\udc00\"", "surrogate"},
        {"\"\\ud800\\u0041\"", "surrogate"},
        {"\"a\tb\"", "control"},
        {"\"abc", "never closed"},
        {"\"abc\\", "never closed"},
        {"\"\xff\"", "UTF-8"},
        {"\"\xed\xa0\x80\"", "UTF-8"},
        {"\"\xc0\xaf\"", "UTF-8"},
        {"1 1", "more text"},
        {"[", "ends"},
        {"{\"a\"", "\":\""},
        {"// x\n1", "value expected"},
        {"\xEF\xBB\xBF{}", "byte order mark"},
        {"1e999", "too large"},
        {"\n\n \"\xC3\xA9\" x", "line 3, column 6"},
        {"[\"\\\xC3\xA9\"]", "escape"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) refuse(bad[i][0], bad[i][1]);
}

static void bounds_depth(void **state) {
    (void)state;
    char text[2 * 100000 + 1];
    memset(text, '[', 100000);
    text[100000] = 0;
    refuse(text, "128 levels");
    memset(text, '[', 128);
    memset(text + 128, ']', 128);
    text[256] = 0;
    parse(text);
    memset(text, '[', 129);
    refuse(text, "128 levels");
}

static void keeps_the_last_of_equal_keys(void **state) {
    (void)state;
    const json *v = parse("{\"a\":1,\"b\":2,\"a\":3}");
    assert_int_equal(v->count, 2);
    assert_int_equal(json_get(v, "a")->integer, 3);
    buf b = {0};
    buf_put_char(&b, '{');
    for (int i = 0; i < 5000; i++) buf_printf(&b, "\"k%d\":%d,", i % 1000, i);
    buf_put_z(&b, "\"\":7}");
    v = parse(buf_z(&b));
    assert_int_equal(v->count, 1001);
    assert_int_equal(json_get(v, "k17")->integer, 4017);
    assert_true(str_is(v->members[0].key, "k0"));
    for (int n = 2; n < 80; n++) { /* the first key once more, behind n keys alike at both ends */
        buf_reset(&b);
        for (int i = 0; i < n; i++)
            buf_printf(&b, "%c\"a long key %03d of many\":%d", i ? ',' : '{', i % (n - 1), i);
        buf_put_char(&b, '}');
        v = parse(buf_z(&b));
        assert_int_equal(v->count, n - 1);
        assert_int_equal(json_get(v, "a long key 000 of many")->integer, n - 1);
    }
    buf_deinit(&b);
}

static void numbers(void **state) {
    (void)state;
    const json *v = parse("[9223372036854775807,-9223372036854775808,9223372036854775808,"
                          "123456789012345678901234567890,0.1,1e22,1e23,5e-324,1e-400,-0,"
                          "1.7976931348623157e308,9007199254740993,0.3e1]");
    assert_true(v->items[0].is_int && v->items[0].integer == INT64_MAX);
    assert_true(v->items[1].is_int && v->items[1].integer == INT64_MIN);
    assert_true(!v->items[2].is_int && v->items[2].number == 9223372036854775808.0);
    assert_true(!v->items[3].is_int && v->items[3].number == 123456789012345678901234567890.0);
    assert_true(v->items[4].number == 0.1 && v->items[5].number == 1e22 &&
                v->items[6].number == 1e23);
    assert_true(v->items[7].number == 5e-324 && v->items[8].number == 0);
    assert_true(v->items[9].is_int && signbit(v->items[9].number));
    assert_true(v->items[10].number == DBL_MAX);
    assert_true(v->items[11].integer == 9007199254740993 &&
                v->items[11].number == 9007199254740992.0);
    assert_true(!v->items[12].is_int && v->items[12].number == 3.0);
}

static void doubles_are_shortest(void **state) {
    (void)state;
    static const struct {
        double v;
        const char *text;
    } rows[] = {{0.1, "0.1"},
                {1.0, "1"},
                {1e22, "1e+22"},
                {5e-324, "5e-324"},
                {0.1 + 0.2, "0.30000000000000004"},
                {1.0 / 3, "0.3333333333333333"},
                {-0.0, "-0"},
                {(double)NAN, "null"},
                {(double)INFINITY, "null"},
                {123456.789, "123456.789"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        buf b = {0};
        json_writer w = {.out = &b};
        json_put_double(&w, rows[i].v);
        assert_string_equal(buf_z(&b), rows[i].text);
        buf_deinit(&b);
    }
    uint64_t bits = 1;
    for (int i = 0; i < 20000; i++) {
        bits = bits * 6364136223846793005u + 1442695040888963407u;
        double d;
        memcpy(&d, &bits, sizeof d);
        if (!isfinite(d)) continue;
        buf b = {0};
        json_writer w = {.out = &b};
        json_put_double(&w, d);
        const json *v = parse(buf_z(&b));
        assert_true(v->number == d);
        buf_deinit(&b);
        if (i % 1000 == 0) arena_reset(&a);
    }
}

static uint64_t drawn = 1;
static uint64_t draw(void) {
    drawn ^= drawn << 13;
    drawn ^= drawn >> 7;
    return drawn ^= drawn << 17;
}

/* Reading against strtod, writing against the least %.15g to %.17g that reads back. */
static void numbers_as_the_c_library_has_them(void **state) {
    (void)state;
    for (int i = 0; i < 40000; i++) {
        char text[64], shortest[64];
        snprintf(text, sizeof text, "%llue%d", (unsigned long long)(draw() >> (draw() & 63)),
                 (int)(draw() % 70) - 35);
        double v = strtod(text, NULL);
        assert_true(parse(text)->number == v);
        if (i % 4 == 0) v = (double)(int64_t)draw() / 9.3e18;
        if (i % 4 == 1) v = (double)(draw() % 1000000) / 100;
        for (int digits = 15; digits <= 17; digits++) {
            snprintf(shortest, sizeof shortest, "%.*g", digits, v);
            if (strtod(shortest, NULL) == v) break;
        }
        buf b = {0};
        json_put_double(&(json_writer){.out = &b}, v);
        assert_string_equal(buf_z(&b), shortest);
        buf_deinit(&b);
        if (i % 1000 == 0) arena_reset(&a);
    }
}

static void whole_numbers(void **state) {
    (void)state;
    static const int64_t rows[] = {0,   7,     -7,       10,        99,       100,
                                   101, -1000, 12345678, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[32];
        buf b = {0};
        json_put_int(&(json_writer){.out = &b}, rows[i]);
        snprintf(text, sizeof text, "%lld", (long long)rows[i]);
        assert_string_equal(buf_z(&b), text);
        buf_deinit(&b);
    }
}

/* Strings of every length up to some vectors, one special byte at every place of them. */
static void strings_at_every_length(void **state) {
    (void)state;
    static const char *const specials[] = {
        "\"", "\\", "\n", "\x1f", "\xC3\xA9", "\xE6\x97\xA5", "\xF0\x9F\x98\x80"};
    for (size_t n = 0; n < 70; n++)
        for (size_t at = 0; at <= n; at++) {
            const char *special = specials[(n + at) % (sizeof specials / sizeof *specials)];
            buf plain = {0}, quoted = {0};
            for (size_t i = 0; i < n; i++)
                i == at ? buf_put_z(&plain, special) : buf_put_char(&plain, 'a');
            char *exact = mem_alloc(plain.n ? plain.n : 1); /* nothing readable behind it */
            if (plain.n) memcpy(exact, plain.p, plain.n);
            json_put_str(&(json_writer){.out = &quoted}, (str){exact, plain.n});
            assert_true(str_eq(parse(buf_z(&quoted))->string, buf_str(&plain)));
            mem_free(exact);
            buf_deinit(&plain);
            buf_deinit(&quoted);
        }
}

/* What the parser knows to be plain is the parser's strings alone: put into other places or under
 * other keys they are written as they must be. */
static void known_strings_stay_with_their_text(void **state) {
    (void)state;
    const json *v = parse("{\"a\":\"x\",\"\\\"\":[\"\xC3\xA9\",\"\\n\"],\"\xC3\xA9\":{\"b\":1}}");
    assert_true(str_is(written(v, false),
                       "{\"a\":\"x\",\"\\\"\":[\"\xC3\xA9\",\"\\n\"],\"\xC3\xA9\":{\"b\":1}}"));
    json_member m[2] = {{STR("k\"1"), v->members[0].value}, v->members[2]};
    m[1].key = STR("a\nb");
    json other = {.kind = JSON_OBJECT, .count = 2, .members = m};
    assert_true(str_is(written(&other, false), "{\"k\\\"1\":\"x\",\"a\\nb\":{\"b\":1}}"));
}

static void places_are_those_of_the_text(void **state) {
    (void)state; /* also where escapes were decoded before */
    refuse("[\"\\n\\n\\u00e9\\n\", x", "line 1, column 18");
    refuse("{\"\xE6\x97\xA5\\\"\":\n \"\xE6\x97\xA5\\q\"}", "line 2, column 4");
    refuse("[\"abc\\u12\"]", "column 6");
    refuse("[\"abcdefghijklmnopqrstuvwxyz", "column 2");
    refuse("[\"abc\\", "never closed");
    refuse("[1,2", "ends inside");
    refuse("{\"a\":1,", "ends inside");
}

static void typed_reads(void **state) {
    (void)state;
    const json *v = parse("{\"s\":\"x\",\"i\":5,\"d\":1.5,\"b\":true,\"n\":null}");
    str s;
    int64_t i;
    double d;
    bool b;
    assert_ok(json_get_str(v, "s", STR("y"), &s, &f), &f);
    assert_true(str_is(s, "x"));
    assert_ok(json_get_str(v, "n", STR("y"), &s, &f), &f);
    assert_true(str_is(s, "y"));
    assert_int_equal(json_get_str(v, "i", STR("y"), &s, &f), E_INPUT);
    assert_string_equal(f.text, "\"i\" must be a string, not a number");
    assert_ok(json_get_int(v, "i", 0, 0, 9, &i, &f), &f);
    assert_int_equal(i, 5);
    assert_int_equal(json_get_int(v, "i", 0, 0, 4, &i, &f), E_INPUT);
    assert_int_equal(json_get_int(v, "d", 0, 0, 4, &i, &f), E_INPUT);
    assert_ok(json_get_int(v, "none", 7, 0, 4, &i, &f), &f);
    assert_int_equal(i, 7);
    assert_ok(json_get_double(v, "i", 0, &d, &f), &f);
    assert_true(d == 5.0);
    assert_int_equal(json_get_double(v, "s", 0, &d, &f), E_INPUT);
    assert_ok(json_get_bool(v, "b", false, &b, &f), &f);
    assert_true(b);
    assert_int_equal(json_get_bool(v, "i", false, &b, &f), E_INPUT);
    assert_ok(json_get_bool(NULL, "b", true, &b, &f), &f);
}

static void writes(void **state) {
    (void)state;
    buf b = {0};
    json_writer w = {.out = &b};
    json_begin_object(&w);
    json_key(&w, "a");
    json_begin_array(&w);
    json_put_int(&w, -1);
    json_put_z(&w, NULL);
    json_put_str(&w, STR("q\"\\\b\f\n\r\t\x01\x7f\xff\xC3\xA9"));
    json_put_raw(&w, STR("{\"r\":1}"));
    json_end_array(&w);
    json_key(&w, "e");
    json_begin_object(&w);
    json_end_object(&w);
    json_put_bool((json_key(&w, "t"), &w), true);
    json_end_object(&w);
    assert_string_equal(
        buf_z(&b), "{\"a\":[-1,null,\"q\\\"\\\\\\b\\f\\n\\r\\t\\u0001\x7f\xEF\xBF\xBD\xC3\xA9\","
                   "{\"r\":1}],\"e\":{},\"t\":true}");
    buf_deinit(&b);
    const json *v = parse("{\"a\":[1,{\"b\":[]}],\"c\":{}}");
    assert_true(
        str_is(written(v, true),
               "{\n  \"a\": [\n    1,\n    {\n      \"b\": []\n    }\n  ],\n  \"c\": {}\n}"));
    assert_true(str_is(written(v, false), "{\"a\":[1,{\"b\":[]}],\"c\":{}}"));
}

/* Each prefix and each flipped bit of a document, in a block of exactly its size. */
static void damaged_anyhow(void **state) {
    (void)state;
    static const char doc[] =
        "{\"m\":[{\"role\":\"us\\u00e9r\",\"x\":-1.25e-3,\"y\":[true,null]},\"\xE2\x82\xAC\\\\\"]}";
    size_t n = sizeof doc - 1;
    for (size_t cut = 0; cut < n; cut++) {
        char *copy = mem_alloc(cut ? cut : 1);
        memcpy(copy, doc, cut);
        const json *v;
        assert_int_equal(json_parse(&a, (str){copy, cut}, &v, &f), E_INPUT);
        mem_free(copy);
    }
    for (size_t bit = 0; bit < n * 8; bit++) {
        char *copy = mem_alloc(n);
        memcpy(copy, doc, n);
        copy[bit / 8] = (char)(copy[bit / 8] ^ (1 << (bit & 7)));
        const json *v = NULL;
        err e = json_parse(&a, (str){copy, n}, &v, &f);
        assert_true(e == E_OK || e == E_INPUT);
        if (e == E_OK) written(v, false);
        mem_free(copy);
        arena_reset(&a);
    }
}

static void memory_runs_out(void **state) {
    (void)state;
    buf b = {0};
    buf_put_char(&b, '[');
    for (int i = 0; i < 200; i++) buf_printf(&b, "{\"k%d\":\"\\n\"},", i);
    buf_put_z(&b, "0]");
    const json *v;
    err e = E_NO_MEMORY;
    for (int64_t nth = 1; e != E_OK; nth++) {
        arena small;
        arena_init(&small, 1024);
        mem_fail_at(nth, false);
        e = json_parse(&small, buf_str(&b), &v, &f);
        mem_fail_at(0, false);
        assert_true(e == E_OK || e == E_NO_MEMORY);
        arena_deinit(&small);
        assert_true(nth < 1000);
    }
    arena limited;
    arena_init(&limited, 0);
    limited.bytes_max = 2000;
    assert_int_equal(json_parse(&limited, buf_str(&b), &v, &f), E_TOO_LARGE);
    arena_deinit(&limited);
    buf_deinit(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_all_kinds, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_with_place, setup, teardown),
        cmocka_unit_test_setup_teardown(bounds_depth, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_the_last_of_equal_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(numbers, setup, teardown),
        cmocka_unit_test_setup_teardown(doubles_are_shortest, setup, teardown),
        cmocka_unit_test_setup_teardown(numbers_as_the_c_library_has_them, setup, teardown),
        cmocka_unit_test_setup_teardown(whole_numbers, setup, teardown),
        cmocka_unit_test_setup_teardown(strings_at_every_length, setup, teardown),
        cmocka_unit_test_setup_teardown(known_strings_stay_with_their_text, setup, teardown),
        cmocka_unit_test_setup_teardown(places_are_those_of_the_text, setup, teardown),
        cmocka_unit_test_setup_teardown(typed_reads, setup, teardown),
        cmocka_unit_test_setup_teardown(writes, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_anyhow, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_runs_out, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
