/* t_kern_attend.c - tests the attention kernels of each instruction set that runs here against the
 * definition in double over what the pages hold, and that a query's bits depend on nothing beside
 * it: not on the tile, the chunking, the segments, nor on what masked positions hold.
 * Tolerance: 2e-6 of the largest value (float sums over up to 700 positions). */
#include "base/mem.h"
#include "base/rand.h"
#include "kern/kern.h"
#include "test.h"

#include <math.h>

enum { POSITIONS = 700, PAGES = (POSITIONS + KERN_PAGE - 1) / KERN_PAGE, DIM_MAX = 256, HEADS = 2 };

static const kern_attend_table *table;
static rand_stream rs = {.seed = 11};
static int32_t length = POSITIONS; /* of the sequence: less where a shape is slow */

/* One sequence: rows of k and v as they were, and in pages of HEADS kv heads. */
typedef struct rig {
    kern_kv type;
    int64_t dim;
    int32_t group;
    float *k, *v; /* [POSITIONS, HEADS, dim] */
    float *q;     /* [POSITIONS, group, dim] */
    float *out, *other;
    char *memory;
    kern_page page[PAGES];
    float *scratch, *partials;
} rig;

static float *floats(int64_t n) {
    float *p = mem_alloc_aligned((size_t)n * sizeof *p);
    assert_non_null(p);
    for (int64_t i = 0; i < n; i++) p[i] = (float)(rand_next_unit(&rs) * 2 - 1);
    return p;
}

static kern_pages head_of(const rig *r, int64_t head) {
    return (kern_pages){.page = r->page,
                        .keys_at = (size_t)head * kern_keys_bytes(r->type, r->dim),
                        .values_at = (size_t)head * kern_values_bytes(r->type, r->dim),
                        .type = r->type,
                        .dim = r->dim};
}

static void keep_rows(rig *r, int32_t from, int32_t to) {
    for (int32_t p = from, n; p < to; p += n) {
        n = KERN_PAGE - p % KERN_PAGE < to - p ? KERN_PAGE - p % KERN_PAGE : to - p;
        for (int64_t h = 0; h < HEADS; h++) {
            kern_pages kv = head_of(r, h);
            int64_t at = (p * HEADS + h) * r->dim;
            table->keep(r->type, r->dim, r->k + at, r->v + at, HEADS * r->dim, n, p % KERN_PAGE,
                        (char *)r->page[p / KERN_PAGE].k + kv.keys_at,
                        (char *)r->page[p / KERN_PAGE].v + kv.values_at);
        }
    }
}

static rig rig_open(kern_kv type, int64_t dim, int32_t group) {
    rig r = {.type = type, .dim = dim, .group = group};
    size_t part = HEADS * kern_values_bytes(type, dim);
    r.k = floats(POSITIONS * HEADS * dim);
    r.v = floats(POSITIONS * HEADS * dim);
    r.q = floats(POSITIONS * group * dim);
    r.out = floats(POSITIONS * group * dim);
    r.other = floats(POSITIONS * group * dim);
    r.memory = mem_alloc_aligned(2 * PAGES * part);
    assert_non_null(r.memory);
    memset(r.memory, 0x7b, 2 * PAGES * part); /* finite rubbish where nothing is written yet */
    for (size_t p = 0; p < PAGES; p++)
        r.page[p] = (kern_page){r.memory + 2 * p * part, r.memory + (2 * p + 1) * part};
    r.scratch = floats(kern_attend_scratch(dim));
    r.partials = floats((POSITIONS / KERN_SEGMENT + 1) * KERN_QUERIES_MAX * kern_partial_row(dim));
    return r;
}

static void rig_close(rig *r) {
    void *all[] = {r->k, r->v, r->q, r->out, r->other, r->memory, r->scratch, r->partials};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) mem_free(all[i]);
}

/* tokens [first, first + n) of head 1; token t sees the last `window` positions of [0, t + ahead]
 */
typedef struct view {
    int32_t window, ahead;
} view;

static void range(view w, int32_t t, int32_t *from, int32_t *to) {
    *to = t + 1 + w.ahead < length ? t + 1 + w.ahead : length;
    *from = w.window && t + 1 > w.window ? t + 1 - w.window : 0;
}

static kern_queries queries_of(const rig *r, int32_t first, int32_t n, view w, int32_t *ranges,
                               float *out) {
    int64_t width = r->group * r->dim;
    for (int32_t i = 0; i < n; i++) range(w, first + i, &ranges[i], &ranges[KERN_QUERIES_MAX + i]);
    return (kern_queries){.q = r->q + first * width,
                          .out = out + first * width,
                          .q_stride = width,
                          .out_stride = width,
                          .tokens = n,
                          .group = r->group,
                          .from = ranges,
                          .to = ranges + KERN_QUERIES_MAX,
                          .scale = 1 / sqrtf((float)r->dim)};
}

static void attend_tokens(const rig *r, int32_t first, int32_t n, view w, float *out) {
    int32_t ranges[2 * KERN_QUERIES_MAX];
    kern_queries q = queries_of(r, first, n, w, ranges, out);
    kern_pages kv = head_of(r, 1);
    table->attend(&kv, &q, r->scratch);
}

static void attend_all(const rig *r, int32_t step, view w, float *out) {
    for (int32_t t = 0; t < length; t += step)
        attend_tokens(r, t, length - t < step ? length - t : step, w, out);
}

/* what the page holds of x, by the format's definition */
static double held(kern_kv type, const float *x, int64_t d, int64_t dim) {
    if (type == KERN_KV_F32) return (double)x[d];
    if (type == KERN_KV_F16) return (double)kern_f16_to_f32(kern_f32_to_f16(x[d]));
    double most = 0;
    for (int64_t i = 0; i < dim; i++) most = fmax(most, fabs((double)x[i]));
    return rint((double)x[d] * 127 / most) * most / 127;
}

/* [n, HEADS, dim] as the pages hold it */
static double *held_all(const rig *r, const float *x) {
    double *out = mem_alloc_aligned(sizeof *out * (size_t)(length * HEADS * r->dim));
    assert_non_null(out);
    for (int64_t row = 0; row < length * HEADS; row++)
        for (int64_t d = 0; d < r->dim; d++)
            out[row * r->dim + d] = held(r->type, x + row * r->dim, d, r->dim);
    return out;
}

static void check_query(const rig *r, const double *ks, const double *vs, int32_t t, int32_t h,
                        view w) {
    double weight[POSITIONS], total = 0;
    const float *q = r->q + (t * r->group + h) * r->dim;
    const float *out = r->out + (t * r->group + h) * r->dim;
    int32_t from, to;
    range(w, t, &from, &to);
    for (int32_t p = from; p < to; p++) {
        double dot = 0;
        const double *k = ks + (p * HEADS + 1) * r->dim;
        for (int64_t d = 0; d < r->dim; d++) dot += (double)q[d] * k[d];
        total += weight[p] = exp(dot / sqrt((double)r->dim));
    }
    for (int64_t d = 0; d < r->dim; d++) {
        double sum = 0;
        for (int32_t p = from; p < to; p++)
            sum += weight[p] / total * vs[(p * HEADS + 1) * r->dim + d];
        /* Q8 may round a tie the other way: one step of 1/127, in one of the positions seen */
        double tolerance = r->type == KERN_KV_Q8 ? 1e-4 + 8e-3 / (to - from) : 2e-6;
        if (!(fabs((double)out[d] - sum) <= tolerance))
            fail_msg("type %d dim %lld: token %d head %d number %lld is %.9g, not %.9g", r->type,
                     (long long)r->dim, t, h, (long long)d, (double)out[d], sum);
    }
}

static void check_shape(kern_kv type, int64_t dim, int32_t group, view w) {
    rig r = rig_open(type, dim, group);
    int32_t most = KERN_QUERIES_MAX / group;
    size_t bytes = sizeof(float) * (size_t)(length * group * dim);
    keep_rows(&r, 0, length);
    attend_all(&r, most, w, r.out);
    double *k = held_all(&r, r.k), *v = held_all(&r, r.v);
    for (int32_t t = 0; t < length; t += 83)
        for (int32_t h = 0; h < group; h += 2) check_query(&r, k, v, t, h, w);
    check_query(&r, k, v, length - 1, 0, w);
    mem_free(k);
    mem_free(v);
    static const int32_t steps[] = {1, 7};
    for (size_t i = 0; i < 2; i++) {
        memset(r.other, 0, bytes);
        attend_all(&r, steps[i] < most ? steps[i] : most, w, r.other);
        assert_memory_equal(r.out, r.other, bytes);
    }
    rig_close(&r);
}

static void queries_see_what_they_should(void **state) {
    (void)state;
    static const struct {
        int64_t dim;
        int32_t group;
    } shapes[] = {{64, 3}, {32, 1}, {80, 4}, {128, 8}, {256, 4}, {10, 2}, {16, 1}, {96, 5}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (kern_kv type = 0; type < KERN_KV_TYPES; type++) {
            length = table == &kern_attend_ref  ? 100
                     : i || type != KERN_KV_F16 ? 300
                                                : POSITIONS; /* a segment boundary at 256 */
            check_shape(type, shapes[i].dim, shapes[i].group, (view){0});
        }
    length = POSITIONS;
}

static void windows_hide_the_rest(void **state) {
    (void)state;
    static const view views[] = {{40, 0}, {1, 0}, {300, 0}, {20, 19}, {0, POSITIONS}};
    length = table == &kern_attend_ref ? 300 : 600;
    for (size_t i = 0; i < sizeof views / sizeof *views; i++) {
        check_shape(KERN_KV_F32, 32, 1, views[i]);
        check_shape(KERN_KV_F16, 64, 3, views[i]);
    }
    length = POSITIONS;
}

/* While a prompt grows, nothing that later positions leave in the pages reaches earlier queries. */
static void growing_changes_nothing(void **state) {
    (void)state;
    for (kern_kv type = 0; type < KERN_KV_TYPES; type++) {
        rig r = rig_open(type, 64, 3);
        for (int32_t t = 0; t < 100; t++) {
            keep_rows(&r, t, t + 1);
            attend_tokens(&r, t, 1, (view){0}, r.out);
        }
        keep_rows(&r, 100, POSITIONS);
        for (int32_t t = 0; t < 100; t += 20) attend_tokens(&r, t, 20, (view){0}, r.other);
        assert_memory_equal(r.out, r.other, sizeof(float) * 100 * 3 * 64);
        rig_close(&r);
    }
}

static void segments_merge_to_the_same(void **state) {
    (void)state;
    static const view views[] = {{0}, {300, 0}};
    for (size_t i = 0; i < 2; i++)
        for (int32_t n = 1; n <= 16; n += 15) {
            rig r = rig_open(KERN_KV_F16, 64, 4);
            int32_t ranges[2 * KERN_QUERIES_MAX], first = POSITIONS - n;
            kern_queries q = queries_of(&r, first, n, views[i], ranges, r.other);
            kern_pages kv = head_of(&r, 1);
            int64_t row = n * r.group * kern_partial_row(r.dim), at = first * r.group * r.dim;
            int32_t segment = ranges[0] / KERN_SEGMENT, segments = 0;
            keep_rows(&r, 0, POSITIONS);
            attend_tokens(&r, first, n, views[i], r.out);
            for (; segment * KERN_SEGMENT < POSITIONS; segment++, segments++)
                table->segment(&kv, &q, segment, r.scratch, r.partials + segments * row);
            table->merge(&q, r.dim, segments, r.partials);
            assert_memory_equal(r.out + at, r.other + at,
                                sizeof(float) * (size_t)(n * r.group * r.dim));
            rig_close(&r);
        }
}

static void large_scores_and_numbers(void **state) {
    (void)state;
    rig r = rig_open(KERN_KV_F16, 64, 1);
    for (int64_t i = 0; i < POSITIONS * 64; i++) r.q[i] *= 300;
    for (int64_t i = 0; i < POSITIONS * HEADS * 64; i++) r.v[i] = i % 5 ? 1e6f : -1e6f;
    keep_rows(&r, 0, POSITIONS);
    attend_all(&r, 64, (view){0}, r.out);
    for (int64_t i = 0; i < POSITIONS * 64; i++)
        assert_true(fabsf(r.out[i]) <= 65510); /* saturated, never inf or nan */
    rig_close(&r);
}

static int with(const kern_attend_table *t, const char *name) {
    table = t;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queries_see_what_they_should),
        cmocka_unit_test(windows_hide_the_rest),
        cmocka_unit_test(growing_changes_nothing),
        cmocka_unit_test(segments_merge_to_the_same),
        cmocka_unit_test(large_scores_and_numbers),
    };
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(void) {
    int failed = with(&kern_attend_ref, "attention, reference");
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        failed += with(&kern_attend_avx2, "attention, AVX2");
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
        failed += with(&kern_attend_avx512, "attention, AVX-512");
#elif defined(__aarch64__)
    failed += with(&kern_attend_neon, "attention, NEON");
#endif
    return failed;
}
