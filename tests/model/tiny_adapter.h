/* tiny_adapter.h - the adapters of tests/model/golden/tiny/adapter-NAME.txt as files: a PEFT folder
 * and the GGUF file that llama.cpp's converter makes of it (tools/golden_adapter.py). */
#ifndef BANTAM_TEST_MODEL_TINY_ADAPTER_H
#define BANTAM_TEST_MODEL_TINY_ADAPTER_H

#include "tiny.h"

typedef struct tiny_adapter {
    tiny t; /* its golden is the adapter's, its dir a folder of its own */
    int64_t rank;
    double alpha;
    bool root;
} tiny_adapter;

static inline void tiny_adapter_open(tiny_adapter *a, const char *name) {
    char file[32];
    str line = {0}, rest;
    int64_t root = 0;
    memset(a, 0, sizeof *a);
    snprintf(file, sizeof file, "adapter-%s", name);
    tiny_open(&a->t, file);
    rest = a->t.golden;
    assert_true(tiny_line(&rest, "adapter", &line));
    assert_true(str_to_int(str_cut(&line, ' '), &a->rank));
    assert_true(str_to_double(str_cut(&line, ' '), &a->alpha) && str_to_int(line, &root));
    a->root = root;
}

/* `more`: members of the config that replace or join ours, such as ",\"use_dora\":true". */
static inline const char *tiny_adapter_config(tiny_adapter *a, const char *more) {
    buf b = {0};
    buf_printf(&b, "{\"peft_type\":\"LORA\",\"r\":%d,\"lora_alpha\":%g,\"use_rslora\":%s%s}",
               (int)a->rank, a->alpha, a->root ? "true" : "false", more);
    tiny_write(&a->t, "adapter_config.json", &b);
    return a->t.dir;
}

/* The tensors whose name holds `skip` are left out, `extra` (a "NAME rows cols") joins them. */
static inline void tiny_adapter_tensors(tiny_adapter *a, const char *skip, const char *extra) {
    buf head = {0}, data = {0}, all = {0};
    str rest = a->t.golden, line = {0};
    bool more = true;
    while (more) {
        more = tiny_line(&rest, "lora", &line);
        if (!more && !extra) break;
        tiny_tensor w = tiny_parse(more ? line : str_from(extra), false);
        if (more && skip && strstr(w.name, skip)) continue;
        int64_t n = tiny_count(&w);
        float *p = tiny_room(&a->t, n);
        tiny_numbers(w.name, false, 0, n, p);
        buf_printf(&head, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%lld,%lld],\"data_offsets\":",
                   head.n ? "," : "{", w.name, (long long)w.dims[0], (long long)w.dims[1]);
        buf_printf(&head, "[%zu,%zu]}", data.n, data.n + (size_t)n * 4);
        buf_put_bytes(&data, p, (size_t)n * 4);
    }
    buf_put_z(&head, head.n ? "}" : "{}");
    while (head.n % 8) buf_put_char(&head, ' ');
    make_u64(&all, head.n);
    buf_put(&all, buf_str(&head));
    buf_put(&all, buf_str(&data));
    buf_deinit(&head);
    buf_deinit(&data);
    tiny_write(&a->t, "adapter_model.safetensors", &all);
}

static inline const char *tiny_adapter_peft(tiny_adapter *a) {
    tiny_adapter_tensors(a, NULL, NULL);
    return tiny_adapter_config(a, "");
}

static inline const char *tiny_adapter_gguf(tiny_adapter *a, const char *architecture) {
    buf keys = {0}, list = {0}, data = {0}, all = {0};
    str rest = a->t.golden, line;
    int n = 0;
    const char *const texts[][2] = {{"general.type", "adapter"},
                                    {"general.architecture", architecture},
                                    {"adapter.type", "lora"}};
    for (int i = 0; i < 3; i++) {
        make_key(&keys, texts[i][0], MAKE_STR);
        make_str(&keys, texts[i][1]);
    }
    make_key(&keys, "adapter.lora.alpha", MAKE_F32);
    double alpha = a->root ? a->alpha * sqrt((double)a->rank) : a->alpha;
    buf_put_bytes(&keys, &(float){(float)alpha}, 4);
    for (; tiny_line(&rest, "lgguf", &line); n++) {
        tiny_tensor w = tiny_parse(line, true);
        float *p = tiny_room(&a->t, tiny_count(&w));
        tiny_gguf_numbers(&a->t, &w, p);
        make_tensor(&list, w.name, (uint64_t)w.dims[0], (uint64_t)w.dims[1], 0, data.n);
        buf_put_bytes(&data, p, (size_t)tiny_count(&w) * 4);
        make_pad(&data, 32, 0);
    }
    make_head(&all, 3, (uint64_t)n, 4);
    buf_put(&all, buf_str(&keys));
    buf_put(&all, buf_str(&list));
    make_pad(&all, 32, 0);
    buf_put(&all, buf_str(&data));
    buf_deinit(&keys);
    buf_deinit(&list);
    buf_deinit(&data);
    return tiny_write(&a->t, "adapter.gguf", &all);
}

#endif
