/* stat_interval.h - how far a share of a few counted cases can be trusted. Pure functions, any
 * thread.
 *
 * k successes of n, 0 <= k <= n. `level` is the two-sided confidence, e.g. 0.95. n == 0 gives
 * [0,1]. Wilson: short, right on average; for showing. Clopper-Pearson: never less than `level`;
 * for promises. */
#ifndef BANTAM_STAT_INTERVAL_H
#define BANTAM_STAT_INTERVAL_H

#include <stdint.h>

typedef struct stat_interval {
    double low, high;
} stat_interval;

stat_interval stat_wilson(int64_t k, int64_t n, double level);
stat_interval stat_clopper_pearson(int64_t k, int64_t n, double level);

/* P(X <= k) and P(X >= k) for X binomial(n, p); exact up to rounding (about 1e-12 relative). */
double stat_binomial_below(int64_t k, int64_t n, double p);
double stat_binomial_above(int64_t k, int64_t n, double p);

/* Regularised incomplete beta I_x(a, b), a, b > 0, and its inverse in x. */
double stat_beta(double a, double b, double x);
double stat_beta_inverse(double a, double b, double p);
/* Quantile of the standard normal distribution, 0 < p < 1. */
double stat_normal_quantile(double p);

#endif
