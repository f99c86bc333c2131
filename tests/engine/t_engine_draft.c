/* t_engine_draft.c - tests engine/engine_draft.c without a model: where a past goes on, what a
 * guess is worth. */
#include "engine/engine_draft.h"

#include "test.h"

static void the_longest_copy_is_found(void **state) {
    (void)state;
    int64_t match;
    const int32_t plain[] = {1, 2, 3, 4, 9, 2, 3, 8, 1, 2, 3};
    assert_int_equal(draft_find(plain, 11, &match), 3); /* 1 2 3, not the later 2 3 */
    assert_int_equal(match, 3);
    const int32_t twice[] = {2, 3, 4, 9, 2, 3, 8, 0, 2, 3};
    assert_int_equal(draft_find(twice, 10, &match), 6); /* of equals the later */
    assert_int_equal(match, 2);
    const int32_t none[] = {1, 2, 3, 4, 3};
    assert_int_equal(draft_find(none, 5, &match), -1); /* one token alone says nothing */
    const int32_t loop[] = {5, 5, 5, 5};
    assert_int_equal(draft_find(loop, 4, &match), 3);
    assert_int_equal(draft_find(loop, 1, &match), -1);
}

static void times_between_are_between(void **state) {
    (void)state;
    draft_cost c = {{0}};
    assert_true(draft_cost_of(&c, 3) == 0);
    draft_cost_learn(&c, 2, 100);
    assert_true(draft_cost_of(&c, 1) == 100); /* only a larger one is known */
    draft_cost_learn(&c, 1, 80);
    assert_true(draft_cost_of(&c, 3) == 100 + 0.3 * 80);
    draft_cost_learn(&c, 6, 180);
    assert_true(draft_cost_of(&c, 4) == 140);
    draft_cost_learn(&c, 6, 280);
    assert_true(draft_cost_of(&c, 6) == 200); /* a fifth of the new */
    draft_cost_learn(&c, DRAFT_ROWS_MAX + 1, 1);
    assert_true(draft_cost_of(&c, DRAFT_ROWS_MAX + 9) > 200);
}

/* Alone at `one` ns a row: how many it would guess. */
static int64_t length(draft_record r, double one, double more, double each) {
    draft_cost c = {{0}};
    draft_step step = {.rows = 1, .tokens = 1};
    draft_cost_learn(&c, 1, one);
    draft_cost_learn(&c, 9, one + 8 * more);
    return draft_length(&r, &c, &step, 8, each);
}

static void guesses_pay_or_are_left(void **state) {
    (void)state;
    const draft_record fresh = {0}, good = {40, 39}, bad = {10, 0};
    assert_true(length(fresh, 100, 10, 0) >= 1);
    assert_int_equal(length(good, 100, 10, 0), 8);
    assert_int_equal(length(bad, 100, 10, 0), 0);
    assert_int_equal(length(good, 100, 100, 0), 0);  /* a row costs what it brings */
    assert_int_equal(length(good, 100, 10, 200), 0); /* the draft model is too slow */
    /* 0.5 + 0.25 for two rows at a third each */
    assert_int_equal(length(fresh, 100, 34, 0), 1);
}

static void bad_guesses_end_and_are_tried_again(void **state) {
    (void)state;
    draft_cost c = {{0}};
    draft_record r = {0};
    int tried = 0, stopped = 0, again = 0;
    draft_cost_learn(&c, 1, 100);
    draft_cost_learn(&c, 9, 300);
    for (int i = 0; i < 1000; i++) {
        draft_step step = {.rows = 1, .tokens = 1};
        int64_t n = draft_length(&r, &c, &step, 8, 0);
        if (n > 0) {
            draft_record_add(&r, n, 0); /* never right */
            tried++;
            again += stopped > 0;
        } else {
            stopped++;
        }
    }
    assert_in_range(tried, 2, 100);
    assert_true(stopped > 900 && again > 0);
    for (int i = 0; i < 30; i++) draft_record_add(&r, 2, 2); /* it repeats itself now */
    draft_step step = {.rows = 1, .tokens = 1};
    assert_int_equal(draft_length(&r, &c, &step, 8, 0), 8);
    assert_int_equal(step.rows, 9);
    assert_true(step.tokens > 6 && step.tokens < 9);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_copy_is_found),
        cmocka_unit_test(times_between_are_between),
        cmocka_unit_test(guesses_pay_or_are_left),
        cmocka_unit_test(bad_guesses_end_and_are_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
