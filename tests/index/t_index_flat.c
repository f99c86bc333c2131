/* t_index_flat.c - tests index/index_flat.c against a plain sort, under random puts and removals,
 * and with each allocation failing in turn. */
#include "base/mem.h"
#include "base/rand.h"
#include "index/index_flat.h"
#include "test.h"

#include <math.h>

enum { DIM = 20, IDS = 300 };

static float plain[IDS][DIM];
static bool there[IDS];

static void random_unit(rand_stream *r, float *v) {
    double square = 0;
    for (int k = 0; k < DIM; k++) {
        v[k] = (float)(rand_next_unit(r) - .5);
        square += (double)v[k] * (double)v[k];
    }
    for (int k = 0; k < DIM; k++) v[k] /= (float)sqrt(square);
}

/* The best k by brute force must be what the index says. */
static void check_search(const index_flat *x, const float *query, size_t k) {
    index_hit hits[IDS];
    size_t n = index_flat_search(x, query, k, hits), present = 0;
    for (int id = 0; id < IDS; id++) present += there[id];
    assert_int_equal(n, k < present ? k : present);
    for (size_t i = 0; i < n; i++) {
        assert_true(there[hits[i].id] && hits[i].tag == (int32_t)hits[i].id * 3);
        double want = 0;
        for (int d = 0; d < DIM; d++) want += (double)plain[hits[i].id][d] * (double)query[d];
        assert_true(fabs(want - (double)hits[i].similarity) < 1e-5);
        if (i) assert_true(hits[i - 1].similarity >= hits[i].similarity);
    }
    size_t better = 0;
    for (int id = 0; id < IDS && n; id++) {
        double s = 0;
        for (int d = 0; d < DIM; d++) s += (double)plain[id][d] * (double)query[d];
        better += there[id] && s > (double)hits[n - 1].similarity + 1e-5;
    }
    assert_true(better < (n ? n : 1));
}

static void like_brute_force(void **state) {
    (void)state;
    index_flat *x;
    fail f;
    rand_stream r = {7, 0};
    float query[DIM];
    assert_ok(index_flat_open(&x, DIM, &f), &f);
    for (int step = 0; step < 5000; step++) {
        int64_t id = rand_next_below(&r, IDS);
        if (rand_next_below(&r, 3) > 0) {
            random_unit(&r, plain[id]);
            there[id] = true;
            assert_ok(index_flat_put(x, id, (int32_t)id * 3, plain[id], &f), &f);
        } else {
            assert_int_equal(index_flat_remove(x, id), there[id]);
            there[id] = false;
        }
        assert_int_equal(index_flat_get(x, id) != NULL, there[id]);
        if (step % 50) continue;
        random_unit(&r, query);
        check_search(x, query, (size_t)rand_next_below(&r, 12));
    }
    index_flat_close(x);
}

static void equal_similarity_is_ordered_by_id(void **state) {
    (void)state;
    index_flat *x;
    fail f;
    const float v[2] = {1, 0};
    index_hit hits[2];
    assert_ok(index_flat_open(&x, 2, &f), &f);
    const int64_t ids[] = {9, -4, 7, INT64_MAX};
    for (size_t i = 0; i < 4; i++) assert_ok(index_flat_put(x, ids[i], 0, v, &f), &f);
    assert_int_equal(index_flat_search(x, v, 2, hits), 2);
    assert_true(hits[0].id == -4 && hits[1].id == 7);
    index_flat_close(x);
}

static void nonsense_is_refused(void **state) {
    (void)state;
    index_flat *x;
    fail f;
    assert_int_equal(index_flat_open(&x, 0, &f), E_INPUT);
    assert_int_equal(index_flat_open(&x, INDEX_DIM_MAX + 1, &f), E_INPUT);
    assert_ok(index_flat_open(&x, 2, &f), &f);
    const float bad[2] = {1, INFINITY};
    assert_int_equal(index_flat_put(x, 1, 0, bad, &f), E_INPUT);
    assert_int_equal(index_flat_reserve(x, SIZE_MAX / 2, &f), E_NO_MEMORY);
    assert_int_equal(index_flat_rows(x), 0);
    index_flat_close(x);
}

static void survives_want_of_memory(void **state) {
    (void)state;
    fail f;
    for (int64_t at = 1; at < 20; at++) {
        index_flat *x = NULL;
        mem_fail_at(at, false);
        err e = index_flat_open(&x, 3, &f);
        int64_t stored = 0;
        for (int64_t id = 0; e == E_OK && id < 100; id++) {
            const float v[3] = {1, (float)id, 0};
            if (index_flat_put(x, id, 0, v, &f) == E_OK) stored++;
        }
        mem_fail_at(0, false);
        if (e == E_OK) assert_int_equal(index_flat_rows(x), stored);
        if (e == E_OK) index_flat_close(x);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(like_brute_force),
        cmocka_unit_test(equal_similarity_is_ordered_by_id),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(survives_want_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
