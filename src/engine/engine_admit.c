/* engine_admit.c - who of the waiting goes first, and who may wait at all; lock held.
 *
 * A sequence has a priority (a level) and a tenant. The highest level goes first, but a level that
 * was passed over PASSED_MAX times goes next, so each gets at least one of PASSED_MAX + 1
 * admissions (aging by admissions: no clock is asked). Within a level the tenant that was served
 * the fewest tokens goes first (virtual token counters: Sheng et al. 2024, "Fairness in Serving
 * Large Language Models"; a token of a prompt and one that is made weigh the same here), and of one
 * tenant's the first that came. A tenant that comes back is lifted to the least of those who are
 * there: nobody saves up.
 *
 * The one that is chosen is waited for: nobody overtakes it because it needs more pages. */
#include "base/clock.h"
#include "engine/engine_int.h"

enum { PASSED_MAX = 8, RETRY_S_MAX = 600, QUEUE_PART = 4 };
static const double remember = 0.8;

static int32_t level_of(const engine_sequence *s) {
    return s->priority + ENGINE_PRIORITY_MAX;
}

/* ---- tenants ---- */

static int64_t least_served(const engine *e) {
    int64_t least = INT64_MAX;
    for (int32_t i = 0; i < e->n_slots; i++)
        if (e->tenants[i].sequences > 0 && e->tenants[i].served < least)
            least = e->tenants[i].served;
    return least == INT64_MAX ? 0 : least;
}

/* There are as many as slots, so one of another that has left is always there. */
static engine_tenant *tenant_of(engine *e, uint64_t id) {
    engine_tenant *free = NULL;
    for (int32_t i = 0; i < e->n_slots; i++) {
        engine_tenant *t = &e->tenants[i];
        if (t->known && t->id == id) return t;
        bool better =
            !free || (free->known && !t->known) || (free->known && t->served < free->served);
        if (t->sequences == 0 && better) free = t;
    }
    *free = (engine_tenant){.id = id, .known = true};
    return free;
}

void engine_admit_join(engine *e, engine_sequence *s) {
    engine_tenant *t = tenant_of(e, s->tenant_id);
    int64_t least = least_served(e);
    if (t->sequences == 0 && t->served < least) t->served = least;
    t->sequences++;
    s->tenant = t;
}

void engine_admit_leave(engine_sequence *s) {
    if (s->tenant) s->tenant->sequences--;
    s->tenant = NULL;
}

void engine_admit_served(engine_sequence *s, int64_t tokens) {
    if (s->tenant) s->tenant->served += tokens;
}

/* ---- the next one ---- */

static int32_t level_next(engine *e) {
    bool waits[ENGINE_LEVELS] = {false};
    int32_t highest = 0, passed = -1;
    for (int32_t i = 0; i < e->n_waiting; i++) waits[level_of(e->waiting[i])] = true;
    for (int32_t l = 0; l < ENGINE_LEVELS; l++) {
        if (!waits[l]) e->passed[l] = 0;
        if (waits[l]) highest = l;
        if (e->passed[l] >= PASSED_MAX && (passed < 0 || e->passed[l] >= e->passed[passed]))
            passed = l;
    }
    return passed >= 0 ? passed : highest;
}

int32_t engine_admit_next(engine *e) {
    if (e->waiting[0]->postponed) return 0;
    int32_t level = level_next(e), best = -1;
    for (int32_t i = 0; i < e->n_waiting; i++) {
        const engine_sequence *s = e->waiting[i];
        if (level_of(s) != level) continue;
        if (best < 0 || s->tenant->served < e->waiting[best]->tenant->served) best = i;
    }
    return best;
}

void engine_admit_done(engine *e, engine_sequence *s) {
    int32_t level = level_of(s);
    if (!s->postponed) {
        for (int32_t i = 0, l; i < e->n_waiting; i++)
            if ((l = level_of(e->waiting[i])) < level && !e->waiting[i]->postponed)
                e->seen[l] = true;
        for (int32_t l = 0; l < ENGINE_LEVELS; l++) {
            e->passed[l] += e->seen[l];
            e->seen[l] = false;
        }
        e->passed[level] = 0;
        engine_admit_served(s, s->n_prompt - s->n_done);
    }
    s->postponed = false;
}

/* ---- who waits too long, and who may not wait ---- */

bool engine_admit_expired(const engine_sequence *s, int64_t now_ns) {
    return s->deadline_ns && !s->started_ns && now_ns >= s->deadline_ns;
}

static int64_t tenant_waits(const engine *e, uint64_t id) {
    int64_t n = 0;
    for (int32_t i = 0; i < e->n_waiting; i++) n += e->waiting[i]->tenant_id == id;
    return n;
}

/* One tenant among others leaves a quarter of the places to them. */
bool engine_admit_full(const engine *e, uint64_t tenant) {
    int32_t most = e->o.waiting_max;
    if (e->n_waiting >= most) return true;
    return tenant && tenant_waits(e, tenant) >= most - most / QUEUE_PART;
}

void engine_admit_pace(engine *e, double step_ns) {
    e->step_ns = e->step_ns > 0 ? remember * e->step_ns + (1 - remember) * step_ns : step_ns;
    e->busy_ns += step_ns;
    if (e->n_ended == 0) return;
    double gap = e->busy_ns / (double)e->n_ended;
    e->gap_ns = e->gap_ns > 0 ? remember * e->gap_ns + (1 - remember) * gap : gap;
    e->busy_ns = 0;
    e->n_ended = 0;
}

/* Before anything has ended: until the one of the running that has least left. */
static double first_end_ns(const engine *e) {
    int64_t least = INT64_MAX;
    for (int32_t i = 0; i < e->n_running; i++) {
        int64_t left = e->running[i]->room_max - e->running[i]->n_tokens;
        if (left < least) least = left;
    }
    return e->n_running ? e->step_ns * (double)least : 0;
}

int engine_admit_retry_s(const engine *e) {
    double places = (double)(e->o.waiting_max / QUEUE_PART + 1);
    double s = (e->gap_ns > 0 ? e->gap_ns * places : first_end_ns(e)) * 1e-9;
    return s < 1 ? 1 : s > RETRY_S_MAX ? RETRY_S_MAX : (int)s + 1;
}
