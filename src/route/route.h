/* route.h - runs one task: its tiers in order of price, until one may be trusted.
 *
 * A `route` is a task in service: the task file, the fitted small tier, what people have taught,
 * the tiers' providers. Any thread may ask; what decides is an immutable snapshot (the brain) that
 * a request holds while it runs and that a refit swaps whole. People's labels lie in the store
 * (tables route_*), so another process's labels are seen before the next request (route_refresh),
 * and a refit runs on its own thread.
 *
 * Paths of an answer, in this order: the approved reply of the label, word for word; else the best
 * sentences of a passage, as a draft for the next tier; else nothing. */
#ifndef BANTAM_ROUTE_ROUTE_H
#define BANTAM_ROUTE_ROUTE_H

#include "base/team.h"
#include "gen/gen.h"
#include "store/store.h"
#include "task/task.h"

typedef struct route route;

typedef struct route_options {
    const char *task_path; /* read at open, and again when the file changes */
    store *store;
    const gen_embedder *embedder; /* the small tier's; must outlive the route */
    const gen_provider *large;    /* NULL: no large tier */
    const gen_provider *drafter;  /* NULL: nothing is generated, also for people */
    gen_people people;            /* ask == NULL: no human tier */
    team *team;
    const char *embedder_digest; /* identity of the embedding model; a head fits one model only */
    const char *url_base;        /* "http://127.0.0.1:8080"; "" when not served */
    bool background;             /* true: refits run on a thread of the route's own (server) */
    /* called from time to time while fitting takes longer than an instant; may be NULL */
    void (*progress)(void *self, const char *what, size_t done, size_t total);
    void *progress_self;
    /* asked between steps of a fit; true: it ends with E_CANCELLED. May be NULL; any thread */
    bool (*cancelled)(void *self);
    void *cancelled_self;
} route_options;

/* Loads the task and its fitted head; fits it now when there is none or it is older than the
 * examples. */
err route_open(route **out, const route_options *o, fail *f) MUST_CHECK;
void route_close(route *r);

/* The task file's tables and the learning side. */
const store_migration *route_migrations(size_t *n);
gen_label_sink
route_labels(store *s); /* stores labels of any task; a route sees them at its next refresh */

/* One question through the tiers. rq->messages: the last user message is the question, earlier ones
 * are its history. Fills trace (in rq->arena) and returns E_OK also when a person must answer.
 * Errors are for requests that cannot be run at all (no question, the store is gone). */
typedef struct route_ask {
    bool dry;      /* stores nothing: no review; what would be queued is reported as queued */
    bool no_large; /* do not ask the large tier */
    bool small;    /* ask the small tier alone */
    gen_reason to_people; /* GEN_WHY_NONE, or why this question must go to a person at once */
} route_ask;
err route_run(route *r, const gen_request *rq, const route_ask *how, gen_trace *trace,
              fail *f) MUST_CHECK;

/* The task as one stage; fills x->trace and x->reply. */
gen_stage route_stage(route *r);
/* The small tier alone as one stage, storing nothing: its best label, how sure it is, and whether
 * it would have been the answer stand in the trace's step; purpose "decide", the answer is the
 * label. E_UNDONE where the task has no small tier, or nothing is fitted yet. */
gen_stage route_judge_stage(route *r);
/* What that confidence rests on, as one JSON object: method, examples, folds, ece, accuracy,
 * threshold with its cross-validated counts, what it covers. */
err route_calibration(route *r, json_writer *w, fail *f) MUST_CHECK;

/* ---- learning
 * ------------------------------------------------------------------------------------- */

typedef struct route_change {
    str text, label_before, label_after;
    bool auto_before, auto_after;
} route_change;

typedef struct route_fit_report {
    size_t n_examples, n_labels, n_taught;
    double threshold; /* NAN: nothing is automatic */
    double max_wrong;
    size_t cv_rows, cv_answered, cv_wrong;
    double cv_accuracy;          /* best label right, rows in scope */
    const route_change *changes; /* among the rows given and the examples */
    size_t n_changes;
    int64_t fit_ms, embed_ms;
} route_fit_report;

/* Sees what others have stored since; cheap when nothing changed. route_run calls it. */
err route_refresh(route *r, fail *f) MUST_CHECK;
/* Fits again over the file's examples and all labels, stores the head, swaps it in. `rows`: further
 * texts whose answers are compared before and after. */
err route_refit(route *r, const str *rows, size_t n_rows, arena *a, route_fit_report *out,
                fail *f) MUST_CHECK;
/* The figures of the head in service. */
err route_report(route *r, arena *a, route_fit_report *out, fail *f) MUST_CHECK;
/* True while labels are stored that the head in service has not been fitted on. */
bool route_is_stale(route *r);

/* What the small tier thinks of a text, in words and numbers, for `task explain`. */
err route_explain(route *r, str text, json_writer *w, fail *f) MUST_CHECK;

/* ---- what people change at run time (stored, seen by every process)
 * ------------------------------------ */

err route_set_mode(store *s, str task_id, task_mode mode, str by, fail *f) MUST_CHECK;
task_mode route_mode(route *r); /* the stored one, also by another process, else the file's */
/* Approved text of a label that the file gives none for. */
err route_set_reply(store *s, str task_id, str label, str text, str passage, str by,
                    fail *f) MUST_CHECK;
/* What a label answers with: its approved reply, or in a classify task the label; .p NULL when
 * there is none. */
err route_reply(route *r, str label, arena *a, str *out, fail *f) MUST_CHECK;
err route_reply_of(store *s, const task *t, str label, arena *a, str *out,
                   fail *f) MUST_CHECK; /* without a route */
/* Labels that people gave, newest first. */
err route_list_labels(store *s, arena *a, str task_id, gen_label **out, size_t *n,
                      fail *f) MUST_CHECK;

/* The task as it stands: title, kind, mode, labels (own and learned), tiers, figures of the head;
 * no secrets. */
err route_describe(route *r, json_writer *w, fail *f) MUST_CHECK;
/* Names of the labels known now: the file's and the learned ones. */
err route_label_names(route *r, arena *a, str **out, size_t *n, fail *f) MUST_CHECK;

#endif
