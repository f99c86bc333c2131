/* Fuzz: any bytes as a safetensors file. What opens must be sound: the tensor "a" is aligned and
 * every byte of it can be read. */
#include "base/mem.h"
#include "format/safetensors.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    fail f;
    safetensors *s;
    const tensor *t;
    char *copy = mem_alloc_aligned(n ? n : 1);
    if (!copy) return 0;
    memcpy(copy, data, n);
    if (safetensors_open(&s, (str){copy, n}, "fuzz", &f) == E_OK) {
        if (safetensors_tensor(s, STR("a"), &t, &f) == E_OK) {
            CHECK((uintptr_t)t->data % TENSOR_DATA_ALIGN == 0 && t->bytes <= n);
            CHECK(str_hash((str){t->data, t->bytes}) != 1);
        }
        safetensors_close(s);
    }
    mem_free(copy);
    return 0;
}
