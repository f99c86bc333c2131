/* model_adapter_read.c - the two kinds of adapter files, as pairs of matrices by layer and target;
 * see model_adapter.h. Names:
 *
 *     PEFT   base_model.model.model.layers.3.self_attn.q_proj.lora_A.weight     [r, cols]
 *     GGUF   blk.3.attn_q.weight.lora_a
 */
#include "model/model_adapter_int.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

enum { ADAPTER_CONFIG_BYTES_MAX = 1 << 20 };

const adapter_target adapter_targets[ADAPTER_TARGETS] = {
    {"self_attn.q_proj", "attn_q", 1, {MODEL_QUERY}},
    {"self_attn.k_proj", "attn_k", 1, {MODEL_KEY}},
    {"self_attn.v_proj", "attn_v", 1, {MODEL_VALUE}},
    {"self_attn.o_proj", "attn_output", 1, {MODEL_OUTPUT}},
    {"mlp.gate_proj", "ffn_gate", 1, {MODEL_GATE}},
    {"mlp.up_proj", "ffn_up", 1, {MODEL_UP}},
    {"mlp.down_proj", "ffn_down", 1, {MODEL_DOWN}},
    {"lm_head", "output", 1, {MODEL_HEAD}},
    {"self_attn.qkv_proj", "attn_qkv", 3, {MODEL_QUERY, MODEL_KEY, MODEL_VALUE}},
    {"mlp.gate_up_proj", "ffn_up", 2, {MODEL_GATE, MODEL_UP}},
};

static err refuse(const adapter_file *file, const char *what, fail *f) {
    return fail_set(f, E_UNSUPPORTED, "adapter %.*s: %s, which we do not compute",
                    STR_ARG(file->path), what);
}

/* ---- names ---- */

/* Models whose q, k, v (and gate, up) are one weight take their targets from the end of the table.
 */
static int find_target(const adapter_file *file, str name, bool head) {
    const decoder *d = file->m->state;
    for (int i = ADAPTER_TARGETS - 1; i >= 0; i--) {
        const adapter_target *t = &adapter_targets[i];
        if ((t->linear[0] == MODEL_HEAD) != head || (t->n > 1 && !d->spec.fused)) continue;
        if (str_is(name, file->gguf ? t->gguf : t->hf)) return i;
    }
    return -1;
}

/* "3.self_attn.q_proj" */
static adapter_pair *in_layer(const adapter_file *file, str rest) {
    const decoder *d = file->m->state;
    int64_t layer;
    if (!str_to_int(str_cut(&rest, '.'), &layer) || layer < 0 || layer >= d->spec.layers)
        return NULL;
    int target = find_target(file, rest, false);
    return target < 0 ? NULL : &file->pairs[layer * ADAPTER_TARGETS + target];
}

static adapter_pair *find_pair(const adapter_file *file, str name) {
    const decoder *d = file->m->state;
    str layers = file->gguf ? STR("blk.") : STR("layers."), head = STR("lm_head");
    size_t at = str_find(name, layers);
    if (at != STR_INDEX_NONE && (at == 0 || name.p[at - 1] == '.'))
        return in_layer(file, str_slice(name, at + layers.n, name.n));
    if (!file->gguf && str_ends(name, head)) name = head;
    int target = find_target(file, name, true);
    return target < 0 ? NULL : &file->pairs[d->spec.layers * ADAPTER_TARGETS + target];
}

/* One tensor of the file to its place. */
static err place(const adapter_file *file, const tensor *t, fail *f) {
    char shown[TENSOR_PRINT_BYTES];
    str name = t->name, a = file->gguf ? STR(".weight.lora_a") : STR(".lora_A.weight"),
        b = file->gguf ? STR(".weight.lora_b") : STR(".lora_B.weight");
    bool is_a = str_ends(name, a);
    adapter_pair *pair = NULL;
    if (is_a || str_ends(name, b)) pair = find_pair(file, str_slice(name, 0, name.n - a.n));
    const tensor **to = !pair ? NULL : is_a ? &pair->a : &pair->b;
    if (!to || *to) {
        fail_set(f, E_UNSUPPORTED,
                 "adapter %.*s: \"%s\" is for no linear layer of %.*s that takes a delta",
                 STR_ARG(file->path), tensor_print_name(name, shown), STR_ARG(file->m->info.path));
        return fail_hint(f, "q, k, v, o, gate, up and down of its %lld layers do, and the head",
                         (long long)file->m->info.layers);
    }
    *to = t;
    return E_OK;
}

/* ---- PEFT ---- */

static err check_config(adapter_file *file, const json *config, fail *f) {
    str kind, bias;
    bool dora, turned, lora_bias;
    double r;
    const json *whole = json_get(config, "modules_to_save"), *alphas;
    TRY(json_get_str(config, "peft_type", STR(""), &kind, f));
    TRY(json_get_str(config, "bias", STR("none"), &bias, f));
    TRY(json_get_bool(config, "use_dora", false, &dora, f));
    TRY(json_get_bool(config, "fan_in_fan_out", false, &turned, f));
    TRY(json_get_bool(config, "lora_bias", false, &lora_bias, f));
    TRY(json_get_bool(config, "use_rslora", false, &file->root, f));
    TRY(json_get_double(config, "r", 8, &r, f));
    TRY(json_get_double(config, "lora_alpha", 8, &file->alpha, f));
    alphas = json_get(config, "alpha_pattern");
    if (!str_is(kind, "LORA")) return refuse(file, "its peft_type is not LORA", f);
    if (dora) return refuse(file, "it is a DoRA (use_dora)", f);
    if (turned) return refuse(file, "its matrices are turned round (fan_in_fan_out)", f);
    if (lora_bias || !str_is(bias, "none")) return refuse(file, "it has trained biases", f);
    if (whole && whole->kind == JSON_ARRAY && whole->count)
        return refuse(file, "it holds whole modules (modules_to_save)", f);
    const json *invocation = json_get(config, "alora_invocation_tokens");
    if (invocation && invocation->kind != JSON_NULL)
        return refuse(file, "it begins at certain tokens only (aLoRA)", f);
    if (alphas && alphas->kind == JSON_OBJECT && alphas->count)
        return refuse(file, "its layers have scales of their own (alpha_pattern)", f);
    if (!isfinite(file->alpha))
        return fail_set(f, E_CORRUPT, "adapter %.*s: lora_alpha is no number", STR_ARG(file->path));
    return E_OK;
}

static err open_peft(adapter_file *file, const char *path, fail *f) {
    char name[FILE_PATH_BYTES];
    str text;
    const json *config;
    TRY(file_join(name, path, "adapter_config.json", f));
    TRY(file_read(&file->arena, name, ADAPTER_CONFIG_BYTES_MAX, &text, f));
    err e = json_parse(&file->arena, text, &config, f);
    if (e != E_OK) return e == E_INPUT ? fail_set(f, E_CORRUPT, "%s is not JSON", name) : e;
    TRY(check_config(file, config, f));
    TRY(file_join(name, path, "adapter_model.safetensors", f));
    TRY(file_map_open(&file->map, name, f));
    TRY(safetensors_open(&file->safetensors, (str){(const char *)file->map.p, file->map.n}, name,
                         f));
    for (size_t i = 0; i < safetensors_count(file->safetensors); i++) {
        const char *foreign = NULL;
        const tensor *t = safetensors_at(file->safetensors, i, &foreign);
        if (foreign) TRY(safetensors_tensor(file->safetensors, t->name, &t, f)); /* says why */
        TRY(place(file, t, f));
    }
    return E_OK;
}

/* ---- GGUF ---- */

/* names: words with blanks between */
static bool is_among(const char *names, str word) {
    str rest = str_from(names);
    while (rest.p)
        if (str_eq(str_cut(&rest, ' '), word)) return true;
    return false;
}

static err check_keys(adapter_file *file, fail *f) {
    str kind, type, architecture;
    char shown[TENSOR_PRINT_BYTES];
    TRY(gguf_get_str(file->gguf, "general.type", STR("model"), &type, f));
    TRY(gguf_get_str(file->gguf, "adapter.type", STR(""), &kind, f));
    TRY(gguf_get_str(file->gguf, "general.architecture", STR(""), &architecture, f));
    TRY(gguf_get_float(file->gguf, "adapter.lora.alpha", 0, &file->alpha, f));
    if (!str_is(type, "adapter")) {
        fail_set(f, E_UNSUPPORTED, "\"%.*s\" is a model and no adapter", STR_ARG(file->path));
        return fail_hint(f, "give a PEFT folder or a GGUF file whose general.type is adapter");
    }
    if (!str_is(kind, "lora")) return refuse(file, "it is another adapter than a LoRA", f);
    if (gguf_has(file->gguf, "adapter.alora.invocation_tokens"))
        return refuse(file, "it begins at certain tokens only (aLoRA)", f);
    if (is_among(file->m->arch->gguf, architecture)) return E_OK;
    return fail_set(f, E_UNSUPPORTED,
                    "adapter %.*s is for the architecture \"%s\", %.*s is \"%.*s\"",
                    STR_ARG(file->path), tensor_print_name(architecture, shown),
                    STR_ARG(file->m->info.path), STR_ARG(file->m->info.architecture));
}

static err open_gguf(adapter_file *file, const char *path, fail *f) {
    TRY(file_map_open(&file->map, path, f));
    TRY(gguf_open(&file->gguf, (str){(const char *)file->map.p, file->map.n}, path, f));
    TRY(check_keys(file, f));
    for (size_t i = 0; i < gguf_tensor_count(file->gguf); i++) {
        const char *type;
        const tensor *t;
        tensor at;
        TRY(gguf_tensor_at(file->gguf, i, &at, &type, f));
        TRY(gguf_tensor(file->gguf, at.name, &t, f));
        TRY(place(file, t, f));
    }
    return E_OK;
}

/* ---- both ---- */

err adapter_file_open(adapter_file *file, const model *m, const char *path, fail *f) {
    const decoder *d = m->state;
    *file = (adapter_file){.m = m, .path = str_from(path)};
    arena_init(&file->arena, 0);
    file->pairs =
        arena_new_n(&file->arena, adapter_pair, (size_t)(d->spec.layers + 1) * ADAPTER_TARGETS);
    if (!file->pairs) return fail_memory(f, "an adapter");
    return file_is_dir(path) ? open_peft(file, path, f) : open_gguf(file, path, f);
}

void adapter_file_close(adapter_file *file) {
    gguf_close(file->gguf);
    safetensors_close(file->safetensors);
    file_map_close(&file->map);
    arena_deinit(&file->arena);
}
