/* tensor.h - named arrays of numbers as files hold them: types, shapes, sizes.
 *
 * Shapes are row-major with the innermost dimension last: a weight matrix is [rows, cols], one row
 * per output, as PyTorch has it (GGUF's ne[] reversed). A tensor borrows its bytes (a mapped file).
 * Immutable; any thread. A new type is one row in tensor.c. */
#ifndef BANTAM_TENSOR_TENSOR_H
#define BANTAM_TENSOR_TENSOR_H

#include "base/err.h"
#include "base/str.h"

typedef enum dtype {
    DTYPE_F32,
    DTYPE_F16,
    DTYPE_BF16,
    DTYPE_Q8_0,
    DTYPE_Q4_0,
    DTYPE_Q4_1,
    DTYPE_Q5_0,
    DTYPE_Q5_1,
    DTYPE_IQ4_NL,
    DTYPE_Q2_K,
    DTYPE_Q3_K,
    DTYPE_Q4_K,
    DTYPE_Q5_K,
    DTYPE_Q6_K,
    DTYPE_IQ4_XS,
    DTYPE_COUNT
} dtype;

typedef struct dtype_info {
    const char *name;    /* "Q4_1" */
    int32_t block;       /* numbers in a block */
    int32_t block_bytes; /* bytes of a block */
    /* n a multiple of block */
    void (*dequantise)(const void *from, float *to, int64_t n);
    /* importance [n] or NULL; NULL where we only read the type (quantise.h) */
    void (*quantise)(const float *from, const float *importance, void *to, int64_t n);
} dtype_info;

const dtype_info *dtype_get(dtype t);
bool dtype_find(str name, dtype *out); /* by its name, in either case */

enum {
    TENSOR_DIMS_MAX = 4,
    TENSOR_NAME_BYTES_MAX = 256,
    TENSOR_DATA_ALIGN = 8, /* a tensor's data begins on a multiple of this */
    TENSOR_PRINT_BYTES = 96
};

typedef struct tensor {
    str name;
    dtype type;
    int32_t n_dims;
    int64_t dims[TENSOR_DIMS_MAX]; /* outermost first; n_dims are used */
    const void *data;
    size_t bytes;
} tensor;

/* Bytes of a tensor of this shape; E_CORRUPT when a dimension is not positive, the product
 * overflows, or a row is not a whole number of blocks. `name` only names it in the error. */
err tensor_bytes(dtype t, int32_t n_dims, const int64_t *dims, str name, size_t *out,
                 fail *f) MUST_CHECK;
int64_t tensor_cols(const tensor *t); /* innermost dimension */
int64_t tensor_rows(const tensor *t); /* product of the others */
size_t tensor_row_bytes(const tensor *t);
/* "[576, 1536] Q4_1" into out */
void tensor_describe(const tensor *t, char out[96]);
/* A name from outside as text that is safe on a terminal: bytes other than printable ASCII become
 * '?', long names are cut with "...". Returns out. */
const char *tensor_print_name(str name, char out[TENSOR_PRINT_BYTES]);

#endif
