/* safetensors.h - reads safetensors: one file, or a folder's model.safetensors or its shards with
 * model.safetensors.index.json. A file is: u64 header bytes, a JSON header, the numbers.
 *
 * Specification: github.com/huggingface/safetensors. Header size, JSON, types, shapes, and
 * offsets are checked, and that the tensors fill the data without gap or overlap (of two entries of
 * one name the last counts, as in JSON everywhere here). F32, F16
 * and BF16 of up to four dimensions are computed with; other types and shapes (position ids in I64,
 * empty tensors) may lie in the file and are E_UNSUPPORTED when asked for. A tensor that does not
 * begin on a multiple of TENSOR_DATA_ALIGN is copied once, so data is always aligned. An index
 * names plain files of its folder; each tensor must stand in the file it names, and in no other.
 * Errors are E_CORRUPT, E_TOO_LARGE (header) or E_UNSUPPORTED and name file and tensor. Immutable
 * afterwards, any thread. Writing: safetensors_writer.h. */
#ifndef BANTAM_FORMAT_SAFETENSORS_H
#define BANTAM_FORMAT_SAFETENSORS_H

#include "base/err.h"
#include "base/str.h"
#include "tensor/tensor.h"

typedef struct safetensors safetensors;

enum {
    SAFETENSORS_HEADER_BYTES_MAX = 16 << 20,
    SAFETENSORS_TENSORS_MAX = 65536,
    SAFETENSORS_SHARDS_MAX = 1024
};

/* One file's bytes, which are borrowed. `name` only names it in errors. */
err safetensors_open(safetensors **out, str bytes, const char *name, fail *f) MUST_CHECK;
/* The files of a folder, which are mapped. E_NOT_FOUND where it has neither a model.safetensors nor
 * an index. */
err safetensors_open_folder(safetensors **out, const char *folder, fail *f) MUST_CHECK;
void safetensors_close(safetensors *s); /* NULL is fine */
size_t safetensors_count(const safetensors *s);
int64_t safetensors_bytes(const safetensors *s); /* of all files */
/* Gives the pages of mapped files back to the system until they are read again. */
void safetensors_release(const safetensors *s);
/* The same for the n bytes at p of one of its tensors. */
void safetensors_release_part(const safetensors *s, const void *p, size_t n);
/* As file_map_copy. */
bool safetensors_copy(const safetensors *s, const void *p, size_t n, void *out);
int64_t safetensors_mtime_ns(const safetensors *s); /* of the newest file; 0 without files */
/* By index below the count, in file order, also what we cannot compute with: then *foreign says
 * why. */
const tensor *safetensors_at(const safetensors *s, size_t index, const char **foreign);
/* Tensor by name; E_NOT_FOUND, or E_UNSUPPORTED naming its type or shape. Borrowed. */
err safetensors_tensor(const safetensors *s, str name, const tensor **out, fail *f) MUST_CHECK;

#endif
