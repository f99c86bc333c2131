/* op_linear.c - see op_linear.h. The outputs' rows are cut into chunks that the team claims; a
 * chunk's result depends on its indices alone. */
#include "tensor/op_linear.h"

#include "tensor/op_int.h"

enum { CHUNK_ROWS = 48, CHUNK_TOKENS = 64 };

typedef struct linear_job {
    op_context *c;
    const float *x;
    int64_t T, cols;
    const op_output *out;
    int32_t n;
    int64_t chunks_t;                 /* of the tokens */
    int64_t chunks_r[OP_OUTPUTS_MAX]; /* of each output's rows */
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

size_t op_packed_bytes(const kern_table *kern, const tensor *w) {
    return packed_kernel(kern, w->type)->pack && tensor_rows(w) % KERN_STRIP == 0 ? w->bytes : 0;
}

void op_pack(const kern_table *kern, const tensor *w, void *to) {
    packed_kernel(kern, w->type)
        ->pack(w->data, (int64_t)tensor_row_bytes(w), tensor_rows(w), tensor_cols(w), to);
}

/* One output's rows [r0, r0 + rows) for the tokens [t0, t0 + T). */
typedef struct linear_chunk {
    const op_output *o;
    int64_t t0, T, r0, rows;
} linear_chunk;

/* Quantised weights under the float reference, and types without an int8 kernel. */
static void dequantised(const linear_job *j, const linear_chunk *k, int worker) {
    float *scratch = j->c->workspace + worker * j->c->workspace_floats;
    for (int64_t r = 0; r < k->rows; r += OP_DEQUANT_ROWS) {
        int64_t n = k->rows - r < OP_DEQUANT_ROWS ? k->rows - r : OP_DEQUANT_ROWS;
        for (int64_t i = 0; i < n; i++) op_row(k->o->w->w, k->r0 + r + i, scratch + i * j->cols);
        j->c->kern->gemm_f32(j->x + k->t0 * j->cols, k->T, scratch, n, j->cols,
                             k->o->y + k->t0 * k->o->ldy + k->r0 + r, k->o->ldy);
    }
}

static void multiply(const linear_job *j, const linear_chunk *k, int worker) {
    const weight *weight = k->o->w;
    const tensor *w = weight->w;
    size_t row_bytes = tensor_row_bytes(w);
    kern_gemm_q packed = weight->packed ? packed_kernel(j->c->kern, w->type)->gemm : NULL,
                quantised = packed ? packed : int8_kernel(j->c->kern, w->type);
    const char *from =
        (const char *)(packed ? weight->packed : w->data) + (size_t)k->r0 * row_bytes;
    const float *x = j->x + k->t0 * j->cols;
    float *y = k->o->y + k->t0 * k->o->ldy + k->r0;
    if (quantised)
        quantised(act_from(j, k->t0), k->T, from, (int64_t)row_bytes, k->rows, j->cols, y,
                  k->o->ldy);
    else if (w->type == DTYPE_F32)
        j->c->kern->gemm_f32(x, k->T, (const float *)(const void *)from, k->rows, j->cols, y,
                             k->o->ldy);
    else if (w->type == DTYPE_F16)
        j->c->kern->gemm_f16(x, k->T, (const uint16_t *)(const void *)from, k->rows, j->cols, y,
                             k->o->ldy);
    else
        dequantised(j, k, worker);
}

static void linear_work(void *arg, int64_t index, int worker) {
    const linear_job *j = arg;
    int64_t at = index / j->chunks_t;
    int32_t i = 0;
    while (at >= j->chunks_r[i]) at -= j->chunks_r[i++];
    const op_output *o = &j->out[i];
    linear_chunk k = {.o = o, .t0 = index % j->chunks_t * CHUNK_TOKENS, .r0 = at * CHUNK_ROWS};
    int64_t rows = tensor_rows(o->w->w) - k.r0;
    k.rows = rows < CHUNK_ROWS ? rows : CHUNK_ROWS;
    k.T = j->T - k.t0 < CHUNK_TOKENS ? j->T - k.t0 : CHUNK_TOKENS;
    multiply(j, &k, worker);
    if (!o->w->bias) return;
    for (int64_t t = k.t0; t < k.t0 + k.T; t++)
        for (int64_t r = k.r0; r < k.r0 + k.rows; r++) o->y[t * o->ldy + r] += o->w->bias[r];
}

void op_linears(op_context *c, const float *x, int64_t T, const op_output *out, int32_t n) {
    linear_job j = {.c = c, .x = x, .T = T, .cols = tensor_cols(out[0].w->w), .out = out, .n = n};
    CHECK(T <= c->o.rows_max && j.cols <= c->o.cols_max && n >= 1 && n <= OP_OUTPUTS_MAX);
    int64_t chunks = 0;
    bool int8 = false;
    for (int32_t i = 0; i < n; i++) {
        const tensor *w = out[i].w->w;
        CHECK(tensor_cols(w) == j.cols);
        int8 = int8 || int8_kernel(c->kern, w->type);
        j.chunks_r[i] = (tensor_rows(w) + CHUNK_ROWS - 1) / CHUNK_ROWS;
        chunks += j.chunks_r[i];
    }
    if (int8) op_spread(c, quantise_row, &j, T, j.cols);
    j.chunks_t = (T + CHUNK_TOKENS - 1) / CHUNK_TOKENS;
    op_spread(c, linear_work, &j, chunks * j.chunks_t, CHUNK_ROWS * j.cols);
}

void op_linear(op_context *c, const weight *w, const float *x, int64_t T, float *y, int64_t ldy) {
    op_linears(c, x, T, &(op_output){.w = w, .y = y, .ldy = ldy}, 1);
}

void op_row(const tensor *w, int64_t index, float *out) {
    dtype_get(w->type)->dequantise((const char *)w->data + (size_t)index * tensor_row_bytes(w), out,
                                   tensor_cols(w));
}
