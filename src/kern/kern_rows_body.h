/* kern_rows_body.h - the row kernels over the vectors of kern_vec.h; an ISA file includes it once.
 * The last numbers of a row that do not fill a vector go through one that is padded with zeroes. */
#include "kern/kern_rows.h"
#include "kern/kern_vec.h"

#include <math.h>

enum { SUMS = 4 }; /* sums in flight */

static float sum_of(const float *x, int64_t n) {
    vec s[SUMS];
    int64_t i = 0;
    for (int k = 0; k < SUMS; k++) s[k] = vec_set(0);
    for (; i + SUMS * LANES <= n; i += SUMS * LANES)
        for (int k = 0; k < SUMS; k++) s[k] = vec_add(s[k], vec_load(x + i + k * LANES));
    for (; i + LANES <= n; i += LANES) s[0] = vec_add(s[0], vec_load(x + i));
    if (i < n) s[1] = vec_add(s[1], vec_load_first(x + i, (int)(n - i)));
    return vec_add_lanes(vec_add(vec_add(s[0], s[1]), vec_add(s[2], s[3])));
}

/* sum of (x - centre)^2 */
static float squares_of(const float *x, float centre, int64_t n) {
    vec s[SUMS], c = vec_set(centre);
    int64_t i = 0;
    for (int k = 0; k < SUMS; k++) s[k] = vec_set(0);
    for (; i + SUMS * LANES <= n; i += SUMS * LANES)
        for (int k = 0; k < SUMS; k++) {
            vec v = vec_sub(vec_load(x + i + k * LANES), c);
            s[k] = vec_fma(v, v, s[k]);
        }
    float rest = 0;
    for (; i + LANES <= n; i += LANES) {
        vec v = vec_sub(vec_load(x + i), c);
        s[0] = vec_fma(v, v, s[0]);
    }
    for (; i < n; i++) rest = fmaf(x[i] - centre, x[i] - centre, rest);
    return vec_add_lanes(vec_add(vec_add(s[0], s[1]), vec_add(s[2], s[3]))) + rest;
}

static void rmsnorm(const float *x, const kern_norm *o, int64_t n, float *y) {
    float by = 1 / sqrtf(squares_of(x, 0, n) / (float)n + o->eps);
    vec scale = vec_set(by);
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        vec_store(y + i, vec_mul(vec_mul(vec_load(x + i), scale), vec_load(o->weight + i)));
    for (; i < n; i++) y[i] = x[i] * by * o->weight[i];
}

static void layernorm(const float *x, const kern_norm *o, int64_t n, float *y) {
    float mean = sum_of(x, n) / (float)n;
    float by = 1 / sqrtf(squares_of(x, mean, n) / (float)n + o->eps);
    vec scale = vec_set(by), centre = vec_set(mean);
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        vec v = vec_mul(vec_sub(vec_load(x + i), centre), scale);
        vec bias = o->bias ? vec_load(o->bias + i) : vec_set(0);
        vec_store(y + i, vec_fma(v, vec_load(o->weight + i), bias));
    }
    for (; i < n; i++) y[i] = fmaf((x[i] - mean) * by, o->weight[i], o->bias ? o->bias[i] : 0);
}

/* ---- sums ---- */

static void add(const float *x, float *y, int64_t n) {
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) vec_store(y + i, vec_add(vec_load(y + i), vec_load(x + i)));
    for (; i < n; i++) y[i] += x[i];
}

static void add_each(const float *bias, int64_t T, int64_t n, float *y, int64_t ldy) {
    int64_t i = 0;
    if (!bias) return;
    for (; i + LANES <= n; i += LANES) {
        vec b = vec_load(bias + i);
        for (int64_t t = 0; t < T; t++)
            vec_store(y + t * ldy + i, vec_add(vec_load(y + t * ldy + i), b));
    }
    for (int64_t t = 0; i < n && t < T; t++) add(bias + i, y + t * ldy + i, n - i);
}

/* ---- activations ---- */

INLINE vec sigmoid(vec x) {
    vec one = vec_set(1);
    return vec_div(one, vec_add(one, vec_exp(vec_sub(vec_set(0), x))));
}
INLINE vec silu(vec x) {
    return vec_mul(x, sigmoid(x));
}
INLINE vec gelu_tanh(vec x) {
    vec cube = vec_mul(vec_mul(x, x), vec_mul(x, vec_set(0.044715f)));
    return vec_mul(x, sigmoid(vec_mul(vec_set(1.5957691216f), vec_add(x, cube))));
}
/* erf by Abramowitz and Stegun 7.1.26, |error| <= 1.5e-7 */
INLINE vec gelu(vec x) {
    vec z = vec_mul(x, vec_set(0.70710678f)), a = vec_abs(z), one = vec_set(1);
    vec t = vec_div(one, vec_fma(vec_set(0.3275911f), a, one)), p = vec_set(1.061405429f);
    p = vec_fma(p, t, vec_set(-1.453152027f));
    p = vec_fma(p, t, vec_set(1.421413741f));
    p = vec_fma(p, t, vec_set(-0.284496736f));
    p = vec_fma(p, t, vec_set(0.254829592f));
    vec tail = vec_mul(vec_mul(p, t), vec_exp(vec_sub(vec_set(0), vec_mul(a, a))));
    vec erf = vec_sign_of(vec_sub(one, tail), z);
    return vec_mul(vec_mul(vec_set(0.5f), x), vec_add(one, erf));
}

#define CURVE(name)                                                                             \
    static void name##_row(float *x, int64_t n) {                                               \
        int64_t i = 0;                                                                          \
        for (; i + LANES <= n; i += LANES) vec_store(x + i, name(vec_load(x + i)));             \
        if (i < n)                                                                              \
            vec_store_first(x + i, name(vec_load_first(x + i, (int)(n - i))), (int)(n - i));    \
    }                                                                                           \
    static void name##_glu(const float *gate, const float *up, float *y, int64_t n) {           \
        int64_t i = 0;                                                                          \
        for (; i + LANES <= n; i += LANES)                                                      \
            vec_store(y + i, vec_mul(name(vec_load(gate + i)), vec_load(up + i)));              \
        if (i < n) {                                                                            \
            vec g = vec_load_first(gate + i, (int)(n - i)),                                     \
                u = vec_load_first(up + i, (int)(n - i));                                       \
            vec_store_first(y + i, vec_mul(name(g), u), (int)(n - i));                          \
        }                                                                                       \
    }                                                                                           \
    static void name##_finish(const float *bias, int64_t T, int64_t n, float *y, int64_t ldy) { \
        int64_t i = 0;                                                                          \
        for (; bias && i + LANES <= n; i += LANES) {                                            \
            vec b = vec_load(bias + i);                                                         \
            for (int64_t t = 0; t < T; t++)                                                     \
                vec_store(y + t * ldy + i, name(vec_add(vec_load(y + t * ldy + i), b)));        \
        }                                                                                       \
        for (int64_t t = 0; i < n && t < T; t++) {                                              \
            if (bias) add(bias + i, y + t * ldy + i, n - i);                                    \
            name##_row(y + t * ldy + i, n - i);                                                 \
        }                                                                                       \
    }
CURVE(silu)
CURVE(gelu)
CURVE(gelu_tanh)

/* ---- softmax ---- */

static void scale(float by, float *x, int64_t n) {
    vec b = vec_set(by);
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) vec_store(x + i, vec_mul(vec_load(x + i), b));
    for (; i < n; i++) x[i] *= by;
}

static void softmax(float *x, int64_t n) {
    vec most = vec_set(x[0]);
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) most = vec_max(most, vec_load(x + i));
    float top = vec_max_lanes(most);
    for (; i < n; i++) top = x[i] > top ? x[i] : top;
    vec t = vec_set(top);
    for (i = 0; i + LANES <= n; i += LANES) vec_store(x + i, vec_exp(vec_sub(vec_load(x + i), t)));
    if (i < n)
        vec_store_first(x + i, vec_exp(vec_sub(vec_load_first(x + i, (int)(n - i)), t)),
                        (int)(n - i));
    scale(1 / sum_of(x, n), x, n);
}

/* ---- rotation ---- */

INLINE void turn_pair(vec *a, vec *b, vec c, vec s) {
    vec x = *a, y = *b;
    *a = vec_fnma(y, s, vec_mul(x, c));
    *b = vec_fma(x, s, vec_mul(y, c));
}

static void turn(float *x, int64_t heads, int64_t dim, const float *cosine, const float *sine,
                 int64_t half, bool next) {
    for (int64_t h = 0; h < heads; h++, x += dim) {
        int64_t i = 0;
        for (; i + LANES <= half; i += LANES) {
            vec a, b, c = vec_load(cosine + i), s = vec_load(sine + i);
            if (next) {
                vec_load_pairs(x + 2 * i, &a, &b);
                turn_pair(&a, &b, c, s);
                vec_store_pairs(x + 2 * i, a, b);
            } else {
                a = vec_load(x + i);
                b = vec_load(x + i + half);
                turn_pair(&a, &b, c, s);
                vec_store(x + i, a);
                vec_store(x + i + half, b);
            }
        }
        for (; i < half; i++) {
            float *p = next ? x + 2 * i : x + i, *q = next ? p + 1 : p + half, a = *p, b = *q;
            *p = a * cosine[i] - b * sine[i];
            *q = a * sine[i] + b * cosine[i];
        }
    }
}

#define ROWS_TABLE                                                                    \
    {                                                                                 \
        .rmsnorm = rmsnorm, .layernorm = layernorm,                                   \
        .activate = {silu_row, gelu_row, gelu_tanh_row},                              \
        .glu = {silu_glu, gelu_glu, gelu_tanh_glu}, .add = add, .add_each = add_each, \
        .finish = {silu_finish, gelu_finish, gelu_tanh_finish}, .scale = scale,       \
        .softmax = softmax, .turn = turn                                              \
    }
