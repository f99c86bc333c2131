/* kern_dot.h - dot product and axpy on f32, in a fixed order of addition (16 partial sums), so
 * that results do not depend on the compiler's mood. For rows of one vector: what learned models
 * and indexes need; many rows at once are kern.h's. Any length, any alignment, any thread. */
#ifndef BANTAM_KERN_DOT_H
#define BANTAM_KERN_DOT_H

#include <stddef.h>
#include <string.h>

typedef float kern_vec4 __attribute__((vector_size(16)));

static inline kern_vec4 kern_vec4_load(const float *p) {
    kern_vec4 v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline float kern_dot(const float *a, const float *b, size_t n) {
    kern_vec4 s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        s0 += kern_vec4_load(a + i) * kern_vec4_load(b + i);
        s1 += kern_vec4_load(a + i + 4) * kern_vec4_load(b + i + 4);
        s2 += kern_vec4_load(a + i + 8) * kern_vec4_load(b + i + 8);
        s3 += kern_vec4_load(a + i + 12) * kern_vec4_load(b + i + 12);
    }
    kern_vec4 s = (s0 + s1) + (s2 + s3);
    float sum = (s[0] + s[1]) + (s[2] + s[3]);
    for (; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* y += c * x */
static inline void kern_axpy(float *y, float c, const float *x, size_t n) {
    size_t i = 0;
    kern_vec4 c4 = {c, c, c, c};
    for (; i + 4 <= n; i += 4) {
        kern_vec4 v = kern_vec4_load(y + i) + c4 * kern_vec4_load(x + i);
        memcpy(y + i, &v, sizeof v);
    }
    for (; i < n; i++) y[i] += c * x[i];
}

#endif
