/* t_kv_tree.c - tests kv/kv_tree.c: what is shared is what was computed, scopes stay apart, the
 * longest unused goes first, and a long random life against the truth written into the pages. */
#include "base/rand.h"
#include "base/str.h"
#include "kv/kv.h"
#include "test.h"

enum { P = KV_PAGE_TOKENS, LONG = 6 * P };

static const kv_shape shape = {.layers = 1, .heads = 1, .head_width = 8, .type = OP_KV_F32};
static const kv_root plain = {0};

static kv_pool *pool_of(int64_t pages, int64_t sequences) {
    fail f = {0};
    kv_pool *p = NULL;
    kv_pool_options o = {.shape = shape,
                         .tokens_max = LONG,
                         .sequences_max = sequences,
                         .bytes_max = (size_t)pages * kv_page_bytes(&shape)};
    assert_ok(kv_pool_open(&p, &o, &f), &f);
    assert_int_equal(kv_pool_pages(p), pages);
    return p;
}

static kv_sequence *take(kv_pool *p) {
    fail f = {0};
    kv_sequence *s = NULL;
    assert_ok(kv_sequence_take(p, &s, &f), &f);
    return s;
}

static void fill(int32_t *tokens, int n, int from) {
    for (int i = 0; i < n; i++) tokens[i] = from + i;
}

/* A life: match, grow to n, write, publish. */
static int64_t live(kv_pool *p, kv_sequence *s, kv_root root, const int32_t *tokens, int64_t n) {
    fail f = {0};
    int64_t known = kv_sequence_match(p, s, &root, tokens, n);
    assert_ok(kv_sequence_grow(p, s, n, &f), &f);
    kv_sequence_publish(p, s, &root, tokens, n);
    return known;
}

static void prefixes_are_shared(void **state) {
    (void)state;
    int32_t a[LONG], b[LONG];
    kv_pool *p = pool_of(12, 4);
    fill(a, LONG, 0);
    memcpy(b, a, sizeof a);
    b[2 * P + 5] = 999; /* differs inside the third page */
    kv_sequence *one = take(p), *two = take(p), *three = take(p);
    assert_int_equal(live(p, one, plain, a, 3 * P + 7), 0);
    assert_int_equal(live(p, two, plain, b, 4 * P), 2 * P);
    assert_ptr_equal(kv_keys(p, one, 1, 0), kv_keys(p, two, 1, 0));
    assert_ptr_not_equal(kv_keys(p, one, 2, 0), kv_keys(p, two, 2, 0));
    assert_int_equal(kv_pool_pages_free(p), 12 - 4 - 2);
    /* the page that was never full is nobody else's */
    assert_int_equal(live(p, three, plain, a, LONG), 3 * P);
    kv_sequence_give(p, three);
    kv_sequence_give(p, one);
    assert_int_equal(kv_pool_pages_free(p), 12 - 4); /* two holds four, the rest is kept or empty */
    assert_int_equal(kv_pool_pages_kept(p), 4);
    kv_sequence_give(p, two);
    assert_int_equal(kv_pool_pages_free(p), 12);
    kv_pool_close(p);
}

static void scopes_and_adapters_stay_apart(void **state) {
    (void)state;
    int32_t a[LONG];
    kv_pool *p = pool_of(12, 4);
    fill(a, LONG, 0);
    const kv_root roots[] = {{0, 0}, {1, 0}, {0, 1}, {1, 1}};
    for (int i = 0; i < 4; i++) {
        kv_sequence *s = take(p);
        assert_int_equal(live(p, s, roots[i], a, 2 * P), 0);
        kv_sequence_give(p, s);
    }
    for (int i = 0; i < 4; i++) {
        kv_sequence *s = take(p);
        assert_int_equal(live(p, s, roots[i], a, 3 * P), 2 * P);
        kv_sequence_give(p, s);
    }
    kv_pool_close(p);
}

/* Two that compute the same side by side end with one page, and lose none. */
static void the_same_twice_is_kept_once(void **state) {
    (void)state;
    fail f = {0};
    int32_t a[LONG];
    kv_pool *p = pool_of(8, 2);
    fill(a, LONG, 7);
    kv_sequence *s[2] = {take(p), take(p)};
    for (int i = 0; i < 2; i++) assert_ok(kv_sequence_grow(p, s[i], 3 * P, &f), &f);
    assert_int_equal(kv_pool_pages_free(p), 2);
    for (int i = 0; i < 2; i++) kv_sequence_publish(p, s[i], &plain, a, 3 * P);
    assert_int_equal(kv_pool_pages_free(p), 5);
    for (int i = 0; i < 3; i++) assert_ptr_equal(kv_keys(p, s[0], i, 0), kv_keys(p, s[1], i, 0));
    kv_sequence_give(p, s[0]);
    assert_int_equal(kv_pool_pages_kept(p), 0);
    kv_sequence_give(p, s[1]);
    assert_int_equal(kv_pool_pages_kept(p), 3);
    assert_int_equal(kv_pool_pages_free(p), 8);
    kv_pool_close(p);
}

static int64_t known(kv_pool *p, const int32_t *tokens) {
    kv_sequence *s = take(p);
    int64_t n = kv_sequence_match(p, s, &plain, tokens, LONG);
    kv_sequence_give(p, s);
    return n;
}

static void the_longest_unused_goes_first(void **state) {
    (void)state;
    fail f = {0};
    int32_t a[LONG], b[LONG], c[LONG];
    kv_pool *p = pool_of(6, 2);
    fill(a, LONG, 0);
    fill(b, LONG, 1000);
    fill(c, LONG, 2000);
    kv_sequence *s = take(p);
    live(p, s, plain, a, 3 * P);
    kv_sequence_give(p, s);
    s = take(p);
    live(p, s, plain, b, 3 * P);
    kv_sequence_give(p, s);
    assert_int_equal(known(p, a), 3 * P); /* now a is the younger one */
    s = take(p);
    assert_ok(kv_sequence_grow(p, s, 2 * P, &f), &f);
    assert_int_equal(known(p, b), P); /* its last pages went first */
    assert_int_equal(known(p, a), 3 * P);
    kv_sequence_give(p, s);
    s = take(p);
    assert_ok(kv_sequence_grow(p, s, 6 * P, &f), &f);
    assert_int_equal(kv_pool_pages_kept(p), 0);
    kv_sequence *other = take(p);
    assert_int_equal(kv_sequence_grow(p, other, 1, &f), E_BUSY);
    kv_sequence_give(p, other);
    kv_sequence_give(p, s);
    assert_int_equal(known(p, a), 0);
    assert_int_equal(known(p, c), 0);
    kv_pool_close(p);
}

/* What a page of this prefix must hold. */
static float truth(const kv_root *root, const int32_t *tokens, int64_t page) {
    str all = {(const char *)tokens, (size_t)(page + 1) * P * sizeof *tokens};
    return (float)((str_hash(all) + root->scope * 31) % 1000003);
}

static void a_long_random_life(void **state) {
    (void)state;
    enum { SEQUENCES = 5, PAGES = 17, STEPS = 20000 };
    fail f = {0};
    rand_stream r = {.seed = 11};
    kv_pool *p = pool_of(PAGES, SEQUENCES);
    kv_sequence *s[SEQUENCES] = {NULL};
    int64_t held = 0, hits = 0, full = 0;
    for (int step = 0; step < STEPS; step++) {
        int at = (int)rand_next_below(&r, SEQUENCES);
        if (s[at]) {
            kv_sequence_give(p, s[at]);
            s[at] = NULL;
            continue;
        }
        int32_t tokens[LONG];
        kv_root root = {(uint64_t)rand_next_below(&r, 2), 0};
        int64_t n = 1 + rand_next_below(&r, LONG);
        for (int i = 0; i < LONG; i++) /* few different pages, so that prefixes meet */
            tokens[i] = i % P ? i : (int32_t)rand_next_below(&r, 2);
        s[at] = take(p);
        int64_t have = kv_sequence_match(p, s[at], &root, tokens, n);
        hits += have;
        for (int64_t page = 0; page < have / P; page++)
            assert_true(*(float *)kv_keys(p, s[at], page, 0) == truth(&root, tokens, page));
        if (kv_sequence_grow(p, s[at], n, &f) != E_OK) {
            full++;
            kv_sequence_give(p, s[at]);
            s[at] = NULL;
            continue;
        }
        for (int64_t page = have / P; page < n / P; page++)
            *(float *)kv_keys(p, s[at], page, 0) = truth(&root, tokens, page);
        kv_sequence_publish(p, s[at], &root, tokens, n);
        for (int64_t page = 0; page < n / P; page++)
            assert_true(*(float *)kv_keys(p, s[at], page, 0) == truth(&root, tokens, page));
    }
    for (int i = 0; i < SEQUENCES; i++) kv_sequence_give(p, s[i]);
    held = kv_pool_pages_free(p);
    assert_int_equal(held, PAGES);
    assert_true(hits > STEPS && full > 100);
    kv_pool_close(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefixes_are_shared),
        cmocka_unit_test(scopes_and_adapters_stay_apart),
        cmocka_unit_test(the_same_twice_is_kept_once),
        cmocka_unit_test(the_longest_unused_goes_first),
        cmocka_unit_test(a_long_random_life),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
