/* engine_select.c - see engine_select.h. Inner loops run over SELECT_LANES independent sums, a
 * shape that compilers turn into vector instructions; the order of operations is fixed by the
 * source, so every compiler gives the same bits. */
#include "engine/engine_select.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

enum { SELECT_LANES = 16 };

err select_open(selection *s, int64_t n, fail *f) {
    *s = (selection){.n = n, .blocks = (n + SELECT_BLOCK - 1) / SELECT_BLOCK};
    s->peaks = mem_alloc((size_t)s->blocks * sizeof *s->peaks);
    s->order = mem_alloc((size_t)s->blocks * sizeof *s->order);
    s->sums = mem_alloc((size_t)s->blocks * sizeof *s->sums);
    s->heap = mem_alloc((size_t)n * sizeof *s->heap);
    if (s->peaks && s->order && s->sums && s->heap) return E_OK;
    select_close(s);
    return fail_memory(f, "the sampler");
}

void select_close(selection *s) {
    mem_free(s->peaks);
    mem_free(s->order);
    mem_free(s->sums);
    mem_free(s->heap);
    *s = (selection){0};
}

static int64_t block_count(const selection *s, int64_t block) {
    int64_t left = s->n - block * SELECT_BLOCK;
    return left < SELECT_BLOCK ? left : SELECT_BLOCK;
}

/* ---- peaks ---- */

/* x * 0 is 0 for a finite x and not a number otherwise. */
static float block_peak(const float *x, float *zero) {
    float most[SELECT_LANES], check[SELECT_LANES];
    for (int j = 0; j < SELECT_LANES; j++) {
        most[j] = x[j];
        check[j] = x[j] * 0;
    }
    for (int i = SELECT_LANES; i < SELECT_BLOCK; i += SELECT_LANES)
        for (int j = 0; j < SELECT_LANES; j++) {
            most[j] = x[i + j] > most[j] ? x[i + j] : most[j];
            check[j] += x[i + j] * 0;
        }
    float peak = most[0];
    for (int j = 0; j < SELECT_LANES; j++) {
        peak = most[j] > peak ? most[j] : peak;
        *zero += check[j];
    }
    return peak;
}

static float short_peak(const float *x, int64_t n, float *zero) {
    float peak = x[0];
    for (int64_t i = 0; i < n; i++) {
        peak = x[i] > peak ? x[i] : peak;
        *zero += x[i] * 0;
    }
    return peak;
}

float select_look(selection *s, const float *row, bool *finite) {
    float zero = 0, most = -INFINITY;
    int64_t whole = s->n / SELECT_BLOCK;
    for (int64_t b = 0; b < whole; b++) s->peaks[b] = block_peak(row + b * SELECT_BLOCK, &zero);
    if (whole < s->blocks)
        s->peaks[whole] = short_peak(row + whole * SELECT_BLOCK, block_count(s, whole), &zero);
    for (int64_t b = 0; b < s->blocks; b++) most = s->peaks[b] > most ? s->peaks[b] : most;
    *finite = zero == 0;
    return most;
}

int32_t select_first(const selection *s, const float *row) {
    int64_t best = 0, at;
    for (int64_t b = 1; b < s->blocks; b++)
        if (s->peaks[b] > s->peaks[best]) best = b;
    for (at = best * SELECT_BLOCK; row[at] != s->peaks[best] && at < s->n - 1;) at++;
    return (int32_t)at;
}

/* ---- heap ---- */

static bool before(select_item a, select_item b) {
    return a.key > b.key || (a.key == b.key && a.id < b.id);
}

static void sink(select_item *heap, int64_t n, int64_t at) {
    select_item item = heap[at];
    for (int64_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && before(heap[child + 1], heap[child])) child++;
        if (!before(heap[child], item)) break;
        heap[at] = heap[child];
    }
    heap[at] = item;
}

void select_push(selection *s, select_item item) {
    int64_t at = s->heap_n++;
    for (int64_t up; at > 0 && before(item, s->heap[up = (at - 1) / 2]); at = up)
        s->heap[at] = s->heap[up];
    s->heap[at] = item;
}

select_item select_pop(selection *s) {
    select_item top = s->heap[0];
    s->heap[0] = s->heap[--s->heap_n];
    if (s->heap_n > 1) sink(s->heap, s->heap_n, 0);
    return top;
}

int64_t select_above(selection *s, const float *row, float least) {
    s->heap_n = 0;
    for (int64_t b = 0; b < s->blocks; b++) {
        if (!(s->peaks[b] >= least)) continue;
        for (int64_t i = b * SELECT_BLOCK, end = i + block_count(s, b); i < end; i++)
            if (row[i] >= least) s->heap[s->heap_n++] = (select_item){(int32_t)i, row[i]};
    }
    for (int64_t i = s->heap_n / 2 - 1; i >= 0; i--) sink(s->heap, s->heap_n, i);
    return s->heap_n;
}

/* The k-th largest of x [n], which is reordered (Hoare's quickselect). */
static float kth(float *x, int64_t n, int64_t k) {
    int64_t from = 0, to = n - 1, want = k - 1;
    while (from < to) {
        float pivot = x[from + (to - from) / 2];
        int64_t i = from, j = to;
        while (i <= j) {
            while (x[i] > pivot) i++;
            while (x[j] < pivot) j--;
            if (i > j) break;
            float swap = x[i];
            x[i++] = x[j];
            x[j--] = swap;
        }
        if (want <= j)
            to = j;
        else if (want >= i)
            from = i;
        else
            break;
    }
    return x[want];
}

int64_t select_gather(selection *s, const float *row, int64_t k) {
    if (k >= s->blocks) return select_above(s, row, -INFINITY);
    memcpy(s->order, s->peaks, (size_t)s->blocks * sizeof *s->order);
    return select_above(s, row, kth(s->order, s->blocks, k));
}

/* ---- exponentials ---- */

/* e^x for x <= 0: 2^n e^r with |r| <= ln 2 / 2 and a Taylor polynomial of degree 7 for e^r. */
static inline float exp_of(float x) {
    x = x > -87 ? x : -87;
    int32_t n = (int32_t)(x * 1.44269504f - 0.5f);
    float r = x - (float)n * 0.693359375f + (float)n * 2.12194440e-4f, p = 1.0f / 5040, power;
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1;
    p = p * r + 1;
    int32_t bits = (n + 127) * (1 << 23);
    memcpy(&power, &bits, sizeof power);
    return p * power;
}

static double block_sum(const float *x, float most, float scale) {
    float sum[SELECT_LANES] = {0};
    double total = 0;
    for (int i = 0; i < SELECT_BLOCK; i += SELECT_LANES)
        for (int j = 0; j < SELECT_LANES; j++) sum[j] += exp_of((x[i + j] - most) * scale);
    for (int j = 0; j < SELECT_LANES; j++) total += (double)sum[j];
    return total;
}

static double short_sum(const float *x, int64_t n, float most, float scale) {
    double total = 0;
    for (int64_t i = 0; i < n; i++) total += (double)exp_of((x[i] - most) * scale);
    return total;
}

double select_exp_sum(selection *s, const float *row, float most, float scale) {
    double total = 0;
    for (int64_t b = 0; b < s->blocks; b++) {
        const float *x = row + b * SELECT_BLOCK;
        int64_t n = block_count(s, b);
        s->sums[b] = n == SELECT_BLOCK ? block_sum(x, most, scale) : short_sum(x, n, most, scale);
        total += s->sums[b];
    }
    return total;
}

double select_exp_total(const float *row, int64_t n, float most) {
    double total = 0;
    int64_t at = 0;
    for (; at + SELECT_BLOCK <= n; at += SELECT_BLOCK) total += block_sum(row + at, most, 1);
    return total + short_sum(row + at, n - at, most, 1);
}

/* What is 87 or more below the largest weighs nothing, so -INFINITY may stand there. */
double select_exp_moment(const float *row, int64_t n, float most) {
    double total = 0;
    for (int64_t at = 0; at < n; at += SELECT_BLOCK) {
        float sum[SELECT_LANES] = {0};
        int64_t end = n - at < SELECT_BLOCK ? n - at : SELECT_BLOCK, whole = end & -SELECT_LANES;
        for (int64_t i = 0; i < whole; i += SELECT_LANES)
            for (int j = 0; j < SELECT_LANES; j++) {
                float d = row[at + i + j] - most;
                d = d > -87 ? d : -87;
                sum[j] += exp_of(d) * d;
            }
        for (int64_t i = whole; i < end; i++) {
            float d = row[at + i] - most;
            d = d > -87 ? d : -87;
            sum[0] += exp_of(d) * d;
        }
        for (int j = 0; j < SELECT_LANES; j++) total += (double)sum[j];
    }
    return total;
}

int32_t select_exp_find(const selection *s, const float *row, float most, float scale,
                        double target) {
    int64_t b = 0, last = -1;
    for (; b < s->blocks - 1 && target >= s->sums[b]; b++) target -= s->sums[b];
    for (; b < s->blocks; b++) { /* beyond the first block only where rounding left a rest */
        for (int64_t i = b * SELECT_BLOCK, end = i + block_count(s, b); i < end; i++) {
            if (row[i] == -INFINITY) continue;
            last = i;
            target -= (double)exp_of((row[i] - most) * scale);
            if (target < 0) return (int32_t)i;
        }
    }
    return last >= 0 ? (int32_t)last : select_first(s, row);
}
