/* kern_rows_ref.c - the row kernels as their definitions say; see kern_rows.h. */
#include "kern/kern_rows.h"

#include <math.h>

static void rmsnorm(const float *x, const kern_norm *o, int64_t n, float *y) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
    float scale = (float)(1 / sqrt(sum / (double)n + (double)o->eps));
    for (int64_t i = 0; i < n; i++) y[i] = x[i] * scale * o->weight[i];
}

static void layernorm(const float *x, const kern_norm *o, int64_t n, float *y) {
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)x[i];
    double mean = sum / (double)n;
    for (int64_t i = 0; i < n; i++) squares += ((double)x[i] - mean) * ((double)x[i] - mean);
    float scale = (float)(1 / sqrt(squares / (double)n + (double)o->eps)), centre = (float)mean;
    for (int64_t i = 0; i < n; i++)
        y[i] = (x[i] - centre) * scale * o->weight[i] + (o->bias ? o->bias[i] : 0);
}

static float silu(float x) {
    return x / (1 + expf(-x));
}
static float gelu(float x) {
    return 0.5f * x * (1 + erff(x * 0.70710678f));
}
static float gelu_tanh(float x) {
    return 0.5f * x * (1 + tanhf(0.7978845608f * (x + 0.044715f * x * x * x)));
}

#define CURVE(name)                                                                             \
    static void name##_row(float *x, int64_t n) {                                               \
        for (int64_t i = 0; i < n; i++) x[i] = name(x[i]);                                      \
    }                                                                                           \
    static void name##_glu(const float *gate, const float *up, float *y, int64_t n) {           \
        for (int64_t i = 0; i < n; i++) y[i] = name(gate[i]) * up[i];                           \
    }                                                                                           \
    static void name##_finish(const float *bias, int64_t T, int64_t n, float *y, int64_t ldy) { \
        for (int64_t t = 0; t < T; t++, y += ldy)                                               \
            for (int64_t i = 0; i < n; i++) y[i] = name(bias ? y[i] + bias[i] : y[i]);          \
    }
CURVE(silu)
CURVE(gelu)
CURVE(gelu_tanh)

static void add(const float *x, float *y, int64_t n) {
    for (int64_t i = 0; i < n; i++) y[i] += x[i];
}
static void add_each(const float *bias, int64_t T, int64_t n, float *y, int64_t ldy) {
    for (int64_t t = 0; bias && t < T; t++, y += ldy) add(bias, y, n);
}
static void scale(float by, float *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) x[i] *= by;
}

static void softmax(float *x, int64_t n) {
    float most = x[0];
    double sum = 0;
    for (int64_t i = 1; i < n; i++) most = fmaxf(most, x[i]);
    for (int64_t i = 0; i < n; i++) {
        x[i] = expf(x[i] - most);
        sum += (double)x[i];
    }
    float inverse = (float)(1 / sum);
    for (int64_t i = 0; i < n; i++) x[i] *= inverse;
}

static void turn(float *x, int64_t heads, int64_t dim, const float *cosine, const float *sine,
                 int64_t half, bool next) {
    int64_t step = next ? 2 : 1, apart = next ? 1 : half;
    for (int64_t h = 0; h < heads; h++, x += dim)
        for (int64_t i = 0; i < half; i++) {
            float *p = x + i * step, a = p[0], b = p[apart];
            p[0] = a * cosine[i] - b * sine[i];
            p[apart] = a * sine[i] + b * cosine[i];
        }
}

const kern_rows_table kern_rows_ref = {
    .rmsnorm = rmsnorm,
    .layernorm = layernorm,
    .activate = {silu_row, gelu_row, gelu_tanh_row},
    .glu = {silu_glu, gelu_glu, gelu_tanh_glu},
    .add = add,
    .add_each = add_each,
    .finish = {silu_finish, gelu_finish, gelu_tanh_finish},
    .scale = scale,
    .softmax = softmax,
    .turn = turn,
};
