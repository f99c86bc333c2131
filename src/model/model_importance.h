/* model_importance.h - which inputs of each linear layer are large on a calibration text.
 *
 * For every linear layer the mean square of each input column, gathered by running the text through
 * the model's own forward pass (model_hook). An error in a weight costs about that much, so the
 * quantisers weigh it so. Immutable once measured. */
#ifndef BANTAM_MODEL_MODEL_IMPORTANCE_H
#define BANTAM_MODEL_MODEL_IMPORTANCE_H

#include "model/model_write.h"
#include "model/model.h"

typedef struct model_importance model_importance;

enum { MODEL_IMPORTANCE_CHUNK = 512, MODEL_IMPORTANCE_TOKENS_LEAST = 64 };

typedef struct model_importance_options {
    const kern_table *kern; /* NULL: the fastest */
    team *team;
    model_watch watch;
} model_importance_options;

/* Chunks of 512 tokens, each read on its own; *tokens: how many were read. E_INPUT for a text of
 * too few tokens, E_UNSUPPORTED for an encoder, E_CANCELLED. */
err model_importance_measure(model_importance **out, const char *model_path, str text,
                             const model_importance_options *o, int64_t *tokens,
                             fail *f) MUST_CHECK;
void model_importance_close(model_importance *m); /* NULL is fine */

/* [cols], mean 1, never below a thousandth; NULL for a tensor that has none or another width.
 * Borrowed. */
const float *model_importance_of(const model_importance *m, str tensor_name, int64_t cols);

#endif
