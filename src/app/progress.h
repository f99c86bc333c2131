/* progress.h - a progress line on a terminal: what, share, rate, time left. Silent when stderr is
 * no terminal and for the first half second. One at a time; any thread may call put, main owns it.
 */
#ifndef BANTAM_APP_PROGRESS_H
#define BANTAM_APP_PROGRESS_H

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

typedef enum progress_unit { PROGRESS_COUNT, PROGRESS_BYTES } progress_unit;

typedef struct progress {
    progress_unit unit;
    int64_t start_ns, last_ns;
    bool shown, on;
} progress;

void progress_init(progress *p, progress_unit unit);
/* total 0 = unknown */
void progress_put(progress *p, const char *what, uint64_t done, uint64_t total);
void progress_end(progress *p); /* clears the line */

#endif
