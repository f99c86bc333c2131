/* fit_linear.c - see fit_linear.h.
 *
 * w is kept for dense input already scaled (w_dense * dense_scale), so that the inner loops touch
 * the embedding as it lies in memory. Rows that sit at alpha = 0 with a gradient well above the
 * last pass's are set aside (shrinking); when the rest has converged all come back for a last look.
 */
#include "fit/fit_linear.h"

#include "base/rand.h"
#include "kern/kern_dot.h"

#include <math.h>

#define FIT_LINEAR_EXACT 0.1f

/* One label's descent. */
typedef struct descent {
    int32_t label;
    float *weight;
    float bound; /* rows at alpha 0 with a gradient above it are set aside */
    float gradient_max, gradient_min;
    bool some_aside, done;
} descent;

typedef struct block {
    const fit_matrix *m;
    const fit_linear_options *o;
    const fit_linear_room *room;
    float diagonal; /* 1 / (2 cost) */
    descent labels[FIT_LINEAR_BLOCK];
} block;

/* Four partial sums, or each addition would wait for the one before. */
static float sparse_dot(const float *weight, const uint32_t *column, const float *value, size_t n) {
    float s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    size_t k = 0;
    for (; k + 4 <= n; k += 4) {
        s0 += weight[column[k]] * value[k];
        s1 += weight[column[k + 1]] * value[k + 1];
        s2 += weight[column[k + 2]] * value[k + 2];
        s3 += weight[column[k + 3]] * value[k + 3];
    }
    for (; k < n; k++) s0 += weight[column[k]] * value[k];
    return (s0 + s1) + (s2 + s3);
}

float fit_linear_score(const fit_matrix *m, size_t row, const float *weight) {
    size_t from = m->start[row];
    return weight[m->features + m->dim] +
           kern_dot(weight + m->features, m->dense + row * m->dim, m->dim) +
           sparse_dot(weight, m->column + from, m->value + from, m->start[row + 1] - from);
}

/* Rows come in random order, which the processor cannot guess. */
static void row_prefetch(const fit_matrix *m, size_t row) {
    const char *dense = (const char *)(m->dense + row * m->dim);
    const char *column = (const char *)(m->column + m->start[row]);
    const char *value = (const char *)(m->value + m->start[row]);
    size_t sparse = (m->start[row + 1] - m->start[row]) * sizeof(float);
    for (size_t at = 0; at < m->dim * sizeof(float); at += 64) __builtin_prefetch(dense + at);
    for (size_t at = 0; at < sparse; at += 64) {
        __builtin_prefetch(column + at);
        __builtin_prefetch(value + at);
    }
}

static void weight_add(const fit_matrix *m, size_t row, float step, float *weight) {
    float dense_step = step * m->dense_scale * m->dense_scale;
    weight[m->features + m->dim] += step;
    kern_axpy(weight + m->features, dense_step, m->dense + row * m->dim, m->dim);
    for (size_t k = m->start[row]; k < m->start[row + 1]; k++)
        weight[m->column[k]] += step * m->value[k];
}

/* One coordinate: row `at` (a position in o->rows) for one label. */
static void descent_visit(block *b, descent *d, size_t at, float *alpha, uint8_t *aside) {
    size_t row = b->o->rows[at];
    float y = b->o->labels[row] == d->label ? 1 : -1, old = *alpha;
    float gradient = y * fit_linear_score(b->m, row, d->weight) - 1 + b->diagonal * old;
    float projected = gradient;
    if (old == 0) {
        if (gradient > d->bound) {
            *aside = 1;
            d->some_aside = true;
            return;
        }
        if (gradient > 0) projected = 0;
    }
    if (projected > d->gradient_max) d->gradient_max = projected;
    if (projected < d->gradient_min) d->gradient_min = projected;
    if (fabsf(projected) < 1e-12f) return;
    float next = old - gradient / (b->m->squared[row] + b->diagonal);
    *alpha = next > 0 ? next : 0;
    weight_add(b->m, row, (*alpha - old) * y, d->weight);
}

static void order_shuffle(uint32_t *order, size_t n, rand_stream *r) {
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)rand_next_below(r, (int64_t)i);
        uint32_t swap = order[i - 1];
        order[i - 1] = order[j];
        order[j] = swap;
    }
}

static void block_pass(block *b) {
    for (int k = 0; k < b->o->count; k++) {
        b->labels[k].gradient_max = -INFINITY;
        b->labels[k].gradient_min = INFINITY;
    }
    for (size_t i = 0; i < b->o->n; i++) {
        size_t at = b->room->order[i], cell = at * FIT_LINEAR_BLOCK;
        if (i + 1 < b->o->n) row_prefetch(b->m, b->o->rows[b->room->order[i + 1]]);
        for (int k = 0; k < b->o->count; k++) {
            size_t mine = cell + (size_t)k;
            if (b->labels[k].done || b->room->aside[mine]) continue;
            descent_visit(b, &b->labels[k], at, b->room->alpha + mine, b->room->aside + mine);
        }
    }
}

/* After a pass: done, or all rows back for a last look, or a tighter bound. */
static void descent_judge(block *b, int k) {
    descent *d = &b->labels[k];
    bool settled = !(d->gradient_max - d->gradient_min > FIT_LINEAR_EXACT);
    if (!settled) {
        d->bound = d->gradient_max > 0 ? d->gradient_max : INFINITY;
        return;
    }
    d->done = !d->some_aside;
    if (d->done) return;
    d->some_aside = false;
    d->bound = INFINITY;
    for (size_t i = 0; i < b->o->n; i++) b->room->aside[i * FIT_LINEAR_BLOCK + (size_t)k] = 0;
}

int fit_linear_train(const fit_matrix *m, const fit_linear_options *o, const fit_linear_room *room,
                     float *weight) {
    size_t wide = m->features + m->dim + 1;
    block b = {.m = m, .o = o, .room = room, .diagonal = 0.5f / o->cost};
    rand_stream r = {o->seed, (uint64_t)(uint32_t)o->first_label << 32};
    memset(weight, 0, (size_t)o->count * wide * sizeof *weight);
    memset(room->alpha, 0, o->n * FIT_LINEAR_BLOCK * sizeof *room->alpha);
    memset(room->aside, 0, o->n * FIT_LINEAR_BLOCK);
    for (size_t i = 0; i < o->n; i++) room->order[i] = (uint32_t)i;
    for (int k = 0; k < o->count; k++)
        b.labels[k] = (descent){
            .label = o->first_label + k, .weight = weight + (size_t)k * wide, .bound = INFINITY};
    int pass = 0;
    bool done = false;
    while (!done && pass < FIT_LINEAR_PASSES_MAX) {
        order_shuffle(room->order, o->n, &r);
        block_pass(&b);
        pass++;
        done = true;
        for (int k = 0; k < o->count; k++) {
            if (!b.labels[k].done) descent_judge(&b, k);
            done = done && b.labels[k].done;
        }
    }
    return pass;
}
