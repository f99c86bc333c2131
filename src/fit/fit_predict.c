/* fit_predict.c - one question against a fitted head; see fit_head.h.
 *
 * Linear scores first (they name the best label), then one pass over all examples for the evidence.
 * Reads the head only; the taught examples answer under their own lock. */
#include "fit/fit_int.h"
#include "fit/fit_taught_int.h"
#include "kern/kern_dot.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

enum { ROOM_LABELS = 512, ROOM_DIM = 1024 };

/* scores [labels_n] += sparse weights . values */
static void add_sparse(const fit_head *h, const uint32_t *column, const float *value, size_t n,
                       float *scores) {
    for (size_t i = 0; i < n; i++) {
        const int16_t *row = h->sparse + (size_t)column[i] * h->labels_n;
        float v = value[i];
        for (size_t label = 0; label < h->labels_n; label++) scores[label] += v * (float)row[label];
    }
    for (size_t label = 0; label < h->labels_n; label++) scores[label] *= h->sparse_scale[label];
}

static err score_sparse(const fit_head *h, str text, float *scores, fail *f) {
    uint32_t column_room[FIT_GRAMS_ROOM], *column = column_room;
    float value_room[FIT_GRAMS_ROOM], *value = value_room;
    fit_grams g;
    TRY(fit_grams_of(&g, text, f));
    void *heap = NULL;
    if (g.n > FIT_GRAMS_ROOM) {
        heap = mem_alloc(g.n * (sizeof *column + sizeof *value));
        if (!heap) {
            fit_grams_deinit(&g);
            return fail_memory(f, "the n-grams of a question");
        }
        column = heap;
        value = (float *)(column + g.n);
    }
    size_t n = fit_head_sparse(h, g.grams, g.n, column, value);
    add_sparse(h, column, value, n, scores);
    mem_free(heap);
    fit_grams_deinit(&g);
    return E_OK;
}

static err score_text(const fit_head *h, str text, const float *vector, float *scores, fail *f) {
    memset(scores, 0, h->labels_n * sizeof *scores);
    TRY(score_sparse(h, text, scores, f));
    for (size_t label = 0; label < h->labels_n; label++)
        scores[label] += h->bias[label] + kern_dot(h->dense + label * h->dim, vector, h->dim);
    return E_OK;
}

static void fill_top(const fit_head *h, const float *scores, fit_answer *out) {
    for (int i = 0; i < FIT_TOP; i++) out->top[i].label = -1;
    for (size_t label = 0; label < h->labels_n; label++) {
        if (!h->usable[label]) continue;
        int at = FIT_TOP;
        double score = (double)scores[label];
        while (at > 0 && (out->top[at - 1].label < 0 || out->top[at - 1].score < score)) at--;
        for (int i = FIT_TOP - 1; i > at; i--) out->top[i] = out->top[i - 1];
        if (at < FIT_TOP) {
            out->top[at].label = (int32_t)label;
            out->top[at].score = score;
        }
    }
}

static void judge(const fit_head *h, const float *scores, const int16_t *packed, fit_answer *out) {
    fit_best best = fit_best_of(scores, h->usable, h->labels_n, h->other);
    fit_stored stored = fit_head_stored(h);
    fit_near near;
    fit_near_scan(&near, packed, &stored, best.label, best.other);
    double x[FIT_FEATURES];
    fit_evidence(x, &best, &near);
    *out = (fit_answer){.label = best.label, .novelty = 1 - fit_near_mean(&near)};
    if (best.other >= 0 && best.other_score > best.score) out->label = best.other;
    out->confidence = stat_logistic_p(&h->confidence, x);
    out->above = h->automatic[out->label] && out->confidence >= h->report.threshold.at;
    out->nearest_id = h->example_id[near.nearest_row];
    out->nearest_label = h->example_label[near.nearest_row];
    out->nearest_similarity = (double)near.nearest;
    fill_top(h, scores, out);
}

/* What most heads need; larger ones take it from the heap. */
typedef struct predict_room {
    float scores[ROOM_LABELS];
    int16_t packed[ROOM_DIM];
} predict_room;

static err predict(const fit_head *h, fit_taught *taught, str text, const float *vector,
                   float *scores, int16_t *packed, fit_answer *out, fail *f) {
    TRY(score_text(h, text, vector, scores, f));
    fit_pack(packed, vector, h->dim);
    fit_answer answer;
    judge(h, scores, packed, &answer);
    if (taught) fit_taught_judge(taught, h, packed, &answer);
    *out = answer;
    return E_OK;
}

err fit_head_predict(const fit_head *h, fit_taught *taught, str text, const float *vector,
                     fit_answer *out, fail *f) {
    for (size_t k = 0; k < h->dim; k++)
        if (!isfinite(vector[k])) return fail_set(f, E_INPUT, "the embedding is not finite");
    predict_room room;
    size_t stride = fit_stride(h->dim);
    if (h->labels_n <= ROOM_LABELS && stride <= ROOM_DIM)
        return predict(h, taught, text, vector, room.scores, room.packed, out, f);
    float *scores = mem_alloc(h->labels_n * sizeof *scores + stride * sizeof(int16_t));
    if (!scores) return fail_memory(f, "the scores of a question");
    err e = predict(h, taught, text, vector, scores, (int16_t *)(scores + h->labels_n), out, f);
    mem_free(scores);
    return e;
}
