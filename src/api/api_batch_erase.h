/* api_batch_erase.h - what batches and their files hold of one person, for whoever erases it. */
#ifndef BANTAM_API_API_BATCH_ERASE_H
#define BANTAM_API_API_BATCH_ERASE_H

#include "keep/keep.h"

typedef struct api_batch_erased {
    int64_t lines;      /* of open batches */
    int64_t file_lines; /* taken out of input, output and error files */
    const str *uncut;   /* [n_uncut] refs of files that hold the name and cannot be cut: of another
                           purpose, or with lines that are no JSON */
    size_t n_uncut;
} api_batch_erased;

/* requests [n]: ids of the requests that are erased of the record. A line of a batch is the
 * subject's when its body says so (user, safety_identifier), as a request would; a line of an
 * output or error file when its request is one of those, or its custom_id one of the subject's in
 * the batch's input. Inside the caller's transaction. */
err api_batch_erase(store_tx *tx, str subject, const str *requests, size_t n, arena *a,
                    api_batch_erased *out, fail *f) MUST_CHECK;

#endif
