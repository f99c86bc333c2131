/* desk_int.h - what the files of desk/ share: one row of desk_review as it is read and checked
 * inside a transaction, and the events. Not for other rooms. */
#ifndef BANTAM_DESK_DESK_INT_H
#define BANTAM_DESK_DESK_INT_H

#include "desk/desk.h"

/* A row with what the public review does not show. */
typedef struct desk_row {
    int64_t id;
    int64_t expected_minutes;
    str before;
    desk_review review;
} desk_row;

/* E_NOT_FOUND names the reference. now_ms decides whether a claim still holds. */
err desk_row_get(store_tx *tx, str ref, int64_t now_ms, arena *a, desk_row *out,
                 fail *f) MUST_CHECK;
/* Reads the columns of DESK_COLUMNS from q's current row. */
err desk_row_read(store_stmt *q, int64_t now_ms, arena *a, desk_row *out, fail *f) MUST_CHECK;

#define DESK_COLUMNS                                                                              \
    "id, expected_minutes, before, ref, request_id, task_id, task_name, text, history, draft,"    \
    " draft_from, guess, confidence, reason, evidence, status, created_ms, expected_by_ms, told," \
    " claimed_by, claimed_until_ms, answer, label, answered_by, answered_ms, label_id, reopened," \
    " tenant"

typedef struct desk_note {
    int64_t review; /* row id */
    int64_t at_ms;
    const char *what;
    str by, text, label;
} desk_note;
err desk_event_put(store_tx *tx, const desk_note *note, fail *f) MUST_CHECK;

/* Puts a new review into the queue; also desk_people's ask. */
err desk_open_review(store_tx *tx, const gen_review *review, arena *a, gen_ticket *out,
                     fail *f) MUST_CHECK;

/* Ends tx: commits when e is E_OK, else rolls back. Returns the first error. */
err desk_finish(store_tx *tx, err e, fail *f) MUST_CHECK;

#endif
