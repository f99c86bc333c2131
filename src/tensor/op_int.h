/* op_int.h - what the operators' files share. */
#ifndef BANTAM_TENSOR_OP_INT_H
#define BANTAM_TENSOR_OP_INT_H

#include "tensor/op.h"

enum { OP_DEQUANT_ROWS = 8 };

/* work(arg, i, worker) for i in [0, n), each costing about `cost` operations: over the team where
 * that is worth waking it, else here. */
void op_spread(op_context *c, void (*work)(void *, int64_t, int), void *arg, int64_t n,
               int64_t cost);

#endif
