/* kern_attend_ref.c - attention as its definition says, for any machine, and the sizes that all
 * instruction sets share. What the vector files are compared with. */
#include "kern/kern_attend.h"

#include "kern/kern.h"

#include <math.h>
#include <string.h>

static const float NOTHING = -1e30f; /* the maximum of no score */

static int64_t width_of(int64_t dim) {
    return (dim + 15) / 16 * 16;
}
static size_t part_bytes(kern_kv type, int64_t numbers) {
    size_t n = KERN_PAGE * (size_t)numbers;
    size_t bytes = type == KERN_KV_F32   ? n * sizeof(float)
                   : type == KERN_KV_F16 ? n * sizeof(uint16_t)
                                         : n + KERN_PAGE * sizeof(float);
    return (bytes + 63) / 64 * 64;
}
size_t kern_keys_bytes(kern_kv type, int64_t dim) {
    return part_bytes(type, dim);
}
size_t kern_values_bytes(kern_kv type, int64_t dim) {
    return part_bytes(type, width_of(dim));
}

int64_t kern_partial_row(int64_t dim) {
    return width_of(dim) + 16;
}

/* scores, a page, queries, and two partials of a whole tile (kern_attend_body.h lays them out) */
int64_t kern_attend_scratch(int64_t dim) {
    int64_t scores = KERN_QUERIES_MAX * (KERN_SEGMENT + 16);
    return scores + (KERN_PAGE + KERN_QUERIES_MAX + 16) * width_of(dim) +
           2 * KERN_QUERIES_MAX * kern_partial_row(dim);
}

/* number i of a page part; `numbers` per position tell where Q8's scales lie */
static float number(kern_kv type, const char *part, int64_t i, int64_t slot, int64_t numbers) {
    if (type == KERN_KV_F32) return ((const float *)(const void *)part)[i];
    if (type == KERN_KV_F16) return kern_f16_to_f32(((const uint16_t *)(const void *)part)[i]);
    const float *scales = (const float *)(const void *)(part + KERN_PAGE * numbers);
    return scales[slot] * (float)((const int8_t *)part)[i];
}

static float score(const kern_pages *kv, const float *q, int32_t position, float scale) {
    const char *keys = (const char *)kv->page[position / KERN_PAGE].k + kv->keys_at;
    int64_t slot = position % KERN_PAGE;
    float sum = 0;
    for (int64_t d = 0; d < kv->dim; d++)
        sum += q[d] * number(kv->type, keys, d * KERN_PAGE + slot, slot, kv->dim);
    return sum * scale;
}

static void add_value(const kern_pages *kv, int32_t position, float weight, float *sum) {
    const char *values = (const char *)kv->page[position / KERN_PAGE].v + kv->values_at;
    int64_t slot = position % KERN_PAGE, width = width_of(kv->dim);
    for (int64_t d = 0; d < kv->dim; d++)
        sum[d] += weight * number(kv->type, values, slot * width + d, slot, width);
}

static void segment_query(const kern_pages *kv, const float *q, float scale, int32_t from,
                          int32_t to, float *scores, float *partial) {
    int64_t width = width_of(kv->dim);
    float most = NOTHING, total = 0;
    memset(partial, 0, (size_t)width * sizeof *partial);
    for (int32_t p = from; p < to; p++) {
        scores[p - from] = score(kv, q, p, scale);
        most = p == from || scores[p - from] > most ? scores[p - from] : most;
    }
    for (int32_t p = from; p < to; p++) {
        float weight = expf(scores[p - from] - most);
        total += weight;
        add_value(kv, p, weight, partial);
    }
    partial[width] = most;
    partial[width + 1] = total;
}

static void attend_segment(const kern_pages *kv, const kern_queries *q, int32_t segment,
                           float *scratch, float *partial) {
    int32_t begin = segment * KERN_SEGMENT, end = begin + KERN_SEGMENT;
    for (int32_t i = 0; i < q->tokens * q->group; i++) {
        int32_t t = i / q->group, h = i % q->group;
        int32_t from = q->from[t] > begin ? q->from[t] : begin;
        int32_t to = q->to[t] < end ? q->to[t] : end;
        segment_query(kv, q->q + t * q->q_stride + h * kv->dim, q->scale, from, to, scratch,
                      partial + i * kern_partial_row(kv->dim));
    }
}

static void merge_row(float *total, const float *part, int64_t width) {
    float most = fmaxf(total[width], part[width]);
    float a = expf(total[width] - most), b = expf(part[width] - most);
    for (int64_t d = 0; d < width; d++) total[d] = total[d] * a + part[d] * b;
    total[width] = most;
    total[width + 1] = total[width + 1] * a + part[width + 1] * b;
}

static void total_out(const kern_queries *q, const float *total, int64_t dim) {
    for (int32_t i = 0; i < q->tokens * q->group; i++, total += kern_partial_row(dim)) {
        float *out = q->out + i / q->group * q->out_stride + i % q->group * dim;
        float sum = total[width_of(dim) + 1];
        for (int64_t d = 0; d < dim; d++) out[d] = sum == 0 ? 0 : total[d] / sum;
    }
}

static void attend(const kern_pages *kv, const kern_queries *q, float *scratch) {
    int64_t row = kern_partial_row(kv->dim), width = width_of(kv->dim);
    int32_t queries = q->tokens * q->group, from = INT32_MAX, to = 0;
    float *partial = scratch + KERN_SEGMENT, *total = partial + KERN_QUERIES_MAX * row;
    memset(total, 0, (size_t)(queries * row) * sizeof *total);
    for (int32_t i = 0; i < queries; i++) total[i * row + width] = NOTHING;
    for (int32_t t = 0; t < q->tokens; t++) {
        from = q->from[t] < from ? q->from[t] : from;
        to = q->to[t] > to ? q->to[t] : to;
    }
    for (int32_t s = from / KERN_SEGMENT; s * KERN_SEGMENT < to; s++) {
        attend_segment(kv, q, s, scratch, partial);
        for (int32_t i = 0; i < queries; i++) merge_row(total + i * row, partial + i * row, width);
    }
    total_out(q, total, kv->dim);
}

static void attend_merge(const kern_queries *q, int64_t dim, int32_t segments, float *partials) {
    int64_t row = kern_partial_row(dim), width = width_of(dim);
    int32_t queries = q->tokens * q->group;
    for (int32_t i = 0; i < queries; i++)
        for (int32_t s = 1; s < segments; s++)
            merge_row(partials + i * row, partials + (s * queries + i) * row, width);
    total_out(q, partials, dim);
}

/* ---- rows into pages ---- */

static float scale_of(const float *x, int64_t n) {
    float most = 0;
    for (int64_t i = 0; i < n; i++) most = fmaxf(most, fabsf(x[i]));
    return most / 127;
}

static void put(kern_kv type, void *part, int64_t i, float x, float scale) {
    float limited = x > 65504 ? 65504 : x < -65504 ? -65504 : x; /* not a number stays one */
    if (type == KERN_KV_F32)
        ((float *)part)[i] = x;
    else if (type == KERN_KV_F16)
        ((uint16_t *)part)[i] = kern_f32_to_f16(limited);
    else
        ((int8_t *)part)[i] = (int8_t)lrintf(scale > 0 ? x / scale : 0);
}

static void keep_row(kern_kv type, int64_t dim, const float *k, const float *v, int32_t slot,
                     void *keys, void *values) {
    int64_t width = width_of(dim);
    float key_scale = 0, value_scale = 0;
    if (type == KERN_KV_Q8) {
        key_scale = scale_of(k, dim);
        value_scale = scale_of(v, dim);
        ((float *)(void *)((char *)keys + KERN_PAGE * dim))[slot] = key_scale;
        ((float *)(void *)((char *)values + KERN_PAGE * width))[slot] = value_scale;
    }
    for (int64_t d = 0; d < dim; d++) put(type, keys, d * KERN_PAGE + slot, k[d], key_scale);
    for (int64_t d = 0; d < width; d++)
        put(type, values, slot * width + d, d < dim ? v[d] : 0, value_scale);
}

static void attend_keep(kern_kv type, int64_t dim, const float *k, const float *v, int64_t stride,
                        int32_t n, int32_t slot, void *keys, void *values) {
    for (int32_t i = 0; i < n; i++)
        keep_row(type, dim, k + i * stride, v + i * stride, slot + i, keys, values);
}

const kern_attend_table kern_attend_ref = {
    .attend = attend, .segment = attend_segment, .merge = attend_merge, .keep = attend_keep};
