/* model_run.h - the workspace of a forward pass, shared by the architectures' files only. */
#ifndef BANTAM_MODEL_MODEL_RUN_H
#define BANTAM_MODEL_MODEL_RUN_H

#include "model/model_forward.h"
#include "tensor/op.h"

/* Sizes that an architecture asks for. */
typedef struct model_run_shape {
    int64_t width;   /* of x, h */
    int64_t q_width; /* of q, a: heads * head width */
    int64_t kv_width;
    int64_t ff;
} model_run_shape;

struct model_run {
    const model *m;
    model_run_options o;
    model_run_shape shape;
    op_context op;
    float *memory;
    float *x, *h;      /* [rows_max, width]: residual stream, normed */
    float *q, *a;      /* [rows_max, q_width] */
    float *k, *v;      /* [rows_max, kv_width] */
    float *gate, *up;  /* [rows_max, ff] */
    int64_t spans_max; /* of one sequence */
    op_kv_span *spans; /* [sequences_max, spans_max] */
    op_attend_row *rows;
};

/* y = x W^T, then the hook of the batch, if it has one. */
void model_run_linear(model_run *r, const model_batch *b, int64_t layer, model_linear which,
                      const weight *w, const float *x, int64_t rows, float *y);
/* Keys and values r->k, r->v of all rows into the batch's pages (if it has any), then attention of
 * r->q over what each row sees, into r->a. */
void model_run_attend(model_run *r, const model_batch *b, int64_t layer, const op_attention *o,
                      bool causal);

#endif
