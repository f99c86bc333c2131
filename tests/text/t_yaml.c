/* t_yaml.c - tests text/yaml*.c: trees with places, refusals, typed reads, and that what is written
 * reads back. */
#include "base/mem.h"
#include "base/rand.h"
#include "text/utf8.h"
#include "text/yaml.h"
#include "test_arena.h"

static fail f;

static const yaml *parse(const char *text) {
    const yaml *v = NULL;
    assert_ok(yaml_parse(&a, "t.yaml", str_from(text), &v, &f), &f);
    return v;
}

static void builds_trees(void **state) {
    (void)state;
    const yaml *v =
        parse("# comment\nid: t-1\ntiers:\n  - slm:\n      cost: 0.5\n  - human: {x: 'a b'}\n"
              "text: |\n  one\n  two\nempty:\nlist: []\nfolded: a\n  b\n");
    assert_int_equal(v->kind, YAML_MAP);
    assert_int_equal(v->count, 6);
    assert_true(str_is(yaml_get(v, "id")->text, "t-1"));
    const yaml *tiers = yaml_get(v, "tiers");
    assert_int_equal(tiers->count, 2);
    const yaml *x = yaml_get(yaml_get(yaml_at(tiers, 1), "human"), "x");
    assert_true(x->quoted && str_is(x->text, "a b"));
    assert_int_equal(x->line, 6);
    assert_int_equal(x->column, 16);
    assert_true(str_is(yaml_get(v, "text")->text, "one\ntwo\n"));
    assert_true(yaml_is_null(yaml_get(v, "empty")) && yaml_is_null(yaml_get(v, "absent")));
    assert_int_equal(yaml_get(v, "list")->count, 0);
    assert_true(str_is(yaml_get(v, "folded")->text, "a b"));
    assert_int_equal(v->members[3].line, 10);
    assert_true(str_is(parse("\xEF\xBB\xBFjust text")->text, "just text"));
}

static void refuses_with_place(void **state) {
    (void)state;
    static const char *const bad[][2] = {
        {"", "line 1, column 1: the text is empty"},
        {"# only\n", "the text is empty"},
        {"a: 1\nb: 2\na: 3\n", "line 3, column 1: the key \"a\""},
        {"a: &x 1\nb: *x\n", "line 1, column 4: anchors"},
        {"b: *x\n", "line 1, column 4: anchors"},
        {"a: !!int 1\n", "line 1, column 4: tags"},
        {"a: 1\n---\nb: 2\n", "line 2, column 1: a second document"},
        {"[a]: 1\n", "a key must be"},
        {"a:\n\t- b\n", "tab"},
        {"a: \"x\n", "line"},
        {"a: [1, 2\n", "line"},
        {"a: b: c\n", "line 1"},
        {"a: \xFF\n", "line 1, column 4: bytes that are not UTF-8"},
        {"a: \x01\n", "line 1, column 4: control"},
        {" a: 1\nb: 2\n", "line 2"},
        {"- a\nb: 1\n", "line 2"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const yaml *v = NULL;
        assert_int_equal(yaml_parse(&a, NULL, str_from(bad[i][0]), &v, &f), E_INPUT);
        assert_null(v);
        if (!strstr(f.text, bad[i][1])) fail_msg("\"%s\" says not %s", f.text, bad[i][1]);
    }
}

static void bounds_depth(void **state) {
    (void)state;
    static char text[100001];
    const yaml *v;
    memset(text, '[', 100000);
    assert_int_equal(yaml_parse(&a, NULL, str_from(text), &v, &f), E_INPUT);
    assert_non_null(strstr(f.text, "32 levels"));
    for (int i = 0; i < 100000; i += 2) memcpy(text + i, "- ", 2);
    assert_int_equal(yaml_parse(&a, NULL, str_from(text), &v, &f), E_INPUT);
}

static void typed_reads(void **state) {
    (void)state;
    const yaml *v =
        parse("s: text\ni: 42\nd: 0.25\nb: true\nq: \"42\"\nn: ~\nl: [1]\nm: {k: 1}\ny: yes\n");
    str s;
    int64_t i;
    double d;
    bool b;
    const yaml *node;
    assert_ok(yaml_get_str(v, "s", STR_NONE, &s, &f), &f);
    assert_true(str_is(s, "text"));
    assert_ok(yaml_get_str(v, "n", STR("none"), &s, &f), &f);
    assert_true(str_is(s, "none"));
    assert_int_equal(yaml_get_str(v, "l", STR_NONE, &s, &f), E_INPUT);
    assert_string_equal(f.text,
                        "\"t.yaml\" line 7, column 4: key \"l\" must be a text, not a list");
    assert_ok(yaml_get_int(v, "i", 0, 0, 100, &i, &f), &f);
    assert_int_equal(i, 42);
    assert_int_equal(yaml_get_int(v, "i", 0, 0, 41, &i, &f), E_INPUT);
    assert_string_equal(
        f.text,
        "\"t.yaml\" line 2, column 4: key \"i\" must be a whole number from 0 to 41, not \"42\"");
    assert_int_equal(yaml_get_int(v, "q", 0, 0, 100, &i, &f), E_INPUT);
    assert_int_equal(yaml_get_int(v, "d", 0, 0, 100, &i, &f), E_INPUT);
    assert_ok(yaml_get_double(v, "d", 0, 0, 1, &d, &f), &f);
    assert_true(d == 0.25);
    assert_int_equal(yaml_get_double(v, "s", 0, 0, 1, &d, &f), E_INPUT);
    assert_ok(yaml_get_bool(v, "b", false, &b, &f), &f);
    assert_true(b);
    assert_int_equal(yaml_get_bool(v, "y", false, &b, &f), E_INPUT);
    assert_ok(yaml_get_list(v, "l", &node, &f), &f);
    assert_int_equal(node->count, 1);
    assert_ok(yaml_get_map(v, "n", &node, &f), &f);
    assert_null(node);
    assert_int_equal(yaml_get_map(v, "l", &node, &f), E_INPUT);
    assert_int_equal(yaml_need(v, "absent", &node, &f), E_INPUT);
    assert_int_equal(yaml_text(yaml_get(v, "m"), "an example", &s, &f), E_INPUT);
    assert_non_null(strstr(f.text, "an example must be a text, not a map"));
}

static void names_the_nearest_key(void **state) {
    (void)state;
    static const char *const keys[] = {"threshold", "max_wrong", "labels"};
    assert_ok(yaml_only(parse("labels: 1\nthreshold: 2"), keys, 3, &f), &f);
    assert_int_equal(yaml_only(parse("labels: 1\ntreshold: 2"), keys, 3, &f), E_INPUT);
    assert_string_equal(f.text, "\"t.yaml\" line 2, column 1: unknown key \"treshold\"");
    assert_string_equal(f.hint, "did you mean \"threshold\"?");
    assert_int_equal(yaml_only(parse("zzz: 1"), keys, 3, &f), E_INPUT);
    assert_string_equal(f.hint, "known keys here: threshold, max_wrong, labels");
    assert_int_equal(yaml_only(parse("- 1"), keys, 3, &f), E_INPUT);
}

static void reads_back(str text) {
    buf b = {0}, mended = {0};
    buf_put_z(&b, "a:\n  - k: ");
    yaml_put(&b, text, 6);
    buf_put_z(&b, "\n    z: ");
    yaml_put(&b, text, 0);
    buf_put_z(&b, "\nend: ");
    yaml_put(&b, text, 2);
    buf_put_char(&b, '\n');
    utf8_put_mended(&mended, text);
    const yaml *v;
    if (yaml_parse(&a, NULL, buf_str(&b), &v, &f) != E_OK)
        fail_msg("%s in:\n%s", f.text, buf_z(&b));
    const yaml *item = yaml_at(yaml_get(v, "a"), 0);
    const yaml *got[] = {yaml_get(item, "k"), yaml_get(item, "z"), yaml_get(v, "end")};
    for (int i = 0; i < 3; i++)
        if (!str_eq(got[i]->text, buf_str(&mended)) || yaml_is_null(got[i]))
            fail_msg("\"%.*s\" came back as \"%.*s\" from:\n%s", STR_ARG(text),
                     STR_ARG(got[i]->text), buf_z(&b));
    buf_deinit(&b);
    buf_deinit(&mended);
}

static void writes_what_it_reads(void **state) {
    (void)state;
    static const char *const texts[] = {"",
                                        " ",
                                        "plain",
                                        " lead",
                                        "trail ",
                                        "a: b",
                                        "a #b",
                                        "a#b",
                                        "x:",
                                        "#x",
                                        "- x",
                                        "null",
                                        "~",
                                        "True",
                                        "no",
                                        "12",
                                        "1e3",
                                        "-",
                                        "?",
                                        "@x",
                                        "`x`",
                                        "%x",
                                        "!x",
                                        "&x",
                                        "*x",
                                        "|",
                                        ">",
                                        "[x]",
                                        "{x}",
                                        "x, y",
                                        "\"q\"",
                                        "'q'",
                                        "it's",
                                        "a\\b",
                                        "two\nlines",
                                        "two\nlines\n",
                                        "two\n\nlines\n\n",
                                        "\nfirst empty",
                                        "  in\ndented",
                                        "a\n  b\n c\n",
                                        "a\n \n\nb",
                                        "tab\there",
                                        "a\n\tb",
                                        "\xC3\xA9t\xC3\xA9: x",
                                        "\xC2\x85",
                                        "\xE2\x80\xA8x",
                                        "\xEF\xBB\xBFx",
                                        "bad\xFF",
                                        "a\r\nb",
                                        "a\n---\nb",
                                        "---",
                                        "...",
                                        "a\n...\nb\n",
                                        "\x07\x1b",
                                        "x\n",
                                        "\n",
                                        "a\n#b\n",
                                        "don't: 'x'"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) reads_back(str_from(texts[i]));
    reads_back((str){"a\0b", 3});
    rand_stream r = {.seed = 7};
    static const char pool[] = "ab \n:#-'\"\\|>?!&*[]{},%@`~\t\r.0";
    for (int i = 0; i < 20000; i++) {
        char text[12];
        size_t n = (size_t)rand_next_below(&r, sizeof text + 1);
        for (size_t k = 0; k < n; k++) text[k] = pool[rand_next_below(&r, sizeof pool - 1)];
        reads_back((str){text, n});
        arena_reset(&a);
    }
    buf b = {0};
    yaml_put(&b, STR("how do I cancel, please?"), 2);
    buf_put_char(&b, ' ');
    yaml_put(&b, STR("one\ntwo\n"), 2);
    assert_string_equal(buf_z(&b), "how do I cancel, please? |\n  one\n  two");
    buf_deinit(&b);
}

static void damaged_anyhow(void **state) {
    (void)state;
    static const char doc[] =
        "id: t-1\nlist:\n  - a: 'x'\n    b: |\n      t\n  - [1, \"\\u00e9\"]\n# \xC3\xA9\n";
    size_t n = sizeof doc - 1;
    for (size_t i = 0; i < n * 9; i++) {
        size_t length = i < n ? i : n;
        char *copy = mem_alloc(length ? length : 1);
        memcpy(copy, doc, length);
        if (i >= n) copy[(i - n) / 8] = (char)(copy[(i - n) / 8] ^ (1 << (i & 7)));
        const yaml *v;
        err e = yaml_parse(&a, NULL, (str){copy, length}, &v, &f);
        assert_true(e == E_OK || e == E_INPUT);
        mem_free(copy);
        arena_reset(&a);
    }
}

static void memory_runs_out(void **state) {
    (void)state;
    err e = E_NO_MEMORY;
    for (int64_t nth = 1; e != E_OK; nth++) {
        arena small;
        const yaml *v;
        arena_init(&small, 64);
        mem_fail_at(nth, false);
        e = yaml_parse(&small, NULL, STR("a: [1, {b: 2}]\nc: 3\n"), &v, &f);
        mem_fail_at(0, false);
        assert_true(e == E_OK || e == E_NO_MEMORY);
        assert_true(nth < 100);
        arena_deinit(&small);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(builds_trees, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_with_place, setup, teardown),
        cmocka_unit_test_setup_teardown(bounds_depth, setup, teardown),
        cmocka_unit_test_setup_teardown(typed_reads, setup, teardown),
        cmocka_unit_test_setup_teardown(names_the_nearest_key, setup, teardown),
        cmocka_unit_test_setup_teardown(writes_what_it_reads, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_anyhow, setup, teardown),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
