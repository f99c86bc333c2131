/* t_token_json.c - tests token/token_json.c: small files, refusals by name, and MiniLM's and
 * Qwen3's. */
#include "golden.h"

#include "base/mem.h"

#define WORDPIECE(more, normalizer)                                                               \
    "{\"added_tokens\":[{\"id\":1,\"content\":\"[CLS]\",\"special\":true}," more                  \
    "{\"id\":2,\"content\":\"[SEP]\",\"special\":true}],\"normalizer\":" normalizer               \
    ",\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"post_processor\":{\"type\":"            \
    "\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"[CLS]\"}},{\"Sequence\":{}}," \
    "{\"SpecialToken\":{\"id\":\"[SEP]\"}}]},\"model\":{\"type\":\"WordPiece\",\"unk_token\":"    \
    "\"[UNK]\",\"vocab\":{\"[UNK]\":0,\"[CLS]\":1,\"[SEP]\":2,\"un\":3,\"##able\":4,\"U\":5}}}"
#define BERT "{\"type\":\"BertNormalizer\",\"lowercase\":true}"
#define BPE(pre, more)                                                                             \
    "{\"pre_tokenizer\":" pre ",\"added_tokens\":[{\"id\":4,\"content\":\"<e>\",\"special\":true," \
    "\"lstrip\":true,\"rstrip\":true}],\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,"    \
    "\"ab\":2,\"\xC4\xA0\":3},\"merges\":[[\"a\",\"b\"]]" more "}}"
#define BYTE_LEVEL "{\"type\":\"ByteLevel\",\"add_prefix_space\":false}"

static tokenizer *open_text(const char *text) {
    tokenizer *t = NULL;
    fail f;
    assert_ok(tokenizer_open_json(&t, str_from(text), &f), &f);
    return t;
}
static void assert_refused(const char *text, err code, const char *named) {
    tokenizer *t = NULL;
    fail f = {0};
    assert_int_equal(tokenizer_open_json(&t, str_from(text), &f), code);
    if (!strstr(f.text, named)) fail_msg("\"%s\" does not name %s", f.text, named);
    assert_null(t);
}
static void assert_tokens(const tokenizer *t, const char *text, token_special special, bool ends,
                          const char *want) {
    arena a;
    fail f;
    token_ids ids;
    buf out = {0};
    arena_init(&a, 0);
    token_encode_options o = {.special = special, .add_bos = ends, .add_eos = ends};
    assert_ok(tokenizer_encode(t, &a, str_from(text), &o, &ids, &f), &f);
    for (size_t i = 0; i < ids.n; i++) buf_printf(&out, "%s%d", i ? " " : "", (int)ids.p[i]);
    assert_string_equal(buf_z(&out), want);
    buf_deinit(&out);
    arena_deinit(&a);
}

static void small_wordpiece(void **state) {
    (void)state;
    tokenizer *t = open_text(WORDPIECE("", BERT));
    assert_tokens(t, "Unable [SEP]", TOKEN_SPECIAL_NONE, true, "1 3 4 0 0 0 2");
    assert_tokens(t, "Unable [SEP]", TOKEN_SPECIAL_ALL, false, "3 4 2");
    assert_int_equal(tokenizer_bos(t), 1);
    assert_int_equal(tokenizer_eos(t), 2);
    assert_true(tokenizer_adds_bos(t) && tokenizer_adds_eos(t));
    assert_true(str_is(tokenizer_kind(t), "bert"));
    tokenizer_close(t);
    t = open_text(WORDPIECE("", "{\"type\":\"BertNormalizer\",\"lowercase\":false}"));
    assert_tokens(t, "U un", TOKEN_SPECIAL_NONE, false, "5 3");
    tokenizer_close(t);
}

static void small_bpe(void **state) {
    (void)state;
    tokenizer *t = open_text(BPE(BYTE_LEVEL, ""));
    assert_tokens(t, "ab ab", TOKEN_SPECIAL_NONE, true, "2 3 2");
    assert_tokens(t, "ab <e>  b", TOKEN_SPECIAL_ALL, false, "2 4 1"); /* blanks taken along */
    assert_tokens(t, "a<e>b", TOKEN_SPECIAL_NONE, false, "0 1");      /* bytes without a token */
    assert_false(tokenizer_adds_bos(t));
    tokenizer_close(t);
}

static void config_names_tokens(void **state) {
    (void)state;
    tokenizer *t = NULL;
    fail f;
    str config =
        STR("{\"eos_token\":{\"content\":\"<e>\"},\"pad_token\":\"b\",\"bos_token\":\"not one\"}");
    assert_ok(tokenizer_open_folder(&t, str_from(BPE(BYTE_LEVEL, "")), config, &f), &f);
    assert_int_equal(tokenizer_eos(t), 4);
    assert_true(tokenizer_is_end(t, 4));
    assert_int_equal(tokenizer_padding(t), 1);
    assert_int_equal(tokenizer_bos(t), TOKEN_NONE);
    assert_false(tokenizer_adds_eos(t));
    tokenizer_close(t);
    t = NULL;
    assert_int_equal(tokenizer_open_folder(&t, str_from(BPE(BYTE_LEVEL, "")), STR("{"), &f),
                     E_INPUT);
    assert_null(t);
}

static void refusals_name_the_component(void **state) {
    (void)state;
    assert_refused(WORDPIECE("", "{\"type\":\"ByteLevel\"}"), E_UNSUPPORTED, "ByteLevel");
    assert_refused(BPE("{\"type\":\"UnicodeScripts\"}", ""), E_UNSUPPORTED, "UnicodeScripts");
    assert_refused(BPE("{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"behavior\":"
                       "\"Isolated\",\"pattern\":{\"Regex\":\"\\\\w+\"}}," BYTE_LEVEL "]}",
                       ""),
                   E_UNSUPPORTED, "\\w+");
    assert_refused(
        BPE("{\"type\":\"Split\",\"behavior\":\"Odd\",\"pattern\":{\"String\":\"a\"}}", ""),
        E_UNSUPPORTED, "Split");
    assert_refused(BPE(BYTE_LEVEL, ",\"end_of_word_suffix\":\"</w>\""), E_UNSUPPORTED, "BPE");
    assert_refused(BPE(BYTE_LEVEL, ",\"dropout\":0.1"), E_UNSUPPORTED, "BPE");
    assert_refused(BPE(BYTE_LEVEL, ",\"merges\":[[\"a\",\"a\"]]"), E_CORRUPT, "\"a a\"");
    assert_refused("{\"model\":{\"type\":\"WordLevel\",\"vocab\":{}}}", E_UNSUPPORTED, "WordLevel");
    assert_refused("{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",-1]]}}", E_CORRUPT,
                   "unknown");
    assert_refused("{}", E_INPUT, "model");
    assert_refused("[", E_INPUT, "");
    assert_refused("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1}}}", E_CORRUPT, "\"a\"");
    assert_refused("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":4000000}}}", E_CORRUPT,
                   "ids up to");
    assert_refused("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":0}}}", E_CORRUPT,
                   "twice");
}

/* Opens and encodes with the n-th allocation failing, for all n; E_NO_MEMORY or success. */
/* A list of pieces longer than what is allotted for them was written behind its end. */
static void too_many_pieces_are_refused(void **state) {
    (void)state;
    buf b = {0};
    fail f = {0};
    tokenizer *t = NULL;
    buf_put(&b, STR("{\"model\":{\"type\":\"Unigram\",\"vocab\":[0"));
    for (int64_t i = 0; i < TOKEN_PIECES_MAX; i++) buf_put(&b, STR(",0"));
    buf_put(&b, STR("]}}"));
    assert_int_equal(tokenizer_open_json(&t, buf_str(&b), &f), E_TOO_LARGE);
    assert_non_null(strstr(f.text, "4194305 pieces"));
    buf_deinit(&b);
}

static void fail_in_turn(str file) {
    fail f;
    int64_t n = 1;
    for (err e = E_NO_MEMORY; e != E_OK; n++) {
        tokenizer *t = NULL;
        token_ids ids;
        arena a;
        arena_init(&a, 0);
        mem_fail_at(n, true);
        e = tokenizer_open_json(&t, file, &f);
        if (e == E_OK) e = tokenizer_encode(t, &a, STR("th\xC3\xA9  ab 42"), NULL, &ids, &f);
        mem_fail_at(0, false);
        tokenizer_close(t);
        arena_deinit(&a);
        assert_true(e == E_OK || e == E_NO_MEMORY);
        assert_true(n < 2000);
    }
    assert_true(n > 5);
}

static void memory_runs_out(void **state) {
    (void)state;
    static const char *const names[] = {"gpt2",  "gpt4o", "norm", "bert", "wp",
                                        "llama", "meta",  "xlmr", "split"};
    fail_in_turn(STR(WORDPIECE("", BERT)));
    fail_in_turn(STR(BPE(BYTE_LEVEL, "")));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        arena a;
        fail f;
        str file;
        char path[96];
        arena_init(&a, 0);
        snprintf(path, sizeof path, "tests/fuzz/corpus/tokenizer_json/%s.json", names[i]);
        assert_ok(file_read(&a, path, 0, &file, &f), &f);
        fail_in_turn(file);
        arena_deinit(&a);
    }
}

static void minilm_as_hugging_face(void **state) {
    (void)state;
    tokenizer *t = open_json(test_model("minilm/tokenizer.json"));
    size_t wrong;
    assert_int_equal(golden_compare(t, "tests/token/golden_minilm.jsonl", &wrong), 520);
    assert_int_equal(wrong, 0);
    assert_int_equal(tokenizer_bos(t), 101);
    assert_int_equal(tokenizer_eos(t), 102);
    assert_tokens(t, "Hello, world!", TOKEN_SPECIAL_NONE, true, "101 7592 1010 2088 999 102");
    tokenizer_close(t);
}

/* Qwen3's vocabulary, its NFC normaliser included. */
static void qwen3(void **state) {
    (void)state;
    tokenizer *t = open_json(test_data("tokenizer-qwen3/tokenizer.json"));
    assert_tokens(t, "<|im_start|>user\n", TOKEN_SPECIAL_ALL, false, "151644 872 198");
    assert_tokens(t, "<|im_start|>", TOKEN_SPECIAL_NONE, false, "27 91 318 4906 91 29");
    arena a;
    arena_init(&a, 0);
    token_ids composed, apart;
    fail f;
    assert_ok(tokenizer_encode(t, &a, STR("caf\xC3\xA9"), NULL, &composed, &f), &f);
    assert_ok(tokenizer_encode(t, &a, STR("cafe\xCC\x81"), NULL, &apart, &f), &f);
    assert_int_equal(composed.n, apart.n);
    assert_memory_equal(composed.p, apart.p, apart.n * sizeof(int32_t));
    arena_deinit(&a);
    assert_true(tokenizer_is_end(t, tokenizer_find(t, STR("<|im_end|>"))));
    tokenizer_close(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_wordpiece),
        cmocka_unit_test(small_bpe),
        cmocka_unit_test(config_names_tokens),
        cmocka_unit_test(refusals_name_the_component),
        cmocka_unit_test(too_many_pieces_are_refused),
        cmocka_unit_test(memory_runs_out),
        cmocka_unit_test(minilm_as_hugging_face),
        cmocka_unit_test(qwen3),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
