/* engine_penalty.c - mask, bias, and penalties of what stands before; see engine_sample.h.
 *
 * `counts` is all zero between calls: who counts also clears, by the same walk over the past, so a
 * penalty costs the length of the past and not the vocabulary. */
#include "engine/engine_sample.h"

#include <math.h>
#include <string.h>

enum { PENALTY_LAST = 64, DRY_ALLOWED = 2 };
static const double dry_base_usual = 1.75;

/* logits, with -INFINITY where the mask has no bit. A word of the mask covers a block. */
static void masked_copy(float *to, const float *from, int64_t n, const uint64_t *mask) {
    for (int64_t at = 0, word = 0; at < n; at += 64, word++) {
        int64_t end = at + 64 < n ? at + 64 : n;
        if (mask[word] == UINT64_MAX) {
            memcpy(to + at, from + at, (size_t)(end - at) * sizeof *to);
            continue;
        }
        for (int64_t i = at; i < end; i++) to[i] = mask[word] >> (i - at) & 1 ? from[i] : -INFINITY;
    }
}

/* Index of the first of the last `last` tokens (0: `usual`, negative: all). */
static int64_t first_of(const sampler_past *past, int32_t last, int64_t usual) {
    int64_t n = last > 0 ? last : last < 0 ? past->n : usual;
    return n < past->n ? past->n - n : 0;
}

static void penalise(sampler *s, const engine_sampling *o, const sampler_past *past) {
    int64_t from = first_of(past, o->penalty_last_n, PENALTY_LAST);
    float repeat = o->repeat_penalty > 0 ? (float)o->repeat_penalty : 1;
    for (int64_t i = from; i < past->n; i++) s->counts[past->tokens[i]]++;
    for (int64_t i = from; i < past->n; i++) {
        int32_t id = past->tokens[i], count = s->counts[id];
        if (count == 0) continue;
        float x = s->work[id];
        x = x > 0 ? x / repeat : x * repeat;
        s->work[id] = x - (float)(count * o->frequency_penalty + o->presence_penalty);
        s->counts[id] = 0;
    }
}

/* repeats[i] = how many tokens before index n - i equal those at the end: lengths of common
 * prefixes of the reversed past and its suffixes, by the Z algorithm in O(n). */
static void measure_repeats(int32_t *z, const int32_t *last, int64_t n) {
    for (int64_t i = 1, from = 0, to = 0; i < n; i++) {
        int64_t have = 0;
        if (i < to) have = z[i - from] < to - i ? z[i - from] : to - i;
        while (i + have < n && last[-have] == last[-i - have]) have++;
        z[i] = (int32_t)have;
        if (i + have > to) {
            from = i;
            to = i + have;
        }
    }
}

/* Tokens at the end without a breaker: no repetition counts as longer. */
static int64_t unbroken(const sampler_past *past, int64_t n) {
    int64_t i = 0;
    while (i < n && !(past->breaks && past->breaks[past->n - 1 - i])) i++;
    return i;
}

static void dry(sampler *s, const engine_sampling *o, const sampler_past *past) {
    int64_t n = past->n - first_of(past, o->dry_last_n, past->n), limit = unbroken(past, n);
    int32_t allowed = o->dry_allowed_length > 0 ? o->dry_allowed_length : DRY_ALLOWED;
    double base = o->dry_base > 0 ? o->dry_base : dry_base_usual;
    if (n < 2 || limit < allowed) return;
    const int32_t *last = past->tokens + past->n - 1;
    measure_repeats(s->repeats, last, n);
    for (int64_t i = 1; i < n; i++) { /* the longest repetition that each token would go on with */
        int64_t length = s->repeats[i] < limit ? s->repeats[i] : limit;
        int32_t *longest = &s->counts[last[1 - i]];
        if (length >= allowed && length > *longest) *longest = (int32_t)length;
    }
    for (int64_t i = 1; i < n; i++) {
        int32_t id = last[1 - i], length = s->counts[id];
        if (length == 0) continue;
        double penalty = o->dry_multiplier * pow(base, length - allowed);
        s->work[id] -= (float)(penalty < 1e30 ? penalty : 1e30);
        s->counts[id] = 0;
    }
}

static bool penalises(const engine_sampling *o) {
    return (o->repeat_penalty > 0 && o->repeat_penalty != 1) || o->frequency_penalty != 0 ||
           o->presence_penalty != 0;
}

const float *sampler_adjust(sampler *s, const float *logits, const engine_sampling *o,
                            const sampler_past *past, const uint64_t *mask) {
    if (!mask && o->n_bias == 0 && !penalises(o) && o->dry_multiplier <= 0) return logits;
    if (mask)
        masked_copy(s->work, logits, s->n, mask);
    else
        memcpy(s->work, logits, (size_t)s->n * sizeof *logits);
    for (size_t i = 0; i < o->n_bias; i++) s->work[o->bias[i].id] += o->bias[i].bias;
    if (penalises(o)) penalise(s, o, past);
    if (o->dry_multiplier > 0) dry(s, o, past);
    return s->work;
}
