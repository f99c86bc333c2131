/* stat_interval.c - see stat_interval.h.
 *
 * Everything exact comes from the regularised incomplete beta function: its continued fraction
 * (Abramowitz & Stegun 26.5.8) by Lentz's method, on the side of the mean where it converges fast.
 * Inverses are bisections: 60 to 200 cheap steps and no corner that diverges. Pure functions. */
#include "stat/stat_interval.h"

#include <math.h>

enum { BETA_STEPS_MAX = 10000, BISECTION_STEPS = 200 };
#define BETA_TINY 1e-300
#define BETA_EXACT 1e-15

static double log_gamma(double x) {
    int sign;
    return lgamma_r(x, &sign);
}

static double beta_away_from_0(double x) {
    return fabs(x) < BETA_TINY ? BETA_TINY : x;
}

/* The continued fraction for x below the mean. */
static double beta_fraction(double a, double b, double x) {
    double c = 1, d = 1 / beta_away_from_0(1 - (a + b) * x / (a + 1)), h = d;
    for (int m = 1; m <= BETA_STEPS_MAX; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        d = 1 / beta_away_from_0(1 + even * d);
        c = beta_away_from_0(1 + even / c);
        h *= d * c;
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 / beta_away_from_0(1 + odd * d);
        c = beta_away_from_0(1 + odd / c);
        h *= d * c;
        if (fabs(d * c - 1) < BETA_EXACT) break;
    }
    return h;
}

double stat_beta(double a, double b, double x) {
    if (x <= 0) return 0;
    if (x >= 1) return 1;
    double front = exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(a, b, x) / a;
    return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double stat_beta_inverse(double a, double b, double p) {
    if (p <= 0) return 0;
    if (p >= 1) return 1;
    double low = 0, high = 1;
    for (int i = 0; i < BISECTION_STEPS && low < high; i++) {
        double mid = low + (high - low) / 2;
        if (mid <= low || mid >= high) break;
        if (stat_beta(a, b, mid) < p)
            low = mid;
        else
            high = mid;
    }
    return low + (high - low) / 2;
}

double stat_normal_quantile(double p) {
    double low = -40, high = 40;
    for (int i = 0; i < BISECTION_STEPS; i++) {
        double mid = low + (high - low) / 2;
        if (mid <= low || mid >= high) break;
        if (0.5 * erfc(-mid / sqrt(2)) < p)
            low = mid;
        else
            high = mid;
    }
    return low + (high - low) / 2;
}

double stat_binomial_below(int64_t k, int64_t n, double p) {
    if (k < 0) return 0;
    if (k >= n) return 1;
    return stat_beta((double)(n - k), (double)k + 1, 1 - p);
}

double stat_binomial_above(int64_t k, int64_t n, double p) {
    if (k <= 0) return 1;
    if (k > n) return 0;
    return stat_beta((double)k, (double)(n - k) + 1, p);
}

stat_interval stat_wilson(int64_t k, int64_t n, double level) {
    if (n <= 0) return (stat_interval){0, 1};
    double z = stat_normal_quantile(0.5 + level / 2), count = (double)n, p = (double)k / count;
    double scale = 1 + z * z / count;
    double mid = (p + z * z / (2 * count)) / scale;
    double half = z * sqrt(p * (1 - p) / count + z * z / (4 * count * count)) / scale;
    return (stat_interval){k == 0 ? 0 : mid - half, k == n ? 1 : mid + half};
}

stat_interval stat_clopper_pearson(int64_t k, int64_t n, double level) {
    if (n <= 0) return (stat_interval){0, 1};
    double tail = (1 - level) / 2, yes = (double)k, no = (double)(n - k);
    return (stat_interval){
        .low = k == 0 ? 0 : stat_beta_inverse(yes, no + 1, tail),
        .high = k == n ? 1 : stat_beta_inverse(yes + 1, no, 1 - tail),
    };
}
