/* Fuzz: any text as a catalog, over the shipped one. */
#include "registry/catalog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    arena a;
    catalog c = {0};
    fail f;
    arena_init(&a, 0);
    if (catalog_read(&c, &a, (str){(const char *)data, n}, "fuzz", &f) == E_OK) {
        for (size_t i = 0; i < c.entries_n; i++) {
            const catalog_entry *e = c.entries[i];
            CHECK(catalog_name_ok(e->name) && catalog_name_ok(e->tag) && e->source.n);
            for (size_t k = 0; k < e->files_n; k++)
                CHECK(str_find_char(e->files[k].name, '/') == STR_INDEX_NONE &&
                      e->files[k].bytes >= 0 && e->files[k].sha256.n == 64);
        }
    } else {
        CHECK(f.code == E_INPUT && f.text[0]);
    }
    arena_deinit(&a);
    return 0;
}
