/* audit_int.h - what the files of audit/ share: the tables and the moving of a journal into them.
 * Not for other rooms. */
#ifndef BANTAM_AUDIT_AUDIT_INT_H
#define BANTAM_AUDIT_AUDIT_INT_H

#include "audit/audit.h"

#include "audit/audit_journal.h"
#include "base/thread.h"
#include "text/hash.h"

struct audit {
    store *store;
    char folder[FILE_PATH_BYTES];
    int64_t flush_ms;
    mutex move_lock; /* one mover at a time; taken before lock */
    mutex lock;      /* guards what stands below */
    cond changed;
    audit_journal journal; /* opened at the first put */
    bool sync_failed;      /* puts are refused until a move has brought everything to the disk */
    bool stopping;
    audit_health health;
    thread flusher;
};

/* What a journal held. */
typedef struct audit_moved {
    int64_t records; /* whole ones, also those that were in the tables already */
    int64_t damaged; /* pieces that are no record */
    bool torn;       /* the last record was never finished: it was never acknowledged either */
} audit_moved;

typedef struct audit_source {
    int fd;
    const char *name; /* for errors */
    int64_t offset;   /* where to begin; moved on behind what is committed */
    int64_t end;      /* where to stop; < 0 = the end of the file */
    bool final;       /* nobody writes any more: an unfinished record is torn */
} audit_source;
/* Moves whole records into the tables, a batch a transaction, each committed and synced. */
err audit_move(store *s, audit_source *source, audit_moved *out, fail *f) MUST_CHECK;

/* Moves one trace; E_INPUT when it is none (nothing is stored). A known request id is left as it
 * is, also when it was erased. */
err audit_table_put(store_tx *tx, str json, fail *f) MUST_CHECK;

/* What ties a row to the one before it of the same task. */
typedef struct audit_link {
    char digest[HASH_SHA256_HEX_BYTES]; /* of the trace */
    char chain[HASH_SHA256_HEX_BYTES];
} audit_link;
void audit_chain_of(str before, str request_id, str digest, char out[HASH_SHA256_HEX_BYTES]);
err audit_chain_next(store_tx *tx, str task_id, str request_id, str record, audit_link *out,
                     fail *f) MUST_CHECK;

/* The tables, without moving journals first; see audit.h for the rest. */
err audit_table_list(store *s, const audit_filter *filter, arena *mem, audit_row **out, size_t *n,
                     fail *f) MUST_CHECK;
err audit_table_newest(store *s, int64_t *id, fail *f) MUST_CHECK;
err audit_table_get(store *s, str request_id, arena *mem, str *record, fail *f) MUST_CHECK;

#endif
