/* t_audit_frame.c - tests audit/audit_frame.c: framing, torn and bit-flipped records. */
#include "audit/audit_frame.h"

#include "test.h"

/* Counts whole records as a reader of a dead process's journal does. */
static int read_all(str bytes, int *damaged) {
    int records = 0;
    while (bytes.n) {
        size_t used;
        str record;
        audit_frame_kind kind = audit_frame_next(bytes, &used, &record);
        if (kind == AUDIT_FRAME_PARTIAL) used = audit_frame_skip(bytes);
        records += kind == AUDIT_FRAME_RECORD;
        *damaged += kind != AUDIT_FRAME_RECORD;
        assert_true(used > 0 && used <= bytes.n);
        bytes = str_slice(bytes, used, bytes.n);
    }
    return records;
}

static void three(buf *b) {
    audit_frame_put(b, STR("{\"id\":\"a\"}"));
    audit_frame_put(b, STR("{\"id\":\"bnt1 \"}"));
    audit_frame_put(b, STR(""));
}

static void known_bytes(void **state) {
    (void)state;
    buf b = {0};
    audit_frame_put(&b, STR("123456789")); /* the CRC's published check value */
    assert_string_equal(buf_z(&b), "\nbnt1 00000009 cbf43926 123456789");
    buf_deinit(&b);
}

static void torn_anywhere(void **state) {
    (void)state;
    buf b = {0};
    three(&b);
    int damaged = 0;
    assert_int_equal(read_all(buf_str(&b), &damaged), 3);
    assert_int_equal(damaged, 0);
    size_t used;
    str record;
    for (size_t n = 1; n < b.n; n++) {
        str cut = {b.p, n};
        if (n < AUDIT_FRAME_HEAD_BYTES + 10) {
            assert_int_equal(audit_frame_next(cut, &used, &record), AUDIT_FRAME_PARTIAL);
            assert_int_equal(used, 0);
        }
        damaged = 0;
        int whole = read_all(cut, &damaged);
        assert_true(whole <= 2 && damaged <= 1);
    }
    buf_deinit(&b);
}

static void flipped_anywhere(void **state) {
    (void)state;
    buf b = {0};
    three(&b);
    for (size_t bit = 0; bit < 8 * b.n; bit++) {
        int damaged = 0;
        b.p[bit / 8] ^= (char)(1 << bit % 8);
        assert_int_equal(read_all(buf_str(&b), &damaged),
                         2); /* only the one that was hit is lost */
        assert_true(damaged >= 1);
        b.p[bit / 8] ^= (char)(1 << bit % 8);
    }
    buf_deinit(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(known_bytes),
                                       cmocka_unit_test(torn_anywhere),
                                       cmocka_unit_test(flipped_anywhere)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
