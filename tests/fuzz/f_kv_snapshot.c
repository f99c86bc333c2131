/* f_kv_snapshot.c - a prefix from a file of any bytes: refused or usable, never harm. The checksum
 * is looked at last, so the fuzzer reaches what stands before it. */
#include "base/mem.h"
#include "kv/kv_snapshot.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const kv_shape shape = {.layers = 1, .heads = 1, .head_width = 4, .type = OP_KV_F16};
    const kv_origin origin = {STR("m"), STR("b"), STR("k")};
    kv_snapshot s;
    char *bytes = mem_alloc_aligned(size ? size : 1);
    if (!bytes) return 0;
    if (size) memcpy(bytes, data, size);
    if (kv_snapshot_read((str){bytes, size}, "fuzz", &origin, &shape, &s, NULL) == E_OK) {
        int64_t sum = 0;
        for (int64_t i = 0; i < s.n; i++) sum += s.tokens[i];
        for (size_t i = 0; i < (size_t)s.n / KV_PAGE_TOKENS * s.page_bytes; i++) sum += s.pages[i];
        CHECK(sum != INT64_MIN);
    }
    mem_free(bytes);
    return 0;
}
