/* model_file.c - finds weights and numbers by name in either kind of file, and checks them; see
 * model_int.h. Runs at open. */
#include "model/model_int.h"

#include <stdio.h>
#include <string.h>

static err found(const model *m, const char *name, const tensor *t, int64_t rows, int64_t cols,
                 fail *f) {
    char have[96];
    bool ok = tensor_cols(t) == cols && (rows ? tensor_rows(t) == rows : t->n_dims == 1);
    if (ok) return E_OK;
    tensor_describe(t, have);
    return fail_set(f, E_CORRUPT, "%.*s: weight \"%s\" is %s, not [%lld, %lld]",
                    STR_ARG(m->info.path), name, have, (long long)rows, (long long)cols);
}

err model_weight(const model *m, const char *hf, const char *gguf_name, int64_t rows, int64_t cols,
                 const tensor **out, fail *f) {
    const char *name = m->gguf ? gguf_name : hf;
    const tensor *t;
    err e = m->gguf ? gguf_tensor(m->gguf, str_from(name), &t, f)
                    : safetensors_tensor(m->safetensors, str_from(name), &t, f);
    if (e == E_NOT_FOUND)
        return fail_set(f, E_CORRUPT, "%.*s lacks the weight \"%s\"", STR_ARG(m->info.path), name);
    if (e != E_OK) return e;
    TRY(found(m, name, t, rows, cols, f));
    *out = t;
    return E_OK;
}

bool model_has(const model *m, const char *hf, const char *gguf_name) {
    const tensor *t;
    err e = m->gguf ? gguf_tensor(m->gguf, str_from(gguf_name), &t, NULL)
                    : safetensors_tensor(m->safetensors, str_from(hf), &t, NULL);
    return e != E_NOT_FOUND;
}

int64_t model_rows(const model *m, const char *hf, const char *gguf_name) {
    const tensor *t;
    err e = m->gguf ? gguf_tensor(m->gguf, str_from(gguf_name), &t, NULL)
                    : safetensors_tensor(m->safetensors, str_from(hf), &t, NULL);
    return e == E_OK ? tensor_rows(t) : 0;
}

err model_vector(model *m, const char *hf, const char *gguf_name, int64_t cols, const float **out,
                 fail *f) {
    const tensor *t;
    TRY(model_weight(m, hf, gguf_name, 0, cols, &t, f));
    m->info.parameters += cols;
    float *copy = arena_new_n(&m->arena, float, (size_t)cols); /* never pointed at in the map */
    if (!copy) return fail_memory(f, "a model");
    if (t->type != DTYPE_F32 || !model_copy(m, t->data, t->bytes, copy)) op_row(t, 0, copy);
    *out = copy;
    return E_OK;
}

err model_slice(model *m, const tensor *whole, int64_t from, int64_t rows, const tensor **out,
                fail *f) {
    tensor *t = arena_new(&m->arena, tensor);
    if (!t) return fail_memory(f, "a model");
    CHECK(from >= 0 && rows >= 1 && from + rows <= tensor_rows(whole));
    *t = (tensor){.name = whole->name,
                  .type = whole->type,
                  .n_dims = 2,
                  .dims = {rows, tensor_cols(whole)},
                  .data = (const char *)whole->data + (size_t)from * tensor_row_bytes(whole),
                  .bytes = (size_t)rows * tensor_row_bytes(whole)};
    *out = t;
    return E_OK;
}

err model_number(const model *m, const char *hf, const char *suffix, int64_t fallback, int64_t *out,
                 fail *f) {
    char key[128];
    if (m->gguf) {
        snprintf(key, sizeof key, "%.*s.%s", STR_ARG(m->info.architecture), suffix);
        TRY(gguf_get_int(m->gguf, key, fallback, out, f));
    } else {
        snprintf(key, sizeof key, "%s", hf);
        TRY(json_get_int(m->config, hf, fallback, 0, INT32_MAX, out, f));
    }
    if (*out < 0 || (*out == 0 && fallback < 0))
        return fail_set(f, E_CORRUPT, "%.*s does not say \"%s\"", STR_ARG(m->info.path), key);
    return E_OK;
}

err model_real(const model *m, const char *hf, const char *suffix, double fallback, double *out,
               fail *f) {
    char key[128];
    if (!m->gguf) return json_get_double(m->config, hf, fallback, out, f);
    snprintf(key, sizeof key, "%.*s.%s", STR_ARG(m->info.architecture), suffix);
    return gguf_get_float(m->gguf, key, fallback, out, f);
}

err model_name_type(model *m, fail *f) {
    int64_t number = -1;
    int most = 0;
    if (m->gguf) TRY(gguf_get_int(m->gguf, "general.file_type", -1, &number, f));
    for (int i = 1; i < DTYPE_COUNT; i++)
        if (m->numbers[i] > m->numbers[most]) most = i;
    const char *name = gguf_file_type_name(number);
    snprintf(m->info.quantisation, sizeof m->info.quantisation, "%s",
             name ? name : dtype_get((dtype)most)->name);
    return E_OK;
}
