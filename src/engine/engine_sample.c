/* engine_sample.c - see engine_sample.h. The likeliest come off a heap one by one, so the usual
 * nucleus of some dozens costs one pass over the vocabulary, not a sort. */
#include "engine/engine_sample.h"

#include "base/mem.h"
#include "base/rand.h"

#include <math.h>

err sampler_open(sampler *s, int64_t vocabulary, fail *f) {
    *s = (sampler){.n = vocabulary};
    s->heap = mem_alloc((size_t)vocabulary * sizeof *s->heap);
    s->p = mem_alloc((size_t)vocabulary * sizeof *s->p);
    if (s->heap && s->p) return E_OK;
    sampler_close(s);
    return fail_memory(f, "the sampler");
}

void sampler_close(sampler *s) {
    mem_free(s->heap);
    mem_free(s->p);
    *s = (sampler){0};
}

static int32_t likeliest(const float *logits, int64_t n) {
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (logits[i] > logits[best]) best = i;
    return (int32_t)best;
}

double sampler_log_sum(const float *logits, int64_t n) {
    double most = (double)logits[likeliest(logits, n)], sum = 0;
    for (int64_t i = 0; i < n; i++) sum += exp((double)logits[i] - most);
    return most + log(sum);
}

void sampler_top(const float *logits, int64_t n, double log_sum, int32_t k, engine_candidate *out) {
    int32_t have = 0;
    for (int64_t i = 0; i < n && k > 0; i++) {
        float logprob = (float)((double)logits[i] - log_sum);
        if (have == k && !(logprob > out[k - 1].logprob)) continue;
        int32_t at = have < k ? have++ : k - 1;
        for (; at > 0 && logprob > out[at - 1].logprob; at--) out[at] = out[at - 1];
        out[at] = (engine_candidate){(int32_t)i, logprob};
    }
}

/* ---- a heap of ids, likeliest on top ---- */

static bool before(const double *p, int32_t a, int32_t b) {
    return p[a] > p[b] || (p[a] == p[b] && a < b);
}

static void sink(const double *p, int32_t *heap, int64_t n, int64_t at) {
    for (int64_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && before(p, heap[child + 1], heap[child])) child++;
        if (!before(p, heap[child], heap[at])) return;
        int32_t swap = heap[at];
        heap[at] = heap[child];
        heap[child] = swap;
    }
}

/* Takes the likeliest off the heap of n and puts it behind the others. */
static int32_t take_top(const double *p, int32_t *heap, int64_t n) {
    int32_t top = heap[0];
    heap[0] = heap[n - 1];
    heap[n - 1] = top;
    sink(p, heap, n - 1, 0);
    return top;
}

/* The id at which the running sum of p over all ids passes the draw. */
static int32_t draw_all(const sampler *s, double target) {
    int32_t last = 0;
    for (int64_t i = 0; i < s->n; i++) {
        if (s->p[i] <= 0) continue;
        last = (int32_t)i;
        target -= s->p[i];
        if (target < 0) break;
    }
    return last;
}

/* Those taken off lie from the end backwards: heap[n - 1] is the likeliest. */
static int32_t draw_taken(const sampler *s, int64_t count, double target) {
    for (int64_t i = 0; i < count; i++) {
        target -= s->p[s->heap[s->n - 1 - i]];
        if (target < 0) return s->heap[s->n - 1 - i];
    }
    return s->heap[s->n - count];
}

/* Takes the k likeliest, or fewer where the cuts end sooner; returns how many remain and their sum.
 */
static int64_t take_likeliest(sampler *s, const engine_sampling *o, double total, double *sum) {
    int64_t k = o->top_k > 0 && o->top_k < s->n ? o->top_k : s->n, count = 0;
    bool nucleus = o->top_p > 0 && o->top_p < 1;
    for (int64_t i = 0; i < s->n; i++) s->heap[i] = (int32_t)i;
    for (int64_t i = s->n / 2 - 1; i >= 0; i--) sink(s->p, s->heap, s->n, i);
    if (nucleus && k < s->n) { /* the nucleus is of the k: their sum comes first */
        total = 0;
        for (int64_t i = 0; i < k; i++) total += s->p[take_top(s->p, s->heap, s->n - i)];
    }
    *sum = 0;
    for (; count < k; count++) {
        bool taken = nucleus && k < s->n;
        int32_t id = taken ? s->heap[s->n - 1 - count] : take_top(s->p, s->heap, s->n - count);
        if (count > 0 && s->p[id] < o->min_p) break; /* the best has p = 1 */
        if (count > 0 && nucleus && *sum >= o->top_p * total) break;
        *sum += s->p[id];
    }
    return count;
}

err sampler_pick(sampler *s, const float *logits, const engine_sampling *o, int64_t position,
                 int32_t *out, fail *f) {
    int32_t best = likeliest(logits, s->n);
    if (!isfinite(logits[best]))
        return fail_set(f, E_INTERNAL, "the model's logits at position %lld are not numbers",
                        (long long)position);
    if (o->temperature <= 0) {
        *out = best;
        return E_OK;
    }
    double total = 0, sum;
    for (int64_t i = 0; i < s->n; i++) {
        s->p[i] = exp(((double)logits[i] - (double)logits[best]) / o->temperature);
        total += s->p[i];
    }
    double unit = rand_unit_at(o->seed, (uint64_t)position);
    bool cut = o->top_k > 0 || (o->top_p > 0 && o->top_p < 1) || o->min_p > 0;
    if (!cut) {
        *out = draw_all(s, unit * total);
        return E_OK;
    }
    int64_t count = take_likeliest(s, o, total, &sum);
    *out = draw_taken(s, count, unit * sum);
    return E_OK;
}
