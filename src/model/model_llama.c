/* model_llama.c - the Llama family (Touvron et al. 2023): RMSNorm before each block, rotary
 * positions, grouped-query attention, SiLU-gated feed-forward. Llama 2 and 3, TinyLlama, SmolLM2;
 * Mistral (Jiang et al. 2023), whose folders may declare a window; SmolLM3, where every fourth
 * layer does not rotate. GGUF files have the rows of q and k turned round, pairs side by side. */
#include "model/model_decoder.h"

static err biases(const model *m, decoder_spec *s, fail *f) {
    bool attention, ff;
    if (m->gguf) {
        s->bias_qkv = s->bias_output = s->bias_ff = DECODER_BIAS_IF_THERE;
        return E_OK;
    }
    TRY(decoder_flag(m, "attention_bias", false, &attention, f));
    TRY(decoder_flag(m, "mlp_bias", false, &ff, f));
    if (attention) s->bias_qkv = s->bias_output = DECODER_BIAS;
    if (ff) s->bias_ff = DECODER_BIAS;
    return E_OK;
}

/* Folders list the layers that rotate; GGUF files say nothing, there it is every fourth. */
static err unrotated(const model *m, decoder_spec *s, fail *f) {
    int64_t every;
    const json *list = m->gguf ? NULL : json_get(m->config, "no_rope_layers");
    TRY(model_number(m, "no_rope_layer_interval", "rope.no_rope_layer_interval", 4, &every, f));
    if (every < 1) every = 4;
    bool listed = list && list->kind == JSON_ARRAY && (int64_t)list->count == s->layers;
    for (int64_t i = 0; i < s->layers; i++) {
        const json *at = listed ? &list->items[i] : NULL;
        bool turns = at && at->kind == JSON_NUMBER ? at->number != 0 : (i + 1) % every != 0;
        if (!turns) s->sight[i].rope = -1;
    }
    return E_OK;
}

static err window(const model *m, decoder_spec *s, fail *f) {
    int64_t positions;
    bool used, found;
    TRY(model_number(m, "sliding_window", "attention.sliding_window", 0, &positions, f));
    TRY(decoder_flag(m, "use_sliding_window", true, &used, f));
    if (!used || positions == 0) return E_OK;
    TRY(decoder_layer_types(m, s, (int32_t)positions, MODEL_ROPE_FULL, &found, f));
    for (int64_t i = 0; !found && i < s->layers; i++) s->sight[i].window = (int32_t)positions;
    return E_OK;
}

static err llama(model *m, decoder_spec *s, fail *f) {
    if (m->gguf) s->pairs = ROPE_NEXT;
    TRY(decoder_activation(m, "hidden_act", "silu", f));
    TRY(biases(m, s, f));
    if (str_is(m->info.architecture, "smollm3")) TRY(unrotated(m, s, f));
    return window(m, s, f);
}

const model_arch model_llama = {.name = "llama",
                                .gguf_turned = true,
                                .gguf = "llama smollm3",
                                .hf = "llama mistral smollm3",
                                .decoder = llama};
