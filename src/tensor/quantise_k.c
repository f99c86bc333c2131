/* quantise_k.c - blocks of 256 numbers. See quantise.h; layouts in kern_block.h.
 *
 * A block is fitted in rounds: each group's best line gives the halves (the largest small integer
 * stands for the largest scale); each group then takes the small integers, out of the neighbours of
 * the ideal ones, whose rounded numbers err least; the halves are refitted to all 256 numbers by
 * least squares; again. The round with the least error stays. */
#include "kern/kern.h"
#include "tensor/quantise.h"
#include "tensor/quantise_fit.h"

#include <math.h>
#include <string.h>

enum { ROUNDS = 3 };

static float half(float v, uint16_t *bits) {
    v = v > QUANTISE_MAX ? QUANTISE_MAX : v;
    *bits = kern_f32_to_f16(v < -QUANTISE_MAX ? -QUANTISE_MAX : v);
    return kern_f16_to_f32(*bits);
}

/* ---- Q4_K and Q5_K: eight groups of 32, scale and offset of six bits ---- */

enum { GROUPS = 8, GROUP = 32, SMALL_MAX = 63 };

typedef struct scaled {
    uint16_t d_bits, m_bits;
    uint8_t scale[GROUPS], offset[GROUPS];
    float q[KERN_SUPER];
    float error;
} scaled;

static float clamp_small(float v) {
    return quantise_whole(v, 0, SMALL_MAX);
}

/* The small integers of group g that err least with these halves. */
static void choose_small(scaled *b, int g, const float *x, const float *weight, quantise_line ideal,
                         float d, float m, float most) {
    float s0 = d > 0 ? clamp_small(ideal.scale / d) : 0,
          o0 = m > 0 ? clamp_small(-ideal.offset / m) : 0, best = INFINITY, q[GROUP];
    for (int ds = -1; ds <= 1; ds++)
        for (int dm = -1; dm <= 1; dm++) {
            float s = s0 + (float)ds, o = o0 + (float)dm;
            if (s < 0 || s > SMALL_MAX || o < 0 || o > SMALL_MAX) continue;
            quantise_line line = {d * s, -(m * o)};
            float error = quantise_round(x, weight, GROUP, line, 0, most, q);
            if (error >= best) continue;
            best = error;
            b->scale[g] = (uint8_t)s;
            b->offset[g] = (uint8_t)o;
            memcpy(b->q + g * GROUP, q, sizeof q);
        }
    b->error += best;
}

/* d and m of x ~ d * (scale q) - m * offset over the whole block; false: no better ones. */
static bool refit_halves(const scaled *b, const float *x, const float *weight, float *d, float *m) {
    double aa = 0, ab = 0, bb = 0, xa = 0, xb = 0;
    for (int i = 0; i < KERN_SUPER; i++) {
        double w = (double)weight[i], v = (double)x[i],
               s = (double)b->scale[i / GROUP] * (double)b->q[i], o = -(double)b->offset[i / GROUP];
        aa += w * s * s;
        ab += w * s * o;
        bb += w * o * o;
        xa += w * v * s;
        xb += w * v * o;
    }
    double det = aa * bb - ab * ab;
    if (bb == 0 && aa > 0) {
        *d = (float)(xa / aa);
        *m = 0;
        return *d > 0;
    }
    if (det <= 1e-9 * aa * bb) return false;
    double d_new = (xa * bb - xb * ab) / det, m_new = (xb * aa - xa * ab) / det;
    if (d_new <= 0 || m_new < 0) return false;
    *d = (float)d_new;
    *m = (float)m_new;
    return true;
}

static void fit_scaled(const float *x, const float *importance, float most, scaled *best) {
    float weight[KERN_SUPER], d = 0, m = 0;
    quantise_line ideal[GROUPS];
    scaled now;
    quantise_weights(importance, KERN_SUPER, weight);
    for (int g = 0; g < GROUPS; g++) {
        ideal[g] = quantise_fit_line(x + g * GROUP, weight + g * GROUP, GROUP, most, true);
        d = ideal[g].scale > d ? ideal[g].scale : d;
        m = -ideal[g].offset > m ? -ideal[g].offset : m;
    }
    d /= SMALL_MAX;
    m /= SMALL_MAX;
    best->error = INFINITY;
    for (int round = 0; round < ROUNDS; round++) {
        float d_kept = half(d, &now.d_bits), m_kept = half(m, &now.m_bits);
        now.error = 0;
        for (int g = 0; g < GROUPS; g++)
            choose_small(&now, g, x + g * GROUP, weight + g * GROUP, ideal[g], d_kept, m_kept,
                         most);
        if (round && now.error >= best->error) break;
        *best = now;
        if (!refit_halves(&now, x, weight, &d, &m)) break;
    }
}

static void pack_small(const scaled *b, uint8_t out[12]) {
    memset(out, 0, 12);
    for (int g = 0; g < 4; g++) {
        uint8_t s = b->scale[g + 4], o = b->offset[g + 4];
        out[g] = (uint8_t)(b->scale[g] | s >> 4 << 6);
        out[g + 4] = (uint8_t)(b->offset[g] | o >> 4 << 6);
        out[g + 8] = (uint8_t)((s & 15) | (o & 15) << 4);
    }
}

static void pack_nibbles(const float *q, uint8_t out[KERN_SUPER / 2]) {
    for (int i = 0; i < KERN_SUPER / 2; i++) {
        const float *pair = q + i / GROUP * 2 * GROUP + i % GROUP;
        out[i] = (uint8_t)(((unsigned)pair[0] & 15) | ((unsigned)pair[GROUP] & 15) << 4);
    }
}

void quantise_q4_k(const float *x, const float *importance, void *to, int64_t n) {
    kern_q4_K *b = to;
    scaled fit;
    for (int64_t i = 0; i < n; i += KERN_SUPER, b++) {
        fit_scaled(x + i, importance ? importance + i : NULL, 15, &fit);
        b->d = fit.d_bits;
        b->dmin = fit.m_bits;
        pack_small(&fit, b->scales);
        pack_nibbles(fit.q, b->q);
    }
}

void quantise_q5_k(const float *x, const float *importance, void *to, int64_t n) {
    kern_q5_K *b = to;
    scaled fit;
    for (int64_t i = 0; i < n; i += KERN_SUPER, b++) {
        fit_scaled(x + i, importance ? importance + i : NULL, 31, &fit);
        b->d = fit.d_bits;
        b->dmin = fit.m_bits;
        pack_small(&fit, b->scales);
        pack_nibbles(fit.q, b->q);
        memset(b->high, 0, sizeof b->high);
        for (int k = 0; k < KERN_SUPER; k++)
            if ((unsigned)fit.q[k] & 16) b->high[k % GROUP] |= (uint8_t)(1 << k / GROUP);
    }
}

/* ---- Q6_K: sixteen groups of 16, a signed scale of eight bits ---- */

enum { SIX_GROUPS = 16, SIX_GROUP = 16 };

typedef struct six {
    uint16_t d_bits;
    int8_t scale[SIX_GROUPS];
    float q[KERN_SUPER];
    float error;
} six;

static void choose_six(six *b, int g, const float *x, const float *weight, float ideal, float d) {
    float s0 = d != 0 ? quantise_whole(ideal / d, -128, 127) : 0, best = INFINITY, q[SIX_GROUP];
    for (int step = -1; step <= 1; step++) {
        float s = s0 + (float)step;
        if (s < -128 || s > 127) continue;
        float error = quantise_round(x, weight, SIX_GROUP, (quantise_line){d * s, 0}, -32, 31, q);
        if (error >= best) continue;
        best = error;
        b->scale[g] = (int8_t)s;
        memcpy(b->q + g * SIX_GROUP, q, sizeof q);
    }
    b->error += best;
}

static float refit_six(const six *b, const float *x, const float *weight) {
    double aa = 0, xa = 0;
    for (int i = 0; i < KERN_SUPER; i++) {
        double v = (double)b->scale[i / SIX_GROUP] * (double)b->q[i];
        aa += (double)weight[i] * v * v;
        xa += (double)weight[i] * v * (double)x[i];
    }
    return aa > 0 ? (float)(xa / aa) : 0;
}

static void fit_six(const float *x, const float *importance, six *best) {
    float weight[KERN_SUPER], ideal[SIX_GROUPS], largest = 0;
    six now;
    quantise_weights(importance, KERN_SUPER, weight);
    for (int g = 0; g < SIX_GROUPS; g++) {
        const int64_t at = g * SIX_GROUP;
        ideal[g] = quantise_fit_scale(x + at, weight + at, SIX_GROUP, -32, 31);
        if (fabsf(ideal[g]) > fabsf(largest)) largest = ideal[g];
    }
    float d = largest / -128; /* the largest scale takes the longer end */
    best->error = INFINITY;
    for (int round = 0; round < ROUNDS; round++) {
        float kept = half(d, &now.d_bits);
        now.error = 0;
        for (int g = 0; g < SIX_GROUPS; g++)
            choose_six(&now, g, x + g * SIX_GROUP, weight + g * SIX_GROUP, ideal[g], kept);
        if (round && now.error >= best->error) break;
        *best = now;
        d = refit_six(&now, x, weight);
        if (d == 0) break;
    }
}

void quantise_q6_k(const float *x, const float *importance, void *to, int64_t n) {
    kern_q6_K *b = to;
    six fit;
    for (int64_t i = 0; i < n; i += KERN_SUPER, b++) {
        fit_six(x + i, importance ? importance + i : NULL, &fit);
        b->d = fit.d_bits;
        memcpy(b->scales, fit.scale, sizeof b->scales);
        memset(b->low, 0, sizeof b->low);
        memset(b->high, 0, sizeof b->high);
        for (int k = 0; k < KERN_SUPER; k++) {
            int h = k / 128, j = k % 128 / 32, at = k % 32;
            unsigned q = (unsigned)(fit.q[k] + 32);
            b->low[h * 64 + j % 2 * 32 + at] |= (uint8_t)((q & 15) << j / 2 * 4);
            b->high[h * 32 + at] |= (uint8_t)(q >> 4 << 2 * j);
        }
    }
}
