/* stat_histogram.c - see stat_histogram.h.
 *
 * Bucket of v: below 32 v itself; else the exponent of v and its next 5 bits. Bucket i >= 32 covers
 * [low, low + width) with width = 2^(i/32 - 1). */
#include "stat/stat_histogram.h"

#include <stddef.h>

enum { STEPS = 1 << STAT_HISTOGRAM_STEP_BITS };

static size_t bucket_of(int64_t value) {
    uint64_t v = (uint64_t)value;
    if (v < STEPS) return (size_t)v;
    unsigned shift = 63u - (unsigned)__builtin_clzll(v) - STAT_HISTOGRAM_STEP_BITS;
    size_t bucket =
        ((size_t)(shift + 1) << STAT_HISTOGRAM_STEP_BITS) + (size_t)(v >> shift) - STEPS;
    return bucket < STAT_HISTOGRAM_BUCKETS ? bucket : STAT_HISTOGRAM_BUCKETS - 1;
}

static int64_t bucket_last(size_t bucket) {
    if (bucket < STEPS) return (int64_t)bucket;
    unsigned shift = (unsigned)(bucket >> STAT_HISTOGRAM_STEP_BITS) - 1;
    int64_t top = (int64_t)(bucket & (STEPS - 1)) + STEPS;
    return ((top + 1) << shift) - 1;
}

void stat_histogram_put(stat_histogram *h, int64_t value) {
    if (value < 0) value = 0;
    h->n++;
    h->sum += value;
    if (value > h->max) h->max = value;
    h->buckets[bucket_of(value)]++;
}

void stat_histogram_merge(stat_histogram *into, const stat_histogram *from) {
    into->n += from->n;
    into->sum += from->sum;
    if (from->max > into->max) into->max = from->max;
    for (size_t i = 0; i < STAT_HISTOGRAM_BUCKETS; i++) into->buckets[i] += from->buckets[i];
}

int64_t stat_histogram_quantile(const stat_histogram *h, double q) {
    int64_t seen = 0;
    double need = q * (double)h->n;
    for (size_t i = 0; i < STAT_HISTOGRAM_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen > 0 && (double)seen >= need) {
            int64_t last = bucket_last(i);
            return last < h->max ? last : h->max;
        }
    }
    return h->max;
}
