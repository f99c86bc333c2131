/* t_utf8.c - tests text/utf8.c: what is well-formed, repair, normal forms, categories. */
#include "base/mem.h"
#include "text/utf8.h"
#include "test_arena.h"

static fail f;

static void every_code_point_both_ways(void **state) {
    (void)state;
    for (int32_t c = 0; c <= 0x10FFFF; c++) {
        char p[4];
        size_t at = 0, n = utf8_encode(p, c);
        int32_t back = utf8_walk((str){p, n}, &at);
        bool surrogate = c >= 0xD800 && c <= 0xDFFF;
        if (at != n || back != (surrogate ? UTF8_REPLACEMENT : c)) fail_msg("U+%04X", (unsigned)c);
    }
    char p[4];
    assert_int_equal(utf8_encode(p, 0x110000), 3);
    assert_int_equal(utf8_encode(p, -1), 3);
}

static void ill_formed(void **state) {
    (void)state;
    static const struct {
        str in;
        size_t bad_at;
        const char *repaired;
    } rows[] = {
        {{"\xC0\x80", 2}, 0, "\uFFFD\uFFFD"},
        {{"a\xED\xA0\x80z", 5}, 1, "a\uFFFD\uFFFD\uFFFDz"},
        {{"\xF4\x90\x80\x80", 4}, 0, "\uFFFD\uFFFD\uFFFD\uFFFD"},
        {{"\xE2\x82", 2}, 0, "\uFFFD"},
        {{"\xF0\x9F\x98", 3}, 0, "\uFFFD"},
        {{"\xE2\x82z", 3}, 0, "\uFFFDz"},
        {{"12345678\x80", 9}, 8, "12345678\uFFFD"},
        {{"\xFE\xFF", 2}, 0, "\uFFFD\uFFFD"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        str out;
        assert_int_equal(utf8_bad_at(rows[i].in), rows[i].bad_at);
        assert_ok(utf8_scrub(&a, rows[i].in, &out, &f), &f);
        assert_true(str_is(out, rows[i].repaired));
        assert_true(utf8_ok(out));
        buf b = {0};
        utf8_put_mended(&b, rows[i].in);
        assert_true(str_eq(buf_str(&b), out));
        buf_deinit(&b);
    }
    uint32_t code = 7;
    assert_int_equal(utf8_next(STR("\xE2\x82"), &code), 0);
    assert_int_equal(utf8_next(STR_NONE, &code), 0);
    assert_int_equal(code, 7);
    assert_int_equal(utf8_next(STR("\u20acx"), &code), 3);
    assert_int_equal(code, 0x20AC);
    assert_true(utf8_ok(STR("plain \u00e9\u20ac\U0001F600")));
    assert_true(utf8_ok(STR_NONE));
}

static void counts(void **state) {
    (void)state;
    str s = STR("a\u00e9\u6f22\U0001F600e\u0301");
    assert_int_equal(utf8_count(s), 6);
    assert_int_equal(utf8_width(s), 7);
    assert_int_equal(utf8_cut(s, 2).n, 1);
    assert_int_equal(utf8_cut(s, 3).n, 3);
    assert_int_equal(utf8_cut(s, 9).n, 6);
    assert_int_equal(utf8_cut(s, 999).n, s.n);
    assert_int_equal(utf8_index(s, 2), 3);
    assert_int_equal(utf8_index(s, 99), s.n);
}

static void forms(void **state) {
    (void)state;
    str out;
    assert_ok(utf8_nfc(&a, STR("e\u0301"), &out, &f), &f);
    assert_true(str_is(out, "\u00e9"));
    assert_ok(utf8_nfc(&a, STR("\xFF"), &out, &f), &f);
    assert_true(str_is(out, "\uFFFD"));
    assert_ok(utf8_casefold(&a, STR("Stra\u00dfe \u00c9"), &out, &f), &f);
    assert_true(str_is(out, "strasse \u00e9"));
    assert_ok(utf8_strip_accents(&a, STR("\u00c9clair na\u00efve \u1e69 \u00f8"), &out, &f), &f);
    assert_true(str_is(out, "Eclair naive s \u00f8"));
    assert_ok(utf8_strip_accents(&a, STR("\u0301"), &out, &f), &f);
    assert_int_equal(out.n, 0);
    assert_ok(utf8_lower(&a, STR("\u00c4B\u0130"), &out, &f), &f);
    assert_true(str_starts(out, STR("\u00e4b")));
    assert_ok(utf8_upper(&a, STR("\u00e4b\u00df"), &out, &f), &f);
    assert_true(str_starts(out, STR("\u00c4B")));
    assert_ok(utf8_nfc(&a, STR_NONE, &out, &f), &f);
    assert_ok(utf8_casefold(&a, STR_NONE, &out, &f), &f);
    assert_int_equal(out.n, 0);
}

static void categories(void **state) {
    (void)state;
    assert_true(utf8_is_letter('a') && utf8_is_letter(0x6F22) && utf8_is_letter(0x2B0));
    assert_false(utf8_is_letter('1') || utf8_is_letter(0x301) || utf8_is_letter(-1));
    assert_true(utf8_is_number('1') && utf8_is_number(0xBD) && utf8_is_number(0x2160));
    assert_true(utf8_is_mark(0x301) && utf8_is_mark(0x93E));
    assert_true(utf8_is_punct('!') && utf8_is_punct(0x3002) && !utf8_is_punct('+'));
    assert_true(utf8_is_symbol('+') && utf8_is_symbol('$') && utf8_is_symbol(0x20AC));
    static const int32_t spaces[] = {' ',    '\t',   '\n',   11,     12,     13,
                                     0x85,   0xA0,   0x1680, 0x2000, 0x200A, 0x2028,
                                     0x2029, 0x202F, 0x205F, 0x3000};
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++)
        assert_true(utf8_is_space(spaces[i]));
    assert_false(utf8_is_space(0x200B) || utf8_is_space(0x180E) || utf8_is_space(0x1C));
    assert_true(utf8_is_control(0) && utf8_is_control(0x200B) && !utf8_is_control('a'));
}

static void memory_runs_out(void **state) {
    (void)state;
    err e = E_NO_MEMORY;
    for (int64_t nth = 1; e != E_OK && nth < 50; nth++) {
        arena small;
        str out;
        arena_init(&small, 16);
        mem_fail_at(nth, false);
        e = utf8_strip_accents(&small, STR("\u00c9\xff"), &out, &f);
        mem_fail_at(0, false);
        assert_true(e == E_OK || e == E_NO_MEMORY);
        arena_deinit(&small);
    }
    assert_int_equal(e, E_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point_both_ways),
        cmocka_unit_test_setup_teardown(ill_formed, setup, teardown),
        cmocka_unit_test(counts),
        cmocka_unit_test_setup_teardown(forms, setup, teardown),
        cmocka_unit_test(categories),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
