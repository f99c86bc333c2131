/* model_int.h - what the architectures share: finding weights and numbers in either kind of file.
 */
#ifndef BANTAM_MODEL_INT_H
#define BANTAM_MODEL_INT_H

#include "base/arena.h"
#include "base/file.h"
#include "base/thread.h"
#include "format/gguf.h"
#include "format/safetensors.h"
#include "model/model_run.h"
#include "text/json.h"

struct decoder_spec;
struct encoder_spec;

/* One architecture. Names are those of general.architecture in a GGUF file and of model_type in
 * config.json, several with blanks between. It fills the description of a decoder
 * (model_decoder.h) or of an encoder (model_encoder.h); all else is common. */
typedef struct model_arch {
    const char *name, *gguf, *hf;
    bool gguf_turned; /* GGUF files have the rows of q and k turned round, pairs side by side */
    err (*decoder)(model *m, struct decoder_spec *s, fail *f);
    err (*encoder)(model *m, struct encoder_spec *s, fail *f);
} model_arch;

extern const model_arch model_bert, model_ernie4_5, model_gemma3, model_granite, model_llama,
    model_modernbert, model_olmo2, model_olmoe, model_phi3, model_qwen2, model_qwen3,
    model_qwen3moe, model_roberta;

/* Rotation of the layers of one kind. */
typedef struct model_rope {
    int64_t half;           /* pairs of a head that turn; 0: none */
    float magnitude;        /* of cosine and sine */
    const float *freq;      /* [half] radians a position */
    const float *freq_long; /* for contexts above `original`; NULL: freq for all */
    int64_t original;
} model_rope;

typedef struct model_rope_options {
    int64_t head_width;
    double base; /* where the file names none */
    bool local;  /* of the layers with a window: their own base, never scaled */
} model_rope_options;
/* What the file says of rotation: base, scaling (linear, llama3, yarn, longrope), part of a head.
 * Other scalings are E_UNSUPPORTED. (model_rope.c) */
err model_rope_read(model *m, const model_rope_options *o, model_rope *out, fail *f) MUST_CHECK;

typedef struct model_packing model_packing; /* model_packing.h */

struct model {
    arena arena;
    model_options o;
    model_info info;
    const model_arch *arch;
    tokenizer *tokenizer;
    /* one of the two */
    gguf *gguf;
    safetensors *safetensors;
    const json *config;
    const char *prefix; /* of a folder's weights: "model." */
    file_map map;
    mutex lock; /* model_embed's scratch */
    model_packing *packing;
    int64_t numbers[DTYPE_COUNT]; /* of its linear layers, by type */
    void *state;                  /* the architecture's, in the arena or its own */
};

/* A weight of exactly this shape (rows 0: a vector of cols); hf or gguf is used, by the kind of
 * file. */
err model_weight(const model *m, const char *hf, const char *gguf_name, int64_t rows, int64_t cols,
                 const tensor **out, fail *f) MUST_CHECK;
/* The same, which must be F32 (norms, biases), as numbers. */
err model_vector(model *m, const char *hf, const char *gguf_name, int64_t cols, const float **out,
                 fail *f) MUST_CHECK;
bool model_has(const model *m, const char *hf, const char *gguf_name);
int64_t model_rows(const model *m, const char *hf, const char *gguf_name); /* 0: absent */
/* Rows [from, from + rows) of a weight, as a weight of its own (in the model's arena). */
err model_slice(model *m, const tensor *whole, int64_t from, int64_t rows, const tensor **out,
                fail *f) MUST_CHECK;
/* Says that a linear layer's weight is bound: it is counted, and packed when all are. */
err model_pack(model *m, weight *w, fail *f) MUST_CHECK;
/* Fills info.quantisation, when all weights are bound. */
err model_name_type(model *m, fail *f) MUST_CHECK;
/* Copies n bytes of the file that its weights point at, past the map; see file_map_copy. */
bool model_copy(const model *m, const void *p, size_t n, void *out);
/* A number of the model's description: config.json's key or GGUF's "ARCH.suffix". Required when
 * fallback < 0. */
err model_number(const model *m, const char *hf, const char *suffix, int64_t fallback, int64_t *out,
                 fail *f) MUST_CHECK;
err model_real(const model *m, const char *hf, const char *suffix, double fallback, double *out,
               fail *f) MUST_CHECK;

#endif
