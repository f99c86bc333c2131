/* t_token_regex.c - tests token/token_regex.c: what it finds, what it refuses, and its limits. */
#include "token/token_regex.h"

#include "base/mem.h"
#include "test.h"

static token_regex *open_pattern(const char *pattern) {
    token_regex *r = NULL;
    fail f;
    assert_ok(token_regex_open(&r, str_from(pattern), &f), &f);
    return r;
}

static void finds(void **state) {
    (void)state;
    token_regex *r = open_pattern("\\p{L}+|\\s(?!\\S)|[^\\s\\p{L}]");
    token_regex_state s = {0};
    token_regex_hit hit;
    str text = STR("\xC3\xA9t\xC3\xA9 1\xE1\xA0\x8E ");
    assert_int_equal(token_regex_find(r, &s, text, 0, &hit), TOKEN_REGEX_HIT);
    assert_int_equal(hit.from, 0);
    assert_int_equal(hit.to, 5);
    assert_int_equal(token_regex_find(r, &s, text, 5, &hit), TOKEN_REGEX_HIT);
    assert_int_equal(hit.from, 6); /* the blank is followed by something */
    assert_int_equal(token_regex_find(r, &s, text, 7, &hit), TOKEN_REGEX_HIT);
    assert_int_equal(hit.to, 10); /* U+180E is no white space */
    assert_int_equal(token_regex_find(r, &s, text, 10, &hit), TOKEN_REGEX_HIT);
    assert_int_equal(token_regex_find(r, &s, text, 11, &hit), TOKEN_REGEX_NONE);
    token_regex_state_deinit(&s);
    token_regex_close(r);
}

static void foreign_is_refused(void **state) {
    (void)state;
    static const char *const patterns[] = {"\\w+",  "a\\b",    "[a[bc]]",      "[a&&b]",
                                           "(?m)a", "(?<n>a)", "\\p{L}{1,2}+", "(*FAIL)",
                                           "(",     "",        "[\\S]",        "\\Ca"};
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        token_regex *r = NULL;
        fail f;
        assert_int_equal(token_regex_open(&r, str_from(patterns[i]), &f), E_UNSUPPORTED);
        assert_non_null(strstr(f.text, patterns[i]));
        assert_null(r);
    }
}

static void steps_are_limited(void **state) {
    (void)state;
    token_regex *r = open_pattern("(a|aa)+$");
    token_regex_state s = {0};
    token_regex_hit hit;
    assert_int_equal(
        token_regex_find(r, &s, STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"), 0, &hit),
        TOKEN_REGEX_LIMIT);
    token_regex_state_deinit(&s);
    token_regex_close(r);
}

static void memory_runs_out(void **state) {
    (void)state;
    int64_t failed = 0;
    for (int64_t n = 1;; n++) {
        token_regex *r = NULL;
        token_regex_state s = {0};
        token_regex_hit hit;
        fail f;
        mem_fail_at(n, true);
        err e = token_regex_open(&r, STR("(a|b)*c"), &f);
        token_regex_result found =
            e == E_OK ? token_regex_find(r, &s, STR("ababc"), 0, &hit) : TOKEN_REGEX_MEMORY;
        mem_fail_at(0, false);
        token_regex_state_deinit(&s);
        token_regex_close(r);
        if (found == TOKEN_REGEX_HIT) break;
        assert_int_equal(found, TOKEN_REGEX_MEMORY);
        assert_true(e == E_OK || e == E_NO_MEMORY);
        failed++;
    }
    assert_true(failed > 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds),
        cmocka_unit_test(foreign_is_refused),
        cmocka_unit_test(steps_are_limited),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
