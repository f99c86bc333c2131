/* t_kern.c - the tables by name, half precision, and the float reference's products against sums in
 * double, within 2e-6 of the sum of the absolute terms. */
#include "base/mem.h"
#include "base/rand.h"
#include "kern/kern.h"
#include "test.h"

#include <math.h>

enum { K_MAX = 1536, ROWS = 16, T_MAX = 9 };

static const kern_table *table; /* the one under test */
static rand_stream rs = {.seed = 3};

static float random_float(void) {
    return (float)(rand_next_unit(&rs) * 2 - 1);
}
static void random_floats(float *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) x[i] = random_float();
}
static void *take(size_t bytes) {
    void *p = mem_alloc_aligned(bytes);
    assert_non_null(p);
    return p;
}
static void near(float got, double want, double size, double tolerance, const char *what) {
    double off = fabs((double)got - want);
    if (!(off <= tolerance * (size + 1e-30)))
        fail_msg("%s %s: %.9g, not %.9g (off by %.2g of %.3g)", table->name, what, (double)got,
                 want, off, size);
}

static void halves_convert(void **state) {
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        float f = kern_f16_to_f32((uint16_t)h);
        if (!isnan(f)) assert_int_equal(kern_f32_to_f16(f), h);
    }
    static const struct { /* rounding to nearest, ties to even */
        float x;
        uint16_t h;
    } rounds[] = {
        {1.00048828125f, 0x3c00}, {1.00146484375f, 0x3c02}, {65519.0f, 0x7bff}, {65520.0f, 0x7c00},
        {2.98023224e-8f, 0},      {2.98023260e-8f, 1},      {6.0e-8f, 1},       {-1e30f, 0xfc00}};
    for (size_t i = 0; i < sizeof rounds / sizeof *rounds; i++) {
        assert_int_equal(kern_f32_to_f16(rounds[i].x), rounds[i].h);
    }
}

static void float_products(void **state) {
    (void)state;
    if (!table) skip();
    static const int64_t widths[] = {1, 8, 20, 64, 384};
    float *x = take(T_MAX * K_MAX * 4), *w = take(ROWS * K_MAX * 4);
    for (size_t s = 0; s < sizeof widths / sizeof *widths; s++)
        for (int64_t T = 1; T <= T_MAX; T += 4) {
            int64_t k = widths[s], rows = 7;
            float y[T_MAX * ROWS], alone[ROWS];
            random_floats(x, T * k);
            random_floats(w, rows * k);
            table->gemm_f32(x, T, w, rows, k, y, ROWS);
            for (int64_t t = 0; t < T; t++) {
                for (int64_t r = 0; r < rows; r++) {
                    double sum = 0, size = 0;
                    for (int64_t i = 0; i < k; i++) {
                        double term = (double)x[t * k + i] * (double)w[r * k + i];
                        sum += term;
                        size += fabs(term);
                    }
                    near(y[t * ROWS + r], sum, size, 2e-6, "gemm_f32");
                }
                table->gemm_f32(x + t * k, 1, w, rows, k, alone, ROWS);
                assert_memory_equal(alone, y + t * ROWS, (size_t)rows * sizeof(float));
            }
        }
    mem_free(x);
    mem_free(w);
}

static void dots_add_up(void **state) {
    (void)state;
    if (!table) skip();
    static const int64_t sizes[] = {1, 7, 8, 64, 100, 384};
    float a[384], b[384], y[384];
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        int64_t n = sizes[s];
        double sum = 0, size = 0;
        random_floats(a, n);
        random_floats(b, n);
        for (int64_t i = 0; i < n; i++) {
            sum += (double)a[i] * (double)b[i];
            size += fabs((double)a[i] * (double)b[i]);
        }
        near(table->dot_f32(a, b, n), sum, size, 2e-6, "dot_f32");
        memcpy(y, b, sizeof y);
        table->axpy_f32(0.5f, a, y, n);
        for (int64_t i = 0; i < n; i++)
            near(y[i], 0.5 * (double)a[i] + (double)b[i], 1, 1e-6, "axpy");
    }
}

static void names_are_known(void **state) {
    (void)state;
    const kern_table *t = NULL;
    fail f;
    assert_ok(kern_select("ref", &t, &f), &f);
    assert_ptr_equal(t, &kern_ref_table);
    assert_ok(kern_select("f32", &t, &f), &f);
    assert_false(t->int8);
    assert_ok(kern_select(NULL, &t, &f), &f);
    assert_true(t->int8);
    assert_int_equal(kern_select("sse9", &t, &f), E_UNSUPPORTED);
#if defined(__x86_64__)
    assert_non_null(strstr(f.hint, "avx2"));
#else
    assert_non_null(strstr(f.hint, "ref"));
#endif
}

static int choose(void **state) {
    fail f;
    table = NULL;
    if (kern_select(*state, &table, &f) != E_OK) print_message("skipped: %s\n", f.text);
    return 0;
}

#define WITH(test, name) cmocka_unit_test_prestate_setup_teardown(test, choose, NULL, name)
int main(void) {
    static char f32[] = "f32", ref[] = "ref", avx2[] = "avx2", avx512[] = "avx512", neon[] = "neon";
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_are_known),
                                       cmocka_unit_test(halves_convert),
                                       WITH(float_products, f32),
                                       WITH(float_products, ref),
                                       WITH(float_products, avx2),
                                       WITH(float_products, avx512),
                                       WITH(float_products, neon),
                                       WITH(dots_add_up, neon),
                                       WITH(dots_add_up, f32),
                                       WITH(dots_add_up, ref),
                                       WITH(dots_add_up, avx2),
                                       WITH(dots_add_up, avx512)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
