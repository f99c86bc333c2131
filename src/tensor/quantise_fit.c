/* quantise_fit.c - see quantise_fit.h. Sums run over eight lanes, added in a fixed order: the same
 * bits on every machine. */
#include "tensor/quantise_fit.h"

#include <math.h>

enum { LANES = 8 };

static float total(const float lane[LANES]) {
    return ((lane[0] + lane[4]) + (lane[1] + lane[5])) +
           ((lane[2] + lane[6]) + (lane[3] + lane[7]));
}

void quantise_weights(const float *importance, int n, float *weight) {
    for (int i = 0; i < n; i++) weight[i] = importance ? importance[i] : 1;
}

/* ---- scale alone ---- */

typedef struct scale_sums {
    float xq, qq;
} scale_sums;

static scale_sums sums_at(const float *x, const float *weight, int n, float inverse, float least,
                          float most) {
    float xq[LANES] = {0}, qq[LANES] = {0};
    for (int i = 0; i < n; i += LANES)
        for (int l = 0; l < LANES; l++) {
            float q = quantise_whole(x[i + l] * inverse, least, most), wq = weight[i + l] * q;
            xq[l] += wq * x[i + l];
            qq[l] += wq * q;
        }
    return (scale_sums){total(xq), total(qq)};
}

/* The error of a fitted scale is sum(w x x) - xq^2 / qq: the most of the second wins. */
float quantise_fit_scale(const float *x, const float *weight, int n, float least, float most) {
    float largest = 0, best = 0, scale = 0;
    for (int i = 0; i < n; i++) largest = fabsf(x[i]) > largest ? fabsf(x[i]) : largest;
    if (largest < 1e-30f) return 0;
    /* the largest number may fall on any step from well inside the range to a little outside */
    const float from = most * 0.75f, to = 0.5f - least, step = (to - from) / 16;
    for (float t = from; t <= to; t += step)
        for (int side = -1; side <= 1; side += 2) {
            scale_sums s = sums_at(x, weight, n, (float)side * t / largest, least, most);
            float gain = s.qq > 0 ? s.xq * s.xq / s.qq : 0;
            if (gain > best) {
                best = gain;
                scale = s.xq / s.qq;
            }
        }
    return scale;
}

/* ---- scale and offset ---- */

typedef struct line_sums {
    float w, x, xx, q, qq, xq; /* weighted */
} line_sums;

static void add_constant(line_sums *s, const float *x, const float *weight, int n) {
    float w[LANES] = {0}, wx[LANES] = {0}, wxx[LANES] = {0};
    for (int i = 0; i < n; i += LANES)
        for (int l = 0; l < LANES; l++) {
            w[l] += weight[i + l];
            wx[l] += weight[i + l] * x[i + l];
            wxx[l] += weight[i + l] * x[i + l] * x[i + l];
        }
    s->w = total(w);
    s->x = total(wx);
    s->xx = total(wxx);
}

static void add_steps(line_sums *s, const float *x, const float *weight, int n, float inverse,
                      float offset, float most) {
    float q1[LANES] = {0}, q2[LANES] = {0}, xq[LANES] = {0};
    for (int i = 0; i < n; i += LANES)
        for (int l = 0; l < LANES; l++) {
            float q = quantise_whole((x[i + l] - offset) * inverse, 0, most),
                  wq = weight[i + l] * q;
            q1[l] += wq;
            q2[l] += wq * q;
            xq[l] += wq * x[i + l];
        }
    s->q = total(q1);
    s->qq = total(q2);
    s->xq = total(xq);
}

/* The best line for these whole numbers, and its error. */
static double solve(const line_sums *s, bool below, quantise_line *out) {
    double w = (double)s->w, x = (double)s->x, q = (double)s->q, qq = (double)s->qq,
           xq = (double)s->xq, det = w * qq - q * q, scale, offset;
    if (det <= 1e-12 * w * qq) return INFINITY;
    scale = (w * xq - x * q) / det;
    offset = (qq * x - q * xq) / det;
    if (below && offset > 0) {
        offset = 0;
        scale = xq / qq;
    }
    if (scale <= 0) return INFINITY;
    *out = (quantise_line){(float)scale, (float)offset};
    return (double)s->xx + scale * scale * qq + offset * offset * w + 2 * scale * offset * q -
           2 * scale * xq - 2 * offset * x;
}

quantise_line quantise_fit_line(const float *x, const float *weight, int n, float most,
                                bool below) {
    float least = x[0], largest = x[0];
    for (int i = 1; i < n; i++) {
        least = x[i] < least ? x[i] : least;
        largest = x[i] > largest ? x[i] : largest;
    }
    if (below && least > 0) least = 0;
    if (largest - least < 1e-30f) return (quantise_line){0, least};
    quantise_line best = {(largest - least) / most, least};
    line_sums s;
    double best_error = INFINITY;
    add_constant(&s, x, weight, n);
    enum { TRIES = 20, REFINE = 2 };
    for (int t = 0; t <= TRIES; t++) {
        quantise_line now = {0};
        float steps = most - 1 + 0.1f * (float)t; /* over the span of the numbers */
        add_steps(&s, x, weight, n, steps / (largest - least), least, most);
        double error = solve(&s, below, &now);
        if (error < best_error) {
            best_error = error;
            best = now;
        }
    }
    for (int t = 0; t < REFINE; t++) { /* the line changes the steps, they change the line */
        quantise_line now = best;
        add_steps(&s, x, weight, n, 1 / best.scale, best.offset, most);
        double error = solve(&s, below, &now);
        if (error >= best_error) break;
        best_error = error;
        best = now;
    }
    return best;
}

float quantise_round(const float *x, const float *weight, int n, quantise_line line, float least,
                     float most, float *q) {
    float error[LANES] = {0}, inverse = line.scale != 0 ? 1 / line.scale : 0;
    if (!isfinite(inverse)) inverse = 0;
    for (int i = 0; i < n; i += LANES)
        for (int l = 0; l < LANES; l++) {
            q[i + l] = quantise_whole((x[i + l] - line.offset) * inverse, least, most);
            float off = x[i + l] - (line.scale * q[i + l] + line.offset);
            error[l] += weight[i + l] * off * off;
        }
    return total(error);
}
