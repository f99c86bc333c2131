/* t_format_files.c - tests format/ on real files: every one opens, every cut and flipped one is an
 * error or reads. */
#include "base/file.h"
#include "format/gguf.h"
#include "format/safetensors.h"
#include "test.h"

static void smollm2_reads(void **state) {
    (void)state;
    file_map m;
    fail f;
    gguf *g;
    const tensor *t;
    str arch;
    assert_ok(file_map_open(&m, test_model("smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"), &f), &f);
    assert_ok(gguf_open(&g, (str){(const char *)m.p, m.n}, "smollm2", &f), &f);
    assert_int_equal(gguf_version(g), 3);
    assert_int_equal(gguf_tensor_count(g), 272);
    assert_ok(gguf_get_str(g, "general.architecture", STR(""), &arch, &f), &f);
    assert_true(str_is(arch, "llama"));
    assert_ok(gguf_tensor(g, STR("token_embd.weight"), &t, &f), &f);
    assert_int_equal(t->dims[0], 49152);
    assert_int_equal(t->dims[1], 576);
    assert_int_equal(t->type, DTYPE_Q8_0);
    gguf_close(g);
    file_map_close(&m);
}

static void minilm_reads(void **state) {
    (void)state;
    file_map m;
    fail f;
    safetensors *s;
    const tensor *t;
    assert_ok(file_map_open(&m, test_model("minilm/model.safetensors"), &f), &f);
    assert_ok(safetensors_open(&s, (str){(const char *)m.p, m.n}, "minilm", &f), &f);
    assert_ok(safetensors_tensor(s, STR("embeddings.word_embeddings.weight"), &t, &f), &f);
    assert_int_equal(t->dims[0], 30522);
    assert_int_equal(t->dims[1], 384);
    safetensors_close(s);
    file_map_close(&m);
}

static void cut_files_are_errors(void **state) {
    (void)state;
    file_map m;
    fail f;
    gguf *g;
    assert_ok(file_map_open(&m, test_data("llamacpp-vocab/ggml-vocab-bert-bge.gguf"), &f), &f);
    for (size_t n = 0; n < m.n; n += n < 4096 ? 1 : 4999) {
        char *copy = malloc(n ? n : 1);
        memcpy(copy, m.p, n);
        assert_int_not_equal(gguf_open(&g, (str){copy, n}, "cut", &f), E_OK);
        free(copy);
    }
    file_map_close(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(smollm2_reads),
        cmocka_unit_test(minilm_reads),
        cmocka_unit_test(cut_files_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
