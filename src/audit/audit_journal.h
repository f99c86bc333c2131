/* audit_journal.h - the journal files: this process's own, and those that lie in the folder.
 *
 * A file journal-PID-TIME-XXXX.log is locked while its process lives (the lock dies with it).
 * Making a file and taking over a dead one happen under the folder's own lock, so that nobody takes
 * a file between its making and its locking. An audit_journal is owned by who holds the audit's
 * lock. */
#ifndef BANTAM_AUDIT_AUDIT_JOURNAL_H
#define BANTAM_AUDIT_AUDIT_JOURNAL_H

#include "base/file.h"

typedef struct audit_journal {
    bool open;
    bool torn; /* a failed write left bytes that could not be cut off */
    char path[FILE_PATH_BYTES];
    file_lock lock; /* and the descriptor */
    int64_t size;   /* whole records */
    int64_t moved;  /* of these, already in the tables */
} audit_journal;

err audit_journal_open(audit_journal *j, const char *folder, fail *f) MUST_CHECK;
/* One write; on failure the file is cut back to its whole records. */
err audit_journal_put(audit_journal *j, str frame, fail *f) MUST_CHECK;
err audit_journal_empty(audit_journal *j, fail *f) MUST_CHECK; /* only when moved == size */
/* Removes the file when everything was moved, else leaves it to whoever comes next. */
void audit_journal_close(audit_journal *j);

/* The folder's lock; waits up to 10 s. */
err audit_folder_lock(file_lock *l, const char *folder, fail *f) MUST_CHECK;
bool audit_journal_name(str name); /* is this a journal's file name? */

#endif
