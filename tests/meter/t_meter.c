/* t_meter.c - tests meter/: buckets, labels and the text, from many threads. */
#include "test.h"

#include "base/thread.h"
#include "meter/meter_process.h"

#include <math.h>

enum { THREADS = 4, TIMES = 20000 };

static meter_histogram shared;
static meter_count total;

static void add_many(void *arg) {
    double seconds = *(const double *)arg;
    for (int i = 0; i < TIMES; i++) {
        meter_observe(&shared, &meter_durations, seconds);
        atomic_fetch_add(&total, 1);
    }
}

static void nothing_is_lost_between_threads(void **state) {
    (void)state;
    thread t[THREADS];
    static const double seconds[THREADS] = {.001, .01, .5, 1000};
    fail f = {0};
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(thread_start(&t[i], "meter", add_many, (void *)(uintptr_t)&seconds[i], &f),
                         E_OK);
    for (int i = 0; i < THREADS; i++) thread_join(&t[i]);
    assert_int_equal(meter_observed(&shared), THREADS * TIMES);
    assert_int_equal(atomic_load(&total), THREADS * TIMES);
    assert_int_equal(atomic_load(&shared.counts[0]), 2 * TIMES); /* a bound is in its bucket */
    assert_int_equal(atomic_load(&shared.counts[meter_durations.n]), TIMES);
}

static void what_is_no_time_is_left_out(void **state) {
    (void)state;
    meter_histogram h = {0};
    meter_observe(&h, &meter_durations, (double)NAN);
    meter_observe(&h, &meter_durations, -1);
    meter_observe(&h, &meter_durations, (double)INFINITY);
    assert_int_equal(meter_observed(&h), 0);
    meter_observe(&h, &meter_durations, 0);
    assert_int_equal(meter_observed(&h), 1);
}

static void writes_the_format(void **state) {
    (void)state;
    static const double bounds[] = {.5, 1};
    const meter_scale scale = {bounds, 2};
    meter_histogram h = {0};
    meter_labels l = {.n = 0};
    buf out = {0};
    meter_observe(&h, &scale, .25);
    meter_observe(&h, &scale, .75);
    meter_observe(&h, &scale, 2);
    meter_label(&l, "a", STR("x\"y\\z\n"));
    meter_put_head(&out, "t_seconds", "histogram", "Time.");
    meter_put_histogram(&out, "t_seconds", &l, &h, &scale);
    meter_put_int(&out, "n_total", NULL, -3);
    meter_put_double(&out, "g", NULL, (double)NAN);
    assert_string_equal(buf_z(&out), "# HELP t_seconds Time.\n# TYPE t_seconds histogram\n"
                                     "t_seconds_bucket{a=\"x\\\"y\\\\z\\n\",le=\"0.5\"} 1\n"
                                     "t_seconds_bucket{a=\"x\\\"y\\\\z\\n\",le=\"1\"} 2\n"
                                     "t_seconds_bucket{a=\"x\\\"y\\\\z\\n\",le=\"+Inf\"} 3\n"
                                     "t_seconds_sum{a=\"x\\\"y\\\\z\\n\"} 3\n"
                                     "t_seconds_count{a=\"x\\\"y\\\\z\\n\"} 3\n"
                                     "n_total -3\ng NaN\n");
    buf_deinit(&out);
}

static void a_label_without_room_is_left_out(void **state) {
    (void)state;
    static char big[METER_LABELS_BYTES];
    meter_labels l = {.n = 0};
    memset(big, '"', sizeof big);
    meter_label(&l, "a", STR("1"));
    meter_label(&l, "b", (str){big, sizeof big});
    meter_label(&l, "c", (str){big, 240});
    meter_label(&l, "d", (str){big, 240});
    assert_true(l.n < METER_LABELS_BYTES);
    assert_memory_equal(l.text, "a=\"1\",c=\"", 9);
    assert_int_equal(l.text[l.n - 1], '"');
}

static void knows_the_process(void **state) {
    (void)state;
    buf out = {0};
    meter_put_process(&out, 1500);
    const char *text = buf_z(&out);
    const char *rss = strstr(text, "\nprocess_resident_memory_bytes ");
    assert_non_null(rss);
    assert_true(atof(rss + 31) > 100000);
    assert_non_null(strstr(text, "\nprocess_open_fds "));
    assert_non_null(strstr(text, "\nprocess_start_time_seconds 1.5\n"));
    buf_deinit(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost_between_threads),
        cmocka_unit_test(what_is_no_time_is_left_out),
        cmocka_unit_test(writes_the_format),
        cmocka_unit_test(a_label_without_room_is_left_out),
        cmocka_unit_test(knows_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
