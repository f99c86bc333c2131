/* t_kern_rows.c - tests the row kernels of each instruction set that runs here against their
 * definitions in double. Tolerances are relative to the largest number of the result's terms. */
#include "kern/kern_rows.h"

#include "base/rand.h"
#include "test.h"

#include <math.h>

enum { N = 4001 };

static const kern_rows_table *table;
static const char *name;
static rand_stream rs = {.seed = 7};

static void random_floats(float *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) x[i] = (float)(rand_next_unit(&rs) * 2 - 1);
}

static void near(float got, double want, double size, double tolerance, const char *what) {
    if (!(fabs((double)got - want) <= tolerance * (size + 1e-30)))
        fail_msg("%s %s: %.9g, not %.9g", name, what, (double)got, want);
}

static const int64_t sizes[] = {1, 5, 8, 16, 63, 100, 576, 2048};
enum { SIZES = sizeof sizes / sizeof *sizes, SIZE_MAX_HERE = 2048 };

static void norms(void **state) {
    (void)state;
    static float x[SIZE_MAX_HERE], w[SIZE_MAX_HERE], b[SIZE_MAX_HERE], y[SIZE_MAX_HERE],
        plain[SIZE_MAX_HERE];
    for (size_t s = 0; s < SIZES; s++) {
        int64_t n = sizes[s];
        double squares = 0, mean = 0, spread = 0;
        random_floats(x, n);
        random_floats(w, n);
        random_floats(b, n);
        for (int64_t i = 0; i < n; i++) x[i] += 0.5f;
        for (int64_t i = 0; i < n; i++) {
            squares += (double)x[i] * (double)x[i] / (double)n;
            mean += (double)x[i] / (double)n;
        }
        for (int64_t i = 0; i < n; i++)
            spread += ((double)x[i] - mean) * ((double)x[i] - mean) / (double)n;
        kern_norm o = {.weight = w, .bias = b, .eps = 1e-5f};
        table->rmsnorm(x, &o, n, y);
        for (int64_t i = 0; i < n; i++)
            near(y[i], (double)x[i] / sqrt(squares + 1e-5) * (double)w[i], 2, 1e-6, "rmsnorm");
        table->layernorm(x, &o, n, y);
        o.bias = NULL;
        table->layernorm(x, &o, n, plain);
        for (int64_t i = 0; i < n; i++) {
            double want = ((double)x[i] - mean) / sqrt(spread + 1e-5) * (double)w[i];
            near(y[i], want + (double)b[i], 4, 1e-6, "layernorm");
            near(plain[i], want, 4, 1e-6, "layernorm without bias");
        }
        memcpy(y, x, sizeof y);
        table->rmsnorm(y, &o, n, y); /* in place */
        table->rmsnorm(x, &o, n, plain);
        assert_memory_equal(y, plain, (size_t)n * sizeof *y);
    }
}

static void softmax_sums_to_one(void **state) {
    (void)state;
    static float x[SIZE_MAX_HERE], y[SIZE_MAX_HERE];
    for (size_t s = 0; s < SIZES; s++) {
        int64_t n = sizes[s];
        double total = 0, most = -1e9, all = 0;
        random_floats(x, n);
        for (int64_t i = 0; i < n; i++) {
            y[i] = x[i] *= 30;
            most = fmax(most, (double)x[i]);
        }
        for (int64_t i = 0; i < n; i++) total += exp((double)x[i] - most);
        table->softmax(y, n);
        for (int64_t i = 0; i < n; i++) {
            near(y[i], exp((double)x[i] - most) / total, 1, 1e-6, "softmax");
            all += (double)y[i];
        }
        near((float)all, 1, 1, 1e-6, "sum of a softmax");
    }
}

static double curve(kern_curve kind, double x) {
    double u = 0.79788456080286536 * (x + 0.044715 * x * x * x);
    return kind == KERN_SILU   ? x / (1 + exp(-x))
           : kind == KERN_GELU ? 0.5 * x * (1 + erf(x * 0.70710678118654752))
                               : 0.5 * x * (1 + tanh(u));
}

static void curves(void **state) {
    (void)state;
    static float gate[N], up[N], y[N];
    for (kern_curve kind = 0; kind < KERN_CURVES; kind++) {
        random_floats(up, N);
        for (int i = 0; i < N; i++) y[i] = gate[i] = (float)(i - N / 2) / 40; /* -50 .. 50 */
        table->activate[kind](y, N);
        for (int i = 0; i < N; i++)
            near(y[i], curve(kind, (double)gate[i]), 1 + fabs((double)gate[i]), 4e-7, "curve");
        table->glu[kind](gate, up, y, N);
        for (int i = 0; i < N; i++)
            near(y[i], curve(kind, (double)gate[i]) * (double)up[i], 1 + fabs((double)gate[i]),
                 4e-7, "glu");
        table->glu[kind](gate, up, up, N); /* into one of its inputs */
        assert_memory_equal(up, y, sizeof y);
    }
    float edges[] = {-1e30f, 1e30f, -INFINITY, 0, -100, 100}, want[] = {0, 1e30f, 0, 0, 0, 100};
    for (kern_curve kind = 0; kind < KERN_CURVES; kind++) {
        float x[6];
        memcpy(x, edges, sizeof x);
        table->activate[kind](x, 6);
        for (int i = 0; i < 6; i++)
            if (i != 2) near(x[i], (double)want[i], fabs((double)want[i]) + 1e-3, 1e-3, "edge");
    }
}

static void sums(void **state) {
    (void)state;
    static float x[N], y[N], z[N];
    random_floats(x, N);
    random_floats(y, N);
    memcpy(z, y, sizeof z);
    table->add(x, z, N);
    for (int i = 0; i < N; i++) assert_true(z[i] == x[i] + y[i]);
    memcpy(z, y, sizeof z);
    table->scale(0.3f, z, N);
    for (int i = 0; i < N; i++) assert_true(z[i] == y[i] * 0.3f);
}

/* Bias and curve of many rows give the bits of one row after the other. */
static void rows_are_finished(void **state) {
    (void)state;
    enum { T = 3, ROOM = 128 };
    static const int64_t lengths[] = {1, 15, 16, 40, 67};
    float bias[ROOM], was[T * ROOM], y[T * ROOM], want[T * ROOM];
    for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++)
        for (int curve = -1; curve < KERN_CURVES; curve++)
            for (int biased = 0; biased < 2; biased++) {
                int64_t n = lengths[k];
                random_floats(bias, ROOM);
                random_floats(was, T * ROOM);
                was[0] = -0.0f;
                memcpy(y, was, sizeof y);
                memcpy(want, was, sizeof want);
                for (int64_t t = 0; t < T; t++) {
                    if (biased) table->add(bias, want + t * ROOM, n);
                    if (curve >= 0) table->activate[curve](want + t * ROOM, n);
                }
                if (curve < 0)
                    table->add_each(biased ? bias : NULL, T, n, y, ROOM);
                else
                    table->finish[curve](biased ? bias : NULL, T, n, y, ROOM);
                assert_memory_equal(y, want, sizeof y);
            }
}

static void heads_turn(void **state) {
    (void)state;
    enum { HEADS = 3, DIM = 128 };
    static const int64_t halves[] = {64, 32, 5, 20, 1};
    float x[HEADS * DIM], was[HEADS * DIM], c[64], s[64];
    for (size_t k = 0; k < sizeof halves / sizeof *halves; k++)
        for (int next = 0; next < 2; next++) {
            int64_t half = halves[k];
            random_floats(was, HEADS * DIM);
            random_floats(c, 64);
            random_floats(s, 64);
            memcpy(x, was, sizeof x);
            table->turn(x, HEADS, DIM, c, s, half, next);
            for (int64_t h = 0; h < HEADS * DIM; h += DIM) {
                for (int64_t i = 0; i < half; i++) {
                    int64_t p = h + (next ? 2 * i : i), q = next ? p + 1 : p + half;
                    double a = (double)was[p], b = (double)was[q];
                    near(x[p], a * (double)c[i] - b * (double)s[i], 1, 2e-7, "turn");
                    near(x[q], a * (double)s[i] + b * (double)c[i], 1, 2e-7, "turn");
                }
                for (int64_t i = 2 * half; i < DIM; i++) assert_true(x[h + i] == was[h + i]);
            }
        }
}

static int with(const kern_rows_table *t, const char *what) {
    table = t;
    name = what;
    const struct CMUnitTest tests[] = {cmocka_unit_test(norms),
                                       cmocka_unit_test(softmax_sums_to_one),
                                       cmocka_unit_test(curves),
                                       cmocka_unit_test(sums),
                                       cmocka_unit_test(rows_are_finished),
                                       cmocka_unit_test(heads_turn)};
    return cmocka_run_group_tests_name(what, tests, NULL, NULL);
}

int main(void) {
    int failed = with(&kern_rows_ref, "rows, reference");
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        failed += with(&kern_rows_avx2, "rows, AVX2");
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
        failed += with(&kern_rows_avx512, "rows, AVX-512");
#elif defined(__aarch64__)
    failed += with(&kern_rows_neon, "rows, NEON");
#endif
    return failed;
}
