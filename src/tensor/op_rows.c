/* op_rows.c - see op_rows.h. */
#include "tensor/op_rows.h"

#include "base/mem.h"
#include "tensor/op_int.h"

#include <math.h>

typedef struct row_job {
    const kern_table *kern;
    const float *x, *weight, *bias;
    float *y;
    float number; /* eps, or the factor */
    int64_t n;
    op_activation kind;
} row_job;

static void rmsnorm_row(void *arg, int64_t t, int worker) {
    (void)worker;
    row_job *j = arg;
    j->kern->rmsnorm(j->x + t * j->n, j->weight, j->number, j->n, j->y + t * j->n);
}

void op_rmsnorm(op_context *c, const float *x, const float *weight, float eps, int64_t T, int64_t n,
                float *y) {
    row_job j = {.kern = c->kern, .x = x, .weight = weight, .number = eps, .n = n, .y = y};
    op_spread(c, rmsnorm_row, &j, T, n);
}

static void layernorm_row(void *arg, int64_t t, int worker) {
    (void)worker;
    row_job *j = arg;
    j->kern->layernorm(j->x + t * j->n, j->weight, j->bias, j->number, j->n, j->y + t * j->n);
}

void op_layernorm(op_context *c, const float *x, const float *weight, const float *bias, float eps,
                  int64_t T, int64_t n, float *y) {
    row_job j = {
        .kern = c->kern, .x = x, .weight = weight, .bias = bias, .number = eps, .n = n, .y = y};
    op_spread(c, layernorm_row, &j, T, n);
}

static void gelu_tanh(float *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        float u = 0.7978845608f * (x[i] + 0.044715f * x[i] * x[i] * x[i]);
        x[i] = 0.5f * x[i] * (1 + tanhf(u));
    }
}

static void silu(float *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) x[i] = x[i] / (1 + expf(-x[i]));
}

static void activate(const row_job *j, float *x) {
    if (j->kind == OP_GELU)
        j->kern->gelu(x, j->n);
    else if (j->kind == OP_GELU_TANH)
        gelu_tanh(x, j->n);
    else
        silu(x, j->n);
}

static void activate_row(void *arg, int64_t t, int worker) {
    (void)worker;
    row_job *j = arg;
    activate(j, j->y + t * j->n);
}

void op_activate(op_context *c, op_activation kind, float *x, int64_t T, int64_t n) {
    row_job j = {.kern = c->kern, .y = x, .n = n, .kind = kind};
    op_spread(c, activate_row, &j, T, 8 * n);
}

static void silu_glu_row(void *arg, int64_t t, int worker) {
    (void)worker;
    row_job *j = arg;
    j->kern->silu_mul(j->x + t * j->n, j->weight + t * j->n, j->y + t * j->n, j->n);
}

/* gate is read before y, which may be up, is written */
static void gelu_glu_row(void *arg, int64_t t, int worker) {
    enum { PIECE = 64 };
    (void)worker;
    row_job *j = arg, piece = *j;
    for (int64_t i = 0; i < j->n; i += PIECE) {
        float g[PIECE];
        const float *gate = j->x + t * j->n + i, *up = j->weight + t * j->n + i;
        float *y = j->y + t * j->n + i;
        piece.n = j->n - i < PIECE ? j->n - i : PIECE;
        for (int64_t k = 0; k < piece.n; k++) g[k] = gate[k];
        activate(&piece, g);
        for (int64_t k = 0; k < piece.n; k++) y[k] = g[k] * up[k];
    }
}

void op_glu(op_context *c, op_activation kind, const float *gate, const float *up, float *y,
            int64_t T, int64_t n) {
    row_job j = {.kern = c->kern, .x = gate, .weight = up, .y = y, .n = n, .kind = kind};
    op_spread(c, kind == OP_SILU ? silu_glu_row : gelu_glu_row, &j, T, 8 * n);
}

static void add_row(void *arg, int64_t t, int worker) {
    (void)worker;
    row_job *j = arg;
    j->kern->axpy_f32(1, j->x + t * j->n, j->y + t * j->n, j->n);
}

void op_add(op_context *c, const float *x, float *y, int64_t T, int64_t n) {
    row_job j = {.kern = c->kern, .x = x, .y = y, .n = n};
    op_spread(c, add_row, &j, T, n);
}

static void scale_row(void *arg, int64_t t, int worker) {
    (void)worker;
    row_job *j = arg;
    for (int64_t i = 0; i < j->n; i++) j->y[t * j->n + i] *= j->number;
}

void op_scale(op_context *c, float by, float *x, int64_t T, int64_t n) {
    row_job j = {.y = x, .n = n, .number = by};
    op_spread(c, scale_row, &j, T, n);
}

/* ---- rotary embedding ---- */

err op_angles_open(op_angles *a, int64_t rows_max, int64_t half, fail *f) {
    size_t bytes;
    *a = (op_angles){.half = half};
    if (mem_size((size_t)rows_max, (size_t)half * sizeof(float), &bytes)) {
        a->cosine = mem_alloc_aligned(bytes);
        a->sine = mem_alloc_aligned(bytes);
    }
    if (a->cosine && a->sine) return E_OK;
    op_angles_close(a);
    return fail_memory(f, "rotary angles");
}

void op_angles_close(op_angles *a) {
    mem_free(a->cosine);
    mem_free(a->sine);
    *a = (op_angles){0};
}

void op_angles_fill(op_angles *a, const int32_t *position, int64_t T, const float *freq,
                    float magnitude) {
    for (int64_t t = 0; t < T; t++)
        for (int64_t i = 0; i < a->half; i++) {
            float angle = (float)position[t] * freq[i];
            a->cosine[t * a->half + i] = magnitude * cosf(angle);
            a->sine[t * a->half + i] = magnitude * sinf(angle);
        }
}

typedef struct rope_job {
    float *x;
    int64_t heads, dim;
    const op_angles *a;
    rope_pairs pairs;
} rope_job;

static void rope_row(void *arg, int64_t t, int worker) {
    (void)worker;
    rope_job *j = arg;
    int64_t half = j->a->half, step = j->pairs == ROPE_NEXT ? 2 : 1,
            apart = j->pairs == ROPE_NEXT ? 1 : half;
    const float *cosine = j->a->cosine + t * half, *sine = j->a->sine + t * half;
    for (int64_t h = 0; h < j->heads; h++)
        for (int64_t i = 0; i < half; i++) {
            float *p = j->x + (t * j->heads + h) * j->dim + i * step, a = p[0], b = p[apart];
            p[0] = a * cosine[i] - b * sine[i];
            p[apart] = a * sine[i] + b * cosine[i];
        }
}

void op_rope(op_context *c, float *x, int64_t T, int64_t heads, int64_t dim, const op_angles *a,
             rope_pairs pairs) {
    rope_job j = {x, heads, dim, a, pairs};
    op_spread(c, rope_row, &j, T, heads * dim * 2);
}
