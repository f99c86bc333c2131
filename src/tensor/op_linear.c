/* op_linear.c - see op_linear.h.
 *
 * Weights in strips: the input is rounded to int8 once (tile by tile over the team; a single token
 * by the caller), then all outputs' strips are one list of chunks. Each worker has a range of the
 * list of its own and goes through it in order, so that it reads the weights from one end to the
 * other; whoever is done takes from the others' ranges. A chunk's result depends on its indices
 * alone. Weights without strips are multiplied by rows, in the float reference dequantised first.
 */
#include "tensor/op_linear.h"

#include "tensor/op_int.h"

#include <stdatomic.h>

enum {
    CHUNK_ROWS = 48, /* by rows */
    CHUNK_TOKENS = 64,
    CHUNK_BYTES = 10 << 10, /* least of weights, one token: a third of a microsecond of reading */
    CHUNK_WORK = 1 << 20,   /* least of multiplications, several tokens: three microseconds */
    CHUNKS_EACH = 16,       /* about so many a worker where the matrix is large */
    RANGES_MAX = 64
};

/* ---- layouts ---- */

static kern_layout layout_of(dtype t) {
    static const kern_layout of[DTYPE_COUNT] = {
        [DTYPE_F32] = KERN_F32,   [DTYPE_F16] = KERN_F16,   [DTYPE_BF16] = KERN_BF16,
        [DTYPE_Q8_0] = KERN_Q8_0, [DTYPE_Q4_0] = KERN_Q4_0, [DTYPE_Q4_1] = KERN_Q4_1,
        [DTYPE_Q5_0] = KERN_Q5_0, [DTYPE_Q5_1] = KERN_Q5_1, [DTYPE_IQ4_NL] = KERN_IQ4_NL,
        [DTYPE_Q2_K] = KERN_Q2_K, [DTYPE_Q3_K] = KERN_Q3_K, [DTYPE_Q4_K] = KERN_Q4_K,
        [DTYPE_Q5_K] = KERN_Q5_K, [DTYPE_Q6_K] = KERN_Q6_K, [DTYPE_IQ4_XS] = KERN_IQ4_XS};
    return of[t];
}

static kern_gemm strips_kernel(const kern_table *k, dtype t) {
    return k->products ? k->products->gemm[layout_of(t)] : NULL;
}

static kern_weight strips_of(const weight *w) {
    kern_layout l = layout_of(w->w->type);
    int64_t cols = tensor_cols(w->w);
    return (kern_weight){.layout = l,
                         .rows = tensor_rows(w->w),
                         .cols = cols,
                         .strip_bytes = kern_strip_bytes(l, cols),
                         .strips = w->packed};
}

static int64_t strips_in(const tensor *w) {
    return (tensor_rows(w) + KERN_ROWS - 1) / KERN_ROWS;
}

size_t op_packed_bytes(const kern_table *kern, const tensor *w) {
    kern_layout l = layout_of(w->type);
    if (!strips_kernel(kern, w->type) || !kern_fits(l, tensor_cols(w))) return 0;
    return (size_t)strips_in(w) * kern_strip_bytes(l, tensor_cols(w));
}

void op_pack(const kern_table *kern, const tensor *w, void *to) {
    kern_layout l = layout_of(w->type);
    CHECK(strips_kernel(kern, w->type));
    int64_t rows = tensor_rows(w), cols = tensor_cols(w);
    size_t row_bytes = tensor_row_bytes(w), strip_bytes = kern_strip_bytes(l, cols);
    for (int64_t r = 0; r < rows; r += KERN_ROWS)
        kern_pack_rows(l, (const char *)w->data + (size_t)r * row_bytes, row_bytes,
                       rows - r < KERN_ROWS ? rows - r : KERN_ROWS, cols,
                       (char *)to + (size_t)(r / KERN_ROWS) * strip_bytes);
}

/* ---- products over the team ---- */

/* Chunks [next, end) that one worker goes through in order. A line of its own. */
typedef struct range {
    _Alignas(64) atomic_llong next;
    int64_t end;
} range;

typedef struct linear_job {
    op_context *c;
    const op_output *out;
    int32_t n;
    const op_activation *curve;                                 /* NULL: none */
    kern_input in;                                              /* in.x [T, cols] */
    int64_t chunks_t[OP_OUTPUTS_MAX], chunks_r[OP_OUTPUTS_MAX]; /* of tokens, of rows or strips */
    int64_t strips[OP_OUTPUTS_MAX]; /* of a chunk; 0: this output goes by rows */
    int ranges;
    range range[RANGES_MAX];
} linear_job;

/* One output's rows [r0, r0 + rows) for the tokens [t0, t0 + T). */
typedef struct linear_part {
    const op_output *o;
    int64_t t0, T, r0, rows;
} linear_part;

/* Any weights, in float. */
static void dequantised(const linear_job *j, const linear_part *k, int worker) {
    int64_t cols = j->in.cols;
    float *scratch = j->c->workspace + worker * j->c->workspace_floats;
    for (int64_t r = 0; r < k->rows; r += OP_DEQUANT_ROWS) {
        int64_t n = k->rows - r < OP_DEQUANT_ROWS ? k->rows - r : OP_DEQUANT_ROWS;
        for (int64_t i = 0; i < n; i++) op_row(k->o->w->w, k->r0 + r + i, scratch + i * cols);
        j->c->kern->gemm_f32(j->in.x + k->t0 * cols, k->T, scratch, n, cols,
                             k->o->y + k->t0 * k->o->ldy + k->r0 + r, k->o->ldy);
    }
}

static void by_rows(const linear_job *j, const linear_part *k, int worker) {
    const tensor *w = k->o->w->w;
    if (w->type != DTYPE_F32) {
        dequantised(j, k, worker);
        return;
    }
    j->c->kern->gemm_f32(j->in.x + k->t0 * j->in.cols, k->T,
                         (const float *)w->data + k->r0 * j->in.cols, k->rows, j->in.cols,
                         k->o->y + k->t0 * k->o->ldy + k->r0, k->o->ldy);
}

/* chunk `at` of output i */
static linear_part part_of(const linear_job *j, int32_t i, int64_t at) {
    const op_output *o = &j->out[i];
    int64_t each = j->strips[i] ? j->strips[i] * KERN_ROWS : CHUNK_ROWS;
    linear_part k = {.o = o, .r0 = at / j->chunks_t[i] * each};
    int64_t rows = tensor_rows(o->w->w) - k.r0;
    k.rows = rows < each ? rows : each;
    k.t0 = j->strips[i] ? 0 : at % j->chunks_t[i] * CHUNK_TOKENS;
    k.T = !j->strips[i] && j->in.T - k.t0 > CHUNK_TOKENS ? CHUNK_TOKENS : j->in.T - k.t0;
    return k;
}

/* bias and curve */
static void finish_part(const linear_job *j, const linear_part *k) {
    const kern_rows_table *rows = j->c->kern->rows;
    const float *bias = k->o->w->bias ? k->o->w->bias + k->r0 : NULL;
    float *y = k->o->y + k->t0 * k->o->ldy + k->r0;
    if (j->curve)
        rows->finish[*j->curve](bias, k->T, k->rows, y, k->o->ldy);
    else
        rows->add_each(bias, k->T, k->rows, y, k->o->ldy);
}

static void run_chunk(const linear_job *j, int64_t at, int worker) {
    int32_t i = 0;
    for (; at >= j->chunks_r[i] * j->chunks_t[i]; i++) at -= j->chunks_r[i] * j->chunks_t[i];
    const op_output *o = &j->out[i];
    linear_part k = part_of(j, i, at);
    if (j->strips[i]) {
        kern_weight w = strips_of(o->w);
        kern_part part = {.strip = k.r0 / KERN_ROWS,
                          .strips = (k.rows + KERN_ROWS - 1) / KERN_ROWS,
                          .tiles = j->in.tiles};
        strips_kernel(j->c->kern, o->w->w->type)(&w, &j->in, part, o->y, o->ldy,
                                                 j->c->workspace + worker * j->c->workspace_floats);
    } else {
        by_rows(j, &k, worker);
    }
    finish_part(j, &k);
}

/* The ticket stands for any chunk: the next of the worker's own range, else of another's. There are
 * as many tickets as chunks, so each finds one. */
static void take_chunk(void *arg, int64_t ticket, int worker) {
    (void)ticket;
    linear_job *j = arg;
    for (int i = 0; i < j->ranges; i++) {
        range *r = &j->range[(worker + i) % j->ranges];
        if (atomic_load_explicit(&r->next, memory_order_relaxed) >= r->end) continue;
        int64_t at = atomic_fetch_add_explicit(&r->next, 1, memory_order_relaxed);
        if (at >= r->end) continue;
        run_chunk(j, at, worker);
        return;
    }
}

static void quantise_tile(void *arg, int64_t tile, int worker) {
    (void)worker;
    const linear_job *j = arg;
    j->c->kern->products->quantise_tile(&j->in, tile);
}

/* strips of a chunk: few enough for an even end, enough to be worth claiming; an even number for
 * several tokens, which may meet two strips at a time */
static int64_t chunk_strips(const tensor *w, int64_t T, int threads) {
    int64_t cols = tensor_cols(w), share = strips_in(w) / (CHUNKS_EACH * threads), least;
    if (T == 1) {
        int64_t bytes = (int64_t)kern_strip_bytes(layout_of(w->type), cols);
        least = (CHUNK_BYTES + bytes - 1) / bytes;
        return share > least ? share : least;
    }
    least = CHUNK_WORK / (T * cols * KERN_ROWS);
    return (share > least ? share : least) / 2 * 2 + 2;
}

/* how output i is cut; true where it needs the input in int8 */
static bool cut_output(linear_job *j, int32_t i) {
    const weight *w = j->out[i].w;
    if (w->packed) {
        int64_t strips = strips_in(w->w),
                each = chunk_strips(w->w, j->in.T, team_threads(j->c->team));
        j->strips[i] = each;
        j->chunks_r[i] = (strips + each - 1) / each;
        j->chunks_t[i] = 1;
        return dtype_get(w->w->type)->block > 1;
    }
    j->strips[i] = 0;
    j->chunks_r[i] = (tensor_rows(w->w) + CHUNK_ROWS - 1) / CHUNK_ROWS;
    j->chunks_t[i] = (j->in.T + CHUNK_TOKENS - 1) / CHUNK_TOKENS;
    return false;
}

static void run_linears(op_context *c, const float *x, int64_t T, const op_output *out, int32_t n,
                        const op_activation *curve) {
    linear_job j; /* its ranges are four KiB: not zeroed for each product */
    j.c = c;
    j.curve = curve;
    j.out = out;
    j.n = n;
    int64_t cols = tensor_cols(out[0].w->w), chunks = 0, work = 0;
    CHECK(T >= 1 && T <= c->o.rows_max && cols <= c->o.cols_max && n >= 1 && n <= OP_OUTPUTS_MAX);
    kern_input_place(&j.in, x, T, cols, c->input);
    bool int8 = false, halves = false;
    for (int32_t i = 0; i < n; i++) {
        CHECK(tensor_cols(out[i].w->w) == cols);
        int8 = cut_output(&j, i) || int8;
        halves = kern_shape_of(layout_of(out[i].w->w->type))->halves || halves;
        chunks += j.chunks_r[i] * j.chunks_t[i];
        work += tensor_rows(out[i].w->w) * cols * T;
    }
    j.in.by_halves = halves;
    if (int8) op_spread(c, quantise_tile, &j, j.in.tiles, KERN_TILE * cols);
    j.ranges = team_threads(c->team) < RANGES_MAX ? team_threads(c->team) : RANGES_MAX;
    for (int r = 0; r < j.ranges; r++) {
        atomic_init(&j.range[r].next, chunks * r / j.ranges);
        j.range[r].end = chunks * (r + 1) / j.ranges;
    }
    op_spread(c, take_chunk, &j, chunks, work / chunks);
}

void op_linears(op_context *c, const float *x, int64_t T, const op_output *out, int32_t n) {
    run_linears(c, x, T, out, n, NULL);
}

void op_linear_curve(op_context *c, const weight *w, op_activation curve, const float *x, int64_t T,
                     float *y, int64_t ldy) {
    run_linears(c, x, T, &(op_output){.w = w, .y = y, .ldy = ldy}, 1, &curve);
}

void op_linear(op_context *c, const weight *w, const float *x, int64_t T, float *y, int64_t ldy) {
    op_linears(c, x, T, &(op_output){.w = w, .y = y, .ldy = ldy}, 1);
}

void op_row(const tensor *w, int64_t index, float *out) {
    dtype_get(w->type)->dequantise((const char *)w->data + (size_t)index * tensor_row_bytes(w), out,
                                   tensor_cols(w));
}
