/* fit_int.h - what only this room shares: the head as it lies in memory, and its matrix. */
#ifndef BANTAM_FIT_INT_H
#define BANTAM_FIT_INT_H

#include "fit/fit_confidence.h"
#include "fit/fit_grams.h"
#include "fit/fit_head.h"
#include "fit/fit_linear.h"

/* How long the embedding is beside the two blocks of n-grams, each of length 1. Measured with
 * scikit-learn's LinearSVC at 1, 2, 4: clinc150 95.8, 96.2, 95.8 %, banking77 93.7, 94.3, 93.9 %.
 */
#define FIT_DENSE_SCALE 2.0f
#define FIT_COST 1.0f
#define FIT_GRAM_ROWS_MIN 2
#define FIT_GRAM_FEATURES_MAX 100000

struct fit_head {
    arena memory; /* owns everything below */
    size_t dim, labels_n, features, examples_n;
    int32_t other;
    double max_wrong;
    str *label_names;    /* [labels_n] */
    bool *automatic;     /* [labels_n] */
    bool *usable;        /* [labels_n] has rows */
    uint32_t *gram;      /* [features] hashes, ascending */
    uint32_t *gram_slot; /* [gram_slots] index + 1 of a gram, 0: empty; by hash, linear probing */
    size_t gram_slots;   /* a power of two */
    int16_t *sparse;     /* [features, labels_n] weight / sparse_scale[label] */
    float *sparse_scale; /* [labels_n] */
    float *dense;        /* [labels_n, dim] */
    float *bias;         /* [labels_n] */
    int16_t *vectors;    /* [examples_n, fit_stride(dim)] fit_near.h */
    int32_t *example_label; /* [examples_n] */
    int64_t *example_id;    /* [examples_n] */
    uint64_t *example_hash; /* [examples_n] */
    fit_held *held;         /* [examples_n] */
    stat_logistic confidence;
    fit_report report;
};

/* The examples as a scan takes them. */
fit_stored fit_head_stored(const fit_head *h);
/* The feature index of a gram, or -1. */
int64_t fit_head_gram(const fit_head *h, uint32_t hash);
/* Fills gram_slot from gram. */
err fit_head_index_grams(fit_head *h, fail *f) MUST_CHECK;
/* Allocates the arrays for the sizes set in h; E_NO_MEMORY. */
err fit_head_make_room(fit_head *h, fail *f) MUST_CHECK;
/* The sparse part of a text: columns and unit-length values by block. Both have room for n
 * entries; returns how many grams the head knows. */
size_t fit_head_sparse(const fit_head *h, const fit_gram *grams, size_t n, uint32_t *column,
                       float *value);

/* fit_matrix.c: rows -> matrix over the grams that h keeps (sets h->gram). Lives in `a`. */
err fit_matrix_build(arena *a, fit_matrix *out, fit_head *h, const fit_rows *rows, team *t,
                     fail *f) MUST_CHECK;

/* fit_team.c: team_run, or the calling thread alone where t is NULL. */
void fit_run(team *t, void (*work)(void *arg, int64_t index, int worker), void *arg, int64_t n);
int fit_workers(team *t);

#endif
