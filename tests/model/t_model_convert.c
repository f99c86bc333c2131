/* t_model_convert.c - tests model/model_convert*.c: every family's tiny folder becomes a GGUF file
 * with the keys and numbers that llama.cpp's converter gives (golden/tiny, tools/golden_models.py);
 * folders that lie are refused by name; failures leave nothing behind. */
#include "model/model_convert.h"

#include "format/gguf.h"
#include "tiny.h"

#include <math.h>

static team *workers;

static int setup(void **state) {
    (void)state;
    fail f;
    return team_open(&workers, 2, &f) == E_OK ? 0 : -1;
}
static int teardown(void **state) {
    (void)state;
    team_close(workers);
    return 0;
}

static err convert_to(const char *folder, const char *out, const char *type,
                      model_convert_report *r, fail *f) {
    model_convert_options o = {.team = workers};
    TRY(model_recipe_find(type, &o.recipe, f));
    return model_convert(folder, out, &o, r, f);
}

/* ---- against the converter ---- */

static void check_key(const gguf *g, str line, int *seen) {
    char name[128], kind[16];
    fail f;
    tiny_copy(name, sizeof name, str_cut(&line, ' '));
    tiny_copy(kind, sizeof kind, str_cut(&line, ' '));
    if (!gguf_has(g, name)) fail_msg("no key %s", name);
    *seen += strcmp(name, "general.architecture") != 0;
    if (kind[0] == '[') {
        arena a;
        str *labels;
        size_t n;
        arena_init(&a, 0);
        assert_ok(gguf_get_strs(g, name, &a, &labels, &n, &f), &f);
        assert_true(n == 1 && str_is(labels[0], "LABEL_0"));
        arena_deinit(&a);
    } else if (!strcmp(kind, "str")) {
        str have;
        assert_ok(gguf_get_str(g, name, STR(""), &have, &f), &f);
        if (!str_eq(have, line)) fail_msg("%s is %.*s", name, STR_ARG(have));
    } else if (!strcmp(kind, "bool")) {
        bool have;
        assert_ok(gguf_get_bool(g, name, false, &have, &f), &f);
        assert_true(have == str_is(line, "1"));
    } else {
        double want, have;
        assert_true(str_to_double(line, &want));
        assert_ok(gguf_get_float(g, name, 0, &have, &f), &f);
        if ((float)want != (float)have) fail_msg("%s is %g, not %g", name, have, want);
    }
}

/* The same keys of the architecture, no more. */
static void check_keys(const tiny *t, const gguf *g) {
    str rest = t->golden, line, arch;
    int seen = 0, have = 0;
    fail f;
    while (tiny_line(&rest, "key", &line)) check_key(g, line, &seen);
    assert_ok(gguf_get_str(g, "general.architecture", STR(""), &arch, &f), &f);
    for (size_t i = 0; i < gguf_key_count(g); i++) {
        gguf_value v = gguf_key_at(g, i);
        bool ours = str_starts(v.key, arch) && v.key.p[arch.n] == '.';
        have += ours;
        if (ours && have > seen) print_message("one more key: %.*s\n", STR_ARG(v.key));
    }
    assert_int_equal(have, seen);
}

static void check_tensors(tiny *t, const gguf *g) {
    str rest = t->golden, line;
    size_t n = 0;
    fail f;
    for (; tiny_line(&rest, "gguf", &line); n++) {
        tiny_tensor w = tiny_parse(line, true);
        const tensor *have;
        float *want = tiny_room(t, tiny_count(&w));
        assert_ok(gguf_tensor(g, str_from(w.name), &have, &f), &f);
        assert_true(have->type == DTYPE_F32 && have->n_dims == w.n_dims);
        for (int i = 0; i < w.n_dims; i++) assert_int_equal(have->dims[i], w.dims[i]);
        tiny_gguf_numbers(t, &w, want);
        const float *numbers = have->data;
        for (int64_t i = 0; i < tiny_count(&w); i++)
            if (fabsf(numbers[i] - want[i]) > 1e-6f * fabsf(want[i]))
                fail_msg("%s, number %lld: %.9g, not %.9g", w.name, (long long)i,
                         (double)numbers[i], (double)want[i]);
    }
    assert_int_equal(gguf_tensor_count(g), n);
}

static void check_family(const char *name) {
    static const char *const configs[] = {"config", "config4"};
    tiny t;
    for (int i = 0; i < 2; i++) {
        fail f;
        model_convert_report r;
        file_map map;
        gguf *g;
        char out[128];
        tiny_open(&t, name);
        const char *folder = tiny_folder(&t, configs[i]);
        snprintf(out, sizeof out, "%s/out.gguf", folder);
        assert_ok(convert_to(folder, out, "F32", &r, &f), &f);
        assert_ok(file_map_open(&map, out, &f), &f);
        assert_ok(gguf_open(&g, (str){(const char *)map.p, map.n}, out, &f), &f);
        check_keys(&t, g);
        check_tensors(&t, g);
        assert_int_equal(r.tensors, gguf_tensor_count(g));
        assert_int_equal(r.bytes_out, map.n);
        gguf_close(g);
        file_map_close(&map);
        tiny_close(&t);
    }
}

static const char *const families[] = {
    "llama",     "llama-linear", "mistral",   "smollm3",    "qwen2",          "qwen3", "gemma3",
    "phi3",      "phi3-window",  "granite",   "olmo2",      "qwen3moe",       "olmoe", "bert",
    "bert-rank", "xlmr",         "xlmr-rank", "modernbert", "modernbert-rank"};

static void families_equal_the_converter(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        print_message("%s\n", families[i]);
        check_family(families[i]);
    }
}

/* ---- folders that lie ---- */

static void put_file(const tiny *t, const char *name, const char *text) {
    char path[128];
    fail f;
    snprintf(path, sizeof path, "%s/%s", t->dir, name);
    assert_ok(file_write(path, str_from(text), 0644, &f), &f);
}

static void lies_are_named(void **state) {
    (void)state;
    static const struct {
        const char *file, *text;
        err e;
        const char *says;
    } lies[] = {
        {"config.json", "{", E_CORRUPT, "not JSON"},
        {"config.json", "[]", E_CORRUPT, "config.json"},
        {"config.json", "{}", E_UNSUPPORTED, "model_type"},
        {"config.json", "{\"model_type\":\"mamba\"}", E_UNSUPPORTED, "mamba"},
        {"config.json", "{\"model_type\":\"qwen3\"}", E_CORRUPT, "num_hidden_layers"},
        {"config.json",
         "{\"model_type\":\"qwen3\",\"num_hidden_layers\":1,\"num_attention_heads\":4,"
         "\"hidden_size\":64,\"max_position_embeddings\":64}",
         E_CORRUPT, "last layer"},
        {"config.json",
         "{\"model_type\":\"qwen3\",\"num_hidden_layers\":1e9,\"num_attention_heads\":4,"
         "\"hidden_size\":64}",
         E_CORRUPT, "impossible"},
        {"config.json",
         "{\"model_type\":\"bert\",\"num_hidden_layers\":2,\"num_attention_heads\":4,"
         "\"hidden_size\":64,\"max_position_embeddings\":64}",
         E_UNSUPPORTED, "do not know"},
        {"config.json",
         "{\"model_type\":\"qwen3\",\"num_hidden_layers\":2,\"num_attention_heads\":4,"
         "\"hidden_size\":64,\"max_position_embeddings\":64,\"rope_scaling\":{\"rope_type\":"
         "\"dynamic\",\"factor\":2}}",
         E_UNSUPPORTED, "dynamic"},
        {"config.json", "{\"model_type\":\"qwen3\",\"hidden_act\":\"gelu\"}", E_UNSUPPORTED,
         "gelu"},
        {"config.json", "{\"model_type\":\"qwen2\",\"use_sliding_window\":true}", E_UNSUPPORTED,
         "use_sliding_window"},
        {"config.json", "{\"model_type\":\"llama\",\"quantization_config\":{\"bits\":4}}",
         E_UNSUPPORTED, "quantization_config"},
        {"config.json", "{\"model_type\":\"smollm3\",\"no_rope_layers\":[1,0,1,1]}", E_UNSUPPORTED,
         "no_rope_layers"},
        {"config.json", "{\"model_type\":\"qwen3_moe\",\"mlp_only_layers\":[0]}", E_UNSUPPORTED,
         "mlp_only_layers"},
        {"tokenizer.json", "{}", E_CORRUPT, "vocabulary"},
        {"tokenizer.json", "{\"model\":{\"vocab\":{\"a\":1e300}}}", E_CORRUPT, "impossible id"},
        {"tokenizer.json", "{\"model\":{\"vocab\":{\"a\":900}}}", E_CORRUPT, "rows"},
        {"tokenizer.json", "{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":0}}}",
         E_UNSUPPORTED, "WordLevel"},
        {"tokenizer.json",
         "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a0b\"]}}", E_CORRUPT,
         "two parts"},
        {"tokenizer.json",
         "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[[\"a \",\"b\"]]}}",
         E_UNSUPPORTED, "blanks"},
        {"model.safetensors", "", E_CORRUPT, "shorter"},
    };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        tiny t;
        fail f;
        model_convert_report r;
        char out[128];
        tiny_open(&t, "qwen3");
        const char *folder = tiny_folder(&t, "config4");
        put_file(&t, lies[i].file, lies[i].text);
        snprintf(out, sizeof out, "%s/out.gguf", folder);
        err e = convert_to(folder, out, "F16", &r, &f);
        if (e != lies[i].e || !strstr(f.text, lies[i].says))
            fail_msg("lie %zu: %s: %s", i, err_name(e), f.text);
        assert_false(file_exists(out));
        tiny_close(&t);
    }
}

static void a_cased_vocabulary_is_refused(void **state) {
    (void)state;
    tiny t;
    fail f;
    model_convert_report r;
    tiny_open(&t, "bert");
    const char *folder = tiny_folder(&t, "config");
    buf b = {0};
    buf_put_z(&b,
              "{\"added_tokens\":[],\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":"
              "true,\"handle_chinese_chars\":true,\"strip_accents\":false,\"lowercase\":false},"
              "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"model\":{\"type\":"
              "\"WordPiece\",\"unk_token\":\"[UNK]\",\"vocab\":{\"[UNK]\":0,\"The\":1,\"the\":2,"
              "\"quick\":3}}}");
    put_file(&t, "tokenizer.json", buf_z(&b));
    buf_deinit(&b);
    assert_int_equal(convert_to(folder, "build/none.gguf", "F16", &r, &f), E_UNSUPPORTED);
    assert_non_null(strstr(f.text, "cuts a text"));
    tiny_close(&t);
}

/* ---- failures ---- */

static void failures_leave_nothing(void **state) {
    (void)state;
    tiny t;
    fail f;
    model_convert_report r;
    char out[128];
    int tries = 0;
    tiny_open(&t, "phi3");
    const char *folder = tiny_folder(&t, "config4");
    snprintf(out, sizeof out, "%s/out.gguf", folder);
    for (int64_t n = 1;; n += n < 60 ? 1 : n / 10) {
        int64_t before = mem_count();
        (void)unlink(out);
        mem_fail_at(n, false);
        err e = convert_to(folder, out, "F16", &r, &f);
        mem_fail_at(0, false);
        if (mem_count() - before < n) {
            assert_ok(e, &f);
            break;
        }
        if (e != E_OK) assert_true(e == E_NO_MEMORY && !file_exists(out));
        assert_true(++tries < 300);
    }
    for (int64_t n = 1; n < 60; n++) {
        (void)unlink(out);
        file_fail_at(n);
        err e = convert_to(folder, out, "F16", &r, &f);
        file_fail_at(0);
        if (e == E_OK) break;
        assert_int_equal(e, E_NO_SPACE);
        if (file_exists(out)) assert_non_null(strstr(f.text, "sync"));
    }
    tiny_close(&t);
}

static bool stop_now(void *self) {
    (void)self;
    return true;
}

static void stopping_leaves_nothing(void **state) {
    (void)state;
    tiny t;
    fail f;
    model_convert_report r;
    char out[128];
    tiny_open(&t, "qwen3");
    const char *folder = tiny_folder(&t, "config");
    snprintf(out, sizeof out, "%s/out.gguf", folder);
    model_convert_options o = {.team = workers, .watch = {.stop = stop_now}};
    assert_int_equal(model_convert(folder, out, &o, &r, &f), E_CANCELLED);
    assert_false(file_exists(out));
    tiny_close(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_equal_the_converter),  cmocka_unit_test(lies_are_named),
        cmocka_unit_test(a_cased_vocabulary_is_refused), cmocka_unit_test(failures_leave_nothing),
        cmocka_unit_test(stopping_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
