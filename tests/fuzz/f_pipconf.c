/* Fuzz: any text as pip's configuration file. */
#include "registry/pip_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    arena a;
    pip_config c;
    fail f;
    arena_init(&a, 0);
    pip_config_init(&c);
    err e = pip_config_read(&c, &a, (str){(const char *)data, n}, "fuzz", &f);
    CHECK(e == E_OK || e == E_INPUT || e == E_TOO_LARGE);
    CHECK(c.find_links.n <= PIP_LIST_MAX && c.extra_index_url.n <= PIP_LIST_MAX);
    arena_deinit(&a);
    return 0;
}
