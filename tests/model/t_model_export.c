/* t_model_export.c - tests model/model_export*.c: a GGUF file becomes a folder and the folder a
 * GGUF file again, with the same metadata and the same numbers, for each kind of tokenizer and
 * family that can go back; what cannot is refused by name; failures leave nothing behind. */
#include "model/model_export.h"

#include "base/file.h"
#include "base/mem.h"
#include "model/model_convert.h"
#include "test_files.h"

#include <math.h>

#include <unistd.h>

enum { WIDTH = 32, FF = 64, LAYERS = 2, HEADS = 4, KV = 2, HEAD = 8, BYTES = 256 };

static team *workers;
static char dir[32], made[64], folder[64], again[64];

static int setup(void **state) {
    (void)state;
    fail f;
    strcpy(dir, "/tmp/bantam-t-XXXXXX");
    if (!mkdtemp(dir)) return -1;
    snprintf(made, sizeof made, "%s/made.gguf", dir);
    snprintf(folder, sizeof folder, "%s/folder", dir);
    snprintf(again, sizeof again, "%s/again.gguf", dir);
    return team_open(&workers, 2, &f) == E_OK ? 0 : -1;
}
static int teardown(void **state) {
    (void)state;
    fail f;
    team_close(workers);
    return file_remove_tree(dir, &f) == E_OK ? 0 : -1;
}

/* ---- a small file ---- */

typedef struct kind {
    const char *arch;
    bool spm, norms, biases, extra; /* extra: a tensor that no folder has */
} kind;

/* GPT-2's alphabet of bytes: the printable ones stand for themselves, the rest from U+0100 on. */
static size_t byte_piece(int byte, char out[4]) {
    int shift = 0, code = byte;
    bool plain = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    for (int i = 0; !plain && i < byte; i++)
        shift += !((i >= 33 && i <= 126) || (i >= 161 && i <= 172) || i >= 174);
    if (!plain) code = 256 + shift;
    if (code < 128) {
        out[0] = (char)code;
        return 1;
    }
    out[0] = (char)(0xC0 | code >> 6);
    out[1] = (char)(0x80 | (code & 63));
    return 2;
}

/* So small a vocabulary fits several pre-tokenizers: the one that is tried first. */
static str pre_of(const kind *k) {
    if (k->spm) return STR("default");
    return !strcmp(k->arch, "llama")     ? STR("llama-bpe")
           : !strcmp(k->arch, "smollm3") ? STR("smaug-bpe")
                                         : STR("qwen2");
}

static size_t put_vocabulary(gguf_writer *w, const kind *k) {
    const bool spm = k->spm;
    static char text[BYTES + 8][8];
    str pieces[BYTES + 8];
    int32_t types[BYTES + 8];
    float scores[BYTES + 8] = {0};
    const str merges[] = {STR("h e"), STR("l l"), STR("he ll")};
    size_t n = 0, more = 0;
    static const char *const spm_words[] = {"<unk>", "<s>", "</s>"};
    for (; spm && n < 3; n++) {
        pieces[n] = str_from(spm_words[n]);
        types[n] = n ? 3 : 2;
    }
    for (int b = 0; b < BYTES; b++, n++) {
        if (spm)
            snprintf(text[n], 8, "<0x%02X>", (unsigned)b);
        else
            text[n][byte_piece(b, text[n])] = 0;
        pieces[n] = str_from(text[n]);
        types[n] = spm ? 6 : 1;
    }
    static const char *const words[] = {"he", "ll", "hell", "<|end|>"};
    static const char *const spm_more[] = {"\xE2\x96\x81", "h", "e", "he"};
    for (; more < 4; more++, n++) {
        pieces[n] = str_from(spm ? spm_more[more] : words[more]);
        types[n] = !spm && more == 3 ? 3 : 1;
        scores[n] = spm && more < 3 ? -1.0f - (float)more : 0;
    }
    gguf_put_str(w, "tokenizer.ggml.model", spm ? STR("llama") : STR("gpt2"));
    gguf_put_str(w, "tokenizer.ggml.pre", pre_of(k));
    gguf_put_strs(w, "tokenizer.ggml.tokens", pieces, n);
    gguf_put_array(w, "tokenizer.ggml.token_type", GGUF_I32, types, n);
    if (spm)
        gguf_put_array(w, "tokenizer.ggml.scores", GGUF_F32, scores, n);
    else
        gguf_put_strs(w, "tokenizer.ggml.merges", merges, 3);
    gguf_put_u32(w, "tokenizer.ggml.eos_token_id", spm ? 2 : (uint32_t)n - 1);
    if (spm) gguf_put_u32(w, "tokenizer.ggml.bos_token_id", 1);
    gguf_put_bool(w, "tokenizer.ggml.add_bos_token", spm);
    gguf_put_str(w, "tokenizer.chat_template", STR("{{ messages }}"));
    return n;
}

static void put_sizes(gguf_writer *w, const char *arch) {
    static const struct {
        const char *suffix;
        uint32_t v;
    } rows[] = {{"block_count", LAYERS},         {"context_length", 64},
                {"embedding_length", WIDTH},     {"feed_forward_length", FF},
                {"attention.head_count", HEADS}, {"attention.head_count_kv", KV},
                {"attention.key_length", HEAD},  {"attention.value_length", HEAD}};
    char key[96];
    gguf_put_str(w, "general.architecture", str_from(arch));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(key, sizeof key, "%s.%s", arch, rows[i].suffix);
        gguf_put_u32(w, key, rows[i].v);
    }
    snprintf(key, sizeof key, "%s.rope.freq_base", arch);
    gguf_put_f32(w, key, 10000);
    snprintf(key, sizeof key, "%s.attention.layer_norm_rms_epsilon", arch);
    gguf_put_f32(w, key, 1e-5f);
}

static int64_t total;
static void declare(gguf_writer *w, const char *name, int64_t rows, int64_t cols) {
    fail f;
    int64_t dims[2] = {rows ? rows : cols, cols};
    assert_ok(gguf_writer_tensor(w, str_from(name), DTYPE_F32, rows ? 2 : 1, dims, &f), &f);
    total += (rows ? rows : 1) * cols;
}

static void declare_block(gguf_writer *w, const kind *k, int layer) {
    const struct {
        const char *name;
        int64_t rows, cols;
        bool wanted;
    } rows[] = {{"attn_norm.weight", 0, WIDTH, true},
                {"ffn_norm.weight", 0, WIDTH, true},
                {"post_attention_norm.weight", 0, WIDTH, k->norms},
                {"post_ffw_norm.weight", 0, WIDTH, k->norms},
                {"attn_q.weight", HEADS * HEAD, WIDTH, true},
                {"attn_q.bias", 0, HEADS * HEAD, k->biases},
                {"attn_k.weight", KV * HEAD, WIDTH, true},
                {"attn_k.bias", 0, KV * HEAD, k->biases},
                {"attn_v.weight", KV * HEAD, WIDTH, true},
                {"attn_output.weight", WIDTH, HEADS * HEAD, true},
                {"ffn_gate.weight", FF, WIDTH, true},
                {"ffn_up.weight", FF, WIDTH, true},
                {"ffn_down.weight", WIDTH, FF, true},
                {"ffn_gate_inp.weight", 4, WIDTH, k->extra}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char name[64];
        snprintf(name, sizeof name, "blk.%d.%s", layer, rows[i].name);
        if (rows[i].wanted) declare(w, name, rows[i].rows, rows[i].cols);
    }
}

static void make_file(const kind *k) {
    fail f;
    gguf_writer *w;
    total = 0;
    assert_ok(gguf_writer_open(&w, made, GGUF_ALIGNMENT, &f), &f);
    put_sizes(w, k->arch);
    int64_t n = (int64_t)put_vocabulary(w, k);
    declare(w, "token_embd.weight", n, WIDTH);
    declare(w, "output_norm.weight", 0, WIDTH);
    for (int i = 0; i < LAYERS; i++) declare_block(w, k, i);
    assert_ok(gguf_writer_begin(w, &f), &f);
    for (int64_t i = 0; i < total; i++) {
        float v = (float)(i * 7919 % 1021) / 1021 + 0.25f;
        assert_ok(gguf_writer_data(w, &v, sizeof v, &f), &f);
    }
    assert_ok(gguf_writer_commit(w, &f), &f);
    gguf_writer_close(w);
}

/* ---- there and back ---- */

static err go(fail *f) {
    model_export_report r;
    return model_export(made, folder, &(model_export_options){.type = DTYPE_F32, .team = workers},
                        &r, f);
}

static void same_files(const char *a, const char *b) {
    fail f;
    file_map x, y;
    gguf *g, *h;
    assert_ok(file_map_open(&x, a, &f), &f);
    assert_ok(file_map_open(&y, b, &f), &f);
    assert_ok(gguf_open(&g, (str){(const char *)x.p, x.n}, a, &f), &f);
    assert_ok(gguf_open(&h, (str){(const char *)y.p, y.n}, b, &f), &f);
    for (size_t i = 0; i < gguf_key_count(g); i++) {
        gguf_value v = gguf_key_at(g, i);
        bool found = false;
        for (size_t k = 0; k < gguf_key_count(h); k++) {
            gguf_value u = gguf_key_at(h, k);
            found |= str_eq(u.key, v.key) && str_eq(u.bytes, v.bytes);
        }
        if (!found && !str_is(v.key, "tokenizer.ggml.scores"))
            fail_msg("%.*s did not come back", STR_ARG(v.key));
    }
    assert_int_equal(gguf_tensor_count(g), gguf_tensor_count(h));
    for (size_t i = 0; i < gguf_tensor_count(g); i++) {
        const char *type;
        tensor t;
        const tensor *u;
        assert_ok(gguf_tensor_at(g, i, &t, &type, &f), &f);
        assert_ok(gguf_tensor(h, t.name, &u, &f), &f);
        assert_int_equal(u->bytes, t.bytes);
        for (size_t k = 0; k < t.bytes / 4; k++) /* Gemma's norms lose a bit on the way */
            if (fabsf(((const float *)t.data)[k] - ((const float *)u->data)[k]) > 1e-6f)
                fail_msg("%.*s differs", STR_ARG(t.name));
    }
    gguf_close(g);
    gguf_close(h);
    file_map_close(&x);
    file_map_close(&y);
}

static void files_come_back(void **state) {
    (void)state;
    static const kind kinds[] = {{.arch = "llama", .biases = true},
                                 {.arch = "llama", .spm = true},
                                 {.arch = "smollm3"},
                                 {.arch = "qwen2", .biases = true},
                                 {.arch = "qwen3"},
                                 {.arch = "gemma3", .norms = true, .spm = true}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        fail f;
        model_convert_report r;
        model_convert_options o = {.team = workers};
        print_message("%s\n", kinds[i].arch);
        make_file(&kinds[i]);
        assert_ok(go(&f), &f);
        assert_int_equal(go(&f), E_EXISTS);
        assert_ok(model_recipe_find("F32", &o.recipe, &f), &f);
        assert_ok(model_convert(folder, again, &o, &r, &f), &f);
        same_files(made, again);
        assert_ok(file_remove_tree(folder, &f), &f);
    }
}

static void what_cannot_go_back_is_refused(void **state) {
    (void)state;
    fail f;
    make_file(&(kind){.arch = "mamba"});
    assert_int_equal(go(&f), E_UNSUPPORTED);
    assert_non_null(strstr(f.text, "mamba"));
    make_file(&(kind){.arch = "phi3"});
    assert_int_equal(go(&f), E_UNSUPPORTED);
    make_file(&(kind){.arch = "qwen3", .extra = true});
    assert_int_equal(go(&f), E_UNSUPPORTED);
    assert_non_null(strstr(f.text, "experts"));
    make_file(&(kind){.arch = "qwen3", .norms = true}); /* a norm that no Qwen has */
    assert_int_equal(go(&f), E_UNSUPPORTED);
    assert_non_null(strstr(f.text, "post_attention_norm"));
    assert_false(file_exists(folder));
}

static void failures_leave_nothing(void **state) {
    (void)state;
    fail f;
    int tries = 0;
    make_file(&(kind){.arch = "qwen3"});
    (void)unlink(again);
    for (int64_t n = 1;; n += n < 40 ? 1 : n / 8) {
        int64_t before = mem_count();
        mem_fail_at(n, false);
        err e = go(&f);
        mem_fail_at(0, false);
        if (mem_count() - before < n) {
            assert_ok(e, &f);
            break;
        }
        if (e != E_OK) {
            assert_int_equal(e, E_NO_MEMORY);
            assert_int_equal(files_in(dir), 1);
        }
        assert_ok(file_remove_tree(folder, &f), &f);
        assert_true(++tries < 200);
    }
    assert_ok(file_remove_tree(folder, &f), &f);
    for (int64_t n = 1; n < 40; n++) {
        file_fail_at(n);
        err e = go(&f);
        file_fail_at(0);
        if (e == E_OK) break;
        assert_int_equal(e, E_NO_SPACE);
        if (!strstr(f.text, "sync")) assert_int_equal(files_in(dir), 1);
        assert_ok(file_remove_tree(folder, &f), &f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_come_back),
        cmocka_unit_test(what_cannot_go_back_is_refused),
        cmocka_unit_test(failures_leave_nothing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
