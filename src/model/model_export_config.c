/* model_export_config.c - GGUF metadata back into config.json. See model_export.h. */
#include "model/model_export_int.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *hf, *class_name;
} classes[] = {{"llama", "LlamaForCausalLM"},       {"smollm3", "SmolLM3ForCausalLM"},
               {"granite", "GraniteForCausalLM"},   {"qwen2", "Qwen2ForCausalLM"},
               {"qwen3", "Qwen3ForCausalLM"},       {"olmo2", "Olmo2ForCausalLM"},
               {"gemma3_text", "Gemma3ForCausalLM"}};

static const struct {
    const char *suffix, *key, *families; /* NULL: all */
    bool real;
} rows[] = {
    {"embedding_length", "hidden_size", NULL, false},
    {"feed_forward_length", "intermediate_size", NULL, false},
    {"block_count", "num_hidden_layers", NULL, false},
    {"attention.head_count", "num_attention_heads", NULL, false},
    {"attention.head_count_kv", "num_key_value_heads", NULL, false},
    {"attention.key_length", "head_dim", NULL, false},
    {"context_length", "max_position_embeddings", NULL, false},
    {"attention.sliding_window", "sliding_window", "gemma3_text", false},
    {"attention.layer_norm_rms_epsilon", "rms_norm_eps", NULL, true},
    {"rope.freq_base", "rope_theta", NULL, true},
    {"rope.freq_base_swa", "rope_local_base_freq", "gemma3_text", true},
    {"attention.scale", "attention_multiplier", "granite", true},
    {"embedding_scale", "embedding_multiplier", "granite", true},
    {"residual_scale", "residual_multiplier", "granite", true},
    {"logit_scale", "logits_scaling", "granite", true},
};

static err put_rows(const export_job *j, json_writer *w, fail *f) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char key[128];
        int64_t whole;
        double real;
        if (rows[i].families && !convert_has_word(rows[i].families, j->family->hf)) continue;
        snprintf(key, sizeof key, "%s.%s", j->family->gguf, rows[i].suffix);
        if (!gguf_has(j->in, key)) continue;
        if (rows[i].real) {
            char text[32];
            TRY(export_real(j, rows[i].suffix, 0, &real, f));
            json_key(w, rows[i].key);
            snprintf(text, sizeof text, "%.9g", real); /* what a float holds: 1e-05, not more */
            json_put_raw(w, str_from(text));
            continue;
        }
        TRY(export_int(j, rows[i].suffix, -1, &whole, f));
        json_field_int(w, rows[i].key, whole);
    }
    return E_OK;
}

static err put_scaling(const export_job *j, json_writer *w, fail *f) {
    char key[96];
    str type;
    double factor;
    int64_t original;
    snprintf(key, sizeof key, "%s.rope.scaling.type", j->family->gguf);
    TRY(gguf_get_str(j->in, key, STR("none"), &type, f));
    if (str_is(type, "none")) return E_OK;
    if (!str_is(type, "linear") && !str_is(type, "yarn"))
        return fail_set(f, E_UNSUPPORTED, "\"%s\": rotation is scaled by \"%.*s\"", j->file,
                        STR_ARG(str_slice(type, 0, 32)));
    TRY(export_real(j, "rope.scaling.factor", 1, &factor, f));
    TRY(export_int(j, "rope.scaling.original_context_length", 0, &original, f));
    json_key(w, "rope_scaling");
    json_begin_object(w);
    json_field_str(w, "rope_type", type);
    json_field_double(w, "factor", factor);
    if (original) json_field_int(w, "original_max_position_embeddings", original);
    json_end_object(w);
    return E_OK;
}

static void put_family(const export_job *j, json_writer *w, int64_t head_dim) {
    const char *hf = j->family->hf;
    bool gemma = j->family->norm_plus_1;
    json_field_str(w, gemma ? "hidden_activation" : "hidden_act",
                   gemma ? STR("gelu_pytorch_tanh") : STR("silu"));
    if (gemma) json_field_int(w, "query_pre_attn_scalar", head_dim);
    if (gemma) json_field_int(w, "sliding_window_pattern", 6);
    if (!strcmp(hf, "smollm3")) json_field_int(w, "no_rope_layer_interval", 4);
    if (str_starts(str_from(hf), STR("qwen")) || !strcmp(hf, "smollm3"))
        json_field_bool(w, "use_sliding_window", false);
    if (strcmp(hf, "qwen2") != 0 && !gemma) {
        json_field_bool(w, "attention_bias", export_has(j, "blk.0.attn_q.bias"));
        json_field_bool(w, "mlp_bias", export_has(j, "blk.0.ffn_up.bias"));
    }
}

static err put_ids(const export_job *j, json_writer *w, fail *f) {
    static const char *const names[][2] = {
        {"bos", "bos_token_id"}, {"eos", "eos_token_id"}, {"padding", "pad_token_id"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char key[64];
        int64_t id;
        snprintf(key, sizeof key, "tokenizer.ggml.%s_token_id", names[i][0]);
        TRY(gguf_get_int(j->in, key, -1, &id, f));
        if (id >= 0) json_field_int(w, names[i][1], id);
    }
    return E_OK;
}

static err put_config(export_job *j, json_writer *w, fail *f) {
    const tensor *embedding;
    int64_t width, head_dim, layers;
    str class_name = STR("");
    TRY(gguf_tensor(j->in, STR("token_embd.weight"), &embedding, f));
    TRY(export_int(j, "embedding_length", -1, &width, f));
    TRY(export_int(j, "attention.key_length", width / j->heads, &head_dim, f));
    TRY(export_int(j, "block_count", -1, &layers, f));
    if (j->family->norm_plus_1 && layers == 62) /* 27B divides by another number, unsaid in GGUF */
        return fail_set(f, E_UNSUPPORTED, "\"%s\": GGUF does not say how Gemma 3 27B scales scores",
                        j->file);
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (!strcmp(classes[i].hf, j->family->hf)) class_name = str_from(classes[i].class_name);
    json_begin_object(w);
    json_key(w, "architectures");
    json_begin_array(w);
    json_put_str(w, class_name);
    json_end_array(w);
    json_field_str(w, "model_type", str_from(j->family->hf));
    json_field_int(w, "vocab_size", tensor_rows(embedding));
    json_field_bool(w, "tie_word_embeddings", !export_has(j, "output.weight"));
    json_field_str(w, "torch_dtype",
                   j->o->type == DTYPE_F32   ? STR("float32")
                   : j->o->type == DTYPE_F16 ? STR("float16")
                                             : STR("bfloat16"));
    TRY(put_rows(j, w, f));
    TRY(put_scaling(j, w, f));
    put_family(j, w, head_dim);
    TRY(put_ids(j, w, f));
    json_end_object(w);
    return E_OK;
}

err export_config(export_job *j, fail *f) {
    buf b = {0};
    json_writer w = {.out = &b, .pretty = true};
    err e = put_config(j, &w, f);
    buf_put_char(&b, '\n');
    if (e == E_OK) e = export_put(j, "config.json", &b, f);
    buf_deinit(&b);
    return e;
}
