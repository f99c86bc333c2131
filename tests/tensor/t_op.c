/* t_op.c - tests tensor/op.c, op_linear.c, op_rows.c and op_attend.c: each operator against a plain
 * loop in double, with every kernel table and with one and two threads; packed weights give what
 * unpacked ones give; rows do not depend on their company. */
#include "tensor/op_attend.h"
#include "tensor/op_linear.h"
#include "tensor/op_rows.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/rand.h"
#include "test.h"

#include <math.h>

enum { K = 256, ROWS = 104, T_MAX = 70, HEADS = 6, KV_HEADS = 2, DIM = 16, POSITIONS = 40 };

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
    assert_ok(op_open(&c, kern, team, &(op_options){T_MAX, K, POSITIONS, 0}, &f), &f);
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

/* Where a block's scale stands, and whether its least value follows. */
static size_t scale_at(dtype type) {
    return type == DTYPE_Q2_K ? 80 : type == DTYPE_Q3_K ? 108 : type == DTYPE_Q6_K ? 208 : 0;
}
static bool has_least(dtype type) {
    return type == DTYPE_Q4_1 || type == DTYPE_Q5_1 || type == DTYPE_Q2_K || type == DTYPE_Q4_K ||
           type == DTYPE_Q5_K;
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
        if (type == DTYPE_F32)
            memcpy(data + i, &v, 4);
        else if (type == DTYPE_BF16)
            memcpy(data + i, &top, 2);
        else
            memcpy(data + i + scale_at(type), h, has_least(type) ? 4 : 2);
    }
    return t;
}

/* Tolerance: float kernels 2e-6 of the terms; int8 ones lose what rounding x to 8 bits loses. */
static void check_linear(op_context *c, dtype type) {
    static float x[T_MAX * K], y[T_MAX * ROWS], packed_y[T_MAX * ROWS], alone[ROWS], bias[ROWS];
    tensor t = random_tensor(type);
    float row[K];
    arena a;
    bool int8 = c->kern->int8 && dtype_get(type)->block > 1;
    weight w = {.w = &t, .bias = bias}, packed = w;
    arena_init(&a, 0);
    random_floats(x, T_MAX * K);
    random_floats(bias, ROWS);
    size_t bytes = op_packed_bytes(c->kern, &t);
    if (bytes) {
        void *to = arena_alloc_aligned(&a, bytes);
        op_pack(c->kern, &t, to);
        packed.packed = to;
    }
    op_linears(c, x, T_MAX, (op_output[]){{&w, y, ROWS}, {&packed, packed_y, ROWS}}, 2);
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
            assert_true(fabs((double)packed_y[i * ROWS + r] - sum) <= tolerance);
        }
    }
    for (int64_t i = 0; i < T_MAX; i += 23) {
        op_linear(c, &packed, x + i * K, 1, alone, ROWS);
        assert_memory_equal(alone, packed_y + i * ROWS, sizeof alone);
    }
    op_linear_curve(c, &packed, OP_GELU, x, T_MAX, y, ROWS);
    op_activate(c, OP_GELU, packed_y, T_MAX, ROWS);
    assert_memory_equal(y, packed_y, sizeof y);
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
    op_angles angles;
    fail f;
    assert_ok(op_angles_open(&angles, N, DIM / 2, &f), &f);
    for (int i = 0; i < DIM / 2; i++) freq[i] = (float)pow(10000, -2.0 * i / DIM);
    for (size_t kind = 0; kind < 2; kind++) {
        random_floats(x, N * HEADS * DIM);
        memcpy(was, x, sizeof x);
        op_angles_fill(&angles, position, N, freq, 1);
        op_rope(c, x, N, HEADS, DIM, &angles, kinds[kind]);
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
    op_angles_close(&angles);
}
static void rope_turns(void **state) {
    (void)state;
    each_context(check_rope);
}

/* What row t sees of N positions: [*from, *to). */
static void sees(const op_attention *o, int64_t t, int64_t N, int64_t *from, int64_t *to) {
    *from = 0;
    *to = o->both_ways ? N : t + 1;
    for (int64_t i = 0; i < N && o->window; i++) {
        bool inside = o->both_ways ? llabs(t - i) <= o->window / 2 : t - i < o->window;
        if (!inside && i < t) *from = i + 1;
        if (!inside && i > t && *to > i) *to = i;
    }
}

static void check_attended(const op_attention *o, int64_t N, const float *q, const float *k,
                           const float *v, const float *out) {
    int64_t stride = o->kv_heads * o->dim;
    double tolerance = o->type == OP_KV_Q8 ? 8e-3 : 4e-6;
    for (int64_t index = 0; index < N * o->heads; index++) {
        double p[POSITIONS], total = 0;
        int64_t t = index / o->heads, kv = index % o->heads / (o->heads / o->kv_heads), from, to;
        sees(o, t, N, &from, &to);
        for (int64_t i = from; i < to; i++) {
            double dot = 0;
            for (int64_t d = 0; d < o->dim; d++)
                dot += (double)q[index * o->dim + d] * (double)k[i * stride + kv * o->dim + d];
            total += p[i] = exp((double)o->scale * dot);
        }
        for (int64_t d = 0; d < o->dim; d++) {
            double sum = 0;
            for (int64_t i = from; i < to; i++)
                sum += p[i] / total * (double)v[i * stride + kv * o->dim + d];
            assert_true(fabs((double)out[index * o->dim + d] - sum) < tolerance);
        }
    }
}

/* A sequence of POSITIONS rows: at once, in chunks, and without pages. */
static void attend_with(op_context *c, op_attention o) {
    enum { N = POSITIONS, STRIDE = KV_HEADS * DIM, PAGES = (N + OP_PAGE - 1) / OP_PAGE, CHUNK = 7 };
    static float q[N * HEADS * DIM], k[N * STRIDE], v[N * STRIDE], out[N * HEADS * DIM],
        chunked[N * HEADS * DIM];
    size_t bytes = op_page_bytes(o.type, KV_HEADS, DIM);
    op_page pages[PAGES];
    arena a;
    arena_init(&a, 0);
    random_floats(q, N * HEADS * DIM);
    random_floats(k, N * STRIDE);
    random_floats(v, N * STRIDE);
    for (int i = 0; i < N * STRIDE && o.type == OP_KV_F16; i++) {
        k[i] = kern_f16_to_f32(kern_f32_to_f16(k[i]));
        v[i] = kern_f16_to_f32(kern_f32_to_f16(v[i]));
    }
    for (int i = 0; i < PAGES; i++)
        pages[i] = (op_page){memset(arena_alloc_aligned(&a, bytes), 0, bytes),
                             memset(arena_alloc_aligned(&a, bytes), 0, bytes)};
    op_sequence whole = {.rows = N, .pages = pages};
    if (!o.both_ways) {
        op_keep(c, &o, &whole, 1, k, v);
        op_attend(c, &o, &whole, 1, q, out);
        check_attended(&o, N, q, k, v, out);
        for (int32_t at = 0; at < N; at += CHUNK) {
            op_sequence part = {at, N - at < CHUNK ? N - at : CHUNK, at, pages};
            op_attend(c, &o, &part, 1, q, chunked);
        }
        assert_memory_equal(chunked, out, sizeof out);
    }
    whole.pages = NULL;
    op_attend_batch(c, &o, &whole, 1, q, k, v, out);
    check_attended(&o, N, q, k, v, out);
    arena_deinit(&a);
}
static void check_attend(op_context *c) {
    static const op_attention kinds[] = {{.type = OP_KV_F32},
                                         {.type = OP_KV_F16},
                                         {.type = OP_KV_F16, .window = 9},
                                         {.type = OP_KV_Q8},
                                         {.both_ways = true, .type = OP_KV_F32},
                                         {.both_ways = true, .window = 8, .type = OP_KV_F32}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        op_attention o = kinds[i];
        o.heads = HEADS;
        o.kv_heads = KV_HEADS;
        o.dim = DIM;
        o.scale = 0.25f;
        attend_with(c, o);
    }
}
/* One token after a context of several segments, whose pieces two threads share: the bits it has in
 * a prompt. */
static void check_long(op_context *c) {
    enum { N = 600, STRIDE = KV_HEADS * DIM, PAGES = (N + OP_PAGE - 1) / OP_PAGE };
    static float q[N * HEADS * DIM], k[N * STRIDE], v[N * STRIDE], out[N * HEADS * DIM];
    float alone[4 * HEADS * DIM];
    op_attention o = {.heads = HEADS, .kv_heads = KV_HEADS, .dim = DIM, .scale = 0.25f};
    op_page pages[PAGES];
    arena a;
    arena_init(&a, 0);
    random_floats(q, N * HEADS * DIM);
    random_floats(k, N * STRIDE);
    random_floats(v, N * STRIDE);
    for (int i = 0; i < PAGES; i++)
        pages[i] = (op_page){arena_alloc_aligned(&a, op_page_bytes(o.type, KV_HEADS, DIM)),
                             arena_alloc_aligned(&a, op_page_bytes(o.type, KV_HEADS, DIM))};
    op_sequence whole = {.rows = N, .pages = pages};
    op_keep(c, &o, &whole, 1, k, v);
    for (o.window = 0; o.window <= 300; o.window += 300) {
        op_attend(c, &o, &whole, 1, q, out);
        for (int64_t n = 1; n <= 4; n += 3) {
            op_sequence last = {.rows = n, .position = (int32_t)(N - n), .pages = pages};
            op_attend(c, &o, &last, 1, q + (N - n) * HEADS * DIM, alone);
            assert_memory_equal(alone, out + (N - n) * HEADS * DIM,
                                sizeof(float) * (size_t)(n * HEADS * DIM));
        }
    }
    arena_deinit(&a);
}
static void long_contexts_are_cut(void **state) {
    (void)state;
    each_context(check_long);
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
    kern_norm norm = {.weight = w, .bias = w, .eps = 1e-5f};
    c->kern->rows->rmsnorm(x + 33 * K, &norm, K, one);
    assert_memory_equal(one, y + 33 * K, sizeof one);
    op_layernorm(c, x, w, w, 1e-5f, T_MAX, K, y);
    c->kern->rows->layernorm(x + 33 * K, &norm, K, one);
    assert_memory_equal(one, y + 33 * K, sizeof one);
    op_glu(c, OP_SILU, x, y, z, T_MAX, K);
    c->kern->rows->glu[KERN_SILU](x + 33 * K, y + 33 * K, one, K);
    assert_memory_equal(one, z + 33 * K, sizeof one);
    memcpy(z, x, sizeof z);
    op_activate(c, OP_GELU, z, T_MAX, K);
    memcpy(one, x + 33 * K, sizeof one);
    c->kern->rows->activate[KERN_GELU](one, K);
    assert_memory_equal(one, z + 33 * K, sizeof one);
    memcpy(z, x, sizeof z);
    op_add(c, y, z, T_MAX, K);
    for (int i = 0; i < T_MAX * K; i++) assert_true(z[i] == x[i] + y[i]);
    op_layernorm(c, z, w, w, 1e-5f, T_MAX, K, z);
    op_add_layernorm(c, y, w, w, 1e-5f, T_MAX, K, x);
    assert_memory_equal(x, z, sizeof z);
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
    for (int64_t n = 1; n <= 6; n++) {
        op_context c;
        mem_fail_at(n, false);
        err e = op_open(&c, kern, team, &(op_options){T_MAX, K, POSITIONS, 0}, &f);
        mem_fail_at(0, false);
        assert_int_equal(e, E_NO_MEMORY);
    }
    team_close(team);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_multiplies),    cmocka_unit_test(rope_turns),
        cmocka_unit_test(attention_attends),    cmocka_unit_test(long_contexts_are_cut),
        cmocka_unit_test(rows_are_independent), cmocka_unit_test(scratch_may_be_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
