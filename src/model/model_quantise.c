/* model_quantise.c - see model_quantise.h. */
#include "model/model_quantise.h"

#include "base/file_draft.h"
#include "base/mem.h"

#include <stdio.h>

enum { QUANTISATION_VERSION = 2 };

typedef struct job {
    const model_quantise_options *o;
    arena arena;
    file_map map;
    gguf *in;
    gguf_writer *out;
    tensor *tensors; /* [n] */
    model_recipe_row *rows;
    size_t n;
    uint64_t bytes; /* of all tensors */
} job;

static err read_tensors(job *j, fail *f) {
    const char *type;
    j->n = gguf_tensor_count(j->in);
    if (!j->n) return fail_set(f, E_UNSUPPORTED, "the file holds a vocabulary and no weights");
    j->tensors = arena_new_n(&j->arena, tensor, j->n + 1);
    j->rows = arena_new_n(&j->arena, model_recipe_row, j->n + 1);
    if (!j->tensors || !j->rows) return fail_memory(f, "a model");
    for (size_t i = 0; i < j->n; i++) {
        const tensor *t;
        TRY(gguf_tensor_at(j->in, i, &j->tensors[i], &type, f));
        TRY(gguf_tensor(j->in, j->tensors[i].name, &t, f));
        j->rows[i].t = &j->tensors[i];
        j->bytes += j->tensors[i].bytes;
    }
    return E_OK;
}

static err scope_number(const job *j, const char *suffix, int64_t *out, fail *f) {
    char key[160];
    str arch;
    TRY(gguf_get_str(j->in, "general.architecture", STR(""), &arch, f));
    if (arch.n > 100) arch.n = 100;
    snprintf(key, sizeof key, "%.*s.%s", STR_ARG(arch), suffix);
    /* a model may say it per layer: then no single number is known */
    if (gguf_get_int(j->in, key, 0, out, NULL) != E_OK) *out = 0;
    return E_OK;
}

static err choose_types(job *j, fail *f) {
    const tensor *head;
    model_recipe_scope s = {.important = j->o->importance != NULL,
                            .tied = gguf_tensor(j->in, STR("output.weight"), &head, NULL) != E_OK};
    TRY(scope_number(j, "block_count", &s.layers, f));
    TRY(scope_number(j, "expert_count", &s.experts, f));
    TRY(scope_number(j, "attention.head_count", &s.heads, f));
    TRY(scope_number(j, "attention.head_count_kv", &s.kv_heads, f));
    model_recipe_apply(j->o->recipe, &s, j->rows, j->n);
    return E_OK;
}

static err check_requantize(const job *j, fail *f) {
    char name[TENSOR_PRINT_BYTES];
    if (dtype_get(j->o->recipe->base)->block == 1) return E_OK; /* nothing is rounded again */
    for (size_t i = 0; i < j->n; i++) {
        const tensor *t = &j->tensors[i];
        const dtype_info *from = dtype_get(t->type);
        if (from->block == 1 || j->rows[i].type == t->type || j->o->allow_requantize) continue;
        fail_set(f, E_UNSUPPORTED, "tensor \"%s\" is %s already; a second rounding loses more",
                 tensor_print_name(t->name, name), from->name);
        return fail_hint(f, "start from an F16, BF16 or F32 file, or say --allow-requantize");
    }
    return E_OK;
}

static bool is_ours(str key) {
    return str_is(key, "general.quantization_version") || str_is(key, "general.file_type") ||
           str_is(key, "general.alignment") || str_starts(key, STR("quantize.imatrix."));
}

static err declare(job *j, model_quantise_report *r, fail *f) {
    for (size_t i = 0; i < gguf_key_count(j->in); i++) {
        gguf_value v = gguf_key_at(j->in, i);
        if (!is_ours(v.key)) gguf_put_value(j->out, &v);
    }
    if (dtype_get(j->o->recipe->base)->block > 1)
        gguf_put_u32(j->out, "general.quantization_version", QUANTISATION_VERSION);
    gguf_put_u32(j->out, "general.file_type", j->o->recipe->file_type);
    for (size_t i = 0; i < j->n; i++) {
        const tensor *t = &j->tensors[i];
        TRY(gguf_writer_tensor(j->out, t->name, j->rows[i].type, t->n_dims, t->dims, f));
        r->weights += tensor_rows(t) * tensor_cols(t);
        r->fallbacks += j->rows[i].fell_back;
        r->of_type[j->rows[i].type]++;
    }
    r->tensors = (int64_t)j->n;
    return gguf_writer_begin(j->out, f);
}

static err write_all(job *j, model_quantise_report *r, fail *f) {
    uint64_t done = 0;
    model_sink sink = model_sink_gguf(j->out);
    for (size_t i = 0; i < j->n; i++) {
        const tensor *t = &j->tensors[i];
        model_piece p = {.sources = &t, .n_sources = 1, .type = j->rows[i].type};
        if (p.type != t->type)
            p.importance = model_importance_of(j->o->importance, t->name, tensor_cols(t));
        r->weighed += p.importance != NULL;
        TRY(model_write_piece(&sink, j->o->team, &p, &j->o->watch, &done, j->bytes, f));
    }
    return gguf_writer_commit(j->out, f);
}

static err check_paths(const char *in, const char *out, fail *f) {
    TRY(file_draft_check(out, f));
    if (!file_is_same(in, out)) return E_OK;
    fail_set(f, E_INPUT, "\"%s\" would be written over itself", in);
    return fail_hint(f, "give the output another name");
}

static err prepare(job *j, const char *in, const char *out, fail *f) {
    TRY(check_paths(in, out, f));
    TRY(file_map_open(&j->map, in, f));
    TRY(gguf_open(&j->in, (str){(const char *)j->map.p, j->map.n}, in, f));
    TRY(gguf_check_whole(j->in, f));
    TRY(read_tensors(j, f));
    TRY(choose_types(j, f));
    return check_requantize(j, f);
}

static err write_file(job *j, const char *out, model_quantise_report *r, fail *f) {
    TRY(gguf_writer_open(&j->out, out, GGUF_ALIGNMENT, f));
    TRY(declare(j, r, f));
    TRY(write_all(j, r, f));
    r->bytes_in = (int64_t)j->map.n;
    r->bytes_out = gguf_writer_bytes(j->out);
    return E_OK;
}

static void job_deinit(job *j) {
    gguf_writer_close(j->out);
    gguf_close(j->in);
    file_map_close(&j->map);
    arena_deinit(&j->arena);
}

err model_quantise_check(const char *in, const char *out, const model_quantise_options *o,
                         fail *f) {
    job j = {.o = o};
    arena_init(&j.arena, 0);
    err e = prepare(&j, in, out, f);
    job_deinit(&j);
    return e;
}

err model_quantise(const char *in, const char *out, const model_quantise_options *o,
                   model_quantise_report *report, fail *f) {
    job j = {.o = o};
    model_quantise_report r = {0};
    arena_init(&j.arena, 0);
    err e = prepare(&j, in, out, f);
    if (e == E_OK) e = write_file(&j, out, &r, f);
    job_deinit(&j);
    if (e == E_OK) *report = r;
    return e;
}
