/* model_convert_keys.c - config.json into GGUF metadata. See model_convert.h.
 *
 * Most keys follow a table: names in config.json, key behind the architecture, kind. What depends
 * on more than one number (rotation, windows, labels) has a function. config.json of transformers 5
 * keeps rotation in rope_parameters, that of 4 in rope_theta and rope_scaling: both are read. */
#include "model/model_convert_int.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LAYERS_MAX = 1024, LABELS_MAX = 4096 };

/* ---- reading ---- */

static const json *rope_of(const convert *c) {
    return convert_find(c->config, "rope_parameters rope_scaling");
}

const json *convert_rope(const convert *c) {
    const json *rope = rope_of(c), *full = json_get(rope, "full_attention");
    return full ? full : rope;
}

err convert_sizes(convert *c, fail *f) {
    TRY(convert_int(c, "num_hidden_layers n_layer n_layers num_layers", -1, &c->layers, f));
    TRY(convert_int(c, "num_attention_heads", c->family->norm_plus_1 ? 8 : -1, &c->heads, f));
    TRY(convert_int(c, "num_key_value_heads", c->family->norm_plus_1 ? 4 : c->heads, &c->kv_heads,
                    f));
    TRY(convert_int(c, "hidden_size", -1, &c->width, f));
    TRY(convert_int(c, "num_local_experts num_experts", 0, &c->experts, f));
    bool ok = c->layers >= 1 && c->layers <= LAYERS_MAX && c->heads >= 1 && c->heads <= 4096 &&
              c->kv_heads >= 1 && c->kv_heads <= c->heads && c->width >= c->heads &&
              c->experts <= 4096;
    if (!ok)
        return fail_set(f, E_CORRUPT, "\"%s\": config.json describes an impossible model", c->name);
    TRY(convert_int(c, "head_dim", c->family->norm_plus_1 ? 256 : c->width / c->heads,
                    &c->head_width, f));
    return c->head_width >= 1 ? E_OK : fail_set(f, E_CORRUPT, "\"%s\": heads of no width", c->name);
}

/* ---- writing ---- */

static const char *key_of(const convert *c, const char *suffix, char out[128]) {
    snprintf(out, 128, "%s.%s", c->family->gguf, suffix);
    return out;
}
static void put_int(const convert *c, const char *suffix, int64_t v) {
    char key[128];
    gguf_put_u32(c->out, key_of(c, suffix, key), (uint32_t)v);
}
static void put_real(const convert *c, const char *suffix, double v) {
    char key[128];
    gguf_put_f32(c->out, key_of(c, suffix, key), (float)v);
}
static void put_text(const convert *c, const char *suffix, str v) {
    char key[128];
    gguf_put_str(c->out, key_of(c, suffix, key), v);
}
static void put_flag(const convert *c, const char *suffix, bool v) {
    char key[128];
    gguf_put_bool(c->out, key_of(c, suffix, key), v);
}

/* ---- the table ---- */

static const struct {
    const char *names, *suffix;
    bool real;
    const char *families; /* blanks between; NULL: all */
} rows[] = {
    {"hidden_size", "embedding_length", false, NULL},
    {"intermediate_size", "feed_forward_length", false, NULL},
    {"rms_norm_eps norm_eps", "attention.layer_norm_rms_epsilon", true, NULL},
    {"layer_norm_eps", "attention.layer_norm_epsilon", true, "bert xlm-roberta"},
    {"num_local_experts num_experts", "expert_count", false, "qwen3_moe olmoe"},
    {"num_experts_per_tok", "expert_used_count", false, "qwen3_moe olmoe"},
    {"moe_intermediate_size", "expert_feed_forward_length", false, "qwen3_moe"},
    {"attention_multiplier", "attention.scale", true, "granite"},
    {"embedding_multiplier", "embedding_scale", true, "granite"},
    {"residual_multiplier", "residual_scale", true, "granite"},
    {"logits_scaling", "logit_scale", true, "granite"},
    {"final_logit_softcapping", "final_logit_softcapping", true, "gemma3 gemma3_text"},
};

static err put_table(const convert *c, fail *f) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].families && !convert_has_word(rows[i].families, c->family->hf)) continue;
        const json *v = convert_find(c->config, rows[i].names);
        int64_t whole;
        if (!v) continue;
        if (v->kind != JSON_NUMBER || !isfinite(v->number))
            return fail_set(f, E_CORRUPT, "\"%s\": config.json: \"%s\" is no number", c->name,
                            rows[i].names);
        if (rows[i].real) {
            put_real(c, rows[i].suffix, v->number);
            continue;
        }
        TRY(convert_int(c, rows[i].names, -1, &whole, f));
        put_int(c, rows[i].suffix, whole);
    }
    return E_OK;
}

/* ---- rotation ---- */

static err unsupported(const convert *c, const char *what, str value, fail *f) {
    char text[TENSOR_PRINT_BYTES];
    return fail_set(f, E_UNSUPPORTED, "\"%s\" has the %s \"%s\", which we cannot convert", c->name,
                    what, tensor_print_name(value, text));
}

static err put_yarn(const convert *c, const json *rope, fail *f) {
    static const struct {
        const char *names, *suffix;
    } optional[] = {{"extrapolation_factor", "rope.scaling.yarn_ext_factor"},
                    {"attention_factor attn_factor", "rope.scaling.yarn_attn_factor"},
                    {"beta_fast", "rope.scaling.yarn_beta_fast"},
                    {"beta_slow", "rope.scaling.yarn_beta_slow"}};
    double original;
    TRY(convert_real(rope, "original_max_position_embeddings", -1, &original, f));
    if (original < 1 || original > (double)INT32_MAX)
        return fail_set(f, E_CORRUPT, "\"%s\": yarn without its original context", c->name);
    put_int(c, "rope.scaling.original_context_length", (int64_t)original);
    for (size_t i = 0; i < sizeof optional / sizeof *optional; i++) {
        const json *v = convert_find(rope, optional[i].names);
        if (v && v->kind == JSON_NUMBER) put_real(c, optional[i].suffix, v->number);
    }
    return E_OK;
}

static err put_scaling(const convert *c, fail *f) {
    const json *rope = convert_rope(c), *said = convert_find(rope, "rope_type type"),
               *factor = convert_find(rope, "factor");
    str type = said && said->kind == JSON_STRING ? said->string : STR("default");
    if (str_is(type, "default") || str_is(type, "llama3")) return E_OK;
    if (str_is(type, "longrope") || str_is(type, "su")) {
        if (!str_is(str_from(c->family->hf), "phi3")) return unsupported(c, "rope_type", type, f);
        return E_OK;
    }
    if (!str_is(type, "linear") && !str_is(type, "yarn"))
        return unsupported(c, "rope_type", type, f);
    if (!factor || factor->kind != JSON_NUMBER)
        return fail_set(f, E_CORRUPT, "\"%s\": rotation is scaled by no factor", c->name);
    put_text(c, "rope.scaling.type", type);
    put_real(c, "rope.scaling.factor", factor->number);
    return str_is(type, "yarn") ? put_yarn(c, rope, f) : E_OK;
}

static err put_bases(const convert *c, fail *f) {
    const json *full = convert_rope(c), *base = convert_find(full, "rope_theta"),
               *local = convert_find(json_get(rope_of(c), "sliding_attention"), "rope_theta");
    if (!base) base = convert_find(c->config, "global_rope_theta rope_theta");
    if (!local) local = convert_find(c->config, "local_rope_theta rope_local_base_freq");
    double b = base && base->kind == JSON_NUMBER ? base->number : c->family->norm_plus_1 ? 1e6 : 0;
    if (b > 0) put_real(c, "rope.freq_base", b);
    if (local && local->kind == JSON_NUMBER) put_real(c, "rope.freq_base_swa", local->number);
    return put_scaling(c, f);
}

/* ---- families ---- */

/* Numbers that the table cannot say for Phi-3: a part of each head turns, a window of 0 is none. */
static err put_phi3(const convert *c, fail *f) {
    double part, original;
    int64_t window, context;
    const json *rope = convert_rope(c);
    TRY(convert_int(c, "max_position_embeddings", -1, &context, f));
    TRY(convert_real(c->config, "partial_rotary_factor", 1, &part, f));
    TRY(convert_real(rope, "partial_rotary_factor", part, &part, f));
    TRY(convert_real(c->config, "original_max_position_embeddings", (double)context, &original, f));
    TRY(convert_real(rope, "original_max_position_embeddings", original, &original, f));
    TRY(convert_int(c, "sliding_window", 0, &window, f));
    if (original < 1 || original > (double)INT32_MAX || part <= 0 || part > 1)
        return fail_set(f, E_CORRUPT, "\"%s\": rotation is described wrongly", c->name);
    put_int(c, "rope.scaling.original_context_length", (int64_t)original);
    put_int(c, "rope.dimension_count", (int64_t)(part * (double)c->width) / c->heads);
    put_int(c, "attention.sliding_window", window);
    return E_OK;
}

static err put_window(const convert *c, fail *f) {
    int64_t window;
    if (!convert_find(c->config, "sliding_window")) return E_OK;
    TRY(convert_int(c, "sliding_window", -1, &window, f));
    put_int(c, "attention.sliding_window", window);
    return E_OK;
}

/* Every n-th layer, from the first, sees everything. */
static int64_t global_period(const convert *c) {
    const json *said = convert_find(c->config, "global_attn_every_n_layers"),
               *types = convert_find(c->config, "layer_types");
    if (said && said->kind == JSON_NUMBER && said->number >= 1 && said->number <= LAYERS_MAX)
        return (int64_t)said->number;
    for (size_t i = 1; types && types->kind == JSON_ARRAY && i < types->count; i++) {
        const json *t = json_at(types, i);
        if (t->kind == JSON_STRING && str_is(t->string, "full_attention")) return (int64_t)i;
    }
    return 0;
}

static err put_modernbert(const convert *c, fail *f) {
    int64_t window, vocabulary, period = global_period(c);
    str act;
    TRY(convert_int(c, "local_attention", -1, &window, f));
    TRY(convert_int(c, "vocab_size", -1, &vocabulary, f));
    TRY(json_get_str(c->config, "hidden_activation", STR(""), &act, f));
    put_int(c, "attention.sliding_window", window);
    if (period) put_int(c, "attention.sliding_window_pattern", period);
    put_text(c, "rope.scaling.type", STR("none"));
    put_int(c, "vocab_size", vocabulary);
    if (act.n) put_text(c, "hidden_activation", act);
    return E_OK;
}

/* id2label, by id; two of them that are called LABEL_0, LABEL_1 are nobody's. */
static err put_labels(convert *c, fail *f) {
    const json *labels = json_get(c->root, "id2label");
    if (!labels || labels->kind != JSON_OBJECT || !labels->count || labels->count > LABELS_MAX)
        return E_OK;
    str *names = arena_new_n(&c->arena, str, labels->count);
    if (!names) return fail_memory(f, c->name);
    for (size_t i = 0; i < labels->count; i++) {
        const json_member *m = &labels->members[i];
        int64_t id;
        if (!str_to_int(m->key, &id) || id < 0 || id >= (int64_t)labels->count || names[id].p ||
            m->value.kind != JSON_STRING)
            return fail_set(f, E_CORRUPT, "\"%s\": config.json: id2label is no list of names",
                            c->name);
        names[id] = m->value.string;
    }
    if (labels->count == 2 && str_is(names[0], "LABEL_0")) return E_OK;
    char key[128];
    gguf_put_strs(c->out, key_of(c, "classifier.output_labels", key), names, labels->count);
    return E_OK;
}

/* As sentence-transformers describes it: the module that pools, and its config. */
static err put_pooling(convert *c, fail *f) {
    static const struct {
        const char *flag, *mode;
        uint32_t number;
    } kinds[] = {{"pooling_mode_mean_tokens", "mean", 1},
                 {"pooling_mode_cls_token", "cls", 2},
                 {"pooling_mode_lasttoken", "lasttoken", 3}};
    const json *modules, *pooling = NULL;
    char file[160];
    str type, path, mode;
    TRY(convert_json(c, "modules.json", &modules, f));
    for (size_t i = 0; modules && modules->kind == JSON_ARRAY && i < modules->count; i++) {
        TRY(json_get_str(json_at(modules, i), "type", STR(""), &type, f));
        TRY(json_get_str(json_at(modules, i), "path", STR(""), &path, f));
        if (!str_ends(type, STR("Pooling"))) continue;
        if (path.n > 100 || str_find(path, STR("..")) != STR_INDEX_NONE ||
            str_starts(path, STR("/")))
            return fail_set(f, E_CORRUPT, "\"%s\": modules.json names no folder inside", c->name);
        snprintf(file, sizeof file, "%.*s/config.json", STR_ARG(path));
        TRY(convert_json(c, file, &pooling, f));
    }
    if (!pooling) return E_OK;
    TRY(json_get_str(pooling, "pooling_mode", STR(""), &mode, f));
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        bool on;
        TRY(json_get_bool(pooling, kinds[i].flag, false, &on, f));
        if (!on && !str_is(mode, kinds[i].mode)) continue;
        put_int(c, "pooling_type", kinds[i].number);
        return E_OK;
    }
    return unsupported(c, "pooling", mode, f);
}

static err put_encoder(convert *c, fail *f) {
    put_flag(c, "attention.causal", false);
    TRY(put_pooling(c, f));
    TRY(put_labels(c, f));
    return c->family->names == CONVERT_MODERNBERT ? put_modernbert(c, f) : E_OK;
}

/* XLM-RoBERTa's positions begin behind the padding's id. */
static err context_length(const convert *c, int64_t *out, fail *f) {
    int64_t padding;
    TRY(convert_int(c, "max_position_embeddings", c->family->norm_plus_1 ? 131072 : -1, out, f));
    TRY(convert_int(c, "pad_token_id", 0, &padding, f));
    if (!str_is(str_from(c->family->hf), "xlm-roberta")) return E_OK;
    *out -= padding + 1;
    return *out > 0 ? E_OK : fail_set(f, E_CORRUPT, "\"%s\": there are no positions", c->name);
}

err convert_keys(convert *c, fail *f) {
    const char *hf = c->family->hf;
    int64_t context, vocabulary;
    bool gemma = c->family->norm_plus_1, phi3 = !strcmp(hf, "phi3");
    TRY(context_length(c, &context, f));
    put_int(c, "block_count", c->layers);
    put_int(c, "context_length", context);
    put_int(c, "attention.head_count", c->heads);
    if (!c->family->encoder) put_int(c, "attention.head_count_kv", c->kv_heads);
    TRY(put_table(c, f));
    TRY(put_bases(c, f));
    if (gemma && !convert_find(c->config, "rms_norm_eps"))
        put_real(c, "attention.layer_norm_rms_epsilon", 1e-6);
    if (!strcmp(hf, "olmoe") && !convert_find(c->config, "rms_norm_eps"))
        put_real(c, "attention.layer_norm_rms_epsilon", 1e-5);
    bool said = gemma || !strcmp(hf, "llama") || convert_find(c->config, "head_dim");
    if (!c->family->no_head_dim && said) {
        put_int(c, "attention.key_length", c->head_width);
        put_int(c, "attention.value_length", c->head_width);
    }
    if (c->family->sizes) {
        TRY(convert_int(c, "vocab_size", -1, &vocabulary, f));
        put_int(c, "vocab_size", vocabulary);
        put_int(c, "rope.dimension_count",
                c->family->no_head_dim ? c->width / c->heads : c->head_width);
    }
    if (gemma) TRY(put_window(c, f));
    if (phi3) TRY(put_phi3(c, f));
    return c->family->encoder ? put_encoder(c, f) : E_OK;
}
