/* Fuzz: any bytes as a GGUF file. What opens must be sound: every tensor lies inside the bytes and
 * becomes numbers whatever its blocks hold, every key can be asked for in every way. */
#include "base/mem.h"
#include "format/gguf.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void ask(const gguf *g, const char *key) {
    fail f;
    arena a;
    str s, *strs;
    int64_t i;
    double d;
    bool b;
    int32_t *ints;
    float *floats;
    size_t count;
    err e;
    arena_init(&a, 0);
    e = gguf_get_str(g, key, STR(""), &s, &f);
    e = gguf_get_int(g, key, 0, &i, &f);
    e = gguf_get_float(g, key, 0, &d, &f);
    e = gguf_get_bool(g, key, false, &b, &f);
    e = gguf_get_strs(g, key, &a, &strs, &count, &f);
    for (size_t k = 0; e == E_OK && k < count; k++) CHECK(str_hash(strs[k]) != 1);
    e = gguf_get_ints(g, key, &a, &ints, &count, &f);
    e = gguf_get_floats(g, key, &a, &floats, &count, &f);
    (void)e;
    arena_deinit(&a);
}

static void read_numbers(const tensor *t) {
    static float row[4096];
    int64_t n = tensor_cols(t) / dtype_get(t->type)->block, most = 4096 / dtype_get(t->type)->block;
    dtype_get(t->type)->dequantise(t->data, row, (n < most ? n : most) * dtype_get(t->type)->block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    static const char *const keys[] = {"a",
                                       "general.architecture",
                                       "general.alignment",
                                       "words",
                                       "numbers",
                                       "count",
                                       "ratio",
                                       "yes",
                                       "low"};
    fail f;
    gguf *g;
    char *copy = mem_alloc_aligned(n ? n : 1);
    if (!copy) return 0;
    memcpy(copy, data, n);
    if (gguf_open(&g, (str){copy, n}, "fuzz", &f) == E_OK) {
        tensor t;
        const char *type;
        for (size_t i = 0; gguf_tensor_at(g, i, &t, &type, &f) == E_OK; i++)
            if (t.data) {
                CHECK((const char *)t.data >= copy && t.bytes <= n &&
                      (size_t)((const char *)t.data - copy) <= n - t.bytes);
                read_numbers(&t);
            }
        for (size_t i = 0; i < gguf_key_count(g); i++) {
            gguf_value v = gguf_key_at(g, i);
            CHECK(v.bytes.p >= copy && v.bytes.p + v.bytes.n <= copy + n);
        }
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) ask(g, keys[i]);
        gguf_close(g);
    }
    mem_free(copy);
    return 0;
}
