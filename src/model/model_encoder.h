/* model_encoder.h - what encoders have in common: one description that a family's file fills in,
 * one binding, one forward over a ragged batch, pooling and classification heads.
 *
 * A block is  x = norm(x + attend(x)); x = norm(x + feed(x))  (BERT), or with the norms before
 * (ModernBERT). Positions are learned vectors or rotation; a layer sees all of its text or a window
 * to both sides. The model's lock guards the scratch, which grows to the longest batch. */
#ifndef BANTAM_MODEL_MODEL_ENCODER_H
#define BANTAM_MODEL_MODEL_ENCODER_H

#include "model/model_int.h"

enum { ENCODER_LAYERS_MAX = 128, ENCODER_LABELS_MAX = 4096, ENCODER_KINDS_MAX = 16 };

typedef enum encoder_pooling { ENCODER_MEAN, ENCODER_CLS } encoder_pooling;

typedef struct encoder_sight {
    int32_t window; /* sees positions at most window / 2 away; 0: all */
    int8_t rope;    /* index of encoder_spec.rope; -1: not rotated */
} encoder_sight;

/* Names in a folder, behind the prefix; in a GGUF file they are the same for all. */
typedef struct encoder_names {
    const char *words, *places, *kinds, *norm, *last_norm; /* NULL: has none */
    const char *layer;                                     /* "encoder.layer" */
    const char *q, *k, *v;                                 /* or */
    const char *qkv;                                       /* rows of one weight */
    const char *o, *up, *down; /* gated: up has the rows of both, the activated first */
    const char *attention_norm, *ff_norm;
    const char *attention_norm_gguf, *ff_norm_gguf;
    const char *dense, *dense_norm, *out; /* of the head, without prefix */
} encoder_names;

typedef struct encoder_spec {
    int64_t layers, width, ff, heads, head_width, context, vocabulary;
    int64_t first_place; /* row of `places` of the first token */
    int64_t kinds;       /* kinds of segments; 0: none */
    float eps;
    op_activation activation, head_activation;
    bool head_tanh; /* instead of head_activation */
    bool norm_first, gated, biased, norm_biased;
    bool two_separators; /* between the texts of a pair */
    model_rope rope[MODEL_ROPES];
    encoder_sight *sight; /* [layers] */
    encoder_names names;
    encoder_pooling head_pooling;
} encoder_spec;

typedef struct encoder_norm {
    const float *weight, *bias; /* [D]; weight NULL: no norm; bias NULL: none */
} encoder_norm;

typedef struct encoder_layer {
    weight q, k, v, o;     /* [D, D] */
    weight up, gate, down; /* [F, D], [F, D] where gated, [D, F] */
    encoder_norm attention_norm, ff_norm;
} encoder_layer;

typedef struct encoder {
    encoder_spec spec;
    const tensor *words, *places, *kinds; /* [V, D], [P, D], [K, D]; NULL none */
    encoder_norm norm, last_norm;
    encoder_layer *layer;
    weight dense, out; /* of the head: [D, D], [labels, D]; dense.w NULL: none */
    encoder_norm dense_norm;
    encoder_pooling pooling;
    bool unit; /* embeddings are made unit length */
    /* scratch of `rows` rows */
    int64_t rows;
    op_context op;
    op_angles angles[MODEL_ROPES];
    float *memory;
    float *x, *h, *q, *k, *v; /* [rows, D] */
    float *up, *gate;         /* [rows, F]; gate where gated */
    int32_t *positions;
    op_sequence *sequences;
} encoder;

/* A ragged batch: sequence s owns rows [first[s], first[s + 1]). */
typedef struct encoder_batch {
    const int32_t *ids;
    const uint8_t *kinds; /* segment of each row; NULL: all of the first kind */
    const size_t *first;  /* [n + 1] */
    size_t n;
} encoder_batch;

err encoder_open(model *m, fail *f) MUST_CHECK;
void encoder_close(model *m);
/* *hidden [T, D] of the last layer, in the scratch. */
err encoder_forward(model *m, const encoder_batch *b, const float **hidden, fail *f) MUST_CHECK;
/* out [n, D]: one vector of each sequence of the batch that was forwarded last. */
void encoder_pool(const encoder *e, const encoder_batch *b, encoder_pooling how, float *out);
/* out [n, labels] from pooled [n, D], which is overwritten; n at most the scratch's rows. */
void encoder_head(encoder *e, float *pooled, size_t n, float *out);

#endif
