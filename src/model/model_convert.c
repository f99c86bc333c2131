/* model_convert.c - see model_convert.h: which folders are known, and the order of the work. */
#include "model/model_convert.h"

#include "base/file_draft.h"
#include "model/model_convert_int.h"

#include <stdio.h>
#include <string.h>

enum { FACTORS_MAX = 2 };
enum { QUANTISATION_VERSION = 2 };

#define LLAMA_PRE "llama-bpe smaug-bpe smollm tekken"
static const convert_family families[] = {
    {.hf = "llama", .gguf = "llama", .turn = true, .sizes = true, .pre = LLAMA_PRE},
    {.hf = "mistral", .gguf = "llama", .turn = true, .sizes = true, .pre = LLAMA_PRE},
    {.hf = "smollm3", .gguf = "smollm3", .turn = true, .sizes = true, .pre = "smaug-bpe llama-bpe"},
    {.hf = "granite",
     .gguf = "granite",
     .turn = true,
     .sizes = true,
     .no_head_dim = true,
     .pre = "refact dbrx"},
    {.hf = "qwen2", .gguf = "qwen2", .pre = "qwen2"},
    {.hf = "qwen3", .gguf = "qwen3", .pre = "qwen2"},
    {.hf = "qwen3_moe", .gguf = "qwen3moe", .pre = "qwen2"},
    {.hf = "olmoe", .gguf = "olmoe", .pre = "olmo dbrx"},
    {.hf = "olmo2", .gguf = "olmo2", .post_norms = true, .pre = "dbrx"},
    {.hf = "gemma3_text", .gguf = "gemma3", .norm_plus_1 = true, .post_norms = true},
    {.hf = "gemma3", .gguf = "gemma3", .norm_plus_1 = true, .post_norms = true},
    {.hf = "phi3", .gguf = "phi3", .no_head_dim = true, .pre = "gpt-4o"},
    {.hf = "bert", .gguf = "bert", .names = CONVERT_BERT, .encoder = true},
    {.hf = "xlm-roberta", .gguf = "bert", .names = CONVERT_BERT, .encoder = true},
    {.hf = "modernbert",
     .gguf = "modern-bert",
     .names = CONVERT_MODERNBERT,
     .encoder = true,
     .pre = "modern-bert"},
};
enum { FAMILIES = sizeof families / sizeof *families };

const convert_family *convert_family_of(str architecture) {
    for (int i = 0; i < FAMILIES; i++)
        if (str_is(architecture, families[i].gguf)) return &families[i];
    return NULL;
}

static err choose_family(convert *c, fail *f) {
    char names[256] = "", shown[TENSOR_PRINT_BYTES];
    size_t at = 0;
    str type;
    TRY(json_get_str(c->root, "model_type", STR(""), &type, f));
    for (int i = 0; i < FAMILIES; i++) {
        if (str_is(type, families[i].hf)) {
            c->family = &families[i];
            return E_OK;
        }
        at += (size_t)snprintf(names + at, sizeof names - at, "%s%s", i ? " " : "", families[i].hf);
    }
    fail_set(f, E_UNSUPPORTED, "\"%s\" has the model_type \"%s\", which we cannot convert", c->name,
             tensor_print_name(type, shown));
    return fail_hint(f, "we convert: %s", names);
}

static err read_config(convert *c, fail *f) {
    if (!file_is_dir(c->folder)) {
        fail_set(f, file_exists(c->folder) ? E_INPUT : E_NOT_FOUND, "\"%s\" is no folder", c->name);
        return fail_hint(f, "convert reads a folder with config.json, tokenizer.json and "
                            "model.safetensors");
    }
    TRY(convert_json(c, "config.json", &c->root, f));
    if (!c->root || c->root->kind != JSON_OBJECT)
        return fail_set(f, c->root ? E_CORRUPT : E_NOT_FOUND, "\"%s\" has no config.json", c->name);
    const json *text = json_get(c->root, "text_config");
    c->config = text && text->kind == JSON_OBJECT ? text : c->root;
    TRY(choose_family(c, f));
    TRY(convert_check(c, f));
    return convert_sizes(c, f);
}

/* F16, or BF16 where the folder's matrices are that: their range may not fit F16. */
static err default_recipe(const convert *c, const model_recipe **out, fail *f) {
    const char *foreign;
    bool bf16 = false;
    for (size_t i = 0; i < safetensors_count(c->weights); i++) {
        const tensor *t = safetensors_at(c->weights, i, &foreign);
        bf16 |= !foreign && t->n_dims > 1 && t->type == DTYPE_BF16;
    }
    return model_recipe_find(bf16 ? "BF16" : "F16", out, f);
}

/* The type of each tensor in the file. */
static err choose_types(convert *c, convert_tensor *tensors, size_t n, fail *f) {
    model_recipe_scope s = {.layers = c->layers,
                            .experts = c->experts,
                            .heads = c->heads,
                            .kv_heads = c->kv_heads,
                            .tied = true};
    model_recipe_row *rows = arena_new_n(&c->arena, model_recipe_row, n + 1);
    if (!rows) return fail_memory(f, c->name);
    for (size_t i = 0; i < n; i++) {
        tensors[i].shape.type = DTYPE_F32; /* of those that are no matrices */
        rows[i].t = &tensors[i].shape;
        s.tied &= !str_is(tensors[i].shape.name, "output.weight");
    }
    model_recipe_apply(c->report->recipe, &s, rows, n);
    for (size_t i = 0; i < n; i++) {
        tensors[i].shape.type = rows[i].type;
        c->report->of_type[rows[i].type]++;
    }
    return E_OK;
}

static err put_general(convert *c, fail *f) {
    str name, base = str_from(c->folder);
    while (base.n > 1 && base.p[base.n - 1] == '/') base.n--;
    TRY(json_get_str(c->root, "_name_or_path", STR(""), &name, f));
    name = str_after_last(name.n ? name : base, '/');
    gguf_put_str(c->out, "general.architecture", str_from(c->family->gguf));
    gguf_put_str(c->out, "general.type", STR("model"));
    if (name.n) gguf_put_str(c->out, "general.name", name);
    gguf_put_u32(c->out, "general.quantization_version", QUANTISATION_VERSION);
    gguf_put_u32(c->out, "general.file_type", c->report->recipe->file_type);
    return E_OK;
}

static int64_t embedding_rows(const convert_tensor *tensors, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (str_is(tensors[i].shape.name, "token_embd.weight"))
            return tensor_rows(&tensors[i].shape);
    return 0;
}

static err write_tensors(convert *c, const convert_tensor *tensors, size_t n, fail *f) {
    uint64_t done = 0, total = 0;
    model_sink sink = model_sink_gguf(c->out);
    for (size_t i = 0; i < n; i++) {
        const tensor *t = &tensors[i].shape;
        TRY(gguf_writer_tensor(c->out, t->name, t->type, t->n_dims, t->dims, f));
        for (size_t k = 0; k < tensors[i].n_sources; k++) total += tensors[i].sources[k]->bytes;
    }
    TRY(gguf_writer_begin(c->out, f));
    for (size_t i = 0; i < n; i++) {
        model_piece p = {.sources = tensors[i].sources,
                         .n_sources = tensors[i].n_sources,
                         .type = tensors[i].shape.type,
                         .change = tensors[i].change};
        TRY(model_write_piece(&sink, c->o->team, &p, &c->o->watch, &done, total, f));
    }
    return gguf_writer_commit(c->out, f);
}

/* The folder's own files are not written over, by whatever name; an earlier result may be. */
static err check_output(convert *c, const char *out, fail *f) {
    char path[FILE_PATH_BYTES];
    str *names;
    size_t n;
    TRY(file_draft_check(out, f));
    if (!file_exists(out)) return E_OK;
    TRY(file_list(&c->arena, c->folder, &names, &n, f));
    for (size_t i = 0; i < n; i++) {
        TRY(file_join(path, c->folder, names[i].p, f));
        if (str_ends(names[i], STR(".gguf")) || !file_is_same(path, out)) continue;
        fail_set(f, E_INPUT, "\"%s\" is a file of the folder that is converted", out);
        return fail_hint(f, "give the output another name, MODEL.gguf");
    }
    return E_OK;
}

static err run(convert *c, const char *out, fail *f) {
    convert_tensor *tensors, *all;
    size_t n, factors;
    TRY(read_config(c, f));
    TRY(check_output(c, out, f));
    TRY(safetensors_open_folder(&c->weights, c->folder, f));
    c->report->recipe = c->o->recipe;
    if (!c->report->recipe) TRY(default_recipe(c, &c->report->recipe, f));
    TRY(gguf_writer_open(&c->out, out, GGUF_ALIGNMENT, f));
    TRY(put_general(c, f));
    TRY(convert_keys(c, f));
    TRY(convert_tensors(c, &tensors, &n, f));
    TRY(convert_vocabulary(c, embedding_rows(tensors, n), f));
    all = arena_new_n(&c->arena, convert_tensor, n + FACTORS_MAX);
    if (!all) return fail_memory(f, c->name);
    TRY(convert_factors(c, all, &factors, f));
    memcpy(all + factors, tensors, n * sizeof *all);
    TRY(choose_types(c, all, n + factors, f));
    TRY(write_tensors(c, all, n + factors, f));
    c->report->tensors = (int64_t)(n + factors);
    c->report->bytes_in = safetensors_bytes(c->weights);
    c->report->bytes_out = gguf_writer_bytes(c->out);
    snprintf(c->report->architecture, sizeof c->report->architecture, "%s", c->family->gguf);
    return E_OK;
}

err model_convert(const char *folder, const char *out, const model_convert_options *o,
                  model_convert_report *report, fail *f) {
    model_convert_report r = {0};
    convert c = {.o = o, .folder = folder, .name = folder, .report = &r};
    arena_init(&c.arena, 1 << 20);
    err e = run(&c, out, f);
    gguf_writer_close(c.out);
    safetensors_close(c.weights);
    arena_deinit(&c.arena);
    if (e == E_OK) *report = r;
    return e;
}
