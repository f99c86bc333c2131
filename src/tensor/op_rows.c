/* op_rows.c - see op_rows.h. Rows go to the team in pieces of PIECE_WORK, none at all where waking
 * it would cost more than it saves (decoding). */
#include "tensor/op_rows.h"

#include "base/mem.h"
#include "tensor/op_int.h"

#include <math.h>

/* in operations on one number: a few microseconds, of which a fork and join takes one at most */
enum { TEAM_WORK = 65536, PIECE_WORK = 16384, CURVE_COST = 8, TURN_COST = 2 };

typedef struct row_job {
    const kern_rows_table *rows;
    void (*work)(const struct row_job *j, int64_t t); /* one row */
    int64_t T, piece;                                 /* rows of a piece */
    const float *x, *other;
    kern_norm norm;
    float *y;
    float by;
    int64_t n;
    op_activation kind;
    const op_angles *angles; /* rotation: n is a head's width */
    int64_t heads;
    bool next;
} row_job;

static void run_piece(void *arg, int64_t index, int worker) {
    (void)worker;
    const row_job *j = arg;
    int64_t end = (index + 1) * j->piece < j->T ? (index + 1) * j->piece : j->T;
    for (int64_t t = index * j->piece; t < end; t++) j->work(j, t);
}

static void run_rows(op_context *c, row_job j, int64_t cost) {
    j.rows = c->kern->rows;
    if (j.T * cost < TEAM_WORK) {
        for (int64_t t = 0; t < j.T; t++) j.work(&j, t);
        return;
    }
    j.piece = cost < PIECE_WORK ? PIECE_WORK / cost : 1;
    team_run(c->team, run_piece, &j, (j.T + j.piece - 1) / j.piece);
}

static void rmsnorm_row(const row_job *j, int64_t t) {
    j->rows->rmsnorm(j->x + t * j->n, &j->norm, j->n, j->y + t * j->n);
}

void op_rmsnorm(op_context *c, const float *x, const float *weight, float eps, int64_t T, int64_t n,
                float *y) {
    kern_norm norm = {.weight = weight, .eps = eps};
    run_rows(c, (row_job){.work = rmsnorm_row, .T = T, .x = x, .norm = norm, .n = n, .y = y},
             2 * n);
}

static void layernorm_row(const row_job *j, int64_t t) {
    j->rows->layernorm(j->x + t * j->n, &j->norm, j->n, j->y + t * j->n);
}

void op_layernorm(op_context *c, const float *x, const float *weight, const float *bias, float eps,
                  int64_t T, int64_t n, float *y) {
    kern_norm norm = {.weight = weight, .bias = bias, .eps = eps};
    run_rows(c, (row_job){.work = layernorm_row, .T = T, .x = x, .norm = norm, .n = n, .y = y},
             3 * n);
}

static void add_layernorm_row(const row_job *j, int64_t t) {
    float *x = j->y + t * j->n;
    j->rows->add(j->other + t * j->n, x, j->n);
    j->rows->layernorm(x, &j->norm, j->n, x);
}

void op_add_layernorm(op_context *c, const float *other, const float *weight, const float *bias,
                      float eps, int64_t T, int64_t n, float *x) {
    kern_norm norm = {.weight = weight, .bias = bias, .eps = eps};
    run_rows(
        c,
        (row_job){.work = add_layernorm_row, .T = T, .other = other, .norm = norm, .n = n, .y = x},
        4 * n);
}

static void activate_row(const row_job *j, int64_t t) {
    j->rows->activate[j->kind](j->y + t * j->n, j->n);
}

void op_activate(op_context *c, op_activation kind, float *x, int64_t T, int64_t n) {
    run_rows(c, (row_job){.work = activate_row, .T = T, .y = x, .n = n, .kind = kind},
             CURVE_COST * n);
}

static void glu_row(const row_job *j, int64_t t) {
    int64_t at = t * j->n;
    j->rows->glu[j->kind](j->x + at, j->other + at, j->y + at, j->n);
}

void op_glu(op_context *c, op_activation kind, const float *gate, const float *up, float *y,
            int64_t T, int64_t n) {
    run_rows(
        c, (row_job){.work = glu_row, .T = T, .x = gate, .other = up, .y = y, .n = n, .kind = kind},
        CURVE_COST * n);
}

static void add_row(const row_job *j, int64_t t) {
    j->rows->add(j->x + t * j->n, j->y + t * j->n, j->n);
}

void op_add(op_context *c, const float *x, float *y, int64_t T, int64_t n) {
    run_rows(c, (row_job){.work = add_row, .T = T, .x = x, .y = y, .n = n}, n);
}

static void scale_row(const row_job *j, int64_t t) {
    j->rows->scale(j->by, j->y + t * j->n, j->n);
}

void op_scale(op_context *c, float by, float *x, int64_t T, int64_t n) {
    run_rows(c, (row_job){.work = scale_row, .T = T, .y = x, .n = n, .by = by}, n);
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

static void turn_row(const row_job *j, int64_t t) {
    const op_angles *a = j->angles;
    j->rows->turn(j->y + t * j->heads * j->n, j->heads, j->n, a->cosine + t * a->half,
                  a->sine + t * a->half, a->half, j->next);
}

void op_rope(op_context *c, float *x, int64_t T, int64_t heads, int64_t dim, const op_angles *a,
             rope_pairs pairs) {
    run_rows(c,
             (row_job){.work = turn_row,
                       .T = T,
                       .y = x,
                       .n = dim,
                       .heads = heads,
                       .angles = a,
                       .next = pairs == ROPE_NEXT},
             TURN_COST * heads * dim);
}
