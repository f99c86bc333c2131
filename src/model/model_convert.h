/* model_convert.h - a model folder as published (config.json, tokenizer.json, safetensors) becomes
 * one GGUF file.
 *
 * Metadata keys, tensor names and orders of rows are those of llama.cpp's converter (v0.5.0), so
 * that the file runs wherever GGUF runs. What cannot be said in GGUF without loss (a tokenizer that
 * GGUF's names do not describe, an unknown weight) is refused by name. All or nothing: the output
 * appears under its name when it is whole. One thread calls; the team works for it. */
#ifndef BANTAM_MODEL_MODEL_CONVERT_H
#define BANTAM_MODEL_MODEL_CONVERT_H

#include "model/model_recipe.h"
#include "model/model_write.h"

typedef struct model_convert_options {
    const model_recipe *recipe; /* NULL: F16, or BF16 where the folder's matrices are that */
    team *team;
    model_watch watch;
} model_convert_options;

typedef struct model_convert_report {
    char architecture[32], tokenizer[16], pre[32]; /* as the file says them; pre "" = none */
    const model_recipe *recipe;
    int64_t bytes_in, bytes_out, tensors, tokens;
    int64_t of_type[DTYPE_COUNT]; /* tensors */
} model_convert_report;

/* E_NOT_FOUND, E_CORRUPT, E_UNSUPPORTED (architecture, weight, tokenizer, by name), E_CANCELLED. */
err model_convert(const char *folder, const char *out, const model_convert_options *o,
                  model_convert_report *report, fail *f) MUST_CHECK;

#endif
