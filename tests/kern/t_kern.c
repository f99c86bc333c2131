/* t_kern.c - tests each kernel table against sums in double, and that no result depends on what is
 * computed beside it. Tolerances are relative to the sum of the absolute terms: 2e-6 for float
 * sums, 1e-6 for int8 products (whose integer part is exact); exponentials 1e-6, gelu 4e-7
 * absolute. */
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
        float f = kern_f16_to_f32((uint16_t)h), v;
        uint16_t back, half = (uint16_t)h;
        table->f16_to_f32(&half, &v, 1);
        if (isnan(f)) {
            assert_true(isnan(v));
            continue;
        }
        table->f32_to_f16(&f, &back, 1);
        assert_memory_equal(&v, &f, sizeof f);
        assert_int_equal(back, h);
    }
    static const struct { /* rounding to nearest, ties to even */
        float x;
        uint16_t h;
    } rounds[] = {
        {1.00048828125f, 0x3c00}, {1.00146484375f, 0x3c02}, {65519.0f, 0x7bff}, {65520.0f, 0x7c00},
        {2.98023224e-8f, 0},      {2.98023260e-8f, 1},      {6.0e-8f, 1},       {-1e30f, 0xfc00}};
    for (size_t i = 0; i < sizeof rounds / sizeof *rounds; i++) {
        float eight[8];
        uint16_t out[8];
        for (int l = 0; l < 8; l++) eight[l] = rounds[i].x;
        table->f32_to_f16(eight, out, 8); /* the vector path */
        assert_int_equal(out[7], rounds[i].h);
        assert_int_equal(kern_f32_to_f16(rounds[i].x), rounds[i].h);
    }
}

static void dots_add_up(void **state) {
    (void)state;
    static const int64_t sizes[] = {1, 7, 8, 64, 100, 384};
    float a[384], b[384], y[384];
    uint16_t h[384];
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        int64_t n = sizes[s];
        double sum = 0, half = 0, size = 0;
        random_floats(a, n);
        random_floats(b, n);
        table->f32_to_f16(b, h, n);
        for (int64_t i = 0; i < n; i++) {
            sum += (double)a[i] * (double)b[i];
            half += (double)a[i] * (double)kern_f16_to_f32(h[i]);
            size += fabs((double)a[i] * (double)b[i]);
        }
        near(table->dot_f32(a, b, n), sum, size, 2e-6, "dot_f32");
        near(table->dot_f16(a, h, n), half, size, 2e-6, "dot_f16");
        memcpy(y, b, sizeof y);
        table->axpy_f32(0.5f, a, y, n);
        for (int64_t i = 0; i < n; i++)
            near(y[i], 0.5 * (double)a[i] + (double)b[i], 1, 1e-6, "axpy");
        memcpy(y, a, sizeof y);
        table->axpy_f16(0.5f, h, y, n);
        for (int64_t i = 0; i < n; i++)
            near(y[i], 0.5 * (double)kern_f16_to_f32(h[i]) + (double)a[i], 1, 1e-6, "axpy_f16");
    }
}

static void float_products(void **state) {
    (void)state;
    static const int64_t widths[] = {8, 20, 64, 384};
    float *x = take(T_MAX * K_MAX * 4), *w = take(ROWS * K_MAX * 4);
    uint16_t *h = take(ROWS * K_MAX * 2);
    for (size_t s = 0; s < sizeof widths / sizeof *widths; s++)
        for (int64_t T = 1; T <= T_MAX; T += 4) {
            int64_t k = widths[s], rows = 7;
            float y[T_MAX * ROWS], alone[ROWS], yh[T_MAX * ROWS];
            random_floats(x, T * k);
            random_floats(w, rows * k);
            table->f32_to_f16(w, h, rows * k);
            table->gemm_f32(x, T, w, rows, k, y, ROWS);
            table->gemm_f16(x, T, h, rows, k, yh, ROWS);
            for (int64_t t = 0; t < T; t++) {
                for (int64_t r = 0; r < rows; r++) {
                    double sum = 0, half = 0, size = 0;
                    for (int64_t i = 0; i < k; i++) {
                        double a = (double)x[t * k + i];
                        sum += a * (double)w[r * k + i];
                        half += a * (double)kern_f16_to_f32(h[r * k + i]);
                        size += fabs(a * (double)w[r * k + i]);
                    }
                    near(y[t * ROWS + r], sum, size, 2e-6, "gemm_f32");
                    near(yh[t * ROWS + r], half, size, 2e-6, "gemm_f16");
                }
                table->gemm_f32(x + t * k, 1, w, rows, k, alone, ROWS);
                assert_memory_equal(alone, y + t * ROWS, (size_t)rows * sizeof(float));
            }
        }
    mem_free(x);
    mem_free(w);
    mem_free(h);
}

/* ---- int8 ---- */

static void activations_are_rounded(void **state) {
    (void)state;
    float x[96], d[3], sum[3];
    int8_t q[96];
    random_floats(x, 96);
    memset(x + 64, 0, 32 * sizeof *x); /* an empty block */
    table->quantise(x, 96, q, d, sum);
    for (int b = 0; b < 3; b++) {
        float most = 0;
        int total = 0;
        for (int i = 0; i < 32; i++) {
            most = fmaxf(most, fabsf(x[32 * b + i]));
            total += q[32 * b + i];
            assert_true(fabsf(x[32 * b + i] - d[b] * (float)q[32 * b + i]) <= d[b] * 0.5001f);
        }
        assert_true(d[b] == most / 127.0f);
        near(sum[b], (double)d[b] * total, 1, 1e-6, "sum");
    }
}

typedef struct kind {
    const char *name;
    int64_t block_bytes;
    bool least; /* Q4_1: d and m; else d alone */
    bool bytes; /* Q8_0 */
} kind;
static const kind q8_0 = {"q8_0", sizeof(kern_q8_0), false, true},
                  q4_0 = {"q4_0", sizeof(kern_q4_0), false, false},
                  q4_1 = {"q4_1", sizeof(kern_q4_1), true, false};

/* numbers of a block and its offset, as the format says */
static void block_read(const kind *kd, const void *block, int q[KERN_BLOCK], double *d, double *m) {
    const uint8_t *p = block;
    uint16_t h[2];
    memcpy(h, p, sizeof h);
    *d = (double)kern_f16_to_f32(h[0]);
    *m = kd->least ? (double)kern_f16_to_f32(h[1]) : 0;
    p += kd->least ? 4 : 2;
    for (int i = 0; i < KERN_BLOCK; i++)
        q[i] =
            kd->bytes ? (int8_t)p[i] : (i < 16 ? p[i] & 15 : p[i - 16] >> 4) - (kd->least ? 0 : 8);
}

static void random_blocks(const kind *kd, uint8_t *w, int64_t blocks) {
    for (int64_t b = 0; b < blocks; b++, w += kd->block_bytes) {
        uint16_t h[2] = {kern_f32_to_f16(random_float()), kern_f32_to_f16(random_float())};
        for (int64_t i = 0; i < kd->block_bytes; i++) w[i] = (uint8_t)rand_next(&rs);
        memcpy(w, h, kd->least ? 4 : 2);
    }
}

static void check_product(const kind *kd, kern_gemm_q gemm, const kern_packed *packed) {
    static const int64_t widths[] = {32, 96, 576, 1536};
    enum { BLOCKS_MAX = K_MAX / KERN_BLOCK };
    float *x = take(T_MAX * K_MAX * 4);
    uint8_t *w = take(ROWS * BLOCKS_MAX * 40), *laid = take(ROWS * BLOCKS_MAX * 40);
    kern_act act = {take(T_MAX * K_MAX), take(T_MAX * BLOCKS_MAX * 4),
                    take(T_MAX * BLOCKS_MAX * 4)};
    for (size_t s = 0; s < sizeof widths / sizeof *widths; s++)
        for (int64_t T = 1; T <= T_MAX; T += 4) {
            int64_t k = widths[s], blocks = k / KERN_BLOCK, row_bytes = blocks * kd->block_bytes;
            float y[T_MAX * ROWS], alone[ROWS];
            random_floats(x, T * k);
            random_blocks(kd, w, ROWS * blocks);
            for (int64_t t = 0; t < T; t++)
                table->quantise(x + t * k, k, act.q + t * k, act.d + t * blocks,
                                act.sum + t * blocks);
            const void *from = w;
            if (packed) {
                packed->pack(w, row_bytes, ROWS, k, laid);
                from = laid;
            }
            gemm(act, T, from, row_bytes, ROWS, k, y, ROWS);
            for (int64_t t = 0; t < T; t++) {
                for (int64_t r = 0; r < ROWS; r++) {
                    double sum = 0, size = 0, d, m;
                    for (int64_t b = 0; b < blocks; b++) {
                        int q[KERN_BLOCK];
                        block_read(kd, w + r * row_bytes + b * kd->block_bytes, q, &d, &m);
                        double dx = (double)act.d[t * blocks + b];
                        for (int i = 0; i < KERN_BLOCK; i++) {
                            double v = dx * act.q[t * k + b * KERN_BLOCK + i];
                            sum += v * (d * q[i] + m);
                            size += fabs(v) * (fabs(d * (kd->bytes ? q[i] : q[i] + 8)) +
                                               fabs(d * 8) + fabs(m));
                        }
                    }
                    near(y[t * ROWS + r], sum, size, 1e-6, kd->name);
                }
                kern_act one = {act.q + t * k, act.d + t * blocks, act.sum + t * blocks};
                gemm(one, 1, from, row_bytes, ROWS, k, alone, ROWS);
                assert_memory_equal(alone, y + t * ROWS, sizeof alone);
            }
        }
    mem_free(x);
    mem_free(w);
    mem_free(laid);
    mem_free(act.q);
    mem_free(act.d);
    mem_free(act.sum);
}

static void int8_products(void **state) {
    (void)state;
    check_product(&q8_0, table->gemm_q8_0, NULL);
    check_product(&q4_0, table->gemm_q4_0, NULL);
    check_product(&q4_1, table->gemm_q4_1, NULL);
}
static void packed_products(void **state) {
    (void)state;
    if (!table->packed_q4_0.pack) return;
    check_product(&q4_0, table->packed_q4_0.gemm, &table->packed_q4_0);
    check_product(&q4_1, table->packed_q4_1.gemm, &table->packed_q4_1);
}

/* With scales of one, the extremes of every type give whole numbers exactly: nothing saturates. */
static void check_extremes(const kind *kd, kern_gemm_q gemm, const kern_packed *packed) {
    uint8_t w[KERN_STRIP * 40], laid[KERN_STRIP * 40];
    int8_t q[KERN_BLOCK];
    float d = 1, sum = 0, y[KERN_STRIP];
    static const int bytes[] = {0x00, 0xff, 0x7f, 0x80, 0x81, 0xf0, 0x0f};
    static const int8_t signs[] = {127, -127};
    kern_act act = {q, &d, &sum};
    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++)
        for (size_t s = 0; s < 2; s++) {
            double m, scale;
            int v[KERN_BLOCK], want = 0, total = 0;
            uint16_t one[2] = {0x3c00, 0};
            memset(w, bytes[i], sizeof w);
            for (int r = 0; r < KERN_STRIP; r++)
                memcpy(w + r * kd->block_bytes, one, kd->least ? 4 : 2);
            block_read(kd, w, v, &scale, &m);
            for (int b = 0; b < KERN_BLOCK; b++) {
                q[b] = b % 3 ? signs[s] : (int8_t)-signs[s];
                if (i < 3) q[b] = signs[s];
                want += q[b] * v[b];
                total += q[b];
            }
            sum = (float)total;
            if (packed) packed->pack(w, kd->block_bytes, KERN_STRIP, KERN_BLOCK, laid);
            gemm(act, 1, packed ? laid : w, kd->block_bytes, KERN_STRIP, KERN_BLOCK, y, KERN_STRIP);
            for (int r = 0; r < KERN_STRIP; r++) assert_true(y[r] == (float)want);
        }
}

static void whole_numbers_are_exact(void **state) {
    (void)state;
    check_extremes(&q8_0, table->gemm_q8_0, NULL);
    check_extremes(&q4_0, table->gemm_q4_0, NULL);
    check_extremes(&q4_1, table->gemm_q4_1, NULL);
    if (!table->packed_q4_0.pack) return;
    check_extremes(&q4_0, table->packed_q4_0.gemm, &table->packed_q4_0);
    check_extremes(&q4_1, table->packed_q4_1.gemm, &table->packed_q4_1);
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
    assert_non_null(strstr(f.hint, "avx2"));
}

static int choose(void **state) {
    fail f;
    return kern_select(*state, &table, &f) == E_OK ? 0 : -1;
}

#define WITH(test, name) cmocka_unit_test_prestate_setup_teardown(test, choose, NULL, name)
#define ALL(name)                                                                    \
    WITH(halves_convert, name), WITH(dots_add_up, name), WITH(float_products, name), \
        WITH(activations_are_rounded, name), WITH(int8_products, name),              \
        WITH(packed_products, name), WITH(whole_numbers_are_exact, name)

int main(void) {
    static char f32[] = "f32", ref[] = "ref", avx2[] = "avx2";
    const struct CMUnitTest everywhere[] = {cmocka_unit_test(names_are_known), ALL(f32), ALL(ref)};
    const struct CMUnitTest with_avx2[] = {cmocka_unit_test(names_are_known), ALL(f32), ALL(ref),
                                           ALL(avx2)};
    fail f;
    if (kern_select(avx2, &table, &f) == E_OK) return cmocka_run_group_tests(with_avx2, NULL, NULL);
    print_message("skipped: %s\n", f.text);
    return cmocka_run_group_tests(everywhere, NULL, NULL);
}
