/* csv.h - tables of text: CSV (RFC 4180) and JSON Lines, read whole, written row by row.
 *
 * Reading: UTF-8 with or without a byte order mark; LF or CRLF; quoted fields may hold separators,
 * doubled quotes and line breaks; an empty line is no row; each row has as many fields as the
 * first. A quote inside an unquoted field, text behind a closing quote and a lone CR are errors.
 * Errors are E_INPUT with line and column (in characters). Cells borrow from the text or lie in the
 * arena. Any thread. Not here: numbers, dates and any guessing of types. */
#ifndef BANTAM_TEXT_CSV_H
#define BANTAM_TEXT_CSV_H

#include "text/json.h"

enum {
    CSV_COLUMNS_MAX = 1024,
    CSV_ROWS_MAX = 8 << 20,
    CSV_FIELD_BYTES_MAX = 4 << 20,
    JSONL_LINE_BYTES_MAX = 64 << 20
};

/* Rows under named columns. Immutable once read. */
typedef struct rows {
    const str *columns; /* [n_columns] */
    size_t n_columns;
    const str *cells;    /* [n, n_columns]; never NULL in .p; "" where absent or null */
    const size_t *lines; /* [n] the line on which a row begins, from 1 */
    size_t n;
} rows;

/* CSV whose first row names the columns. name: for errors, may be NULL. separator: ',' mostly. */
err csv_read(arena *a, const char *name, str text, char separator, rows *out, fail *f) MUST_CHECK;

/* The next object of a JSON Lines text: cuts lines off *rest, skips empty ones, counts *line (start
 * at 0). *out is NULL at the end. */
err jsonl_next(arena *a, const char *name, str *rest, size_t *line, const json **out,
               fail *f) MUST_CHECK;
/* Columns in order of appearance. A string is its text; numbers, true, false as written; null "";
 * arrays and objects as JSON. */
err jsonl_read(arena *a, const char *name, str text, rows *out, fail *f) MUST_CHECK;

/* What a file holds, by its name (.csv .tsv .jsonl .ndjson .json) or else by its first character:
 * '{' is JSON Lines, '[' one JSON array of objects, anything else CSV. */
err rows_read(arena *a, const char *name, str text, rows *out, fail *f) MUST_CHECK;
size_t rows_column(const rows *r, const char *column); /* STR_INDEX_NONE when absent */
/* E_INPUT that names the columns there are. */
err rows_need(const rows *r, const char *name, const char *column, size_t *index,
              fail *f) MUST_CHECK;
str rows_cell(const rows *r, size_t row, const char *column); /* "" when there is none */

/* A field, quoted where it must be, byte for byte what was given. A field that begins with = + - @
 * is a formula to a spreadsheet: where people will open the file there, use csv_put_safe, which
 * puts an apostrophe before such a field (and so does not read back the same). */
void csv_put(buf *b, str field);
void csv_put_safe(buf *b, str field);
void csv_put_row(buf *b, const str *fields, size_t n); /* ends in CRLF, as RFC 4180 wants */

#endif
