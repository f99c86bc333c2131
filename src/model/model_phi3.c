/* model_phi3.c - Phi-3 and Phi-4-mini (Abdin et al. 2024): Llama with q, k, v as rows of one weight
 * and gate, up of another; long contexts by LongRoPE; a part of each head rotates in Phi-4-mini. */
#include "model/model_decoder.h"

static err phi3(model *m, decoder_spec *s, fail *f) {
    int64_t window;
    bool found;
    s->fused = true;
    TRY(decoder_activation(m, "hidden_act", "silu", f));
    TRY(model_number(m, "sliding_window", "attention.sliding_window", 0, &window, f));
    TRY(decoder_layer_types(m, s, (int32_t)window, MODEL_ROPE_FULL, &found, f));
    for (int64_t i = 0; !found && i < s->layers; i++) s->sight[i].window = (int32_t)window;
    return E_OK;
}

const model_arch model_phi3 = {.name = "phi3", .gguf = "phi3", .hf = "phi3", .decoder = phi3};
