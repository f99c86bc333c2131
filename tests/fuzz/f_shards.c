/* Fuzz: any bytes as model.safetensors.index.json beside two sound files. What opens gives every
 * tensor, aligned, with bytes that can be read; nothing outside the folder is opened. */
#include "base/file.h"
#include "format/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static char dir[32];

static void put(const char *name, const void *p, size_t n) {
    char path[96];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "we"); /* not file_write, which would sync each input */
    CHECK(file);
    CHECK(fwrite(p, 1, n, file) == n);
    CHECK(fclose(file) == 0);
}

static void put_shard(const char *file, const char *tensor) {
    char text[256] = {0};
    int n = snprintf(text + 8, 200,
                     "{\"%s\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", tensor);
    memcpy(text, &(uint64_t){(uint64_t)n}, 8);
    put(file, text, (size_t)n + 16);
}

static void remove_all(void) {
    fail f;
    err e = file_remove_tree(dir, &f);
    (void)e;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    fail f;
    safetensors *s;
    if (!dir[0]) {
        strcpy(dir, "/tmp/bantam-f-XXXXXX");
        CHECK(mkdtemp(dir));
        atexit(remove_all);
        put_shard("a.safetensors", "a");
        put_shard("b.safetensors", "b");
    }
    put("model.safetensors.index.json", data, n);
    if (safetensors_open_folder(&s, dir, &f) != E_OK) return 0;
    for (size_t i = 0; i < safetensors_count(s); i++) {
        const char *foreign;
        const tensor *t = safetensors_at(s, i, &foreign);
        CHECK(!foreign && t->bytes == 8 && (uintptr_t)t->data % TENSOR_DATA_ALIGN == 0);
        CHECK(str_hash((str){t->data, t->bytes}) != 1);
    }
    safetensors_close(s);
    return 0;
}
