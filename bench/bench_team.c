/* bench_team.c - the compute team: what a fork and join costs, and whether two threads lose when
 * other processes keep the cores busy.
 *
 *   make benches && build/bench/bench_team
 *
 * "join": team_run of one piece a thread, against that piece alone, best of many bursts. "steps": a
 * loop like the decoding of a small model (150 runs a step, 24 pieces of about 2 us each, 2 us of
 * the caller's own between them), one thread and two by turns of 100 ms, first quiet, then beside
 * two foreign processes that spin (started here, at normal priority). */
#include "base/clock.h"
#include "base/team.h"
#include "base/thread.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    BURSTS = 200,
    JOINS = 2000,
    STEP_RUNS = 150,
    PIECES = 24,
    PIECE_TURNS = 1800,
    ROUNDS = 30,
    SLICE_MS = 100
};

static double turn(int64_t turns) {
    volatile double x = 1;
    for (int64_t i = 0; i < turns; i++) x = x * 1.0000001;
    return x;
}
static void piece(void *arg, int64_t i, int worker) {
    (void)arg;
    (void)i;
    (void)worker;
    turn(PIECE_TURNS / 4);
}

static atomic_llong helped;
static void counted(void *arg, int64_t i, int worker) {
    (void)arg;
    (void)i;
    if (worker) atomic_fetch_add_explicit(&helped, 1, memory_order_relaxed);
    turn(PIECE_TURNS / 4);
}

static int64_t mean_ns(team *t, int64_t runs, int64_t n) {
    int64_t start = clock_mono_ns();
    for (int64_t i = 0; i < runs; i++) {
        if (t)
            team_run(t, counted, NULL, n);
        else
            counted(NULL, 0, 0);
    }
    return (clock_mono_ns() - start) / runs;
}

/* One piece for each thread: how much longer than the piece alone. Bursts in which the helpers did
 * not take their share (they were descheduled) do not count. */
static void show_join(team *t) {
    int64_t best = INT64_MAX, alone = INT64_MAX, n = team_threads(t), counted_bursts = 0;
    for (int b = 0; b < BURSTS; b++) {
        int64_t one = mean_ns(NULL, JOINS, 1);
        alone = one < alone ? one : alone;
        helped = 0;
        int64_t took = mean_ns(t, JOINS, n);
        if (n > 1 && helped < JOINS * (n - 1) * 9 / 10) continue;
        counted_bursts++;
        best = took < best ? took : best;
    }
    if (counted_bursts)
        printf("%lld pieces of %lld ns on as many threads: %lld ns, so fork and join %lld ns\n",
               (long long)n, (long long)alone, (long long)best, (long long)(best - alone));
    else
        printf("the helpers were never there: too busy a machine\n");
}

static int64_t steps_in_slice(team *t) {
    int64_t end = clock_mono_ns() + SLICE_MS * 1000000ll, steps = 0;
    for (; clock_mono_ns() < end; steps++)
        for (int i = 0; i < STEP_RUNS; i++) {
            team_run(t, piece, NULL, PIECES);
            turn(PIECE_TURNS / 4);
        }
    return steps;
}

/* By turns in short slices, so that whatever else runs here meets both alike. */
static void show_steps(team *const t[2], const char *where) {
    int64_t steps[2] = {0};
    for (int r = 0; r < ROUNDS; r++)
        for (int i = 0; i < 2; i++) steps[i] += steps_in_slice(t[i]);
    double seconds = ROUNDS * SLICE_MS * 1e-3;
    printf("%s: 1 thread %.1f, 2 threads %.1f steps/s: %.2f times\n", where,
           (double)steps[0] / seconds, (double)steps[1] / seconds,
           (double)steps[1] / (double)steps[0]);
}

/* Sessions matter: the kernel may share the processor between them first (autogroup). */
static void beside_busy(team *const t[2], bool own_session, const char *where) {
    pid_t busy[2];
    for (int i = 0; i < 2; i++) {
        busy[i] = fork();
        if (busy[i] == 0) {
            if (own_session) setsid();
            for (;;) turn(1000);
        }
    }
    show_steps(t, where);
    for (int i = 0; i < 2; i++) {
        kill(busy[i], SIGKILL);
        waitpid(busy[i], NULL, 0);
    }
}

int main(void) {
    team *t[2];
    fail f;
    for (int i = 0; i < 2; i++)
        if (team_open(&t[i], i + 1, &f) != E_OK) {
            fprintf(stderr, "%s\n", f.text);
            return 1;
        }
    printf("thread_cores(): %d\n", thread_cores());
    show_join(t[0]);
    show_join(t[1]);
    show_steps(t, "quiet");
    beside_busy(t, false, "beside two busy processes of the same session");
    beside_busy(t, true, "beside two busy processes of other sessions");
    for (int i = 0; i < 2; i++) team_close(t[i]);
    return 0;
}
