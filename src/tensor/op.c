/* op.c - see op.h. Each operator splits its rows (or rows x heads, or output rows) into chunks that
 * the team claims; a chunk's result depends on its indices alone. */
#include "tensor/op.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

enum { LINEAR_CHUNK_ROWS = 48, LINEAR_CHUNK_TOKENS = 64, DEQUANT_ROWS = 8, WHOLE_WORK = 16384 };

/* ---- scratch ---- */

err op_open(op_context *c, const kern_table *kern, team *team, int64_t rows_max, int64_t cols_max,
            int64_t positions_max, fail *f) {
    *c = (op_context){.kern = kern,
                      .team = team,
                      .rows_max = rows_max,
                      .cols_max = cols_max,
                      .positions_max = positions_max};
    int64_t blocks = (cols_max + KERN_BLOCK - 1) / KERN_BLOCK;
    c->workspace_floats =
        DEQUANT_ROWS * cols_max > positions_max ? DEQUANT_ROWS * cols_max : positions_max;
    size_t numbers, scales, floats;
    bool fits =
        mem_size((size_t)rows_max, (size_t)(blocks * KERN_BLOCK), &numbers) &&
        mem_size((size_t)rows_max, (size_t)blocks * sizeof(float), &scales) &&
        mem_size((size_t)team_threads(team), (size_t)c->workspace_floats * sizeof(float), &floats);
    if (fits) {
        c->act.q = mem_alloc_aligned(numbers);
        c->act.d = mem_alloc_aligned(scales);
        c->act.sum = mem_alloc_aligned(scales);
        c->workspace = mem_alloc_aligned(floats);
    }
    if (c->act.q && c->act.d && c->act.sum && c->workspace) return E_OK;
    op_close(c);
    return fail_memory(f, "activations");
}

void op_close(op_context *c) {
    mem_free(c->act.q);
    mem_free(c->act.d);
    mem_free(c->act.sum);
    mem_free(c->workspace);
    *c = (op_context){0};
}

void op_new_input(op_context *c) {
    c->act_of = NULL;
}

/* Small work is not worth waking anyone. */
static void spread(op_context *c, void (*work)(void *, int64_t, int), void *arg, int64_t n,
                   int64_t cost) {
    if (n * cost < WHOLE_WORK) {
        for (int64_t i = 0; i < n; i++) work(arg, i, 0);
        return;
    }
    team_run(c->team, work, arg, n);
}

/* ---- linear ---- */

typedef struct linear_job {
    op_context *c;
    const weight *w;
    const float *x;
    float *y;
    int64_t T, ldy, rows, cols, chunks_r;
} linear_job;

static void quantise_row(void *arg, int64_t t, int worker) {
    (void)worker;
    linear_job *j = arg;
    int64_t blocks = j->cols / KERN_BLOCK;
    j->c->kern->quantise(j->x + t * j->cols, j->cols, j->c->act.q + t * j->cols,
                         j->c->act.d + t * blocks, j->c->act.sum + t * blocks);
}

static kern_act act_from(const linear_job *j, int64_t t) {
    int64_t blocks = j->cols / KERN_BLOCK;
    return (kern_act){j->c->act.q + t * j->cols, j->c->act.d + t * blocks,
                      j->c->act.sum + t * blocks};
}

/* Quantised weights under the float reference, and types without an int8 kernel. */
static void dequantised(linear_job *j, int64_t t0, int64_t T, int64_t r0, int64_t rows,
                        int worker) {
    float *scratch = j->c->workspace + worker * j->c->workspace_floats;
    for (int64_t r = 0; r < rows; r += DEQUANT_ROWS) {
        int64_t n = rows - r < DEQUANT_ROWS ? rows - r : DEQUANT_ROWS;
        for (int64_t i = 0; i < n; i++) op_row(j->w->w, r0 + r + i, scratch + i * j->cols);
        j->c->kern->gemm_f32(j->x + t0 * j->cols, T, scratch, n, j->cols,
                             j->y + t0 * j->ldy + r0 + r, j->ldy);
    }
}

static kern_gemm_q int8_kernel(const kern_table *k, dtype t) {
    if (!k->int8) return NULL;
    return t == DTYPE_Q8_0   ? k->gemm_q8_0
           : t == DTYPE_Q4_0 ? k->gemm_q4_0
           : t == DTYPE_Q4_1 ? k->gemm_q4_1
                             : NULL;
}

static const kern_packed *packed_kernel(const kern_table *k, dtype t) {
    static const kern_packed none;
    return t == DTYPE_Q4_0 ? &k->packed_q4_0 : t == DTYPE_Q4_1 ? &k->packed_q4_1 : &none;
}

err op_pack(const kern_table *kern, arena *a, weight *w, fail *f) {
    const kern_packed *p = packed_kernel(kern, w->w->type);
    int64_t rows = tensor_rows(w->w), cols = tensor_cols(w->w);
    if (!p->pack || rows % KERN_STRIP) return E_OK;
    void *out = arena_alloc_aligned(a, w->w->bytes);
    if (!out) return fail_memory(f, "packed weights");
    p->pack(w->w->data, (int64_t)tensor_row_bytes(w->w), rows, cols, out);
    w->packed = out;
    return E_OK;
}

static void linear_chunk(void *arg, int64_t index, int worker) {
    linear_job *j = arg;
    const tensor *w = j->w->w;
    int64_t r0 = index % j->chunks_r * LINEAR_CHUNK_ROWS,
            t0 = index / j->chunks_r * LINEAR_CHUNK_TOKENS;
    int64_t rows = j->rows - r0 < LINEAR_CHUNK_ROWS ? j->rows - r0 : LINEAR_CHUNK_ROWS;
    int64_t T = j->T - t0 < LINEAR_CHUNK_TOKENS ? j->T - t0 : LINEAR_CHUNK_TOKENS;
    size_t row_bytes = tensor_row_bytes(w);
    kern_gemm_q packed = j->w->packed ? packed_kernel(j->c->kern, w->type)->gemm : NULL,
                quantised = packed ? packed : int8_kernel(j->c->kern, w->type);
    const char *from = (const char *)(packed ? j->w->packed : w->data) + (size_t)r0 * row_bytes;
    float *y = j->y + t0 * j->ldy + r0;
    if (quantised)
        quantised(act_from(j, t0), T, from, (int64_t)row_bytes, rows, j->cols, y, j->ldy);
    else if (w->type == DTYPE_F32)
        j->c->kern->gemm_f32(j->x + t0 * j->cols, T, (const float *)(const void *)from, rows,
                             j->cols, y, j->ldy);
    else if (w->type == DTYPE_F16)
        j->c->kern->gemm_f16(j->x + t0 * j->cols, T, (const uint16_t *)(const void *)from, rows,
                             j->cols, y, j->ldy);
    else
        dequantised(j, t0, T, r0, rows, worker);
    if (!j->w->bias) return;
    for (int64_t t = 0; t < T; t++)
        for (int64_t r = 0; r < rows; r++) y[t * j->ldy + r] += j->w->bias[r0 + r];
}

void op_linear(op_context *c, const weight *w, const float *x, int64_t T, float *y, int64_t ldy) {
    linear_job j = {.c = c,
                    .w = w,
                    .x = x,
                    .y = y,
                    .T = T,
                    .ldy = ldy,
                    .rows = tensor_rows(w->w),
                    .cols = tensor_cols(w->w)};
    CHECK(T <= c->rows_max && j.cols <= c->cols_max);
    if (int8_kernel(c->kern, w->w->type) &&
        !(c->act_of == x && c->act_rows == T && c->act_cols == j.cols)) {
        spread(c, quantise_row, &j, T, j.cols);
        c->act_of = x;
        c->act_rows = T;
        c->act_cols = j.cols;
    }
    j.chunks_r = (j.rows + LINEAR_CHUNK_ROWS - 1) / LINEAR_CHUNK_ROWS;
    int64_t chunks_t = (T + LINEAR_CHUNK_TOKENS - 1) / LINEAR_CHUNK_TOKENS;
    spread(c, linear_chunk, &j, j.chunks_r * chunks_t, LINEAR_CHUNK_ROWS * j.cols);
    if (y == c->act_of) op_new_input(c);
}

void op_row(const tensor *w, int64_t index, float *out) {
    dtype_get(w->type)->dequantise((const char *)w->data + (size_t)index * tensor_row_bytes(w), out,
                                   tensor_cols(w));
}

/* ---- row by row ---- */

typedef struct row_job {
    const kern_table *kern;
    const float *x, *weight, *bias;
    float *y;
    float eps;
    int64_t n;
} row_job;

static void rmsnorm_row(void *arg, int64_t t, int worker) {
    (void)worker;
    row_job *j = arg;
    j->kern->rmsnorm(j->x + t * j->n, j->weight, j->eps, j->n, j->y + t * j->n);
}
static void layernorm_row(void *arg, int64_t t, int worker) {
    (void)worker;
    row_job *j = arg;
    j->kern->layernorm(j->x + t * j->n, j->weight, j->bias, j->eps, j->n, j->y + t * j->n);
}
static void silu_row(void *arg, int64_t t, int worker) {
    (void)worker;
    row_job *j = arg;
    j->kern->silu_mul(j->x + t * j->n, j->weight + t * j->n, j->y + t * j->n, j->n);
}
static void gelu_row(void *arg, int64_t t, int worker) {
    (void)worker;
    row_job *j = arg;
    j->kern->gelu(j->y + t * j->n, j->n);
}
static void add_row(void *arg, int64_t t, int worker) {
    (void)worker;
    row_job *j = arg;
    j->kern->axpy_f32(1, j->x + t * j->n, j->y + t * j->n, j->n);
}

void op_rmsnorm(op_context *c, const float *x, const float *weight, float eps, int64_t T, int64_t n,
                float *y) {
    row_job j = {.kern = c->kern, .x = x, .weight = weight, .eps = eps, .n = n, .y = y};
    spread(c, rmsnorm_row, &j, T, n);
    op_new_input(c);
}
void op_layernorm(op_context *c, const float *x, const float *weight, const float *bias, float eps,
                  int64_t T, int64_t n, float *y) {
    row_job j = {
        .kern = c->kern, .x = x, .weight = weight, .bias = bias, .eps = eps, .n = n, .y = y};
    spread(c, layernorm_row, &j, T, n);
    op_new_input(c);
}
void op_silu_mul(op_context *c, const float *gate, const float *up, float *y, int64_t T,
                 int64_t n) {
    row_job j = {.kern = c->kern, .x = gate, .weight = up, .y = y, .n = n};
    spread(c, silu_row, &j, T, 8 * n);
    op_new_input(c);
}
void op_gelu(op_context *c, float *x, int64_t T, int64_t n) {
    row_job j = {.kern = c->kern, .y = x, .n = n};
    spread(c, gelu_row, &j, T, 8 * n);
    op_new_input(c);
}
void op_add(op_context *c, const float *x, float *y, int64_t T, int64_t n) {
    row_job j = {.kern = c->kern, .x = x, .y = y, .n = n};
    spread(c, add_row, &j, T, n);
    op_new_input(c);
}

/* ---- rotary embedding ---- */

typedef struct rope_job {
    float *x;
    int64_t heads, dim;
    const int32_t *position;
    const float *freq;
    rope_pairs pairs;
} rope_job;

static void rope_row(void *arg, int64_t t, int worker) {
    (void)worker;
    rope_job *j = arg;
    int64_t half = j->dim / 2, step = j->pairs == ROPE_NEXT ? 2 : 1,
            apart = j->pairs == ROPE_NEXT ? 1 : half;
    for (int64_t i = 0; i < half; i++) {
        float angle = (float)j->position[t] * j->freq[i], cosine = cosf(angle), sine = sinf(angle);
        for (int64_t h = 0; h < j->heads; h++) {
            float *p = j->x + (t * j->heads + h) * j->dim + i * step, a = p[0], b = p[apart];
            p[0] = a * cosine - b * sine;
            p[apart] = a * sine + b * cosine;
        }
    }
}

void op_rope(op_context *c, float *x, int64_t T, int64_t heads, int64_t dim,
             const int32_t *position, const float *freq, rope_pairs pairs) {
    rope_job j = {x, heads, dim, position, freq, pairs};
    spread(c, rope_row, &j, T, heads * dim * 4);
}

/* ---- attention ---- */

typedef struct attend_job {
    op_context *c;
    const op_attention *o;
    const float *q;
    const op_attend_row *rows;
    float *out;
} attend_job;

/* the first `left` positions of a span, of one key/value head */
static kern_span span_of(const op_attention *o, const op_kv_span *s, const void *from, int32_t left,
                         int64_t head) {
    size_t bytes = o->half ? sizeof(uint16_t) : sizeof(float);
    return (kern_span){.at = (const char *)from + (size_t)(head * o->dim) * bytes,
                       .n = s->count < left ? s->count : left,
                       .stride = o->kv_heads * o->dim,
                       .dim = o->dim};
}

/* scores, softmax, weighted sum for one row and one head; spans in order of position */
static void attend_head(void *arg, int64_t index, int worker) {
    attend_job *j = arg;
    const op_attention *o = j->o;
    const kern_table *k = j->c->kern;
    int64_t t = index / o->heads, h = index % o->heads, kv = h / (o->heads / o->kv_heads);
    const op_attend_row *row = &j->rows[t];
    const float *q = j->q + index * o->dim;
    float *score = j->c->workspace + worker * j->c->workspace_floats,
          *out = j->out + index * o->dim;
    CHECK(row->length >= 1 && row->length <= j->c->workspace_floats);
    int32_t at = 0;
    for (const op_kv_span *s = row->spans; at < row->length; at += s->count, s++) {
        kern_span keys = span_of(o, s, s->k, row->length - at, kv);
        (o->half ? k->scores_f16 : k->scores_f32)(q, keys, o->scale, score + at);
    }
    k->softmax(score, row->length);
    memset(out, 0, (size_t)o->dim * sizeof *out);
    at = 0;
    for (const op_kv_span *s = row->spans; at < row->length; at += s->count, s++) {
        kern_span values = span_of(o, s, s->v, row->length - at, kv);
        (o->half ? k->mix_f16 : k->mix_f32)(score + at, values, out);
    }
}

void op_attend(op_context *c, const op_attention *o, const float *q, const op_attend_row *rows,
               int64_t T, float *out) {
    attend_job j = {c, o, q, rows, out};
    int64_t longest = 1;
    for (int64_t t = 0; t < T; t++) longest = rows[t].length > longest ? rows[t].length : longest;
    spread(c, attend_head, &j, T * o->heads, 2 * longest * o->dim);
    op_new_input(c);
}
