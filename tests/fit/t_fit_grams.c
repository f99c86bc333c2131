/* t_fit_grams.c - tests fit/fit_grams.c: what counts as the same text, how many grams a text has,
 * and bytes that are no text at all. */
#include "base/mem.h"
#include "base/rand.h"
#include "fit/fit_grams.h"
#include "fit/fit_head.h"
#include "test.h"

static bool same_grams(const char *a, const char *b) {
    fit_grams x, y;
    fail f;
    assert_ok(fit_grams_of(&x, str_from(a), &f), &f);
    assert_ok(fit_grams_of(&y, str_from(b), &f), &f);
    bool same = x.n == y.n && memcmp(x.grams, y.grams, x.n * sizeof *x.grams) == 0;
    fit_grams_deinit(&x);
    fit_grams_deinit(&y);
    return same;
}

static size_t blocks(const char *text, unsigned block) {
    fit_grams g;
    fail f;
    size_t n = 0;
    assert_ok(fit_grams_of(&g, str_from(text), &f), &f);
    for (size_t i = 0; i < g.n; i++) n += (g.grams[i].hash & 1) == block ? g.grams[i].count : 0;
    fit_grams_deinit(&g);
    return n;
}

static void case_and_blanks_do_not_count(void **state) {
    (void)state;
    assert_true(same_grams("Where is my CARD", "  where is\tmy\n card "));
    assert_true(same_grams("Z\xc3\x9cRICH \xc3\x84", "z\xc3\xbcrich \xc3\xa4"));
    assert_false(same_grams("card", "cards"));
    assert_false(same_grams("a b", "ab"));
}

static void as_many_grams_as_there_are(void **state) {
    (void)state;
    /* " ab ": 3 of two characters, 2 of three, 1 of four; one word */
    assert_int_equal(blocks("ab", 0), 6);
    assert_int_equal(blocks("ab", 1), 1);
    assert_int_equal(blocks("to be or", 1), 5); /* 3 words, 2 pairs */
    /* characters, not bytes: " \u00e9t\u00e9 " has 5 */
    assert_int_equal(blocks("\xc3\xa9t\xc3\xa9", 0), 4 + 3 + 2 + 1);
    assert_int_equal(blocks("", 0), 0);
}

static void weights_grow_slowly(void **state) {
    (void)state;
    assert_true(fit_gram_weight(1) == 1.0f);
    assert_true(fit_gram_weight(8) > 3.07f && fit_gram_weight(8) < 3.08f);
}

static void any_bytes_and_long_ones(void **state) {
    (void)state;
    static char bytes[FIT_TEXT_BYTES_MAX + 100];
    fit_grams g;
    fail f;
    rand_stream r = {3, 0};
    for (size_t n = 0; n < sizeof bytes; n = n * 2 + 1) {
        for (size_t i = 0; i < n; i++) bytes[i] = (char)rand_next(&r);
        assert_ok(fit_grams_of(&g, (str){bytes, n}, &f), &f);
        for (size_t i = 1; i < g.n; i++) assert_true(g.grams[i - 1].hash < g.grams[i].hash);
        fit_grams_deinit(&g);
    }
    memset(bytes, 'x', sizeof bytes);
    for (int64_t at = 1; at <= 2; at++) {
        mem_fail_at(at, false);
        assert_int_equal(fit_grams_of(&g, (str){bytes, sizeof bytes}, &f), E_NO_MEMORY);
        fit_grams_deinit(&g);
    }
    mem_fail_at(0, false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_and_blanks_do_not_count),
        cmocka_unit_test(as_many_grams_as_there_are),
        cmocka_unit_test(weights_grow_slowly),
        cmocka_unit_test(any_bytes_and_long_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
