/* model_decoder_open.c - a decoder's description and weights from its file: what every family
 * reads, the checks of every number, and the binding by name; see model_decoder.h. */
#include "model/model_decoder.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- for families ---- */

err decoder_refuse(const model *m, const char *what, fail *f) {
    return fail_set(f, E_UNSUPPORTED, "%.*s uses %s, which we cannot compute",
                    STR_ARG(m->info.path), what);
}

err decoder_flag(const model *m, const char *hf, bool fallback, bool *out, fail *f) {
    *out = fallback;
    return m->gguf ? E_OK : json_get_bool(m->config, hf, fallback, out, f);
}

err decoder_activation(const model *m, const char *key, const char *name, fail *f) {
    str have;
    if (m->gguf) return E_OK;
    TRY(json_get_str(m->config, key, str_from(name), &have, f));
    if (str_is(have, name)) return E_OK;
    return fail_set(f, E_UNSUPPORTED, "%.*s has the activation \"%.*s\", not %s",
                    STR_ARG(m->info.path), STR_ARG(str_slice(have, 0, 40)), name);
}

err decoder_layer_types(const model *m, decoder_spec *s, int32_t window, int8_t local_rope,
                        bool *found, fail *f) {
    const json *list = m->gguf ? NULL : json_get(m->config, "layer_types");
    *found = list && list->kind == JSON_ARRAY;
    if (!*found) return E_OK;
    if ((int64_t)list->count != s->layers)
        return fail_set(f, E_CORRUPT, "%.*s: layer_types has %zu entries for %lld layers",
                        STR_ARG(m->info.path), list->count, (long long)s->layers);
    for (int64_t i = 0; i < s->layers; i++) {
        str kind = list->items[i].kind == JSON_STRING ? list->items[i].string : STR("");
        if (str_is(kind, "sliding_attention"))
            s->sight[i] = (decoder_sight){.window = window, .rope = local_rope};
        else if (!str_is(kind, "full_attention"))
            return decoder_refuse(m, "layers of a kind that we do not know", f);
    }
    return E_OK;
}

err decoder_upper_windows(const model *m, decoder_spec *s, fail *f) {
    bool used, found;
    int64_t from, window;
    TRY(decoder_flag(m, "use_sliding_window", false, &used, f));
    if (!used) return E_OK;
    TRY(model_number(m, "sliding_window", NULL, 4096, &window, f));
    TRY(model_number(m, "max_window_layers", NULL, 28, &from, f));
    TRY(decoder_layer_types(m, s, (int32_t)window, MODEL_ROPE_FULL, &found, f));
    for (int64_t i = from; !found && i < s->layers; i++) s->sight[i].window = (int32_t)window;
    return E_OK;
}

/* ---- description ---- */

static err read_sizes(const model *m, decoder_spec *s, fail *f) {
    double eps;
    TRY(model_number(m, "num_hidden_layers", "block_count", -1, &s->layers, f));
    TRY(model_number(m, "hidden_size", "embedding_length", -1, &s->width, f));
    TRY(model_number(m, "intermediate_size", "feed_forward_length", -1, &s->ff, f));
    TRY(model_number(m, "num_attention_heads", "attention.head_count", -1, &s->heads, f));
    TRY(model_number(m, "num_key_value_heads", "attention.head_count_kv", s->heads, &s->kv_heads,
                     f));
    TRY(model_number(m, "max_position_embeddings", "context_length", -1, &s->context, f));
    TRY(model_number(m, "vocab_size", "vocab_size", m->info.vocabulary, &s->vocabulary, f));
    TRY(model_real(m, "rms_norm_eps", "attention.layer_norm_rms_epsilon", 1e-6, &eps, f));
    s->eps = (float)eps;
    if (s->layers > DECODER_LAYERS_MAX || s->heads > s->width || s->heads < 1)
        return fail_set(f, E_CORRUPT, "%.*s: %lld layers, %lld heads of a width of %lld",
                        STR_ARG(m->info.path), (long long)s->layers, (long long)s->heads,
                        (long long)s->width);
    return model_number(m, "head_dim", "attention.key_length", s->width / s->heads, &s->head_width,
                        f);
}

static err check_sizes(const model *m, const decoder_spec *s, fail *f) {
    bool ok = s->width <= 32768 && s->ff <= 262144 && s->heads <= 1024 && s->kv_heads >= 1 &&
              s->kv_heads <= s->heads && s->heads % s->kv_heads == 0 && s->head_width >= 2 &&
              s->head_width <= 1024 && s->head_width % 2 == 0 && s->context <= 1 << 24 &&
              s->vocabulary >= 1 && s->vocabulary <= TOKEN_PIECES_MAX && s->eps >= 0 &&
              s->experts <= DECODER_EXPERTS_MAX && s->experts_used <= s->experts;
    const float scales[] = {s->embedding_scale, s->residual_scale, s->attention_scale,
                            s->logit_scale};
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++)
        ok = ok && isfinite(scales[i]) && scales[i] > 0;
    for (int64_t i = 0; i < s->layers; i++) ok = ok && s->sight[i].window >= 0;
    if (ok) return E_OK;
    return fail_set(f, E_CORRUPT,
                    "%.*s describes an impossible model: %lld layers of %lld, %lld/%lld heads of "
                    "%lld, feed-forward %lld, context %lld, %lld of %lld experts",
                    STR_ARG(m->info.path), (long long)s->layers, (long long)s->width,
                    (long long)s->heads, (long long)s->kv_heads, (long long)s->head_width,
                    (long long)s->ff, (long long)s->context, (long long)s->experts_used,
                    (long long)s->experts);
}

static err read_ropes(model *m, decoder_spec *s, fail *f) {
    bool used[MODEL_ROPES] = {false};
    for (int64_t i = 0; i < s->layers; i++)
        if (s->sight[i].rope >= 0) used[s->sight[i].rope] = true;
    for (int i = 0; i < MODEL_ROPES; i++) {
        model_rope_options o = {.head_width = s->head_width,
                                .base = i == MODEL_ROPE_LOCAL ? 10000 : s->rope_base,
                                .local = i == MODEL_ROPE_LOCAL};
        if (used[i]) TRY(model_rope_read(m, &o, &s->rope[i], f));
    }
    return E_OK;
}

static err read_spec(model *m, decoder_spec *s, fail *f) {
    TRY(read_sizes(m, s, f));
    s->sight = arena_new_n(&m->arena, decoder_sight, (size_t)s->layers);
    if (!s->sight) return fail_memory(f, "a model");
    s->embedding_scale = s->residual_scale = s->logit_scale = 1;
    s->attention_scale = 1 / sqrtf((float)s->head_width);
    s->pairs = ROPE_HALF;
    s->rope_base = 10000;
    s->attention_norm = "input_layernorm";
    s->ff_norm = "post_attention_layernorm";
    TRY(decoder_flag(m, "tie_word_embeddings", false, &s->tied, f));
    TRY(m->arch->decoder(m, s, f));
    if (m->gguf) s->tied = !model_has(m, NULL, "output.weight");
    TRY(check_sizes(m, s, f));
    return read_ropes(m, s, f);
}

/* ---- binding ---- */

enum { NAME_BYTES = 160 };
typedef struct layer_name {
    char hf[NAME_BYTES], gguf[NAME_BYTES];
} layer_name;

static layer_name name_of(const model *m, int64_t layer, const char *hf, const char *gguf_name,
                          const char *kind) {
    layer_name n;
    snprintf(n.hf, sizeof n.hf, "%slayers.%lld.%s.%s", m->prefix, (long long)layer, hf, kind);
    snprintf(n.gguf, sizeof n.gguf, "blk.%lld.%s.%s", (long long)layer, gguf_name, kind);
    return n;
}

/* One weight by its two names: rows [from, from + rows) of `whole` rows. */
typedef struct part {
    const char *hf, *gguf;
    int64_t rows, cols;
    decoder_bias bias;
} part;

static err bind_weight(model *m, int64_t layer, const part *p, weight *w, fail *f) {
    layer_name n = name_of(m, layer, p->hf, p->gguf, "weight");
    TRY(model_weight(m, n.hf, n.gguf, p->rows, p->cols, &w->w, f));
    n = name_of(m, layer, p->hf, p->gguf, "bias");
    bool biased =
        p->bias == DECODER_BIAS || (p->bias == DECODER_BIAS_IF_THERE && model_has(m, n.hf, n.gguf));
    if (biased) TRY(model_vector(m, n.hf, n.gguf, p->rows, &w->bias, f));
    return model_pack(m, w, f);
}

/* Neighbouring rows of one weight, as weights of their own. */
static err bind_fused(model *m, int64_t layer, const part *p, weight *const *to,
                      const int64_t *rows, int n, fail *f) {
    layer_name name = name_of(m, layer, p->hf, p->gguf, "weight");
    const tensor *whole;
    TRY(model_weight(m, name.hf, name.gguf, p->rows, p->cols, &whole, f));
    for (int64_t i = 0, at = 0; i < n; at += rows[i++]) {
        TRY(model_slice(m, whole, at, rows[i], &to[i]->w, f));
        TRY(model_pack(m, to[i], f));
    }
    return E_OK;
}

static err bind_attention(model *m, const decoder_spec *s, int64_t i, decoder_layer *l, fail *f) {
    int64_t q = s->heads * s->head_width, kv = s->kv_heads * s->head_width;
    TRY(bind_weight(m, i, &(part){"self_attn.o_proj", "attn_output", s->width, q, s->bias_output},
                    &l->o, f));
    if (s->fused)
        return bind_fused(m, i, &(part){"self_attn.qkv_proj", "attn_qkv", q + 2 * kv, s->width, 0},
                          (weight *[]){&l->q, &l->k, &l->v}, (int64_t[]){q, kv, kv}, 3, f);
    TRY(bind_weight(m, i, &(part){"self_attn.q_proj", "attn_q", q, s->width, s->bias_qkv}, &l->q,
                    f));
    TRY(bind_weight(m, i, &(part){"self_attn.k_proj", "attn_k", kv, s->width, s->bias_qkv}, &l->k,
                    f));
    return bind_weight(m, i, &(part){"self_attn.v_proj", "attn_v", kv, s->width, s->bias_qkv},
                       &l->v, f);
}

static err bind_dense(model *m, const decoder_spec *s, int64_t i, decoder_expert *e, fail *f) {
    TRY(bind_weight(m, i, &(part){"mlp.down_proj", "ffn_down", s->width, s->ff, s->bias_ff},
                    &e->down, f));
    if (s->fused)
        return bind_fused(m, i, &(part){"mlp.gate_up_proj", "ffn_up", 2 * s->ff, s->width, 0},
                          (weight *[]){&e->gate, &e->up}, (int64_t[]){s->ff, s->ff}, 2, f);
    TRY(bind_weight(m, i, &(part){"mlp.gate_proj", "ffn_gate", s->ff, s->width, s->bias_ff},
                    &e->gate, f));
    return bind_weight(m, i, &(part){"mlp.up_proj", "ffn_up", s->ff, s->width, s->bias_ff}, &e->up,
                       f);
}

/* A stack [E, rows, cols] in GGUF, E weights in a folder; expert e's. */
static err bind_expert_part(model *m, const decoder_spec *s, int64_t layer, int64_t e,
                            const part *p, weight *w, fail *f) {
    char hf[64];
    if (!m->gguf) {
        snprintf(hf, sizeof hf, "mlp.experts.%lld.%s", (long long)e, p->hf);
        return bind_weight(m, layer, &(part){hf, "", p->rows, p->cols, DECODER_NO_BIAS}, w, f);
    }
    layer_name n = name_of(m, layer, "", p->gguf, "weight");
    const tensor *stack;
    TRY(model_weight(m, n.hf, n.gguf, s->experts * p->rows, p->cols, &stack, f));
    TRY(model_slice(m, stack, e * p->rows, p->rows, &w->w, f));
    return model_pack(m, w, f);
}

static err bind_experts(model *m, const decoder_spec *s, int64_t i, decoder_layer *l, fail *f) {
    TRY(bind_weight(m, i, &(part){"mlp.gate", "ffn_gate_inp", s->experts, s->width, 0}, &l->router,
                    f));
    l->expert = arena_new_n(&m->arena, decoder_expert, (size_t)s->experts);
    if (!l->expert) return fail_memory(f, "a model");
    for (int64_t e = 0; e < s->experts; e++) {
        decoder_expert *x = &l->expert[e];
        TRY(bind_expert_part(m, s, i, e, &(part){"gate_proj", "ffn_gate_exps", s->ff, s->width, 0},
                             &x->gate, f));
        TRY(bind_expert_part(m, s, i, e, &(part){"up_proj", "ffn_up_exps", s->ff, s->width, 0},
                             &x->up, f));
        TRY(bind_expert_part(m, s, i, e, &(part){"down_proj", "ffn_down_exps", s->width, s->ff, 0},
                             &x->down, f));
    }
    return E_OK;
}

/* A norm's numbers; those that are stored less one get it back. */
static err bind_norm(model *m, const decoder_spec *s, const char *hf, const char *gguf_name,
                     int64_t n, const float **out, fail *f) {
    const float *stored;
    TRY(model_vector(m, hf, gguf_name, n, &stored, f));
    *out = stored;
    if (!s->norm_one) return E_OK;
    float *whole = arena_new_n(&m->arena, float, (size_t)n);
    if (!whole) return fail_memory(f, "a model");
    for (int64_t i = 0; i < n; i++) whole[i] = 1 + stored[i];
    *out = whole;
    return E_OK;
}

static err bind_norms(model *m, const decoder_spec *s, int64_t i, decoder_layer *l, fail *f) {
    bool whole = s->qk_norm == DECODER_NORM_WIDTH, normed = s->qk_norm != DECODER_NO_NORM;
    const struct {
        const char *hf, *gguf;
        int64_t n;
        const float **to;
    } norms[] = {
        {s->attention_norm, "attn_norm", s->width, &l->attention_norm},
        {s->attention_after, "post_attention_norm", s->width, &l->attention_after},
        {s->ff_norm, "ffn_norm", s->width, &l->ff_norm},
        {s->ff_after, "post_ffw_norm", s->width, &l->ff_after},
        {normed ? "self_attn.q_norm" : NULL, "attn_q_norm",
         whole ? s->heads * s->head_width : s->head_width, &l->q_norm},
        {normed ? "self_attn.k_norm" : NULL, "attn_k_norm",
         whole ? s->kv_heads * s->head_width : s->head_width, &l->k_norm},
    };
    for (size_t k = 0; k < sizeof norms / sizeof *norms; k++) {
        if (!norms[k].hf) continue;
        layer_name n = name_of(m, i, norms[k].hf, norms[k].gguf, "weight");
        TRY(bind_norm(m, s, n.hf, n.gguf, norms[k].n, norms[k].to, f));
    }
    return E_OK;
}

static err bind_layer(model *m, const decoder_spec *s, int64_t i, decoder_layer *l, fail *f) {
    TRY(bind_norms(m, s, i, l, f));
    TRY(bind_attention(m, s, i, l, f));
    return s->experts ? bind_experts(m, s, i, l, f) : bind_dense(m, s, i, &l->dense, f);
}

/* What stands before a folder's names: it depends on what the model was saved as. */
static void find_prefix(model *m) {
    static const char *const prefixes[] = {"model.", "", "language_model.model.",
                                           "model.language_model."};
    char name[NAME_BYTES];
    m->prefix = prefixes[0];
    for (size_t i = 0; !m->gguf && i < sizeof prefixes / sizeof *prefixes; i++) {
        snprintf(name, sizeof name, "%sembed_tokens.weight", prefixes[i]);
        if (!model_has(m, name, NULL)) continue;
        m->prefix = prefixes[i];
        return;
    }
}

static err bind_ends(model *m, decoder *d, fail *f) {
    const decoder_spec *s = &d->spec;
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "%sembed_tokens.weight", m->prefix);
    TRY(model_weight(m, name, "token_embd.weight", s->vocabulary, s->width, &d->embedding, f));
    m->info.parameters_embedding = s->vocabulary * s->width;
    snprintf(name, sizeof name, "%snorm.weight", m->prefix);
    TRY(bind_norm(m, s, name, "output_norm.weight", s->width, &d->norm, f));
    d->head.w = d->embedding;
    if (!s->tied) {
        m->info.parameters += s->vocabulary * s->width;
        TRY(model_weight(m, "lm_head.weight", "output.weight", s->vocabulary, s->width, &d->head.w,
                         f));
    }
    return model_pack(m, &d->head, f);
}

err decoder_open(model *m, fail *f) {
    decoder *d = arena_new(&m->arena, decoder);
    if (!d) return fail_memory(f, "a model");
    decoder_spec *s = &d->spec;
    m->state = d;
    find_prefix(m);
    TRY(read_spec(m, s, f));
    d->layer = arena_new_n(&m->arena, decoder_layer, (size_t)s->layers);
    if (!d->layer) return fail_memory(f, "a model");
    TRY(bind_ends(m, d, f));
    for (int64_t i = 0; i < s->layers; i++) TRY(bind_layer(m, s, i, &d->layer[i], f));
    m->info.context = s->context;
    m->info.width = s->width;
    m->info.layers = s->layers;
    m->info.heads = s->heads;
    m->info.kv_heads = s->kv_heads;
    m->info.head_width = s->head_width;
    m->info.vocabulary = s->vocabulary;
    return E_OK;
}
