/* model_encoder_open.c - an encoder's description and weights from its file; see model_encoder.h.
 */
#include "model/model_encoder.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 160, CONFIG_BYTES_MAX = 1 << 20 };
/* as llama.cpp numbers ARCH.pooling_type */
enum { GGUF_POOL_NONE, GGUF_POOL_MEAN, GGUF_POOL_CLS, GGUF_POOL_LAST, GGUF_POOL_RANK };

/* ---- description ---- */

static err read_sizes(const model *m, encoder_spec *s, fail *f) {
    TRY(model_number(m, "num_hidden_layers", "block_count", -1, &s->layers, f));
    TRY(model_number(m, "hidden_size", "embedding_length", -1, &s->width, f));
    TRY(model_number(m, "num_attention_heads", "attention.head_count", -1, &s->heads, f));
    TRY(model_number(m, "intermediate_size", "feed_forward_length", -1, &s->ff, f));
    TRY(model_number(m, "max_position_embeddings", "context_length", -1, &s->context, f));
    TRY(model_number(m, "vocab_size", "vocab_size", m->info.vocabulary, &s->vocabulary, f));
    bool ok = s->layers <= ENCODER_LAYERS_MAX && s->width <= 8192 && s->ff <= 65536 &&
              s->context <= 1 << 20 && s->heads <= s->width && s->width % s->heads == 0 &&
              s->vocabulary <= TOKEN_PIECES_MAX && m->info.vocabulary <= s->vocabulary;
    s->head_width = s->heads > 0 ? s->width / s->heads : 0;
    if (ok && s->head_width % 2 == 0) return E_OK;
    return fail_set(f, E_CORRUPT,
                    "%.*s describes an impossible encoder: %lld layers of %lld, %lld heads, "
                    "feed-forward %lld, context %lld, %lld tokens for a vocabulary of %lld",
                    STR_ARG(m->info.path), (long long)s->layers, (long long)s->width,
                    (long long)s->heads, (long long)s->ff, (long long)s->context,
                    (long long)m->info.vocabulary, (long long)s->vocabulary);
}

static err read_spec(model *m, encoder_spec *s, fail *f) {
    TRY(read_sizes(m, s, f));
    s->sight = arena_new_n(&m->arena, encoder_sight, (size_t)s->layers);
    if (!s->sight) return fail_memory(f, "a model");
    for (int64_t i = 0; i < s->layers; i++) s->sight[i].rope = -1;
    TRY(m->arch->encoder(m, s, f));
    if (s->first_place < 0 || s->context < 1 || !(s->eps >= 0))
        return fail_set(f, E_CORRUPT, "%.*s: context %lld, epsilon %g", STR_ARG(m->info.path),
                        (long long)s->context, (double)s->eps);
    bool used[MODEL_ROPES] = {false};
    for (int64_t i = 0; i < s->layers; i++)
        if (s->sight[i].rope >= 0) used[s->sight[i].rope] = true;
    for (int i = 0; i < MODEL_ROPES; i++)
        if (used[i])
            TRY(model_rope_read(m,
                                &(model_rope_options){.head_width = s->head_width,
                                                      .base = i == MODEL_ROPE_LOCAL ? 1e4 : 16e4,
                                                      .local = i == MODEL_ROPE_LOCAL},
                                &s->rope[i], f));
    return E_OK;
}

/* ---- how vectors are pooled ---- */

/* A JSON file of the folder; *out stays NULL where there is none. */
static err read_json(model *m, const char *name, const json **out, fail *f) {
    char path[FILE_PATH_BYTES];
    str text;
    TRY(file_join(path, m->info.path.p, name, f));
    if (!file_exists(path)) return E_OK;
    TRY(file_read(&m->arena, path, CONFIG_BYTES_MAX, &text, f));
    err e = json_parse(&m->arena, text, out, f);
    return e == E_INPUT ? fail_set(f, E_CORRUPT, "%s is not JSON", path) : e;
}

static err other_pooling(const model *m, fail *f) {
    return fail_set(f, E_UNSUPPORTED, "%.*s pools otherwise than by mean or first token",
                    STR_ARG(m->info.path));
}

/* sentence-transformers' 1_Pooling: flags, or (since its version 5) a name. */
static err folder_pooling(model *m, encoder *e, fail *f) {
    const json *pool = NULL, *modules = NULL;
    bool cls, average;
    str mode;
    TRY(read_json(m, "1_Pooling/config.json", &pool, f));
    TRY(read_json(m, "modules.json", &modules, f));
    e->unit = true;
    if (modules && modules->kind == JSON_ARRAY) {
        e->unit = false;
        for (size_t i = 0; i < modules->count; i++) {
            str type;
            TRY(json_get_str(&modules->items[i], "type", STR(""), &type, f));
            if (str_ends(type, STR("Normalize"))) e->unit = true;
        }
    }
    if (!pool) return E_OK;
    TRY(json_get_str(pool, "pooling_mode", STR(""), &mode, f));
    TRY(json_get_bool(pool, "pooling_mode_cls_token", str_is(mode, "cls"), &cls, f));
    TRY(json_get_bool(pool, "pooling_mode_mean_tokens", str_is(mode, "mean"), &average, f));
    if (cls == average) return other_pooling(m, f);
    e->pooling = cls ? ENCODER_CLS : ENCODER_MEAN;
    return E_OK;
}

static err read_pooling(model *m, encoder *e, fail *f) {
    int64_t type;
    if (!m->gguf) return folder_pooling(m, e, f);
    e->unit = true;
    TRY(model_number(m, NULL, "pooling_type", GGUF_POOL_MEAN, &type, f));
    if (type == GGUF_POOL_LAST || type > GGUF_POOL_RANK) return other_pooling(m, f);
    e->pooling = type == GGUF_POOL_CLS ? ENCODER_CLS : ENCODER_MEAN;
    return E_OK;
}

/* ---- binding ---- */

typedef struct name {
    char hf[NAME_BYTES], gguf[NAME_BYTES];
} name;

static name top_name(const model *m, const char *hf, const char *gguf_name, const char *kind) {
    name n;
    snprintf(n.hf, sizeof n.hf, "%s%s.%s", m->prefix, hf, kind);
    snprintf(n.gguf, sizeof n.gguf, "%s.%s", gguf_name, kind);
    return n;
}

static name layer_name(const model *m, const encoder_spec *s, int64_t i, const char *hf,
                       const char *gguf_name, const char *kind) {
    name n;
    snprintf(n.hf, sizeof n.hf, "%s%s.%lld.%s.%s", m->prefix, s->names.layer, (long long)i, hf,
             kind);
    snprintf(n.gguf, sizeof n.gguf, "blk.%lld.%s.%s", (long long)i, gguf_name, kind);
    return n;
}

typedef struct part {
    const char *hf, *gguf;
    int64_t rows, cols;
} part;

static err bind_weight(model *m, const encoder_spec *s, int64_t i, const part *p, weight *w,
                       fail *f) {
    name n = layer_name(m, s, i, p->hf, p->gguf, "weight");
    TRY(model_weight(m, n.hf, n.gguf, p->rows, p->cols, &w->w, f));
    n = layer_name(m, s, i, p->hf, p->gguf, "bias");
    if (s->biased) TRY(model_vector(m, n.hf, n.gguf, p->rows, &w->bias, f));
    return model_pack(m, w, f);
}

/* Equal shares of one weight's rows, as weights of their own. */
static err bind_shares(model *m, const encoder_spec *s, int64_t i, const part *p, weight *const *to,
                       int64_t n, fail *f) {
    name at = layer_name(m, s, i, p->hf, p->gguf, "weight");
    const tensor *whole;
    const float *bias = NULL;
    int64_t share = p->rows / n;
    TRY(model_weight(m, at.hf, at.gguf, p->rows, p->cols, &whole, f));
    at = layer_name(m, s, i, p->hf, p->gguf, "bias");
    if (s->biased) TRY(model_vector(m, at.hf, at.gguf, p->rows, &bias, f));
    for (int64_t k = 0; k < n; k++) {
        TRY(model_slice(m, whole, k * share, share, &to[k]->w, f));
        if (bias) to[k]->bias = bias + k * share;
        TRY(model_pack(m, to[k], f));
    }
    return E_OK;
}

static err bind_norm(model *m, const encoder_spec *s, name weight_name, name bias_name,
                     encoder_norm *out, fail *f) {
    TRY(model_vector(m, weight_name.hf, weight_name.gguf, s->width, &out->weight, f));
    if (!s->norm_biased) return E_OK;
    return model_vector(m, bias_name.hf, bias_name.gguf, s->width, &out->bias, f);
}

/* Checkpoints of BERT's first days call a norm's numbers gamma and beta. */
static err bind_layer_norm(model *m, const encoder_spec *s, int64_t i, const char *hf,
                           const char *gguf_name, encoder_norm *out, fail *f) {
    name w = layer_name(m, s, i, hf, gguf_name, "weight"),
         b = layer_name(m, s, i, hf, gguf_name, "bias"),
         old = layer_name(m, s, i, hf, gguf_name, "gamma");
    if (!m->gguf && model_has(m, old.hf, NULL)) {
        w = old;
        b = layer_name(m, s, i, hf, gguf_name, "beta");
    }
    return bind_norm(m, s, w, b, out, f);
}

static err bind_top_norm(model *m, const encoder_spec *s, const char *hf, const char *gguf_name,
                         encoder_norm *out, fail *f) {
    name w = top_name(m, hf, gguf_name, "weight"), b = top_name(m, hf, gguf_name, "bias"),
         old = top_name(m, hf, gguf_name, "gamma");
    if (!m->gguf && model_has(m, old.hf, NULL)) {
        w = old;
        b = top_name(m, hf, gguf_name, "beta");
    }
    return bind_norm(m, s, w, b, out, f);
}

static err bind_attention(model *m, const encoder_spec *s, int64_t i, encoder_layer *l, fail *f) {
    const encoder_names *n = &s->names;
    int64_t D = s->width;
    TRY(bind_weight(m, s, i, &(part){n->o, "attn_output", D, D}, &l->o, f));
    if (n->qkv)
        return bind_shares(m, s, i, &(part){n->qkv, "attn_qkv", 3 * D, D},
                           (weight *[]){&l->q, &l->k, &l->v}, 3, f);
    TRY(bind_weight(m, s, i, &(part){n->q, "attn_q", D, D}, &l->q, f));
    TRY(bind_weight(m, s, i, &(part){n->k, "attn_k", D, D}, &l->k, f));
    return bind_weight(m, s, i, &(part){n->v, "attn_v", D, D}, &l->v, f);
}

static err bind_layer(model *m, const encoder_spec *s, int64_t i, encoder_layer *l, fail *f) {
    const encoder_names *n = &s->names;
    TRY(bind_attention(m, s, i, l, f));
    TRY(bind_weight(m, s, i, &(part){n->down, "ffn_down", s->width, s->ff}, &l->down, f));
    if (s->gated)
        TRY(bind_shares(m, s, i, &(part){n->up, "ffn_up", 2 * s->ff, s->width},
                        (weight *[]){&l->gate, &l->up}, 2, f));
    else
        TRY(bind_weight(m, s, i, &(part){n->up, "ffn_up", s->ff, s->width}, &l->up, f));
    if (i > 0 || !s->norm_first) /* with norms first, the first layer has the embedding's */
        TRY(bind_layer_norm(m, s, i, n->attention_norm, n->attention_norm_gguf, &l->attention_norm,
                            f));
    return bind_layer_norm(m, s, i, n->ff_norm, n->ff_norm_gguf, &l->ff_norm, f);
}

static err bind_table(model *m, const encoder_spec *s, const char *hf, const char *gguf_name,
                      int64_t rows, const tensor **out, fail *f) {
    name n = top_name(m, hf, gguf_name, "weight");
    m->info.parameters += rows * s->width;
    return model_weight(m, n.hf, n.gguf, rows, s->width, out, f);
}

/* The vectors of segments: config.json says how many; a GGUF file may have none. */
static err bind_kinds(model *m, encoder *e, fail *f) {
    encoder_spec *s = &e->spec;
    if (m->gguf)
        s->kinds = model_rows(m, NULL, "token_types.weight");
    else
        TRY(model_number(m, "type_vocab_size", NULL, 2, &s->kinds, f));
    if (s->kinds == 0) return E_OK;
    if (s->kinds > ENCODER_KINDS_MAX)
        return fail_set(f, E_CORRUPT, "%.*s: %lld kinds of segments", STR_ARG(m->info.path),
                        (long long)s->kinds);
    return bind_table(m, s, s->names.kinds, "token_types", s->kinds, &e->kinds, f);
}

static err bind_front(model *m, encoder *e, fail *f) {
    encoder_spec *s = &e->spec;
    const encoder_names *n = &s->names;
    TRY(bind_table(m, s, n->words, "token_embd", s->vocabulary, &e->words, f));
    m->info.parameters_embedding = s->vocabulary * s->width;
    if (n->places)
        TRY(bind_table(m, s, n->places, "position_embd", s->context + s->first_place, &e->places,
                       f));
    if (n->kinds) TRY(bind_kinds(m, e, f));
    TRY(bind_top_norm(m, s, n->norm, "token_embd_norm", &e->norm, f));
    return n->last_norm ? bind_top_norm(m, s, n->last_norm, "output_norm", &e->last_norm, f) : E_OK;
}

/* The head of a cross-encoder, where the file has one. */
static err bind_head(model *m, encoder *e, fail *f) {
    const encoder_spec *s = &e->spec;
    const encoder_names *n = &s->names;
    char hf[NAME_BYTES], bias[NAME_BYTES];
    snprintf(hf, sizeof hf, "%s.weight", n->out);
    int64_t labels = model_rows(m, hf, "cls.output.weight");
    if (labels < 1 || labels > ENCODER_LABELS_MAX) return E_OK;
    TRY(model_weight(m, hf, "cls.output.weight", labels, s->width, &e->out.w, f));
    snprintf(bias, sizeof bias, "%s.bias", n->out);
    if (model_has(m, bias, "cls.output.bias"))
        TRY(model_vector(m, bias, "cls.output.bias", labels, &e->out.bias, f));
    snprintf(hf, sizeof hf, "%s.weight", n->dense);
    if (!model_has(m, hf, "cls.weight")) return E_OK; /* model_rank says what is missing */
    TRY(model_weight(m, hf, "cls.weight", s->width, s->width, &e->dense.w, f));
    snprintf(bias, sizeof bias, "%s.bias", n->dense);
    if (model_has(m, bias, "cls.bias"))
        TRY(model_vector(m, bias, "cls.bias", s->width, &e->dense.bias, f));
    if (n->dense_norm) {
        snprintf(hf, sizeof hf, "%s.weight", n->dense_norm);
        TRY(model_vector(m, hf, "cls.norm.weight", s->width, &e->dense_norm.weight, f));
    }
    m->info.labels = labels;
    TRY(model_pack(m, &e->dense, f));
    return model_pack(m, &e->out, f);
}

/* What stands before a folder's names: nothing, or the name of the model inside. */
static void find_prefix(model *m, const encoder_spec *s) {
    static const char *const prefixes[] = {"", "bert.", "roberta.", "model."};
    m->prefix = prefixes[0];
    for (size_t i = 0; !m->gguf && i < sizeof prefixes / sizeof *prefixes; i++) {
        char at[NAME_BYTES];
        snprintf(at, sizeof at, "%s%s.weight", prefixes[i], s->names.words);
        if (!model_has(m, at, NULL)) continue;
        m->prefix = prefixes[i];
        return;
    }
}

err encoder_open(model *m, fail *f) {
    encoder *e = arena_new(&m->arena, encoder);
    if (!e) return fail_memory(f, "a model");
    encoder_spec *s = &e->spec;
    m->state = e;
    TRY(read_spec(m, s, f));
    TRY(read_pooling(m, e, f));
    find_prefix(m, s);
    e->layer = arena_new_n(&m->arena, encoder_layer, (size_t)s->layers);
    if (!e->layer) return fail_memory(f, "a model");
    TRY(bind_front(m, e, f));
    for (int64_t i = 0; i < s->layers; i++) TRY(bind_layer(m, s, i, &e->layer[i], f));
    TRY(bind_head(m, e, f));
    m->info.context = s->context;
    m->info.width = s->width;
    m->info.layers = s->layers;
    m->info.heads = s->heads;
    return E_OK;
}
