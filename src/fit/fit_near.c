/* fit_near.c - see fit_near.h. Blocks of dot products first, then one pass over the block: the
 * inner loop stays a plain sum of products that every compiler turns into vector code (room.mk). */
#include "fit/fit_near.h"

#include <math.h>

enum { BLOCK = 64 };
#define PACK_ONE 32767.0f

void fit_pack(int16_t *out, const float *vector, size_t dim) {
    double square = 0;
    for (size_t k = 0; k < dim; k++) square += (double)vector[k] * (double)vector[k];
    double scale = square > 0 ? (double)PACK_ONE / sqrt(square) : 0;
    for (size_t k = 0; k < fit_stride(dim); k++)
        out[k] = k < dim ? (int16_t)lrint((double)vector[k] * scale) : 0;
}

bool fit_packed_ok(const int16_t *a, size_t stride) {
    int64_t square = 0;
    for (size_t k = 0; k < stride; k++) square += (int64_t)a[k] * a[k];
    return square < (int64_t)11 << 27; /* 1.375 * 2^30 */
}

/* |sum| and all partial sums stay below 2^31 by Cauchy-Schwarz. */
static int32_t packed_dot(const int16_t *restrict a, const int16_t *restrict b, size_t stride) {
    int32_t sum = 0;
    for (size_t k = 0; k < stride; k += FIT_STEP)
        for (size_t j = 0; j < FIT_STEP; j++) sum += (int32_t)a[k + j] * (int32_t)b[k + j];
    return sum;
}

static float cosine_of(int32_t dot) {
    return (float)dot / (PACK_ONE * PACK_ONE);
}

float fit_cosine(const int16_t *a, const int16_t *b, size_t stride) {
    return cosine_of(packed_dot(a, b, stride));
}

static void top_insert(fit_near *n, float cosine) {
    int at = n->top_n < FIT_NEAREST ? n->top_n++ : FIT_NEAREST - 1;
    for (; at > 0 && n->top[at - 1] < cosine; at--) n->top[at] = n->top[at - 1];
    n->top[at] = cosine;
}

static void near_put(fit_near *n, float cosine, bool same, bool outside, size_t row) {
    if (cosine > n->nearest) {
        n->nearest = cosine;
        n->nearest_row = row;
    }
    if (outside) {
        if (cosine > n->outside) n->outside = cosine;
        return;
    }
    if (same && cosine > n->same) n->same = cosine;
    if (n->top_n < FIT_NEAREST || cosine > n->top[FIT_NEAREST - 1]) top_insert(n, cosine);
}

void fit_near_scan(fit_near *out, const int16_t *query, const fit_stored *s, int32_t label,
                   int32_t other) {
    fit_near n = {.same = FIT_NEAR_NONE, .outside = FIT_NEAR_NONE, .nearest = FIT_NEAR_NONE};
    int32_t dots[BLOCK];
    for (size_t from = 0; from < s->n; from += BLOCK) {
        size_t count = s->n - from < BLOCK ? s->n - from : BLOCK;
        for (size_t i = 0; i < count; i++)
            dots[i] = packed_dot(query, s->vectors + (from + i) * s->stride, s->stride);
        for (size_t i = 0; i < count; i++) {
            if (s->fold && s->fold[from + i] == s->skip_fold) continue;
            int32_t mine = s->labels[from + i];
            near_put(&n, cosine_of(dots[i]), mine == label, mine == other, from + i);
        }
    }
    *out = n;
}

double fit_near_mean(const fit_near *n) {
    double sum = 0;
    for (int i = 0; i < n->top_n; i++) sum += (double)n->top[i];
    return n->top_n ? sum / n->top_n : 0;
}

float fit_near_rival(const int16_t *query, const fit_stored *s, int32_t label) {
    float best = FIT_NEAR_NONE;
    for (size_t i = 0; i < s->n; i++) {
        if (s->labels[i] == label) continue;
        float cosine = fit_cosine(query, s->vectors + i * s->stride, s->stride);
        if (cosine > best) best = cosine;
    }
    return best;
}
