/* t_fit_taught.c - tests fit/fit_taught.c and fit_compare.c: what is taught counts at once and
 * changes nothing else; a refit takes it in and says what changed. */
#include "base/mem.h"
#include "base/thread.h"
#include "fit/fit_taught.h"
#include "fit/fit_sample.h"

static sample train, test;

static void teach(fit_taught *t, int64_t id, int32_t label, bool automatic, const char *text) {
    float v[SAMPLE_DIM];
    fail f;
    sample_embed(text, v);
    assert_ok(fit_taught_add(t, id, label, automatic, v, &f), &f);
}

static void taught_counts_at_once_and_nothing_else_changes(void **state) {
    (void)state;
    fail f;
    fit_taught *t = NULL;
    sample_make(&train, 30, 1);
    sample_make(&test, 20, 2);
    fit_head *h = sample_fit(&train);
    assert_ok(fit_taught_open(&t, SAMPLE_DIM, &f), &f);
    const char *question = "seagull dropped mussel on windscreen";
    fit_answer before = sample_ask(h, t, question);
    assert_false(before.taught);
    teach(t, 1001, 2, true, question);
    fit_answer after = sample_ask(h, t, question);
    assert_true(after.taught && after.label == 2 && after.above);
    assert_true(after.nearest_id == 1001 && after.nearest_similarity > .999);
    fit_answer near = sample_ask(h, t, "seagull dropped mussel on windscreen yesterday");
    assert_true(near.taught && near.label == 2 && near.confidence <= after.confidence);
    for (size_t i = 0; i < test.n; i++) {
        fit_answer x = sample_ask(h, NULL, test.bytes[i]), y = sample_ask(h, t, test.bytes[i]);
        assert_memory_equal(&x, &y, sizeof x);
    }
    assert_true(fit_taught_forget(t, 1001));
    assert_false(fit_taught_forget(t, 1001));
    after = sample_ask(h, t, question);
    assert_true(after.label == before.label && after.confidence == before.confidence);
    fit_taught_close(t);
    fit_head_close(h);
}

static void nearer_examples_of_other_labels_win(void **state) {
    (void)state;
    fail f;
    fit_taught *t = NULL;
    sample_make(&train, 30, 1);
    fit_head *h = sample_fit(&train);
    assert_ok(fit_taught_open(&t, SAMPLE_DIM, &f), &f);
    char like[200];
    snprintf(like, sizeof like, "%s indeed", train.bytes[0]); /* label 0, near an old example */
    teach(t, 1, 3, true, like);
    assert_false(sample_ask(h, t, train.bytes[0]).taught); /* the old example is nearer */
    assert_true(sample_ask(h, t, like).taught);
    teach(t, 2, 4, true, "purple submarine contract details");
    teach(t, 3, 3, true, "purple submarine contract detail");
    assert_int_equal(sample_ask(h, t, "purple submarine contract details").label, 4);
    assert_int_equal(sample_ask(h, t, "purple submarine contract detail").label, 3);
    teach(t, 2, 1, true, "purple submarine contract details"); /* taught anew under the same id */
    assert_int_equal(sample_ask(h, t, "purple submarine contract details").label, 1);
    assert_int_equal(fit_taught_count(t), 3);
    fit_taught_close(t);
    fit_head_close(h);
}

static void new_labels_and_labels_for_people(void **state) {
    (void)state;
    fail f;
    fit_taught *t = NULL;
    sample_make(&train, 30, 1);
    fit_head *h = sample_fit(&train);
    assert_ok(fit_taught_open(&t, SAMPLE_DIM, &f), &f);
    teach(t, 1, SAMPLE_LABELS, false, "my drone crashed into a glacier");
    fit_answer a = sample_ask(h, t, "my drone crashed into a glacier");
    assert_true(a.taught && a.label == SAMPLE_LABELS && !a.above);
    fit_taught_close(t);
    fit_head_close(h);
}

static void a_refit_lists_what_changed(void **state) {
    (void)state;
    fail f;
    arena a;
    arena_init(&a, 0);
    sample_make(&train, 30, 1);
    sample_make(&test, 20, 2);
    fit_head *before = sample_fit(&train);
    for (int i = 0; i < 8; i++) {
        char text[100];
        snprintf(text, sizeof text, "drone glacier crash variant%d", i);
        sample_put(&train, 1, text);
    }
    fit_head *after = sample_fit(&train);
    sample_put(&test, 1, "drone glacier crash");
    fit_change *changes = NULL;
    size_t n = 0;
    assert_ok(fit_head_compare(&a, before, NULL, after, test.texts, test.vectors, test.n, &changes,
                               &n, &f),
              &f);
    assert_true(n >= 1 && n < test.n / 4);
    assert_int_equal(changes[n - 1].index, test.n - 1);
    assert_int_equal(changes[n - 1].after.label, 1);
    assert_ok(fit_head_compare(&a, after, NULL, after, test.texts, test.vectors, test.n, &changes,
                               &n, &f),
              &f);
    assert_int_equal(n, 0);
    fit_head_close(before);
    fit_head_close(after);
    arena_deinit(&a);
}

static void nonsense_and_want_of_memory(void **state) {
    (void)state;
    fail f;
    fit_taught *t = NULL;
    float v[SAMPLE_DIM] = {NAN};
    assert_int_equal(fit_taught_open(&t, 0, &f), E_INPUT);
    mem_fail_at(1, false);
    assert_int_equal(fit_taught_open(&t, SAMPLE_DIM, &f), E_NO_MEMORY);
    mem_fail_at(0, false);
    assert_ok(fit_taught_open(&t, SAMPLE_DIM, &f), &f);
    assert_int_equal(fit_taught_add(t, 1, 0, true, v, &f), E_INPUT);
    v[0] = 1;
    assert_int_equal(fit_taught_add(t, 1, -1, true, v, &f), E_INPUT);
    for (int64_t at = 1; at <= 2; at++) {
        mem_fail_at(at, false);
        assert_int_equal(fit_taught_add(t, 1, 0, true, v, &f), E_NO_MEMORY);
        mem_fail_at(0, false);
        assert_int_equal(fit_taught_count(t), 0);
    }
    for (int64_t id = 0; id < 100; id++) assert_ok(fit_taught_add(t, id, 0, true, v, &f), &f);
    assert_int_equal(fit_taught_count(t), 100);
    fit_taught_close(t);
}

static void teach_many(void *arg) {
    for (int64_t i = 0; i < 300; i++) {
        char text[60];
        snprintf(text, sizeof text, "zebra %d parade", (int)i);
        teach(arg, i, 1, true, text);
        if (i % 3 == 0) fit_taught_forget(arg, i);
    }
}

static void asked_while_taught(void **state) {
    (void)state;
    fail f;
    fit_taught *t = NULL;
    thread teacher;
    sample_make(&train, 12, 1);
    fit_head *h = sample_fit(&train);
    assert_ok(fit_taught_open(&t, SAMPLE_DIM, &f), &f);
    assert_ok(thread_start(&teacher, "teacher", teach_many, t, &f), &f);
    for (int i = 0; i < 300; i++) sample_ask(h, t, "zebra parade");
    thread_join(&teacher);
    assert_int_equal(fit_taught_count(t), 200);
    fit_taught_close(t);
    fit_head_close(h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(taught_counts_at_once_and_nothing_else_changes),
        cmocka_unit_test(nearer_examples_of_other_labels_win),
        cmocka_unit_test(new_labels_and_labels_for_people),
        cmocka_unit_test(a_refit_lists_what_changed),
        cmocka_unit_test(nonsense_and_want_of_memory),
        cmocka_unit_test(asked_while_taught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
