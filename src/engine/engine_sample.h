/* engine_sample.h - from a row of logits to a token: the chain that engine_sampling describes.
 * Owner: the engine thread.
 *
 * The draw is rand_unit_at(seed, position): nothing else is random. Ties go to the lower id. */
#ifndef BANTAM_ENGINE_SAMPLE_H
#define BANTAM_ENGINE_SAMPLE_H

#include "engine/engine.h"
#include "engine/engine_select.h"

/* What stands before the token to be made: the penalties look at it. */
typedef struct sampler_past {
    const int32_t *tokens; /* [n] prompt and made */
    int64_t n;
    const uint8_t *breaks; /* [n] 1 where DRY's repetitions end; NULL with DRY off */
} sampler_past;

typedef struct sampler {
    int64_t n; /* vocabulary */
    selection select;
    float *work;       /* [n] logits after mask, bias and penalties */
    float *near;       /* [n] typical */
    select_item *list; /* [n] what the cuts left, likeliest first */
    int64_t list_n;
    int32_t *counts;  /* [n] zero between calls */
    int32_t *repeats; /* [past_max] DRY */
} sampler;

err sampler_open(sampler *s, int64_t vocabulary, int64_t past_max, fail *f) MUST_CHECK;
void sampler_close(sampler *s);
/* `mask`: one bit a token, [(n + 63) / 64], NULL = all allowed. The token's position is past->n.
 * E_CORRUPT when the logits are not finite, E_INPUT when no token is allowed. */
err sampler_pick(sampler *s, const float *logits, const engine_sampling *o,
                 const sampler_past *past, const uint64_t *mask, int32_t *out, fail *f) MUST_CHECK;
/* Natural log of the sum of e^logit. */
double sampler_log_sum(const float *logits, int64_t n);
/* The k likeliest with their log-probabilities, best first; k <= ENGINE_TOP_MAX and n. */
void sampler_top(sampler *s, const float *logits, double log_sum, int32_t k, engine_candidate *out);

/* engine_penalty.c: mask, bias and penalties. Returns logits itself where nothing changes it, else
 * s->work. */
const float *sampler_adjust(sampler *s, const float *logits, const engine_sampling *o,
                            const sampler_past *past, const uint64_t *mask);

#endif
