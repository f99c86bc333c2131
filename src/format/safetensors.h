/* safetensors.h - reads one safetensors file: u64 header bytes, a JSON header, the numbers.
 *
 * Specification: github.com/huggingface/safetensors. Header size, JSON, types, shapes, and
 * offsets are checked, and that the tensors fill the data without gap or overlap (of two entries of
 * one name the last counts, as in JSON everywhere here). F32, F16
 * and BF16 of up to four dimensions are computed with; other types and shapes (position ids in I64,
 * empty tensors) may lie in the file and are E_UNSUPPORTED when asked for. A tensor that does not
 * begin on a multiple of TENSOR_DATA_ALIGN is copied once, so data is always aligned. Errors are
 * E_CORRUPT, E_TOO_LARGE (header) or E_UNSUPPORTED and name file and tensor. The bytes are
 * borrowed; immutable afterwards, any thread. */
#ifndef BANTAM_FORMAT_SAFETENSORS_H
#define BANTAM_FORMAT_SAFETENSORS_H

#include "base/err.h"
#include "base/str.h"
#include "tensor/tensor.h"

typedef struct safetensors safetensors;

enum { SAFETENSORS_HEADER_BYTES_MAX = 16 << 20, SAFETENSORS_TENSORS_MAX = 65536 };

/* `name` only names the file in errors. */
err safetensors_open(safetensors **out, str bytes, const char *name, fail *f) MUST_CHECK;
void safetensors_close(safetensors *s); /* NULL is fine */
size_t safetensors_count(const safetensors *s);
/* Tensor by name; E_NOT_FOUND, or E_UNSUPPORTED naming its type or shape. Borrowed. */
err safetensors_tensor(const safetensors *s, str name, const tensor **out, fail *f) MUST_CHECK;

#endif
