/* model.h - weights, tokenizer and chat template as one immutable thing.
 *
 * A model is a GGUF file, or a folder with config.json, tokenizer.json and model.safetensors (or
 * its shards). One file and one table row per architecture (model_bert.c, model_llama.c; the table
 * is in model.c). Weights are mapped, not copied. Any thread may read a model; model_embed locks,
 * because its scratch memory is the model's. Decoders are driven through model_forward.h by the
 * engine. */
#ifndef BANTAM_MODEL_MODEL_H
#define BANTAM_MODEL_MODEL_H

#include "base/team.h"
#include "kern/kern.h"
#include "token/token.h"

typedef struct model model;

typedef struct model_options {
    const kern_table *kern; /* NULL: the fastest */
    team *team;             /* NULL only with vocabulary_only */
    const char *cache_dir;  /* where packed weights are kept for the next start; NULL: nowhere */
    bool int8;              /* matrices of floats are rounded to Q8_0 when they are packed */
    bool vocabulary_only;   /* tokenizer and template alone, of any architecture */
    /* Told while weights are packed, by any thread of the team; NULL = not wanted. */
    void (*progress)(void *self, int64_t done, int64_t total);
    void *progress_self;
} model_options;

/* E_NOT_FOUND, E_CORRUPT (a weight missing or of another shape is named), E_UNSUPPORTED
 * (architecture or type; says what there is). */
err model_open(model **out, const char *path, const model_options *o, fail *f) MUST_CHECK;
void model_close(model *m); /* NULL is fine */

typedef struct model_info {
    str path, architecture, name;
    str chat_template; /* "" none */
    bool is_encoder, has_weights;
    int64_t context; /* longest sequence */
    int64_t width;   /* of the hidden state, so of an embedding */
    int64_t layers, heads, vocabulary;
    int64_t kv_heads, head_width; /* what is kept of each position; 0 for encoders */
    int64_t labels;               /* of an encoder's classification head; 0: it has none */
    int64_t file_bytes;
    int64_t parameters, parameters_embedding; /* numbers in its weights; of them the embedding's */
    char quantisation[16]; /* "Q4_K_M", "F32"; "" where the file has no weights */
} model_info;
const model_info *model_about(const model *m);
const tokenizer *model_tokenizer(const model *m);
const kern_table *model_kernels(const model *m);
team *model_team(const model *m);

/* ---- encoders: any thread; calls wait for each other, for the scratch is the model's ---- */

typedef struct model_embed_options {
    int64_t tokens_max; /* of one text with its markers; longer is E_CONTEXT; 0 = the context */
    bool truncate;      /* cut longer texts instead */
} model_embed_options;
/* out [n, width]: mean over the tokens of the last hidden state, or its first row, made unit length
 * or not, as the model's files say (sentence-transformers' 1_Pooling and modules.json, GGUF's
 * pooling_type; where they say nothing: the mean, of unit length). *tokens: how many were read; may
 * be NULL. The same text gives the same bits whatever stands beside it. E_UNSUPPORTED for a
 * decoder. */
err model_embed(model *m, const str *texts, size_t n, const model_embed_options *o, float *out,
                int64_t *tokens, fail *f) MUST_CHECK;
/* The same of texts that are tokens already, each with one or more; the model's own first and last
 * ones stand around each or are put there. E_INPUT for one outside the vocabulary. */
err model_embed_ids(model *m, const token_ids *texts, size_t n, const model_embed_options *o,
                    float *out, int64_t *tokens, fail *f) MUST_CHECK;
/* scores [n, labels]: what a cross-encoder's classification head says of the pairs of query and
 * text, before any sigmoid or softmax. Where it must be cut, the text is. E_UNSUPPORTED where the
 * model has no such head. */
err model_rank(model *m, str query, const str *texts, size_t n, const model_embed_options *o,
               float *scores, int64_t *tokens, fail *f) MUST_CHECK;

#endif
