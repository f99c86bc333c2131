/* t_safetensors_writer.c - tests format/safetensors_writer.c and folders of shards: what is written
 * reads back; an index that lies is refused; failures leave nothing behind. */
#include "format/safetensors_writer.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "test_files.h"

#include <unistd.h>

enum { TENSORS = 5 };

static char dir[32];

static int setup(void **state) {
    (void)state;
    strcpy(dir, "/tmp/bantam-t-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}
static int teardown(void **state) {
    (void)state;
    fail f;
    return file_remove_tree(dir, &f) == E_OK ? 0 : -1;
}

static void empty(void) {
    fail f;
    assert_ok(file_remove_tree(dir, &f), &f);
    assert_ok(file_make_dirs(dir, &f), &f);
}

static const struct {
    const char *name;
    dtype type;
    int32_t n_dims;
    int64_t dims[3];
} rows[TENSORS] = {{"a", DTYPE_F32, 2, {2, 3}},
                   {"b \"quoted\"", DTYPE_BF16, 1, {7}},
                   {"c", DTYPE_F16, 3, {2, 2, 2}},
                   {"d", DTYPE_F32, 1, {30}},
                   {"e", DTYPE_F32, 1, {1}}};
enum { BYTES = 24 + 14 + 16 + 120 + 4 };
static unsigned char data[BYTES];

static err write_folder(int64_t shard_bytes_max, fail *f) {
    safetensors_writer *w;
    TRY(safetensors_writer_open(&w, dir, shard_bytes_max, f));
    err e = E_OK;
    for (int i = 0; e == E_OK && i < TENSORS; i++)
        e = safetensors_writer_tensor(w, str_from(rows[i].name), rows[i].type, rows[i].n_dims,
                                      rows[i].dims, f);
    if (e == E_OK) e = safetensors_writer_begin(w, f);
    if (e == E_OK) e = safetensors_writer_data(w, data, 31, f);
    if (e == E_OK) e = safetensors_writer_data(w, data + 31, BYTES - 31, f);
    if (e == E_OK) e = safetensors_writer_commit(w, f);
    safetensors_writer_close(w);
    return e;
}

static void check_folder(void) {
    fail f;
    safetensors *s;
    const unsigned char *want = data;
    assert_ok(safetensors_open_folder(&s, dir, &f), &f);
    assert_int_equal(safetensors_count(s), TENSORS);
    for (int i = 0; i < TENSORS; i++) {
        const tensor *t, *same;
        const char *foreign;
        assert_ok(safetensors_tensor(s, str_from(rows[i].name), &t, &f), &f);
        assert_true(t->type == rows[i].type && t->n_dims == rows[i].n_dims);
        for (int k = 0; k < t->n_dims; k++) assert_int_equal(t->dims[k], rows[i].dims[k]);
        assert_memory_equal(t->data, want, t->bytes);
        want += t->bytes;
        same = safetensors_at(s, (size_t)i, &foreign);
        assert_ptr_equal(same, t);
        assert_null(foreign);
    }
    safetensors_release(s);
    assert_true(safetensors_bytes(s) > BYTES);
    safetensors_close(s);
}

static void folders_read_back(void **state) {
    (void)state;
    fail f;
    for (int i = 0; i < BYTES; i++) data[i] = (unsigned char)(i * 5);
    assert_ok(write_folder(0, &f), &f);
    assert_int_equal(files_in(dir), 1);
    check_folder();
    empty();
    assert_ok(write_folder(64, &f), &f);
    assert_int_equal(files_in(dir), 4); /* a b c | d | e, index */
    check_folder();
}

static void put_index(const char *text) {
    fail f;
    char path[96];
    snprintf(path, sizeof path, "%s/model.safetensors.index.json", dir);
    assert_ok(file_write(path, str_from(text), 0644, &f), &f);
}

static void lies_of_an_index_are_named(void **state) {
    (void)state;
    fail f;
    safetensors *s;
#define FIRST "model-00001-of-00003.safetensors"
    static const char *const lies[] = {
        "",
        "[]",
        "{}",
        "{\"weight_map\":{}}",
        "{\"weight_map\":[]}",
        "{\"weight_map\":{\"a\":1}}",
        "{\"weight_map\":{\"a\":\"../" FIRST "\"}}",
        "{\"weight_map\":{\"a\":\"/etc/passwd\"}}",
        "{\"weight_map\":{\"a\":\".safetensors\"}}",
        "{\"weight_map\":{\"a\":\"model.bin\"}}",
        "{\"weight_map\":{\"x\":\"" FIRST "\"}}",
        "{\"weight_map\":{\"a\":\"" FIRST "\",\"d\":\"" FIRST "\"}}",
        "{\"weight_map\":{\"d\":\"" FIRST "\",\"a\":\"model-00002-of-00003.safetensors\"}}",
    };
    empty();
    assert_int_equal(safetensors_open_folder(&s, dir, &f), E_NOT_FOUND);
    assert_ok(write_folder(64, &f), &f);
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        put_index(lies[i]);
        if (safetensors_open_folder(&s, dir, &f) != E_CORRUPT) fail_msg("lie %zu: %s", i, f.text);
    }
    put_index("{\"weight_map\":{\"a\":\"absent.safetensors\"}}");
    assert_int_equal(safetensors_open_folder(&s, dir, &f), E_NOT_FOUND);
    put_index("{\"weight_map\":{\"a\":\"" FIRST "\"}}"); /* fewer is fine: the file has more */
    assert_ok(safetensors_open_folder(&s, dir, &f), &f);
    assert_int_equal(safetensors_count(s), 3);
    safetensors_close(s);
}

static void twins_in_two_files_are_refused(void **state) {
    (void)state;
    fail f;
    safetensors *s;
    arena a;
    str text;
    char path[96];
    arena_init(&a, 0);
    empty();
    assert_ok(write_folder(64, &f), &f);
    snprintf(path, sizeof path, "%s/" FIRST, dir);
    assert_ok(file_read(&a, path, 0, &text, &f), &f);
    snprintf(path, sizeof path, "%s/copy.safetensors", dir);
    assert_ok(file_write(path, text, 0644, &f), &f);
    put_index("{\"weight_map\":{\"a\":\"" FIRST "\",\"c\":\"copy.safetensors\"}}");
    assert_int_equal(safetensors_open_folder(&s, dir, &f), E_CORRUPT);
    assert_non_null(strstr(f.text, "twin"));
    arena_deinit(&a);
}

static void what_cannot_be_is_refused(void **state) {
    (void)state;
    fail f;
    safetensors_writer *w;
    assert_int_equal(safetensors_writer_open(&w, "/nonexistent", 0, &f), E_NOT_FOUND);
    assert_ok(safetensors_writer_open(&w, dir, 0, &f), &f);
    assert_int_equal(safetensors_writer_tensor(w, STR("q"), DTYPE_Q8_0, 1, (int64_t[]){32}, &f),
                     E_UNSUPPORTED);
    assert_ok(safetensors_writer_tensor(w, STR("q"), DTYPE_F32, 1, (int64_t[]){32}, &f), &f);
    assert_int_equal(safetensors_writer_tensor(w, STR("q"), DTYPE_F32, 1, (int64_t[]){32}, &f),
                     E_INPUT);
    assert_ok(
        safetensors_writer_tensor(w, STR("r"), DTYPE_F32, 2, (int64_t[]){1 << 25, 1 << 25}, &f),
        &f);
    assert_int_equal(safetensors_writer_begin(w, &f), E_NO_SPACE);
    safetensors_writer_close(w);
}

static void failures_leave_nothing(void **state) {
    (void)state;
    fail f;
    empty();
    for (int64_t n = 1;; n++) {
        file_fail_at(n);
        err e = write_folder(64, &f);
        file_fail_at(0);
        if (e == E_OK) break;
        assert_int_equal(e, E_NO_SPACE);
        /* the sync of the folder comes after a rename: those files are whole */
        if (files_in(dir)) assert_non_null(strstr(f.text, "sync"));
        empty();
        assert_true(n < 200);
    }
    for (int64_t n = 1;; n++) {
        empty();
        int64_t before = mem_count();
        mem_fail_at(n, false);
        err e = write_folder(64, &f);
        mem_fail_at(0, false);
        if (mem_count() - before < n) break;
        if (e != E_OK) assert_int_equal(files_in(dir), 0);
        assert_true(n < 500);
    }
    assert_ok(write_folder(64, &f), &f);
    for (int64_t n = 1;; n++) {
        safetensors *s = NULL;
        int64_t before = mem_count();
        mem_fail_at(n, false);
        err e = safetensors_open_folder(&s, dir, &f);
        mem_fail_at(0, false);
        if (e == E_OK) safetensors_close(s);
        if (mem_count() - before < n) break;
        if (e != E_OK) assert_int_equal(e, E_NO_MEMORY);
        assert_true(n < 500);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_read_back),
        cmocka_unit_test(lies_of_an_index_are_named),
        cmocka_unit_test(twins_in_two_files_are_refused),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(failures_leave_nothing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
