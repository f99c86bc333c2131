/* weights.h - what lies in a model's file, without opening the model: tensors, counts, bytes. Works
 * with every GGUF file and safetensors folder, of architectures that we cannot run too. */
#ifndef BANTAM_APP_WEIGHTS_H
#define BANTAM_APP_WEIGHTS_H

#include "base/arena.h"
#include "base/err.h"
#include "tensor/tensor.h"

typedef struct weights_tensor {
    str name;
    const char *type; /* "Q4_K" */
    int32_t n_dims;
    int64_t dims[TENSOR_DIMS_MAX]; /* outermost first, as PyTorch has it */
    int64_t count, bytes;
} weights_tensor;

typedef struct weights {
    weights_tensor *tensors; /* [n], in file order */
    size_t n;
    int64_t parameters;      /* all numbers */
    int64_t parameters_work; /* without embedding tables and the output head */
    int64_t bytes;
    int64_t step_bytes;       /* read to make one token: all but an embedding that is no head; of
                                 experts those that are used */
    double step_parameters;   /* parameters_work, of experts those that are used */
    const char *quantisation; /* "Q4_K_M" */
    str architecture;         /* "llama"; as the file says */
    int64_t context, width, layers, heads, kv_heads; /* -1 where the file does not say */
    bool has_template;
    str chat_template; /* of a GGUF file; "" otherwise */
} weights;

/* path: a GGUF file or a folder. E_CORRUPT, E_NOT_FOUND, E_UNSUPPORTED. */
err weights_read(weights *w, arena *a, const char *path, fail *f) MUST_CHECK;

#endif
