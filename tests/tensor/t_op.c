/* t_op.c - tests tensor/op.c: each operator against a plain loop in double, with every kernel table
 * and with one and two threads; packed weights give what unpacked ones give; rows do not depend on
 * their company. */
#include "tensor/op.h"

#include "base/mem.h"
#include "base/rand.h"
#include "test.h"

#include <math.h>

enum { K = 96, ROWS = 104, T_MAX = 70, HEADS = 6, KV_HEADS = 2, DIM = 16, POSITIONS = 40 };

static rand_stream rs = {.seed = 5};

static void random_floats(float *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) x[i] = (float)(rand_next_unit(&rs) * 2 - 1);
}

static op_context open_context(const char *kernels, int threads) {
    op_context c;
    fail f;
    const kern_table *kern;
    team *team;
    assert_ok(kern_select(kernels, &kern, &f), &f);
    assert_ok(team_open(&team, threads, &f), &f);
    assert_ok(op_open(&c, kern, team, T_MAX, K, POSITIONS, &f), &f);
    return c;
}

static void close_context(op_context *c) {
    team *t = c->team;
    op_close(c);
    team_close(t);
}

static void each_context(void (*test)(op_context *c)) {
    static const char *const names[] = {"f32", "ref", NULL};
    for (size_t i = 0; i < 3; i++)
        for (int threads = 1; threads <= 2; threads++) {
            op_context c = open_context(names[i], threads);
            test(&c);
            close_context(&c);
        }
}

/* A tensor of random numbers of any type, in static memory. */
static tensor random_tensor(dtype type) {
    static _Alignas(64) unsigned char data[ROWS * K * 4];
    const dtype_info *info = dtype_get(type);
    tensor t = {.name = STR("w"), .type = type, .n_dims = 2, .dims = {ROWS, K}, .data = data};
    t.bytes = (size_t)ROWS * tensor_row_bytes(&t);
    for (size_t i = 0; i < t.bytes; i++) data[i] = (unsigned char)rand_next(&rs);
    for (size_t i = 0; i < t.bytes; i += (size_t)info->block_bytes) {
        float v = (float)(rand_next_unit(&rs) - 0.5);
        uint16_t h[2] = {kern_f32_to_f16(v / 8), kern_f32_to_f16(v)};
        uint32_t bits;
        memcpy(&bits, &v, sizeof bits);
        uint16_t top = (uint16_t)(bits >> 16);
        if (type == DTYPE_F32) memcpy(data + i, &v, 4);
        if (type == DTYPE_F16 || type == DTYPE_Q8_0 || type == DTYPE_Q4_0) memcpy(data + i, h, 2);
        if (type == DTYPE_BF16) memcpy(data + i, &top, 2);
        if (type == DTYPE_Q4_1) memcpy(data + i, h, 4);
    }
    return t;
}

/* Tolerance: float kernels 2e-6 of the terms; int8 ones lose what rounding x to 8 bits loses. */
static void check_linear(op_context *c, dtype type) {
    static float x[T_MAX * K], y[T_MAX * ROWS], packed_y[T_MAX * ROWS], alone[ROWS], bias[ROWS];
    tensor t = random_tensor(type);
    float row[K];
    arena a;
    fail f;
    bool int8 = c->kern->int8 && dtype_get(type)->block == KERN_BLOCK;
    weight w = {.w = &t, .bias = bias}, packed = w;
    arena_init(&a, 0);
    random_floats(x, T_MAX * K);
    random_floats(bias, ROWS);
    assert_ok(op_pack(c->kern, &a, &packed, &f), &f);
    op_new_input(c);
    op_linear(c, &w, x, T_MAX, y, ROWS);
    op_linear(c, &packed, x, T_MAX, packed_y, ROWS); /* shares the quantised input */
    for (int64_t r = 0; r < ROWS; r++) {
        op_row(&t, r, row);
        for (int64_t i = 0; i < T_MAX; i++) {
            double sum = (double)bias[r], size = fabs(sum);
            for (int64_t k = 0; k < K; k++) {
                sum += (double)x[i * K + k] * (double)row[k];
                size += fabs((double)row[k]);
            }
            double tolerance = size * (int8 ? 0.5 / 127 : 2e-6);
            assert_true(fabs((double)y[i * ROWS + r] - sum) <= tolerance);
            assert_true(fabs((double)packed_y[i * ROWS + r] - (double)y[i * ROWS + r]) <=
                        size * 2e-6);
        }
    }
    for (int64_t i = 0; i < T_MAX; i += 23) {
        op_new_input(c);
        op_linear(c, &packed, x + i * K, 1, alone, ROWS);
        assert_memory_equal(alone, packed_y + i * ROWS, sizeof alone);
    }
    arena_deinit(&a);
}

static void linear_all(op_context *c) {
    for (dtype t = 0; t < DTYPE_COUNT; t++) check_linear(c, t);
}
static void linear_multiplies(void **state) {
    (void)state;
    each_context(linear_all);
}

static void check_rope(op_context *c) {
    static const rope_pairs kinds[] = {ROPE_NEXT, ROPE_HALF};
    enum { N = 3 };
    float x[N * HEADS * DIM], was[N * HEADS * DIM], freq[DIM / 2];
    const int32_t position[N] = {0, 7, 8191};
    for (int i = 0; i < DIM / 2; i++) freq[i] = (float)pow(10000, -2.0 * i / DIM);
    for (size_t kind = 0; kind < 2; kind++) {
        random_floats(x, N * HEADS * DIM);
        memcpy(was, x, sizeof x);
        op_rope(c, x, N, HEADS, DIM, position, freq, kinds[kind]);
        for (int64_t t = 0; t < N; t++)
            for (int64_t h = 0; h < HEADS; h++)
                for (int64_t i = 0; i < DIM / 2; i++) {
                    int64_t base = (t * HEADS + h) * DIM;
                    int64_t a = kinds[kind] == ROPE_NEXT ? base + 2 * i : base + i;
                    int64_t b = kinds[kind] == ROPE_NEXT ? a + 1 : a + DIM / 2;
                    double angle = (double)((float)position[t] * freq[i]);
                    double x0 = (double)was[a], x1 = (double)was[b];
                    assert_true(fabs((double)x[a] - (x0 * cos(angle) - x1 * sin(angle))) < 2e-6);
                    assert_true(fabs((double)x[b] - (x0 * sin(angle) + x1 * cos(angle))) < 2e-6);
                }
    }
}
static void rope_turns(void **state) {
    (void)state;
    each_context(check_rope);
}

/* Keys and values in three spans of which the last is not read to its end; a causal row each. */
static void attend_with(op_context *c, bool half) {
    enum { N = POSITIONS, STRIDE = KV_HEADS * DIM, SPAN = 16 };
    static float q[N * HEADS * DIM], k[(N + SPAN) * STRIDE], v[(N + SPAN) * STRIDE],
        out[N * HEADS * DIM];
    static uint16_t hk[(N + SPAN) * STRIDE], hv[(N + SPAN) * STRIDE];
    op_kv_span spans[3];
    op_attend_row rows[N];
    random_floats(q, N * HEADS * DIM);
    random_floats(k, N * STRIDE);
    random_floats(v, N * STRIDE);
    c->kern->f32_to_f16(k, hk, N * STRIDE);
    c->kern->f32_to_f16(v, hv, N * STRIDE);
    if (half) {
        c->kern->f16_to_f32(hk, k, N * STRIDE);
        c->kern->f16_to_f32(hv, v, N * STRIDE);
    }
    for (int s = 0; s < 3; s++)
        spans[s] = half ? (op_kv_span){hk + s * SPAN * STRIDE, hv + s * SPAN * STRIDE, SPAN}
                        : (op_kv_span){k + s * SPAN * STRIDE, v + s * SPAN * STRIDE, SPAN};
    for (int32_t t = 0; t < N; t++) rows[t] = (op_attend_row){spans, t + 1};
    op_attention o = {HEADS, KV_HEADS, DIM, 0.25f, half};
    op_attend(c, &o, q, rows, N, out);
    for (int64_t t = 0; t < N; t++)
        for (int64_t h = 0; h < HEADS; h++) {
            double p[N], total = 0;
            int64_t kv = h / (HEADS / KV_HEADS);
            for (int64_t i = 0; i <= t; i++) {
                double dot = 0;
                for (int64_t d = 0; d < DIM; d++)
                    dot +=
                        (double)q[(t * HEADS + h) * DIM + d] * (double)k[i * STRIDE + kv * DIM + d];
                total += p[i] = exp(0.25 * dot);
            }
            for (int64_t d = 0; d < DIM; d++) {
                double sum = 0;
                for (int64_t i = 0; i <= t; i++)
                    sum += p[i] / total * (double)v[i * STRIDE + kv * DIM + d];
                assert_true(fabs((double)out[(t * HEADS + h) * DIM + d] - sum) < 4e-6);
            }
        }
}
static void check_attend(op_context *c) {
    attend_with(c, false);
    attend_with(c, true);
}
static void attention_attends(void **state) {
    (void)state;
    each_context(check_attend);
}

static void check_rows(op_context *c) {
    static float x[T_MAX * K], y[T_MAX * K], z[T_MAX * K], w[K], one[K];
    random_floats(x, T_MAX * K);
    random_floats(w, K);
    op_rmsnorm(c, x, w, 1e-5f, T_MAX, K, y);
    c->kern->rmsnorm(x + 33 * K, w, 1e-5f, K, one);
    assert_memory_equal(one, y + 33 * K, sizeof one);
    op_layernorm(c, x, w, w, 1e-5f, T_MAX, K, y);
    c->kern->layernorm(x + 33 * K, w, w, 1e-5f, K, one);
    assert_memory_equal(one, y + 33 * K, sizeof one);
    op_silu_mul(c, x, y, z, T_MAX, K);
    c->kern->silu_mul(x + 33 * K, y + 33 * K, one, K);
    assert_memory_equal(one, z + 33 * K, sizeof one);
    memcpy(z, x, sizeof z);
    op_gelu(c, z, T_MAX, K);
    memcpy(one, x + 33 * K, sizeof one);
    c->kern->gelu(one, K);
    assert_memory_equal(one, z + 33 * K, sizeof one);
    memcpy(z, x, sizeof z);
    op_add(c, y, z, T_MAX, K);
    for (int i = 0; i < T_MAX * K; i++) assert_true(z[i] == x[i] + y[i]);
}
static void rows_are_independent(void **state) {
    (void)state;
    each_context(check_rows);
}

static void scratch_may_be_refused(void **state) {
    (void)state;
    fail f;
    const kern_table *kern;
    team *team;
    assert_ok(kern_select(NULL, &kern, &f), &f);
    assert_ok(team_open(&team, 1, &f), &f);
    for (int64_t n = 1; n <= 4; n++) {
        op_context c;
        mem_fail_at(n, false);
        err e = op_open(&c, kern, team, T_MAX, K, POSITIONS, &f);
        mem_fail_at(0, false);
        assert_int_equal(e, E_NO_MEMORY);
    }
    team_close(team);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_multiplies),      cmocka_unit_test(rope_turns),
        cmocka_unit_test(attention_attends),      cmocka_unit_test(rows_are_independent),
        cmocka_unit_test(scratch_may_be_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
