/* t_engine_text.c - tests engine/engine_text.c: characters are never split, stop strings never
 * shown. */
#include "engine/engine_text.h"

#include "test.h"

enum { CAP = 600 };
static char memory[2 * CAP];

static void expect(str got, const char *want) {
    assert_int_equal(got.n, strlen(want));
    assert_memory_equal(got.p, want, got.n);
}

static engine_text start(const str *stops, size_t n) {
    engine_text t;
    engine_text_init(&t, memory, CAP, stops, n);
    return t;
}

static void characters_stay_whole(void **state) {
    (void)state;
    engine_text t = start(NULL, 0);
    expect(engine_text_put(&t, STR("a\xE2")), "a");
    expect(engine_text_put(&t, STR("\x82")), "");
    expect(engine_text_put(&t, STR("\xAC!")), "\xE2\x82\xAC!");
    expect(engine_text_put(&t, STR("\xF0\x9F\x98")), "");
    expect(engine_text_put(&t, STR("\x80")), "\xF0\x9F\x98\x80");
    expect(engine_text_flush(&t), "");
}

/* What can never become a character is not waited for. */
static void malformed_bytes_pass(void **state) {
    (void)state;
    engine_text t = start(NULL, 0);
    expect(engine_text_put(&t, STR("\x80")), "\x80");
    expect(engine_text_put(&t, STR("\xC0")), "\xC0");
    expect(engine_text_put(&t, STR("\xFF")), "\xFF");
    expect(engine_text_put(&t, STR("\xE2\x82")), "");
    expect(engine_text_put(&t, STR("A")), "\xE2\x82"
                                          "A");
    expect(engine_text_put(&t, STR("\xE2")), "");
    expect(engine_text_flush(&t), "\xE2");
}

static void stops_are_held_back(void **state) {
    (void)state;
    const str stops[] = {STR("END"), STR("\n\n")};
    engine_text t = start(stops, 2);
    expect(engine_text_put(&t, STR("xE")), "x");
    expect(engine_text_put(&t, STR("N")), "");
    expect(engine_text_put(&t, STR("O")), "ENO");
    expect(engine_text_put(&t, STR("\n")), "");
    expect(engine_text_put(&t, STR("y\n")), "\ny");
    expect(engine_text_put(&t, STR("\nmore")), "");
    assert_true(t.stopped);
    assert_int_equal(t.struck, 1);
    expect(engine_text_put(&t, STR("more")), "");
    expect(engine_text_flush(&t), "");
}

static void the_first_stop_wins(void **state) {
    (void)state;
    const str stops[] = {STR("cd"), STR("bcde")};
    engine_text t = start(stops, 2);
    expect(engine_text_put(&t, STR("abcdef")), "a");
    assert_true(t.stopped);
    assert_int_equal(t.struck, 1);
    t = start(stops, 2);
    expect(engine_text_put(&t, STR("ab")), "a");
    expect(engine_text_flush(&t), "b");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_stay_whole),
        cmocka_unit_test(malformed_bytes_pass),
        cmocka_unit_test(stops_are_held_back),
        cmocka_unit_test(the_first_stop_wins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
