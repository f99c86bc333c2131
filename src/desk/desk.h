/* desk.h - the human tier: a queue of reviews, and what people decide.
 *
 *              claim                     answer
 *     open ------------> claimed --------------------> answered --+
 *      ^  <------------    |  (also straight from open)           | correct: answered, both texts
 * kept |  release, or      |                                      | |  its time is up   | customer:
 * "this is wrong"       |
 *      +------------------ | -------------------------------------+
 *
 * Everything lies in the store (tables desk_review, desk_event), so any process may do any of this;
 * a `desk` holds no state of its own and may be used by any thread. Every change is one committed,
 * synced transaction, and leaves an event: who, when, what, and the text it replaced.
 * A label that a person gives goes to the learning side (labels) in the same transaction; the words
 * of an answer never do.
 * Calls without a store_tx begin their own: never call them while holding a write transaction.
 * Times are on the scale of clock_now_ms. Strings of results live in the arena given. */
#ifndef BANTAM_DESK_DESK_H
#define BANTAM_DESK_DESK_H

#include "gen/gen.h"
#include "store/store.h"

enum {
    DESK_REF_BYTES = 8, /* a review's reference: "k7w2m9qx" */
    DESK_TEXT_BYTES_MAX = 16384,
    DESK_NAME_BYTES_MAX = 128, /* a person, a label */
    DESK_LIST_MAX = 500,       /* reviews in one page of a list */
    DESK_CLAIM_MINUTES = 15,   /* when a claim names none */
    DESK_EXPECTED_MINUTES = 60 /* when a task names none */
};

typedef struct desk {
    store *store;
    gen_label_sink labels; /* learn NULL: answers teach nothing */
    /* What an asker gets when a person gives a label and no text: the approved reply of the label,
     * or the label where that is the answer (classify). *out .p NULL: there is none, a text is
     * needed. NULL function: the label is the answer. Called outside the transaction. */
    err (*reply_text)(void *self, str task_id, str label, arena *a, str *out, fail *f);
    void *reply_self;
} desk;

const store_migration *desk_migrations(size_t *n);
gen_people desk_people(desk *d); /* the human tier's interface, for route */

/* ---- what the queue holds ---------------------------------------------------------------------*/

typedef enum desk_status { DESK_OPEN, DESK_CLAIMED, DESK_ANSWERED } desk_status;
const char *desk_status_name(desk_status s);
bool desk_status_of(str name, desk_status *out);

typedef struct desk_review {
    str ref;
    str request_id, task_id, task_name;
    str tenant; /* of the key that asked; "" none */
    str text, history;
    str draft;
    gen_tier draft_from;
    str guess;         /* label that the tiers below thought best; "" none */
    double confidence; /* NAN none */
    gen_reason reason;
    str evidence;       /* JSON object */
    desk_status status; /* a claim whose time is up reads as DESK_OPEN */
    int64_t created_ms, expected_by_ms;
    int64_t told;   /* how often the asker was given a time; 1 = the first */
    bool overdue;   /* not answered and the first time given has passed */
    str claimed_by; /* "" nobody */
    int64_t claimed_until_ms;
    str answer; /* .p NULL: not answered */
    str label;  /* that the person gave; "" none */
    str answered_by;
    int64_t answered_ms;
    int64_t label_id; /* of what was learned; 0 nothing, or unlearned */
    int64_t reopened; /* how often the customer said that the answer was wrong */
} desk_review;

typedef struct desk_filter {
    str task;   /* name or id; "" all */
    str tenant; /* "" all */
    str status; /* "open" (also those claimed), "claimed", "answered", "all"; "" = "open" */
    str search; /* anywhere in question, answer or reference; ASCII case is ignored; "" all */
    bool newest_first;     /* else those who have waited longest */
    int64_t offset, limit; /* limit 0 = 50 */
} desk_filter;
/* total: how many there are without offset and limit; may be NULL. An unknown status is E_INPUT. */
err desk_list(desk *d, const desk_filter *filter, arena *a, desk_review **out, size_t *n,
              int64_t *total, fail *f) MUST_CHECK;
err desk_get(desk *d, str ref, arena *a, desk_review *out, fail *f) MUST_CHECK; /* E_NOT_FOUND */
err desk_none(str ref, fail *f); /* E_NOT_FOUND, in desk_get's words */

typedef struct desk_event {
    int64_t at_ms;
    str what;        /* opened claimed released answered corrected unlearned told_again reopened */
    str by;          /* "" the program or the customer */
    str text, label; /* answered: what was sent; corrected, reopened: what stood before */
} desk_event;
err desk_history(desk *d, str ref, arena *a, desk_event **out, size_t *n, fail *f) MUST_CHECK;

/* The reviews (a reference may stand there twice) with events behind number *last, at most
 * DESK_LIST_MAX, oldest first; *last moves on. -1: none, and *last becomes the newest. For whoever
 * wants to see what other processes did without asking for every review. */
err desk_changed_since(desk *d, int64_t *last, arena *a, str **out, size_t *n, fail *f) MUST_CHECK;

typedef struct desk_counts {
    int64_t open, claimed, overdue, answered;
    int64_t oldest_ms; /* creation of the oldest one not answered; 0 none */
} desk_counts;
/* tenant "" = all */
err desk_count(desk *d, str task, str tenant, desk_counts *out, fail *f) MUST_CHECK;

/* One review as a JSON object: what `review show --json` prints and the page reads. */
void desk_review_put_json(json_writer *w, const desk_review *r);

/* ---- what people do ---------------------------------------------------------------------------*/

/* Exactly one of several gets it; the others E_BUSY, naming who has it until when. Claiming again
 * extends. minutes 0 = DESK_CLAIM_MINUTES. E_EXISTS when it is answered. */
err desk_claim(desk *d, str ref, str who, int64_t minutes, fail *f) MUST_CHECK;
err desk_release(desk *d, str ref, str who, fail *f) MUST_CHECK; /* E_DENIED: another's claim */

typedef struct desk_decision {
    str label;    /* "" none: nothing is learned */
    str text;     /* "" : the draft (approve) or what reply_text says */
    str by;       /* person; "" unknown */
    bool approve; /* the draft as it is, and the guess as label when none is given */
} desk_decision;
typedef struct desk_outcome {
    str text;         /* what the asker gets */
    int64_t label_id; /* 0: nothing was learned */
} desk_outcome;
/* Answers an open review, also without a claim; E_BUSY while another person's claim holds, E_EXISTS
 * when it is answered (the text says by whom), E_INPUT without anything to send. */
err desk_answer(desk *d, str ref, const desk_decision *decision, arena *a, desk_outcome *out,
                fail *f) MUST_CHECK;
/* Replaces a sent answer, and the label when one is given (the old one is unlearned). What the
 * decision leaves empty stays. */
err desk_correct(desk *d, str ref, const desk_decision *decision, arena *a, desk_outcome *out,
                 fail *f) MUST_CHECK;
/* Takes back what was learned from this review; its answer stays. E_NOT_FOUND: nothing learned. */
err desk_unlearn(desk *d, str ref, str by, fail *f) MUST_CHECK;

/* ---- what the asker does ----------------------------------------------------------------------*/

typedef enum desk_state { DESK_WAITING, DESK_OVERDUE, DESK_DONE } desk_state;
typedef struct desk_reply {
    desk_state state; /* OVERDUE: told again; it stays so until answered */
    str ref, request_id, task_name;
    int64_t expected_by_ms;       /* the time that holds now */
    bool claimed;                 /* a person is looking at it */
    str text, label, answered_by; /* DONE only */
    int64_t answered_ms;
    str before; /* a reopened review's answer that was wrong; "" none */
} desk_reply;
/* When the expected time has passed, stores and gives a new one: the customer is told again. */
err desk_status_for_asker(desk *d, str ref, arena *a, desk_reply *out, fail *f) MUST_CHECK;

/* "This is wrong", "I want a person", inside the caller's transaction: reopens the request's
 * answered review, returns the waiting one, or opens one from `review`, whose reason says which. */
err desk_object(desk *d, store_tx *tx, const gen_review *review, arena *a, gen_ticket *out,
                fail *f) MUST_CHECK;

/* Retention: deletes a task's reviews answered before then. What they taught stays; *n: how many.
 */
err desk_forget_before(desk *d, str task_id, int64_t before_ms, int64_t *n, fail *f) MUST_CHECK;
/* Deletes the reviews of a request with their history, and unlearns their labels. */
err desk_erase(desk *d, store_tx *tx, str request_id, int64_t *n, fail *f) MUST_CHECK;

#endif
