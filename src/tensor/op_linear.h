/* op_linear.h - y = x W^T + bias for weight matrices of any type, over the compute team. */
#ifndef BANTAM_TENSOR_OP_LINEAR_H
#define BANTAM_TENSOR_OP_LINEAR_H

#include "tensor/op_rows.h"

/* A weight matrix ready for use. */
typedef struct weight {
    const tensor *w;    /* [rows, cols] */
    const float *bias;  /* [rows]; NULL none */
    const void *packed; /* the rows laid out for the kernels in use (op_pack); NULL none */
} weight;

/* Bytes of w laid out for these kernels; 0: they use it as it lies. */
size_t op_packed_bytes(const kern_table *kern, const tensor *w);
/* Lays it out in `to`, on a multiple of 64 bytes. Once per linear layer, at load; the tensor's own
 * bytes are then read only by op_row and by other kernels. */
void op_pack(const kern_table *kern, const tensor *w, void *to);

/* One product of several with the same input: y [T, ldy], ldy >= rows of w. */
typedef struct op_output {
    const weight *w;
    float *y;
    int64_t ldy;
} op_output;

enum { OP_OUTPUTS_MAX = 4 };
/* out[i].y = x [T, cols] out[i].w^T + bias for n <= OP_OUTPUTS_MAX weights of the same cols (q, k
 * and v; gate and up): one quantisation of x, one pass of the team. x is no output. */
void op_linears(op_context *c, const float *x, int64_t T, const op_output *out, int32_t n);
void op_linear(op_context *c, const weight *w, const float *x, int64_t T, float *y, int64_t ldy);
/* y = curve(x w^T + bias): each part of the result passes the curve while it is in the cache. Bits
 * as op_linear's and op_activate's. */
void op_linear_curve(op_context *c, const weight *w, op_activation curve, const float *x, int64_t T,
                     float *y, int64_t ldy);

/* out [cols] = row `index` of w, as float */
void op_row(const tensor *w, int64_t index, float *out);

#endif
