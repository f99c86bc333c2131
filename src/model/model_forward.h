/* model_forward.h - one forward pass over a ragged batch: the code that serving and training share.
 *
 * A batch is rows; each row is one token of one sequence at one position. Rows of a sequence stand
 * together, positions ascending. With pages (kv) a row sees what its sequence kept at positions up
 * to its own; without, it sees the rows of its sequence in this batch: those up to itself in a
 * decoder, all of them in an encoder. A row's numbers never depend on the other sequences.
 *
 * A model_run is the workspace of one thread that calls model_forward; the model itself is shared
 * and immutable. Nothing is allocated after model_run_open. */
#ifndef BANTAM_MODEL_MODEL_FORWARD_H
#define BANTAM_MODEL_MODEL_FORWARD_H

#include "kv/kv.h"
#include "model/model.h"
#include "model/model_adapter.h"

typedef struct model_run model_run;

typedef struct model_run_options {
    int64_t rows_max;      /* of a batch */
    int64_t sequences_max; /* of a batch */
    int64_t positions_max; /* longest span that a row sees; 0 = the model's context */
} model_run_options;

/* E_NO_MEMORY names the bytes. */
err model_run_open(model_run **out, const model *m, const model_run_options *o, fail *f) MUST_CHECK;
void model_run_close(model_run *r); /* NULL is fine */

/* The linear layers of a block, by what they are for. */
typedef enum model_linear {
    MODEL_QUERY,
    MODEL_KEY,
    MODEL_VALUE,
    MODEL_OUTPUT,
    MODEL_GATE,
    MODEL_UP,
    MODEL_DOWN,
    MODEL_HEAD
} model_linear;

/* Called after y [rows, outs] = x [rows, cols] W^T of each linear layer: the place where an adapter
 * adds its delta to y, and where a trainer keeps x. */
typedef struct model_hook {
    void *self;
    void (*linear)(void *self, int32_t layer, model_linear which, const float *x, int64_t rows,
                   int64_t cols, float *y, int64_t outs);
} model_hook;

typedef struct model_batch {
    int64_t n_rows;
    const int32_t *tokens;    /* [n_rows] */
    const int32_t *positions; /* [n_rows] */
    const int32_t *sequences; /* [n_rows] ascending from 0 */
    int64_t n_sequences;
    kv_pool *pool;          /* NULL = without pages */
    kv_sequence *const *kv; /* [n_sequences], each with room for its rows */
    const model_adapter *const
        *adapters;          /* [n_sequences], NULL inside = none; NULL = none at all */
    const model_hook *hook; /* NULL = none */
    const int64_t *wanted;  /* rows whose outputs are wanted, [n_wanted] */
    int64_t n_wanted;
    float *logits; /* [n_wanted, vocabulary]; NULL = not wanted. Decoders only */
    float *hidden; /* [n_wanted, width] after the last norm; NULL = not wanted */
    float *pooled; /* [n_sequences, width] mean of the rows, unit length; NULL = not wanted */
} model_batch;

/* E_CONTEXT for a position outside the context or the workspace, E_INPUT for a token outside the
 * vocabulary or a malformed batch, E_UNSUPPORTED for outputs that the architecture has not. */
err model_forward(model_run *r, const model_batch *b, fail *f) MUST_CHECK;

#endif
