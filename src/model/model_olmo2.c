/* model_olmo2.c - OLMo 2 (OLMo Team 2024): norms behind each block only, and on the whole width of
 * q and k. */
#include "model/model_decoder.h"

static err olmo2(model *m, decoder_spec *s, fail *f) {
    bool biases;
    s->qk_norm = DECODER_NORM_WIDTH;
    s->attention_norm = s->ff_norm = NULL;
    s->attention_after = "post_attention_layernorm";
    s->ff_after = "post_feedforward_layernorm";
    s->rope_base = 500000;
    TRY(decoder_flag(m, "attention_bias", false, &biases, f));
    if (biases) s->bias_qkv = s->bias_output = DECODER_BIAS;
    return decoder_activation(m, "hidden_act", "silu", f);
}

const model_arch model_olmo2 = {.name = "olmo2", .gguf = "olmo2", .hf = "olmo2", .decoder = olmo2};
