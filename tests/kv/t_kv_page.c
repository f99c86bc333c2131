/* t_kv_page.c - tests kv/kv_page.c: the budget, growing all or nothing, pages coming back. */
#include "kv/kv.h"

#include "base/mem.h"
#include "test.h"

static const kv_pool_options small = {
    .shape = {.layers = 2, .heads = 3, .head_width = 16, .type = OP_KV_F16},
    .tokens_max = 100,
    .sequences_max = 2,
    .bytes_max = 3 * 2 * 2 * 32 * 48 * 2, /* three pages */
};

static void budget_is_whole_pages(void **state) {
    (void)state;
    fail f = {0};
    kv_pool *p = NULL;
    assert_int_equal(kv_page_bytes(&small.shape), 2 * 2 * 32 * 48 * 2);
    assert_ok(kv_pool_open(&p, &small, &f), &f);
    assert_int_equal(kv_pool_pages(p), 3);
    kv_pool_close(p);
    kv_pool_options tight = small;
    tight.bytes_max = kv_page_bytes(&small.shape) - 7;
    p = NULL;
    assert_int_equal(kv_pool_open(&p, &tight, &f), E_NO_MEMORY);
    assert_null(p);
    assert_non_null(strstr(f.text, "7 bytes are missing"));
    tight.bytes_max = SIZE_MAX; /* never more than can be used */
    assert_ok(kv_pool_open(&p, &tight, &f), &f);
    assert_int_equal(kv_pool_pages(p), 8);
    kv_pool_close(p);
}

static void growing_takes_all_or_none(void **state) {
    (void)state;
    fail f = {0};
    kv_pool *p = NULL;
    kv_sequence *a = NULL, *b = NULL, *c = NULL;
    assert_ok(kv_pool_open(&p, &small, &f), &f);
    assert_ok(kv_sequence_take(p, &a, &f), &f);
    assert_ok(kv_sequence_take(p, &b, &f), &f);
    assert_int_equal(kv_sequence_take(p, &c, &f), E_BUSY);
    assert_ok(kv_sequence_grow(p, a, 33, &f), &f);
    assert_int_equal(kv_sequence_room(a), 64);
    assert_ok(kv_sequence_grow(p, a, 64, &f), &f);
    assert_int_equal(kv_pool_pages_free(p), 1);
    assert_int_equal(kv_sequence_grow(p, b, 64, &f), E_BUSY);
    assert_int_equal(kv_sequence_room(b), 0);
    assert_int_equal(kv_pool_pages_free(p), 1);
    assert_int_equal(kv_sequence_grow(p, b, 101, &f), E_CONTEXT);
    assert_non_null(strstr(f.text, "101 tokens are above the context of 100"));
    kv_sequence_give(p, a);
    assert_int_equal(kv_pool_pages_free(p), 3);
    assert_ok(kv_sequence_grow(p, b, 96, &f), &f);
    kv_sequence_give(p, b);
    kv_sequence_give(p, NULL);
    kv_pool_close(p);
}

/* Every number of every page is one of its own: nothing overlaps, all lies inside. */
static void parts_do_not_overlap(void **state) {
    (void)state;
    fail f = {0};
    kv_pool *p = NULL;
    kv_sequence *s[2] = {NULL, NULL};
    kv_pool_options o = small;
    o.bytes_max *= 2;
    assert_ok(kv_pool_open(&p, &o, &f), &f);
    for (int i = 0; i < 2; i++) {
        assert_ok(kv_sequence_take(p, &s[i], &f), &f);
        assert_ok(kv_sequence_grow(p, s[i], 64, &f), &f);
    }
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 2; i++)
            for (int page = 0; page < 2; page++)
                for (int layer = 0; layer < 2; layer++)
                    for (int v = 0; v < 2; v++) {
                        uint16_t *x =
                            v ? kv_values(p, s[i], page, layer) : kv_keys(p, s[i], page, layer);
                        for (int n = 0; n < 32 * 48; n++) {
                            uint16_t mark = (uint16_t)(1 + i * 8 + page * 4 + layer * 2 + v);
                            if (round == 0)
                                x[n] = mark;
                            else
                                assert_int_equal(x[n], mark);
                        }
                    }
    kv_sequence_give(p, s[0]);
    kv_sequence_give(p, s[1]);
    kv_pool_close(p);
}

static void impossible_shapes_and_no_memory(void **state) {
    (void)state;
    fail f = {0};
    kv_pool *p = NULL;
    kv_pool_options bad = small;
    bad.shape.heads = 0;
    assert_int_equal(kv_pool_open(&p, &bad, &f), E_INPUT);
    for (int64_t n = 1; n <= 7; n++) {
        mem_fail_at(n, false);
        assert_int_equal(kv_pool_open(&p, &small, &f), E_NO_MEMORY);
        mem_fail_at(0, false);
        assert_null(p);
    }
    kv_type t = OP_KV_F32;
    assert_ok(kv_type_of(NULL, &t, &f), &f);
    assert_int_equal(t, OP_KV_F16);
    assert_ok(kv_type_of("f32", &t, &f), &f);
    assert_int_equal(t, OP_KV_F32);
    assert_ok(kv_type_of("q8", &t, &f), &f);
    assert_int_equal(t, OP_KV_Q8);
    assert_int_equal(kv_type_of("q4", &t, &f), E_UNSUPPORTED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(budget_is_whole_pages),
        cmocka_unit_test(growing_takes_all_or_none),
        cmocka_unit_test(parts_do_not_overlap),
        cmocka_unit_test(impossible_shapes_and_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
