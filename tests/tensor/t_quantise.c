/* t_quantise.c - tests tensor/quantise*.c through dequantise, which t_tensor.c holds to the gguf
 * package: errors stay below those of the package's and llama.cpp's own rounding on the same kind
 * of numbers; what lies on a type's grid comes back; importance moves the error to where it costs
 * less. */
#include "tensor/quantise.h"

#include "base/rand.h"
#include "tensor/tensor.h"
#include "test.h"

#include <math.h>

enum { N = 16384 };

static float x[N], y[N], importance[N];
static _Alignas(8) unsigned char blocks[N * 4];

static void fill_normal(uint64_t seed) {
    rand_stream r = {.seed = seed};
    for (int i = 0; i < N; i++) {
        double sum = 0;
        for (int k = 0; k < 12; k++) sum += rand_next_unit(&r);
        x[i] = (float)(0.02 * (sum - 6));
    }
}

/* Root of weighted squared error over weighted squares. */
static double error_of(dtype t, const float *weight) {
    double wrong = 0, all = 0;
    dtype_get(t)->quantise(x, weight, blocks, N);
    dtype_get(t)->dequantise(blocks, y, N);
    for (int i = 0; i < N; i++) {
        double w = weight ? (double)weight[i] : 1, off = (double)x[i] - (double)y[i];
        wrong += w * off * off;
        all += w * (double)x[i] * (double)x[i];
    }
    return sqrt(wrong / all);
}

/* golden/quantise.txt: llama.cpp's errors on such numbers */
static void errors_are_below_the_peers(void **state) {
    (void)state;
    char line[80], name[16];
    double theirs;
    int lines = 0;
    FILE *file = fopen("tests/tensor/golden/quantise.txt", "re");
    assert_non_null(file);
    fill_normal(7);
    while (fgets(line, sizeof line, file)) {
        dtype t;
        if (sscanf(line, "%15s %lf", name, &theirs) != 2 || name[0] == '#') continue;
        assert_true(dtype_find(str_from(name), &t));
        double ours = error_of(t, NULL);
        print_message("  %-7s %.5f, llama.cpp %.5f\n", name, ours, theirs);
        assert_true(ours <= theirs * 1.01);
        lines++;
    }
    fclose(file);
    assert_int_equal(lines, 9);
}

static bool writes(dtype t) {
    return dtype_get(t)->quantise && dtype_get(t)->block > 1;
}

static void odd_numbers_are_survived(void **state) {
    (void)state;
    static const float scales[] = {0, 1e-38f, 1e-12f, 6e-8f, 1, 3000, QUANTISE_MAX};
    for (dtype t = 0; t < DTYPE_COUNT; t++) {
        if (!writes(t)) continue;
        for (size_t s = 0; s < sizeof scales / sizeof *scales; s++)
            for (int shape = 0; shape < 4; shape++) {
                for (int i = 0; i < N; i++)
                    x[i] = scales[s] * (shape == 0   ? 1
                                        : shape == 1 ? -1
                                        : shape == 2 ? (float)(i % 256 == 77)
                                                     : (float)(i % 7) / 3 - 1);
                dtype_get(t)->quantise(x, NULL, blocks, N);
                dtype_get(t)->dequantise(blocks, y, N);
                for (int i = 0; i < N; i++)
                    if (!(fabsf(y[i] - x[i]) <= 0.35f * scales[s] + 1e-7f))
                        fail_msg("%s, scale %g, shape %d: %g became %g", dtype_get(t)->name,
                                 (double)scales[s], shape, (double)x[i], (double)y[i]);
            }
    }
}

static void importance_counts(void **state) {
    (void)state;
    fill_normal(11);
    for (int i = 0; i < N; i++) importance[i] = i % 8 == 0 ? 20 : 0.2f;
    for (dtype t = 0; t < DTYPE_COUNT; t++) {
        if (!writes(t) || t == DTYPE_Q8_0) continue;
        double wrong = 0, all = 0;
        dtype_get(t)->quantise(x, NULL, blocks, N);
        dtype_get(t)->dequantise(blocks, y, N);
        for (int i = 0; i < N; i++) {
            double off = (double)x[i] - (double)y[i];
            wrong += (double)importance[i] * off * off;
            all += (double)importance[i] * (double)x[i] * (double)x[i];
        }
        double plain = sqrt(wrong / all), weighed = error_of(t, importance);
        if (weighed > plain * 0.97)
            fail_msg("%s: %g weighed, %g plain", dtype_get(t)->name, weighed, plain);
    }
}

static void a_grid_comes_back(void **state) {
    (void)state;
    fill_normal(3);
    for (dtype t = 0; t < DTYPE_COUNT; t++) {
        if (!writes(t)) continue;
        double first = error_of(t, NULL);
        memcpy(x, y, sizeof x);
        double again = error_of(t, NULL);
        if (again > first / 3)
            fail_msg("%s: %g again, %g at first", dtype_get(t)->name, again, first);
        fill_normal(3);
    }
}

static void halves_round_to_even(void **state) {
    (void)state;
    const float in[8] = {1.00390625f, 1.01171875f, -0.0f, 1e30f, 3.389e38f, 65504, 0.1f, 1e-41f};
    const uint16_t bf16[8] = {0x3f80, 0x3f82, 0x8000, 0x714a, 0x7f7f, 0x4780, 0x3dcd, 0x0000};
    uint16_t out[8];
    quantise_bf16(in, NULL, out, 8);
    for (int i = 0; i < 8; i++) assert_int_equal(out[i], bf16[i]);
    assert_true(quantise_fits(in, 3) && !quantise_fits(in, 4));
    assert_false(quantise_fits((float[]){NAN}, 1));
    assert_false(quantise_fits((float[]){INFINITY}, 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_below_the_peers), cmocka_unit_test(odd_numbers_are_survived),
        cmocka_unit_test(importance_counts),          cmocka_unit_test(a_grid_comes_back),
        cmocka_unit_test(halves_round_to_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
