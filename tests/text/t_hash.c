/* t_hash.c - tests text/hash.c on the vectors of FIPS 180-4. */
#include "base/file.h"
#include "text/hash.h"
#include "test.h"

#include <unistd.h>

static void vectors(void **state) {
    (void)state;
    char hex[HASH_SHA256_HEX_BYTES];
    hash_sha256_hex(STR_NONE, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    hash_sha256_hex(STR("abc"), hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    hash_sha256_stream s;
    hash_sha256_begin(&s);
    for (int i = 0; i < 10000; i++)
        hash_sha256_put(
            &s, STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                    "aaaaaaaaaaaaaaaaaaaaaaaa"));
    unsigned char digest[HASH_SHA256_BYTES];
    hash_sha256_end(&s, digest);
    hash_hex(digest, sizeof digest, hex);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void files(void **state) {
    (void)state;
    char path[] = "/tmp/bantam-hash-XXXXXX", hex[HASH_SHA256_HEX_BYTES];
    fail f;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_ok(file_put(fd, STR("abc"), path, &f), &f);
    close(fd);
    assert_ok(hash_file_hex(path, hex, &f), &f);
    assert_true(str_starts(str_from(hex), STR("ba7816bf")));
    unlink(path);
    assert_int_equal(hash_file_hex(path, hex, &f), E_NOT_FOUND);
}

static void hex_both_ways(void **state) {
    (void)state;
    unsigned char out[3];
    assert_true(hash_unhex(STR("00fFa1"), out, 3));
    assert_int_equal(out[1], 255);
    assert_false(hash_unhex(STR("00ff"), out, 3));
    assert_false(hash_unhex(STR("00ffg1"), out, 3));
    assert_true(hash_unhex(STR(""), out, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors),
        cmocka_unit_test(files),
        cmocka_unit_test(hex_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
