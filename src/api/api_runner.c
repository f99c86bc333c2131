/* api_runner.c - the threads that run what waits in the store: background responses and requests
 * that asked to be answered later on some, lines of batches on others, so that a batch keeps nobody
 * waiting.
 *
 *     look (under the lock) -> nothing: sleep until woken | a job: mark the slot, run, end it
 *
 * Which job runs is known in memory alone: when the process dies its row is queued still, and runs
 * again. What the engine has no room for waits and is tried again. The first slot for lines sees to
 * batches that begin or end. */
#include "api/api_keep.h"

#include "base/log.h"
#include "base/mem.h"

enum {
    LOOK_MS = 10000, /* a batch's time may be up */
    TROUBLE_MS = 2000,
    RETRY_S_MAX = 30
};

/* ---- one job ---- */

static err end_job(api *a, keep_job *job, const api_inside_answer *answer, fail *f) {
    store_tx *tx;
    bool changed;
    job->state = KEEP_DONE;
    job->status = answer->status;
    job->answer = answer->body;
    job->request = answer->request;
    TRY(store_begin(a->o.store, STORE_WRITE, &tx, f));
    return keep_finish(tx, keep_job_end(tx, job, &changed, f), f);
}

static bool is_full(err e) {
    return e == E_LIMIT || e == E_BUSY;
}

/* *wait_ms: until this slot should look again; 0 = at once. */
static err run_job(api_slot *s, keep_job *job, arena *mem, int64_t *wait_ms, fail *f) {
    api *a = s->runner->api;
    api_inside_answer answer;
    err e = api_inside_run(a, job, &s->left, mem, &answer, f);
    if (e == E_CANCELLED) return E_OK; /* whoever broke it off has said so in its row, or stops */
    TRY(e);
    if (is_full(answer.why)) {
        int retry_s = answer.fail.retry_s > 0 ? answer.fail.retry_s : 1;
        *wait_ms = (retry_s < RETRY_S_MAX ? retry_s : RETRY_S_MAX) * 1000;
        return E_OK;
    }
    if (!answer.ended)
        TRY(job->kind == KEEP_RESPONSE ? api_response_fail(a, job, &answer, f)
                                       : end_job(a, job, &answer, f));
    api_async_wake(a, job->ref);
    return E_OK;
}

/* ---- a slot ---- */

static size_t list_busy(const api_runner *r, int64_t busy[API_SLOTS]) {
    size_t n = 0;
    for (size_t i = 0; i < API_SLOTS; i++)
        if (r->slots[i].job) busy[n++] = r->slots[i].job;
    return n;
}

/* The lock is held. */
static err take(api_slot *s, arena *mem, keep_job *job, bool *found, fail *f) {
    int64_t busy[API_SLOTS];
    size_t n = list_busy(s->runner, busy);
    TRY(keep_job_next(s->runner->api->o.store, s->lines, busy, n, mem, job, found, f));
    if (!*found) return E_OK;
    s->job = job->id;
    s->batch = job->batch;
    atomic_store(&s->left, false);
    return E_OK;
}

static void log_trouble(const char *what, err e, const fail *f) {
    if (e != E_OK) log_error("api", "%s: %s", what, f->text);
}

/* The lock is held, and given up while it works. *wait_ms < 0: nothing to do. */
static void turn(api_slot *s, arena *mem, int64_t *wait_ms) {
    api_runner *r = s->runner;
    keep_job job;
    fail f = {0};
    bool worked = false;
    err e = E_OK;
    *wait_ms = 0;
    if (s->tends) {
        mutex_unlock(&r->lock);
        e = api_batch_tend(r->api, &worked, &f);
        mutex_lock(&r->lock);
        log_trouble("a batch cannot be seen to", e, &f);
        if (e != E_OK) *wait_ms = TROUBLE_MS;
        if (worked) api_runner_tell(r); /* lines for the other slots */
        if (e != E_OK || worked || r->stop) return;
    }
    e = take(s, mem, &job, &worked, &f);
    log_trouble("cannot look for background requests", e, &f);
    if (e != E_OK || !worked) {
        *wait_ms = e != E_OK ? TROUBLE_MS : -1;
        return;
    }
    mutex_unlock(&r->lock);
    e = run_job(s, &job, mem, wait_ms, &f);
    mutex_lock(&r->lock);
    log_trouble("a background request cannot be ended and will run again", e, &f);
    if (e != E_OK) *wait_ms = TROUBLE_MS;
    s->job = s->batch = 0;
    if (job.kind == KEEP_LINE) api_runner_tell(r); /* it may have been the last */
}

static void slot_main(void *self) {
    api_slot *s = self;
    api_runner *r = s->runner;
    arena mem;
    arena_init(&mem, 0);
    mutex_lock(&r->lock);
    while (!r->stop) {
        int64_t wait_ms;
        uint64_t news = r->news;
        turn(s, &mem, &wait_ms);
        arena_reset(&mem);
        bool missed = wait_ms < 0 && news != r->news; /* what came while the lock was given up */
        if (r->stop || missed || wait_ms == 0) continue;
        (void)cond_wait_ms(&r->changed, &r->lock, wait_ms > 0 ? wait_ms : s->tends ? LOOK_MS : -1);
    }
    mutex_unlock(&r->lock);
    arena_deinit(&mem);
}

/* ---- life ---- */

err api_runner_open(api_runner **out, api *a, fail *f) {
    api_runner *r = mem_zero(sizeof *r);
    if (!r) return fail_memory(f, "the background");
    r->api = a;
    mutex_init(&r->lock);
    cond_init(&r->changed);
    *out = r; /* a slot's route looks at it */
    for (size_t i = 0; i < API_SLOTS; i++) {
        api_slot *s = &r->slots[i];
        s->runner = r;
        s->lines = i >= API_SLOTS_ASKED;
        s->tends = i == API_SLOTS_ASKED;
        err e = thread_start(&s->thread, s->lines ? "batch" : "background", slot_main, s, f);
        if (e == E_OK) continue;
        api_runner_close(r);
        *out = NULL;
        return e;
    }
    return E_OK;
}

void api_runner_stop(api_runner *r) {
    if (!r) return;
    mutex_lock(&r->lock);
    r->stop = true;
    for (size_t i = 0; i < API_SLOTS; i++) atomic_store(&r->slots[i].left, true);
    cond_broadcast(&r->changed);
    mutex_unlock(&r->lock);
    for (size_t i = 0; i < API_SLOTS; i++) thread_join(&r->slots[i].thread);
}

void api_runner_close(api_runner *r) {
    if (!r) return;
    api_runner_stop(r);
    cond_deinit(&r->changed);
    mutex_deinit(&r->lock);
    mem_free(r);
}
