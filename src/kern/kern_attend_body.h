/* kern_attend_body.h - the attention kernels over the vectors of kern_vec.h. An ISA file includes
 * it once after defining its register tiles:
 *
 *     SCORE_QUERIES   queries x one page of positions (PAGE_VECS vectors)
 *     VALUE_QUERIES   queries x VALUE_VECS vectors of a head's numbers
 *
 * A segment of a tile goes in three passes: scores (page by page; register tile over queries, lanes
 * are positions), softmax (query by query), weighted sum of values (page by page; lanes are a
 * head's numbers). For many queries a page is converted to float once, in scratch; a few queries
 * (decoding) convert it on the fly and prefetch the next page, since memory is what they wait for.
 * Both give the same bits: the conversions are exact. */
#include "kern/kern_attend.h"
#include "kern/kern_vec.h"

#include <math.h>

enum {
    AHEAD_BYTES = 8192, /* memory answers in the time that a core reads about so much */
    PAGE_VECS = KERN_PAGE / LANES,
    SEGMENT_PAGES = KERN_SEGMENT / KERN_PAGE,
    SCORE_ROW = KERN_SEGMENT + 16, /* off a power of two: rows do not share cache sets */
    DIRECT_QUERIES = SCORE_QUERIES < VALUE_QUERIES ? SCORE_QUERIES : VALUE_QUERIES
};
static const float NOTHING = -1e30f; /* the maximum of no score */
static const float MASKED = -3e38f;  /* a score whose exponential is 0 under any maximum */
static const float LOG2_E = 0x1.715476p0f;

/* What one call works on; positions count from `base`, the first position of page0. */
typedef struct tile {
    const kern_pages *kv;
    int64_t dim, width; /* width: dim rounded up to 16 */
    int32_t queries, group;
    int32_t page0, pages, pages_end; /* of the segment; behind the last that any query sees */
    int32_t ahead;                   /* parts (a page's keys or values) to prefetch ahead */
    int32_t from[KERN_QUERIES_MAX], to[KERN_QUERIES_MAX]; /* seen, of each query */
    float *q;      /* [queries / SCORE_QUERIES][dim][SCORE_QUERIES], scaled */
    float *scores; /* [queries][SCORE_ROW] */
    float *page;   /* one page's keys or values as float */
    float *partial;
    int64_t row; /* of partial */
} tile;

/* ---- numbers of a page ---- */

INLINE size_t number_bytes(kern_kv type) {
    return type == KERN_KV_F32 ? 4 : type == KERN_KV_F16 ? 2 : 1;
}
INLINE vec load_numbers(kern_kv type, const char *p) {
    if (type == KERN_KV_F32) return vec_load((const float *)(const void *)p);
    if (type == KERN_KV_F16) return vec_load_f16((const uint16_t *)(const void *)p);
    return vec_load_i8((const int8_t *)p);
}
static const char *keys_of(const kern_pages *kv, int32_t page) {
    return (const char *)kv->page[page].k + kv->keys_at;
}
static const char *values_of(const kern_pages *kv, int32_t page) {
    return (const char *)kv->page[page].v + kv->values_at;
}
static const float *scales_of(const char *part, int64_t width) {
    return (const float *)(const void *)(part + KERN_PAGE * width);
}

/* n a multiple of 16 */
static void page_to_float(kern_kv type, const char *from, int64_t n, float *to) {
    if (type == KERN_KV_F16)
        for (int64_t i = 0; i < n; i += LANES)
            vec_store(to + i, load_numbers(KERN_KV_F16, from + 2 * i));
    else
        for (int64_t i = 0; i < n; i += LANES)
            vec_store(to + i, load_numbers(KERN_KV_Q8, from + i));
}

/* ---- scores ---- */

/* nq queries x one page. `next`: what to prefetch meanwhile, as many bytes; NULL none */
INLINE void scores_tile(kern_kv type, int nq, const float *q, const char *keys, int64_t dim,
                        const float *scales, const char *next, float *scores) {
    const size_t bytes = number_bytes(type);
    vec s[SCORE_QUERIES][PAGE_VECS];
    for (int i = 0; i < nq; i++)
        for (int v = 0; v < PAGE_VECS; v++) s[i][v] = vec_set(0);
    for (int64_t d = 0; d < dim; d++, keys += bytes * KERN_PAGE, q += SCORE_QUERIES) {
        vec k[PAGE_VECS];
        for (int v = 0; v < PAGE_VECS; v++)
            k[v] = load_numbers(type, keys + bytes * LANES * (size_t)v);
        if (next) {
            __builtin_prefetch(next);
            if (type == KERN_KV_F32) __builtin_prefetch(next + 64);
            next += bytes * KERN_PAGE;
        }
        for (int i = 0; i < nq; i++) {
            vec x = vec_set(q[i]);
            for (int v = 0; v < PAGE_VECS; v++) s[i][v] = vec_fma(x, k[v], s[i][v]);
        }
    }
    for (int v = 0; v < PAGE_VECS; v++) {
        vec scale = scales ? vec_load(scales + v * LANES) : vec_set(1);
        for (int i = 0; i < nq; i++) {
            vec out = scales ? vec_mul(s[i][v], scale) : s[i][v];
            vec_store(scores + i * SCORE_ROW + v * LANES, out);
        }
    }
}

#define SCORES_CASE(n)                                                                             \
    case n:                                                                                        \
        if (n <= SCORE_QUERIES)                                                                    \
            scores_tile(KERN_KV_F32, n < SCORE_QUERIES ? n : SCORE_QUERIES, q, (const char *)keys, \
                        dim, scales, NULL, scores);                                                \
        break;

static void scores_some(int nq, const float *q, const float *keys, int64_t dim, const float *scales,
                        float *scores) {
    switch (nq) {
        SCORES_CASE(1)
        SCORES_CASE(2)
        SCORES_CASE(3)
        SCORES_CASE(4)
        SCORES_CASE(5)
        SCORES_CASE(6)
        SCORES_CASE(7)
        SCORES_CASE(8)
    }
}

#define DIRECT_CASE(name, n, ...)                                    \
    case n:                                                          \
        name(n <= DIRECT_QUERIES ? n : DIRECT_QUERIES, __VA_ARGS__); \
        break;
#define DIRECT(nq, name, ...)             \
    switch (nq) {                         \
        DIRECT_CASE(name, 1, __VA_ARGS__) \
        DIRECT_CASE(name, 2, __VA_ARGS__) \
        DIRECT_CASE(name, 3, __VA_ARGS__) \
        DIRECT_CASE(name, 4, __VA_ARGS__) \
    }
#define SCORES_DIRECT(type, TYPE)                                                        \
    INLINE void scores_##type(int nq, const tile *t, const char *keys, const char *next, \
                              float *scores) {                                           \
        scores_tile(TYPE, nq, t->q, keys, t->dim,                                        \
                    TYPE == KERN_KV_Q8 ? scales_of(keys, t->dim) : NULL, next, scores);  \
    }                                                                                    \
    static void scores_direct_##type(const tile *t, const char *keys, const char *next,  \
                                     float *scores) {                                    \
        DIRECT(t->queries, scores_##type, t, keys, next, scores)                         \
    }
SCORES_DIRECT(f32, KERN_KV_F32)
SCORES_DIRECT(f16, KERN_KV_F16)
SCORES_DIRECT(q8, KERN_KV_Q8)

/* one page, all queries of the tile that see any of it */
static void scores_page(const tile *t, int32_t page) {
    const char *keys = keys_of(t->kv, t->page0 + page);
    kern_kv type = t->kv->type;
    const float *scales = type == KERN_KV_Q8 ? scales_of(keys, t->dim) : NULL;
    const float *numbers = (const float *)(const void *)keys;
    int32_t first = page * KERN_PAGE;
    if (type != KERN_KV_F32) {
        page_to_float(type, keys, t->dim * KERN_PAGE, t->page);
        numbers = t->page;
    }
    for (int32_t i = 0; i < t->queries; i += SCORE_QUERIES) {
        int nq = t->queries - i < SCORE_QUERIES ? t->queries - i : SCORE_QUERIES;
        int32_t from = t->from[i], to = t->to[i];
        for (int j = 1; j < nq; j++) {
            from = t->from[i + j] < from ? t->from[i + j] : from;
            to = t->to[i + j] > to ? t->to[i + j] : to;
        }
        if (from >= first + KERN_PAGE || to <= first) continue;
        scores_some(nq, t->q + i * t->dim, numbers, t->dim, scales,
                    t->scores + i * SCORE_ROW + first);
    }
}

/* What is read `ahead` parts after part `i` of the segment: its pages' keys, then their values,
 * then the next segment's keys; NULL none. */
static const char *part_ahead(const tile *t, int32_t i) {
    i += t->ahead;
    if (i < t->pages) return keys_of(t->kv, t->page0 + i);
    if (i < 2 * t->pages) return values_of(t->kv, t->page0 + i - t->pages);
    int32_t page = t->page0 + i - t->pages;
    return page < t->pages_end ? keys_of(t->kv, page) : NULL;
}

static void scores_page_direct(const tile *t, int32_t page) {
    const kern_pages *kv = t->kv;
    const char *keys = keys_of(kv, t->page0 + page), *next = part_ahead(t, page);
    float *scores = t->scores + page * KERN_PAGE;
    if (kv->type == KERN_KV_F32)
        scores_direct_f32(t, keys, next, scores);
    else if (kv->type == KERN_KV_F16)
        scores_direct_f16(t, keys, next, scores);
    else
        scores_direct_q8(t, keys, next, scores);
}

/* ---- softmax ---- */

/* Query i: scores become weights, 0 where it does not look; maximum and sum go into its partial.
 * Values' scales (Q8) are multiplied into the weights after they are summed. */
static void weights_of(const tile *t, int32_t i) {
    float *s = t->scores + i * SCORE_ROW, *partial = t->partial + i * t->row;
    int from = t->from[i], to = t->to[i], n = t->pages * KERN_PAGE;
    int first = from / LANES * LANES, last = (to + LANES - 1) / LANES * LANES;
    partial[t->width] = NOTHING;
    partial[t->width + 1] = 0;
    if (from >= to) first = last = 0;
    vec most = vec_set(MASKED);
    for (int p = first; p < last; p += LANES) {
        vec x = vec_load(s + p);
        if (p < from || p + LANES > to) {
            x = vec_lanes(x, from - p, to - p, vec_set(MASKED));
            vec_store(s + p, x);
        }
        most = vec_max(most, x);
    }
    float top = vec_max_lanes(most);
    vec top_all = vec_set(top), sum = vec_set(0);
    for (int p = 0; p < first; p += LANES) vec_store(s + p, vec_set(0));
    for (int p = first; p < last; p += LANES) {
        vec w = vec_exp2(vec_sub(vec_load(s + p), top_all));
        sum = vec_add(sum, w);
        vec_store(s + p, w);
    }
    for (int p = last; p < n; p += LANES) vec_store(s + p, vec_set(0));
    if (from >= to) return;
    partial[t->width] = top;
    partial[t->width + 1] = vec_add_lanes(sum);
    if (t->kv->type != KERN_KV_Q8) return;
    for (int p = first; p < last; p += LANES) {
        const float *scales = scales_of(values_of(t->kv, t->page0 + p / KERN_PAGE), t->width);
        vec scale = vec_load(scales + p % KERN_PAGE);
        vec w = vec_mul(vec_load(s + p), scale);
        /* a scale never written may be anything */
        if (p < from || p + LANES > to) w = vec_lanes(w, from - p, to - p, vec_set(0));
        vec_store(s + p, w);
    }
}

/* ---- values ---- */

/* out[nq][nv vectors] += weights x values, positions [from, to) of a page in order */
INLINE void values_tile(kern_kv type, int nq, int nv, const float *w, const char *values,
                        size_t row_bytes, int from, int to, const char *next, float *out,
                        int64_t out_row) {
    const size_t bytes = number_bytes(type);
    vec s[VALUE_QUERIES][VALUE_VECS];
    for (int i = 0; i < nq; i++)
        for (int v = 0; v < nv; v++) s[i][v] = vec_load(out + i * out_row + v * LANES);
    values += row_bytes * (size_t)from;
    if (next) next += row_bytes * (size_t)from;
    for (int p = from; p < to; p++, values += row_bytes) {
        vec x[VALUE_VECS];
        for (int v = 0; v < nv; v++) x[v] = load_numbers(type, values + bytes * LANES * (size_t)v);
        if (next) {
            for (size_t b = 0; b < bytes * LANES * (size_t)nv; b += 64)
                __builtin_prefetch(next + b);
            next += row_bytes;
        }
        for (int i = 0; i < nq; i++) {
            vec weight = vec_set(w[i * SCORE_ROW + p]);
            for (int v = 0; v < nv; v++) s[i][v] = vec_fma(weight, x[v], s[i][v]);
        }
    }
    for (int i = 0; i < nq; i++)
        for (int v = 0; v < nv; v++) vec_store(out + i * out_row + v * LANES, s[i][v]);
}

typedef struct value_range {
    const float *w;
    const char *values, *next;
    int from, to; /* positions of the page */
    float *out;
} value_range;

/* all vectors of a head for nq queries */
INLINE void values_wide(kern_kv type, int nq, const tile *t, const value_range *r) {
    const size_t bytes = number_bytes(type), row_bytes = bytes * (size_t)t->width;
    int64_t d = 0;
    for (; d + VALUE_VECS * LANES <= t->width; d += VALUE_VECS * LANES)
        values_tile(type, nq, VALUE_VECS, r->w, r->values + bytes * (size_t)d, row_bytes, r->from,
                    r->to, r->next ? r->next + bytes * (size_t)d : NULL, r->out + d, t->row);
    for (; d + 2 * LANES <= t->width; d += 2 * LANES)
        values_tile(type, nq, 2, r->w, r->values + bytes * (size_t)d, row_bytes, r->from, r->to,
                    r->next ? r->next + bytes * (size_t)d : NULL, r->out + d, t->row);
    for (; d < t->width; d += LANES)
        values_tile(type, nq, 1, r->w, r->values + bytes * (size_t)d, row_bytes, r->from, r->to,
                    r->next ? r->next + bytes * (size_t)d : NULL, r->out + d, t->row);
}

#define VALUES_DIRECT(type, TYPE)                                                   \
    INLINE void values_##type(int nq, const tile *t, const value_range *r) {        \
        values_wide(TYPE, nq, t, r);                                                \
    }                                                                               \
    static void values_direct_##type(int nq, const tile *t, const value_range *r) { \
        DIRECT(nq, values_##type, t, r)                                             \
    }
VALUES_DIRECT(f32, KERN_KV_F32)
VALUES_DIRECT(f16, KERN_KV_F16)
VALUES_DIRECT(q8, KERN_KV_Q8)

/* Some queries x one page; positions that none of them sees are left out. */
static void values_some(const tile *t, int32_t i, int nq, int32_t page, const char *values,
                        const char *next, kern_kv type) {
    int32_t first = page * KERN_PAGE, from = t->from[i], to = t->to[i];
    for (int j = 1; j < nq; j++) {
        from = t->from[i + j] < from ? t->from[i + j] : from;
        to = t->to[i + j] > to ? t->to[i + j] : to;
    }
    value_range r = {.w = t->scores + i * SCORE_ROW + first,
                     .values = values,
                     .next = next,
                     .from = from > first ? from - first : 0,
                     .to = to < first + KERN_PAGE ? to - first : KERN_PAGE,
                     .out = t->partial + i * t->row};
    if (r.from >= r.to) return;
    if (type == KERN_KV_F32)
        values_direct_f32(nq, t, &r);
    else if (type == KERN_KV_F16)
        values_direct_f16(nq, t, &r);
    else
        values_direct_q8(nq, t, &r);
}

static void values_page(const tile *t, int32_t page) {
    const char *values = values_of(t->kv, t->page0 + page);
    if (t->kv->type != KERN_KV_F32) {
        page_to_float(t->kv->type, values, t->width * KERN_PAGE, t->page);
        values = (const char *)t->page;
    }
    for (int32_t i = 0; i < t->queries; i += DIRECT_QUERIES) {
        int nq = t->queries - i < DIRECT_QUERIES ? t->queries - i : DIRECT_QUERIES;
        values_some(t, i, nq, page, values, NULL, KERN_KV_F32);
    }
}

/* ---- a segment ---- */

static void tile_ranges(tile *t, const kern_queries *q, int32_t segment) {
    int32_t begin = segment * KERN_SEGMENT, end = begin + KERN_SEGMENT;
    int32_t least = end, most = begin;
    for (int32_t i = 0; i < q->tokens; i++) {
        int32_t from = q->from[i] > begin ? q->from[i] : begin;
        int32_t to = q->to[i] < end ? q->to[i] : end;
        if (from >= to) continue;
        least = from < least ? from : least;
        most = to > most ? to : most;
    }
    int32_t last = 0;
    for (int32_t i = 0; i < q->tokens; i++) last = q->to[i] > last ? q->to[i] : last;
    t->pages_end = (last + KERN_PAGE - 1) / KERN_PAGE;
    t->page0 = least / KERN_PAGE;
    t->pages = least < most ? (most + KERN_PAGE - 1) / KERN_PAGE - t->page0 : 0;
    int32_t base = t->page0 * KERN_PAGE;
    for (int32_t i = 0; i < t->queries; i++) {
        int32_t from = q->from[i / t->group], to = q->to[i / t->group];
        from = from > begin ? from : begin;
        to = to < end ? to : end;
        t->from[i] = from < to ? from - base : 0;
        t->to[i] = from < to ? to - base : 0;
    }
}

static void segment_run(tile *t, const kern_queries *q, int32_t segment) {
    tile_ranges(t, q, segment);
    bool direct = t->queries <= DIRECT_QUERIES;
    for (int32_t p = 0; p < t->pages; p++) {
        if (direct)
            scores_page_direct(t, p);
        else
            scores_page(t, p);
    }
    for (int32_t i = 0; i < t->queries; i++) {
        weights_of(t, i);
        for (int64_t d = 0; d < t->width; d += LANES)
            vec_store(t->partial + i * t->row + d, vec_set(0));
    }
    for (int32_t p = 0; p < t->pages; p++) {
        if (!direct) {
            values_page(t, p);
            continue;
        }
        int32_t page = t->page0 + p;
        values_some(t, 0, t->queries, p, values_of(t->kv, page), part_ahead(t, t->pages + p),
                    t->kv->type);
    }
}

/* Numbers [d, d + LANES) of up to LANES queries from query i on, turned so that a vector has one
 * number of each: [LANES]. */
INLINE void queries_turn(const tile *t, const kern_queries *q, int32_t i, int64_t d, vec v[LANES]) {
    int left = (int)(t->dim - d);
    vec scale = vec_set(q->scale * LOG2_E);
    for (int j = 0; j < LANES; j++, i++) {
        const float *from = q->q + i / t->group * q->q_stride + i % t->group * t->dim + d;
        v[j] = i < t->queries ? vec_mul(vec_load_first(from, left), scale) : vec_set(0);
    }
    vec_transpose(v);
}

/* Queries by SCORE_QUERIES, so that one number of each lies side by side. */
static void queries_pack(tile *t, const kern_queries *q) {
    enum { GROUPS = LANES / SCORE_QUERIES }; /* of a vector */
    for (int32_t i = 0; i < t->queries; i += GROUPS * SCORE_QUERIES)
        for (int64_t d = 0; d < t->dim; d += LANES) {
            vec v[LANES];
            float turned[LANES][LANES];
            queries_turn(t, q, i, d, v);
            for (int k = 0; k < LANES; k++) vec_store(turned[k], v[k]);
            int64_t numbers = t->dim - d < LANES ? t->dim - d : LANES;
            for (int g = 0; g < GROUPS; g++) {
                float *to = t->q + (i + g * SCORE_QUERIES) * t->dim + d * SCORE_QUERIES;
                for (int64_t k = 0; k < numbers; k++)
                    memcpy(to + k * SCORE_QUERIES, turned[k] + g * SCORE_QUERIES,
                           sizeof(float[SCORE_QUERIES]));
            }
        }
}

static void tile_begin(tile *t, const kern_pages *kv, const kern_queries *q, float *scratch) {
    int64_t width = (kv->dim + 15) / 16 * 16;
    t->kv = kv;
    t->dim = kv->dim;
    t->width = width;
    t->queries = q->tokens * q->group;
    t->group = q->group;
    t->row = kern_partial_row(kv->dim);
    t->ahead = 1 + AHEAD_BYTES / (int32_t)(KERN_PAGE * width * (int64_t)number_bytes(kv->type) + 1);
    t->scores = scratch;
    t->page = t->scores + KERN_QUERIES_MAX * SCORE_ROW;
    t->q = t->page + KERN_PAGE * width;
    t->partial = t->q + (KERN_QUERIES_MAX + 16) * width; /* the last group of queries is whole */
    queries_pack(t, q);
}

/* ---- segments together ---- */

/* total = total and then part, of one query */
static void merge_row(float *total, const float *part, int64_t width) {
    float most = total[width] > part[width] ? total[width] : part[width], both[LANES] = {0};
    both[0] = total[width] - most;
    both[1] = part[width] - most;
    vec_store(both, vec_exp2(vec_load(both)));
    vec a = vec_set(both[0]), b = vec_set(both[1]);
    for (int64_t d = 0; d < width; d += LANES)
        vec_store(total + d, vec_fma(vec_load(total + d), a, vec_mul(vec_load(part + d), b)));
    total[width] = most;
    total[width + 1] = fmaf(total[width + 1], both[0], part[width + 1] * both[1]);
}

static void total_begin(float *total, int64_t row, int64_t width, int32_t queries) {
    memset(total, 0, (size_t)(row * queries) * sizeof *total);
    for (int32_t i = 0; i < queries; i++) total[i * row + width] = NOTHING;
}

static void total_out(const kern_queries *q, const float *total, int64_t dim, int64_t row) {
    int64_t width = (dim + 15) / 16 * 16;
    for (int32_t i = 0; i < q->tokens * q->group; i++, total += row) {
        float *out = q->out + i / q->group * q->out_stride + i % q->group * dim;
        float inverse = total[width + 1] > 0 ? 1 / total[width + 1] : total[width + 1];
        int64_t d = 0;
        for (; d + LANES <= dim; d += LANES)
            vec_store(out + d, vec_mul(vec_load(total + d), vec_set(inverse)));
        for (; d < dim; d++) out[d] = total[d] * inverse;
    }
}

static void attend_merge(const kern_queries *q, int64_t dim, int32_t segments, float *partials) {
    int64_t row = kern_partial_row(dim), width = (dim + 15) / 16 * 16;
    int32_t queries = q->tokens * q->group;
    for (int32_t i = 0; i < queries; i++) {
        float *total = partials + i * row;
        for (int64_t d = 0; d < width; d += LANES) /* what joining an empty total does: no -0 */
            vec_store(total + d, vec_add(vec_load(total + d), vec_set(0)));
        for (int32_t s = 1; s < segments; s++)
            merge_row(total, partials + (s * queries + i) * row, width);
    }
    total_out(q, partials, dim, row);
}

static void attend(const kern_pages *kv, const kern_queries *q, float *scratch) {
    tile t;
    tile_begin(&t, kv, q, scratch);
    float *total = t.partial + KERN_QUERIES_MAX * t.row;
    int32_t from = INT32_MAX, to = 0;
    for (int32_t i = 0; i < q->tokens; i++) {
        from = q->from[i] < from ? q->from[i] : from;
        to = q->to[i] > to ? q->to[i] : to;
    }
    int32_t first = from / KERN_SEGMENT, last = (to - 1) / KERN_SEGMENT;
    if (first == last) { /* a total of one segment */
        segment_run(&t, q, first);
        attend_merge(q, t.dim, 1, t.partial);
        return;
    }
    total_begin(total, t.row, t.width, t.queries);
    for (int32_t s = first; s <= last; s++) {
        segment_run(&t, q, s);
        for (int32_t i = 0; i < t.queries; i++)
            merge_row(total + i * t.row, t.partial + i * t.row, t.width);
    }
    total_out(q, total, t.dim, t.row);
}

static void attend_segment(const kern_pages *kv, const kern_queries *q, int32_t segment,
                           float *scratch, float *partial) {
    tile t;
    tile_begin(&t, kv, q, scratch);
    t.partial = partial;
    segment_run(&t, q, segment);
}

/* ---- rows into pages ---- */

/* Numbers [d, d + LANES) of up to LANES positions' keys, turned so that a vector is one number. */
static void keep_keys(const float *k, int64_t stride, int n, int64_t numbers, float *keys) {
    vec v[LANES];
    for (int i = 0; i < LANES; i++)
        v[i] = i < n ? vec_load_first(k + i * stride, (int)numbers) : vec_set(0);
    vec_transpose(v);
    for (int64_t d = 0; d < LANES && d < numbers; d++)
        vec_store_first(keys + d * KERN_PAGE, v[d], n);
}

static void keep_f32(int64_t dim, const float *k, const float *v, int64_t stride, int32_t n,
                     int32_t slot, float *keys, float *values) {
    int64_t width = (dim + 15) / 16 * 16;
    for (int32_t i = 0; i < n; i += LANES)
        for (int64_t d = 0; d < dim; d += LANES)
            keep_keys(k + i * stride + d, stride, n - i, dim - d, keys + d * KERN_PAGE + slot + i);
    values += slot * width;
    for (int32_t i = 0; i < n; i++, v += stride)
        for (int64_t d = 0; d < width; d += LANES, values += LANES)
            vec_store(values, d < dim ? vec_load_first(v + d, (int)(dim - d)) : vec_set(0));
}

/* x [dim] and zeroes up to width as halves, saturated */
static void halves_of(const float *x, int64_t dim, int64_t width, uint16_t *out) {
    float last[16] = {0};
    const vec most = vec_set(65504);
    for (int64_t d = 0; d < width; d += LANES) {
        const float *from = x + d;
        if (d + LANES > dim) {
            memset(last, 0, sizeof last);
            if (d < dim) memcpy(last, from, (size_t)(dim - d) * sizeof *x);
            from = last;
        }
        vec y = vec_load(from);
        /* limits first: a number that is none stays none */
        vec_store_f16(out + d, vec_max(vec_sub(vec_set(0), most), vec_min(most, y)));
    }
}

static void keep_f16(int64_t dim, const float *k, const float *v, int32_t slot, uint16_t *keys,
                     uint16_t *values) {
    int64_t width = (dim + 15) / 16 * 16;
    uint16_t half[KERN_HEAD_MAX];
    halves_of(k, dim, width, half);
    for (int64_t d = 0; d < dim; d++) keys[d * KERN_PAGE + slot] = half[d];
    halves_of(v, dim, width, values + slot * width);
}

/* x [dim] and zeroes up to width as int8; returns the scale: x ~ scale * out */
static float bytes_of(const float *x, int64_t dim, int64_t width, int8_t *out) {
    vec most = vec_set(0);
    float whole[KERN_HEAD_MAX];
    memcpy(whole, x, (size_t)dim * sizeof *x);
    memset(whole + dim, 0, (size_t)(width - dim) * sizeof *x);
    for (int64_t d = 0; d < width; d += LANES) most = vec_max(most, vec_abs(vec_load(whole + d)));
    float top = vec_max_lanes(most);
    vec inverse = vec_set(top > 0 ? 127 / top : 0);
    for (int64_t d = 0; d < width; d += LANES)
        vec_store_i8(out + d, vec_mul(vec_load(whole + d), inverse));
    return top / 127;
}

static void keep_q8(int64_t dim, const float *k, const float *v, int32_t slot, int8_t *keys,
                    int8_t *values) {
    int64_t width = (dim + 15) / 16 * 16;
    int8_t byte[KERN_HEAD_MAX];
    float *key_scales = (float *)(void *)(keys + KERN_PAGE * dim);
    float *value_scales = (float *)(void *)(values + KERN_PAGE * width);
    key_scales[slot] = bytes_of(k, dim, width, byte);
    for (int64_t d = 0; d < dim; d++) keys[d * KERN_PAGE + slot] = byte[d];
    value_scales[slot] = bytes_of(v, dim, width, values + slot * width);
}

static void attend_keep(kern_kv type, int64_t dim, const float *k, const float *v, int64_t stride,
                        int32_t n, int32_t slot, void *keys, void *values) {
    if (type == KERN_KV_F32) keep_f32(dim, k, v, stride, n, slot, keys, values);
    for (int32_t i = 0; type != KERN_KV_F32 && i < n; i++, k += stride, v += stride) {
        if (type == KERN_KV_F16)
            keep_f16(dim, k, v, slot + i, keys, values);
        else
            keep_q8(dim, k, v, slot + i, keys, values);
    }
}

#define ATTEND_TABLE \
    { .attend = attend, .segment = attend_segment, .merge = attend_merge, .keep = attend_keep }
