/* model_granite.c - Granite 3 (IBM 2024): Llama with factors on the embedding, on what each block
 * adds, on the scores and on the logits (which are divided by theirs). */
#include "model/model_decoder.h"

static err scale(const model *m, const char *hf, const char *suffix, float *out, fail *f) {
    double by;
    TRY(model_real(m, hf, suffix, (double)*out, &by, f));
    if (by > 0) *out = (float)by;
    return E_OK;
}

static err granite(model *m, decoder_spec *s, fail *f) {
    bool attention, ff;
    float divisor = 1;
    if (m->gguf) s->pairs = ROPE_NEXT;
    TRY(decoder_activation(m, "hidden_act", "silu", f));
    TRY(decoder_flag(m, "attention_bias", false, &attention, f));
    TRY(decoder_flag(m, "mlp_bias", false, &ff, f));
    if (attention) s->bias_qkv = s->bias_output = DECODER_BIAS;
    if (ff) s->bias_ff = DECODER_BIAS;
    TRY(scale(m, "embedding_multiplier", "embedding_scale", &s->embedding_scale, f));
    TRY(scale(m, "residual_multiplier", "residual_scale", &s->residual_scale, f));
    TRY(scale(m, "attention_multiplier", "attention.scale", &s->attention_scale, f));
    TRY(scale(m, "logits_scaling", "logit_scale", &divisor, f));
    s->logit_scale = 1 / divisor;
    return E_OK;
}

const model_arch model_granite = {
    .name = "granite", .gguf_turned = true, .gguf = "granite", .hf = "granite", .decoder = granite};
