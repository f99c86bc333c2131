/* t_fit_linear.c - tests fit/fit_linear.c: the minimum is scikit-learn's,
 *   LinearSVC(C=1, tol=1e-10, fit_intercept=False).fit([X 1], y): objective 12.4864830875
 * and labels of a block do not touch each other. */
#include "fit/fit_linear.h"
#include "test.h"

#include <math.h>

enum { N = 60, DIM = 3, FEATURES = 3, WIDE = FEATURES + DIM + 1 };
#define MINIMUM 12.4864830875

static float dense[N * DIM], value[N * FEATURES], squared[N], alpha[N * FIT_LINEAR_BLOCK];
static uint8_t aside[N * FIT_LINEAR_BLOCK];
static size_t start[N + 1];
static uint32_t column[N * FEATURES], rows[N], order[N];
static int32_t labels[N];

static double number(int i, int k) {
    return ((i * 37 + k * 101 + i * i * k) % 19 - 9) / 9.0;
}

/* The first three numbers dense (at half, for dense_scale 2), the others sparse; a row is of label
 * 1 by its first two numbers, with noise. */
static fit_matrix make_matrix(void) {
    for (int i = 0; i < N; i++) {
        rows[i] = (uint32_t)i;
        squared[i] = 1;
        for (int k = 0; k < 6; k++) squared[i] += (float)(number(i, k) * number(i, k));
        for (int k = 0; k < DIM; k++) {
            dense[i * DIM + k] = (float)(number(i, k) / 2);
            value[i * FEATURES + k] = (float)number(i, k + DIM);
            column[i * FEATURES + k] = (uint32_t)k;
        }
        start[i + 1] = (size_t)(i + 1) * FEATURES;
        labels[i] = number(i, 0) + .5 * number(i, 1) + ((i % 7) - 3) / 6.0 > .3;
    }
    return (fit_matrix){.rows = N,
                        .dim = DIM,
                        .features = FEATURES,
                        .dense = dense,
                        .dense_scale = 2,
                        .start = start,
                        .column = column,
                        .value = value,
                        .squared = squared};
}

static double objective(const fit_matrix *m, const float *w, int32_t label) {
    double sum = 0;
    for (int k = 0; k < WIDE; k++) {
        double true_weight = (double)w[k] / (k >= FEATURES && k < FEATURES + DIM ? 2 : 1);
        sum += true_weight * true_weight / 2;
    }
    for (size_t i = 0; i < N; i++) {
        double y = labels[i] == label ? 1 : -1;
        double slack = fmax(0, 1 - y * (double)fit_linear_score(m, i, w));
        sum += slack * slack;
    }
    return sum;
}

static void the_minimum_of_sklearn(void **state) {
    (void)state;
    fit_matrix m = make_matrix();
    fit_linear_room room = {alpha, aside, order};
    float w[2 * WIDE], alone[WIDE];
    fit_linear_options o = {
        .rows = rows, .n = N, .labels = labels, .first_label = 0, .count = 2, .cost = 1, .seed = 5};
    int passes = fit_linear_train(&m, &o, &room, w);
    assert_in_range(passes, 2, FIT_LINEAR_PASSES_MAX - 1);
    for (int label = 0; label < 2; label++) {
        double got = objective(&m, w + label * WIDE, label);
        assert_true(got >= MINIMUM - 1e-4 && got < MINIMUM * 1.002);
    }
    /* label 0 against 1 is the mirror of 1 against 0 */
    for (int k = 0; k < WIDE; k++) assert_true(fabsf(w[k] + w[WIDE + k]) < .1f);
    o.count = 1; /* the same order of rows, so the same bits alone */
    fit_linear_train(&m, &o, &room, alone);
    assert_memory_equal(alone, w, sizeof alone);
}

static void one_class_alone_is_no_trouble(void **state) {
    (void)state;
    fit_matrix m = make_matrix();
    fit_linear_room room = {alpha, aside, order};
    float w[WIDE];
    fit_linear_options o = {
        .rows = rows, .n = N, .labels = labels, .first_label = 7, .count = 1, .cost = 1};
    fit_linear_train(&m, &o, &room, w);
    for (size_t i = 0; i < N; i++) assert_true(fit_linear_score(&m, i, w) < 0);
    o.n = 0;
    fit_linear_train(&m, &o, &room, w);
    for (int k = 0; k < WIDE; k++) assert_true(w[k] == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_minimum_of_sklearn),
        cmocka_unit_test(one_class_alone_is_no_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
