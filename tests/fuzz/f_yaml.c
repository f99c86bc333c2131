/* f_yaml.c - fuzz target: a text is read without harm; each scalar found, and the text itself, is
 * written and reads back the same. */
#include "text/yaml.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_scalar(str text) {
    arena a;
    buf b = {0};
    fail f;
    const yaml *v;
    arena_init(&a, 4096);
    buf_put_z(&b, "k: ");
    yaml_put(&b, text, 2);
    buf_put_char(&b, '\n');
    err e = yaml_parse(&a, NULL, buf_str(&b), &v, &f);
    if (e == E_INPUT || (e == E_OK && !str_eq(yaml_get(v, "k")->text, text))) abort();
    buf_deinit(&b);
    arena_deinit(&a);
}

static void walk(const yaml *v) {
    if (v->kind == YAML_SCALAR) check_scalar(v->text);
    for (size_t i = 0; v->kind == YAML_LIST && i < v->count; i++) walk(&v->items[i]);
    for (size_t i = 0; v->kind == YAML_MAP && i < v->count; i++) {
        check_scalar(v->members[i].key);
        walk(&v->members[i].value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    arena a;
    fail f;
    const yaml *v;
    arena_init(&a, 4096);
    a.bytes_max = 64u << 20;
    if (yaml_parse(&a, "f", (str){(const char *)data, size}, &v, &f) == E_OK) walk(v);
    arena_deinit(&a);
    return 0;
}
