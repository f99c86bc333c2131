/* model_convert_check.c - what config.json may say that GGUF cannot, or that would make the file
 * compute something else: refused by name before anything is written.
 *
 * GGUF's architectures imply their activations, windows and mixtures; so each of these settings
 * must have the one value that is implied, where it is said at all. */
#include "model/model_convert_int.h"

#include <stdio.h>
#include <string.h>

#define SILU_FAMILIES "llama mistral smollm3 qwen2 qwen3 qwen3_moe olmoe olmo2 granite phi3"
#define ANY_FAMILY NULL

/* implied: a JSON scalar as written; "null": it must not be said (or be null, or an empty list) */
static const struct {
    const char *families, *key, *implied;
} rules[] = {
    {ANY_FAMILY, "quantization_config", "null"},
    {SILU_FAMILIES, "hidden_act", "silu"},
    {"gemma3 gemma3_text", "hidden_activation", "gelu_pytorch_tanh"},
    {"gemma3 gemma3_text", "attn_logit_softcapping", "null"},
    {"gemma3 gemma3_text", "use_bidirectional_attention", "false"},
    {"bert xlm-roberta", "hidden_act", "gelu"},
    {"bert xlm-roberta", "position_embedding_type", "absolute"},
    {"smollm3 qwen2 qwen3 qwen3_moe", "use_sliding_window", "false"},
    {"qwen3_moe", "norm_topk_prob", "true"},
    {"qwen3_moe", "decoder_sparse_step", "1"},
    {"qwen3_moe", "mlp_only_layers", "null"},
    {"olmoe", "norm_topk_prob", "false"},
    {"olmoe", "clip_qkv", "null"},
    {"modernbert", "attention_bias", "false"},
    {"modernbert", "mlp_bias", "false"},
    {"modernbert", "norm_bias", "false"},
};

static str shown(const json *v) {
    switch (v->kind) {
    case JSON_BOOL: return v->boolean ? STR("true") : STR("false");
    case JSON_NUMBER:
    case JSON_STRING: return v->string;
    default: return str_from(json_kind_name(v->kind));
    }
}

static bool is_implied(const json *v, const char *implied) {
    if (strcmp(implied, "null") == 0) return v->kind == JSON_ARRAY && v->count == 0;
    return str_is(shown(v), implied);
}

static err refuse(const convert *c, const char *key, str value, fail *f) {
    char text[TENSOR_PRINT_BYTES];
    fail_set(f, E_UNSUPPORTED, "\"%s\": GGUF's %s cannot say \"%s\": %s", c->name, c->family->gguf,
             key, tensor_print_name(value, text));
    return fail_hint(f, "nothing has been written; where the folder itself runs, use that");
}

/* Every fourth layer does not rotate: llama.cpp takes that as given. */
static err check_unrotated(const convert *c, fail *f) {
    const json *list = json_get(c->config, "no_rope_layers");
    if (strcmp(c->family->hf, "smollm3") != 0 || !list || list->kind != JSON_ARRAY) return E_OK;
    for (size_t i = 0; i < list->count; i++) {
        const json *v = json_at(list, i);
        bool rotates = v->kind == JSON_NUMBER && v->number != 0;
        if (rotates == ((i + 1) % 4 == 0)) return refuse(c, "no_rope_layers", STR("a list"), f);
    }
    return E_OK;
}

err convert_check(const convert *c, fail *f) {
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (rules[i].families && !convert_has_word(rules[i].families, c->family->hf)) continue;
        const json *v = convert_find(c->config, rules[i].key);
        if (v && !is_implied(v, rules[i].implied)) return refuse(c, rules[i].key, shown(v), f);
    }
    return check_unrotated(c, f);
}
