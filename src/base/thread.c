/* thread.c - see thread.h. Lock and wait calls of pthread fail only through our own mistakes, so
 * they are checked, not passed up; creating a thread can fail and is passed up. */
#include "base/thread.h"

#include "base/cores.h"
#include "base/mem.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

typedef struct thread_start_args {
    void (*run)(void *);
    void *arg;
    char name[16];
} thread_start_args;

static void *thread_main(void *p) {
    thread_start_args args = *(thread_start_args *)p;
    mem_free(p);
    pthread_setname_np(pthread_self(), args.name);
    args.run(args.arg);
    return NULL;
}

err thread_start(thread *t, const char *name, void (*run)(void *), void *arg, fail *f) {
    thread_start_args *args = mem_zero(sizeof *args);
    if (!args) return fail_memory(f, "a thread");
    args->run = run;
    args->arg = arg;
    snprintf(args->name, sizeof args->name, "%s", name);
    /* signals are taken by the main thread alone */
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int bad = pthread_create(&t->id, NULL, thread_main, args);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (bad) {
        mem_free(args);
        return fail_set(f, E_NO_MEMORY, "cannot start thread \"%s\": %s", name, strerror(bad));
    }
    t->started = true;
    return E_OK;
}

uint64_t thread_self(void) {
    return (uint64_t)pthread_self();
}

void thread_join(thread *t) {
    if (!t->started) return;
    CHECK(pthread_join(t->id, NULL) == 0);
    t->started = false;
}

void mutex_init(mutex *m) {
    CHECK(pthread_mutex_init(m, NULL) == 0);
}
void mutex_deinit(mutex *m) {
    CHECK(pthread_mutex_destroy(m) == 0);
}
void mutex_lock(mutex *m) {
    CHECK(pthread_mutex_lock(m) == 0);
}
bool mutex_try_lock(mutex *m) {
    int bad = pthread_mutex_trylock(m);
    CHECK(bad == 0 || bad == EBUSY);
    return bad == 0;
}
void mutex_unlock(mutex *m) {
    CHECK(pthread_mutex_unlock(m) == 0);
}

void cond_init(cond *c) {
    pthread_condattr_t attr;
    CHECK(pthread_condattr_init(&attr) == 0);
    CHECK(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(c, &attr) == 0);
    pthread_condattr_destroy(&attr);
}
void cond_deinit(cond *c) {
    CHECK(pthread_cond_destroy(c) == 0);
}
void cond_wait(cond *c, mutex *m) {
    CHECK(pthread_cond_wait(c, m) == 0);
}

bool cond_wait_ms(cond *c, mutex *m, int64_t ms) {
    if (ms < 0) {
        cond_wait(c, m);
        return true;
    }
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    int bad = pthread_cond_timedwait(c, m, &until);
    CHECK(bad == 0 || bad == ETIMEDOUT);
    return bad == 0;
}

void cond_signal(cond *c) {
    CHECK(pthread_cond_signal(c) == 0);
}
void cond_broadcast(cond *c) {
    CHECK(pthread_cond_broadcast(c) == 0);
}

/* On the stack of a thread that waits; in the list until it is called or gives up. */
typedef struct queue_taker {
    struct queue_taker *next;
    cond called;
    bool is_called;
} queue_taker;

err queue_init(queue *q, size_t items_max, fail *f) {
    size_t bytes;
    *q = (queue){.cap = items_max};
    q->items = mem_size(items_max, sizeof *q->items, &bytes) ? mem_zero(bytes) : NULL;
    if (!q->items) return fail_memory(f, "a queue");
    mutex_init(&q->lock);
    return E_OK;
}

void queue_deinit(queue *q) {
    if (!q->items) return;
    mem_free(q->items);
    q->items = NULL;
    mutex_deinit(&q->lock);
}

static void call_one(queue *q) {
    queue_taker *t = q->takers;
    if (!t) return;
    q->takers = t->next;
    t->is_called = true;
    cond_signal(&t->called);
}

bool queue_put(queue *q, void *item) {
    mutex_lock(&q->lock);
    bool ok = !q->closed && q->count < q->cap;
    if (ok) {
        q->items[(q->head + q->count) % q->cap] = item;
        q->count++;
        call_one(q);
    }
    mutex_unlock(&q->lock);
    return ok;
}

static int64_t now_mono_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The lock is held. Called or not, the caller looks for itself what there is. */
static void wait_as_taker(queue *q, int64_t ms) {
    queue_taker me = {.next = q->takers};
    cond_init(&me.called);
    q->takers = &me;
    cond_wait_ms(&me.called, &q->lock, ms);
    queue_taker **at = &q->takers;
    while (!me.is_called && *at && *at != &me) at = &(*at)->next;
    if (!me.is_called && *at) *at = me.next;
    cond_deinit(&me.called);
}

bool queue_take(queue *q, void **item, int64_t ms) {
    int64_t end_ms = ms < 0 ? -1 : now_mono_ms() + ms;
    mutex_lock(&q->lock);
    while (q->count == 0 && !q->closed) {
        int64_t left_ms = ms < 0 ? -1 : end_ms - now_mono_ms();
        if (ms >= 0 && left_ms <= 0) break;
        wait_as_taker(q, left_ms);
    }
    bool ok = q->count > 0;
    if (ok) {
        *item = q->items[q->head];
        q->head = (q->head + 1) % q->cap;
        q->count--;
    }
    mutex_unlock(&q->lock);
    return ok;
}

void queue_close(queue *q) {
    mutex_lock(&q->lock);
    q->closed = true;
    while (q->takers) call_one(q);
    mutex_unlock(&q->lock);
}

size_t queue_count(queue *q) {
    mutex_lock(&q->lock);
    size_t n = q->count;
    mutex_unlock(&q->lock);
    return n;
}

int thread_cores(void) {
    return cores_count();
}
