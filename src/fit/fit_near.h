/* fit_near.h - the stored examples and how near they are to a question.
 *
 * Vectors are kept as unit vectors of 16-bit integers (32767 = 1): half the memory to read per
 * question, a cosine within 2e-5, and integer sums, which are the same on every machine and in any
 * order. Pure functions; a scan only reads. */
#ifndef BANTAM_FIT_NEAR_H
#define BANTAM_FIT_NEAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FIT_NEAREST = 5, FIT_STEP = 16 };

/* Numbers a stored vector takes: dim rounded up to FIT_STEP, the rest 0. */
static inline size_t fit_stride(size_t dim) {
    return (dim + FIT_STEP - 1) / FIT_STEP * FIT_STEP;
}

/* vector [dim] scaled to unit length -> out [fit_stride(dim)]; the zero vector stays 0. */
void fit_pack(int16_t *out, const float *vector, size_t dim);
/* Cosine of two packed vectors. Their squares must sum to less than 2^31 (fit_packed_ok). */
float fit_cosine(const int16_t *a, const int16_t *b, size_t stride);
bool fit_packed_ok(const int16_t *a, size_t stride);

/* Examples side by side; borrowed. */
typedef struct fit_stored {
    const int16_t *vectors; /* [n, stride] */
    const int32_t *labels;  /* [n] */
    const int32_t *fold;    /* [n] or NULL */
    int32_t skip_fold;      /* rows of this fold are not looked at */
    size_t n, stride;
} fit_stored;

/* The nearest examples of one question. */
typedef struct fit_near {
    float top[FIT_NEAREST]; /* cosines, best first, of examples that are not `other` */
    int top_n;
    float same, outside; /* nearest of the asked label, of `other`; FIT_NEAR_NONE: there is none */
    float nearest;       /* of all */
    size_t nearest_row;
} fit_near;
#define FIT_NEAR_NONE (-2.0f)

/* label: whose nearest example is asked for; other: -1 where the task has none. */
void fit_near_scan(fit_near *out, const int16_t *query, const fit_stored *s, int32_t label,
                   int32_t other);
/* Mean of top; 0 where there is none. */
double fit_near_mean(const fit_near *n);
/* The largest cosine to an example of another label than `label`; FIT_NEAR_NONE: there is none. */
float fit_near_rival(const int16_t *query, const fit_stored *s, int32_t label);

#endif
