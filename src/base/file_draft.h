/* file_draft.h - a file that is written bit by bit and appears under its name only when it is
 * whole.
 *
 *   open ("PATH.tmp-PID") -> put* -> keep (fsync, rename, fsync of the folder) | drop (removed)
 *
 * For files too large for file_write. One thread. A draft whose process is killed leaves its
 * ".tmp-PID" file; the name itself is never half-written. */
#ifndef BANTAM_BASE_FILE_DRAFT_H
#define BANTAM_BASE_FILE_DRAFT_H

#include "base/file.h"

typedef struct file_draft {
    int fd; /* -1 = not open */
    char path[FILE_PATH_BYTES], temp[FILE_PATH_BYTES];
} file_draft;

/* Can there be a file of this name? To be asked before long work; file_draft_open asks, too. What is
 * neither a file nor absent is refused: a rename would replace a device by a file. */
err file_draft_check(const char *path, fail *f) MUST_CHECK;
err file_draft_open(file_draft *d, const char *path, fail *f) MUST_CHECK;
err file_draft_put(file_draft *d, str bytes, fail *f) MUST_CHECK;
/* Sync and close, still under the temporary name: after it only a rename can fail. */
err file_draft_seal(file_draft *d, fail *f) MUST_CHECK;
/* Seals it where that has not been done and gives it its name. */
err file_draft_keep(file_draft *d, fail *f) MUST_CHECK;
/* Removes what has not been kept; a draft that was never opened must be {.fd = -1}. */
void file_draft_drop(file_draft *d);

#endif
