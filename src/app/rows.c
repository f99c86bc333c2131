/* rows.c - see rows.h. */
#include "app/rows.h"

#include "base/file.h"
#include "text/csv.h"

#include <string.h>

err rows_load(arena *a, const char *path, rows_table *out, fail *f) {
    str text;
    rows *r = arena_new(a, rows);
    if (!r) return fail_memory(f, path);
    TRY(file_read(a, path, ROWS_FILE_BYTES_MAX, &text, f));
    TRY(rows_read(a, path, text, r, f));
    if (r->n == 0) return fail_set(f, E_INPUT, "\"%s\" has no rows", path);
    *out = (rows_table){r, r->n};
    return E_OK;
}

err rows_want(const rows_table *t, const char *path, const char *column, fail *f) {
    size_t index;
    return rows_need(t->rows, path, column, &index, f);
}

/* csv_put_safe's apostrophe comes off again, so that what was exported is imported as it was. */
str rows_get(const rows_table *t, size_t row, const char *column) {
    str cell = rows_cell(t->rows, row, column);
    if (cell.n > 1 && cell.p[0] == '\'' && memchr("=+-@\t\r", cell.p[1], 6))
        cell = str_slice(cell, 1, cell.n);
    return str_trim(cell);
}
