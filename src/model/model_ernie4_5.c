/* model_ernie4_5.c - ERNIE 4.5, dense (Baidu 2025): Llama whose pairs that rotate lie side by side
 * in folders too, with biases everywhere where it has any. */
#include "model/model_decoder.h"

static err ernie4_5(model *m, decoder_spec *s, fail *f) {
    bool biases;
    s->pairs = ROPE_NEXT;
    s->rope_base = 500000;
    TRY(decoder_activation(m, "hidden_act", "silu", f));
    TRY(decoder_flag(m, "tie_word_embeddings", true, &s->tied, f));
    TRY(decoder_flag(m, "use_bias", false, &biases, f));
    if (biases) s->bias_qkv = s->bias_output = s->bias_ff = DECODER_BIAS;
    return E_OK;
}

const model_arch model_ernie4_5 = {
    .name = "ernie4_5", .gguf = "ernie4_5", .hf = "ernie4_5", .decoder = ernie4_5};
