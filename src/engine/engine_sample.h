/* engine_sample.h - from a row of logits to a token. Owner: the engine thread.
 *
 * Order: temperature, the k likeliest, of those the nucleus (Holtzman et al. 2020: the likeliest
 * that sum to top_p), of those the ones at least min_p times as likely as the best; then one draw.
 * Ties go to the lower id. The draw is rand_unit_at(seed, position): nothing else is random. */
#ifndef BANTAM_ENGINE_SAMPLE_H
#define BANTAM_ENGINE_SAMPLE_H

#include "engine/engine.h"

typedef struct sampler {
    int64_t n;     /* vocabulary */
    int32_t *heap; /* [n] ids */
    double *p;     /* [n] */
} sampler;

err sampler_open(sampler *s, int64_t vocabulary, fail *f) MUST_CHECK;
void sampler_close(sampler *s);
/* `position` is that of the token to be made. E_INTERNAL when the logits are not finite. */
err sampler_pick(sampler *s, const float *logits, const engine_sampling *o, int64_t position,
                 int32_t *out, fail *f) MUST_CHECK;
/* Natural log of the sum of e^logit. */
double sampler_log_sum(const float *logits, int64_t n);
/* The k likeliest with their log-probabilities, best first; k <= ENGINE_TOP_MAX. */
void sampler_top(const float *logits, int64_t n, double log_sum, int32_t k, engine_candidate *out);

#endif
