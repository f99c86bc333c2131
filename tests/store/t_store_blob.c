/* t_store_blob.c - tests store/store_blob.c: round trip of large bytes, one copy, damage, rollback.
 */
#include "store/store_blob.h"

#include "base/mem.h"
#include "test.h"

static fail f;

static store *open_here(void) {
    store *s = NULL;
    size_t n;
    const store_migration *m = store_blob_migrations(&n);
    assert_ok(store_open(&s, ":memory:", m, n, &f), &f);
    return s;
}

static void round_trip(void **state) {
    (void)state;
    enum { BYTES = 8 << 20 };
    store *s = open_here();
    store_tx *tx;
    arena a;
    str back;
    char hex[HASH_SHA256_HEX_BYTES], again[HASH_SHA256_HEX_BYTES];
    char *p = mem_zero(BYTES);
    for (uint32_t i = 0; i < BYTES; i++) p[i] = (char)(i * 7919 >> 5);
    arena_init(&a, 0);
    assert_ok(store_begin(s, STORE_WRITE, &tx, &f), &f);
    assert_ok(store_blob_put(tx, (str){p, BYTES}, hex, &f), &f);
    assert_ok(store_blob_put(tx, (str){p, BYTES}, again, &f), &f);
    assert_string_equal(hex, again);
    assert_int_equal(store_changes(tx), 0);
    assert_ok(store_blob_put(tx, STR(""), again, &f), &f);
    assert_string_equal(again, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_ok(store_commit(tx, &f), &f);
    assert_ok(store_begin(s, STORE_WRITE, &tx, &f), &f);
    assert_ok(store_blob_get(tx, str_from(hex), &a, &back, &f), &f);
    assert_true(str_eq(back, (str){p, BYTES}));
    assert_ok(store_blob_remove(tx, str_from(hex), &f), &f);
    assert_int_equal(store_blob_get(tx, str_from(hex), &a, &back, &f), E_NOT_FOUND);
    store_rollback(tx);
    assert_ok(store_begin(s, STORE_WRITE, &tx, &f), &f);
    assert_ok(store_blob_get(tx, str_from(hex), &a, &back, &f), &f);
    assert_ok(store_run(tx, "UPDATE store_blob SET bytes=zeroblob(9) WHERE id=1", &f), &f);
    assert_int_equal(store_blob_get(tx, str_from(hex), &a, &back, &f), E_CORRUPT);
    assert_int_equal(store_blob_get(tx, STR("no"), &a, &back, &f), E_NOT_FOUND);
    assert_ok(store_blob_remove(tx, STR("no"), &f), &f);
    store_rollback(tx);
    store_close(s);
    arena_deinit(&a);
    mem_free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
