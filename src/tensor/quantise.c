/* quantise.c - single numbers and blocks of 32. See quantise.h; layouts in kern_block.h. */
#include "tensor/quantise.h"

#include "kern/kern.h"
#include "tensor/quantise_fit.h"

#include <math.h>
#include <string.h>

bool quantise_fits(const float *x, int64_t n) {
    bool fits = true;
    for (int64_t i = 0; i < n; i++) fits &= fabsf(x[i]) <= QUANTISE_MAX;
    return fits;
}

void quantise_f32(const float *x, const float *importance, void *to, int64_t n) {
    (void)importance;
    memcpy(to, x, (size_t)n * sizeof *x);
}

static void put_u16(void *to, int64_t i, uint16_t v) {
    memcpy((char *)to + 2 * i, &v, sizeof v);
}

void quantise_f16(const float *x, const float *importance, void *to, int64_t n) {
    (void)importance;
    for (int64_t i = 0; i < n; i++) put_u16(to, i, kern_f32_to_f16(x[i]));
}

/* to the nearest, ties to even; what is not a number stays so */
void quantise_bf16(const float *x, const float *importance, void *to, int64_t n) {
    (void)importance;
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
        bits = nan ? bits | 0x400000u : bits + 0x7fffu + (bits >> 16 & 1);
        put_u16(to, i, (uint16_t)(bits >> 16));
    }
}

/* A scale as the file keeps it. */
static float half(float v, uint16_t *bits) {
    v = v > QUANTISE_MAX ? QUANTISE_MAX : v;
    *bits = kern_f32_to_f16(v < -QUANTISE_MAX ? -QUANTISE_MAX : v);
    return kern_f16_to_f32(*bits);
}

void quantise_q8_0(const float *x, const float *importance, void *to, int64_t n) {
    (void)importance;
    kern_q8_0 *b = to;
    float ones[KERN_BLOCK], q[KERN_BLOCK];
    quantise_weights(NULL, KERN_BLOCK, ones);
    for (const float *end = x + n; x < end; b++, x += KERN_BLOCK) {
        float largest = 0;
        for (int i = 0; i < KERN_BLOCK; i++)
            largest = fabsf(x[i]) > largest ? fabsf(x[i]) : largest;
        quantise_line line = {half(largest / 127, &b->d), 0};
        (void)quantise_round(x, ones, KERN_BLOCK, line, -127, 127, q);
        for (int i = 0; i < KERN_BLOCK; i++) b->q[i] = (int8_t)q[i];
    }
}

/* ---- four and five bits ---- */

static void pack_low(const float *q, float zero, uint8_t *out) {
    for (int i = 0; i < KERN_BLOCK / 2; i++) {
        unsigned low = (unsigned)(q[i] + zero) & 15,
                 high = (unsigned)(q[i + KERN_BLOCK / 2] + zero) & 15;
        out[i] = (uint8_t)(low | high << 4);
    }
}
static void pack_fifth(const float *q, float zero, uint8_t out[4]) {
    memset(out, 0, 4);
    for (int i = 0; i < KERN_BLOCK; i++)
        if ((unsigned)(q[i] + zero) & 16) out[i / 8] |= (uint8_t)(1 << i % 8);
}

/* One block by a scale alone: q in [-zero, zero - 1]. */
static uint16_t by_scale(const float *x, const float *importance, float zero, float *q) {
    float weight[KERN_BLOCK];
    uint16_t bits;
    quantise_weights(importance, KERN_BLOCK, weight);
    float scale = quantise_fit_scale(x, weight, KERN_BLOCK, -zero, zero - 1);
    quantise_line line = {half(scale, &bits), 0};
    (void)quantise_round(x, weight, KERN_BLOCK, line, -zero, zero - 1, q);
    return bits;
}

static const float *at(const float *importance, int64_t i) {
    return importance ? importance + i : NULL;
}

void quantise_q4_0(const float *x, const float *importance, void *to, int64_t n) {
    kern_q4_0 *b = to;
    float q[KERN_BLOCK];
    for (int64_t i = 0; i < n; i += KERN_BLOCK, b++) {
        b->d = by_scale(x + i, at(importance, i), 8, q);
        pack_low(q, 8, b->q);
    }
}

void quantise_q5_0(const float *x, const float *importance, void *to, int64_t n) {
    kern_q5_0 *b = to;
    float q[KERN_BLOCK];
    for (int64_t i = 0; i < n; i += KERN_BLOCK, b++) {
        b->d = by_scale(x + i, at(importance, i), 16, q);
        pack_low(q, 16, b->q);
        pack_fifth(q, 16, b->high);
    }
}

/* One block by scale and offset: q in [0, most]. */
static void by_line(const float *x, const float *importance, float most, uint16_t *d, uint16_t *m,
                    float *q) {
    float weight[KERN_BLOCK];
    quantise_weights(importance, KERN_BLOCK, weight);
    quantise_line line = quantise_fit_line(x, weight, KERN_BLOCK, most, false);
    line = (quantise_line){half(line.scale, d), half(line.offset, m)};
    (void)quantise_round(x, weight, KERN_BLOCK, line, 0, most, q);
}

void quantise_q4_1(const float *x, const float *importance, void *to, int64_t n) {
    kern_q4_1 *b = to;
    float q[KERN_BLOCK];
    for (int64_t i = 0; i < n; i += KERN_BLOCK, b++) {
        by_line(x + i, at(importance, i), 15, &b->d, &b->m, q);
        pack_low(q, 0, b->q);
    }
}

void quantise_q5_1(const float *x, const float *importance, void *to, int64_t n) {
    kern_q5_1 *b = to;
    float q[KERN_BLOCK];
    for (int64_t i = 0; i < n; i += KERN_BLOCK, b++) {
        by_line(x + i, at(importance, i), 31, &b->d, &b->m, q);
        pack_low(q, 0, b->q);
        pack_fifth(q, 0, b->high);
    }
}

/* ---- sixteen uneven levels ---- */

static int nearest_level(float v) {
    int i = 0;
    while (i < 15 && 2 * v > (float)(kern_iq4_values[i] + kern_iq4_values[i + 1])) i++;
    return i;
}

/* The scale whose levels, refitted, take most of the weighted squares of x. */
static float fit_levels(const float *x, const float *weight) {
    float largest = 0, best = 0, scale = 0;
    for (int i = 0; i < KERN_BLOCK; i++) largest = fabsf(x[i]) > largest ? fabsf(x[i]) : largest;
    if (largest < 1e-30f) return 0;
    for (int t = 90; t <= 140; t += 3)
        for (int side = -1; side <= 1; side += 2) {
            float xq = 0, qq = 0, inverse = (float)(side * t) / largest;
            for (int i = 0; i < KERN_BLOCK; i++) {
                float v = (float)kern_iq4_values[nearest_level(x[i] * inverse)];
                xq += weight[i] * v * x[i];
                qq += weight[i] * v * v;
            }
            if (qq > 0 && xq * xq / qq > best) {
                best = xq * xq / qq;
                scale = xq / qq;
            }
        }
    return scale;
}

void quantise_iq4_nl(const float *x, const float *importance, void *to, int64_t n) {
    kern_iq4_nl *b = to;
    float weight[KERN_BLOCK];
    for (int64_t i = 0; i < n; i += KERN_BLOCK, b++) {
        quantise_weights(at(importance, i), KERN_BLOCK, weight);
        float scale = half(fit_levels(x + i, weight), &b->d), inverse = scale != 0 ? 1 / scale : 0;
        for (int k = 0; k < KERN_BLOCK / 2; k++)
            b->q[k] = (uint8_t)(nearest_level(x[i + k] * inverse) |
                                nearest_level(x[i + k + KERN_BLOCK / 2] * inverse) << 4);
    }
}
