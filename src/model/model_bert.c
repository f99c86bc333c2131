/* model_bert.c - BERT encoders (Devlin et al. 2018): learned positions, norm after each block,
 * exact GELU. Weights as Hugging Face's BertModel names them, or as GGUF does. Hidden states of the
 * last layer come out; pooling is model.c's. */
#include "model/model_int.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum { BERT_LAYERS_MAX = 96, BERT_ROWS = 512 };

typedef struct bert_norm {
    const float *weight, *bias; /* [D] */
} bert_norm;

typedef struct bert_layer {
    weight q, k, v, o; /* [D, D] */
    weight up, down;   /* [F, D], [D, F] */
    bert_norm attention_norm, output_norm;
} bert_layer;

typedef struct bert {
    int64_t layers, width, heads, ff, positions;
    double eps;
    const tensor *words, *places, *kinds; /* [V, D], [P, D], [2, D] */
    bert_norm norm;
    bert_layer *layer; /* [layers] */
    op_context op;
    float *x, *q, *k, *v, *a, *h; /* [ROWS, D]; h: [ROWS, F] */
    float *memory;
    op_sequence *sequences; /* [ROWS] of the batch */
} bert;

/* ---- binding ---- */

typedef struct part {
    const char *hf, *gguf;
    size_t at; /* of a `weight` in bert_layer */
    bool from_ff, to_ff;
} part;

static const part linears[] = {
    {"attention.self.query", "attn_q", offsetof(bert_layer, q), false, false},
    {"attention.self.key", "attn_k", offsetof(bert_layer, k), false, false},
    {"attention.self.value", "attn_v", offsetof(bert_layer, v), false, false},
    {"attention.output.dense", "attn_output", offsetof(bert_layer, o), false, false},
    {"intermediate.dense", "ffn_up", offsetof(bert_layer, up), false, true},
    {"output.dense", "ffn_down", offsetof(bert_layer, down), true, false},
};

static err bind_linear(model *m, const bert *b, int64_t layer, const part *p, bert_layer *out,
                       fail *f) {
    char hf[128], name[64];
    weight *w = (weight *)(void *)((char *)out + p->at);
    int64_t rows = p->to_ff ? b->ff : b->width, cols = p->from_ff ? b->ff : b->width;
    snprintf(hf, sizeof hf, "encoder.layer.%lld.%s.weight", (long long)layer, p->hf);
    snprintf(name, sizeof name, "blk.%lld.%s.weight", (long long)layer, p->gguf);
    TRY(model_weight(m, hf, name, rows, cols, &w->w, f));
    snprintf(hf, sizeof hf, "encoder.layer.%lld.%s.bias", (long long)layer, p->hf);
    snprintf(name, sizeof name, "blk.%lld.%s.bias", (long long)layer, p->gguf);
    return model_vector(m, hf, name, rows, &w->bias, f);
}

static err bind_norm(model *m, const bert *b, const char *hf, const char *name, bert_norm *out,
                     fail *f) {
    char long_hf[128], long_name[64];
    snprintf(long_hf, sizeof long_hf, "%s.weight", hf);
    snprintf(long_name, sizeof long_name, "%s.weight", name);
    TRY(model_vector(m, long_hf, long_name, b->width, &out->weight, f));
    snprintf(long_hf, sizeof long_hf, "%s.bias", hf);
    snprintf(long_name, sizeof long_name, "%s.bias", name);
    return model_vector(m, long_hf, long_name, b->width, &out->bias, f);
}

static err bind_layer(model *m, const bert *b, int64_t i, bert_layer *out, fail *f) {
    char hf[96], name[48];
    for (size_t p = 0; p < sizeof linears / sizeof *linears; p++)
        TRY(bind_linear(m, b, i, &linears[p], out, f));
    snprintf(hf, sizeof hf, "encoder.layer.%lld.attention.output.LayerNorm", (long long)i);
    snprintf(name, sizeof name, "blk.%lld.attn_output_norm", (long long)i);
    TRY(bind_norm(m, b, hf, name, &out->attention_norm, f));
    snprintf(hf, sizeof hf, "encoder.layer.%lld.output.LayerNorm", (long long)i);
    snprintf(name, sizeof name, "blk.%lld.layer_output_norm", (long long)i);
    return bind_norm(m, b, hf, name, &out->output_norm, f);
}

static err bind(model *m, bert *b, fail *f) {
    int64_t words = (int64_t)tokenizer_count(m->tokenizer);
    TRY(model_weight(m, "embeddings.word_embeddings.weight", "token_embd.weight", words, b->width,
                     &b->words, f));
    TRY(model_weight(m, "embeddings.position_embeddings.weight", "position_embd.weight",
                     b->positions, b->width, &b->places, f));
    TRY(model_weight(m, "embeddings.token_type_embeddings.weight", "token_types.weight", 2,
                     b->width, &b->kinds, f));
    TRY(bind_norm(m, b, "embeddings.LayerNorm", "token_embd_norm", &b->norm, f));
    b->layer = arena_new_n(&m->arena, bert_layer, (size_t)b->layers);
    if (!b->layer) return fail_memory(f, "a model");
    for (int64_t i = 0; i < b->layers; i++) TRY(bind_layer(m, b, i, &b->layer[i], f));
    return E_OK;
}

static err read_spec(const model *m, bert *b, fail *f) {
    TRY(model_number(m, "num_hidden_layers", "block_count", -1, &b->layers, f));
    TRY(model_number(m, "hidden_size", "embedding_length", -1, &b->width, f));
    TRY(model_number(m, "num_attention_heads", "attention.head_count", -1, &b->heads, f));
    TRY(model_number(m, "intermediate_size", "feed_forward_length", -1, &b->ff, f));
    TRY(model_number(m, "max_position_embeddings", "context_length", -1, &b->positions, f));
    TRY(model_real(m, "layer_norm_eps", "attention.layer_norm_epsilon", 1e-12, &b->eps, f));
    bool ok = b->layers <= BERT_LAYERS_MAX && b->width <= 8192 && b->ff <= 65536 &&
              b->positions <= 65536 && b->heads <= b->width && b->width % b->heads == 0 &&
              b->width % 8 == 0 && b->width / b->heads <= KERN_HEAD_MAX;
    if (!ok)
        return fail_set(f, E_CORRUPT, "%.*s describes a BERT of impossible size",
                        STR_ARG(m->info.path));
    return E_OK;
}

/* ---- scratch ---- */

static err take_scratch(model *m, bert *b, fail *f) {
    int64_t widest = b->ff > b->width ? b->ff : b->width,
            most = b->positions > BERT_ROWS ? b->positions : BERT_ROWS;
    size_t row = (size_t)BERT_ROWS * (size_t)b->width;
    TRY(op_open(&b->op, m->o.kern, m->o.team,
                &(op_options){.rows_max = BERT_ROWS,
                              .cols_max = widest,
                              .positions_max = most,
                              .head_max = b->width / b->heads},
                f));
    b->memory = mem_alloc_aligned((5 * row + (size_t)BERT_ROWS * (size_t)b->ff) * sizeof(float));
    b->sequences = arena_new_n(&m->arena, op_sequence, BERT_ROWS);
    if (!b->memory || !b->sequences) return fail_memory(f, "a model's activations");
    float **parts[] = {&b->x, &b->q, &b->k, &b->v, &b->a, &b->h};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) *parts[i] = b->memory + i * row;
    return E_OK;
}

static err open_bert(model *m, fail *f) {
    bert *b = arena_new(&m->arena, bert);
    if (!b) return fail_memory(f, "a model");
    m->state = b;
    TRY(read_spec(m, b, f));
    m->info.context = b->positions;
    m->info.width = b->width;
    m->info.layers = b->layers;
    m->info.heads = b->heads;
    TRY(bind(m, b, f));
    return take_scratch(m, b, f);
}

static void close_bert(model *m) {
    bert *b = m->state;
    op_close(&b->op);
    mem_free(b->memory);
}

/* ---- forward ---- */

static void embed_rows(bert *b, const int32_t *ids, const size_t *first, size_t n) {
    int64_t D = b->width;
    for (size_t s = 0; s < n; s++)
        for (size_t t = first[s]; t < first[s + 1]; t++) {
            float *x = b->x + (int64_t)t * D, *place = b->q,
                  *kind = b->k; /* free until the first layer */
            op_row(b->words, ids[t], x);
            op_row(b->places, (int64_t)(t - first[s]), place);
            op_row(b->kinds, 0, kind);
            for (int64_t i = 0; i < D; i++) x[i] += place[i] + kind[i];
        }
    op_layernorm(&b->op, b->x, b->norm.weight, b->norm.bias, (float)b->eps, (int64_t)first[n], D,
                 b->x);
}

static void attention(bert *b, const bert_layer *l, const size_t *first, size_t n, int64_t T) {
    int64_t D = b->width, dim = D / b->heads;
    op_linears(&b->op, b->x, T, (op_output[]){{&l->q, b->q, D}, {&l->k, b->k, D}, {&l->v, b->v, D}},
               3);
    for (size_t s = 0; s < n; s++)
        b->sequences[s] = (op_sequence){.first_row = (int64_t)first[s],
                                        .rows = (int64_t)(first[s + 1] - first[s])};
    op_attention o = {.heads = b->heads,
                      .kv_heads = b->heads,
                      .dim = dim,
                      .scale = 1 / __builtin_sqrtf((float)dim),
                      .both_ways = true};
    op_attend_batch(&b->op, &o, b->sequences, (int64_t)n, b->q, b->k, b->v, b->a);
    op_linear(&b->op, &l->o, b->a, T, b->q, D);
}

static void layer(bert *b, const bert_layer *l, const size_t *first, size_t n, int64_t T) {
    int64_t D = b->width;
    float eps = (float)b->eps;
    attention(b, l, first, n, T);
    op_add(&b->op, b->q, b->x, T, D);
    op_layernorm(&b->op, b->x, l->attention_norm.weight, l->attention_norm.bias, eps, T, D, b->x);
    op_linear(&b->op, &l->up, b->x, T, b->h, b->ff);
    op_activate(&b->op, OP_GELU, b->h, T, b->ff);
    op_linear(&b->op, &l->down, b->h, T, b->q, D);
    op_add(&b->op, b->q, b->x, T, D);
    op_layernorm(&b->op, b->x, l->output_norm.weight, l->output_norm.bias, eps, T, D, b->x);
}

static err encode(model *m, const int32_t *ids, const size_t *first, size_t n, const float **hidden,
                  fail *f) {
    bert *b = m->state;
    (void)f;
    CHECK(first[n] <= BERT_ROWS);
    embed_rows(b, ids, first, n);
    for (int64_t i = 0; i < b->layers; i++) layer(b, &b->layer[i], first, n, (int64_t)first[n]);
    *hidden = b->x;
    return E_OK;
}

const model_arch model_bert = {.name = "bert",
                               .gguf = "bert",
                               .hf = "bert",
                               .encoder = true,
                               .open = open_bert,
                               .close = close_bert,
                               .encode = encode};
