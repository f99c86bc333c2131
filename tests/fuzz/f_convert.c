/* Fuzz: a folder with one strange file is converted: the first byte chooses config.json,
 * tokenizer.json or tokenizer_config.json, the rest is its text. Whatever comes out opens. */
#include "base/file.h"
#include "format/gguf.h"
#include "model/model_convert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static char dir[32], out[64];
static team *alone;

static const char *const names[] = {"config.json", "tokenizer.json", "tokenizer_config.json"};
static const char *const sound[] = {
    "{\"model_type\":\"qwen2\",\"num_hidden_layers\":1,\"num_attention_heads\":2,\"hidden_size\":8,"
    "\"num_key_value_heads\":1,\"intermediate_size\":8,\"max_position_embeddings\":64,"
    "\"rms_norm_eps\":1e-6,\"rope_theta\":10000,\"tie_word_embeddings\":true,\"bos_token_id\":1}",
    "{\"added_tokens\":[{\"id\":5,\"content\":\"<|x|>\",\"special\":true}],\"pre_tokenizer\":{"
    "\"type\":"
    "\"ByteLevel\",\"add_prefix_space\":false},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,"
    "\"b\":1,"
    "\"ab\":2,\"c\":3},\"merges\":[\"a b\"]}}",
    "{\"bos_token\":\"<|x|>\",\"add_bos_token\":true,\"chat_template\":\"{{ x }}\"}"};

static void put(const char *name, const void *p, size_t n) {
    char path[96];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "we");
    CHECK(file);
    CHECK(fwrite(p, 1, n, file) == n);
    CHECK(fclose(file) == 0);
}

static void put_weights(void) {
    char text[512] = {0};
    int n = snprintf(text + 8, 400,
                     "{\"model.embed_tokens.weight\":{\"dtype\":\"BF16\",\"shape\":[6,8],"
                     "\"data_offsets\":[0,96]},\"model.layers.0.self_attn.q_proj.bias\":{\"dtype\":"
                     "\"F32\",\"shape\":[8],\"data_offsets\":[96,128]}}");
    memcpy(text, &(uint64_t){(uint64_t)n}, 8);
    put("model.safetensors", text, (size_t)n + 8 + 128);
}

static void remove_all(void) {
    fail f;
    err e = file_remove_tree(dir, &f);
    (void)e;
}

static void set_up(void) {
    fail f;
    strcpy(dir, "/tmp/bantam-f-XXXXXX");
    CHECK(mkdtemp(dir));
    atexit(remove_all);
    snprintf(out, sizeof out, "%s/out.gguf", dir);
    put_weights();
    CHECK(team_open(&alone, 1, &f) == E_OK);
    for (int i = 0; i < 3; i++) put(names[i], sound[i], strlen(sound[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    fail f;
    model_convert_report r;
    model_convert_options o = {0};
    file_map map;
    gguf *g;
    if (!dir[0]) set_up();
    if (n < 1) return 0;
    int which = data[0] % 3;
    put(names[which], data + 1, n - 1);
    o.team = alone;
    if (model_convert(dir, out, &o, &r, &f) == E_OK) {
        CHECK(file_map_open(&map, out, &f) == E_OK);
        CHECK(gguf_open(&g, (str){(const char *)map.p, map.n}, "out", &f) == E_OK);
        gguf_close(g);
        file_map_close(&map);
    }
    put(names[which], sound[which], strlen(sound[which]));
    return 0;
}
