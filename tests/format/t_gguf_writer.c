/* t_gguf_writer.c - tests format/gguf_writer.c: what is written reads back the same, every key kind
 * and tensor type; failures (memory, disk, a caller who stops) leave nothing behind. */
#include "format/gguf_writer.h"

#include "base/file.h"
#include "base/mem.h"
#include "format/gguf_make.h"
#include "test_files.h"

#include <unistd.h>

static char dir[32], path[64];

static int setup(void **state) {
    (void)state;
    strcpy(dir, "/tmp/bantam-t-XXXXXX");
    if (!mkdtemp(dir)) return -1;
    snprintf(path, sizeof path, "%s/out.gguf", dir);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    fail f;
    return file_remove_tree(dir, &f) == E_OK ? 0 : -1;
}

static void put_keys(gguf_writer *w) {
    static const int32_t ints[] = {1, -2, 3};
    static const float floats[] = {0.5f, -1};
    static const str words[] = {{"a", 1}, {"", 0}, {"c\0c", 3}};
    gguf_put_str(w, "general.architecture", STR("test"));
    gguf_put_u32(w, "count", 42);
    gguf_put_i32(w, "low", -7);
    gguf_put_f32(w, "ratio", 0.5f);
    gguf_put_bool(w, "yes", true);
    gguf_put_array(w, "ints", GGUF_I32, ints, 3);
    gguf_put_array(w, "floats", GGUF_F32, floats, 2);
    gguf_put_strs(w, "words", words, 3);
}

static unsigned char data[4096]; /* the tensors' bytes, one after the other */

/* A tensor of each type, 1 block, with bytes from `data`. */
static err write_file(fail *f) {
    gguf_writer *w;
    size_t at = 0;
    TRY(gguf_writer_open(&w, path, 64, f));
    put_keys(w);
    err e = E_OK;
    for (dtype t = 0; e == E_OK && t < DTYPE_COUNT; t++)
        e = gguf_writer_tensor(w, str_from(dtype_get(t)->name), t, 2,
                               (int64_t[]){1, dtype_get(t)->block}, f);
    if (e == E_OK) e = gguf_writer_begin(w, f);
    for (dtype t = 0; e == E_OK && t < DTYPE_COUNT; t++) { /* in two pieces */
        size_t n = (size_t)dtype_get(t)->block_bytes;
        e = gguf_writer_data(w, data + at, n / 2, f);
        if (e == E_OK) e = gguf_writer_data(w, data + at + n / 2, n - n / 2, f);
        at += n;
    }
    if (e == E_OK) e = gguf_writer_commit(w, f);
    gguf_writer_close(w);
    return e;
}

static void check_keys(const gguf *g) {
    fail f;
    arena a;
    str s, *strs;
    int64_t i;
    double d;
    bool b;
    int32_t *ints;
    float *floats;
    size_t n;
    arena_init(&a, 0);
    assert_ok(gguf_get_str(g, "general.architecture", STR(""), &s, &f), &f);
    assert_true(str_is(s, "test"));
    assert_ok(gguf_get_int(g, "count", 0, &i, &f), &f);
    assert_int_equal(i, 42);
    assert_ok(gguf_get_int(g, "low", 0, &i, &f), &f);
    assert_int_equal(i, -7);
    assert_ok(gguf_get_int(g, "general.alignment", 0, &i, &f), &f);
    assert_int_equal(i, 64);
    assert_ok(gguf_get_float(g, "ratio", 0, &d, &f), &f);
    assert_true(d == 0.5);
    assert_ok(gguf_get_bool(g, "yes", false, &b, &f), &f);
    assert_true(b);
    assert_ok(gguf_get_ints(g, "ints", &a, &ints, &n, &f), &f);
    assert_true(n == 3 && ints[1] == -2);
    assert_ok(gguf_get_floats(g, "floats", &a, &floats, &n, &f), &f);
    assert_true(n == 2 && floats[1] == -1);
    assert_ok(gguf_get_strs(g, "words", &a, &strs, &n, &f), &f);
    assert_true(n == 3 && strs[1].n == 0 && str_eq(strs[2], STR("c\0c")));
    arena_deinit(&a);
}

static void what_is_written_reads_back(void **state) {
    (void)state;
    fail f;
    file_map map;
    gguf *g;
    tensor t;
    const char *type;
    size_t at = 0;
    for (size_t i = 0; i < sizeof data; i++) data[i] = (unsigned char)(i * 7 + i / 256);
    assert_ok(write_file(&f), &f);
    assert_int_equal(files_in(dir), 1);
    assert_ok(file_map_open(&map, path, &f), &f);
    assert_ok(gguf_open(&g, (str){(const char *)map.p, map.n}, path, &f), &f);
    assert_int_equal(gguf_version(g), 3);
    check_keys(g);
    assert_int_equal(gguf_tensor_count(g), DTYPE_COUNT);
    for (size_t i = 0; i < DTYPE_COUNT; i++) {
        assert_ok(gguf_tensor_at(g, i, &t, &type, &f), &f);
        assert_string_equal(type, dtype_get((dtype)i)->name);
        assert_int_equal(((const unsigned char *)t.data - map.p) % 64, 0);
        assert_memory_equal(t.data, data + at, t.bytes);
        at += t.bytes;
    }
    gguf_close(g);
    file_map_close(&map);
}

/* All keys of a sound file, one by one into a new one: the same bytes. */
static void keys_are_copied(void **state) {
    (void)state;
    buf b = {0};
    fail f;
    gguf *g, *h;
    gguf_writer *w;
    file_map map;
    make_sound(&b);
    assert_ok(gguf_open(&g, buf_str(&b), "sound", &f), &f);
    assert_ok(gguf_writer_open(&w, path, GGUF_ALIGNMENT, &f), &f);
    for (size_t i = 0; i < gguf_key_count(g); i++) {
        gguf_value v = gguf_key_at(g, i);
        gguf_put_value(w, &v);
    }
    assert_ok(gguf_writer_begin(w, &f), &f);
    assert_ok(gguf_writer_commit(w, &f), &f);
    gguf_writer_close(w);
    assert_ok(file_map_open(&map, path, &f), &f);
    assert_ok(gguf_open(&h, (str){(const char *)map.p, map.n}, path, &f), &f);
    assert_int_equal(gguf_key_count(h), gguf_key_count(g));
    for (size_t i = 0; i < gguf_key_count(g); i++) {
        gguf_value x = gguf_key_at(g, i), y = gguf_key_at(h, i);
        assert_true(str_eq(x.key, y.key) && x.kind == y.kind && x.count == y.count &&
                    x.item_kind == y.item_kind && str_eq(x.bytes, y.bytes));
    }
    gguf_close(g);
    gguf_close(h);
    file_map_close(&map);
    buf_deinit(&b);
}

static void a_part_is_no_whole(void **state) {
    (void)state;
    fail f;
    for (uint32_t parts = 1; parts <= 3; parts += 2) {
        gguf_writer *w;
        gguf *g;
        file_map map;
        assert_ok(gguf_writer_open(&w, path, 32, &f), &f);
        gguf_put_u32(w, "split.count", parts);
        gguf_put_u32(w, "split.no", 1);
        assert_ok(gguf_writer_begin(w, &f), &f);
        assert_ok(gguf_writer_commit(w, &f), &f);
        gguf_writer_close(w);
        assert_ok(file_map_open(&map, path, &f), &f);
        assert_ok(gguf_open(&g, (str){(const char *)map.p, map.n}, path, &f), &f);
        assert_int_equal(gguf_check_whole(g, &f), parts == 1 ? E_OK : E_UNSUPPORTED);
        if (parts > 1) assert_non_null(strstr(f.text, "part 2 of 3"));
        gguf_close(g);
        file_map_close(&map);
    }
}

static void what_cannot_be_is_refused(void **state) {
    (void)state;
    fail f;
    gguf_writer *w;
    assert_int_equal(gguf_writer_open(&w, path, 33, &f), E_INPUT);
    assert_ok(gguf_writer_open(&w, path, GGUF_ALIGNMENT, &f), &f);
    assert_int_equal(gguf_writer_tensor(w, STR("w"), DTYPE_Q4_K, 1, (int64_t[]){64}, &f),
                     E_CORRUPT);
    assert_int_equal(gguf_writer_tensor(w, STR(""), DTYPE_F32, 1, (int64_t[]){64}, &f),
                     E_TOO_LARGE);
    gguf_put_u32(w, "k", 1);
    gguf_put_u32(w, "k", 2);
    assert_int_equal(gguf_writer_begin(w, &f), E_INPUT);
    gguf_writer_close(w);
    assert_ok(gguf_writer_open(&w, path, GGUF_ALIGNMENT, &f), &f);
    assert_ok(gguf_writer_tensor(w, STR("w"), DTYPE_F32, 2, (int64_t[]){1 << 25, 1 << 25}, &f), &f);
    assert_int_equal(gguf_writer_begin(w, &f), E_NO_SPACE);
    assert_non_null(strstr(f.text, "kB left"));
    gguf_writer_close(w);
    assert_ok(gguf_writer_open(&w, "/nonexistent/x.gguf", GGUF_ALIGNMENT, &f), &f);
    assert_int_equal(gguf_writer_begin(w, &f), E_NOT_FOUND);
    gguf_writer_close(w);
}

static void failures_leave_nothing(void **state) {
    (void)state;
    fail f;
    (void)unlink(path);
    for (int64_t n = 1;; n++) {
        file_fail_at(n);
        err e = write_file(&f);
        file_fail_at(0);
        if (e == E_OK) break;
        assert_int_equal(e, E_NO_SPACE);
        /* the sync of the folder comes after the rename: then the whole file is there */
        if (files_in(dir)) assert_non_null(strstr(f.text, "sync"));
        (void)unlink(path);
        assert_int_equal(files_in(dir), 0);
        assert_true(n < 200);
    }
    for (int64_t n = 1;; n++) {
        (void)unlink(path);
        int64_t before = mem_count();
        mem_fail_at(n, false);
        err e = write_file(&f);
        mem_fail_at(0, false);
        if (mem_count() - before < n) break;
        if (e != E_OK) assert_int_equal(files_in(dir), 0);
        assert_true(n < 500);
    }
}

static void stopping_leaves_the_old_file(void **state) {
    (void)state;
    fail f;
    gguf_writer *w;
    arena a;
    str text;
    assert_ok(file_write(path, STR("old"), 0644, &f), &f);
    assert_ok(gguf_writer_open(&w, path, GGUF_ALIGNMENT, &f), &f);
    assert_ok(gguf_writer_tensor(w, STR("w"), DTYPE_F32, 1, (int64_t[]){64}, &f), &f);
    assert_ok(gguf_writer_begin(w, &f), &f);
    assert_ok(gguf_writer_data(w, data, 100, &f), &f);
    gguf_writer_close(w);
    arena_init(&a, 0);
    assert_ok(file_read(&a, path, 0, &text, &f), &f);
    assert_true(str_is(text, "old"));
    assert_int_equal(files_in(dir), 1);
    arena_deinit(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_reads_back),   cmocka_unit_test(keys_are_copied),
        cmocka_unit_test(what_cannot_be_is_refused),    cmocka_unit_test(failures_leave_nothing),
        cmocka_unit_test(stopping_leaves_the_old_file), cmocka_unit_test(a_part_is_no_whole),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
