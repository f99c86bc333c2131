/* op.h - what every operator on raw float rows needs: the kernels, the team, scratch memory.
 *
 * Operators live in op_linear.h (weight matrices), op_rows.h (norms, activations, rotation) and
 * op_attend.h (attention over pages). Forward only so far; a backward joins its forward in the same
 * file. One thread at a time uses a context; the team works for it. Rows (tokens) are independent:
 * results of a row never depend on the others, except through attention. */
#ifndef BANTAM_TENSOR_OP_H
#define BANTAM_TENSOR_OP_H

#include "base/team.h"
#include "kern/kern.h"
#include "tensor/tensor.h"

typedef struct op_options {
    int64_t rows_max;      /* tokens of one step */
    int64_t cols_max;      /* widest input of a linear layer */
    int64_t positions_max; /* longest attention span */
    int64_t head_max;      /* largest head dimension; 0: 256 */
} op_options;

typedef struct op_context {
    const kern_table *kern;
    team *team;
    op_options o;
    void *input;      /* a kern_input of [rows_max, cols_max] */
    float *workspace; /* dequantised rows ("f32"): [threads, workspace_floats] */
    int64_t workspace_floats;
    /* attention, [threads, ...]: a kernel's scratch, and pages for keys and values without pool */
    float *attend_scratch, *attend_pages;
    kern_page *attend_page_list;
    int64_t attend_scratch_floats, attend_page_floats, attend_pages_max;
    float *attend_partials; /* of tiles that are cut at segments */
    int64_t attend_partial_floats;
} op_context;

/* Allocates all scratch memory; nothing is allocated afterwards. */
err op_open(op_context *c, const kern_table *kern, team *team, const op_options *o,
            fail *f) MUST_CHECK;
void op_close(op_context *c);

#endif
