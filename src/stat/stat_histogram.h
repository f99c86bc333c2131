/* stat_histogram.h - latencies in fixed memory: p50, p99 of any number of values.
 *
 * 32 steps per doubling, so a quantile is at most 3.2 % off; values from 0 to 2^48 (larger ones
 * count as the last bucket), unit is the caller's. Owner: one thread, or the caller's lock;
 * histograms of several threads are merged. Zeroed memory is an empty histogram. */
#ifndef BANTAM_STAT_HISTOGRAM_H
#define BANTAM_STAT_HISTOGRAM_H

#include <stdint.h>

enum {
    STAT_HISTOGRAM_STEP_BITS = 5,
    STAT_HISTOGRAM_BUCKETS = (48 - STAT_HISTOGRAM_STEP_BITS + 1) << STAT_HISTOGRAM_STEP_BITS
};

typedef struct stat_histogram {
    int64_t n, sum, max;
    uint32_t buckets[STAT_HISTOGRAM_BUCKETS];
} stat_histogram;

void stat_histogram_put(stat_histogram *h, int64_t value); /* negative counts as 0 */
void stat_histogram_merge(stat_histogram *into, const stat_histogram *from);
/* The upper edge of the bucket in which the q-quantile lies, never above max; 0 when empty. */
int64_t stat_histogram_quantile(const stat_histogram *h, double q);

#endif
