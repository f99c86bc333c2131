/* t_engine_admit.c - tests engine/engine_admit.c on a tiny model that runs one sequence at a time:
 * whom tenants and priorities let go first, who may not wait, and deadlines. One that nobody reads
 * holds the only place until the others are queued; masks write down who begins. */
#include "base/clock.h"
#include "engine/engine_int.h"
#include "model/tiny.h"
#include "said.h"

enum { WAITING = 40, HOLDER_TOKENS = 60, SHORT_TOKENS = 4, PROMPT = 5 };

typedef struct entry {
    engine_mask mask;
    engine_sequence *s;
    int number;
    bool begun;
} entry;

static struct rig {
    tiny base;
    team *team;
    model *m;
    engine *e;
    engine_sequence *holder;
    entry entries[WAITING];
    int n, order[WAITING], begun;
} r;

static err write_down(void *self, uint64_t *bits, bool *all, fail *f) {
    (void)bits, (void)f;
    entry *x = self;
    if (!x->begun) r.order[r.begun++] = x->number;
    x->begun = true;
    *all = true;
    return E_OK;
}
static err accept(void *self, int32_t id, fail *f) {
    (void)self, (void)id, (void)f;
    return E_OK;
}

static engine_ask ask_of(int32_t tokens) {
    static const int32_t prompt[PROMPT] = {7, 8, 9, 10, 11};
    return (engine_ask){.prompt = prompt,
                        .n_prompt = PROMPT,
                        .max_tokens = tokens,
                        .ignore_end = true,
                        .draft_off = true,
                        .cache_off = true,
                        .top_logprobs = -1};
}

static void rig_open(int32_t waiting) {
    fail f = {0};
    memset(&r, 0, sizeof r);
    tiny_open(&r.base, "llama");
    assert_ok(team_open(&r.team, 1, &f), &f);
    assert_ok(
        model_open(&r.m, tiny_folder(&r.base, "config"), &(model_options){.team = r.team}, &f), &f);
    assert_ok(
        engine_open(
            &r.e, &(engine_options){.model = r.m, .sequences_max = 1, .waiting_max = waiting}, &f),
        &f);
    engine_ask a = ask_of(HOLDER_TOKENS);
    r.holder = said_submit(r.e, &a);
    engine_event ev;
    assert_ok(engine_next(r.holder, WAIT_MS, &ev, &f), &f); /* it runs */
}

static void rig_close(void) {
    engine_release(r.holder);
    for (int i = 0; i < r.n; i++) engine_release(r.entries[i].s);
    engine_close(r.e);
    model_close(r.m);
    team_close(r.team);
    tiny_close(&r.base);
}

static err queue_one(uint64_t tenant, int32_t priority, int32_t tokens, fail *f) {
    entry *x = &r.entries[r.n];
    engine_ask a = ask_of(tokens);
    *x = (entry){.number = r.n, .mask = {.self = x, .allowed = write_down, .accept = accept}};
    a.mask = &x->mask;
    a.tenant = tenant;
    a.priority = priority;
    err e = engine_submit(r.e, &a, &x->s, f);
    r.n += e == E_OK;
    return e;
}

static void put(uint64_t tenant, int32_t priority) {
    fail f = {0};
    assert_ok(queue_one(tenant, priority, SHORT_TOKENS, &f), &f);
}

/* Lets the holder go and reads all to their ends; the order in which they began. */
static void run_all(void) {
    said got;
    engine_release(r.holder);
    r.holder = NULL;
    for (int i = 0; i < r.n; i++) {
        said_read(r.entries[i].s, &got);
        assert_int_equal(got.n, SHORT_TOKENS);
    }
    assert_int_equal(r.begun, r.n);
}

static void expect(const int *order, int n) {
    for (int i = 0; i < n; i++)
        if (r.order[i] != order[i]) fail_msg("place %d: %d, not %d", i, r.order[i], order[i]);
}

static void tenants_take_turns(void **state) {
    (void)state;
    rig_open(WAITING);
    for (int i = 0; i < 6; i++) put(1, 0); /* 0 to 5: one that floods */
    put(2, 0), put(2, 0);                  /* 6 and 7 */
    put(3, 0);                             /* 8 */
    run_all();
    const int order[] = {0, 6, 8, 1, 7, 2, 3, 4, 5};
    expect(order, 9);
    rig_close();
}

static void one_tenants_come_in_their_order(void **state) {
    (void)state;
    rig_open(WAITING);
    for (int i = 0; i < 5; i++) put(0, 0);
    run_all();
    const int order[] = {0, 1, 2, 3, 4};
    expect(order, 5);
    rig_close();
}

static void who_comes_back_has_saved_nothing(void **state) {
    (void)state;
    rig_open(WAITING);
    for (int i = 0; i < 3; i++) put(1, 0);
    run_all(); /* tenant 1 has been served; 2 was never here */
    engine_ask a = ask_of(HOLDER_TOKENS);
    a.tenant = 1;
    r.holder = said_submit(r.e, &a);
    fail f = {0};
    engine_event ev;
    assert_ok(engine_next(r.holder, WAIT_MS, &ev, &f), &f);
    int first = r.n;
    for (int i = 0; i < 4; i++) put(i % 2 ? 2 : 1, 0);
    engine_release(r.holder);
    r.holder = NULL;
    said got;
    for (int i = first; i < r.n; i++) said_read(r.entries[i].s, &got);
    /* the newcomer starts level, not with all that it never used: no two of its turns in a row
     * before the other has had one */
    int turns = 0;
    for (int i = first; i < first + 3; i++) turns += r.order[i] % 2 == first % 2;
    assert_true(turns >= 1);
    rig_close();
}

static void the_urgent_go_first_and_nobody_starves(void **state) {
    (void)state;
    rig_open(WAITING);
    put(0, -5);                             /* 0 */
    for (int i = 0; i < 20; i++) put(0, 3); /* 1 to 20 */
    put(0, 10);                             /* 21 */
    run_all();
    assert_int_equal(r.order[0], 21);
    assert_int_equal(r.order[1], 1);
    assert_int_equal(r.order[8], 0); /* passed over eight times */
    assert_int_equal(r.order[9], 8);
    rig_close();
}

static void full_is_full(void **state) {
    (void)state;
    fail f = {0};
    rig_open(4);
    for (int i = 0; i < 3; i++) put(1, 0);
    assert_int_equal(queue_one(1, 0, SHORT_TOKENS, &f), E_LIMIT); /* leaves a place to others */
    assert_true(f.retry_s >= 1 && f.retry_s <= 600);
    put(2, 0);
    assert_int_equal(queue_one(3, 0, SHORT_TOKENS, &f), E_LIMIT);
    assert_int_equal(queue_one(3, 11, SHORT_TOKENS, &f), E_INPUT);
    engine_stats stats;
    engine_stats_get(r.e, &stats);
    assert_int_equal(stats.refused, 2);
    run_all();
    rig_close();
}

/* Endings a second apart, as if measured: a quarter of the queue and one more. */
static void retry_after_is_the_measured_pace(void **state) {
    (void)state;
    engine e = {.o = {.waiting_max = 40}};
    for (int i = 0; i < 100; i++) {
        e.n_ended = i % 2; /* every second step of half a second ends one */
        engine_admit_pace(&e, 0.5e9);
    }
    int retry_s = engine_admit_retry_s(&e);
    assert_true(retry_s >= 11 && retry_s <= 12);
    e = (engine){.o = {.waiting_max = 40}};
    engine_sequence s = {.room_max = 110, .n_tokens = 10}, *running[] = {&s};
    e.running = running;
    e.n_running = 1;
    engine_admit_pace(&e, 0.1e9); /* nothing has ended: the first one will, in 100 steps */
    retry_s = engine_admit_retry_s(&e);
    assert_true(retry_s >= 10 && retry_s <= 11);
}

static void what_waits_too_long_is_never_begun(void **state) {
    (void)state;
    fail f = {0};
    engine_event ev;
    rig_open(WAITING);
    entry *x = &r.entries[r.n++];
    engine_ask a = ask_of(SHORT_TOKENS);
    *x = (entry){.mask = {.self = x, .allowed = write_down, .accept = accept}};
    a.mask = &x->mask;
    a.deadline_ns = clock_mono_ns() + 1000000;
    x->s = said_submit(r.e, &a);
    assert_ok(engine_next(x->s, WAIT_MS, &ev, &f), &f);
    assert_true(ev.finish == ENGINE_EXPIRED && ev.id == TOKEN_NONE);
    assert_int_equal(r.begun, 0);
    engine_stats stats;
    engine_stats_get(r.e, &stats);
    assert_true(stats.expired == 1 && stats.waiting == 0 && stats.running == 1);
    rig_close();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tenants_take_turns),
        cmocka_unit_test(one_tenants_come_in_their_order),
        cmocka_unit_test(who_comes_back_has_saved_nothing),
        cmocka_unit_test(the_urgent_go_first_and_nobody_starves),
        cmocka_unit_test(full_is_full),
        cmocka_unit_test(retry_after_is_the_measured_pace),
        cmocka_unit_test(what_waits_too_long_is_never_begun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
