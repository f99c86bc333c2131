/* fit_head.h - the small tier's learned part: texts with labels in, a label with a calibrated
 * confidence out.
 *
 * A head is fitted in seconds from rows (text, its embedding, its label): a linear one-vs-rest
 * classifier over the embedding and hashed word and character n-grams (fit_linear.h, fit_grams.h),
 * cross-validated; its score, the distance to the nearest examples and the score of `other` become
 * one confidence, P(the label is right and the question is in scope), by a logistic regression on
 * the cross-validated rows (fit_confidence.h); the threshold is stat_threshold.h's.
 *
 * A fitted head is immutable and may be read by many threads; it is replaced whole. What is taught
 * between two fits lies beside it in a fit_taught (fit_taught.h). Memory: the head owns everything
 * (heap, freed by fit_head_close); about features * labels * 2 + rows * (dim * 2 + 32) bytes.
 * Same rows, options and library: same head, bit for bit, on any number of threads.
 * Every text is measured as it stands: a caller that masks or normalises does so for both. */
#ifndef BANTAM_FIT_HEAD_H
#define BANTAM_FIT_HEAD_H

#include "base/arena.h"
#include "base/err.h"
#include "base/team.h"
#include "stat/stat_threshold.h"

typedef struct fit_head fit_head;
typedef struct fit_taught fit_taught;

enum {
    FIT_TOP = 3,
    FIT_LABELS_MAX = 4096,
    FIT_ROWS_MAX = 1000000,
    FIT_FOLDS_MAX = 20,
    FIT_DIM_MAX = 8192,
    FIT_TEXT_BYTES_MAX = 16384
};

/* What a head is fitted from; borrowed, nothing is kept but copies. */
typedef struct fit_rows {
    size_t n;
    size_t dim;            /* of the embedding, e.g. 384 */
    const str *texts;      /* [n] UTF-8; n-grams are taken of the first FIT_TEXT_BYTES_MAX bytes */
    const float *vectors;  /* [n, dim] unit length */
    const int32_t *labels; /* [n] in [0, labels_n) */
    const int64_t *ids;    /* [n] the caller's name of a row, unique; NULL: the row number */
} fit_rows;

typedef struct fit_options {
    size_t labels_n;
    const str *label_names; /* [labels_n]; a label without rows is never predicted */
    int32_t other;          /* index of the label "in nobody's scope", -1: the task has none */
    const bool *automatic;  /* [labels_n] false: never answered automatically, so it does not count
                               for the threshold; NULL: all but `other` */
    double max_wrong;       /* 0 < max_wrong < 1, e.g. 0.02 */
    int folds;              /* 0: 5 */
    uint64_t seed;
    team *team; /* NULL: the calling thread alone */
    /* Called from the calling thread between steps with done in [0, 1]; false cancels
     * (E_CANCELLED). May be NULL. */
    bool (*progress)(void *arg, const char *step, double done);
    void *progress_arg;
} fit_options;

/* At least two labels with rows, each row's text not empty; E_INPUT names what is wrong. */
err fit_head_fit(fit_head **out, const fit_rows *rows, const fit_options *o, fail *f) MUST_CHECK;
void fit_head_close(fit_head *h); /* NULL is fine */

/* One blob: versioned, checksummed, the same on every machine. Damage, truncation and hostile sizes
 * are E_CORRUPT; a newer version is E_UNSUPPORTED. */
err fit_head_save(arena *a, const fit_head *h, str *out, fail *f) MUST_CHECK;
err fit_head_load(fit_head **out, str blob, fail *f) MUST_CHECK;

/* Figures of the cross-validation: each row was judged by a head, and its confidence given by a
 * calibration, that had not seen it. The calibration that answers is fitted on all rows. */
typedef struct fit_report {
    size_t rows, other_rows, labels, features;
    int folds;
    double accuracy;  /* best label right, over rows that are not `other`; NAN without any */
    double oos_auroc; /* of 1 - confidence, `other` against the rest; NAN without `other` rows */
    double ece;       /* of the confidence over all rows; 15 equal bins */
    double auto_rate; /* share of all rows at or above the threshold that may be automatic */
    double accuracy_answered; /* of these; NAN when none */
    stat_threshold threshold;
} fit_report;
const fit_report *fit_head_report(const fit_head *h);
size_t fit_head_labels(const fit_head *h);
str fit_head_label_name(const fit_head *h, int32_t label);
int32_t fit_head_label_find(const fit_head *h, str name); /* -1 when absent */
int32_t fit_head_other(const fit_head *h);                /* -1 when there is none */
size_t fit_head_dim(const fit_head *h);
double fit_head_threshold(const fit_head *h); /* above 1 when nothing may be automatic */
size_t fit_head_examples(const fit_head *h);
/* Example at `index` in [0, examples): its id, label, hash of its text (str_hash of the text as
 * given; the text itself is not kept). */
typedef struct fit_example {
    int64_t id;
    int32_t label;
    uint64_t text_hash;
} fit_example;
fit_example fit_head_example(const fit_head *h, size_t index);
/* The label that cross-validation gave to the row, and its confidence: for `explain` and for
 * finding rows that contradict the rest. */
typedef struct fit_held {
    int32_t label;
    float confidence;
} fit_held;
fit_held fit_head_held(const fit_head *h, size_t index);

typedef struct fit_answer {
    int32_t label;     /* the best label; may be `other` */
    double confidence; /* P(label right and in scope); 0 when label is `other` */
    bool above;        /* confidence >= threshold and label may be automatic */
    bool taught;       /* the label comes from an example taught since the fit */
    double novelty;    /* 1 - mean similarity to the 5 nearest examples that are not `other` */
    struct {
        int32_t label;
        double score;   /* of the linear head; 1 and more is a sure yes, -1 a sure no */
    } top[FIT_TOP];     /* best first; label -1 where there are fewer labels */
    int64_t nearest_id; /* nearest example (taught or fitted), -1: none */
    int32_t nearest_label;
    double nearest_similarity; /* cosine */
} fit_answer;

/* What the head says of a text with its embedding [dim]. `taught` may be NULL. Any thread;
 * allocates only for texts with more than a few hundred distinct n-grams. E_INPUT when the vector
 * is not finite. Under 1 ms at 151 labels and 15,000 examples. */
err fit_head_predict(const fit_head *h, fit_taught *taught, str text, const float *vector,
                     fit_answer *out, fail *f) MUST_CHECK;

/* Which of these texts two heads answer differently: after a refit, over stored examples and
 * held-out questions. A change is another label, or another side of the threshold. */
typedef struct fit_change {
    size_t index; /* into texts */
    fit_answer before, after;
} fit_change;
/* vectors [n, dim]. The changes live in `a`, in the order of texts. Labels are compared by name. */
err fit_head_compare(arena *a, const fit_head *before, fit_taught *taught_before,
                     const fit_head *after, const str *texts, const float *vectors, size_t n,
                     fit_change **out, size_t *count, fail *f) MUST_CHECK;

#endif
