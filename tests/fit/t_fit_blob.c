/* t_fit_blob.c - tests fit/fit_blob.c: what is saved is what is loaded; damage and hostile sizes
 * are named, never obeyed. */
#include "base/mem.h"
#include "fit/fit_sample.h"

static sample train;
static arena a;
static str blob;

static int make_blob(void **state) {
    (void)state;
    fail f;
    arena_init(&a, 0);
    sample_make(&train, 6, 1);
    fit_head *h = sample_fit(&train);
    assert_ok(fit_head_save(&a, h, &blob, &f), &f);
    fit_head_close(h);
    return 0;
}

static int drop_blob(void **state) {
    (void)state;
    arena_deinit(&a);
    return 0;
}

static void loaded_answers_like_saved(void **state) {
    (void)state;
    fail f;
    fit_head *h = sample_fit(&train), *copy = NULL;
    str again;
    assert_ok(fit_head_load(&copy, blob, &f), &f);
    assert_ok(fit_head_save(&a, copy, &again, &f), &f);
    assert_true(str_eq(blob, again));
    for (size_t i = 0; i < train.n; i++) {
        fit_answer x = sample_ask(h, NULL, train.bytes[i]),
                   y = sample_ask(copy, NULL, train.bytes[i]);
        assert_true(x.confidence == y.confidence && x.label == y.label && x.above == y.above);
        assert_true(x.nearest_id == y.nearest_id && x.top[1].score == y.top[1].score);
    }
    assert_true(fit_head_report(copy)->accuracy == fit_head_report(h)->accuracy);
    fit_head_close(h);
    fit_head_close(copy);
}

static char *copy_of_blob(void) {
    char *copy = mem_alloc(blob.n);
    assert_non_null(copy);
    memcpy(copy, blob.p, blob.n);
    return copy;
}

static void every_flip_and_cut_is_noticed(void **state) {
    (void)state;
    fail f;
    fit_head *h = NULL;
    char *copy = copy_of_blob();
    for (size_t i = 0; i < blob.n; i += i < 200 ? 1 : 97) {
        copy[i] = (char)(copy[i] ^ (1 << (i % 8)));
        err e = fit_head_load(&h, (str){copy, blob.n}, &f);
        assert_true(e == E_CORRUPT || (i >= 4 && i < 8 && e == E_UNSUPPORTED));
        copy[i] = blob.p[i];
    }
    for (size_t n = 0; n < blob.n; n += n < 200 ? 1 : 977)
        assert_int_equal(fit_head_load(&h, (str){copy, n}, &f), E_CORRUPT);
    assert_null(h);
    mem_free(copy);
}

/* With the checksum made good again, numbers inside may be anything: loading may work or not, and
 * what was loaded must answer without harm. */
static void hostile_numbers_do_no_harm(void **state) {
    (void)state;
    fail f;
    char *copy = copy_of_blob();
    rand_stream r = {11, 0};
    size_t loaded = 0;
    for (int round = 0; round < 3000; round++) {
        size_t at = round % 2 ? 24 + (size_t)rand_next_below(&r, 120)
                              : 24 + (size_t)rand_next_below(&r, (int64_t)blob.n - 24);
        copy[at] = (char)rand_next(&r);
        uint64_t sum = str_hash((str){copy + 24, blob.n - 24});
        memcpy(copy + 16, &sum, sizeof sum);
        fit_head *h = NULL;
        err e = fit_head_load(&h, (str){copy, blob.n}, &f);
        if (e == E_OK) {
            loaded++;
            if (fit_head_dim(h) == SAMPLE_DIM) sample_ask(h, NULL, "lost my card");
            fit_head_close(h);
        } else {
            assert_int_equal(e, E_CORRUPT);
        }
        copy[at] = blob.p[at];
    }
    assert_true(loaded > 100);
    mem_free(copy);
}

static void each_allocation_may_fail(void **state) {
    (void)state;
    fail f;
    bool reached_end = false;
    for (int64_t at = 1; !reached_end && at < 500; at++) {
        fit_head *h = NULL;
        mem_fail_at(at, false);
        err e = fit_head_load(&h, blob, &f);
        mem_fail_at(0, false);
        reached_end = e == E_OK;
        if (e != E_OK) assert_int_equal(e, E_NO_MEMORY);
        fit_head_close(h);
    }
    assert_true(reached_end);
    fit_head *h = sample_fit(&train);
    str out = STR_NONE;
    mem_fail_at(1, true);
    assert_int_equal(fit_head_save(&a, h, &out, &f), E_NO_MEMORY);
    mem_fail_at(0, false);
    assert_null(out.p);
    fit_head_close(h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loaded_answers_like_saved),
        cmocka_unit_test(every_flip_and_cut_is_noticed),
        cmocka_unit_test(hostile_numbers_do_no_harm),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, make_blob, drop_blob);
}
