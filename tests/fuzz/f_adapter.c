/* f_adapter.c - a LoRA adapter of any bytes on a small model without numbers: refused or usable,
 * never harm. Bytes that begin with "GGUF" are such a file; others are adapter_config.json, a zero
 * byte, and adapter_model.safetensors. */
#include "base/file.h"
#include "model/model_adapter_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WIDTH = 8, FF = 12, VOCABULARY = 10 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static tensor shape(int64_t rows, int64_t cols) {
    return (tensor){.type = DTYPE_F32, .n_dims = 2, .dims = {rows, cols}};
}

/* One layer of two heads of four, one pair of keys and values. */
static model *small_model(void) {
    static model m;
    static decoder d;
    static decoder_layer layer;
    static tensor square, keys, up, down, head;
    square = shape(WIDTH, WIDTH);
    keys = shape(WIDTH / 2, WIDTH);
    up = shape(FF, WIDTH);
    down = shape(WIDTH, FF);
    head = shape(VOCABULARY, WIDTH);
    layer = (decoder_layer){.q = {.w = &square},
                            .k = {.w = &keys},
                            .v = {.w = &keys},
                            .o = {.w = &square},
                            .dense = {{.w = &up}, {.w = &up}, {.w = &down}}};
    d = (decoder){.spec = {.layers = 1, .heads = 2, .kv_heads = 1, .head_width = 4},
                  .head = {.w = &head},
                  .layer = &layer};
    m = (model){.arch = &model_llama,
                .info = {.path = STR("small"),
                         .architecture = STR("llama"),
                         .layers = 1,
                         .has_weights = true},
                .state = &d};
    return &m;
}

static void put(const char *path, str bytes) {
    fail f;
    CHECK(file_write(path, bytes, 0600, &f) == E_OK);
}

static char dir[64], file[96], config[96], weights[96];

static void remove_dir(void) {
    fail f;
    CHECK(file_remove_tree(dir, &f) == E_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    str all = {(const char *)data, size};
    fail f;
    if (!dir[0]) {
        snprintf(dir, sizeof dir, "/dev/shm/bantam-f_adapter-%d", (int)getpid());
        snprintf(file, sizeof file, "%s/a.gguf", dir);
        snprintf(config, sizeof config, "%s/adapter_config.json", dir);
        snprintf(weights, sizeof weights, "%s/adapter_model.safetensors", dir);
        CHECK(file_make_dirs(dir, &f) == E_OK && atexit(remove_dir) == 0);
    }
    bool gguf = str_starts(all, STR("GGUF"));
    if (gguf) {
        put(file, all);
    } else {
        put(config, str_cut(&all, 0));
        put(weights, all.p ? all : STR(""));
    }
    model_adapter *a = NULL;
    if (model_adapter_open(&a, small_model(), gguf ? file : dir, &f) == E_OK) {
        const model_adapter_info *about = model_adapter_about(a);
        CHECK(about->rank > 0 && about->rank <= MODEL_ADAPTER_RANK_MAX && about->layers <= 8);
        for (int i = 0; i < 2 * ADAPTER_LINEARS; i++) {
            const adapter_delta *d = &a->delta[i];
            if (d->rank) CHECK(d->a[0] == d->a[0] || d->b[d->rank - 1] != 3);
        }
        model_adapter_close(a);
    }
    return 0;
}
