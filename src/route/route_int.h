/* route_int.h - what the files of route/ share. See README.md for the picture.
 *
 * A brain is what decides: immutable, counted, swapped whole. A request holds one from its first
 * line to its last. The fitted head and the task file are counted apart, because brains that follow
 * each other mostly share them. */
#ifndef BANTAM_ROUTE_INT_H
#define BANTAM_ROUTE_INT_H

#include "base/thread.h"
#include "fit/fit_head.h"
#include "fit/fit_taught.h"
#include "route/route.h"

enum {
    ROUTE_LABELS_MAX = 100000,  /* people's labels of one task that are read */
    ROUTE_SENTENCES_MAX = 4096, /* of all passages of a task */
    ROUTE_QUOTE_MAX = 2,        /* sentences quoted as a draft */
    ROUTE_DRAFT_BYTES_MAX = 8192,
    ROUTE_EMBED_BATCH = 64
};

/* A task file as read; counted. */
typedef struct route_file {
    atomic_int refs;
    arena arena;
    task *task;
    int64_t mtime_ns, bytes; /* of the file when it was read */
} route_file;

/* A fitted head as stored; counted. */
typedef struct route_head {
    atomic_int refs;
    int64_t id;      /* row of route_heads */
    int64_t through; /* change of the task's labels up to which it is fitted */
    int64_t at_ms;   /* when it was stored; 0 not said */
    char examples_digest[65], embedder_digest[80];
    fit_head *fit;
} route_head;

/* What is known of one label: the file's words, or what people added. */
typedef struct route_label {
    str name, about;
    bool always_human, needs_record, is_other;
    str reply;                   /* approved text; "" none */
    const task_passage *passage; /* NULL none */
} route_label;

typedef struct route_sentence {
    const task_passage *passage;
    str text;
} route_sentence;

typedef struct route_taught_row { /* a label newer than the head */
    int64_t id;
    str text, label;
    const float *vector; /* [width] in the brain's arena */
} route_taught_row;

typedef struct route_brain {
    atomic_int refs;
    arena arena;
    route_file *file;
    route_head *head; /* NULL: nothing is fitted (too few examples) */
    fit_taught *taught;
    const route_taught_row *rows; /* [n_rows] what `taught` holds */
    size_t n_rows;
    const route_label *labels; /* [n_labels]; the head's come first, in the head's order */
    size_t n_labels;
    task_mode mode;
    int64_t changes; /* of the task's labels, as seen */
    int64_t version; /* of all that decides, as seen */
} route_brain;

struct route {
    route_options o;
    arena arena;        /* copies of the options' strings */
    mutex lock;         /* guards brain's pointer */
    mutex refresh_lock; /* one refresh at a time; taken before lock */
    route_brain *brain;
    int64_t generation; /* of the store when the brain was built; -1 never */
    char file_error_shown;
    /* sentences of the passages, embedded at first need; slices of one file, which they keep */
    mutex sentence_lock;
    route_file *sentence_file;
    arena sentence_arena;
    route_sentence *sentences; /* [n_sentences] */
    float *sentence_vectors;   /* [n_sentences, width] */
    size_t n_sentences;
    /* the background refit */
    mutex fit_lock; /* one refit at a time */
    thread fitter;
    mutex fitter_lock;
    cond fitter_wake;
    bool fitter_wanted, fitter_stop;
};

/* ---- route_store.c: the tables ---- */
typedef struct route_task_row {
    int64_t changes, version;
    bool mode_set;
    task_mode mode;
} route_task_row;
err route_store_task(store_tx *tx, str task_id, route_task_row *out, fail *f) MUST_CHECK;
typedef struct route_label_row {
    gen_label label;
    int64_t added, forgotten; /* change numbers; forgotten 0 = still valid */
} route_label_row;
err route_store_labels(store_tx *tx, arena *a, str task_id, route_label_row **out, size_t *n,
                       fail *f) MUST_CHECK;
typedef struct route_reply_row {
    str label, text, passage;
} route_reply_row;
err route_store_replies(store_tx *tx, arena *a, str task_id, route_reply_row **out, size_t *n,
                        fail *f) MUST_CHECK;
/* *id 0 when there is none */
err route_store_head_id(store_tx *tx, str task_id, int64_t *id, fail *f) MUST_CHECK;
err route_store_head(store_tx *tx, int64_t id, route_head **out, fail *f) MUST_CHECK;
err route_store_put_head(store_tx *tx, str task_id, const route_head *h, str blob, int64_t *id,
                         fail *f) MUST_CHECK;

/* ---- route_vectors.c: embeddings, remembered in the store ---- */
/* out [n, width]. Texts over the model's length are cut (they are examples, not questions). */
err route_vectors(route *r, const str *texts, size_t n, float *out, fail *f) MUST_CHECK;

/* ---- route_brain.c ---- */
/* Sees what changed, then lends the brain; give it back with route_drop. */
err route_hold(route *r, route_brain **out, fail *f) MUST_CHECK;
bool route_brain_is_stale(const route *r, const route_brain *b);

/* ---- route_part.c: NULL is fine to drop, and as a head to keep ---- */
void route_drop(route_brain *b);
route_head *route_head_keep(route_head *h);
void route_head_drop(route_head *h);
route_file *route_file_keep(route_file *x);
void route_file_drop(route_file *x);
const route_label *route_brain_label(const route_brain *b, int32_t index); /* NULL outside */

/* ---- route_fitter.c ---- */
/* Somebody wants the fit that runs now to end: a signal, or the route is being closed. */
bool route_fit_must_end(route *r);
void route_fit_in_background(route *r);

/* ---- route_fit.c ---- */
err route_fitter_start(route *r, fail *f) MUST_CHECK;
void route_fitter_stop(route *r);

/* ---- the tiers ---- */
typedef struct route_case { /* one question on its way */
    route *r;
    route_brain *brain;
    const gen_request *rq;
    const route_ask *how;
    gen_trace *trace;
    arena *a;
    str text, history;
    const float *vector;      /* [width]; NULL until the small tier has embedded it */
    const route_label *guess; /* best label so far; NULL none */
    double guess_confidence;
    str draft; /* best draft so far */
    gen_tier draft_from;
    gen_reason reason; /* why it went on last */
    bool done;         /* decided */
} route_case;

/* Each fills `step` and, when it may be trusted, the decision in c->trace and c->done. */
err route_small(route_case *c, gen_step *step, fail *f) MUST_CHECK;
err route_large(route_case *c, gen_step *step, fail *f) MUST_CHECK;
err route_human(route_case *c, gen_step *step, fail *f) MUST_CHECK;
/* A generated draft for a person, when the task wants one and there is no other. */
bool route_wants_draft(const route_case *c);
err route_draft(route_case *c, gen_step *step, fail *f) MUST_CHECK;
/* The decision: label's answer from `tier`. */
void route_decide(route_case *c, gen_step *step, gen_reason reason, str answer);
void route_pass(gen_step *step, gen_reason reason);
/* Puts the passage that a label's reply rests on into the trace, unless there is one already. */
err route_cite(route_case *c, const route_label *l, fail *f) MUST_CHECK;

/* ---- route_quote.c ---- */
/* Up to ROUTE_QUOTE_MAX best sentences for a question; only of `passage` when it is not NULL. */
err route_quote(route_case *c, const task_passage *passage, str *draft, gen_passage *out, size_t *n,
                fail *f) MUST_CHECK;
/* Splits a passage into sentences (slices of it). Returns how many. */
size_t route_sentences(str text, str *out, size_t most);

#endif
