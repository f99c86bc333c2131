/* desk.c - what people do with a review: claim, release, answer, correct, unlearn.
 *
 * Each is one write transaction: read the row, check it, change it, note the event, hand the label
 * to the learning side, commit. Writers are one at a time over all processes, so what was read
 * holds until the commit; that is what lets exactly one of two people win. */
#include "desk/desk_int.h"

#include "base/clock.h"

enum { MINUTES_MAX = 24 * 60 };

static err check_name(const char *what, str name, fail *f) {
    bool bad = name.n > DESK_NAME_BYTES_MAX;
    for (size_t i = 0; i < name.n; i++) bad |= (unsigned char)name.p[i] < ' ';
    if (!bad) return E_OK;
    return fail_set(f, E_INPUT, "the %s of %zu bytes is too long (at most %d) or has control bytes",
                    what, name.n, DESK_NAME_BYTES_MAX);
}

static err fail_answered(const desk_review *r, fail *f) {
    char when[CLOCK_TEXT_BYTES];
    clock_text(r->answered_ms, when);
    fail_set(f, E_EXISTS, "review \"%.*s\" was answered by %.*s at %s", STR_ARG(r->ref),
             STR_ARG(r->answered_by.n ? r->answered_by : STR("somebody")), when);
    if (f) fail_hint(f, "to replace a sent answer, correct it: bantam review correct");
    return E_EXISTS;
}

/* E_BUSY when the claim of somebody else holds. */
static err check_claim(const desk_review *r, str who, fail *f) {
    if (r->status != DESK_CLAIMED || str_eq(r->claimed_by, who)) return E_OK;
    char until[CLOCK_TEXT_BYTES];
    clock_text(r->claimed_until_ms, until);
    fail_set(f, E_BUSY, "review \"%.*s\" is with %.*s until %s", STR_ARG(r->ref),
             STR_ARG(r->claimed_by), until);
    if (f) fail_hint(f, "take another one, or ask %.*s to release it", STR_ARG(r->claimed_by));
    return E_BUSY;
}

/* ---- claims ---- */

static err set_claim(store_tx *tx, int64_t id, const char *status, str who, int64_t until_ms,
                     fail *f) {
    store_stmt *q;
    bool row;
    TRY(store_prepare(
        tx, "UPDATE desk_review SET status=?2, claimed_by=?3, claimed_until_ms=?4 WHERE id=?1", &q,
        f));
    store_bind_int(q, 1, id);
    store_bind_str(q, 2, str_from(status));
    store_bind_str(q, 3, who);
    store_bind_int(q, 4, until_ms);
    return store_step(q, &row, f);
}

static err claim_in(store_tx *tx, str ref, str who, int64_t minutes, arena *a, fail *f) {
    desk_row row;
    int64_t now_ms = clock_now_ms();
    TRY(desk_row_get(tx, ref, now_ms, a, &row, f));
    if (row.review.status == DESK_ANSWERED) return fail_answered(&row.review, f);
    TRY(check_claim(&row.review, who, f));
    TRY(set_claim(tx, row.id, "claimed", who, now_ms + minutes * 60000, f));
    if (row.review.status == DESK_CLAIMED) return E_OK; /* extended: no event of its own */
    return desk_event_put(
        tx, &(desk_note){.review = row.id, .at_ms = now_ms, .what = "claimed", .by = who}, f);
}

err desk_claim(desk *d, str ref, str who, int64_t minutes, fail *f) {
    if (!who.n) return fail_set(f, E_INPUT, "a claim needs the name of who claims");
    TRY(check_name("name", who, f));
    if (minutes < 0 || minutes > MINUTES_MAX)
        return fail_set(f, E_INPUT, "a claim of %lld minutes is outside 1 to %d",
                        (long long)minutes, MINUTES_MAX);
    store_tx *tx;
    arena a;
    TRY(store_begin(d->store, STORE_WRITE, &tx, f));
    arena_init(&a, 0);
    err e = claim_in(tx, ref, who, minutes ? minutes : DESK_CLAIM_MINUTES, &a, f);
    arena_deinit(&a);
    return desk_finish(tx, e, f);
}

static err release_in(store_tx *tx, str ref, str who, arena *a, fail *f) {
    desk_row row;
    int64_t now_ms = clock_now_ms();
    TRY(desk_row_get(tx, ref, now_ms, a, &row, f));
    if (row.review.status == DESK_ANSWERED) return fail_answered(&row.review, f);
    if (row.review.status == DESK_OPEN) return E_OK;
    if (!str_eq(row.review.claimed_by, who))
        return fail_set(f, E_DENIED, "review \"%.*s\" is claimed by %.*s, not by %.*s",
                        STR_ARG(row.review.ref), STR_ARG(row.review.claimed_by), STR_ARG(who));
    TRY(set_claim(tx, row.id, "open", STR(""), 0, f));
    return desk_event_put(
        tx, &(desk_note){.review = row.id, .at_ms = now_ms, .what = "released", .by = who}, f);
}

err desk_release(desk *d, str ref, str who, fail *f) {
    store_tx *tx;
    arena a;
    TRY(check_name("name", who, f));
    TRY(store_begin(d->store, STORE_WRITE, &tx, f));
    arena_init(&a, 0);
    err e = release_in(tx, ref, who, &a, f);
    arena_deinit(&a);
    return desk_finish(tx, e, f);
}

/* ---- answers ---- */

/* What goes out and what is learned, once everything that was left empty is filled in. */
typedef struct choice {
    str text, label, by;
} choice;

static err check_decision(const desk_decision *decision, fail *f) {
    TRY(check_name("name", decision->by, f));
    TRY(check_name("label", decision->label, f));
    if (decision->text.n > DESK_TEXT_BYTES_MAX)
        return fail_set(f, E_TOO_LARGE, "the answer of %zu bytes is above the limit of %d",
                        decision->text.n, DESK_TEXT_BYTES_MAX);
    return E_OK;
}

static err reply_of(desk *d, str task_id, str label, arena *a, str *out, fail *f) {
    if (!d->reply_text) {
        *out = label;
        return E_OK;
    }
    return d->reply_text(d->reply_self, task_id, label, a, out, f);
}

static err choose(desk *d, const desk_review *r, const desk_decision *given, arena *a, choice *out,
                  fail *f) {
    choice c = {.text = given->text, .label = given->label, .by = given->by};
    if (given->approve && !c.label.n) c.label = r->guess;
    if (!c.text.n && given->approve) c.text = r->draft;
    if (!c.text.n && c.label.n) TRY(reply_of(d, r->task_id, c.label, a, &c.text, f));
    if (!str_trim(c.text).n) {
        if (c.label.n)
            fail_set(f, E_INPUT, "label \"%.*s\" has no approved reply, so the answer needs a text",
                     STR_ARG(c.label));
        else
            fail_set(f, E_INPUT, "review \"%.*s\": there is nothing to send", STR_ARG(r->ref));
        if (f) fail_hint(f, "give the words for this customer: --text");
        return E_INPUT;
    }
    *out = c;
    return E_OK;
}

static err learn(desk *d, store_tx *tx, const desk_row *row, const choice *c, int64_t *id,
                 fail *f) {
    const desk_review *r = &row->review;
    *id = r->label_id;
    if (!c->label.n || (r->label_id && str_eq(c->label, r->label))) return E_OK;
    if (r->label_id && d->labels.forget) TRY(d->labels.forget(d->labels.self, tx, r->label_id, f));
    *id = 0;
    if (!d->labels.learn) return E_OK;
    gen_label label = {.task_id = r->task_id,
                       .text = r->text,
                       .label = c->label,
                       .by = c->by,
                       .source = r->label.n ? STR("correction") : STR("review"),
                       .review = r->ref,
                       .request_id = r->request_id,
                       .at_ms = clock_now_ms()};
    return d->labels.learn(d->labels.self, tx, &label, id, f);
}

static err store_answer(store_tx *tx, const desk_row *row, const choice *c, int64_t label_id,
                        fail *f) {
    store_stmt *q;
    bool more;
    TRY(store_prepare(
        tx,
        "UPDATE desk_review SET status='answered', answer=?2, label=?3, answered_by=?4,"
        " answered_ms=?5, label_id=?6, claimed_by='', claimed_until_ms=0 WHERE id=?1",
        &q, f));
    store_bind_int(q, 1, row->id);
    store_bind_str(q, 2, c->text);
    store_bind_str(q, 3, c->label.n ? c->label : row->review.label);
    store_bind_str(q, 4, c->by.p ? c->by : STR(""));
    store_bind_int(q, 5, clock_now_ms());
    store_bind_int(q, 6, label_id);
    return store_step(q, &more, f);
}

static err answer_in(desk *d, store_tx *tx, str ref, const choice *c, arena *a, int64_t *label_id,
                     fail *f) {
    desk_row row;
    int64_t now_ms = clock_now_ms();
    TRY(desk_row_get(tx, ref, now_ms, a, &row, f));
    if (row.review.status == DESK_ANSWERED) return fail_answered(&row.review, f);
    TRY(check_claim(&row.review, c->by, f));
    TRY(learn(d, tx, &row, c, label_id, f));
    TRY(store_answer(tx, &row, c, *label_id, f));
    return desk_event_put(tx,
                          &(desk_note){.review = row.id,
                                       .at_ms = now_ms,
                                       .what = "answered",
                                       .by = c->by,
                                       .text = c->text,
                                       .label = c->label},
                          f);
}

err desk_answer(desk *d, str ref, const desk_decision *decision, arena *a, desk_outcome *out,
                fail *f) {
    desk_review review;
    choice c;
    store_tx *tx;
    int64_t label_id = 0;
    TRY(check_decision(decision, f));
    TRY(desk_get(d, ref, a, &review, f));
    if (review.status == DESK_ANSWERED) return fail_answered(&review, f);
    TRY(choose(d, &review, decision, a, &c, f));
    TRY(store_begin(d->store, STORE_WRITE, &tx, f));
    err e = answer_in(d, tx, ref, &c, a, &label_id, f);
    TRY(desk_finish(tx, e, f));
    *out = (desk_outcome){.text = c.text, .label_id = label_id};
    return E_OK;
}

/* ---- corrections ---- */

/* An empty text becomes that of another label, where it has one. */
static err choose_correction(desk *d, str ref, const desk_decision *given, arena *a, choice *out,
                             fail *f) {
    desk_review r;
    choice c = {.text = given->text, .label = given->label, .by = given->by};
    TRY(desk_get(d, ref, a, &r, f));
    if (!c.text.n && c.label.n && !str_eq(c.label, r.label))
        TRY(reply_of(d, r.task_id, c.label, a, &c.text, f));
    *out = c;
    return E_OK;
}

static err correct_in(desk *d, store_tx *tx, str ref, const choice *given, arena *a,
                      desk_outcome *out, fail *f) {
    desk_row row;
    choice c = *given;
    int64_t now_ms = clock_now_ms(), label_id;
    TRY(desk_row_get(tx, ref, now_ms, a, &row, f));
    if (row.review.status != DESK_ANSWERED)
        return fail_set(f, E_INPUT,
                        "review \"%.*s\" is not answered yet, so there is nothing to correct",
                        STR_ARG(row.review.ref));
    if (!c.text.n) c.text = row.review.answer;
    TRY(learn(d, tx, &row, &c, &label_id, f));
    TRY(store_answer(tx, &row, &c, label_id, f));
    *out = (desk_outcome){.text = c.text, .label_id = label_id};
    return desk_event_put(tx,
                          &(desk_note){.review = row.id,
                                       .at_ms = now_ms,
                                       .what = "corrected",
                                       .by = c.by,
                                       .text = row.review.answer,
                                       .label = row.review.label},
                          f);
}

err desk_correct(desk *d, str ref, const desk_decision *decision, arena *a, desk_outcome *out,
                 fail *f) {
    store_tx *tx;
    choice c;
    desk_outcome done;
    TRY(check_decision(decision, f));
    if (!decision->text.n && !decision->label.n)
        return fail_set(f, E_INPUT, "a correction needs a text or a label");
    TRY(choose_correction(d, ref, decision, a, &c, f));
    TRY(store_begin(d->store, STORE_WRITE, &tx, f));
    err e = correct_in(d, tx, ref, &c, a, &done, f);
    TRY(desk_finish(tx, e, f));
    *out = done;
    return E_OK;
}

static err unlearn_in(desk *d, store_tx *tx, str ref, str by, arena *a, fail *f) {
    desk_row row;
    store_stmt *q;
    bool more;
    int64_t now_ms = clock_now_ms();
    TRY(desk_row_get(tx, ref, now_ms, a, &row, f));
    if (!row.review.label_id)
        return fail_set(f, E_NOT_FOUND, "nothing was learned from review \"%.*s\"",
                        STR_ARG(row.review.ref));
    if (d->labels.forget) TRY(d->labels.forget(d->labels.self, tx, row.review.label_id, f));
    TRY(store_prepare(tx, "UPDATE desk_review SET label_id=0 WHERE id=?1", &q, f));
    store_bind_int(q, 1, row.id);
    TRY(store_step(q, &more, f));
    return desk_event_put(tx,
                          &(desk_note){.review = row.id,
                                       .at_ms = now_ms,
                                       .what = "unlearned",
                                       .by = by,
                                       .label = row.review.label},
                          f);
}

err desk_unlearn(desk *d, str ref, str by, fail *f) {
    store_tx *tx;
    arena a;
    TRY(check_name("name", by, f));
    TRY(store_begin(d->store, STORE_WRITE, &tx, f));
    arena_init(&a, 0);
    err e = unlearn_in(d, tx, ref, by, &a, f);
    arena_deinit(&a);
    return desk_finish(tx, e, f);
}
