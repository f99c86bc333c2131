/* t_token_vectors.c - tokenizers as published against other people's ids: llama.cpp's vectors for
 * each vocabulary that we can read, SmolLM2 against Hugging Face, and texts that must come back. */
#include "golden.h"
#include "vocab.h"

#include "base/rand.h"
#include "text/utf8.h"

static tokenizer *open_vocab(const char *path) {
    tokenizer *t = NULL;
    fail f;
    assert_ok(vocab_open(path, &t, NULL, NULL, &f), &f);
    return t;
}
static const char *vector_path(const char *name, const char *end) {
    static char path[256];
    snprintf(path, sizeof path, "llamacpp-vocab/ggml-vocab-%s.gguf%s", name, end);
    return path;
}

/* Text i of the .inp against line i of the .out. */
static void compare_vectors(const char *name, const char *vectors) {
    tokenizer *t = open_vocab(test_data(vector_path(name, "")));
    arena a;
    fail f;
    str in, out;
    size_t texts = 0;
    arena_init(&a, 0);
    assert_ok(file_read(&a, test_data(vector_path(vectors, ".inp")), 0, &in, &f), &f);
    assert_ok(file_read(&a, test_data(vector_path(vectors, ".out")), 0, &out, &f), &f);
    str cut = STR("\n__ggml_vocab_test__\n");
    for (bool more = true; more; texts++) {
        size_t at = str_find(in, cut);
        more = at != STR_INDEX_NONE;
        str text = str_slice(in, 0, at), want = str_trim(str_cut(&out, '\n'));
        in = more ? str_slice(in, at + cut.n, in.n) : STR("");
        token_ids ids;
        buf got = {0};
        token_encode_options o = {.special = TOKEN_SPECIAL_USER}; /* as the vectors were made */
        assert_ok(tokenizer_encode(t, &a, text, &o, &ids, &f), &f);
        for (size_t i = 0; i < ids.n; i++) buf_printf(&got, "%s%d", i ? " " : "", (int)ids.p[i]);
        if (!str_eq(buf_str(&got), want))
            fail_msg("%s, text %zu \"%.*s\": %s, not %.*s", vectors, texts, STR_ARG(text),
                     buf_z(&got), STR_ARG(want));
        buf_deinit(&got);
    }
    assert_true(texts >= 47);
    arena_deinit(&a);
    tokenizer_close(t);
}
#define VECTORS(test, name, vectors)    \
    static void test(void **state) {    \
        (void)state;                    \
        compare_vectors(name, vectors); \
    }
VECTORS(bert_bge, "bert-bge", "bert-bge")
VECTORS(gpt_2, "gpt-2", "gpt-2")
VECTORS(mpt, "mpt", "mpt")
VECTORS(starcoder, "starcoder", "starcoder")
VECTORS(qwen2, "qwen2", "qwen2")
VECTORS(deepseek_r1_qwen, "qwen2", "deepseek-r1-qwen")
VECTORS(llama_bpe, "llama-bpe", "llama-bpe")
VECTORS(deepseek_coder, "deepseek-coder", "deepseek-coder")
VECTORS(llama_spm, "llama-spm", "llama-spm")
VECTORS(phi_3, "phi-3", "phi-3")
VECTORS(deepseek_llm, "deepseek-llm", "deepseek-llm")

static void smollm2_as_hugging_face(void **state) {
    (void)state;
    tokenizer *t = open_vocab(test_model("smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"));
    size_t wrong;
    assert_int_equal(golden_compare(t, "tests/token/golden_smollm2.jsonl", &wrong), 330);
    assert_int_equal(wrong, 0);
    assert_int_equal(tokenizer_count(t), 49152);
    assert_int_equal(tokenizer_eos(t), 2);
    assert_true(tokenizer_is_end(t, 2) && tokenizer_is_end(t, 0) && !tokenizer_is_end(t, 1));
    assert_int_equal(tokenizer_find(t, STR("<|im_start|>")), 1);
    assert_false(tokenizer_adds_bos(t));
    tokenizer_close(t);
}

/* Made by tools/golden_token_ids.py; all 1,000 texts of each in tests/slow/t_tokens.sh. */
static void compare_golden(const char *path, const char *golden) {
    bool is_json = str_ends(str_from(path), STR(".json"));
    tokenizer *t = is_json ? open_json(path) : open_vocab(path);
    size_t wrong, lines = golden_compare(t, golden, &wrong);
    assert_true(lines >= 130);
    assert_int_equal(wrong, 0);
    tokenizer_close(t);
}
#define GOLDEN(test, path, golden)                                              \
    static void test(void **state) {                                            \
        (void)state;                                                            \
        compare_golden(test_data(path), "tests/token/golden_" golden ".jsonl"); \
    }
GOLDEN(qwen3_as_tokenizers, "tokenizer-qwen3/tokenizer.json", "qwen3")
GOLDEN(llama2_as_sentencepiece, "llamacpp-vocab/ggml-vocab-llama-spm.gguf", "llama2")
GOLDEN(unigram_as_sentencepiece, "llamacpp-vocab/ggml-vocab-nomic-bert-moe.gguf", "unigram")

static void gemma3_as_sentencepiece(void **state) {
    (void)state;
    compare_golden(test_model("gemma3/gemma-3-270m-q4_k_m.gguf"),
                   "tests/token/golden_gemma3.jsonl");
}

/* Gemma's ends of generation; its </s> is HTML's and ends nothing. */
static void gemma3_ends(void **state) {
    (void)state;
    tokenizer *t = open_vocab(test_model("gemma3/gemma-3-270m-q4_k_m.gguf"));
    int32_t turn = tokenizer_find(t, STR("<end_of_turn>")), tag = tokenizer_find(t, STR("</s>"));
    assert_true(turn >= 0 && tag >= 0);
    assert_int_equal(tokenizer_eot(t), turn);
    assert_true(tokenizer_is_end(t, turn) && tokenizer_is_end(t, tokenizer_eos(t)));
    assert_false(tokenizer_is_end(t, tag));
    assert_true(tokenizer_adds_bos(t));
    tokenizer_close(t);
}

/* Characters below U+0250 are the most likely; all others occur. */
static void random_text(rand_stream *r, buf *out) {
    static const int64_t tops[] = {0x80, 0x80, 0x250, 0x3000, 0x10000, 0x110000};
    for (int64_t n = rand_next_below(r, 60); n > 0; n--) {
        uint32_t c = (uint32_t)rand_next_below(r, tops[rand_next_below(r, 6)]);
        if (rand_next_below(r, 4) == 0) c = (unsigned char)" \n\t '"[c % 5];
        if (c < 0xD800 || c > 0xDFFF) utf8_put(out, c);
    }
}

static void decodes_what_it_encodes(void **state) {
    (void)state;
    static const char *const names[] = {"gpt-2", "qwen2", "llama-bpe", "deepseek-llm",
                                        "deepseek-coder"};
    for (size_t v = 0; v < sizeof names / sizeof *names; v++) {
        tokenizer *t = open_vocab(test_data(vector_path(names[v], "")));
        rand_stream r = {.seed = 7};
        buf text = {0}, back = {0};
        fail f;
        for (int i = 0; i < 2000; i++) {
            arena a;
            token_ids ids;
            arena_init(&a, 0);
            buf_reset(&text);
            buf_reset(&back);
            random_text(&r, &text);
            token_encode_options o = {.special = (token_special)(i % 3)};
            assert_ok(tokenizer_encode(t, &a, buf_str(&text), &o, &ids, &f), &f);
            tokenizer_decode(t, ids.p, ids.n, false, &back);
            assert_true(str_eq(buf_str(&text), buf_str(&back)));
            arena_deinit(&a);
        }
        buf_deinit(&text);
        buf_deinit(&back);
        tokenizer_close(t);
    }
}

/* Vocabularies that come without vectors. */
static void others_open(void **state) {
    (void)state;
    static const char *const names[] = {"aquila", "baichuan", "gpt-neox"};
    for (size_t v = 0; v < sizeof names / sizeof *names; v++) {
        tokenizer *t = open_vocab(test_data(vector_path(names[v], "")));
        arena a;
        fail f;
        token_ids ids;
        buf back = {0};
        str text = STR("Hello  w\xC3\xB6rld,\n 12345 \xE4\xBD\xA0\xE5\xA5\xBD");
        arena_init(&a, 0);
        assert_ok(tokenizer_encode(t, &a, text, NULL, &ids, &f), &f);
        tokenizer_decode(t, ids.p, ids.n, false, &back);
        assert_true(str_eq(buf_str(&back), text));
        int32_t first = tokenizer_find(t, tokenizer_piece(t, ids.p[0]));
        assert_int_equal(first, ids.p[0]);
        buf_deinit(&back);
        arena_deinit(&a);
        tokenizer_close(t);
    }
}

/* Unigram with a character map: nomic-bert-moe's (XLM-RoBERTa's). The ids are those of the
 * tokenizers package for the same vocabulary. */
static void unigram_opens(void **state) {
    (void)state;
    tokenizer *t = open_vocab(test_data(vector_path("nomic-bert-moe", "")));
    arena a;
    fail f;
    token_ids ids;
    buf back = {0};
    arena_init(&a, 0);
    token_encode_options o = {.add_bos = true, .add_eos = true};
    assert_ok(tokenizer_encode(t, &a, STR("Hello  world"), &o, &ids, &f), &f);
    const int32_t want[] = {0, 35378, 8999, 2};
    assert_int_equal(ids.n, 4);
    assert_memory_equal(ids.p, want, sizeof want);
    tokenizer_decode(t, ids.p + 1, 2, true, &back);
    assert_true(str_is(buf_str(&back), "Hello world"));
    buf_deinit(&back);
    arena_deinit(&a);
    tokenizer_close(t);
}

static const char *given_model, *given_golden;
static void as_given(void **state) {
    (void)state;
    compare_golden(given_model, given_golden);
}

/* t_token_vectors MODEL GOLDEN compares only these two. */
int main(int argc, char **argv) {
    if (argc == 3) {
        const struct CMUnitTest one[] = {cmocka_unit_test(as_given)};
        given_model = argv[1];
        given_golden = argv[2];
        return cmocka_run_group_tests(one, NULL, NULL);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bert_bge),
        cmocka_unit_test(gpt_2),
        cmocka_unit_test(mpt),
        cmocka_unit_test(starcoder),
        cmocka_unit_test(qwen2),
        cmocka_unit_test(deepseek_r1_qwen),
        cmocka_unit_test(llama_bpe),
        cmocka_unit_test(deepseek_coder),
        cmocka_unit_test(llama_spm),
        cmocka_unit_test(phi_3),
        cmocka_unit_test(deepseek_llm),
        cmocka_unit_test(smollm2_as_hugging_face),
        cmocka_unit_test(qwen3_as_tokenizers),
        cmocka_unit_test(llama2_as_sentencepiece),
        cmocka_unit_test(unigram_as_sentencepiece),
        cmocka_unit_test(gemma3_as_sentencepiece),
        cmocka_unit_test(gemma3_ends),
        cmocka_unit_test(decodes_what_it_encodes),
        cmocka_unit_test(others_open),
        cmocka_unit_test(unigram_opens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
