/* model_modernbert.c - ModernBERT (Warner et al. 2024): rotary positions, norms before each block
 * and behind the last, GELU-gated feed-forward, no biases; every third layer sees the whole text,
 * the others a window to both sides with a base of rotation of their own. */
#include "model/model_encoder.h"

enum { MODERNBERT_EVERY = 3, MODERNBERT_WINDOW = 128 };

static err sights(const model *m, encoder_spec *s, fail *f) {
    int64_t window, every;
    const json *list = m->gguf ? NULL : json_get(m->config, "layer_types");
    bool listed = list && list->kind == JSON_ARRAY && (int64_t)list->count == s->layers;
    TRY(model_number(m, "local_attention", "attention.sliding_window", MODERNBERT_WINDOW, &window,
                     f));
    TRY(model_number(m, "global_attn_every_n_layers", "attention.sliding_window_pattern",
                     MODERNBERT_EVERY, &every, f));
    if (window < 2 || window > 1 << 20 || every < 1)
        return fail_set(f, E_CORRUPT, "%.*s: a window of %lld, every %lld layers without",
                        STR_ARG(m->info.path), (long long)window, (long long)every);
    for (int64_t i = 0; i < s->layers; i++) {
        bool local = i % every != 0;
        if (listed && list->items[i].kind == JSON_STRING)
            local = str_is(list->items[i].string, "sliding_attention");
        s->sight[i] = local ? (encoder_sight){(int32_t)window, MODEL_ROPE_LOCAL}
                            : (encoder_sight){0, MODEL_ROPE_FULL};
    }
    return E_OK;
}

static err one_activation(const model *m, const char *key, op_activation *out, fail *f) {
    str name = STR("gelu");
    if (!m->gguf) TRY(json_get_str(m->config, key, name, &name, f));
    *out = str_is(name, "silu") ? OP_SILU : OP_GELU;
    if (str_is(name, "silu") || str_is(name, "gelu")) return E_OK;
    return fail_set(f, E_UNSUPPORTED, "%.*s has the %s \"%.*s\"", STR_ARG(m->info.path), key,
                    STR_ARG(str_slice(name, 0, 40)));
}

static err biases(const model *m, fail *f) {
    static const char *const keys[] = {"attention_bias", "mlp_bias", "norm_bias"};
    for (size_t i = 0; !m->gguf && i < sizeof keys / sizeof *keys; i++) {
        bool has;
        TRY(json_get_bool(m->config, keys[i], false, &has, f));
        if (has)
            return fail_set(f, E_UNSUPPORTED, "%.*s has %s, which we cannot compute",
                            STR_ARG(m->info.path), keys[i]);
    }
    return E_OK;
}

static err modernbert(model *m, encoder_spec *s, fail *f) {
    double eps, quirk = 1e-5; /* the converter writes a layer norm's epsilon under rms */
    str pooling = STR("mean");
    if (m->gguf) TRY(model_real(m, NULL, "attention.layer_norm_rms_epsilon", quirk, &quirk, f));
    TRY(model_real(m, "norm_eps", "attention.layer_norm_epsilon", quirk, &eps, f));
    s->eps = (float)eps;
    TRY(one_activation(m, "hidden_activation", &s->activation, f));
    TRY(one_activation(m, "classifier_activation", &s->head_activation, f));
    TRY(biases(m, f));
    if (!m->gguf) TRY(json_get_str(m->config, "classifier_pooling", STR("cls"), &pooling, f));
    s->head_pooling = str_is(pooling, "cls") ? ENCODER_CLS : ENCODER_MEAN;
    s->norm_first = s->gated = true;
    s->names = (encoder_names){.words = "embeddings.tok_embeddings",
                               .norm = "embeddings.norm",
                               .last_norm = "final_norm",
                               .layer = "layers",
                               .qkv = "attn.Wqkv",
                               .o = "attn.Wo",
                               .up = "mlp.Wi",
                               .down = "mlp.Wo",
                               .attention_norm = "attn_norm",
                               .ff_norm = "mlp_norm",
                               .attention_norm_gguf = "attn_norm",
                               .ff_norm_gguf = "ffn_norm",
                               .dense = "head.dense",
                               .dense_norm = "head.norm",
                               .out = "classifier"};
    return sights(m, s, f);
}

const model_arch model_modernbert = {
    .name = "modernbert", .gguf = "modern-bert", .hf = "modernbert", .encoder = modernbert};
