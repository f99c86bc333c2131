/* f_csv.c - fuzz target: tables are read without harm, and what is written reads back the same. */
#include "text/csv.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_rows(buf *b, const rows *r) {
    csv_put_row(b, r->columns, r->n_columns);
    for (size_t i = 0; i < r->n; i++) csv_put_row(b, r->cells + i * r->n_columns, r->n_columns);
}

static void check_round_trip(arena *a, const rows *r) {
    buf b = {0};
    rows again;
    fail f;
    write_rows(&b, r);
    err e = csv_read(a, NULL, buf_str(&b), ',', &again, &f);
    if (e == E_INPUT) abort();
    if (e == E_OK) {
        if (again.n != r->n || again.n_columns != r->n_columns) abort();
        for (size_t i = 0; i < r->n * r->n_columns; i++)
            if (!str_eq(r->cells[i], again.cells[i])) abort();
    }
    buf_deinit(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    arena a;
    fail f;
    rows r;
    str text = {(const char *)data, size};
    arena_init(&a, 4096);
    a.bytes_max = 64u << 20;
    if (csv_read(&a, "f", text, ',', &r, &f) == E_OK) check_round_trip(&a, &r);
    if (rows_read(&a, NULL, text, &r, &f) == E_OK && r.n) rows_cell(&r, r.n - 1, "a");
    arena_deinit(&a);
    return 0;
}
