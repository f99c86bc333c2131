/* model_adapter.h - a LoRA adapter (Hu et al. 2021): for some linear layers of a model a delta
 * y += scale * B (A x), in float.
 *
 * Read from a PEFT folder (adapter_config.json, adapter_model.safetensors; scale = lora_alpha / r,
 * or / sqrt(r) with use_rslora) or from a GGUF file of type "adapter" (scale = alpha / r). q, k, v,
 * o, gate, up, down and the head may have deltas. What would be computed wrongly is refused by
 * name: DoRA, trained biases, modules saved whole, experts, embeddings.
 *
 * Each sequence of a batch has its own adapter or none (model_batch.adapters); the numbers of a row
 * do not depend on the others. Immutable after open, any thread; the model outlives it. */
#ifndef BANTAM_MODEL_ADAPTER_H
#define BANTAM_MODEL_ADAPTER_H

#include "model/model.h"

enum { MODEL_ADAPTER_RANK_MAX = 1024 };

typedef struct model_adapter model_adapter;

/* E_NOT_FOUND, E_CORRUPT (a matrix without its other half or of another shape, named),
 * E_UNSUPPORTED (an encoder, another architecture, what we do not compute), E_NO_MEMORY. */
err model_adapter_open(model_adapter **out, const model *m, const char *path, fail *f) MUST_CHECK;
void model_adapter_close(model_adapter *a); /* NULL is fine */

typedef struct model_adapter_info {
    str path;
    const model *model;
    uint64_t id;    /* of no other adapter in this process; never 0 */
    int64_t layers; /* linear layers that have a delta */
    int64_t rank;   /* the largest */
    int64_t bytes;
} model_adapter_info;
const model_adapter_info *model_adapter_about(const model_adapter *a);

#endif
