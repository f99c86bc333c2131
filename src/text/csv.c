/* csv.c - the CSV reader and writer; see csv.h. One pass; cells gather in one growing block that is
 * copied into the arena at the end. A quoted field without doubled quotes is a piece of the text.
 */
#include "text/csv.h"

#include "base/mem.h"
#include "text/utf8.h"

#include <string.h>

typedef struct reader {
    arena *arena;
    const char *name;
    str text;
    size_t at;
    size_t line, line_start; /* of `at`; start = index of the line's first byte */
    char separator;
    str *cells;
    size_t n, cap;
    size_t *lines;
    size_t n_lines, lines_cap;
} reader;

static err read_fail(const reader *r, size_t at, fail *f, const char *what) {
    size_t column = 1 + utf8_count(str_slice(r->text, r->line_start, at));
    if (!r->name) return fail_set(f, E_INPUT, "line %zu, column %zu: %s", r->line, column, what);
    return fail_set(f, E_INPUT, "\"%s\" line %zu, column %zu: %s", r->name, r->line, column, what);
}

static bool grow(void **block, size_t *cap, size_t size) {
    size_t wider = *cap ? *cap * 2 : 256, bytes;
    void *p = mem_size(wider, size, &bytes) ? mem_resize(*block, bytes) : NULL;
    if (!p) return false;
    *block = p;
    *cap = wider;
    return true;
}

static err put_cell(reader *r, str cell, fail *f) {
    if (cell.n > CSV_FIELD_BYTES_MAX)
        return read_fail(r, r->at, f, "a field of more than 4 MiB ends here");
    void *block = r->cells;
    if (r->n == r->cap && !grow(&block, &r->cap, sizeof *r->cells))
        return fail_memory(f, "the rows of a table");
    r->cells = block;
    r->cells[r->n++] = cell;
    return E_OK;
}

static err put_line(reader *r, fail *f) {
    void *block = r->lines;
    if (r->n_lines > CSV_ROWS_MAX) return read_fail(r, r->at, f, "more than 8,388,608 rows");
    if (r->n_lines == r->lines_cap && !grow(&block, &r->lines_cap, sizeof *r->lines))
        return fail_memory(f, "the rows of a table");
    r->lines = block;
    r->lines[r->n_lines++] = r->line;
    return E_OK;
}

static str undouble(reader *r, size_t from, size_t to) {
    char *p = arena_alloc(r->arena, to - from + 1);
    size_t n = 0;
    if (!p) return STR_NONE;
    for (size_t i = from; i < to; i++) {
        p[n++] = r->text.p[i];
        if (r->text.p[i] == '"') i++;
    }
    return (str){p, n};
}

/* At the opening quote; ends behind the closing one. */
static err read_quoted(reader *r, str *out, fail *f) {
    const reader opening = *r;
    size_t from = ++r->at;
    bool doubled = false;
    for (;; r->at++) {
        if (r->at >= r->text.n)
            return read_fail(&opening, opening.at, f, "this quoted field is never closed");
        char c = r->text.p[r->at];
        if (c == '\n') {
            r->line++;
            r->line_start = r->at + 1;
        }
        if (c != '"') continue;
        if (r->at + 1 >= r->text.n || r->text.p[r->at + 1] != '"') break;
        doubled = true;
        r->at++;
    }
    *out = doubled ? undouble(r, from, r->at) : str_slice(r->text, from, r->at);
    r->at++;
    return out->p ? E_OK : fail_memory(f, "a field of a table");
}

static bool ends_field(const reader *r) {
    char c = r->at < r->text.n ? r->text.p[r->at] : '\n';
    return c == r->separator || c == '\n' || c == '\r';
}

static err read_plain(reader *r, str *out, fail *f) {
    size_t from = r->at;
    for (; !ends_field(r); r->at++)
        if (r->text.p[r->at] == '"')
            return read_fail(r, r->at, f,
                             "a quote inside an unquoted field (quote the field and double it)");
    *out = str_slice(r->text, from, r->at);
    return E_OK;
}

static err read_field(reader *r, str *out, fail *f) {
    if (r->at >= r->text.n || r->text.p[r->at] != '"') return read_plain(r, out, f);
    TRY(read_quoted(r, out, f));
    return ends_field(r) ? E_OK
                         : read_fail(r, r->at, f, "text behind the closing quote of a field");
}

/* Takes LF or CRLF, or stands at the end of the text. */
static err take_line_end(reader *r, fail *f) {
    if (r->at < r->text.n && r->text.p[r->at] == '\r') {
        if (r->at + 1 < r->text.n && r->text.p[r->at + 1] != '\n')
            return read_fail(r, r->at, f, "a carriage return without a line feed");
        r->at++;
    }
    if (r->at < r->text.n) r->at++;
    r->line++;
    r->line_start = r->at;
    return E_OK;
}

static bool at_empty_line(const reader *r) {
    char c = r->text.p[r->at];
    return c == '\n' || (c == '\r' && (r->at + 1 == r->text.n || r->text.p[r->at + 1] == '\n'));
}

/* One row's fields; `want` is the number of columns, 0 for the first row. */
static err read_row(reader *r, size_t want, fail *f) {
    size_t count = 0;
    TRY(put_line(r, f));
    for (bool more = true; more; count++) {
        str field = STR_NONE;
        if (count == CSV_COLUMNS_MAX) return read_fail(r, r->at, f, "more than 1024 columns");
        if (want && count == want)
            return read_fail(r, r->at, f, "this row has more fields than the first one");
        TRY(read_field(r, &field, f));
        TRY(put_cell(r, field, f));
        more = r->at < r->text.n && r->text.p[r->at] == r->separator;
        if (more) r->at++;
    }
    if (want && count < want)
        return read_fail(r, r->at, f, "this row has fewer fields than the first one");
    return take_line_end(r, f);
}

static err check_columns(const reader *r, size_t n, fail *f) {
    for (size_t i = 0; i < n; i++) {
        r->cells[i] = str_trim(r->cells[i]);
        for (size_t k = 0; k < i; k++)
            if (r->cells[i].n && str_eq(r->cells[i], r->cells[k]))
                return fail_set(f, E_INPUT, "%s: two columns are called \"%.*s\"",
                                r->name ? r->name : "table",
                                STR_ARG(str_slice(r->cells[i], 0, 80)));
    }
    return E_OK;
}

static err read_all(reader *r, rows *out, fail *f) {
    size_t columns = 0;
    while (r->at < r->text.n) {
        if (at_empty_line(r)) {
            TRY(take_line_end(r, f));
            continue;
        }
        TRY(read_row(r, columns, f));
        if (columns) continue;
        columns = r->n;
        TRY(check_columns(r, columns, f));
    }
    if (columns == 0)
        return read_fail(r, r->at, f, "the table is empty; its first row names columns");
    str *cells = arena_new_n(r->arena, str, r->n);
    size_t *lines = arena_new_n(r->arena, size_t, r->n_lines);
    if (!cells || !lines) return fail_memory(f, "the rows of a table");
    memcpy(cells, r->cells, r->n * sizeof *cells);
    memcpy(lines, r->lines, r->n_lines * sizeof *lines);
    *out = (rows){.columns = cells,
                  .n_columns = columns,
                  .cells = cells + columns,
                  .lines = lines + 1,
                  .n = r->n_lines - 1};
    return E_OK;
}

/* The place of the first byte that is not UTF-8. */
static err bad_bytes(reader *r, size_t at, fail *f) {
    for (size_t i = 0; i < at; i++) {
        if (r->text.p[i] != '\n') continue;
        r->line++;
        r->line_start = i + 1;
    }
    read_fail(r, at, f, "bytes that are not UTF-8");
    fail_hint(f, "save the file as UTF-8 (in a spreadsheet: \"CSV UTF-8\")");
    return E_INPUT;
}

err csv_read(arena *a, const char *name, str text, char separator, rows *out, fail *f) {
    if (str_starts(text, STR("\xEF\xBB\xBF"))) text = str_slice(text, 3, text.n);
    if (!text.p) text = STR("");
    reader r = {.arena = a, .name = name, .text = text, .line = 1, .separator = separator};
    size_t bad = utf8_bad_at(text);
    if (bad != STR_INDEX_NONE) return bad_bytes(&r, bad, f);
    err e = read_all(&r, out, f);
    mem_free(r.cells);
    mem_free(r.lines);
    return e;
}

/* ---- writing ----------------------------------------------------------------------------------
 */

static bool needs_quotes(str s) {
    if (s.n == 0) return false;
    if (str_starts(s, STR("\xEF\xBB\xBF"))) return true; /* or a reader takes it off as a mark */
    if (s.p[0] == ' ' || s.p[s.n - 1] == ' ' || s.p[0] == '\t') return true;
    for (size_t i = 0; i < s.n; i++)
        if (memchr(",\";\r\n\t", s.p[i], 6)) return true;
    return false;
}

static void put_quoted(buf *b, const char *before, str s) {
    buf_put_char(b, '"');
    buf_put_z(b, before);
    for (str rest = s; rest.p;) {
        buf_put(b, str_cut(&rest, '"'));
        if (rest.p) buf_put(b, STR("\"\""));
    }
    buf_put_char(b, '"');
}

void csv_put(buf *b, str field) {
    if (needs_quotes(field))
        put_quoted(b, "", field);
    else
        buf_put(b, field);
}

void csv_put_safe(buf *b, str field) {
    if (field.n && memchr("=+-@\t\r", field.p[0], 6))
        put_quoted(b, "'", field);
    else
        csv_put(b, field);
}

void csv_put_row(buf *b, const str *fields, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (i) buf_put_char(b, ',');
        /* a row of one empty field would be an empty line, which is no row */
        if (n == 1 && fields[i].n == 0)
            buf_put(b, STR("\"\""));
        else
            csv_put(b, fields[i]);
    }
    buf_put(b, STR("\r\n"));
}
