/* team.c - fork-join over an atomic counter; see team.h.
 *
 *   idle --epoch++ & broadcast--> running: every worker claims indices until none is left
 *   worker done: left--; the caller returns when left is 0.
 * The caller always works itself, so a run finishes even while every helper is descheduled before
 * it has claimed anything; it then only waits for helpers that did claim an index. */
#include "base/team.h"

#include "base/mem.h"
#include "base/thread.h"

#include <stdatomic.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { TEAM_SPINS = 2000, TEAM_THREADS_MAX = 256 };

typedef struct team_worker {
    team *t;
    int index;
    thread thread;
} team_worker;

struct team {
    int threads;
    mutex turn; /* one run at a time */
    mutex lock; /* guards sleeping and waking */
    cond wake, done;
    atomic_ullong epoch; /* odd while a run is open to be joined */
    atomic_int inside;   /* helpers that have joined the open run */
    atomic_int sleepers;
    atomic_bool stop;
    void (*work)(void *, int64_t, int);
    void *arg;
    int64_t n;
    _Alignas(64) atomic_llong next;
    team_worker workers[];
};

static void spin_pause(void) {
#if defined(__x86_64__)
    _mm_pause();
#endif
}

static void team_claim(team *t, int worker) {
    for (;;) {
        int64_t i = atomic_fetch_add_explicit(&t->next, 1, memory_order_relaxed);
        if (i >= t->n) return;
        t->work(t->arg, i, worker);
    }
}

static void team_sleep(team *t, unsigned long long seen) {
    mutex_lock(&t->lock);
    atomic_fetch_add(&t->sleepers, 1);
    while (atomic_load(&t->epoch) == seen && !atomic_load(&t->stop)) cond_wait(&t->wake, &t->lock);
    atomic_fetch_sub(&t->sleepers, 1);
    mutex_unlock(&t->lock);
}

/* Joins the run of `epoch` unless it has closed: `inside` is raised first and the epoch looked at
 * again, so the caller that closes the run sees everyone who will still touch it. */
static void team_join(team *t, unsigned long long epoch, int worker) {
    atomic_fetch_add(&t->inside, 1);
    if (atomic_load(&t->epoch) == epoch) team_claim(t, worker);
    if (atomic_fetch_sub(&t->inside, 1) == 1) {
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
        for (int i = 0; i < TEAM_SPINS && atomic_load(&t->epoch) == seen; i++) spin_pause();
        if (atomic_load(&t->epoch) == seen) team_sleep(t, seen);
        seen = atomic_load(&t->epoch);
        if (seen & 1) team_join(t, seen, w->index);
    }
}

static void team_wait_helpers(team *t) {
    for (int i = 0; i < TEAM_SPINS && atomic_load(&t->inside) > 0; i++) spin_pause();
    mutex_lock(&t->lock);
    while (atomic_load(&t->inside) > 0) cond_wait(&t->done, &t->lock);
    mutex_unlock(&t->lock);
}

void team_run(team *t, void (*work)(void *, int64_t, int), void *arg, int64_t n) {
    if (n <= 0) return;
    mutex_lock(&t->turn);
    t->work = work;
    t->arg = arg;
    t->n = n;
    atomic_store(&t->next, 0);
    if (t->threads > 1 && n > 1) {
        atomic_fetch_add(&t->epoch, 1);
        if (atomic_load(&t->sleepers) > 0) {
            mutex_lock(&t->lock);
            cond_broadcast(&t->wake);
            mutex_unlock(&t->lock);
        }
        team_claim(t, 0);
        atomic_fetch_add(&t->epoch, 1); /* closed: nobody new may join */
        team_wait_helpers(t);
    } else {
        team_claim(t, 0);
    }
    mutex_unlock(&t->turn);
}

int team_threads(const team *t) {
    return t->threads;
}

err team_open(team **out, int threads, fail *f) {
    if (threads < 1) threads = thread_cores();
    if (threads > TEAM_THREADS_MAX)
        return fail_set(f, E_INPUT, "%d threads are above the limit of %d", threads,
                        TEAM_THREADS_MAX);
    size_t bytes = sizeof(team) + (size_t)threads * sizeof(team_worker);
    team *t = mem_alloc_aligned(bytes);
    if (!t) return fail_memory(f, "the compute team");
    *t = (team){.threads = threads};
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
