/* rows.h - a CSV or JSONL file as rows with named columns, for commands. Lives in the arena. */
#ifndef BANTAM_APP_ROWS_H
#define BANTAM_APP_ROWS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum { ROWS_FILE_BYTES_MAX = 256 << 20 };

struct rows; /* text/csv.h */
typedef struct rows_table {
    const struct rows *rows;
    size_t n;
} rows_table;

err rows_load(arena *a, const char *path, rows_table *out, fail *f) MUST_CHECK;
/* E_INPUT that names the columns there are */
err rows_want(const rows_table *t, const char *path, const char *column, fail *f) MUST_CHECK;
str rows_get(const rows_table *t, size_t row, const char *column); /* trimmed; "" when absent */

#endif
