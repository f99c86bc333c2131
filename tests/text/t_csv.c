/* t_csv.c - tests text/csv.c and text/jsonl.c: RFC 4180, JSON Lines, damage, what is written back.
 */
#include "base/mem.h"
#include "text/csv.h"
#include "test_arena.h"

static fail f;

static void assert_cell(const rows *r, size_t row, const char *column, const char *want) {
    str got = rows_cell(r, row, column);
    if (!str_is(got, want))
        fail_msg("row %zu %s: \"%.*s\" is not \"%s\"", row, column, STR_ARG(got), want);
}

static void reads_csv(void **state) {
    (void)state;
    rows r;
    assert_ok(csv_read(&a, "x.csv",
                       STR("\xEF\xBB\xBFtext,label, group \r\n\"a, "
                           "\"\"b\"\"\",x,\r\n\r\n\"two\r\nlines\",y,g\n,,"),
                       ',', &r, &f),
              &f);
    assert_int_equal(r.n, 3);
    assert_int_equal(r.n_columns, 3);
    assert_cell(&r, 0, "text", "a, \"b\"");
    assert_cell(&r, 0, "group", "");
    assert_cell(&r, 1, "text", "two\r\nlines");
    assert_cell(&r, 1, "group", "g");
    assert_cell(&r, 2, "label", "");
    assert_cell(&r, 2, "none", "");
    assert_int_equal(r.lines[1], 4);
    assert_int_equal(r.lines[2], 6);
    size_t index;
    assert_ok(rows_need(&r, "x.csv", "label", &index, &f), &f);
    assert_int_equal(index, 1);
    assert_int_equal(rows_need(&r, "x.csv", "reply", &index, &f), E_INPUT);
    assert_non_null(strstr(f.text, "text, label, group"));
    assert_ok(rows_read(&a, "x.tsv", STR("a\tb\n1,5\t2\n"), &r, &f), &f);
    assert_cell(&r, 0, "a", "1,5");
}

static void refuses_csv(void **state) {
    (void)state;
    static const char *const bad[][2] = {
        {"", "empty"},
        {"\n\n", "empty"},
        {"a,b\n1\n", "line 2, column 2: this row has fewer"},
        {"a,b\n1,2,3\n", "line 2, column 5: this row has more"},
        {"a\n\"x\ny", "line 2, column 1: this quoted field is never closed"},
        {"a\n\"x\"y\n", "line 2, column 4: text behind"},
        {"a\nx\"y\n", "line 2, column 2: a quote"},
        {"a\nx\ry\n", "line 2, column 2: a carriage"},
        {"a\n\xC3\xA9\xFF", "line 2, column 2: bytes"},
        {"a,a\n", "two columns"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        rows r;
        assert_int_equal(csv_read(&a, NULL, str_from(bad[i][0]), ',', &r, &f), E_INPUT);
        if (!strstr(f.text, bad[i][1])) fail_msg("\"%s\" says not %s", f.text, bad[i][1]);
    }
}

static void reads_jsonl(void **state) {
    (void)state;
    rows r;
    assert_ok(
        rows_read(
            &a, "x",
            STR("{\"text\":\"a\",\"n\":1.50}\r\n\n {\"label\":null,\"ok\":true,\"l\":[1,{}]}"), &r,
            &f),
        &f);
    assert_int_equal(r.n, 2);
    assert_int_equal(r.n_columns, 5);
    assert_cell(&r, 0, "n", "1.50");
    assert_cell(&r, 0, "label", "");
    assert_cell(&r, 1, "ok", "true");
    assert_cell(&r, 1, "l", "[1,{}]");
    assert_int_equal(r.lines[1], 3);
    assert_ok(rows_read(&a, "x.json", STR("[{\"a\":1},{\"a\":2}]"), &r, &f), &f);
    assert_cell(&r, 1, "a", "2");
    assert_ok(rows_read(&a, "x.jsonl", STR(""), &r, &f), &f);
    assert_int_equal(r.n, 0);
    assert_int_equal(rows_read(&a, "x.jsonl", STR("{}\n[1]\n"), &r, &f), E_INPUT);
    assert_string_equal(f.text, "\"x.jsonl\" line 2: a JSON object {...} expected");
    assert_int_equal(rows_read(&a, "x.jsonl", STR("{}\n{\"a\":}\n"), &r, &f), E_INPUT);
    assert_non_null(strstr(f.text, "\"x.jsonl\" line 2: column 6: "));
    assert_int_equal(rows_read(&a, "x.json", STR("[{},3]"), &r, &f), E_INPUT);
}

static void writes_what_it_reads(void **state) {
    (void)state;
    static const char *const fields[] = {
        "",      "plain",  "a,b",  "q\"q", "\"",       "\"\"", "two\nlines",    "cr\r",
        " lead", "trail ", "=1+1", "-5",   "\xC3\xA9", "a;b",  "\xEF\xBB\xBFx", "\t"};
    enum { N = sizeof fields / sizeof *fields };
    buf b = {0};
    str row[2];
    buf_put_z(&b, "x,y\r\n");
    for (size_t i = 0; i < N; i++) {
        row[0] = str_from(fields[i]);
        row[1] = str_from(fields[N - 1 - i]);
        csv_put_row(&b, row, 2);
    }
    rows r;
    assert_ok(csv_read(&a, NULL, buf_str(&b), ',', &r, &f), &f);
    assert_int_equal(r.n, N);
    for (size_t i = 0; i < N; i++) {
        assert_cell(&r, i, "x", fields[i]);
        assert_cell(&r, i, "y", fields[N - 1 - i]);
    }
    buf_reset(&b);
    csv_put_safe(&b, STR("=cmd(\"x\")"));
    csv_put_safe(&b, STR("fine"));
    assert_string_equal(buf_z(&b), "\"'=cmd(\"\"x\"\")\"fine");
    buf_deinit(&b);
}

static void damaged_anyhow(void **state) {
    (void)state;
    static const char docs[2][80] = {"a,\"b \"\"c\"\"\",d\r\n\"x\ny\",\xC3\xA9,z\r\n1,2,\"\"\r\n",
                                     "{\"a\":\"x\",\"b\":[1]}\n{\"c\":null}\n\n{\"a\":2}\n"};
    for (int d = 0; d < 2; d++) {
        size_t n = strlen(docs[d]);
        for (size_t i = 0; i < n * 9; i++) {
            size_t length = i < n ? i : n;
            char *copy = mem_alloc(length ? length : 1);
            memcpy(copy, docs[d], length);
            if (i >= n) copy[(i - n) / 8] = (char)(copy[(i - n) / 8] ^ (1 << (i & 7)));
            rows r;
            err e = rows_read(&a, NULL, (str){copy, length}, &r, &f);
            assert_true(e == E_OK || e == E_INPUT);
            mem_free(copy);
            arena_reset(&a);
        }
    }
}

static void memory_runs_out(void **state) {
    (void)state;
    static const char *const docs[] = {"a,b\n\"x\"\"\",y\n", "{\"a\":[1]}\n{\"b\":1}"};
    for (int d = 0; d < 2; d++) {
        err e = E_NO_MEMORY;
        for (int64_t nth = 1; e != E_OK; nth++) {
            arena small;
            rows r;
            arena_init(&small, 64);
            mem_fail_at(nth, false);
            e = rows_read(&small, NULL, str_from(docs[d]), &r, &f);
            mem_fail_at(0, false);
            assert_true(e == E_OK || e == E_NO_MEMORY);
            assert_true(nth < 100);
            arena_deinit(&small);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_csv, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_csv, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_jsonl, setup, teardown),
        cmocka_unit_test_setup_teardown(writes_what_it_reads, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_anyhow, setup, teardown),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
