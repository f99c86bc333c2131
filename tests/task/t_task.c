/* t_task.c - tests task/: what is accepted, what is refused with its place, and that a written task
 * reads back. */
#include "base/file.h"
#include "task/task.h"
#include "test.h"

#include <math.h>
#include <unistd.h>

#define HEAD                                                                                     \
    "id: t-1\nkind: answer\ntiers:\n  - slm:\n      model: minilm\n  - human:\n      cost_usd: " \
    "6\n"

static err parse(arena *a, const char *text, task **t, fail *f) {
    return task_parse(a, "tasks/demo.yaml", str_from(text), t, f);
}

static void reads_the_sample(void **state) {
    (void)state;
    arena a;
    fail f;
    task *t;
    arena_init(&a, 0);
    assert_ok(task_load(&a, "tasks/support.yaml", &t, &f), &f);
    assert_true(t->n_labels >= 20);
    assert_true(t->other >= 0 && t->labels[t->other].n_examples >= 60);
    assert_true(t->slm.present && t->human.present && !t->llm.present);
    for (size_t i = 0; i < t->n_labels; i++)
        assert_true(t->labels[i].is_other || t->labels[i].n_examples >= 12);
    arena_deinit(&a);
}

static void reads_every_key(void **state) {
    (void)state;
    arena a;
    fail f;
    task *t;
    arena_init(&a, 0);
    assert_ok(
        parse(
            &a,
            "id: t-1\nkind: answer\ntitle: Demo\nlanguage: [en, de]\nmode: suggest\nmax_wrong: "
            "0.05\nthreshold: 0.9\n"
            "generate: draft\nretention_days: 30\ntiers:\n  - llm:\n      url: "
            "https://x.example/v1\n      key_env: A_KEY\n"
            "  - human\nprivacy:\n  never_to: [llm]\npassages:\n  - id: p\n    text: Some words.\n"
            "labels:\n  - name: one\n    passage: p\n    reply: Yes.\n    examples: [a, b]\n  - "
            "name: two\n    always: human\n"
            "    needs_record: true\n",
            &t, &f),
        &f);
    assert_true(str_is(t->name, "demo") && str_is(t->title, "Demo") && t->n_languages == 2);
    assert_int_equal(t->mode, TASK_SUGGEST);
    assert_true(t->threshold > 0.89 && t->generate_draft && t->retention_days == 30);
    assert_true(t->llm.present && !t->llm.private_ok && !t->slm.present &&
                t->human.expected_minutes == 60);
    assert_int_equal(t->labels[0].passage, 0);
    assert_true(t->labels[1].always_human && t->labels[1].needs_record);
    arena_deinit(&a);
}

static void refuses_with_place(void **state) {
    (void)state;
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"kind: answer\n", "id"},
        {"id: t-1\nkind: guess\n", "line 2"},
        {"id: t-1\ncolour: red\n", "line 2"},
        {HEAD "labels:\n  - name: \" One\"\n", "line 9"},
        {HEAD "labels:\n  - name: a\n  - name: a\n", "stands twice"},
        {HEAD "labels:\n  - name: a\n    examples: [x]\n  - name: b\n    examples: [x]\n",
         "already under"},
        {HEAD "labels:\n  - name: a\n    passage: none\n", "no passage"},
        {HEAD "labels:\n  - name: other\n    reply: x\n", "nobody's scope"},
        {HEAD "labels: []\n", "labels"},
        {"id: t-1\ntiers:\n  - human\n  - slm\nlabels:\n  - name: a\n", "order of price"},
        {"id: t-1\ntiers:\n  - llm:\n      url: ftp://x\nlabels:\n  - name: a\n", "https://"},
        {"id: t-1\ntiers:\n  - llm:\n      url: https://x\n      key_env: sk-abc123\nlabels:\n  - "
         "name: a\n",
         "NAME of an environment"},
        {"id: t-1\nmax_wrong: 2\n", "max_wrong"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        arena a;
        fail f = {0};
        task *t;
        arena_init(&a, 0);
        err e = parse(&a, rows[i].text, &t, &f);
        if (e != E_INPUT || !strstr(f.text, rows[i].says))
            fail_msg("row %zu: %d %s", i, (int)e, f.text);
        arena_deinit(&a);
    }
}

static void written_reads_back(void **state) {
    (void)state;
    static const task_row rows[] = {
        {{"hello: world", 12}, {"greet", 5}, {"", 0}},
        {{"- # 'odd' \"text\"", 16}, {"odd", 3}, {"", 0}},
        {{"no", 2}, {"greet", 5}, {"", 0}},
        {{"hello: world", 12}, {"greet", 5}, {"", 0}},
        {{"two\nlines", 9}, {"other", 5}, {"", 0}},
        {{"x", 1}, {"Refund: \"not\" there?", 20}, {"", 0}}, /* labels come from others' data */
    };
    char dir[] = "/tmp/bantam-t-XXXXXX", path[64];
    arena a;
    fail f;
    task *t;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/made.yaml", dir);
    arena_init(&a, 0);
    assert_ok(task_write_new(path, STR("made"), STR("minilm"), rows, 6, &f), &f);
    assert_ok(task_load(&a, path, &t, &f), &f);
    assert_int_equal(t->kind, TASK_CLASSIFY);
    int32_t greet = task_find_label(t, STR("greet"));
    assert_int_equal(t->labels[greet].n_examples, 2);
    assert_true(str_is(t->labels[greet].examples[0], "hello: world"));
    assert_true(str_is(t->labels[greet].examples[1], "no"));
    assert_true(
        str_is(t->labels[task_find_label(t, STR("odd"))].examples[0], "- # 'odd' \"text\""));
    assert_true(str_is(t->labels[t->other].examples[0], "two\nlines"));
    assert_true(task_find_label(t, STR("Refund: \"not\" there?")) >= 0);
    static const task_row bad[] = {{{"x", 1}, {"a\nb", 3}, {"", 0}}};
    assert_int_equal(task_write_new(path, STR("made"), STR("minilm"), bad, 1, &f), E_INPUT);
    static const task_row clash[] = {{{"x", 1}, {"a", 1}, {"", 0}}, {{"x", 1}, {"b", 1}, {"", 0}}};
    assert_int_equal(task_write_new(path, STR("made"), STR("minilm"), clash, 2, &f), E_INPUT);
    str found;
    const char *dirs[] = {dir, "/nonexistent"};
    assert_ok(task_find(&a, dirs, 2, STR("made"), &found, &f), &f);
    assert_int_equal(task_find(&a, dirs, 2, STR("nope"), &found, &f), E_NOT_FOUND);
    unlink(path);
    rmdir(dir);
    arena_deinit(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_sample),
        cmocka_unit_test(reads_every_key),
        cmocka_unit_test(refuses_with_place),
        cmocka_unit_test(written_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
