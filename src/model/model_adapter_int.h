/* model_adapter_int.h - what the adapter's files share: the matrices as a file names them, and
 * ready for use. */
#ifndef BANTAM_MODEL_ADAPTER_INT_H
#define BANTAM_MODEL_ADAPTER_INT_H

#include "model/model_adapter.h"
#include "model/model_decoder.h"

enum { ADAPTER_LINEARS = MODEL_HEAD + 1 };

/* What a matrix may be for: a linear layer, or several whose rows stand in one weight. */
typedef struct adapter_target {
    const char *hf, *gguf;
    int n;
    model_linear linear[3];
} adapter_target;
enum { ADAPTER_TARGETS = ADAPTER_LINEARS + 2 };

/* A pair as the file has it: a [r, cols], b [rows, r]. */
typedef struct adapter_pair {
    const tensor *a, *b;
} adapter_pair;

typedef struct adapter_file {
    const model *m;
    str path;
    arena arena;
    file_map map;
    gguf *gguf; /* one of the two */
    safetensors *safetensors;
    double alpha; /* 0 in GGUF: scale 1 */
    bool root;    /* divided by the square root of r */
    /* [layers + 1][ADAPTER_TARGETS], the head's behind the layers */
    adapter_pair *pairs;
} adapter_file;

extern const adapter_target adapter_targets[ADAPTER_TARGETS];

/* model_adapter_read.c: opens the file and finds its pairs; adapter_file_close also after failure.
 */
err adapter_file_open(adapter_file *file, const model *m, const char *path, fail *f) MUST_CHECK;
void adapter_file_close(adapter_file *file);

/* The delta of one linear layer; rank 0: none. */
typedef struct adapter_delta {
    int64_t rank;
    float scale;
    const float *a; /* [rank, cols] */
    const float *b; /* [rank, rows]: B's columns */
} adapter_delta;

struct model_adapter {
    arena arena;
    model_adapter_info info;
    int64_t layers;       /* of the model; the head is the one behind */
    adapter_delta *delta; /* [layers + 1, ADAPTER_LINEARS] */
};

#endif
