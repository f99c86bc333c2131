/* model_convert_int.h - what the files of conversion share: the folder being read, the file being
 * written, and one row per kind of folder. */
#ifndef BANTAM_MODEL_CONVERT_INT_H
#define BANTAM_MODEL_CONVERT_INT_H

#include "base/arena.h"
#include "base/file.h"
#include "format/safetensors.h"
#include "model/model_convert.h"
#include "text/json.h"
#include "token/token.h"

typedef enum convert_names { CONVERT_DECODER, CONVERT_BERT, CONVERT_MODERNBERT } convert_names;

/* One model_type of config.json. */
typedef struct convert_family {
    const char *hf, *gguf; /* model_type, general.architecture */
    convert_names names;
    bool turn;        /* rows of q and k: halves become pairs */
    bool norm_plus_1; /* norms are stored as the distance from 1 */
    bool post_norms;  /* post_attention_layernorm really stands behind attention */
    bool sizes;       /* says vocab_size and rope.dimension_count */
    bool no_head_dim; /* head_dim is not said */
    bool encoder;
    const char *pre; /* pre-tokenizers to try first, best first */
} convert_family;

typedef struct convert {
    const model_convert_options *o;
    const convert_family *family;
    const char *folder;
    arena arena;
    const json *config; /* its text_config, where it has one */
    const json *root;   /* the whole config.json */
    safetensors *weights;
    gguf_writer *out;
    model_convert_report *report;
    int64_t layers, heads, kv_heads, width, head_width, experts;
    const char *name; /* of the folder, for errors */
} convert;

/* ---- reading (model_convert_read.c) ---- */

/* A file of the folder as JSON; *out NULL when there is none. */
err convert_json(convert *c, const char *file, const json **out, fail *f) MUST_CHECK;
/* The first of the names (blanks between) that stands there and is not null. */
const json *convert_find(const json *v, const char *names);
err convert_int(const convert *c, const char *names, int64_t fallback, int64_t *out,
                fail *f) MUST_CHECK; /* E_CORRUPT when absent and fallback < 0 */
err convert_real(const json *v, const char *name, double fallback, double *out, fail *f) MUST_CHECK;
bool convert_has_word(const char *words, const char *word); /* blanks between */

/* ---- config.json (model_convert_keys.c) ---- */

/* rope_parameters as transformers 5 says them or rope_scaling of 4; that of full attention. */
const json *convert_rope(const convert *c);
/* That config.json says nothing that the GGUF file could not (model_convert_check.c). */
err convert_check(const convert *c, fail *f) MUST_CHECK;
/* Sizes into c; every key of the architecture into c->out. */
err convert_sizes(convert *c, fail *f) MUST_CHECK;
err convert_keys(convert *c, fail *f) MUST_CHECK;

/* ---- weights (model_convert_names.c, model_convert_rope.c) ---- */

typedef struct convert_tensor {
    tensor shape; /* name, dims and type in the output */
    const tensor **sources;
    size_t n_sources;
    model_change change;
    bool plain; /* F32 whatever the type of the file */
} convert_tensor;

/* The published name of a GGUF tensor, "model.layers.3.mlp.up_proj.weight"; *layer -1: of none.
 * False where there is none. Decoders only. */
bool convert_published_name(const convert_family *family, str name, char out[TENSOR_NAME_BYTES_MAX],
                            int64_t *layer);
/* The family whose folders have this general.architecture; NULL none. */
const convert_family *convert_family_of(str architecture);

/* All tensors of the output; .shape.type is still that of the sources. */
err convert_tensors(convert *c, convert_tensor **out, size_t *n, fail *f) MUST_CHECK;
/* Those that no weight stands for: factors of rotation. At most two, into out[]. */
err convert_factors(convert *c, convert_tensor *out, size_t *n, fail *f) MUST_CHECK;

/* ---- tokenizer (model_convert_vocab.c) ---- */

/* tokenizer.* keys; rows: of the embedding matrix, to which the vocabulary is filled up. */
err convert_vocabulary(convert *c, int64_t rows, fail *f) MUST_CHECK;
/* model_convert_probe.c: do two tokenizers cut a text of traps alike? plain: without odd blanks,
 * which SentencePiece files of GGUF and tokenizer.json treat differently. */
err convert_same_ids(arena *a, const tokenizer *x, const tokenizer *y, bool plain, bool *same,
                     fail *f) MUST_CHECK;

#endif
