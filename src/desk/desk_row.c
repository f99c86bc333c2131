/* desk_row.c - the tables, one row of them, and its events.
 *
 * Times are milliseconds since 1970. status is what was stored; a claim whose time is up is read as
 * open. `before` is the answer that a customer called wrong, kept while the review waits again. */
#include "desk/desk_int.h"

#include "base/clock.h"
#include "base/rand.h"

#include <math.h>

static const store_migration migrations[] = {
    {"desk", 1,
     "CREATE TABLE desk_review("
     " id INTEGER PRIMARY KEY AUTOINCREMENT, ref TEXT NOT NULL UNIQUE,"
     " request_id TEXT NOT NULL, task_id TEXT NOT NULL, task_name TEXT NOT NULL,"
     " text TEXT NOT NULL, history TEXT NOT NULL, draft TEXT NOT NULL, draft_from TEXT NOT NULL,"
     " guess TEXT NOT NULL, confidence REAL, reason TEXT NOT NULL, evidence TEXT NOT NULL,"
     " status TEXT NOT NULL CHECK(status IN ('open','claimed','answered')),"
     " created_ms INTEGER NOT NULL, expected_minutes INTEGER NOT NULL,"
     " expected_by_ms INTEGER NOT NULL, told INTEGER NOT NULL DEFAULT 1,"
     " claimed_by TEXT NOT NULL DEFAULT '', claimed_until_ms INTEGER NOT NULL DEFAULT 0,"
     " answer TEXT, label TEXT NOT NULL DEFAULT '', answered_by TEXT NOT NULL DEFAULT '',"
     " answered_ms INTEGER NOT NULL DEFAULT 0, label_id INTEGER NOT NULL DEFAULT 0,"
     " reopened INTEGER NOT NULL DEFAULT 0, before TEXT NOT NULL DEFAULT '',"
     " CHECK((status='answered') = (answer IS NOT NULL))) STRICT;"
     "CREATE INDEX desk_review_status ON desk_review(status, id);"
     "CREATE INDEX desk_review_request ON desk_review(request_id);"
     "CREATE TABLE desk_event("
     " id INTEGER PRIMARY KEY, review INTEGER NOT NULL REFERENCES desk_review(id) ON DELETE "
     "CASCADE,"
     " at_ms INTEGER NOT NULL, what TEXT NOT NULL, by TEXT NOT NULL, text TEXT NOT NULL,"
     " label TEXT NOT NULL) STRICT;"
     "CREATE INDEX desk_event_review ON desk_event(review, id);"},
    /* what was asked before belongs to no tenant */
    {"desk", 2, "ALTER TABLE desk_review ADD COLUMN tenant TEXT NOT NULL DEFAULT '';"}};

static const char *const status_names[] = {"open", "claimed", "answered"};

const store_migration *desk_migrations(size_t *n) {
    *n = sizeof migrations / sizeof *migrations;
    return migrations;
}

const char *desk_status_name(desk_status s) {
    CHECK(s <= DESK_ANSWERED);
    return status_names[s];
}

bool desk_status_of(str name, desk_status *out) {
    for (int i = DESK_OPEN; i <= DESK_ANSWERED; i++)
        if (str_is(name, status_names[i])) {
            *out = (desk_status)i;
            return true;
        }
    return false;
}

static gen_reason reason_of(str code) {
    for (int i = 0; i < GEN_REASON_COUNT; i++)
        if (str_is(code, gen_reason_code((gen_reason)i))) return (gen_reason)i;
    return GEN_WHY_NONE; /* a newer program's reason */
}

err desk_row_read(store_stmt *q, int64_t now_ms, arena *a, desk_row *out, fail *f) {
    desk_row row = {.id = store_int(q, 0), .expected_minutes = store_int(q, 1)};
    desk_review *r = &row.review;
    str draft_from, reason, status;
    const struct {
        int column;
        str *to;
    } texts[] = {{2, &row.before}, {3, &r->ref},          {4, &r->request_id},
                 {5, &r->task_id}, {6, &r->task_name},    {7, &r->text},
                 {8, &r->history}, {9, &r->draft},        {10, &draft_from},
                 {11, &r->guess},  {13, &reason},         {14, &r->evidence},
                 {15, &status},    {19, &r->claimed_by},  {21, &r->answer},
                 {22, &r->label},  {23, &r->answered_by}, {27, &r->tenant}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        TRY(store_str(q, texts[i].column, a, texts[i].to, f));
    r->confidence = store_is_null(q, 12) ? (double)NAN : store_double(q, 12);
    r->created_ms = store_int(q, 16);
    r->expected_by_ms = store_int(q, 17);
    r->told = store_int(q, 18);
    r->claimed_until_ms = store_int(q, 20);
    r->answered_ms = store_int(q, 24);
    r->label_id = store_int(q, 25);
    r->reopened = store_int(q, 26);
    r->reason = reason_of(reason);
    if (!gen_tier_of(draft_from, &r->draft_from)) r->draft_from = GEN_TIER_NONE;
    if (!desk_status_of(status, &r->status))
        return fail_set(f, E_CORRUPT, "review \"%.*s\" has an unknown status", STR_ARG(r->ref));
    if (r->status == DESK_CLAIMED && r->claimed_until_ms <= now_ms) {
        r->status = DESK_OPEN;
        r->claimed_by = STR("");
        r->claimed_until_ms = 0;
    }
    r->overdue = r->status != DESK_ANSWERED && (r->told > 1 || r->expected_by_ms <= now_ms);
    *out = row;
    return E_OK;
}

err desk_none(str ref, fail *f) {
    fail_set(f, E_NOT_FOUND, "there is no review \"%.*s\"", STR_ARG(str_slice(ref, 0, 64)));
    if (f) fail_hint(f, "`bantam review list` shows those that wait");
    return E_NOT_FOUND;
}

err desk_row_get(store_tx *tx, str ref, int64_t now_ms, arena *a, desk_row *out, fail *f) {
    store_stmt *q;
    bool found;
    TRY(store_prepare(tx, "SELECT " DESK_COLUMNS " FROM desk_review WHERE ref=?1", &q, f));
    store_bind_str(q, 1, ref);
    TRY(store_step(q, &found, f));
    if (!found) return desk_none(ref, f);
    err e = desk_row_read(q, now_ms, a, out, f);
    store_reset(q);
    return e;
}

err desk_event_put(store_tx *tx, const desk_note *note, fail *f) {
    store_stmt *q;
    bool row;
    TRY(store_prepare(tx,
                      "INSERT INTO desk_event(review,at_ms,what,by,text,label)"
                      " VALUES(?1,?2,?3,?4,?5,?6)",
                      &q, f));
    store_bind_int(q, 1, note->review);
    store_bind_int(q, 2, note->at_ms);
    store_bind_str(q, 3, str_from(note->what));
    store_bind_str(q, 4, note->by.p ? note->by : STR(""));
    store_bind_str(q, 5, note->text.p ? note->text : STR(""));
    store_bind_str(q, 6, note->label.p ? note->label : STR(""));
    return store_step(q, &row, f);
}

static void bind_text(store_stmt *q, int index, str s) {
    store_bind_str(q, index, s.p ? s : STR(""));
}

static err insert_review(store_tx *tx, str ref, const gen_review *r, int64_t minutes, fail *f) {
    store_stmt *q;
    bool row;
    int64_t now_ms = clock_now_ms();
    TRY(store_prepare(tx,
                      "INSERT INTO desk_review(ref,request_id,task_id,task_name,text,history,draft,"
                      "draft_from,guess,confidence,reason,evidence,status,created_ms,"
                      "expected_minutes,expected_by_ms,tenant)"
                      " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,'open',?13,?14,?15,?16)",
                      &q, f));
    bind_text(q, 1, ref);
    bind_text(q, 2, r->request_id);
    bind_text(q, 3, r->task_id);
    bind_text(q, 4, r->task_name);
    bind_text(q, 5, r->text);
    bind_text(q, 6, r->history);
    bind_text(q, 7, r->draft);
    bind_text(q, 8, str_from(gen_tier_name(r->draft_from)));
    bind_text(q, 9, r->label);
    if (isnan(r->confidence))
        store_bind_null(q, 10);
    else
        store_bind_double(q, 10, r->confidence);
    bind_text(q, 11, str_from(gen_reason_code(r->reason)));
    bind_text(q, 12, r->evidence);
    store_bind_int(q, 13, now_ms);
    store_bind_int(q, 14, minutes);
    store_bind_int(q, 15, now_ms + minutes * 60000);
    bind_text(q, 16, r->tenant);
    return store_step(q, &row, f);
}

err desk_open_review(store_tx *tx, const gen_review *review, arena *a, gen_ticket *out, fail *f) {
    enum { TRIES_MAX = 5, MINUTES_MAX = 60 * 24 * 366 };
    char ref[DESK_REF_BYTES + 1];
    int64_t minutes = review->expected_minutes;
    if (minutes <= 0) minutes = DESK_EXPECTED_MINUTES;
    if (minutes > MINUTES_MAX) minutes = MINUTES_MAX;
    err e = E_EXISTS; /* of 31^8 references one may be taken already */
    for (int i = 0; i < TRIES_MAX && e == E_EXISTS; i++) {
        rand_id(ref, DESK_REF_BYTES);
        e = insert_review(tx, str_from(ref), review, minutes, f);
    }
    if (e != E_OK) return e;
    int64_t now_ms = clock_now_ms();
    TRY(desk_event_put(
        tx, &(desk_note){.review = store_last_id(tx), .at_ms = now_ms, .what = "opened"}, f));
    str copy = arena_str(a, str_from(ref));
    if (!copy.p) return fail_memory(f, "a review");
    *out = (gen_ticket){.ref = copy, .expected_by_ms = now_ms + minutes * 60000};
    return E_OK;
}

err desk_finish(store_tx *tx, err e, fail *f) {
    if (e == E_OK) return store_commit(tx, f);
    store_rollback(tx);
    return e;
}
