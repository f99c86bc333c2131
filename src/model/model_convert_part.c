/* model_convert_part.c - components of a tokenizer.json, as all files of the tokenizer's conversion
 * look at them. See model_convert_vocab.h. */
#include "model/model_convert_vocab.h"

err convert_damaged(const convert_vocab *v, const char *what, fail *f) {
    return fail_set(f, E_CORRUPT, "\"%s\": tokenizer.json %s", v->c->name, what);
}

str convert_type_of(const json *v) {
    const json *t = json_get(v, "type");
    return t && t->kind == JSON_STRING ? t->string : STR("");
}

const json *convert_component(const json *v, const char *type) {
    static const char *const lists[] = {"normalizers", "pretokenizers", "processors"};
    if (str_is(convert_type_of(v), type)) return v;
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++) {
        const json *members = json_get(v, lists[l]);
        for (size_t i = 0; members && members->kind == JSON_ARRAY && i < members->count; i++) {
            const json *m = json_at(members, i);
            if (str_is(convert_type_of(m), type)) return m;
        }
    }
    return NULL;
}
