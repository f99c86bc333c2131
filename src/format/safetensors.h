/* safetensors.h - reads one safetensors file: u64 header bytes, a JSON header, the numbers.
 *
 * Specification: github.com/huggingface/safetensors. Header size, JSON, types, shapes, offsets,
 * gaps and overlaps at the end are checked; F32, F16 and BF16 are computed with, others are
 * E_UNSUPPORTED when asked for. The bytes are borrowed; immutable afterwards, any thread. */
#ifndef BANTAM_FORMAT_SAFETENSORS_H
#define BANTAM_FORMAT_SAFETENSORS_H

#include "base/err.h"
#include "base/str.h"
#include "tensor/tensor.h"

typedef struct safetensors safetensors;

enum { SAFETENSORS_HEADER_BYTES_MAX = 100 << 20, SAFETENSORS_TENSORS_MAX = 65536 };

err safetensors_open(safetensors **out, str bytes, const char *name, fail *f) MUST_CHECK;
void safetensors_close(safetensors *s); /* NULL is fine */
size_t safetensors_count(const safetensors *s);
err safetensors_tensor(const safetensors *s, str name, const tensor **out,
                       fail *f) MUST_CHECK; /* E_NOT_FOUND */

#endif
