/* model_moe.c - mixtures of experts: Qwen3-MoE (Yang et al. 2025), which is Qwen3 with the chosen
 * shares summing to one; OLMoE (Muennighoff et al. 2024), with norms on the whole width of q and k
 * and shares as they are. */
#include "model/model_decoder.h"

static err experts(const model *m, decoder_spec *s, const char *hf_width, fail *f) {
    const char *count = "num_experts"; /* or num_local_experts, as transformers 5 has it */
    if (!m->gguf && !json_get(m->config, count)) count = "num_local_experts";
    TRY(decoder_activation(m, "hidden_act", "silu", f));
    TRY(model_number(m, count, "expert_count", -1, &s->experts, f));
    TRY(model_number(m, "num_experts_per_tok", "expert_used_count", -1, &s->experts_used, f));
    TRY(model_number(m, hf_width, "expert_feed_forward_length", s->ff, &s->ff, f));
    return decoder_flag(m, "norm_topk_prob", s->experts_normed, &s->experts_normed, f);
}

/* Layers without experts among those with are not bound. */
static err all_sparse(const model *m, fail *f) {
    int64_t step;
    const json *dense = m->gguf ? NULL : json_get(m->config, "mlp_only_layers");
    TRY(model_number(m, "decoder_sparse_step", NULL, 1, &step, f));
    bool some = step != 1 || (dense && dense->kind == JSON_ARRAY && dense->count > 0);
    return some ? decoder_refuse(m, "layers with experts among layers without", f) : E_OK;
}

static err qwen3moe(model *m, decoder_spec *s, fail *f) {
    bool biases;
    s->qk_norm = DECODER_NORM_HEAD;
    s->experts_normed = m->gguf != NULL;
    if (!m->gguf) TRY(all_sparse(m, f));
    TRY(decoder_flag(m, "attention_bias", false, &biases, f));
    if (biases) s->bias_qkv = s->bias_output = DECODER_BIAS;
    TRY(decoder_upper_windows(m, s, f));
    return experts(m, s, "moe_intermediate_size", f);
}

static err olmoe(model *m, decoder_spec *s, fail *f) {
    double clip;
    s->qk_norm = DECODER_NORM_WIDTH;
    TRY(model_real(m, "clip_qkv", "attention.clamp_kqv", 0, &clip, f));
    if (clip != 0) return decoder_refuse(m, "clipped queries and keys", f);
    return experts(m, s, "intermediate_size", f);
}

const model_arch model_qwen3moe = {
    .name = "qwen3moe", .gguf = "qwen3moe", .hf = "qwen3_moe", .decoder = qwen3moe};
const model_arch model_olmoe = {.name = "olmoe", .gguf = "olmoe", .hf = "olmoe", .decoder = olmoe};
