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

/* One architecture. `names`: general.architecture of GGUF, model_type of config.json. */
typedef struct model_arch {
    const char *name;
    bool encoder;
    err (*open)(model *m, fail *f); /* spec and binding: fills m->info and m->state */
    void (*close)(model *m);
    /* Encoders: hidden [T, width] of one ragged batch; sequence s owns rows [first[s], first[s +
     * 1]). */
    err (*encode)(model *m, const int32_t *ids, const size_t *first, size_t n_sequences,
                  const float **hidden, fail *f);
    /* Decoders: sizes of the workspace, and one checked batch (model_forward.h). */
    void (*shape)(const model *m, model_run_shape *out);
    err (*forward)(model_run *r, const model_batch *b, fail *f);
} model_arch;

extern const model_arch model_bert, model_llama;

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
    file_map map;
    mutex lock;  /* model_embed's scratch */
    void *state; /* the architecture's, in the arena or its own */
};

/* A weight of exactly this shape (rows 0: a vector of cols); hf or gguf is used, by the kind of
 * file. */
err model_weight(const model *m, const char *hf, const char *gguf_name, int64_t rows, int64_t cols,
                 const tensor **out, fail *f) MUST_CHECK;
/* The same, which must be F32 (norms, biases), as numbers. */
err model_vector(const model *m, const char *hf, const char *gguf_name, int64_t cols,
                 const float **out, fail *f) MUST_CHECK;
/* Lays a weight out for the model's kernels, where they have a layout for it. */
err model_pack(model *m, weight *w, fail *f) MUST_CHECK;
/* A number of the model's description: config.json's key or GGUF's "ARCH.suffix". Required when
 * fallback < 0. */
err model_number(const model *m, const char *hf, const char *suffix, int64_t fallback, int64_t *out,
                 fail *f) MUST_CHECK;
err model_real(const model *m, const char *hf, const char *suffix, double fallback, double *out,
               fail *f) MUST_CHECK;

#endif
