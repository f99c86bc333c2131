/* model_llama.c - the Llama family (Touvron et al. 2023): RMSNorm before each block, rotary
 * positions, grouped-query attention, SiLU-gated feed-forward, head tied to the embedding or not.
 * Weights as GGUF names them (q and k rows permuted, pairs turn side by side) or as Hugging Face's
 * LlamaForCausalLM does (halves turn); linear layers are packed for the kernels at open. Immutable
 * after open; the workspace is a model_run. */
#include "model/model_int.h"
#include "model/model_run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LLAMA_LAYERS_MAX = 256 };

typedef struct llama_layer {
    const float *attention_norm, *ffn_norm; /* [D] */
    weight q, k, v, o;                      /* [H*d, D], [KV*d, D] twice, [D, H*d] */
    weight gate, up, down;                  /* [F, D] twice, [D, F] */
} llama_layer;

typedef struct llama {
    int64_t layers, width, ff, heads, kv_heads, head_width, context, vocabulary;
    float eps;
    rope_pairs pairs;
    float *freq; /* [head_width / 2] radians a position */
    const tensor *embedding;
    weight head; /* [V, D] */
    const float *norm;
    llama_layer *layer;
} llama;

/* ---- spec ---- */

static err read_sizes(const model *m, llama *l, fail *f) {
    TRY(model_number(m, "num_hidden_layers", "block_count", -1, &l->layers, f));
    TRY(model_number(m, "hidden_size", "embedding_length", -1, &l->width, f));
    TRY(model_number(m, "intermediate_size", "feed_forward_length", -1, &l->ff, f));
    TRY(model_number(m, "num_attention_heads", "attention.head_count", -1, &l->heads, f));
    TRY(model_number(m, "num_key_value_heads", "attention.head_count_kv", l->heads, &l->kv_heads,
                     f));
    TRY(model_number(m, "max_position_embeddings", "context_length", -1, &l->context, f));
    TRY(model_number(m, "vocab_size", "vocab_size", m->info.vocabulary, &l->vocabulary, f));
    if (l->heads > l->width)
        return fail_set(f, E_CORRUPT, "%.*s: %lld heads of a width of %lld", STR_ARG(m->info.path),
                        (long long)l->heads, (long long)l->width);
    return model_number(m, "head_dim", "attention.key_length", l->width / l->heads, &l->head_width,
                        f);
}

static err check_sizes(const model *m, const llama *l, fail *f) {
    bool ok = l->layers <= LLAMA_LAYERS_MAX && l->width <= 32768 && l->ff <= 262144 &&
              l->heads <= 1024 && l->kv_heads >= 1 && l->kv_heads <= l->heads &&
              l->heads % l->kv_heads == 0 && l->head_width >= 2 && l->head_width <= 1024 &&
              l->head_width % 2 == 0 && l->context <= 1 << 24 && l->vocabulary >= 1 &&
              l->vocabulary <= TOKEN_PIECES_MAX;
    if (ok) return E_OK;
    return fail_set(f, E_CORRUPT,
                    "%.*s describes an impossible model: %lld layers of %lld, %lld/%lld heads of "
                    "%lld, feed-forward %lld, context %lld",
                    STR_ARG(m->info.path), (long long)l->layers, (long long)l->width,
                    (long long)l->heads, (long long)l->kv_heads, (long long)l->head_width,
                    (long long)l->ff, (long long)l->context);
}

static err unsupported(const model *m, const char *what, fail *f) {
    return fail_set(f, E_UNSUPPORTED, "%.*s uses %s, which we cannot compute yet",
                    STR_ARG(m->info.path), what);
}

/* What would silently give wrong numbers is refused. */
static err check_variant(const model *m, const llama *l, fail *f) {
    if (m->gguf) {
        int64_t turned;
        str scaling;
        TRY(model_number(m, NULL, "rope.dimension_count", l->head_width, &turned, f));
        TRY(gguf_get_str(m->gguf, "llama.rope.scaling.type", STR("none"), &scaling, f));
        if (turned != l->head_width) return unsupported(m, "rotation of a part of each head", f);
        return str_is(scaling, "none") ? E_OK : unsupported(m, "scaled rotary positions", f);
    }
    bool attention_bias, mlp_bias;
    str act;
    const json *scaling = json_get(m->config, "rope_scaling");
    TRY(json_get_bool(m->config, "attention_bias", false, &attention_bias, f));
    TRY(json_get_bool(m->config, "mlp_bias", false, &mlp_bias, f));
    TRY(json_get_str(m->config, "hidden_act", STR("silu"), &act, f));
    if (attention_bias || mlp_bias) return unsupported(m, "biases", f);
    if (!str_is(act, "silu")) return unsupported(m, "another activation than SiLU", f);
    return !scaling || scaling->kind == JSON_NULL ? E_OK
                                                  : unsupported(m, "scaled rotary positions", f);
}

/* freq[i] = base^(-2i/d), divided by the file's factors where it has them (Llama 3.1 and later). */
static err read_rotation(model *m, llama *l, fail *f) {
    double base;
    const float *factors = NULL;
    int64_t half = l->head_width / 2;
    TRY(model_real(m, "rope_theta", "rope.freq_base", 10000, &base, f));
    if (!(base > 0) || !isfinite(base))
        return fail_set(f, E_CORRUPT, "%.*s: rotary base %g", STR_ARG(m->info.path), base);
    const tensor *t;
    if (m->gguf && gguf_tensor(m->gguf, STR("rope_freqs.weight"), &t, NULL) != E_NOT_FOUND)
        TRY(model_vector(m, NULL, "rope_freqs.weight", half, &factors, f));
    l->freq = arena_new_n(&m->arena, float, (size_t)half);
    if (!l->freq) return fail_memory(f, "a model");
    for (int64_t i = 0; i < half; i++) {
        double freq = pow(base, -2.0 * (double)i / (double)l->head_width);
        l->freq[i] = (float)(factors ? freq / (double)factors[i] : freq);
    }
    l->pairs = m->gguf ? ROPE_NEXT : ROPE_HALF;
    return E_OK;
}

/* ---- binding ---- */

typedef enum extent { WIDTH, QUERIES, KEYS, FEED } extent;

static const struct part {
    const char *hf, *gguf;
    size_t at; /* of a `weight` in llama_layer */
    extent rows, cols;
} parts[] = {
    {"self_attn.q_proj", "attn_q", offsetof(llama_layer, q), QUERIES, WIDTH},
    {"self_attn.k_proj", "attn_k", offsetof(llama_layer, k), KEYS, WIDTH},
    {"self_attn.v_proj", "attn_v", offsetof(llama_layer, v), KEYS, WIDTH},
    {"self_attn.o_proj", "attn_output", offsetof(llama_layer, o), WIDTH, QUERIES},
    {"mlp.gate_proj", "ffn_gate", offsetof(llama_layer, gate), FEED, WIDTH},
    {"mlp.up_proj", "ffn_up", offsetof(llama_layer, up), FEED, WIDTH},
    {"mlp.down_proj", "ffn_down", offsetof(llama_layer, down), WIDTH, FEED},
};

static int64_t extent_of(const llama *l, extent e) {
    return e == WIDTH     ? l->width
           : e == QUERIES ? l->heads * l->head_width
           : e == KEYS    ? l->kv_heads * l->head_width
                          : l->ff;
}

static err bind_norm(const model *m, const llama *l, int64_t i, const char *hf,
                     const char *gguf_name, const float **out, fail *f) {
    char long_hf[96], long_gguf[64];
    snprintf(long_hf, sizeof long_hf, "model.layers.%lld.%s.weight", (long long)i, hf);
    snprintf(long_gguf, sizeof long_gguf, "blk.%lld.%s.weight", (long long)i, gguf_name);
    return model_vector(m, long_hf, long_gguf, l->width, out, f);
}

static err bind_layer(model *m, const llama *l, int64_t i, llama_layer *out, fail *f) {
    char hf[96], name[64];
    TRY(bind_norm(m, l, i, "input_layernorm", "attn_norm", &out->attention_norm, f));
    TRY(bind_norm(m, l, i, "post_attention_layernorm", "ffn_norm", &out->ffn_norm, f));
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
        weight *w = (weight *)(void *)((char *)out + parts[p].at);
        snprintf(hf, sizeof hf, "model.layers.%lld.%s.weight", (long long)i, parts[p].hf);
        snprintf(name, sizeof name, "blk.%lld.%s.weight", (long long)i, parts[p].gguf);
        TRY(model_weight(m, hf, name, extent_of(l, parts[p].rows), extent_of(l, parts[p].cols),
                         &w->w, f));
        TRY(model_pack(m, w, f));
    }
    return E_OK;
}

static err bind_head(const model *m, llama *l, fail *f) {
    bool tied = false;
    const tensor *t;
    TRY(model_weight(m, "model.embed_tokens.weight", "token_embd.weight", l->vocabulary, l->width,
                     &l->embedding, f));
    TRY(model_vector(m, "model.norm.weight", "output_norm.weight", l->width, &l->norm, f));
    if (m->gguf)
        tied = gguf_tensor(m->gguf, STR("output.weight"), &t, NULL) == E_NOT_FOUND;
    else
        TRY(json_get_bool(m->config, "tie_word_embeddings", false, &tied, f));
    l->head.w = l->embedding;
    if (tied) return E_OK;
    return model_weight(m, "lm_head.weight", "output.weight", l->vocabulary, l->width, &l->head.w,
                        f);
}

static err open_llama(model *m, fail *f) {
    llama *l = arena_new(&m->arena, llama);
    double eps;
    if (!l) return fail_memory(f, "a model");
    m->state = l;
    TRY(read_sizes(m, l, f));
    TRY(check_sizes(m, l, f));
    TRY(check_variant(m, l, f));
    TRY(read_rotation(m, l, f));
    TRY(model_real(m, "rms_norm_eps", "attention.layer_norm_rms_epsilon", 1e-5, &eps, f));
    l->eps = (float)eps;
    TRY(bind_head(m, l, f));
    l->layer = arena_new_n(&m->arena, llama_layer, (size_t)l->layers);
    if (!l->layer) return fail_memory(f, "a model");
    for (int64_t i = 0; i < l->layers; i++) TRY(bind_layer(m, l, i, &l->layer[i], f));
    file_map_release(&m->map); /* what was packed is not read there again */
    m->info.context = l->context;
    m->info.width = l->width;
    m->info.layers = l->layers;
    m->info.heads = l->heads;
    m->info.kv_heads = l->kv_heads;
    m->info.head_width = l->head_width;
    m->info.vocabulary = l->vocabulary;
    return E_OK;
}

static void shape(const model *m, model_run_shape *out) {
    const llama *l = m->state;
    *out = (model_run_shape){.width = l->width,
                             .q_width = l->heads * l->head_width,
                             .kv_width = l->kv_heads * l->head_width,
                             .ff = l->ff,
                             .turned = l->head_width / 2};
}

/* ---- forward ---- */

static void attention(const llama *l, model_run *r, const model_batch *b, int64_t i) {
    const llama_layer *at = &l->layer[i];
    int64_t T = b->n_rows;
    op_rmsnorm(&r->op, r->x, at->attention_norm, l->eps, T, l->width, r->h);
    model_run_linears(r, b, i, r->h, T,
                      (model_product[]){{MODEL_QUERY, &at->q, r->q},
                                        {MODEL_KEY, &at->k, r->k},
                                        {MODEL_VALUE, &at->v, r->v}},
                      3);
    op_rope(&r->op, r->q, T, l->heads, l->head_width, &r->angles, l->pairs);
    op_rope(&r->op, r->k, T, l->kv_heads, l->head_width, &r->angles, l->pairs);
    op_attention how = {.heads = l->heads,
                        .kv_heads = l->kv_heads,
                        .dim = l->head_width,
                        .scale = 1 / sqrtf((float)l->head_width)};
    model_run_attend(r, b, i, &how);
    model_run_linears(r, b, i, r->a, T, &(model_product){MODEL_OUTPUT, &at->o, r->h}, 1);
    op_add(&r->op, r->h, r->x, T, l->width);
}

static void feed_forward(const llama *l, model_run *r, const model_batch *b, int64_t i) {
    const llama_layer *at = &l->layer[i];
    int64_t T = b->n_rows;
    op_rmsnorm(&r->op, r->x, at->ffn_norm, l->eps, T, l->width, r->h);
    model_run_linears(
        r, b, i, r->h, T,
        (model_product[]){{MODEL_GATE, &at->gate, r->gate}, {MODEL_UP, &at->up, r->up}}, 2);
    op_glu(&r->op, OP_SILU, r->gate, r->up, r->up, T, l->ff);
    model_run_linears(r, b, i, r->up, T, &(model_product){MODEL_DOWN, &at->down, r->h}, 1);
    op_add(&r->op, r->h, r->x, T, l->width);
}

/* The wanted rows of x, normed, at the front of h. */
static void gather(const llama *l, model_run *r, const model_batch *b) {
    for (int64_t i = 0; i < b->n_wanted; i++)
        r->op.kern->rmsnorm(r->x + b->wanted[i] * l->width, l->norm, l->eps, l->width,
                            r->h + i * l->width);
}

static err forward(model_run *r, const model_batch *b, fail *f) {
    const llama *l = r->m->state;
    if (b->pooled) return fail_set(f, E_UNSUPPORTED, "a decoder gives no pooled vectors");
    for (int64_t i = 0; i < b->n_rows; i++) op_row(l->embedding, b->tokens[i], r->x + i * l->width);
    op_angles_fill(&r->angles, b->positions, b->n_rows, l->freq, 1);
    for (int64_t i = 0; i < l->layers; i++) {
        attention(l, r, b, i);
        feed_forward(l, r, b, i);
    }
    if (b->n_wanted == 0) return E_OK;
    gather(l, r, b);
    if (b->hidden) memcpy(b->hidden, r->h, (size_t)(b->n_wanted * l->width) * sizeof *b->hidden);
    if (b->logits)
        model_run_linears(r, b, l->layers, r->h, b->n_wanted,
                          &(model_product){MODEL_HEAD, &l->head, b->logits}, 1);
    return E_OK;
}

const model_arch model_llama = {
    .name = "llama", .open = open_llama, .shape = shape, .forward = forward};
