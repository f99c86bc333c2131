/* team.c - fork-join over an atomic counter; see team.h.
 *
 *   idle --epoch++ (odd)--> open: every worker claims indices until none is left
 *        <--epoch++ (even)- closed by the caller; it returns when no helper is inside
 *
 * The caller always works itself, so a run finishes even while every helper is descheduled before
 * it has claimed anything; it then only waits for helpers that did claim an index.
 *
 * Waiting. Helpers spin for a while between runs (the next one of a step is microseconds away) and
 * sleep after that. The caller spins for stragglers, then sleeps too. Nobody spins where there are
 * more threads than cores.
 *
 * A helper that is descheduled in the middle of an index keeps the caller waiting for a whole time
 * slice: then, or where helpers bring nothing, the caller works alone for a while (team_pace.h). */
#include "base/team.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/team_pace.h"
#include "base/thread.h"

#include <stdatomic.h>
#include <sys/resource.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum {
    TEAM_THREADS_MAX = 256,
    SPIN_ROUNDS = 32,            /* of pauses between two looks at the clock: about a microsecond */
    HELPER_SPIN_NS = 200 * 1000, /* between runs, before a helper sleeps */
    CALLER_SPIN_NS = 100 * 1000, /* for stragglers, before the caller sleeps */
    LATE_NS = 100 * 1000, /* a wait of this and LATE_PIECES of the caller's indices is late */
    LATE_PIECES = 4
};

typedef struct team_worker {
    team *t;
    int index;
    thread thread;
} team_worker;

struct team {
    int threads;
    bool spins;
    mutex turn; /* one run at a time; guards the next four */
    void (*work)(void *, int64_t, int);
    void *arg;
    int64_t n;
    team_pace pace;
    mutex lock; /* guards sleeping and waking */
    cond wake, done;
    atomic_int sleepers;
    atomic_bool waiting; /* the caller sleeps for `inside` to become 0 */
    atomic_bool stop;
    _Alignas(64) atomic_ullong epoch; /* odd while a run is open to be joined */
    _Alignas(64) atomic_int inside;   /* helpers that have joined the open run */
    _Alignas(64) atomic_llong next;
    team_worker workers[];
};

static void spin_pause(void) {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Indices until none is left; how many. */
static int64_t team_claim(team *t, int worker) {
    for (int64_t done = 0;; done++) {
        int64_t i = atomic_fetch_add_explicit(&t->next, 1, memory_order_relaxed);
        if (i >= t->n) return done;
        t->work(t->arg, i, worker);
    }
}

/* ---- helpers ---- */

static void team_sleep(team *t, unsigned long long seen) {
    mutex_lock(&t->lock);
    atomic_fetch_add(&t->sleepers, 1);
    while (atomic_load(&t->epoch) == seen && !atomic_load(&t->stop)) cond_wait(&t->wake, &t->lock);
    atomic_fetch_sub(&t->sleepers, 1);
    mutex_unlock(&t->lock);
}

static void team_spin(team *t, unsigned long long seen) {
    int64_t end_ns = 0;
    while (atomic_load_explicit(&t->epoch, memory_order_relaxed) == seen) {
        for (int i = 0; i < SPIN_ROUNDS; i++) {
            if (atomic_load_explicit(&t->epoch, memory_order_relaxed) != seen) return;
            spin_pause();
        }
        int64_t now_ns = clock_mono_ns();
        if (!end_ns) end_ns = now_ns + HELPER_SPIN_NS;
        if (now_ns > end_ns) return;
    }
}

/* Joins the run of `epoch` unless it has closed: `inside` is raised first and the epoch looked at
 * again, so the caller that closes the run sees everyone who will still touch it. */
static void team_join(team *t, unsigned long long epoch, int worker) {
    atomic_fetch_add(&t->inside, 1);
    if (atomic_load(&t->epoch) == epoch) team_claim(t, worker);
    if (atomic_fetch_sub(&t->inside, 1) == 1 && atomic_load(&t->waiting)) {
        mutex_lock(&t->lock);
        cond_signal(&t->done);
        mutex_unlock(&t->lock);
    }
}

static void team_worker_main(void *arg) {
    team_worker *w = arg;
    team *t = w->t;
    unsigned long long seen = 0;
    while (!atomic_load(&t->stop)) {
        if (t->spins) team_spin(t, seen);
        if (atomic_load(&t->epoch) == seen) team_sleep(t, seen);
        seen = atomic_load(&t->epoch);
        if (seen & 1) team_join(t, seen, w->index);
    }
}

/* ---- the caller ---- */

static team_usage usage_of(int64_t now_ns) {
    struct rusage r;
    CHECK(getrusage(RUSAGE_THREAD, &r) == 0);
    int64_t us = (int64_t)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000 +
                 (int64_t)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
    return (team_usage){
        .thread = thread_self(), .now_ns = now_ns, .cpu_ns = us * 1000, .sleeps = r.ru_nvcsw};
}

static void wait_asleep(team *t) {
    mutex_lock(&t->lock);
    atomic_store(&t->waiting, true);
    while (atomic_load(&t->inside) > 0) cond_wait(&t->done, &t->lock);
    atomic_store(&t->waiting, false);
    mutex_unlock(&t->lock);
}

/* Until no helper is inside; nanoseconds, 0 when that took about a microsecond at most. */
static int64_t team_wait(team *t, bool *slept) {
    *slept = false;
    for (int i = 0; i < SPIN_ROUNDS; i++) {
        if (atomic_load(&t->inside) == 0) return 0;
        spin_pause();
    }
    int64_t start_ns = clock_mono_ns(), now_ns = start_ns;
    int64_t end_ns = start_ns + (t->spins ? CALLER_SPIN_NS : 0);
    while (atomic_load(&t->inside) > 0 && now_ns < end_ns) {
        for (int i = 0; i < SPIN_ROUNDS && atomic_load(&t->inside) > 0; i++) spin_pause();
        now_ns = clock_mono_ns();
    }
    *slept = atomic_load(&t->inside) > 0;
    if (*slept) wait_asleep(t);
    return clock_mono_ns() - start_ns;
}

static void team_run_together(team *t, int64_t start_ns) {
    bool slept;
    atomic_fetch_add(&t->epoch, 1);
    if (atomic_load(&t->sleepers) > 0) {
        mutex_lock(&t->lock);
        cond_broadcast(&t->wake);
        mutex_unlock(&t->lock);
    }
    int64_t done = team_claim(t, 0);
    atomic_fetch_add(&t->epoch, 1); /* closed: nobody new may join */
    int64_t waited_ns = team_wait(t, &slept);
    team_pace_run(&t->pace, t->n, t->n - done, waited_ns, slept);
    if (waited_ns < LATE_NS) return;
    int64_t now_ns = clock_mono_ns(), own_ns = now_ns - start_ns - waited_ns;
    if (waited_ns <= LATE_NS + LATE_PIECES * own_ns / (done ? done : 1)) return;
    team_usage u = usage_of(now_ns);
    team_pace_late(&t->pace, &u);
}

/* Whether helpers are worth calling now. */
static bool together(team *t, int64_t now_ns) {
    if (now_ns >= t->pace.end_ns) {
        team_usage u = usage_of(now_ns);
        team_pace_judge(&t->pace, &u);
    }
    return !t->pace.alone;
}

void team_run(team *t, void (*work)(void *, int64_t, int), void *arg, int64_t n) {
    if (n <= 0) return;
    mutex_lock(&t->turn);
    int64_t now_ns = t->threads > 1 && n > 1 ? clock_mono_ns() : 0;
    if (now_ns && together(t, now_ns)) {
        t->work = work;
        t->arg = arg;
        t->n = n;
        atomic_store(&t->next, 0);
        team_run_together(t, now_ns);
    } else {
        for (int64_t i = 0; i < n; i++) work(arg, i, 0);
    }
    mutex_unlock(&t->turn);
}

int team_threads(const team *t) {
    return t->threads;
}

/* ---- life ---- */

err team_open(team **out, int threads, fail *f) {
    if (threads < 1) threads = thread_cores();
    if (threads > TEAM_THREADS_MAX)
        return fail_set(f, E_INPUT, "%d threads are above the limit of %d", threads,
                        TEAM_THREADS_MAX);
    size_t bytes = sizeof(team) + (size_t)threads * sizeof(team_worker);
    team *t = mem_alloc_aligned(bytes);
    if (!t) return fail_memory(f, "the compute team");
    *t = (team){.threads = threads, .spins = threads <= thread_cores()};
    mutex_init(&t->turn);
    mutex_init(&t->lock);
    cond_init(&t->wake);
    cond_init(&t->done);
    for (int i = 0; i < threads; i++) t->workers[i] = (team_worker){.t = t, .index = i};
    for (int i = 1; i < threads; i++) {
        err e =
            thread_start(&t->workers[i].thread, "bantam-team", team_worker_main, &t->workers[i], f);
        if (e != E_OK) {
            team_close(t);
            return e;
        }
    }
    *out = t;
    return E_OK;
}

void team_close(team *t) {
    if (!t) return;
    mutex_lock(&t->lock);
    atomic_store(&t->stop, true);
    cond_broadcast(&t->wake);
    mutex_unlock(&t->lock);
    for (int i = 1; i < t->threads; i++) thread_join(&t->workers[i].thread);
    cond_deinit(&t->done);
    cond_deinit(&t->wake);
    mutex_deinit(&t->lock);
    mutex_deinit(&t->turn);
    mem_free(t);
}
