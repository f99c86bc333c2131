/* Tests of app/weights.c: counts of files that are made here. */
#include "test.h"

#include "../format/gguf_make.h"
#include "app/weights.h"
#include "base/file.h"

static arena mem;
static char dir[64];

static int setup(void **state) {
    (void)state;
    arena_init(&mem, 0);
    strcpy(dir, "/tmp/bantam-weights-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}
static int teardown(void **state) {
    (void)state;
    (void)!file_remove_tree(dir, NULL);
    arena_deinit(&mem);
    return 0;
}

/* F32 tensors of 8 x 4: an embedding, a head or not, a norm's worth of work, two experts of four.
 */
static const char *make_model(bool head, bool experts) {
    static char path[128];
    fail f;
    buf b = {0};
    make_head(&b, 3, 2 + (uint64_t)head + experts, experts ? 3 : 1);
    make_key(&b, "general.architecture", MAKE_STR);
    make_str(&b, "toy");
    if (experts) make_key(&b, "toy.expert_count", MAKE_U32);
    if (experts) make_u32(&b, 4);
    if (experts) make_key(&b, "toy.expert_used_count", MAKE_U32);
    if (experts) make_u32(&b, 1);
    uint64_t at = 0;
    make_tensor(&b, "token_embd.weight", 8, 4, 0, at);
    make_tensor(&b, "blk.0.attn_q.weight", 8, 4, 0, at += 128);
    if (head) make_tensor(&b, "output.weight", 8, 4, 0, at += 128);
    if (experts) make_tensor(&b, "blk.0.ffn_up_exps.weight", 8, 4, 0, at += 128);
    make_pad(&b, 32, at + 128);
    snprintf(path, sizeof path, "%s/m.gguf", dir);
    assert_ok(file_write(path, buf_str(&b), 0644, &f), &f);
    buf_deinit(&b);
    return path;
}

static void counts(void **state) {
    (void)state;
    fail f;
    weights w;
    assert_ok(weights_read(&w, &mem, make_model(false, false), &f), &f);
    assert_true(w.n == 2 && w.parameters == 64 && w.parameters_work == 32 && w.bytes == 256);
    assert_int_equal(w.step_bytes, 256); /* the embedding is the head too */
    assert_string_equal(w.quantisation, "F32");
    assert_true(str_is(w.tensors[1].name, "blk.0.attn_q.weight"));
    assert_true(w.tensors[1].dims[0] == 8 && w.tensors[1].dims[1] == 4);
    assert_ok(weights_read(&w, &mem, make_model(true, false), &f), &f);
    assert_true(w.parameters == 96 && w.parameters_work == 32);
    assert_int_equal(w.step_bytes, 256); /* of the embedding only a row is read */
    assert_ok(weights_read(&w, &mem, make_model(true, true), &f), &f);
    assert_int_equal(w.parameters_work, 64);
    assert_true(w.step_parameters == 32 + 32 / 4.0); /* one expert of four */
    assert_int_equal(w.step_bytes, 256 + 128 / 4);
}

static void bad_files(void **state) {
    (void)state;
    fail f;
    weights w;
    char path[128];
    snprintf(path, sizeof path, "%s/none.gguf", dir);
    assert_int_equal(weights_read(&w, &mem, path, &f), E_NOT_FOUND);
    assert_ok(file_write(path, STR("not a model at all, but long enough"), 0644, &f), &f);
    assert_int_equal(weights_read(&w, &mem, path, &f), E_CORRUPT);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(counts, setup, teardown),
                                       cmocka_unit_test_setup_teardown(bad_files, setup, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
