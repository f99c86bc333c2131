/* f_fit_head.c - a stored classifier of any bytes: refused or usable, never harm. The checksum is
 * made good first, or the fuzzer would never get behind it. */
#include "base/mem.h"
#include "fit/fit_head.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *bytes = mem_alloc(size);
    if (!bytes) return 0;
    if (size) memcpy(bytes, data, size);
    if (size >= 24) {
        uint64_t length = size, sum = str_hash((str){bytes + 24, size - 24});
        memcpy(bytes + 8, &length, sizeof length);
        memcpy(bytes + 16, &sum, sizeof sum);
    }
    fit_head *h = NULL;
    if (fit_head_load(&h, (str){bytes, size}, NULL) == E_OK) {
        float vector[8192] = {1};
        fit_answer answer;
        err e = fit_head_predict(h, NULL, STR("how do I cancel"), vector, &answer, NULL);
        if (e == E_OK && answer.label < 0) __builtin_trap();
        fit_head_close(h);
    }
    mem_free(bytes);
    return 0;
}
