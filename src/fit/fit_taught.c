/* fit_taught.c - see fit_taught.h. An array scanned under one lock. */
#include "base/mem.h"
#include "base/thread.h"
#include "fit/fit_int.h"
#include "fit/fit_taught_int.h"

#include <math.h>
#include <string.h>

typedef struct taught_example {
    int64_t id;
    int32_t label;
    bool automatic;
} taught_example;

struct fit_taught {
    mutex lock; /* guards all below */
    size_t dim, stride, n, cap;
    taught_example *examples; /* [cap] */
    int16_t *vectors;         /* [cap, stride] */
};

err fit_taught_open(fit_taught **out, size_t dim, fail *f) {
    if (dim < 1 || dim > FIT_DIM_MAX)
        return fail_set(f, E_INPUT, "embeddings of %zu numbers; 1 to %d are possible", dim,
                        FIT_DIM_MAX);
    fit_taught *t = mem_zero(sizeof *t);
    if (!t) return fail_memory(f, "taught examples");
    t->dim = dim;
    t->stride = fit_stride(dim);
    mutex_init(&t->lock);
    *out = t;
    return E_OK;
}

void fit_taught_close(fit_taught *t) {
    if (!t) return;
    mutex_deinit(&t->lock);
    mem_free(t->examples);
    mem_free(t->vectors);
    mem_free(t);
}

size_t fit_taught_count(fit_taught *t) {
    mutex_lock(&t->lock);
    size_t n = t->n;
    mutex_unlock(&t->lock);
    return n;
}

static size_t taught_find(const fit_taught *t, int64_t id) {
    size_t i = 0;
    while (i < t->n && t->examples[i].id != id) i++;
    return i;
}

static err taught_grow(fit_taught *t, fail *f) {
    if (t->n < t->cap) return E_OK;
    if (t->n >= FIT_TAUGHT_MAX)
        return fail_set(f, E_TOO_LARGE, "%zu examples were taught since the last fit; refit first",
                        t->n);
    size_t cap = t->cap ? 2 * t->cap : 16;
    taught_example *examples = mem_resize(t->examples, cap * sizeof *examples);
    if (!examples) return fail_memory(f, "a taught example");
    t->examples = examples;
    int16_t *vectors = mem_resize(t->vectors, cap * t->stride * sizeof *vectors);
    if (!vectors) return fail_memory(f, "a taught example");
    t->vectors = vectors;
    t->cap = cap;
    return E_OK;
}

err fit_taught_add(fit_taught *t, int64_t id, int32_t label, bool automatic, const float *vector,
                   fail *f) {
    if (label < 0) return fail_set(f, E_INPUT, "label %d cannot be taught", label);
    for (size_t k = 0; k < t->dim; k++)
        if (!isfinite(vector[k])) return fail_set(f, E_INPUT, "the embedding is not finite");
    mutex_lock(&t->lock);
    size_t at = taught_find(t, id);
    err e = at < t->n ? E_OK : taught_grow(t, f);
    if (e == E_OK) {
        t->examples[at] = (taught_example){id, label, automatic};
        fit_pack(t->vectors + at * t->stride, vector, t->dim);
        if (at == t->n) t->n++;
    }
    mutex_unlock(&t->lock);
    return e;
}

bool fit_taught_forget(fit_taught *t, int64_t id) {
    mutex_lock(&t->lock);
    size_t at = taught_find(t, id);
    bool found = at < t->n;
    if (found) {
        size_t behind = t->n - at - 1;
        memmove(t->examples + at, t->examples + at + 1, behind * sizeof *t->examples);
        memmove(t->vectors + at * t->stride, t->vectors + (at + 1) * t->stride,
                behind * t->stride * sizeof *t->vectors);
        t->n--;
    }
    mutex_unlock(&t->lock);
    return found;
}

/* How often the nearest example had the right label at a cosine, among questions whose nearest
 * example is in scope: docs/QUALITY.md, "Small tier". Straight lines in between. */
static const struct {
    double similarity, confidence;
} stated[] = {{0.70, 0.80},  {0.75, 0.87},  {0.80, 0.92}, {0.85, 0.95},
              {0.90, 0.975}, {0.95, 0.985}, {1.00, 0.99}};

double fit_taught_confidence(double similarity) {
    size_t last = sizeof stated / sizeof *stated - 1, i = 1;
    double s = fmin(fmax(similarity, stated[0].similarity), stated[last].similarity);
    while (i < last && s > stated[i].similarity) i++;
    double part =
        (s - stated[i - 1].similarity) / (stated[i].similarity - stated[i - 1].similarity);
    return stated[i - 1].confidence + part * (stated[i].confidence - stated[i - 1].confidence);
}

/* The taught example nearest to the question, and the nearest of another label than its. */
typedef struct taught_hit {
    bool found;
    taught_example example;
    float similarity, rival;
} taught_hit;

static taught_hit taught_nearest(fit_taught *t, const int16_t *packed) {
    taught_hit hit = {.similarity = FIT_TAUGHT_NEAR, .rival = FIT_NEAR_NONE};
    mutex_lock(&t->lock);
    for (size_t i = 0; i < t->n; i++) {
        float s = fit_cosine(packed, t->vectors + i * t->stride, t->stride);
        bool same = hit.found && t->examples[i].label == hit.example.label;
        if (s >= hit.similarity) {
            if (hit.found && !same) hit.rival = fmaxf(hit.rival, hit.similarity);
            hit = (taught_hit){true, t->examples[i], s, hit.rival};
        } else if (hit.found && !same) {
            hit.rival = fmaxf(hit.rival, s);
        }
    }
    mutex_unlock(&t->lock);
    return hit;
}

void fit_taught_judge(fit_taught *t, const fit_head *h, const int16_t *packed, fit_answer *answer) {
    if (t->dim != h->dim) return;
    taught_hit hit = taught_nearest(t, packed);
    if (!hit.found || hit.rival >= hit.similarity) return;
    fit_stored stored = fit_head_stored(h);
    if (fit_near_rival(packed, &stored, hit.example.label) >= hit.similarity) return;
    double confidence = fit_taught_confidence((double)hit.similarity);
    if (answer->label != hit.example.label || confidence > answer->confidence)
        answer->confidence = confidence;
    answer->label = hit.example.label;
    answer->taught = true;
    answer->above = hit.example.automatic && h->report.threshold.any &&
                    answer->confidence >= h->report.threshold.at;
    if ((double)hit.similarity >= answer->nearest_similarity) {
        answer->nearest_id = hit.example.id;
        answer->nearest_label = hit.example.label;
        answer->nearest_similarity = (double)hit.similarity;
    }
}
