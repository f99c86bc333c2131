/* desk_asker.c - the asker's side of a review: taken in, told when, told again, answered, objected
 * to, erased.
 *
 * Nobody may be there to answer: the asker is given a time at once, and whenever that has passed
 * the next question for the status stores and gives a new one. Only one of several who ask at that
 * moment moves the time (the row is read again under the write lock). */
#include "desk/desk_int.h"

#include "base/clock.h"

static err people_ask(void *self, store_tx *tx, const gen_review *review, arena *a, gen_ticket *out,
                      fail *f) {
    (void)self;
    return desk_open_review(tx, review, a, out, f);
}

gen_people desk_people(desk *d) {
    return (gen_people){.self = d, .ask = people_ask};
}

/* ---- status ---- */

static bool must_tell(const desk_review *r, int64_t now_ms) {
    return r->status != DESK_ANSWERED && r->expected_by_ms <= now_ms;
}

static err set_expected(store_tx *tx, int64_t id, int64_t expected_by_ms, int64_t told, fail *f) {
    store_stmt *q;
    bool row;
    TRY(store_prepare(tx, "UPDATE desk_review SET expected_by_ms=?2, told=?3 WHERE id=?1", &q, f));
    store_bind_int(q, 1, id);
    store_bind_int(q, 2, expected_by_ms);
    store_bind_int(q, 3, told);
    return store_step(q, &row, f);
}

static err tell_in(store_tx *tx, str ref, arena *a, desk_row *row, fail *f) {
    int64_t now_ms = clock_now_ms();
    TRY(desk_row_get(tx, ref, now_ms, a, row, f));
    if (!must_tell(&row->review, now_ms))
        return E_OK; /* another one did it, or a person answered */
    row->review.expected_by_ms = now_ms + row->expected_minutes * 60000;
    row->review.told++;
    row->review.overdue = true;
    TRY(set_expected(tx, row->id, row->review.expected_by_ms, row->review.told, f));
    return desk_event_put(
        tx, &(desk_note){.review = row->id, .at_ms = now_ms, .what = "told_again"}, f);
}

static err tell_again(desk *d, str ref, arena *a, desk_row *row, fail *f) {
    store_tx *tx;
    TRY(store_begin(d->store, STORE_WRITE, &tx, f));
    err e = tell_in(tx, ref, a, row, f);
    return desk_finish(tx, e, f);
}

static desk_reply reply_from(const desk_row *row) {
    const desk_review *r = &row->review;
    desk_reply reply = {.state = r->overdue ? DESK_OVERDUE : DESK_WAITING,
                        .ref = r->ref,
                        .request_id = r->request_id,
                        .task_name = r->task_name,
                        .expected_by_ms = r->expected_by_ms,
                        .claimed = r->status == DESK_CLAIMED,
                        .before = row->before};
    if (r->status != DESK_ANSWERED) return reply;
    reply.state = DESK_DONE;
    reply.text = r->answer;
    reply.label = r->label;
    reply.answered_by = r->answered_by;
    reply.answered_ms = r->answered_ms;
    return reply;
}

err desk_status_for_asker(desk *d, str ref, arena *a, desk_reply *out, fail *f) {
    store_tx *tx;
    desk_row row;
    int64_t now_ms = clock_now_ms();
    TRY(store_begin(d->store, STORE_READ, &tx, f));
    err e = desk_row_get(tx, ref, now_ms, a, &row, f);
    store_rollback(tx);
    if (e == E_OK && must_tell(&row.review, now_ms)) e = tell_again(d, ref, a, &row, f);
    if (e == E_OK) *out = reply_from(&row);
    return e;
}

/* ---- objections ---- */

static err find_of_request(store_tx *tx, str request_id, arena *a, str *ref, fail *f) {
    store_stmt *q;
    bool row;
    *ref = STR_NONE;
    TRY(store_prepare(
        tx, "SELECT ref FROM desk_review WHERE request_id=?1 ORDER BY id DESC LIMIT 1", &q, f));
    store_bind_str(q, 1, request_id);
    TRY(store_step(q, &row, f));
    err e = row ? store_str(q, 0, a, ref, f) : E_OK;
    store_reset(q);
    return e;
}

static err reopen(store_tx *tx, const desk_row *row, gen_reason reason, int64_t expected_by_ms,
                  fail *f) {
    store_stmt *q;
    bool more;
    TRY(store_prepare(tx,
                      "UPDATE desk_review SET status='open', before=answer, answer=NULL, told=1,"
                      " expected_by_ms=?2, reason=?3, reopened=reopened+1 WHERE id=?1",
                      &q, f));
    store_bind_int(q, 1, row->id);
    store_bind_int(q, 2, expected_by_ms);
    store_bind_str(q, 3, str_from(gen_reason_code(reason)));
    TRY(store_step(q, &more, f));
    return desk_event_put(tx,
                          &(desk_note){.review = row->id,
                                       .at_ms = clock_now_ms(),
                                       .what = "reopened",
                                       .text = row->review.answer,
                                       .label = row->review.label},
                          f);
}

err desk_object(desk *d, store_tx *tx, const gen_review *review, arena *a, gen_ticket *out,
                fail *f) {
    (void)d;
    str ref = STR_NONE;
    desk_row row;
    int64_t now_ms = clock_now_ms();
    if (review->request_id.n) TRY(find_of_request(tx, review->request_id, a, &ref, f));
    if (!ref.p) return desk_open_review(tx, review, a, out, f);
    TRY(desk_row_get(tx, ref, now_ms, a, &row, f));
    int64_t expected_by_ms = row.review.expected_by_ms;
    if (row.review.status == DESK_ANSWERED) {
        expected_by_ms = now_ms + row.expected_minutes * 60000;
        TRY(reopen(tx, &row, review->reason, expected_by_ms, f));
    }
    *out = (gen_ticket){.ref = ref, .expected_by_ms = expected_by_ms};
    return E_OK;
}

/* ---- erasure ---- */

static err forget_labels(desk *d, store_tx *tx, str request_id, fail *f) {
    store_stmt *q;
    bool row;
    if (!d->labels.forget) return E_OK;
    TRY(store_prepare(tx, "SELECT label_id FROM desk_review WHERE request_id=?1 AND label_id<>0",
                      &q, f));
    store_bind_str(q, 1, request_id);
    for (;;) {
        TRY(store_step(q, &row, f));
        if (!row) return E_OK;
        TRY(d->labels.forget(d->labels.self, tx, store_int(q, 0), f));
    }
}

static err forget_in(store_tx *tx, str task_id, int64_t before_ms, int64_t *n, fail *f) {
    store_stmt *q;
    bool row;
    TRY(store_prepare(tx,
                      "DELETE FROM desk_review"
                      " WHERE task_id=?1 AND status='answered' AND answered_ms<?2",
                      &q, f));
    store_bind_str(q, 1, task_id);
    store_bind_int(q, 2, before_ms);
    TRY(store_step(q, &row, f));
    *n = store_changes(tx);
    return E_OK;
}

err desk_forget_before(desk *d, str task_id, int64_t before_ms, int64_t *n, fail *f) {
    store_tx *tx;
    int64_t gone = 0;
    TRY(store_begin(d->store, STORE_WRITE, &tx, f));
    err e = forget_in(tx, task_id, before_ms, &gone, f);
    TRY(desk_finish(tx, e, f));
    *n = gone;
    return E_OK;
}

err desk_erase(desk *d, store_tx *tx, str request_id, int64_t *n, fail *f) {
    store_stmt *q;
    bool row;
    TRY(forget_labels(d, tx, request_id, f));
    TRY(store_prepare(tx, "DELETE FROM desk_review WHERE request_id=?1", &q, f));
    store_bind_str(q, 1, request_id);
    TRY(store_step(q, &row, f));
    *n = store_changes(tx);
    return E_OK;
}
