/* audit.h - the record of every request.
 *
 *     audit_put: one write(2) to this process's journal file ... the request may be answered
 *                      |  flusher thread, at most every flush_ms: fsync, then one transaction
 *                      v
 *     tables audit_request, audit_step in the store; the journal is emptied
 *
 * A killed process loses nothing: its journal is moved into the tables by whoever comes next
 * (idempotent by request id). A power cut loses at most the last group. A torn or damaged record is
 * cut out, counted and logged, and the file is kept beside as NAME.damaged. Several processes
 * append at once: each has its own file, locked while it lives. When a trace cannot be written
 * (full disk), audit_put fails, and the request must fail rather than be answered without a record.
 *
 * Any thread. Reading calls move the journals first, so that what was acknowledged is found; as
 * they write, never call them while holding a write transaction. Nothing of a question or answer is
 * ever logged. Not here: who may read, prices, what people decided later (desk). */
#ifndef BANTAM_AUDIT_AUDIT_H
#define BANTAM_AUDIT_AUDIT_H

#include "gen/gen.h"
#include "store/store.h"

enum {
    AUDIT_FLUSH_MS = 200,
    AUDIT_TRACE_BYTES_MAX = 1 << 20, /* one trace as JSON; a larger one is E_TOO_LARGE */
    AUDIT_NOTE_BYTES_MAX = 4096,     /* of a verdict */
    AUDIT_LIST_MAX = 1000
};

typedef struct audit audit;

typedef struct audit_options {
    store *store;
    const char *folder; /* for journals; made when absent */
    int64_t flush_ms;   /* 0 = AUDIT_FLUSH_MS */
    bool background; /* true: a flusher thread (server); false: the journal moves at reads and close
                      */
} audit_options;

const store_migration *audit_migrations(size_t *n);

/* Moves journals that dead processes left. */
err audit_open(audit **out, const audit_options *o, fail *f) MUST_CHECK;
void audit_close(audit *a); /* moves what is left; what cannot be moved stays for the next open */

/* Keeps one trace; on E_OK it survives a kill of this process. */
err audit_put(audit *a, const gen_trace *t, fail *f) MUST_CHECK;
/* Runs the stages below, then keeps x->trace (made here when it is NULL), also of a request that
 * failed. A request whose record cannot be kept fails. */
gen_stage audit_stage(audit *a);
/* Moves every journal into the tables now, those of other living processes as well. */
err audit_settle(audit *a, fail *f) MUST_CHECK;

/* ---- reading ----------------------------------------------------------------------------------*/

typedef struct audit_row {
    int64_t id; /* grows; for `after` */
    str request_id;
    str trace_id; /* W3C; "" none */
    int64_t at_ms;
    str task_id, task_name;
    str question, answer; /* .p NULL when a person must answer or it was erased */
    gen_tier tier;
    str reason, label, review; /* reason as its code */
    double confidence;         /* NAN none */
    double cost_usd;
    int64_t latency_us, tokens_in, tokens_out;
    str verdict; /* "" none, "right", "wrong", "wants_person" */
} audit_row;

typedef struct audit_filter {
    str task;                   /* name or id; "" all */
    str tier;                   /* "slm"; "" all */
    str verdict;                /* "" all */
    str tenant;                 /* "" all */
    str trace;                  /* W3C trace id, 32 hexadecimal digits: oldest first; "" all */
    int64_t since_ms, until_ms; /* 0 = open */
    int64_t after;              /* follow: rows with a larger id, oldest first; 0 = newest first */
    int64_t offset, limit;      /* limit 0 = 50 */
} audit_filter;
err audit_list(audit *a, const audit_filter *filter, arena *mem, audit_row **out, size_t *n,
               fail *f) MUST_CHECK;
/* Where to begin to follow, for `after`: the newest row's id, -1 when there is none yet. */
err audit_newest(audit *a, int64_t *id, fail *f) MUST_CHECK;
/* The trace as gen_trace_put_json wrote it, with "verdict" added when there is one. E_NOT_FOUND. */
err audit_get(audit *a, str request_id, arena *mem, str *record, fail *f) MUST_CHECK;
void audit_row_put_json(json_writer *w, const audit_row *r);

typedef struct audit_sum {
    int64_t from_ms; /* start of the period, UTC */
    gen_tier tier;
    int64_t requests; /* that this tier decided */
    int64_t asked;    /* steps in which it was really asked */
    double cost_usd;  /* assumed, of those steps */
    int64_t tokens_in, tokens_out;
    int64_t wrong;          /* of its requests, how many customers called wrong */
    double latency_us_mean; /* over its requests */
} audit_sum;
typedef struct audit_scope {
    str task;   /* name or id; "" all */
    str tenant; /* "" all; else without what was erased: it has no tenant any more */
    int64_t since_ms, until_ms; /* 0 = open */
    int64_t period_ms;          /* 86400000 = by day; 0 = one period */
} audit_scope;
/* Sorted by period, then tier. */
err audit_sums(audit *a, const audit_scope *of, arena *mem, audit_sum **out, size_t *n,
               fail *f) MUST_CHECK;

typedef struct audit_check {
    int64_t rows, bad; /* bad: altered, or beside one that was taken out or put in */
    str first_bad;     /* request id; .p NULL when all are good */
    str head;          /* the chain's end: kept outside, it shows a record that was rewritten */
} audit_check;
/* Walks a task's records by their chain of SHA-256; "" = requests of no task. */
err audit_verify(audit *a, str task_id, arena *mem, audit_check *out, fail *f) MUST_CHECK;

/* ---- changing ---------------------------------------------------------------------------------*/

/* The customer's verdict, inside the caller's transaction; call audit_get or audit_settle before
 * it begins. E_NOT_FOUND when there is no such request, E_INPUT for another word. */
err audit_set_verdict(store_tx *tx, str request_id, str verdict, str note, fail *f) MUST_CHECK;
/* Deletes what is older, from the front of the chain on; task_id "" = requests of no task. *n: how
 * many. */
err audit_forget_before(audit *a, str task_id, int64_t before_ms, int64_t *n, fail *f) MUST_CHECK;
/* Erases the content of one request. */
err audit_erase_request(audit *a, str request_id, fail *f) MUST_CHECK;
/* Of all of a subject, inside the caller's transaction, so that other rooms can follow in it; call
 * audit_settle before it begins. *ids: which, in mem. */
err audit_erase_subject(store_tx *tx, str subject, arena *mem, str **ids, size_t *n,
                        fail *f) MUST_CHECK;

/* ---- health -----------------------------------------------------------------------------------*/

typedef struct audit_health {
    int64_t kept;          /* traces put since open */
    int64_t journal_bytes; /* not yet in the tables */
    int64_t imported;      /* found in journals of dead processes */
    int64_t damaged;       /* records cut out of them */
    bool syncing; /* false: the disk refused the last sync; puts are refused until it works */
} audit_health;
void audit_get_health(audit *a, audit_health *out);
bool audit_try_health(audit *a, audit_health *out); /* false instead of waiting for the lock */

#endif
