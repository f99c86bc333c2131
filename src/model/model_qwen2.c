/* model_qwen2.c - Qwen2 and Qwen2.5 (Yang et al. 2024): Llama with biases on q, k and v. */
#include "model/model_decoder.h"

static err qwen2(model *m, decoder_spec *s, fail *f) {
    s->bias_qkv = DECODER_BIAS;
    TRY(decoder_activation(m, "hidden_act", "silu", f));
    return decoder_upper_windows(m, s, f);
}

const model_arch model_qwen2 = {.name = "qwen2", .gguf = "qwen2", .hf = "qwen2", .decoder = qwen2};
