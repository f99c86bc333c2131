/* thread.h - threads, locks, bounded queues. Thin over pthread: the names, and errors as err. */
#ifndef BANTAM_BASE_THREAD_H
#define BANTAM_BASE_THREAD_H

#include "base/err.h"

#include <pthread.h>
#include <stdint.h>

typedef struct thread {
    pthread_t id;
    bool started;
} thread;
err thread_start(thread *t, const char *name, void (*run)(void *), void *arg, fail *f) MUST_CHECK;
uint64_t thread_self(void);  /* a number of the calling thread's own while it lives */
void thread_join(thread *t); /* a thread that was never started is fine */

typedef pthread_mutex_t mutex;
void mutex_init(mutex *m);
void mutex_deinit(mutex *m);
void mutex_lock(mutex *m);
bool mutex_try_lock(mutex *m); /* false: somebody has it */
void mutex_unlock(mutex *m);

typedef pthread_cond_t cond; /* on the monotonic clock */
void cond_init(cond *c);
void cond_deinit(cond *c);
void cond_wait(cond *c, mutex *m);
bool cond_wait_ms(cond *c, mutex *m, int64_t ms); /* false when the time is up; ms < 0 = for ever */
void cond_signal(cond *c);
void cond_broadcast(cond *c);

/* Bounded first-in first-out queue of pointers between threads. Who began to wait last is woken
 * first: of a large pool as many threads work as there is work for, with warm caches and what
 * memory their allocator keeps for them, and the rest sleeps on. */
typedef struct queue {
    mutex lock;
    struct queue_taker *takers; /* who waits, the last first */
    void **items;
    size_t cap, head, count;
    bool closed;
} queue;
err queue_init(queue *q, size_t items_max, fail *f) MUST_CHECK;
void queue_deinit(queue *q);
bool queue_put(queue *q, void *item); /* false when full or closed: the caller decides */
/* Waits up to ms (< 0 = for ever). false when time is up, or closed and empty. */
bool queue_take(queue *q, void **item, int64_t ms);
void queue_close(queue *q); /* wakes every taker; what is inside is still taken */
size_t queue_count(queue *q);

int thread_cores(void); /* usable ones: affinity mask, core topology, cgroup quota (cores.h) */

#endif
