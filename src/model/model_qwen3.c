/* model_qwen3.c - Qwen3 (Yang et al. 2025): Llama with a norm on each head of q and k. */
#include "model/model_decoder.h"

static err qwen3(model *m, decoder_spec *s, fail *f) {
    bool biases;
    s->qk_norm = DECODER_NORM_HEAD;
    TRY(decoder_activation(m, "hidden_act", "silu", f));
    TRY(decoder_flag(m, "attention_bias", false, &biases, f));
    if (biases) s->bias_qkv = s->bias_output = DECODER_BIAS;
    return decoder_upper_windows(m, s, f);
}

const model_arch model_qwen3 = {.name = "qwen3", .gguf = "qwen3", .hf = "qwen3", .decoder = qwen3};
