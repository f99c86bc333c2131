/* fit_head.c - fits a head; see fit_head.h.
 *
 *   check -> copy rows -> grams -> folds -> for each fold: train without it, score it
 *         -> train on all -> nearest examples of each row outside its fold
 *         -> evidence -> confidence (itself cross-fitted over the folds) -> threshold -> report
 *
 * Work goes to the team by label (training) or by row (nearest); what a job writes belongs to it
 * alone, so the result does not depend on who ran it. Owner: the calling thread. */
#include "fit/fit_head.h"

#include "base/mem.h"
#include "base/rand.h"
#include "fit/fit_int.h"
#include "stat/stat_score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FOLDS_DEFAULT = 5 };
#define CONFIDENCE_RIDGE 1.0

/* One fit in progress. */
typedef struct fitting {
    const fit_rows *rows;
    const fit_options *o;
    fit_head *h;
    arena scratch;
    fit_matrix matrix;
    int folds;
    int32_t *fold;   /* [n] */
    float *scores;   /* [n, labels_n] by heads that have not seen the row */
    uint32_t *learn; /* [n] rows to learn from now */
    size_t learn_n;
    int32_t held_fold;                         /* -1 while training on all */
    float *weights;                            /* [workers * FIT_LINEAR_BLOCK or labels_n, wide] */
    size_t wide;                               /* features + dim + 1 */
    fit_linear_room *room;                     /* [workers] */
    fit_best *best;                            /* [n] */
    double *x;                                 /* [n, FIT_FEATURES] */
    double *confidence;                        /* [n] */
    bool *right, *other, *eligible, *positive; /* [n] */
    double *weight;                            /* [n] of the rows in the calibration */
} fitting;

static err progress(const fitting *w, const char *step, double done, fail *f) {
    if (!w->o->progress || w->o->progress(w->o->progress_arg, step, done)) return E_OK;
    return fail_set(f, E_CANCELLED, "fitting was cancelled while %s", step);
}

/* ---- what may be fitted ---- */

static err check_row(const fit_rows *rows, const fit_options *o, size_t i, fail *f) {
    if (rows->labels[i] < 0 || (size_t)rows->labels[i] >= o->labels_n)
        return fail_set(f, E_INPUT, "example %zu has label %d of %zu", i + 1, rows->labels[i],
                        o->labels_n);
    if (str_trim(rows->texts[i]).n == 0)
        return fail_set(f, E_INPUT, "example %zu (label \"%.*s\") has no text", i + 1,
                        STR_ARG(o->label_names[rows->labels[i]]));
    for (size_t k = 0; k < rows->dim; k++) {
        if (!isfinite(rows->vectors[i * rows->dim + k]))
            return fail_set(f, E_INPUT, "the embedding of example %zu is not finite", i + 1);
    }
    return E_OK;
}

static err check_sizes(const fit_rows *rows, const fit_options *o, fail *f) {
    if (rows->n > FIT_ROWS_MAX)
        return fail_set(f, E_TOO_LARGE, "%zu examples are above the limit of %d", rows->n,
                        FIT_ROWS_MAX);
    if (o->labels_n > FIT_LABELS_MAX)
        return fail_set(f, E_TOO_LARGE, "%zu labels are above the limit of %d", o->labels_n,
                        FIT_LABELS_MAX);
    if (rows->dim < 1 || rows->dim > FIT_DIM_MAX)
        return fail_set(f, E_INPUT, "embeddings of %zu numbers; 1 to %d are possible", rows->dim,
                        FIT_DIM_MAX);
    if (o->folds < 0 || o->folds == 1 || o->folds > FIT_FOLDS_MAX)
        return fail_set(f, E_INPUT, "%d folds; 2 to %d are possible", o->folds, FIT_FOLDS_MAX);
    if (!(o->max_wrong > 0 && o->max_wrong < 1))
        return fail_set(f, E_INPUT, "max_wrong %g is not between 0 and 1", o->max_wrong);
    if (o->other >= (int32_t)o->labels_n)
        return fail_set(f, E_INPUT, "label %d for other of %zu", o->other, o->labels_n);
    return E_OK;
}

static err check_rows(const fit_rows *rows, const fit_options *o, fail *f) {
    TRY(check_sizes(rows, o, f));
    bool scope_seen = false, second_seen = false;
    for (size_t i = 0; i < rows->n; i++) {
        TRY(check_row(rows, o, i, f));
        scope_seen |= rows->labels[i] != o->other;
        second_seen |= rows->labels[i] != rows->labels[0];
    }
    if (scope_seen && second_seen) return E_OK;
    fail_set(f, E_INPUT, "a classifier needs examples of two labels, one of them not \"other\"");
    fail_hint(f, "give each label at least three examples, better twelve");
    return E_INPUT;
}

/* ---- copies and folds ---- */

err fit_head_make_room(fit_head *h, fail *f) {
    arena *a = &h->memory;
    size_t sparse = 0, vectors = 0, dense = 0;
    bool fits = mem_size(h->features, h->labels_n, &sparse) &&
                mem_size(h->examples_n, fit_stride(h->dim), &vectors) &&
                mem_size(h->labels_n, h->dim, &dense);
    if (!fits) return fail_memory(f, "a classifier");
    h->sparse = arena_new_n(a, int16_t, sparse);
    h->sparse_scale = arena_new_n(a, float, h->labels_n);
    h->dense = arena_new_n(a, float, dense);
    h->bias = arena_new_n(a, float, h->labels_n);
    h->vectors = arena_new_n(a, int16_t, vectors);
    h->example_label = arena_new_n(a, int32_t, h->examples_n);
    h->example_id = arena_new_n(a, int64_t, h->examples_n);
    h->example_hash = arena_new_n(a, uint64_t, h->examples_n);
    h->held = arena_new_n(a, fit_held, h->examples_n);
    if (!h->sparse || !h->sparse_scale || !h->dense || !h->bias || !h->vectors ||
        !h->example_label || !h->example_id || !h->example_hash || !h->held)
        return fail_memory(f, "a classifier");
    return E_OK;
}

static err copy_labels(fit_head *h, const fit_rows *rows, const fit_options *o, fail *f) {
    h->label_names = arena_new_n(&h->memory, str, o->labels_n);
    h->automatic = arena_new_n(&h->memory, bool, o->labels_n);
    h->usable = arena_new_n(&h->memory, bool, o->labels_n);
    if (!h->label_names || !h->automatic || !h->usable) return fail_memory(f, "the labels");
    for (size_t i = 0; i < o->labels_n; i++) {
        h->label_names[i] = arena_str(&h->memory, o->label_names[i]);
        if (!h->label_names[i].p) return fail_memory(f, "the labels");
        h->automatic[i] = (int32_t)i != o->other && (!o->automatic || o->automatic[i]);
    }
    for (size_t i = 0; i < rows->n; i++) h->usable[rows->labels[i]] = true;
    return E_OK;
}

static void copy_examples(fit_head *h, const fit_rows *rows) {
    for (size_t i = 0; i < rows->n; i++) {
        fit_pack(h->vectors + i * fit_stride(h->dim), rows->vectors + i * h->dim, h->dim);
        h->example_label[i] = rows->labels[i];
        h->example_id[i] = rows->ids ? rows->ids[i] : (int64_t)i;
        h->example_hash[i] = str_hash(rows->texts[i]);
    }
}

typedef struct deal {
    int32_t label;
    uint64_t key, hash; /* order by key; equal texts have equal hashes */
    uint32_t row;
} deal;

static int deal_compare(const void *a, const void *b) {
    const deal *x = a, *y = b;
    if (x->label != y->label) return x->label < y->label ? -1 : 1;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* Each label's rows are dealt to the folds in the order of a seeded hash of their text; equal texts
 * of a label fall into the same fold. */
static err make_folds(fitting *w, fail *f) {
    size_t n = w->rows->n;
    deal *deals = arena_new_n(&w->scratch, deal, n);
    if (!deals) return fail_memory(f, "the folds");
    for (size_t i = 0; i < n; i++) {
        uint64_t hash = w->h->example_hash[i];
        deals[i] = (deal){w->rows->labels[i], rand_at(w->o->seed, hash), hash, (uint32_t)i};
    }
    qsort(deals, n, sizeof *deals, deal_compare);
    int32_t next = 0;
    for (size_t i = 0; i < n; i++) {
        bool twin =
            i > 0 && deals[i].label == deals[i - 1].label && deals[i].hash == deals[i - 1].hash;
        if (!twin && i > 0) next = (next + 1) % w->folds;
        w->fold[deals[i].row] = next;
    }
    return E_OK;
}

static err make_scratch(fitting *w, fail *f) {
    size_t n = w->rows->n, labels_n = w->o->labels_n, cells = 0, features = 0;
    arena *a = &w->scratch;
    if (!mem_size(n, labels_n, &cells) || !mem_size(n, FIT_FEATURES, &features))
        return fail_memory(f, "a fit");
    w->fold = arena_new_n(a, int32_t, n);
    w->scores = arena_new_n(a, float, cells);
    w->learn = arena_new_n(a, uint32_t, n);
    w->best = arena_new_n(a, fit_best, n);
    w->x = arena_new_n(a, double, features);
    w->confidence = arena_new_n(a, double, n);
    w->weight = arena_new_n(a, double, n);
    w->right = arena_new_n(a, bool, n);
    w->other = arena_new_n(a, bool, n);
    w->eligible = arena_new_n(a, bool, n);
    w->positive = arena_new_n(a, bool, n);
    if (!w->fold || !w->scores || !w->learn || !w->best || !w->x || !w->confidence || !w->weight ||
        !w->right || !w->other || !w->eligible || !w->positive)
        return fail_memory(f, "a fit");
    return E_OK;
}

static err make_workers(fitting *w, fail *f) {
    int workers = fit_workers(w->o->team);
    arena *a = &w->scratch;
    size_t cells = 0;
    w->wide = w->h->features + w->h->dim + 1;
    size_t most = (size_t)workers * FIT_LINEAR_BLOCK;
    if (w->o->labels_n > most) most = w->o->labels_n;
    w->room = arena_new_n(a, fit_linear_room, (size_t)workers);
    w->weights = mem_size(most, w->wide, &cells) ? arena_new_n(a, float, cells) : NULL;
    if (!w->room || !w->weights) return fail_memory(f, "a fit");
    for (int i = 0; i < workers; i++) {
        w->room[i].alpha = arena_new_n(a, float, w->rows->n *FIT_LINEAR_BLOCK);
        w->room[i].aside = arena_new_n(a, uint8_t, w->rows->n * FIT_LINEAR_BLOCK);
        w->room[i].order = arena_new_n(a, uint32_t, w->rows->n);
        if (!w->room[i].alpha || !w->room[i].aside || !w->room[i].order)
            return fail_memory(f, "a fit");
    }
    return E_OK;
}

/* ---- training ---- */

static void train_block(void *arg, int64_t index, int worker) {
    fitting *w = arg;
    size_t labels_n = w->o->labels_n, first = (size_t)index * FIT_LINEAR_BLOCK;
    size_t count = labels_n - first < FIT_LINEAR_BLOCK ? labels_n - first : FIT_LINEAR_BLOCK;
    size_t slot = w->held_fold < 0 ? first : (size_t)worker * FIT_LINEAR_BLOCK;
    float *weight = w->weights + slot * w->wide;
    fit_linear_options o = {.rows = w->learn,
                            .n = w->learn_n,
                            .labels = w->rows->labels,
                            .first_label = (int32_t)first,
                            .count = (int)count,
                            .cost = FIT_COST,
                            .seed = w->o->seed};
    fit_linear_train(&w->matrix, &o, &w->room[worker], weight);
    if (w->held_fold < 0) return;
    for (size_t i = 0; i < w->rows->n; i++) {
        if (w->fold[i] != w->held_fold) continue;
        for (size_t k = 0; k < count; k++)
            w->scores[i * labels_n + first + k] =
                fit_linear_score(&w->matrix, i, weight + k * w->wide);
    }
}

/* held_fold -1: on all rows, weights are kept. */
static void train_without(fitting *w, int32_t held_fold) {
    w->held_fold = held_fold;
    w->learn_n = 0;
    for (size_t i = 0; i < w->rows->n; i++)
        if (w->fold[i] != held_fold) w->learn[w->learn_n++] = (uint32_t)i;
    size_t blocks = (w->o->labels_n + FIT_LINEAR_BLOCK - 1) / FIT_LINEAR_BLOCK;
    fit_run(w->o->team, train_block, w, (int64_t)blocks);
}

/* float [labels, wide] -> sparse int16 by feature, dense and bias by label. */
static void keep_weights(fitting *w) {
    fit_head *h = w->h;
    for (size_t label = 0; label < h->labels_n; label++) {
        const float *weight = w->weights + label * w->wide;
        float most = 0;
        for (size_t k = 0; k < h->features; k++) most = fmaxf(most, fabsf(weight[k]));
        float scale = most > 0 ? most / 32767.0f : 1;
        h->sparse_scale[label] = scale;
        for (size_t k = 0; k < h->features; k++)
            h->sparse[k * h->labels_n + label] = (int16_t)lrintf(weight[k] / scale);
        memcpy(h->dense + label * h->dim, weight + h->features, h->dim * sizeof(float));
        h->bias[label] = h->usable[label] ? weight[h->features + h->dim] : -1;
    }
}

static err train_all(fitting *w, fail *f) {
    double steps = w->folds + 3;
    for (int32_t fold = 0; fold < w->folds; fold++) {
        TRY(progress(w, "cross-validating", (1 + fold) / steps, f));
        train_without(w, fold);
    }
    TRY(progress(w, "training", (1 + w->folds) / steps, f));
    train_without(w, -1);
    keep_weights(w);
    return progress(w, "measuring distances", (2 + w->folds) / steps, f);
}

/* ---- confidence ---- */

static void judge_row(void *arg, int64_t index, int worker) {
    (void)worker;
    fitting *w = arg;
    size_t i = (size_t)index;
    fit_best *best = &w->best[i];
    *best = fit_best_of(w->scores + i * w->o->labels_n, w->h->usable, w->o->labels_n, w->o->other);
    fit_stored s = fit_head_stored(w->h);
    s.fold = w->fold;
    s.skip_fold = w->fold[i];
    fit_near near;
    fit_near_scan(&near, s.vectors + i * s.stride, &s, best->label, best->other);
    fit_evidence(w->x + i * FIT_FEATURES, best, &near);
}

static int32_t answered_label(const fit_best *b) {
    return b->other >= 0 && b->other_score > b->score ? b->other : b->label;
}

/* What is right, in scope and may be answered, and how much each row counts. */
static void label_rows(fitting *w) {
    size_t others = 0, n = w->rows->n;
    for (size_t i = 0; i < n; i++) {
        int32_t label = answered_label(&w->best[i]);
        w->other[i] = w->rows->labels[i] == w->o->other;
        w->right[i] = label == w->rows->labels[i];
        w->positive[i] = w->best[i].label == w->rows->labels[i];
        w->eligible[i] = w->h->automatic[label];
        others += w->other[i];
    }
    double more = 1;
    if (others > 0 && (double)others < FIT_OTHER_SHARE * (double)n)
        more = FIT_OTHER_SHARE / (1 - FIT_OTHER_SHARE) * (double)(n - others) / (double)others;
    for (size_t i = 0; i < n; i++) w->weight[i] = w->other[i] ? more : 1;
}

/* Rows outside `fold` (-1: all) packed to the front of x, positive and weight of `p`. */
static err calibrate_without(fitting *w, int32_t fold, stat_logistic *out, fail *f) {
    size_t n = 0, rows_n = w->rows->n;
    arena a;
    arena_init(&a, 0);
    err e = E_OK;
    double *x = arena_new_n(&a, double, rows_n *FIT_FEATURES);
    double *weight = arena_new_n(&a, double, rows_n);
    bool *positive = arena_new_n(&a, bool, rows_n);
    if (!x || !weight || !positive) {
        e = fail_memory(f, "the calibration");
        goto out;
    }
    for (size_t i = 0; i < rows_n; i++) {
        if (w->fold[i] == fold) continue;
        memcpy(x + n * FIT_FEATURES, w->x + i * FIT_FEATURES, FIT_FEATURES * sizeof *x);
        weight[n] = w->weight[i];
        positive[n++] = w->positive[i];
    }
    stat_logistic_rows rows = {
        .x = x, .positive = positive, .weight = weight, .n = n, .features = FIT_FEATURES};
    e = stat_logistic_fit(out, &rows, CONFIDENCE_RIDGE, f);
out:
    arena_deinit(&a);
    return e;
}

/* Each row's confidence by a calibration that has not seen it; then one on all rows to keep. */
static err calibrate(fitting *w, fail *f) {
    fit_run(w->o->team, judge_row, w, (int64_t)w->rows->n);
    label_rows(w);
    for (int32_t fold = 0; fold < w->folds; fold++) {
        stat_logistic m;
        if (calibrate_without(w, fold, &m, NULL) != E_OK) continue; /* no row outside the fold */
        for (size_t i = 0; i < w->rows->n; i++)
            if (w->fold[i] == fold) w->confidence[i] = stat_logistic_p(&m, w->x + i * FIT_FEATURES);
    }
    for (size_t i = 0; i < w->rows->n; i++)
        w->h->held[i] = (fit_held){answered_label(&w->best[i]), (float)w->confidence[i]};
    return calibrate_without(w, -1, &w->h->confidence, f);
}

/* ---- report ---- */

static err report_threshold(fitting *w, fail *f) {
    stat_threshold_rows rows = {.n = w->rows->n,
                                .confidence = w->confidence,
                                .correct = w->right,
                                .other = w->other,
                                .eligible = w->eligible};
    fit_report *r = &w->h->report;
    TRY(stat_threshold_choose(&r->threshold, &rows, w->o->max_wrong, FIT_OTHER_SHARE, f));
    r->auto_rate = (double)r->threshold.answered / (double)w->rows->n;
    r->accuracy_answered = r->threshold.answered
                               ? 1 - (double)r->threshold.wrong / (double)r->threshold.answered
                               : NAN;
    return E_OK;
}

static err report(fitting *w, fail *f) {
    fit_report *r = &w->h->report;
    size_t n = w->rows->n, right = 0;
    *r = (fit_report){.rows = n, .features = w->h->features, .folds = w->folds};
    for (size_t i = 0; i < w->o->labels_n; i++) r->labels += w->h->usable[i];
    for (size_t i = 0; i < n; i++) {
        r->other_rows += w->other[i];
        right += w->right[i] && !w->other[i];
    }
    r->accuracy = n > r->other_rows ? (double)right / (double)(n - r->other_rows) : NAN;
    r->ece = stat_ece(w->confidence, w->positive, n, STAT_ECE_BINS);
    bool *scope = w->eligible; /* read once more below, so it is set last */
    TRY(report_threshold(w, f));
    for (size_t i = 0; i < n; i++) scope[i] = !w->other[i];
    return stat_auroc(w->confidence, scope, n, &r->oos_auroc, f);
}

static err fit_steps(fitting *w, fail *f) {
    fit_head *h = w->h;
    TRY(copy_labels(h, w->rows, w->o, f));
    TRY(progress(w, "reading the examples", 0, f));
    TRY(fit_matrix_build(&w->scratch, &w->matrix, h, w->rows, w->o->team, f));
    TRY(fit_head_make_room(h, f));
    copy_examples(h, w->rows);
    TRY(make_scratch(w, f));
    TRY(make_workers(w, f));
    TRY(make_folds(w, f));
    TRY(train_all(w, f));
    TRY(calibrate(w, f));
    TRY(report(w, f));
    return progress(w, "done", 1, f);
}

err fit_head_fit(fit_head **out, const fit_rows *rows, const fit_options *o, fail *f) {
    TRY(check_rows(rows, o, f));
    fit_head *h = mem_zero(sizeof *h);
    if (!h) return fail_memory(f, "a classifier");
    arena_init(&h->memory, 0);
    h->dim = rows->dim;
    h->labels_n = o->labels_n;
    h->examples_n = rows->n;
    h->other = o->other;
    h->max_wrong = o->max_wrong;
    fitting w = {.rows = rows, .o = o, .h = h, .folds = o->folds ? o->folds : FOLDS_DEFAULT};
    arena_init(&w.scratch, 0);
    err e = fit_steps(&w, f);
    arena_deinit(&w.scratch);
    if (e == E_OK)
        *out = h;
    else
        fit_head_close(h);
    return e;
}

void fit_head_close(fit_head *h) {
    if (!h) return;
    arena_deinit(&h->memory);
    mem_free(h);
}

/* ---- reading ---- */

fit_stored fit_head_stored(const fit_head *h) {
    return (fit_stored){.vectors = h->vectors,
                        .labels = h->example_label,
                        .n = h->examples_n,
                        .stride = fit_stride(h->dim)};
}

const fit_report *fit_head_report(const fit_head *h) {
    return &h->report;
}
size_t fit_head_labels(const fit_head *h) {
    return h->labels_n;
}
str fit_head_label_name(const fit_head *h, int32_t label) {
    return label >= 0 && (size_t)label < h->labels_n ? h->label_names[label] : STR_NONE;
}
int32_t fit_head_label_find(const fit_head *h, str name) {
    for (size_t i = 0; i < h->labels_n; i++)
        if (str_eq(h->label_names[i], name)) return (int32_t)i;
    return -1;
}
int32_t fit_head_other(const fit_head *h) {
    return h->other;
}
size_t fit_head_dim(const fit_head *h) {
    return h->dim;
}
double fit_head_threshold(const fit_head *h) {
    return h->report.threshold.at;
}
size_t fit_head_examples(const fit_head *h) {
    return h->examples_n;
}
fit_example fit_head_example(const fit_head *h, size_t index) {
    CHECK(index < h->examples_n);
    return (fit_example){h->example_id[index], h->example_label[index], h->example_hash[index]};
}
fit_held fit_head_held(const fit_head *h, size_t index) {
    CHECK(index < h->examples_n);
    return h->held[index];
}
