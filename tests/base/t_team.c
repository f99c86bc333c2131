/* t_team.c - tests base/team.c and base/team_pace.c: each index once whatever the number of threads
 * and callers, and when a team works alone. Windows are fed with made-up times. */
#include "base/team.h"

#include "base/clock.h"
#include "base/team_pace.h"
#include "base/thread.h"
#include "test.h"

#include <stdatomic.h>

enum { PIECES = 97, ROUNDS = 300 };

typedef struct job {
    atomic_int seen[PIECES];
    atomic_int bad_worker;
    int threads;
} job;

static void piece(void *arg, int64_t i, int worker) {
    job *j = arg;
    atomic_fetch_add(&j->seen[i], 1);
    if (worker < 0 || worker >= j->threads) atomic_store(&j->bad_worker, 1);
}

static void check_runs(team *t) {
    static const int sizes[] = {0, 1, 2, 3, PIECES};
    for (int r = 0; r < ROUNDS; r++) {
        job j = {.threads = team_threads(t)};
        int n = sizes[r % 5];
        team_run(t, piece, &j, n);
        for (int i = 0; i < PIECES; i++) assert_int_equal(atomic_load(&j.seen[i]), i < n);
        assert_false(atomic_load(&j.bad_worker));
        if (r % 100 == 99) clock_sleep_ms(1); /* helpers fall asleep */
    }
}

static void each_index_once(void **state) {
    (void)state;
    for (int threads = 1; threads <= 5; threads++) {
        team *t;
        fail f;
        assert_ok(team_open(&t, threads, &f), &f);
        assert_int_equal(team_threads(t), threads);
        check_runs(t);
        team_close(t);
    }
}

static void other_caller(void *arg) {
    check_runs(arg);
}

static void callers_take_turns(void **state) {
    (void)state;
    team *t;
    fail f;
    thread other[2] = {{0}};
    assert_ok(team_open(&t, 2, &f), &f);
    for (int i = 0; i < 2; i++)
        assert_ok(thread_start(&other[i], "caller", other_caller, t, &f), &f);
    check_runs(t);
    for (int i = 0; i < 2; i++) thread_join(&other[i]);
    team_close(t);
}

static void too_many_threads(void **state) {
    (void)state;
    team *t = NULL;
    fail f;
    assert_int_equal(team_open(&t, 257, &f), E_INPUT);
    assert_null(t);
    team_close(NULL);
}

/* ---- pace ---- */

static team_usage now;
static team_pace pace;

/* A whole window in which the caller had `share` of a processor and helpers did `helped` of 100. */
static void window(double share, int64_t helped) {
    int64_t took = pace.end_ns - now.now_ns;
    if (!pace.alone) team_pace_run(&pace, 100, helped, 0, false);
    now.now_ns = pace.end_ns;
    now.cpu_ns += (int64_t)(share * (double)took);
    team_pace_judge(&pace, &now);
}

static void begin(void) {
    pace = (team_pace){0};
    now = (team_usage){.thread = 1, .now_ns = 5000000000};
    team_pace_judge(&pace, &now);
    assert_false(pace.alone);
}

static void quiet_stays_together(void **state) {
    (void)state;
    begin();
    for (int i = 0; i < 100; i++) {
        window(1, 50);
        assert_false(pace.alone);
    }
}

static void helpers_that_bring_nothing_are_left(void **state) {
    (void)state;
    begin();
    int64_t alone_ns = 0, together_ns = 0, longest = 0;
    for (int i = 0; i < 100; i++) {
        int64_t took = pace.end_ns - now.now_ns;
        *(pace.alone ? &alone_ns : &together_ns) += took;
        longest = pace.alone && took > longest ? took : longest;
        window(pace.alone ? 0.66 : 0.4, 10); /* together 0.44 */
    }
    assert_true(together_ns < alone_ns / 15);
    assert_int_equal(longest, 320000000);
    window(pace.alone ? 1 : 0.4, 10);
    if (pace.alone) window(1, 0);
    for (int i = 0; i < 10; i++) window(1, 50); /* quiet again: together, and forgotten */
    assert_false(pace.alone);
    assert_int_equal(pace.alone_ns, 0);
}

static void busy_but_worth_it_stays(void **state) {
    (void)state;
    begin();
    int alone = 0;
    for (int i = 0; i < 60; i++) { /* together 0.8, alone 0.66 */
        window(pace.alone ? 0.66 : 0.5, 37);
        alone += pace.alone;
    }
    assert_int_equal(alone, 1); /* once, to see what alone brings */
}

static void waiting_long_means_alone(void **state) {
    (void)state;
    begin();
    for (int i = 0; i < 8; i++) {
        now.now_ns += 1000000;
        team_pace_late(&pace, &now);
        assert_true(pace.alone);
        assert_true(pace.end_ns - now.now_ns == (i < 4 ? 20000000ll << i : 320000000ll));
        window(0.66, 0);
        assert_false(pace.alone);
    }
}

static void a_sleeper_says_nothing(void **state) {
    (void)state;
    begin();
    for (int i = 0; i < 20; i++) {
        now.sleeps++; /* it waited for requests */
        window(0.01, 50);
        assert_false(pace.alone);
    }
    now.thread = 2; /* another engine's thread */
    window(0.01, 50);
    assert_false(pace.alone);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_index_once),
        cmocka_unit_test(callers_take_turns),
        cmocka_unit_test(too_many_threads),
        cmocka_unit_test(quiet_stays_together),
        cmocka_unit_test(helpers_that_bring_nothing_are_left),
        cmocka_unit_test(busy_but_worth_it_stays),
        cmocka_unit_test(waiting_long_means_alone),
        cmocka_unit_test(a_sleeper_says_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
