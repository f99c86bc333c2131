/* jsonl.c - JSON Lines and the choice between formats; see csv.h. Two passes over the objects: the
 * first names the columns, the second fills the cells. */
#include "text/csv.h"

#include "base/map.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

static err line_fail(const char *name, size_t line, fail *f, const char *what) {
    if (!name) return fail_set(f, E_INPUT, "line %zu: %s", line, what);
    return fail_set(f, E_INPUT, "\"%s\" line %zu: %s", name, line, what);
}

/* "JSON line 1, column 5: text" of one line becomes "column 5: text". */
static err parse_line(arena *a, const char *name, str text, size_t line, const json **out,
                      fail *f) {
    fail inner = {.code = E_OK};
    const json *v = NULL;
    err e = json_parse(a, text, &v, &inner);
    if (e == E_INPUT) {
        const char *column = strstr(inner.text, "column ");
        return line_fail(name, line, f, column ? column : inner.text);
    }
    if (e != E_OK) return fail_set(f, e, "%s", inner.text);
    if (v->kind != JSON_OBJECT) return line_fail(name, line, f, "a JSON object {...} expected");
    *out = v;
    return E_OK;
}

err jsonl_next(arena *a, const char *name, str *rest, size_t *line, const json **out, fail *f) {
    *out = NULL;
    if (*line == 0 && str_starts(*rest, STR("\xEF\xBB\xBF"))) *rest = str_slice(*rest, 3, rest->n);
    while (rest->p) {
        str text = str_trim(str_cut(rest, '\n'));
        ++*line;
        if (text.n > JSONL_LINE_BYTES_MAX) return line_fail(name, *line, f, "longer than 64 MiB");
        if (text.n) return parse_line(a, name, text, *line, out, f);
    }
    return E_OK;
}

typedef struct object_list {
    arena *arena;
    const char *name;
    const json **objects; /* [n] */
    size_t *lines;        /* [n] */
    size_t n, cap;
} object_list;

static err put_object(object_list *l, const json *v, size_t line, fail *f) {
    if (l->n == CSV_ROWS_MAX) return line_fail(l->name, line, f, "more than 8,388,608 rows");
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 256, bytes;
        if (!mem_size(cap, sizeof *l->objects, &bytes))
            return fail_memory(f, "the rows of a table");
        const json **objects = mem_resize(l->objects, bytes);
        if (objects) l->objects = objects;
        size_t *lines = objects ? mem_resize(l->lines, bytes) : NULL;
        if (!lines) return fail_memory(f, "the rows of a table");
        l->lines = lines;
        l->cap = cap;
    }
    l->objects[l->n] = v;
    l->lines[l->n++] = line;
    return E_OK;
}

/* map: key -> column index; columns are listed in order of appearance. */
static err name_columns(const object_list *l, map *index, str *columns, fail *f) {
    for (size_t i = 0; i < l->n; i++) {
        const json *v = l->objects[i];
        for (size_t k = 0; k < v->count; k++) {
            if (map_find(index, v->members[k].key)) continue;
            if (index->count == CSV_COLUMNS_MAX)
                return line_fail(l->name, l->lines[i], f, "more than 1024 different keys");
            columns[index->count] = v->members[k].key;
            TRY(map_put(index, v->members[k].key, (int64_t)index->count, f));
        }
    }
    return E_OK;
}

static err cell_text(arena *a, const json *v, str *out, fail *f) {
    buf b = {0};
    json_writer w = {.out = &b};
    switch (v->kind) {
    case JSON_NULL: *out = STR(""); return E_OK;
    case JSON_BOOL: *out = v->boolean ? STR("true") : STR("false"); return E_OK;
    case JSON_NUMBER:
    case JSON_STRING: *out = v->string; return E_OK;
    case JSON_ARRAY:
    case JSON_OBJECT: break;
    }
    json_put_value(&w, v);
    err e = buf_ok(&b, f);
    str text = e == E_OK ? arena_str(a, buf_str(&b)) : STR_NONE;
    buf_deinit(&b);
    if (e == E_OK && !text.p) e = fail_memory(f, "a cell of a table");
    if (e == E_OK) *out = text;
    return e;
}

static err fill_cells(const object_list *l, const map *index, size_t width, str *cells, fail *f) {
    for (size_t i = 0; i < l->n * width; i++) cells[i] = STR("");
    for (size_t i = 0; i < l->n; i++) {
        const json *v = l->objects[i];
        for (size_t k = 0; k < v->count; k++) {
            int64_t column = 0;
            map_get(index, v->members[k].key, &column);
            TRY(cell_text(l->arena, &v->members[k].value, &cells[i * width + (size_t)column], f));
        }
    }
    return E_OK;
}

static err table_of(const object_list *l, rows *out, fail *f) {
    str names[CSV_COLUMNS_MAX];
    map index;
    map_init(&index, NULL);
    err e = name_columns(l, &index, names, f);
    size_t width = index.count, n_cells;
    str *columns = arena_new_n(l->arena, str, width);
    size_t *lines = arena_new_n(l->arena, size_t, l->n);
    str *cells = mem_size(l->n, width, &n_cells) ? arena_new_n(l->arena, str, n_cells) : NULL;
    if (e == E_OK && (!columns || !lines || !cells)) e = fail_memory(f, "the rows of a table");
    if (e == E_OK) e = fill_cells(l, &index, width, cells, f);
    map_deinit(&index);
    if (e != E_OK) return e;
    if (width) memcpy(columns, names, width * sizeof *columns);
    if (l->n) memcpy(lines, l->lines, l->n * sizeof *lines);
    *out = (rows){columns, width, cells, lines, l->n};
    return E_OK;
}

static err gather_lines(object_list *l, str text, fail *f) {
    size_t line = 0;
    for (;;) {
        const json *v;
        TRY(jsonl_next(l->arena, l->name, &text, &line, &v, f));
        if (!v) return E_OK;
        TRY(put_object(l, v, line, f));
    }
}

static err gather_array(object_list *l, str text, fail *f) {
    const json *v;
    TRY(json_parse(l->arena, text, &v, f));
    if (v->kind != JSON_ARRAY) return fail_set(f, E_INPUT, "a JSON array of objects expected");
    for (size_t i = 0; i < v->count; i++) {
        if (v->items[i].kind != JSON_OBJECT)
            return fail_set(f, E_INPUT, "item %zu of the JSON array is %s, not an object", i + 1,
                            json_kind_name(v->items[i].kind));
        TRY(put_object(l, &v->items[i], i + 1, f));
    }
    return E_OK;
}

static err read_objects(arena *a, const char *name, str text, bool array, rows *out, fail *f) {
    object_list l = {.arena = a, .name = name};
    err e = array ? gather_array(&l, text, f) : gather_lines(&l, text, f);
    if (e == E_OK) e = table_of(&l, out, f);
    mem_free(l.objects);
    mem_free(l.lines);
    return e;
}

err jsonl_read(arena *a, const char *name, str text, rows *out, fail *f) {
    return read_objects(a, name, text, false, out, f);
}

err rows_read(arena *a, const char *name, str text, rows *out, fail *f) {
    str file = str_from(name);
    if (str_ends(file, STR(".csv"))) return csv_read(a, name, text, ',', out, f);
    if (str_ends(file, STR(".tsv"))) return csv_read(a, name, text, '\t', out, f);
    str body = str_starts(text, STR("\xEF\xBB\xBF")) ? str_slice(text, 3, text.n) : text;
    str head = str_trim(body);
    if (head.n && head.p[0] == '[') return read_objects(a, name, body, true, out, f);
    bool lines = str_ends(file, STR(".jsonl")) || str_ends(file, STR(".ndjson")) ||
                 str_ends(file, STR(".json")) || (head.n && head.p[0] == '{');
    return lines ? jsonl_read(a, name, text, out, f) : csv_read(a, name, text, ',', out, f);
}

size_t rows_column(const rows *r, const char *column) {
    for (size_t i = 0; i < r->n_columns; i++)
        if (str_is(r->columns[i], column)) return i;
    return STR_INDEX_NONE;
}

err rows_need(const rows *r, const char *name, const char *column, size_t *index, fail *f) {
    size_t at = rows_column(r, column);
    if (at != STR_INDEX_NONE) {
        *index = at;
        return E_OK;
    }
    char list[200] = "";
    size_t used = 0;
    for (size_t i = 0; i < r->n_columns && used < sizeof list - 1; i++) {
        int n = snprintf(list + used, sizeof list - used, "%s%.*s", i ? ", " : "",
                         STR_ARG(str_slice(r->columns[i], 0, 60)));
        used += n > 0 ? (size_t)n : 0;
    }
    fail_set(f, E_INPUT, "\"%s\" has no column \"%s\"; its columns are: %s", name ? name : "table",
             column, list[0] ? list : "(none)");
    fail_hint(f, "the first row of a CSV file names its columns");
    return E_INPUT;
}

str rows_cell(const rows *r, size_t row, const char *column) {
    size_t at = rows_column(r, column);
    return at == STR_INDEX_NONE || row >= r->n ? STR("") : r->cells[row * r->n_columns + at];
}
