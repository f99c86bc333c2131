/* steps.h - a decoder driven directly, without the engine: what measuring needs. One thread. */
#ifndef BANTAM_APP_STEPS_H
#define BANTAM_APP_STEPS_H

#include "model/model_forward.h"

typedef struct steps_options {
    kv_type kv;
    int64_t sequences; /* that run side by side */
    int64_t positions; /* of each */
    int64_t rows;      /* of one step, at most; at least sequences */
    int64_t wanted;    /* rows of one step whose logits are wanted, at most */
} steps_options;

typedef struct steps {
    const model *model;
    steps_options o;
    int64_t vocabulary;
    model_run *run;
    kv_pool *pool;
    kv_sequence **kv;                       /* [sequences] */
    int32_t *tokens, *positions, *sequence; /* [rows]; the caller fills tokens */
    int64_t *which;                         /* [wanted] */
    float *logits;                          /* [wanted, vocabulary] */
} steps;

/* E_UNSUPPORTED for an encoder, E_CONTEXT above the model's context, E_NO_MEMORY. */
err steps_open(steps *s, const model *m, const steps_options *o, fail *f) MUST_CHECK;
void steps_close(steps *s);
/* All sequences are empty again. */
err steps_reset(steps *s, fail *f) MUST_CHECK;
/* One step: `each` rows of each of the first n sequences, at position, position + 1, ...; s->tokens
 * holds them, sequence after sequence. s->logits: of the last `wanted` rows of the batch. */
err steps_run(steps *s, int64_t n, int64_t each, int64_t position, int64_t wanted,
              fail *f) MUST_CHECK;

#endif
