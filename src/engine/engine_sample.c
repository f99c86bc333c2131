/* engine_sample.c - see engine_sample.h. What the cuts leave is a list, likeliest first; it exists
 * from the first cut that needs it, and that one takes the likeliest off a heap one by one, so the
 * usual nucleus of some dozens costs one pass over the vocabulary, not a sort. */
#include "engine/engine_sample.h"

#include "base/mem.h"
#include "base/rand.h"

#include <math.h>

enum { SOME = 256 }; /* how many the nucleus is first looked for among */
static const double greedy_below = 1e-4;

err sampler_open(sampler *s, int64_t vocabulary, int64_t past_max, fail *f) {
    size_t n = (size_t)vocabulary;
    *s = (sampler){.n = vocabulary};
    s->work = mem_alloc(n * sizeof *s->work);
    s->near = mem_alloc(n * sizeof *s->near);
    s->list = mem_alloc(n * sizeof *s->list);
    s->counts = mem_zero(n * sizeof *s->counts);
    s->repeats = mem_alloc((size_t)past_max * sizeof *s->repeats);
    bool ok = s->work && s->near && s->list && s->counts && s->repeats;
    err e = ok ? select_open(&s->select, vocabulary, f) : fail_memory(f, "the sampler");
    if (e != E_OK) sampler_close(s);
    return e;
}

void sampler_close(sampler *s) {
    select_close(&s->select);
    mem_free(s->work);
    mem_free(s->near);
    mem_free(s->list);
    mem_free(s->counts);
    mem_free(s->repeats);
    *s = (sampler){0};
}

/* ---- log-probabilities ---- */

double sampler_log_sum(const float *logits, int64_t n) {
    float most = logits[0];
    for (int64_t i = 1; i < n; i++) most = logits[i] > most ? logits[i] : most;
    return (double)most + log(select_exp_total(logits, n, most));
}

void sampler_top(sampler *s, const float *logits, double log_sum, int32_t k,
                 engine_candidate *out) {
    bool finite;
    if (k < 1) return;
    select_look(&s->select, logits, &finite);
    select_gather(&s->select, logits, k);
    for (int32_t i = 0; i < k; i++) {
        select_item top = select_pop(&s->select);
        out[i] = (engine_candidate){top.id, (float)((double)top.key - log_sum)};
    }
}

/* ---- cuts without a list: of the whole row x, whose largest number is `most` ---- */

static double weight(float x, float most) {
    return exp((double)x - (double)most);
}

static void cut_top_k(sampler *s, const float *x, int64_t k) {
    select_gather(&s->select, x, k);
    for (s->list_n = 0; s->list_n < k; s->list_n++) s->list[s->list_n] = select_pop(&s->select);
}

/* The first by `key` until their weights exceed (or, `reach`, are as much as) `mass`. */
static void cut_mass(sampler *s, const float *key, const float *x, float most, double mass,
                     bool reach) {
    for (int64_t want = SOME; true; want = s->n) {
        double sum = 0;
        int64_t have = select_gather(&s->select, key, want);
        for (s->list_n = 0; have > 0; have--) {
            select_item top = select_pop(&s->select);
            top.key = x[top.id];
            s->list[s->list_n++] = top;
            sum += weight(top.key, most);
            if (reach ? sum >= mass : sum > mass) return;
        }
        if (s->list_n == s->n) return;
    }
}

static void cut_min_p(sampler *s, const float *x, float least) {
    s->list_n = 0;
    for (int64_t n = select_above(&s->select, x, least); n > 0; n--)
        s->list[s->list_n++] = select_pop(&s->select);
}

/* ---- typical: keep what is about as surprising as the distribution expects ---- */

/* Surprise of weight e^(x - most) among weights that sum to total is log(total) - (x - most). */
typedef struct surprise {
    double log_total, expected;
} surprise;

static surprise surprise_of(double total, double weighted) {
    return (surprise){log(total), log(total) - weighted / total};
}

static float nearness(surprise s, float x, float most) {
    return (float)-fabs(s.log_total - ((double)x - (double)most) - s.expected);
}

static void cut_typical_row(sampler *s, const float *x, float most, double p) {
    bool finite;
    double total = select_exp_sum(&s->select, x, most, 1);
    surprise all = surprise_of(total, select_exp_moment(x, s->n, most));
    for (int64_t i = 0; i < s->n; i++)
        s->near[i] = x[i] == -INFINITY ? -INFINITY : nearness(all, x[i], most);
    select_look(&s->select, s->near, &finite);
    cut_mass(s, s->near, x, most, p * total, false);
    s->select.heap_n = 0; /* likeliest first again */
    for (int64_t i = 0; i < s->list_n; i++) select_push(&s->select, s->list[i]);
    for (int64_t i = 0; i < s->list_n; i++) s->list[i] = select_pop(&s->select);
}

/* The same of the list. Those that stay are marked by ~id until the others are taken out. */
static void cut_typical_list(sampler *s, double p) {
    float most = s->list[0].key;
    double total = 0, weighted = 0, sum = 0;
    for (int64_t i = 0; i < s->list_n; i++) {
        double w = weight(s->list[i].key, most);
        total += w;
        if (w > 0) weighted += w * ((double)s->list[i].key - (double)most);
    }
    surprise all = surprise_of(total, weighted);
    s->select.heap_n = 0;
    for (int64_t i = 0; i < s->list_n; i++)
        select_push(&s->select, (select_item){(int32_t)i, nearness(all, s->list[i].key, most)});
    while (s->select.heap_n > 0 && sum <= p * total) {
        select_item *near = &s->list[select_pop(&s->select).id];
        near->id = ~near->id;
        sum += weight(near->key, most);
    }
    int64_t kept = 0;
    for (int64_t i = 0; i < s->list_n; i++)
        if (s->list[i].id < 0) s->list[kept++] = (select_item){~s->list[i].id, s->list[i].key};
    s->list_n = kept;
}

/* ---- the other cuts, of the list ---- */

static void cut_top_p_list(sampler *s, double p) {
    double total = 0, sum = 0;
    for (int64_t i = 0; i < s->list_n; i++) total += weight(s->list[i].key, s->list[0].key);
    for (int64_t i = 0; i < s->list_n; i++) {
        sum += weight(s->list[i].key, s->list[0].key);
        if (sum >= p * total) s->list_n = i + 1;
    }
}

static void cut_min_p_list(sampler *s, float least) {
    while (s->list_n > 1 && s->list[s->list_n - 1].key < least) s->list_n--;
}

/* ---- the chain ---- */

static bool cuts(double p) {
    return p > 0 && p < 1;
}

/* The cuts, on x whose largest number is `most`; false when none is asked for: there is no list. */
static bool cut(sampler *s, const float *x, float most, const engine_sampling *o) {
    bool list = false;
    if (o->top_k > 0 && o->top_k < s->n) {
        cut_top_k(s, x, o->top_k);
        list = true;
    }
    if (cuts(o->typical_p)) {
        if (list)
            cut_typical_list(s, o->typical_p);
        else
            cut_typical_row(s, x, most, o->typical_p);
        list = true;
    }
    if (cuts(o->top_p)) {
        if (list)
            cut_top_p_list(s, o->top_p);
        else
            cut_mass(s, x, x, most, o->top_p * select_exp_sum(&s->select, x, most, 1), true);
        list = true;
    }
    if (o->min_p > 0) {
        /* the likeliest may be gone (typical): then of what is left */
        float least = (float)((double)(list ? s->list[0].key : most) + log(o->min_p));
        if (list)
            cut_min_p_list(s, least);
        else
            cut_min_p(s, x, least);
        list = true;
    }
    return list;
}

static int32_t draw_list(const sampler *s, double scale, double unit) {
    double total = 0, most = (double)s->list[0].key;
    int32_t last = s->list[0].id;
    for (int64_t i = 0; i < s->list_n; i++) total += exp(((double)s->list[i].key - most) * scale);
    double target = unit * total;
    for (int64_t i = 0; i < s->list_n; i++) {
        double w = exp(((double)s->list[i].key - most) * scale);
        if (w <= 0) continue;
        last = s->list[i].id;
        target -= w;
        if (target < 0) break;
    }
    return last;
}

err sampler_pick(sampler *s, const float *logits, const engine_sampling *o,
                 const sampler_past *past, const uint64_t *mask, int32_t *out, fail *f) {
    bool finite;
    float most = select_look(&s->select, logits, &finite);
    if (!finite) {
        fail_set(f, E_CORRUPT, "the model's logits at position %lld are not numbers",
                 (long long)past->n);
        return fail_hint(f, "its weights may be damaged: fetch the model again");
    }
    const float *x = sampler_adjust(s, logits, o, past, mask);
    if (x != logits) most = select_look(&s->select, x, &finite);
    if (most == -INFINITY)
        return fail_set(f, E_INPUT, "no token is allowed at position %lld", (long long)past->n);
    if (o->temperature < greedy_below) {
        *out = select_first(&s->select, x);
        return E_OK;
    }
    double unit = rand_unit_at(o->seed, (uint64_t)past->n), scale = 1 / o->temperature;
    if (cut(s, x, most, o)) {
        *out = draw_list(s, scale, unit);
        return E_OK;
    }
    double total = select_exp_sum(&s->select, x, most, (float)scale);
    *out = select_exp_find(&s->select, x, most, (float)scale, unit * total);
    return E_OK;
}
