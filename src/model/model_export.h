/* model_export.h - a GGUF file becomes a model folder: config.json, tokenizer.json,
 * tokenizer_config.json and safetensors, as published models have them.
 *
 * The way back from model_convert.h, where it is simple: decoders without experts and without
 * factors of rotation (Llama, SmolLM3, Granite, Qwen2, Qwen3, OLMo 2, Gemma 3), tokenizers of the
 * kinds "gpt2" (the common pre-tokenizers) and "llama". Anything else is refused by name. The
 * tokenizer that is written must cut a text of traps as the file's does. The folder appears under
 * its name when it is whole. One thread calls; the team works for it. */
#ifndef BANTAM_MODEL_MODEL_EXPORT_H
#define BANTAM_MODEL_MODEL_EXPORT_H

#include "model/model_write.h"

typedef struct model_export_options {
    dtype type; /* DTYPE_F32, DTYPE_F16 or DTYPE_BF16 of the matrices */
    team *team;
    model_watch watch;
} model_export_options;

typedef struct model_export_report {
    char architecture[32]; /* model_type */
    int64_t bytes_in, bytes_out, tensors, tokens;
} model_export_report;

/* E_EXISTS where `folder` is already there; E_UNSUPPORTED names what cannot be said in a folder. */
err model_export(const char *file, const char *folder, const model_export_options *o,
                 model_export_report *report, fail *f) MUST_CHECK;

#endif
