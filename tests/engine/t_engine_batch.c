/* t_engine_batch.c - tests engine/engine_batch.c without a model: who gets rows, outputs and pages
 * in a step. */
#include "base/mem.h"
#include "engine/engine_int.h"
#include "test.h"

enum { N = 5, CONTEXT = 512, ROWS = 64, WANTED = 8 };

static struct rig {
    engine e;
    engine_sequence s[N];
    engine_sequence *running[N], *waiting[N];
    int32_t tokens[N][CONTEXT], rows[3][ROWS];
    int64_t wanted[WANTED];
    engine_part parts[N];
    kv_sequence *kv[N];
    const model_adapter *adapters[N];
} r;

/* An engine of n running sequences, each with a prompt of `prompt` tokens and pages for it. */
static void rig_open(int n, int64_t prompt, int64_t pages) {
    fail f = {0};
    const kv_shape shape = {.layers = 1, .heads = 1, .head_width = 8, .type = OP_KV_F16};
    memset(&r, 0, sizeof r);
    kv_pool_options o = {.shape = shape,
                         .tokens_max = CONTEXT,
                         .sequences_max = N,
                         .bytes_max = (size_t)pages * kv_page_bytes(&shape)};
    r.e = (engine){.o = {.rows_max = ROWS, .rows_busy = 12, .sequences_max = N},
                   .waiting = r.waiting,
                   .running = r.running,
                   .n_running = n,
                   .row_tokens = r.rows[0],
                   .row_positions = r.rows[1],
                   .row_sequences = r.rows[2],
                   .wanted = r.wanted,
                   .wanted_max = WANTED,
                   .parts = r.parts,
                   .part_kv = r.kv,
                   .part_adapters = r.adapters};
    assert_ok(kv_pool_open(&r.e.pool, &o, &f), &f);
    for (int i = 0; i < n; i++) {
        engine_sequence *s = r.running[i] = &r.s[i];
        *s = (engine_sequence){.e = &r.e,
                               .state = SLOT_RUNNING,
                               .tokens = r.tokens[i],
                               .n_prompt = prompt,
                               .n_tokens = prompt,
                               .made_max = 100,
                               .room_max = prompt + 100,
                               .top_logprobs = -1};
        assert_ok(kv_sequence_take(r.e.pool, &s->kv, &f), &f);
        assert_ok(kv_sequence_grow(r.e.pool, s->kv, prompt, &f), &f);
    }
}

static void rig_close(void) {
    kv_pool_close(r.e.pool);
}

/* It has read its prompt and made `made` tokens, of which `pending` are not forwarded. */
static void generates(int i, int64_t made, int64_t pending) {
    r.s[i].n_tokens = r.s[i].n_prompt + made;
    r.s[i].n_done = r.s[i].n_tokens - pending;
}

static int64_t rows_of(int i) {
    for (int64_t p = 0; p < r.e.n_parts; p++)
        if (r.parts[p].s == &r.s[i]) return r.parts[p].rows;
    return 0;
}
static int64_t wanted_of(int i) {
    for (int64_t p = 0; p < r.e.n_parts; p++)
        if (r.parts[p].s == &r.s[i]) return r.parts[p].n_wanted;
    return 0;
}

static void prompts_share_what_is_left(void **state) {
    (void)state;
    rig_open(4, 30, 64);
    generates(1, 3, 1);
    r.s[2].n_prompt = r.s[2].n_tokens = 3;
    engine_batch_build(&r.e);
    assert_int_equal(rows_of(1), 1);
    /* 12 for three prompts: a quarter to the first, the short one's 3, and of two as long the
     * first takes the rest */
    assert_int_equal(rows_of(0), 9);
    assert_int_equal(rows_of(2), 3);
    assert_int_equal(rows_of(3), 0);
    assert_int_equal(wanted_of(0) + wanted_of(3), 0); /* not at their end yet */
    assert_int_equal(wanted_of(1) + wanted_of(2), 2);
    r.s[1].count = ENGINE_QUEUE_TOKENS; /* nobody reads it: then nobody is kept waiting */
    engine_batch_build(&r.e);
    assert_int_equal(rows_of(1), 0);
    assert_int_equal(rows_of(0), 30);
    assert_int_equal(rows_of(2), 3);
    assert_int_equal(rows_of(3), 30);
    rig_close();
}

static void the_busy_limit_follows_the_machine(void **state) {
    (void)state;
    rig_open(2, 100, 64);
    generates(0, 1, 1);
    r.e.o.rows_busy = 0;
    engine_batch_build(&r.e);
    assert_int_equal(rows_of(1), 63); /* 64 while nothing is known, 64 in all */
    r.e.row_ns = 4e6;
    engine_batch_build(&r.e);
    assert_int_equal(rows_of(1), 25); /* a tenth of a second */
    r.e.row_ns = 1e9;
    engine_batch_build(&r.e);
    assert_int_equal(rows_of(1), 16);
    rig_close();
}

static void rows_are_the_pending_ones(void **state) {
    (void)state;
    rig_open(2, 10, 64);
    for (int i = 0; i < CONTEXT; i++) r.tokens[1][i] = 1000 + i;
    r.s[1].n_done = 6;
    r.e.running[0] = &r.s[1];
    r.e.n_running = 1;
    engine_batch_build(&r.e);
    assert_int_equal(r.e.n_rows, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(r.rows[0][i], 1006 + i);
        assert_int_equal(r.rows[1][i], 6 + i);
        assert_int_equal(r.rows[2][i], 0);
    }
    assert_int_equal(r.e.n_wanted, 1);
    assert_int_equal(r.wanted[0], 3);
    rig_close();
}

static void guesses_get_rows_where_there_is_room(void **state) {
    (void)state;
    rig_open(2, 10, 64);
    for (int i = 0; i < 2; i++) {
        generates(i, 2, 1);
        r.s[i].n_draft = 5;
        r.s[i].draft_at = r.s[i].n_tokens;
    }
    engine_batch_build(&r.e);
    assert_int_equal(rows_of(0), 6); /* 8 outputs: one each, and six guesses */
    assert_int_equal(rows_of(1), 2);
    assert_int_equal(wanted_of(0) + wanted_of(1), 8);
    r.s[0].n_draft = r.s[1].n_draft = 5;
    r.s[0].draft_at--; /* guessed for another past */
    r.s[1].count = ENGINE_QUEUE_TOKENS - 3;
    engine_batch_build(&r.e);
    assert_int_equal(rows_of(0), 1);
    assert_int_equal(rows_of(1), 3);
    rig_close();
}

/* Three of 60 tokens in six pages; the first wants a third page. */
static void the_youngest_gives_way(void **state) {
    (void)state;
    rig_open(3, 60, 6);
    generates(0, 5, 1);
    generates(1, 1, 1);
    r.s[2].held = true; /* a snapshot is being written */
    r.s[2].n_done = 60;
    engine_batch_build(&r.e);
    assert_int_equal(r.e.n_running, 2);
    assert_int_equal(r.e.n_waiting, 1);
    assert_ptr_equal(r.waiting[0], &r.s[1]);
    assert_int_equal(r.s[1].state, SLOT_WAITING);
    assert_int_equal(r.s[1].n_done, 0);
    assert_int_equal(r.s[1].n_tokens, 61);
    assert_int_equal(r.e.stats.postponed, 1);
    assert_int_equal(rows_of(0), 1);
    assert_int_equal(rows_of(1), 0);
    generates(0, 70, 1); /* and one page more than there is: it waits itself */
    engine_batch_build(&r.e);
    assert_int_equal(r.e.n_running, 1);
    assert_ptr_equal(r.waiting[0], &r.s[0]); /* in front of the younger */
    assert_ptr_equal(r.waiting[1], &r.s[1]);
    assert_int_equal(r.e.n_rows, 0);
    rig_close();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prompts_share_what_is_left),
        cmocka_unit_test(the_busy_limit_follows_the_machine),
        cmocka_unit_test(rows_are_the_pending_ones),
        cmocka_unit_test(guesses_get_rows_where_there_is_room),
        cmocka_unit_test(the_youngest_gives_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
