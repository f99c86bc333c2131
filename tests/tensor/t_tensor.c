/* t_tensor.c - tests tensor/tensor.c: dequantisers against the gguf package
 * (golden/dequantise.txt), sizes of shapes, names that are safe to print. */
#include "tensor/tensor.h"
#include "test.h"

enum { LINE_BYTES = 4096, BLOCK_BYTES_MAX = 256, NUMBERS_MAX = 256, GOLDEN_LINES = 94 };

static dtype type_of(const char *name) {
    dtype t;
    if (!dtype_find(str_from(name), &t)) fail_msg("no type %s", name);
    return t;
}

static size_t read_hex(const char *hex, void *out, size_t most) {
    size_t n = 0;
    unsigned byte;
    while (n < most && sscanf(hex + 2 * n, "%2x", &byte) == 1)
        ((unsigned char *)out)[n++] = (unsigned char)byte;
    return n;
}

static void blocks_equal_the_package(void **state) {
    (void)state;
    static char line[LINE_BYTES];
    FILE *file = fopen("tests/tensor/golden/dequantise.txt", "re");
    int lines = 0, seen[DTYPE_COUNT] = {0};
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        if (line[0] == '#') continue;
        char *at = NULL;
        const char *name = strtok_r(line, " \n", &at), *hex = strtok_r(NULL, " \n", &at);
        _Alignas(8) unsigned char block[BLOCK_BYTES_MAX];
        float got[NUMBERS_MAX], want[NUMBERS_MAX];
        const dtype_info *type = dtype_get(type_of(name));
        int n = type->block > 1 ? type->block : 32;
        assert_int_equal(read_hex(hex, block, sizeof block), n / type->block * type->block_bytes);
        assert_int_equal(read_hex(strtok_r(NULL, " \n", &at), want, sizeof want), 4 * n);
        type->dequantise(block, got, n);
        for (int i = 0; i < n; i++) {
            if (got[i] != want[i])
                fail_msg("%s, line %d, number %d: %a, not %a", name, lines, i, (double)got[i],
                         (double)want[i]);
        }
        seen[type_of(name)]++;
        lines++;
    }
    fclose(file);
    assert_int_equal(lines, GOLDEN_LINES);
    for (dtype t = DTYPE_F16; t < DTYPE_COUNT; t++) assert_true(seen[t] >= 5);
}

static void shapes_are_checked(void **state) {
    (void)state;
    static const struct {
        dtype type;
        int32_t n;
        int64_t dims[5];
        err e;
        size_t bytes;
    } cases[] = {
        {DTYPE_F32, 2, {3, 5}, E_OK, 60},
        {DTYPE_Q4_1, 2, {2, 64}, E_OK, 80},
        {DTYPE_Q8_0, 3, {2, 2, 32}, E_OK, 136},
        {DTYPE_Q4_0, 1, {33}, E_CORRUPT, 0},
        {DTYPE_Q6_K, 2, {2, 512}, E_OK, 840},
        {DTYPE_Q6_K, 2, {2, 576}, E_CORRUPT, 0},
        {DTYPE_F32, 0, {1}, E_CORRUPT, 0},
        {DTYPE_F32, 5, {1, 1, 1, 1, 1}, E_CORRUPT, 0},
        {DTYPE_F32, 2, {0, 4}, E_CORRUPT, 0},
        {DTYPE_F32, 2, {-1, 4}, E_CORRUPT, 0},
        {DTYPE_F32, 2, {INT64_MAX, 2}, E_CORRUPT, 0},
        {DTYPE_F32, 1, {INT64_MAX / 2}, E_CORRUPT, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fail f;
        size_t bytes = 0;
        err e = tensor_bytes(cases[i].type, cases[i].n, cases[i].dims, STR("t"), &bytes, &f);
        if (e != cases[i].e || bytes != cases[i].bytes)
            fail_msg("case %zu: %s, %zu bytes", i, err_name(e), bytes);
    }
}

static void tensors_describe_themselves(void **state) {
    (void)state;
    tensor t = {.name = STR("w"), .type = DTYPE_Q4_1, .n_dims = 3, .dims = {2, 3, 64}};
    char text[96];
    tensor_describe(&t, text);
    assert_string_equal(text, "[2, 3, 64] Q4_1");
    assert_int_equal(tensor_rows(&t), 6);
    assert_int_equal(tensor_cols(&t), 64);
    assert_int_equal(tensor_row_bytes(&t), 40);
}

static void names_are_safe(void **state) {
    (void)state;
    char text[TENSOR_PRINT_BYTES], name[300];
    assert_string_equal(tensor_print_name(STR("a\x1b[2J\n\xff"), text), "a?[2J??");
    assert_string_equal(tensor_print_name(STR_NONE, text), "");
    memset(name, 'n', sizeof name);
    assert_int_equal(strlen(tensor_print_name((str){name, sizeof name}, text)),
                     TENSOR_PRINT_BYTES - 1);
    assert_true(str_ends(str_from(text), STR("n...")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_equal_the_package),
        cmocka_unit_test(shapes_are_checked),
        cmocka_unit_test(tensors_describe_themselves),
        cmocka_unit_test(names_are_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
