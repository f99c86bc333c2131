/* model_adapter_run.c - the deltas of a batch's adapters, row by row; see model_adapter.h. A row is
 * computed by one worker in a fixed order, so its bits do not depend on the batch. */
#include "model/model_adapter_int.h"

enum { ROWS_AT_ONCE = 4 };

typedef struct delta_job {
    const model_run *r;
    const model_batch *b;
    int64_t layer, rows, cols, outs;
    model_linear which;
    const float *x;
    float *y;
} delta_job;

/* The delta of a row, or NULL. Rows of the head are the wanted ones. */
static const adapter_delta *delta_of(const delta_job *j, int64_t row) {
    int64_t of = j->which == MODEL_HEAD ? j->b->wanted[row] : row;
    const model_adapter *a = j->b->adapters[j->b->sequences[of]];
    if (!a) return NULL;
    const adapter_delta *d = &a->delta[j->layer * ADAPTER_LINEARS + (int64_t)j->which];
    return d->rank ? d : NULL;
}

static void add_row(const kern_table *kern, const adapter_delta *d, const float *x, int64_t cols,
                    float *y, int64_t outs) {
    for (int64_t i = 0; i < d->rank; i++) {
        float inner = d->scale * kern->dot_f32(d->a + i * cols, x, cols);
        kern->axpy_f32(inner, d->b + i * outs, y, outs);
    }
}

static void add_rows(void *arg, int64_t index, int worker) {
    const delta_job *j = arg;
    int64_t from = index * ROWS_AT_ONCE, to = from + ROWS_AT_ONCE;
    (void)worker;
    for (int64_t i = from; i < to && i < j->rows; i++) {
        const adapter_delta *d = delta_of(j, i);
        if (d) add_row(j->r->op.kern, d, j->x + i * j->cols, j->cols, j->y + i * j->outs, j->outs);
    }
}

void model_run_adapt(model_run *r, const model_batch *b, int64_t layer, const float *x,
                     int64_t rows, const model_product *p) {
    bool any = false;
    delta_job j = {.r = r,
                   .b = b,
                   .layer = layer,
                   .rows = rows,
                   .cols = tensor_cols(p->w->w),
                   .outs = tensor_rows(p->w->w),
                   .which = p->which,
                   .x = x,
                   .y = p->y};
    for (int64_t i = 0; i < rows && !any; i++) any = delta_of(&j, i) != NULL;
    if (any) team_run(r->op.team, add_rows, &j, (rows + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE);
}
