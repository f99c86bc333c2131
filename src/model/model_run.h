/* model_run.h - the workspace of a forward pass, shared by the architectures' files only. */
#ifndef BANTAM_MODEL_MODEL_RUN_H
#define BANTAM_MODEL_MODEL_RUN_H

#include "model/model_forward.h"
#include "tensor/op_attend.h"
#include "tensor/op_linear.h"
#include "tensor/op_rows.h"

/* A model rotates in one way, or in two: its full layers and those with a window. */
enum { MODEL_ROPE_FULL, MODEL_ROPE_LOCAL, MODEL_ROPES };

/* Sizes that an architecture asks for. */
typedef struct model_run_shape {
    int64_t width;   /* of x, h */
    int64_t q_width; /* of q, a: heads * head width */
    int64_t kv_width;
    int64_t ff;
    int64_t turned[MODEL_ROPES]; /* pairs of a head that rotate, of each rotation */
    int64_t experts;             /* of a layer; 0 none */
} model_run_shape;

struct model_run {
    const model *m;
    model_run_options o;
    model_run_shape shape;
    op_context op;
    op_angles angles[MODEL_ROPES]; /* of the batch's rows */
    float *memory;
    float *x, *h;               /* [rows_max, width]: residual stream, normed */
    float *q, *a;               /* [rows_max, q_width]: where gate and up lie, too */
    float *k, *v;               /* [rows_max, kv_width] */
    float *gate, *up;           /* [rows_max, ff] */
    float *route;               /* [rows_max, experts]: their shares */
    float *expert_x, *expert_y; /* [rows_max, width]: of one expert's rows; of all, summed */
    int32_t *expert_row;        /* [rows_max] */
    int64_t pages_max;          /* of one sequence */
    op_page *pages;             /* [sequences_max, pages_max] of the layer at work */
    op_sequence *sequences;     /* [sequences_max] the batch's */
};

/* out [cols] = row `index` of the embedding, read past the map, so that looking words up does not
 * make a file resident whose numbers lie packed elsewhere. */
void model_run_look_up(model_run *r, const tensor *embedding, int64_t index, float *out);

/* One linear layer of a block: what it is for, and y [rows, outs]. */
typedef struct model_product {
    model_linear which;
    const weight *w;
    float *y;
} model_product;
/* y = x W^T of each (one input for all), then the deltas of the batch's adapters and its hook, if
 * it has them. */
void model_run_linears(model_run *r, const model_batch *b, int64_t layer, const float *x,
                       int64_t rows, const model_product *p, int32_t n);
/* The deltas of one, where sequences of the batch have adapters (model_adapter_run.c). */
void model_run_adapt(model_run *r, const model_batch *b, int64_t layer, const float *x,
                     int64_t rows, const model_product *p);
/* Keys and values r->k, r->v of all rows into the batch's pages (if it has any), then attention of
 * r->q over what each row sees, into r->a. */
void model_run_attend(model_run *r, const model_batch *b, int64_t layer, const op_attention *o);

#endif
