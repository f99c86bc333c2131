/* audit_table.c - the tables behind the journals: a trace comes in, rows, traces and sums go out.
 *
 * A trace is stored as the JSON it was journalled as, with the columns that are searched and summed
 * beside it; SQLite's JSON functions take those out, so there is one description of a trace, in
 * gen. Erasing empties trace, subject and note and keeps the row: costs stay true, and a journal
 * that still holds the trace cannot bring it back (its id is known). */
#include "audit/audit_int.h"

#include "base/clock.h"

#include <math.h>

enum { LIST_DEFAULT = 50 };

static const store_migration migrations[] = {
    {"audit", 1,
     "CREATE TABLE audit_request("
     " id INTEGER PRIMARY KEY AUTOINCREMENT, request_id TEXT NOT NULL UNIQUE,"
     " at_ms INTEGER NOT NULL, task_id TEXT NOT NULL, task_name TEXT NOT NULL,"
     " subject TEXT NOT NULL, tier TEXT NOT NULL, reason TEXT NOT NULL, label TEXT NOT NULL,"
     " confidence REAL, cost_usd REAL NOT NULL, latency_us INTEGER NOT NULL,"
     " tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL, review TEXT NOT NULL,"
     " digest TEXT NOT NULL, chain TEXT NOT NULL, verdict TEXT NOT NULL DEFAULT '', verdict_ms "
     "INTEGER NOT NULL DEFAULT 0,"
     " verdict_note TEXT NOT NULL DEFAULT '', erased_ms INTEGER NOT NULL DEFAULT 0) STRICT;"
     "CREATE INDEX audit_request_task ON audit_request(task_id, at_ms);"
     "CREATE INDEX audit_request_chain ON audit_request(task_id, id);"
     "CREATE INDEX audit_request_time ON audit_request(at_ms);"
     "CREATE INDEX audit_request_subject ON audit_request(subject) WHERE subject<>'';"
     "CREATE TABLE audit_trace("
     " request INTEGER PRIMARY KEY REFERENCES audit_request(id) ON DELETE CASCADE,"
     " trace TEXT NOT NULL) STRICT;"
     "CREATE TABLE audit_step("
     " request INTEGER NOT NULL REFERENCES audit_request(id) ON DELETE CASCADE,"
     " n INTEGER NOT NULL, tier TEXT NOT NULL, outcome TEXT NOT NULL, reason TEXT NOT NULL,"
     " model TEXT NOT NULL, confidence REAL, threshold REAL, cost_usd REAL NOT NULL,"
     " latency_us INTEGER NOT NULL, tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL,"
     " PRIMARY KEY(request, n)) STRICT, WITHOUT ROWID;"},
    {"audit", 2,
     "ALTER TABLE audit_request ADD COLUMN trace_id TEXT NOT NULL DEFAULT '';"
     "CREATE INDEX audit_request_trace ON audit_request(trace_id) WHERE trace_id<>'';"}};

const store_migration *audit_migrations(size_t *n) {
    *n = sizeof migrations / sizeof *migrations;
    return migrations;
}

/* ---- in ---- */

static err is_trace(store_tx *tx, str record, bool *out, fail *f) {
    store_stmt *q;
    bool row;
    /* in two steps: ->> on what is not JSON is an error, not a NULL */
    TRY(store_prepare(tx,
                      "SELECT CASE WHEN json_valid(?1) THEN"
                      " coalesce(json_type(?1)='object' AND length(?1->>'$.id')>0,0) ELSE 0 END",
                      &q, f));
    store_bind_str(q, 1, record);
    TRY(store_step(q, &row, f));
    *out = store_int(q, 0) != 0;
    store_reset(q);
    return E_OK;
}

/* The link of a chain per task: see audit_chain.c. */
static err put_request(store_tx *tx, const audit_link *link, str record, fail *f) {
    store_stmt *q;
    bool row;
    TRY(store_prepare(tx,
                      "INSERT INTO audit_request(request_id,at_ms,task_id,task_name,subject,tier,"
                      "reason,label,confidence,cost_usd,latency_us,tokens_in,tokens_out,review,"
                      "digest,chain,trace_id) SELECT ?1->>'$.id', coalesce(?1->>'$.at_ms',0),"
                      " coalesce(?1->>'$.task_id',''), coalesce(?1->>'$.task',''),"
                      " coalesce(?1->>'$.subject',''), coalesce(?1->>'$.tier','none'),"
                      " coalesce(?1->>'$.reason',''), coalesce(?1->>'$.label',''),"
                      " ?1->>'$.confidence', coalesce(?1->>'$.cost_usd',0),"
                      " coalesce(?1->>'$.latency_us',0),"
                      " (SELECT coalesce(sum(value->>'$.tokens_in'),0)"
                      "  FROM json_each(?1,'$.steps')),"
                      " (SELECT coalesce(sum(value->>'$.tokens_out'),0)"
                      "  FROM json_each(?1,'$.steps')),"
                      " coalesce(?1->>'$.review',''), ?2, ?3, coalesce(?1->>'$.trace_id','')",
                      &q, f));
    store_bind_str(q, 1, record);
    store_bind_str(q, 2, str_from(link->digest));
    store_bind_str(q, 3, str_from(link->chain));
    return store_step(q, &row, f);
}

static err put_steps(store_tx *tx, int64_t request, str record, fail *f) {
    store_stmt *q;
    bool row;
    TRY(store_prepare(tx,
                      "INSERT INTO audit_step(request,n,tier,outcome,reason,model,confidence,"
                      "threshold,cost_usd,latency_us,tokens_in,tokens_out) SELECT ?2, key,"
                      " coalesce(value->>'$.tier','none'), coalesce(value->>'$.outcome',''),"
                      " coalesce(value->>'$.reason',''), coalesce(value->>'$.model',''),"
                      " value->>'$.confidence', value->>'$.threshold',"
                      " coalesce(value->>'$.cost_usd',0), coalesce(value->>'$.latency_us',0),"
                      " coalesce(value->>'$.tokens_in',0), coalesce(value->>'$.tokens_out',0)"
                      " FROM json_each(?1,'$.steps') WHERE type='object'",
                      &q, f));
    store_bind_str(q, 1, record);
    store_bind_int(q, 2, request);
    return store_step(q, &row, f);
}

static err put_trace(store_tx *tx, int64_t request, str record, fail *f) {
    store_stmt *q;
    bool row;
    TRY(store_prepare(tx, "INSERT INTO audit_trace(request,trace) VALUES(?1,?2)", &q, f));
    store_bind_int(q, 1, request);
    store_bind_str(q, 2, record);
    return store_step(q, &row, f);
}

/* The ids of a trace; *known: its request is in the table already. */
static err read_ids(store_tx *tx, str record, arena *mem, str *task_id, str *request_id,
                    bool *known, fail *f) {
    store_stmt *q;
    bool row;
    TRY(store_prepare(tx,
                      "SELECT coalesce(?1->>'$.task_id',''), ?1->>'$.id',"
                      " EXISTS(SELECT 1 FROM audit_request WHERE request_id=?1->>'$.id')",
                      &q, f));
    store_bind_str(q, 1, record);
    TRY(store_step(q, &row, f));
    TRY(store_str(q, 0, mem, task_id, f));
    TRY(store_str(q, 1, mem, request_id, f));
    *known = store_int(q, 2) != 0;
    return E_OK;
}

static err put_new(store_tx *tx, str record, arena *mem, fail *f) {
    str task_id, request_id;
    bool known;
    audit_link link;
    TRY(read_ids(tx, record, mem, &task_id, &request_id, &known, f));
    if (known) return E_OK;
    TRY(audit_chain_next(tx, task_id, request_id, record, &link, f));
    TRY(put_request(tx, &link, record, f));
    int64_t request = store_last_id(tx);
    TRY(put_trace(tx, request, record, f));
    return put_steps(tx, request, record, f);
}

err audit_table_put(store_tx *tx, str record, fail *f) {
    bool good;
    arena mem;
    TRY(is_trace(tx, record, &good, f));
    if (!good) return fail_set(f, E_INPUT, "a record of %zu bytes is no trace", record.n);
    arena_init(&mem, 1024);
    err e = put_new(tx, record, &mem, f);
    arena_deinit(&mem);
    return e;
}

/* ---- rows ---- */

#define ROW_COLUMNS                                                                              \
    "id, request_id, at_ms, task_id, task_name, trace->>'$.question', trace->>'$.answer', tier," \
    " reason, label, review, confidence, cost_usd, latency_us, tokens_in, tokens_out, verdict, " \
    "trace_id"
#define ROW_WHERE                                                                              \
    " FROM audit_request LEFT JOIN audit_trace ON request=id WHERE (?1='' OR task_name=?1 OR " \
    "task_id=?1) AND (?2='' OR tier=?2)"                                                       \
    " AND (?3='' OR verdict=?3) AND at_ms>=?4 AND (?5=0 OR at_ms<?5) AND erased_ms=0"          \
    " AND (?10='' OR trace->>'$.tenant'=?10)"

static err row_read(store_stmt *q, arena *mem, audit_row *out, fail *f) {
    audit_row r = {.id = store_int(q, 0),
                   .at_ms = store_int(q, 2),
                   .cost_usd = store_double(q, 12),
                   .latency_us = store_int(q, 13),
                   .tokens_in = store_int(q, 14),
                   .tokens_out = store_int(q, 15)};
    str tier;
    const struct {
        int column;
        str *to;
    } texts[] = {{1, &r.request_id}, {3, &r.task_id},  {4, &r.task_name}, {5, &r.question},
                 {6, &r.answer},     {7, &tier},       {8, &r.reason},    {9, &r.label},
                 {10, &r.review},    {16, &r.verdict}, {17, &r.trace_id}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        TRY(store_str(q, texts[i].column, mem, texts[i].to, f));
    r.confidence = store_is_null(q, 11) ? (double)NAN : store_double(q, 11);
    if (!gen_tier_of(tier, &r.tier)) r.tier = GEN_TIER_NONE;
    *out = r;
    return E_OK;
}

static err rows_read(store_tx *tx, const audit_filter *filter, int64_t limit, arena *mem,
                     audit_row **out, size_t *n, fail *f) {
    store_stmt *q;
    bool row;
    size_t count = 0;
    audit_row *list = arena_new_n(mem, audit_row, (size_t)limit);
    if (!list) return fail_memory(f, "a list of requests");
    bool of_trace = filter->trace.n > 0; /* its index is partial: the condition names it */
    TRY(store_prepare(
        tx,
        of_trace ? "SELECT " ROW_COLUMNS ROW_WHERE
                   " AND id>?8 AND trace_id<>'' AND trace_id=?9 ORDER BY id LIMIT ?6 OFFSET ?7"
        : filter->after ? "SELECT " ROW_COLUMNS ROW_WHERE
                          " AND id>?8 ORDER BY id LIMIT ?6 OFFSET ?7"
                        : "SELECT " ROW_COLUMNS ROW_WHERE " ORDER BY id DESC LIMIT ?6 OFFSET ?7",
        &q, f));
    store_bind_str(q, 1, filter->task.p ? filter->task : STR(""));
    store_bind_str(q, 2, filter->tier.p ? filter->tier : STR(""));
    store_bind_str(q, 3, filter->verdict.p ? filter->verdict : STR(""));
    store_bind_int(q, 4, filter->since_ms);
    store_bind_int(q, 5, filter->until_ms);
    store_bind_int(q, 6, limit);
    store_bind_int(q, 7, filter->offset);
    store_bind_str(q, 10, filter->tenant.p ? filter->tenant : STR(""));
    if (filter->after || of_trace) store_bind_int(q, 8, filter->after);
    if (of_trace) store_bind_str(q, 9, filter->trace);
    for (;;) {
        TRY(store_step(q, &row, f));
        if (!row) break;
        TRY(row_read(q, mem, &list[count++], f));
    }
    *out = list;
    *n = count;
    return E_OK;
}

err audit_table_list(store *s, const audit_filter *filter, arena *mem, audit_row **out, size_t *n,
                     fail *f) {
    store_tx *tx;
    if (filter->limit < 0 || filter->limit > AUDIT_LIST_MAX || filter->offset < 0)
        return fail_set(f, E_INPUT, "offset %lld and limit %lld: limit is at most %d, neither < 0",
                        (long long)filter->offset, (long long)filter->limit, AUDIT_LIST_MAX);
    TRY(store_begin(s, STORE_READ, &tx, f));
    err e = rows_read(tx, filter, filter->limit ? filter->limit : LIST_DEFAULT, mem, out, n, f);
    store_rollback(tx);
    return e;
}

err audit_table_newest(store *s, int64_t *id, fail *f) {
    store_tx *tx;
    store_stmt *q;
    bool row;
    TRY(store_begin(s, STORE_READ, &tx, f));
    err e = store_prepare(tx, "SELECT coalesce(max(id),-1) FROM audit_request", &q, f);
    if (e == E_OK) e = store_step(q, &row, f);
    if (e == E_OK) *id = store_int(q, 0);
    store_rollback(tx);
    return e;
}

/* ---- one trace ---- */

/* SQLite adds the verdict to the JSON. */
static err get_in(store_tx *tx, str request_id, arena *mem, str *record, fail *f) {
    store_stmt *q;
    bool row;
    str found;
    TRY(store_prepare(tx,
                      "SELECT CASE WHEN verdict='' OR trace IS NULL THEN trace ELSE "
                      "json_set(trace,'$.verdict',verdict,"
                      "'$.verdict_ms',verdict_ms,'$.verdict_note',verdict_note) END"
                      " FROM audit_request LEFT JOIN audit_trace ON request=id WHERE request_id=?1",
                      &q, f));
    store_bind_str(q, 1, request_id);
    TRY(store_step(q, &row, f));
    str shown = str_slice(request_id, 0, 64);
    if (!row) {
        fail_set(f, E_NOT_FOUND, "there is no record of request \"%.*s\"", STR_ARG(shown));
        if (f) fail_hint(f, "`bantam requests` shows the latest");
        return E_NOT_FOUND;
    }
    TRY(store_str(q, 0, mem, &found, f));
    if (!found.p)
        return fail_set(f, E_NOT_FOUND, "the record of request \"%.*s\" was erased",
                        STR_ARG(shown));
    *record = found;
    return E_OK;
}

err audit_table_get(store *s, str request_id, arena *mem, str *record, fail *f) {
    store_tx *tx;
    TRY(store_begin(s, STORE_READ, &tx, f));
    err e = get_in(tx, request_id, mem, record, f);
    store_rollback(tx);
    return e;
}

err audit_set_verdict(store_tx *tx, str request_id, str verdict, str note, fail *f) {
    static const char *const known[] = {"right", "wrong", "wants_person"};
    bool good = false;
    store_stmt *q;
    bool row;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) good |= str_is(verdict, known[i]);
    if (!good)
        return fail_set(f, E_INPUT, "verdict \"%.*s\" is none of right, wrong, wants_person",
                        STR_ARG(str_slice(verdict, 0, 64)));
    if (note.n > AUDIT_NOTE_BYTES_MAX)
        return fail_set(f, E_TOO_LARGE, "the note of %zu bytes is above the limit of %d", note.n,
                        AUDIT_NOTE_BYTES_MAX);
    TRY(store_prepare(tx,
                      "UPDATE audit_request SET verdict=?2, verdict_note=?3, verdict_ms=?4"
                      " WHERE request_id=?1 AND erased_ms=0",
                      &q, f));
    store_bind_str(q, 1, request_id);
    store_bind_str(q, 2, verdict);
    store_bind_str(q, 3, note.p ? note : STR(""));
    store_bind_int(q, 4, clock_now_ms());
    TRY(store_step(q, &row, f));
    if (store_changes(tx)) return E_OK;
    return fail_set(f, E_NOT_FOUND, "there is no record of request \"%.*s\"",
                    STR_ARG(str_slice(request_id, 0, 64)));
}
