/* Fuzz: any bytes as a page of a package index, HTML or JSON, and the choice of a wheel from it. */
#include "registry/simple_index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    arena a;
    simple_page page = {0};
    fail f;
    arena_init(&a, 0);
    str text = {(const char *)data, n}, version;
    if (simple_page_read(&page, &a, STR("https://h/simple/a-b/"), text, &f) == E_OK) {
        for (size_t i = 0; i < page.n; i++)
            (void)simple_wheel_version(&a, page.files[i].filename, STR("a-b"), &version);
        const simple_file *file = simple_pick(&a, &page, STR("a-b"), STR(""));
        CHECK(!file || file->filename.n);
        (void)simple_pick(&a, &page, STR("a-b"), STR("1.0"));
    }
    arena_deinit(&a);
    return 0;
}
