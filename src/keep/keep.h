/* keep.h - what the API keeps for its clients: responses with their items, files, batches, jobs
 * that run without a connection, and answers under an Idempotency-Key.
 *
 * A row belongs to a tenant, and is found by that tenant alone: to any other it is E_NOT_FOUND.
 * Functions that take a store_tx write inside the caller's transaction, so that one commit holds an
 * answer, its items and its key; what is committed is on the disk. Nothing here knows HTTP: bodies
 * and objects are text, their shape is the caller's.
 *
 *   job:    QUEUED -> DONE | CANCELLED | EXPIRED   (who runs it is no row's matter: a job whose
 *           process was killed is QUEUED still, and only the first end of a job counts)
 *   batch:  validating -> in_progress -> completed | expired;  validating -> failed;
 *           in_progress -> cancelling -> cancelled
 *
 * Threads: any; every function is one transaction or part of the caller's. Memory: results live in
 * the arena. */
#ifndef BANTAM_KEEP_KEEP_H
#define BANTAM_KEEP_KEEP_H

#include "base/buf.h"
#include "store/store.h"

#define KEEP_DAY_MS ((int64_t)86400000)

enum {
    KEEP_REF_BYTES = 40,
    KEEP_ITEMS_MAX = 4096,          /* of one chain of responses */
    KEEP_CHAIN_MAX = 512,           /* responses, each the next one's previous */
    KEEP_FILE_BYTES_MAX = 32 << 20, /* of an upload */
    KEEP_CHUNK_BYTES = 1 << 20,
    KEEP_FILES_MAX = 10000,
    KEEP_NAME_BYTES_MAX = 255,
    KEEP_LINES_MAX = 50000, /* of a batch */
    KEEP_BATCHES_OPEN_MAX = 64,
    KEEP_JOBS_MAX = 10000, /* queued, but for the lines of batches */
    KEEP_LIST_MAX = 1000
};
#define KEEP_FILES_BYTES_MAX ((int64_t)4 << 30) /* of all files together */
#define KEEP_RESPONSE_MS (30 * KEEP_DAY_MS)
#define KEEP_BATCH_MS (30 * KEEP_DAY_MS) /* and the files it made */
#define KEEP_WINDOW_MS KEEP_DAY_MS       /* a batch's lines that have not run by then expire */
#define KEEP_ONCE_MS KEEP_DAY_MS
#define KEEP_JOB_MS KEEP_DAY_MS

const store_migration *keep_migrations(size_t *n);

/* prefix and 24 characters: "resp_...". At most KEEP_REF_BYTES - 26 of prefix. */
void keep_ref(const char *prefix, char out[KEEP_REF_BYTES]);
/* Ends tx: commits when e is E_OK, else rolls back. Returns the first error. */
err keep_finish(store_tx *tx, err e, fail *f) MUST_CHECK;

/* Who asked, so that what runs later runs as theirs. */
typedef struct keep_owner {
    int64_t kind, id, scopes, role; /* as the caller numbers them */
    str name, tenant;
} keep_owner;

/* A page of a list: newest first unless ascending; after "" = from the beginning. */
typedef struct keep_page {
    str tenant, after;
    int64_t limit;
    bool ascending;
} keep_page;

/* ---- responses --------------------------------------------------------------------------------*/

typedef struct keep_response {
    int64_t id; /* of the row */
    str ref, tenant, subject;
    str previous;       /* ref; "" none */
    const char *status; /* written; when read it lives in the arena */
    str object;         /* JSON */
    int64_t created_ms, expires_ms;
} keep_response;

typedef enum keep_side { KEEP_INPUT, KEEP_OUTPUT } keep_side;

typedef struct keep_item {
    str ref;
    keep_side side;
    str text; /* JSON of the item */
} keep_item;

/* Sets r->id. */
err keep_response_add(store_tx *tx, keep_response *r, fail *f) MUST_CHECK;
err keep_response_id(store_tx *tx, str ref, int64_t *id, fail *f) MUST_CHECK;
/* Appends behind the items of that side. */
err keep_item_add(store_tx *tx, int64_t response, const keep_item *items, size_t n,
                  fail *f) MUST_CHECK;
/* Only while its status is `from` ("" = any): *changed says whether. */
err keep_response_set(store_tx *tx, str ref, const char *from, const char *status, str object,
                      bool *changed, fail *f) MUST_CHECK;
err keep_response_get(store *s, str tenant, str ref, arena *a, keep_response *out,
                      fail *f) MUST_CHECK;
err keep_response_delete(store *s, str tenant, str ref, fail *f) MUST_CHECK;
/* Input, then output, of each response from the first of the chain down to ref. A missing link is
 * E_NOT_FOUND, more than the limits hold E_TOO_LARGE. */
err keep_chain(store *s, str tenant, str ref, arena *a, keep_item **out, size_t *n,
               fail *f) MUST_CHECK;
/* The latest item of that ref. */
err keep_item_get(store *s, str tenant, str ref, arena *a, keep_item *out, fail *f) MUST_CHECK;
/* Input items of one response, in order. */
err keep_item_list(store *s, str tenant, str response, arena *a, keep_item **out, size_t *n,
                   fail *f) MUST_CHECK;

/* ---- files ------------------------------------------------------------------------------------*/

typedef struct keep_file {
    int64_t id;
    str ref, tenant, name, purpose;
    int64_t bytes, created_ms;
    int64_t expires_ms; /* 0 = never */
} keep_file;

/* A file written piece by piece inside one transaction. */
typedef struct keep_writer {
    store_tx *tx;
    keep_file *file;
    buf chunk;
    int64_t ord;
} keep_writer;
/* Fills in file->ref, id and created_ms; E_LIMIT or E_NO_SPACE when there is no room for it. */
err keep_file_begin(keep_writer *w, store_tx *tx, keep_file *file, fail *f) MUST_CHECK;
err keep_file_put(keep_writer *w, str bytes, fail *f) MUST_CHECK;
err keep_file_end(keep_writer *w, fail *f) MUST_CHECK; /* sets file->bytes */
void keep_file_drop(keep_writer *w);                   /* always, at last; frees memory alone */

err keep_file_get(store *s, str tenant, str ref, arena *a, keep_file *out, fail *f) MUST_CHECK;
err keep_file_delete(store *s, str tenant, str ref, fail *f) MUST_CHECK;
/* purpose "" = any */
err keep_file_list(store *s, const keep_page *page, str purpose, arena *a, keep_file **out,
                   size_t *n, bool *more, fail *f) MUST_CHECK;
/* The bytes from ord * KEEP_CHUNK_BYTES on, at most one chunk; *out "" behind the end. */
err keep_file_chunk(store *s, int64_t file, int64_t ord, arena *a, str *out, fail *f) MUST_CHECK;
/* All of it; E_TOO_LARGE above KEEP_FILE_BYTES_MAX. */
err keep_file_read(store *s, const keep_file *file, arena *a, str *out, fail *f) MUST_CHECK;

/* ---- jobs -------------------------------------------------------------------------------------*/

typedef enum keep_kind { KEEP_ASYNC, KEEP_RESPONSE, KEEP_LINE } keep_kind;
typedef enum keep_state { KEEP_QUEUED, KEEP_DONE, KEEP_CANCELLED, KEEP_EXPIRED } keep_state;

/* A request that runs without its client. */
typedef struct keep_job {
    int64_t id;
    keep_kind kind;
    str ref; /* unique; a background response's own */
    keep_owner owner;
    str subject;
    str path, body; /* of the request */
    int64_t batch;  /* KEEP_LINE: the row of its batch; else 0 */
    int64_t ord;    /* line, from 0 */
    str custom;     /* custom_id */
    keep_state state;
    int64_t status; /* HTTP status of the answer */
    str answer;     /* its body */
    str request;    /* id of the request that gave it */
    int64_t created_ms, ended_ms;
    int64_t expires_ms; /* when the row goes */
} keep_job;

/* Sets j->id. false in *added: a line of this batch has that custom_id. E_LIMIT: too many wait. */
err keep_job_add(store_tx *tx, keep_job *j, bool *added, fail *f) MUST_CHECK;
/* The first queued one that is not among busy [n]: those with a client before lines (lines: only
 * those), older first. */
err keep_job_next(store *s, bool lines, const int64_t *busy, size_t n, arena *a, keep_job *out,
                  bool *found, fail *f) MUST_CHECK;
/* Ends a queued job; *changed false when it had ended before (or is gone). */
err keep_job_end(store_tx *tx, const keep_job *j, bool *changed, fail *f) MUST_CHECK;
err keep_job_get(store *s, str tenant, str ref, arena *a, keep_job *out, fail *f) MUST_CHECK;
err keep_job_delete(store_tx *tx, str tenant, str ref, fail *f) MUST_CHECK;

/* ---- batches ----------------------------------------------------------------------------------*/

typedef struct keep_batch {
    int64_t id;
    str ref;
    keep_owner owner;
    str endpoint, input;  /* path, ref of the file */
    str output, failures; /* refs of the files made; "" none */
    str status;
    str metadata; /* JSON or "" */
    str problems; /* JSON array of what was wrong with the input; "" none */
    int64_t total, done, failed;
    int64_t created_ms, started_ms, finalizing_ms, ended_ms, cancelling_ms, expires_ms;
} keep_batch;

err keep_batch_add(store_tx *tx, keep_batch *b, fail *f) MUST_CHECK; /* sets ref and id */
/* Counts as they are now. */
err keep_batch_get(store *s, str tenant, str ref, arena *a, keep_batch *out, fail *f) MUST_CHECK;
err keep_batch_list(store *s, const keep_page *page, arena *a, keep_batch **out, size_t *n,
                    bool *more, fail *f) MUST_CHECK;
/* What somebody must see to: one that is to be validated, or whose lines have all ended or are
 * past their time. *found false: none. */
err keep_batch_next(store *s, int64_t now_ms, arena *a, keep_batch *out, bool *found,
                    fail *f) MUST_CHECK;
/* validating -> in_progress (lines were added) or failed (problems). */
err keep_batch_start(store_tx *tx, const keep_batch *b, bool ok, fail *f) MUST_CHECK;
/* -> cancelling, and its queued lines with it; E_EXISTS when it has ended. */
err keep_batch_cancel(store *s, str tenant, str ref, fail *f) MUST_CHECK;
/* Lines that wait still are expired. */
err keep_batch_expire(store *s, int64_t batch, fail *f) MUST_CHECK;
/* The ended lines in order, after ord; *n = 0 at the end. */
err keep_batch_lines(store_tx *tx, int64_t batch, int64_t after, int64_t limit, arena *a,
                     keep_job **out, size_t *n, fail *f) MUST_CHECK;
/* b's files, counts and status are the last word; its lines are deleted. */
err keep_batch_end(store_tx *tx, const keep_batch *b, fail *f) MUST_CHECK;

/* ---- once -------------------------------------------------------------------------------------*/

/* An answer that is given again to whoever sends the same key. */
typedef struct keep_once {
    str actor, key;
    str digest; /* of the request */
    int64_t status;
    str location; /* header; "" none */
    str answer;
    str subject;
} keep_once;

err keep_once_find(store *s, str actor, str key, arena *a, keep_once *out, bool *found,
                   fail *f) MUST_CHECK;
err keep_once_add(store_tx *tx, const keep_once *o, fail *f) MUST_CHECK;

/* ---- housekeeping -----------------------------------------------------------------------------*/

/* Deletes what is past its time. *n: rows. */
err keep_forget(store *s, int64_t now_ms, int64_t *n, fail *f) MUST_CHECK;
/* Everything that names this subject: responses, jobs that are no batch's lines, kept answers. */
err keep_erase_subject(store_tx *tx, str subject, int64_t *n, fail *f) MUST_CHECK;

/* A line of an open batch, as it was before it was erased. */
typedef struct keep_line {
    int64_t job, batch, status;
    keep_state state;
    str custom, request; /* custom_id; id of the request that answered it, "" none */
    str input;           /* ref of the batch's file */
} keep_line;
/* The lines of open batches that name this subject end with end's answer and status, whatever they
 * were answered with; one that is running ends so, too. *out [n]. */
err keep_erase_lines(store_tx *tx, str subject, const keep_job *end, arena *a, keep_line **out,
                     size_t *n, fail *f) MUST_CHECK;
/* Every file of every tenant. */
err keep_file_all(store_tx *tx, arena *a, keep_file **out, size_t *n, fail *f) MUST_CHECK;
/* Ref of the input of the batch that made this file; "" none. */
err keep_file_of_batch(store_tx *tx, str file, arena *a, str *input, fail *f) MUST_CHECK;
/* Is this line, without white space around it, to go? Asked twice of each, with the same answer. */
typedef bool (*keep_line_goes)(void *ctx, str line);
/* Takes lines out of a file; *lines: how many. Lines of at most KEEP_FILE_BYTES_MAX. */
err keep_file_cut(store_tx *tx, const keep_file *file, keep_line_goes goes, void *ctx,
                  int64_t *lines, fail *f) MUST_CHECK;

#endif
