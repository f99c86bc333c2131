/* model_decoder.h - what decoders have in common: one description that a family's file fills in,
 * one binding, one forward.
 *
 * A block is  x += after(attend(norm(x)));  x += after(feed(norm(x)))  with norms before, after, or
 * both; keys and queries may be normed, rotated in whole, in part or not at all; a layer sees all
 * positions or a window. A family (model_llama.c, ...) says which of it holds; what would give
 * wrong numbers it refuses. Immutable after open; any thread. */
#ifndef BANTAM_MODEL_MODEL_DECODER_H
#define BANTAM_MODEL_MODEL_DECODER_H

#include "model/model_int.h"

enum { DECODER_LAYERS_MAX = 512, DECODER_EXPERTS_MAX = 1024 };

typedef enum decoder_norm { DECODER_NO_NORM, DECODER_NORM_HEAD, DECODER_NORM_WIDTH } decoder_norm;

/* Biases of a group of linear layers. */
typedef enum decoder_bias { DECODER_NO_BIAS, DECODER_BIAS, DECODER_BIAS_IF_THERE } decoder_bias;

/* What one layer sees and how it rotates. */
typedef struct decoder_sight {
    int32_t window; /* positions it sees, itself included; 0: all */
    int8_t rope;    /* index of decoder_spec.rope; -1: not rotated */
} decoder_sight;

typedef struct decoder_spec {
    int64_t layers, width, ff, heads, kv_heads, head_width, context, vocabulary;
    float eps;
    float embedding_scale, residual_scale, attention_scale, logit_scale; /* 1, 1, 1/sqrt(d), 1 */
    op_activation activation;
    rope_pairs pairs;
    double rope_base; /* where the file names none: 10000 */
    model_rope rope[MODEL_ROPES];
    decoder_sight *sight; /* [layers] */
    decoder_norm qk_norm;
    decoder_bias bias_qkv, bias_output, bias_ff;
    bool fused;    /* q, k, v are rows of one weight, gate and up of another */
    bool norm_one; /* a folder's norms are stored less one (Gemma) */
    bool tied;     /* the head is the embedding */
    /* names in a folder of the norms before and after attention and feed-forward; NULL: none */
    const char *attention_norm, *attention_after, *ff_norm, *ff_after;
    int64_t experts, experts_used; /* 0: one dense feed-forward of width ff */
    bool experts_normed;           /* the chosen experts' shares sum to 1 */
} decoder_spec;

typedef struct decoder_expert {
    weight gate, up, down; /* [F, D], [F, D], [D, F] */
} decoder_expert;

typedef struct decoder_layer {
    const float *attention_norm, *attention_after, *ff_norm, *ff_after; /* [D]; NULL none */
    const float *q_norm, *k_norm; /* [d], or [H*d] and [KV*d]; NULL none */
    weight q, k, v, o;            /* [H*d, D], [KV*d, D] twice, [D, H*d] */
    decoder_expert dense;         /* without experts */
    weight router;                /* [E, D] */
    decoder_expert *expert;       /* [E] */
} decoder_layer;

typedef struct decoder {
    decoder_spec spec;
    const tensor *embedding; /* [V, D] */
    weight head;             /* [V, D] */
    const float *norm;       /* [D] */
    decoder_layer *layer;
} decoder;

/* Sizes and numbers that every family has, then the family's own, then the weights. */
err decoder_open(model *m, fail *f) MUST_CHECK;
void decoder_shape(const model *m, model_run_shape *out);
err decoder_forward(model_run *r, const model_batch *b, fail *f) MUST_CHECK;

/* x [T, D] through the layer's experts that each row chooses, into r->expert_y (model_expert.c). */
void decoder_experts(const decoder_spec *s, const decoder_layer *l, model_run *r, const float *x,
                     int64_t T);

/* For families: E_UNSUPPORTED naming what it is. */
err decoder_refuse(const model *m, const char *what, fail *f);
/* A flag of config.json; a GGUF file has none, so `fallback` holds there. */
err decoder_flag(const model *m, const char *hf, bool fallback, bool *out, fail *f) MUST_CHECK;
/* config.json's activation must be `name` (or absent). */
err decoder_activation(const model *m, const char *key, const char *name, fail *f) MUST_CHECK;
/* Qwen's folders: where use_sliding_window says so, layers from max_window_layers up have one. */
err decoder_upper_windows(const model *m, decoder_spec *s, fail *f) MUST_CHECK;
/* Every layer's window and rotation from config.json's layer_types, if it has them; *found says. */
err decoder_layer_types(const model *m, decoder_spec *s, int32_t window, int8_t local_rope,
                        bool *found, fail *f) MUST_CHECK;

#endif
