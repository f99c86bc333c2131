/* rows.c - see rows.h. */
#include "app/rows.h"

#include "base/file.h"
#include "text/csv.h"

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

str rows_get(const rows_table *t, size_t row, const char *column) {
    return str_trim(rows_cell(t->rows, row, column));
}
