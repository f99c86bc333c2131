/* model_convert_template.c - chat templates into tokenizer.chat_template*. See
 * model_convert_vocab.h. */
#include "model/model_convert_vocab.h"

#include <stdio.h>

enum { TEMPLATES_MAX = 64 };

static err put_templates(const convert_vocab *v, const json *list, fail *f) {
    str names[TEMPLATES_MAX];
    size_t n = 0;
    for (size_t i = 0; i < list->count && n < TEMPLATES_MAX; i++) {
        char key[128];
        str name, text;
        TRY(json_get_str(json_at(list, i), "name", STR(""), &name, f));
        TRY(json_get_str(json_at(list, i), "template", STR(""), &text, f));
        if (str_is(name, "default")) {
            gguf_put_str(v->c->out, "tokenizer.chat_template", text);
            continue;
        }
        if (!name.n || name.n > 64) continue;
        snprintf(key, sizeof key, "tokenizer.chat_template.%.*s", STR_ARG(name));
        gguf_put_str(v->c->out, key, text);
        names[n++] = name;
    }
    if (n) gguf_put_strs(v->c->out, "tokenizer.chat_templates", names, n);
    return E_OK;
}

err convert_template(const convert_vocab *v, fail *f) {
    enum { TEMPLATE_BYTES_MAX = 1 << 20 };
    char path[FILE_PATH_BYTES];
    const json *said = json_get(v->settings, "chat_template"), *file;
    str text = STR_NONE;
    if (said && said->kind == JSON_ARRAY) return put_templates(v, said, f);
    if (said && said->kind == JSON_STRING) text = said->string;
    TRY(file_join(path, v->c->folder, "chat_template.jinja", f));
    if (!text.p && file_exists(path))
        TRY(file_read(&v->c->arena, path, TEMPLATE_BYTES_MAX, &text, f));
    if (!text.p) {
        TRY(convert_json(v->c, "chat_template.json", &file, f));
        TRY(json_get_str(file, "chat_template", STR_NONE, &text, f));
    }
    if (text.p) gguf_put_str(v->c->out, "tokenizer.chat_template", text);
    return E_OK;
}
