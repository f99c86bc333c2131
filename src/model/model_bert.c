/* model_bert.c - BERT (Devlin et al. 2018: MiniLM, bge, e5) and its descendants with the same
 * blocks: RoBERTa and XLM-RoBERTa (Conneau et al. 2020: multilingual e5, bge-m3), whose positions
 * begin two rows later and whose pairs have two separators. Learned positions, norm after each
 * block, exact GELU. A GGUF file of either is a "bert" and holds the positions from the first on.
 */
#include "model/model_encoder.h"

static err common(model *m, encoder_spec *s, fail *f) {
    double eps;
    str activation = STR("gelu"), places = STR("absolute");
    TRY(model_real(m, "layer_norm_eps", "attention.layer_norm_epsilon", 1e-12, &eps, f));
    if (!m->gguf) {
        TRY(json_get_str(m->config, "hidden_act", activation, &activation, f));
        TRY(json_get_str(m->config, "position_embedding_type", places, &places, f));
    }
    if (!str_is(activation, "gelu") || !str_is(places, "absolute"))
        return fail_set(f, E_UNSUPPORTED, "%.*s has the activation \"%.*s\" and %.*s positions",
                        STR_ARG(m->info.path), STR_ARG(str_slice(activation, 0, 40)),
                        STR_ARG(str_slice(places, 0, 40)));
    s->eps = (float)eps;
    s->activation = OP_GELU;
    s->head_tanh = s->biased = s->norm_biased = true;
    s->head_pooling = ENCODER_CLS;
    s->names = (encoder_names){.words = "embeddings.word_embeddings",
                               .places = "embeddings.position_embeddings",
                               .kinds = "embeddings.token_type_embeddings",
                               .norm = "embeddings.LayerNorm",
                               .layer = "encoder.layer",
                               .q = "attention.self.query",
                               .k = "attention.self.key",
                               .v = "attention.self.value",
                               .o = "attention.output.dense",
                               .up = "intermediate.dense",
                               .down = "output.dense",
                               .attention_norm = "attention.output.LayerNorm",
                               .ff_norm = "output.LayerNorm",
                               .attention_norm_gguf = "attn_output_norm",
                               .ff_norm_gguf = "layer_output_norm",
                               .dense = "bert.pooler.dense",
                               .out = "classifier"};
    return E_OK;
}

static err bert(model *m, encoder_spec *s, fail *f) {
    TRY(common(m, s, f));
    /* a GGUF file with a SentencePiece or byte-level vocabulary was a RoBERTa */
    s->two_separators = m->gguf && !str_is(tokenizer_kind(m->tokenizer), "bert");
    return E_OK;
}

static err roberta(model *m, encoder_spec *s, fail *f) {
    TRY(common(m, s, f));
    TRY(model_number(m, "pad_token_id", NULL, 1, &s->first_place, f));
    s->first_place++;
    s->context -= s->first_place;
    s->two_separators = true;
    s->names.dense = "classifier.dense";
    s->names.out = "classifier.out_proj";
    return E_OK;
}

const model_arch model_bert = {.name = "bert", .gguf = "bert", .hf = "bert", .encoder = bert};
const model_arch model_roberta = {
    .name = "roberta", .gguf = "", .hf = "xlm-roberta roberta camembert", .encoder = roberta};
