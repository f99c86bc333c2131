/* api_slot.c - what the runner is at: asked and changed by whoever queues, looks at, cancels or
 * deletes what runs without a client. Under the runner's lock; any thread. */
#include "api/api_keep.h"

void api_runner_tell(api_runner *r) {
    r->news++;
    cond_broadcast(&r->changed);
}

void api_runner_wake(api_runner *r) {
    if (!r) return;
    mutex_lock(&r->lock);
    api_runner_tell(r);
    mutex_unlock(&r->lock);
}

bool api_runner_is_at(api_runner *r, int64_t job) {
    bool at = false;
    if (!r) return false;
    mutex_lock(&r->lock);
    for (size_t i = 0; i < API_SLOTS; i++) at |= r->slots[i].job == job;
    mutex_unlock(&r->lock);
    return at;
}

void api_runner_leave(api_runner *r, int64_t job, int64_t batch) {
    if (!r) return;
    mutex_lock(&r->lock);
    for (size_t i = 0; i < API_SLOTS; i++) {
        api_slot *s = &r->slots[i];
        if ((job && s->job == job) || (batch && s->batch == batch)) atomic_store(&s->left, true);
    }
    mutex_unlock(&r->lock);
}
