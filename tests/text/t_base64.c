/* t_base64.c - tests text/base64.c on RFC 4648's vectors, all lengths, and what must be refused. */
#include "text/base64.h"
#include "test.h"

static void vectors(void **state) {
    (void)state;
    static const char *const rows[][2] = {{"", ""},
                                          {"f", "Zg=="},
                                          {"fo", "Zm8="},
                                          {"foo", "Zm9v"},
                                          {"foob", "Zm9vYg=="},
                                          {"fooba", "Zm9vYmE="},
                                          {"foobar", "Zm9vYmFy"}};
    arena a;
    fail f;
    str out;
    arena_init(&a, 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_ok(base64_encode(&a, BASE64_STANDARD, str_from(rows[i][0]), &out, &f), &f);
        assert_true(str_is(out, rows[i][1]));
        assert_ok(base64_decode(&a, BASE64_STANDARD, str_from(rows[i][1]), &out, &f), &f);
        assert_true(str_is(out, rows[i][0]));
    }
    assert_ok(base64_encode(&a, BASE64_URL, STR("\xfb\xff\xfe\x01"), &out, &f), &f);
    assert_true(str_is(out, "-__-AQ"));
    assert_ok(base64_decode(&a, BASE64_URL, STR("-__-AQ=="), &out, &f), &f);
    assert_int_equal(out.n, 4);
    arena_deinit(&a);
}

static void refuses(void **state) {
    (void)state;
    static const char *const bad[] = {
        "Zg",   "Zg=",   "Zg===",  "Z",    "=",    "====",     "Zh==",
        "Zm9=", "Zm 9v", "Zm9v\n", "Zm-v", "Z=g=", "Zg==Zg==", "\xff\xff\xff\xff"};
    arena a;
    fail f;
    str out;
    arena_init(&a, 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (base64_decode(&a, BASE64_STANDARD, str_from(bad[i]), &out, &f) != E_INPUT)
            fail_msg("%s", bad[i]);
    assert_int_equal(base64_decode(&a, BASE64_URL, STR("Zm+v"), &out, &f), E_INPUT);
    assert_int_equal(base64_decode(&a, BASE64_URL, STR("Zh"), &out, &f), E_INPUT);
    arena_deinit(&a);
}

static void all_lengths(void **state) {
    (void)state;
    arena a;
    fail f;
    char bytes[200];
    arena_init(&a, 0);
    for (size_t n = 0; n < sizeof bytes; n++) {
        bytes[n] = (char)(n * 151 + 7);
        for (int kind = BASE64_STANDARD; kind <= BASE64_URL; kind++) {
            str text, back, in = {bytes, n};
            assert_ok(base64_encode(&a, (base64_kind)kind, in, &text, &f), &f);
            assert_ok(base64_decode(&a, (base64_kind)kind, text, &back, &f), &f);
            assert_true(str_eq(in, back));
        }
    }
    arena_deinit(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors),
        cmocka_unit_test(refuses),
        cmocka_unit_test(all_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
