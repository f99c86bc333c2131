/* model_gemma3.c - Gemma 3, text (Gemma Team 2025): norms before and after each block, stored less
 * one in folders; norms on each head of q and k; embeddings times sqrt(width); five layers of six
 * see a window and rotate by a base of their own, which is never scaled; GELU-gated feed-forward.
 */
#include "model/model_decoder.h"

#include <math.h>

enum { GEMMA3_PATTERN = 6, GEMMA3_LAYERS_27B = 62 };

static err sights(const model *m, decoder_spec *s, fail *f) {
    int64_t window, every;
    bool found;
    TRY(model_number(m, "sliding_window", "attention.sliding_window", 4096, &window, f));
    TRY(decoder_layer_types(m, s, (int32_t)window, MODEL_ROPE_LOCAL, &found, f));
    if (found) return E_OK;
    TRY(model_number(m, "sliding_window_pattern", "attention.sliding_window_pattern",
                     GEMMA3_PATTERN, &every, f));
    for (int64_t i = 0; every > 0 && i < s->layers; i++)
        if ((i + 1) % every != 0)
            s->sight[i] = (decoder_sight){.window = (int32_t)window, .rope = MODEL_ROPE_LOCAL};
    return E_OK;
}

/* Scores are q . k / sqrt(query_pre_attn_scalar); GGUF files leave it out: it is the head's width,
 * in the largest model width / heads. */
static err scores(const model *m, decoder_spec *s, fail *f) {
    int64_t usual = s->layers == GEMMA3_LAYERS_27B ? s->width / s->heads : s->head_width;
    double scalar;
    TRY(model_real(m, "query_pre_attn_scalar", "attention.query_pre_attn_scalar",
                   m->gguf ? (double)usual : 256, &scalar, f));
    s->attention_scale = scalar > 0 ? (float)(1 / sqrt(scalar)) : 0;
    return E_OK;
}

static err uncapped(const model *m, fail *f) {
    double logits, attention;
    TRY(model_real(m, "final_logit_softcapping", "final_logit_softcapping", 0, &logits, f));
    TRY(model_real(m, "attn_logit_softcapping", "attn_logit_softcapping", 0, &attention, f));
    return logits != 0 || attention != 0 ? decoder_refuse(m, "capped logits", f) : E_OK;
}

static err gemma3(model *m, decoder_spec *s, fail *f) {
    bool both_ways;
    s->qk_norm = DECODER_NORM_HEAD;
    s->norm_one = !m->gguf;
    s->attention_after = "post_attention_layernorm";
    s->ff_norm = "pre_feedforward_layernorm";
    s->ff_after = "post_feedforward_layernorm";
    s->embedding_scale = sqrtf((float)s->width);
    s->activation = OP_GELU_TANH;
    s->rope_base = 1e6;
    TRY(decoder_activation(m, "hidden_activation", "gelu_pytorch_tanh", f));
    TRY(decoder_flag(m, "tie_word_embeddings", true, &s->tied, f));
    TRY(decoder_flag(m, "use_bidirectional_attention", false, &both_ways, f));
    if (both_ways) return decoder_refuse(m, "attention in both directions", f);
    TRY(uncapped(m, f));
    TRY(scores(m, s, f));
    return sights(m, s, f);
}

const model_arch model_gemma3 = {
    .name = "gemma3", .gguf = "gemma3", .hf = "gemma3_text gemma3", .decoder = gemma3};
