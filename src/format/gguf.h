/* gguf.h - reads GGUF v2 and v3: metadata and named tensors. Knows no architecture. Writing:
 * gguf_writer.h.
 *
 * Specification: github.com/ggml-org/ggml docs/gguf.md. Everything from the file is checked before
 * it is used: counts against the bytes that are left, lengths, alignment, names, and that
 * the tensors follow each other to the end without gap or overlap. Errors are E_CORRUPT (says at
 * which byte), E_UNSUPPORTED (version, tensor type) or E_TOO_LARGE. Tensors of types we cannot
 * compute with make the file E_UNSUPPORTED only when they are asked for (gguf_tensor). The bytes
 * are borrowed and must outlive the object; immutable afterwards, any thread. */
#ifndef BANTAM_FORMAT_GGUF_H
#define BANTAM_FORMAT_GGUF_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "tensor/tensor.h"

typedef struct gguf gguf;

enum {
    GGUF_KEYS_MAX = 65536,
    GGUF_TENSORS_MAX = 65536,
    GGUF_ARRAY_MAX = 1 << 26,
    GGUF_ARRAY_DEPTH_MAX = 1
};

/* Types of metadata values, as the file numbers them. */
typedef enum gguf_kind {
    GGUF_U8,
    GGUF_I8,
    GGUF_U16,
    GGUF_I16,
    GGUF_U32,
    GGUF_I32,
    GGUF_F32,
    GGUF_BOOL,
    GGUF_STR,
    GGUF_ARRAY,
    GGUF_U64,
    GGUF_I64,
    GGUF_F64,
    GGUF_KINDS
} gguf_kind;

/* `name` only names the file in errors. Bytes that hold tensors begin on a multiple of 8 (a mapped
 * file does), else E_USAGE. Takes memory for what the file holds, never for what it claims. */
err gguf_open(gguf **out, str bytes, const char *name, fail *f) MUST_CHECK;
void gguf_close(gguf *g); /* NULL is fine */

int32_t gguf_version(const gguf *g);
size_t gguf_tensor_count(const gguf *g);
/* E_UNSUPPORTED where the file is one of the parts that a model was split into: its weights are not
 * all here. */
err gguf_check_whole(const gguf *g, fail *f) MUST_CHECK;
/* Tensor by name; E_NOT_FOUND, or E_UNSUPPORTED naming its type. Borrowed. */
err gguf_tensor(const gguf *g, str name, const tensor **out, fail *f) MUST_CHECK;
/* By index in file order; the type may be one we cannot compute with (*type_name says which), then
 * out->data is NULL. */
err gguf_tensor_at(const gguf *g, size_t index, tensor *out, const char **type_name,
                   fail *f) MUST_CHECK;

/* Bytes of one value; 0 of strings and arrays. */
size_t gguf_kind_bytes(gguf_kind k);
/* "Q4_K_M" of general.file_type 15, as llama.cpp numbers its mixtures; NULL: not known. */
const char *gguf_file_type_name(int64_t type);
/* The file's number of a tensor type of ours. */
uint32_t gguf_type_number(dtype t);

/* All keys, in file order. */
typedef struct gguf_value {
    str key;
    gguf_kind kind, item_kind; /* the second of arrays */
    uint64_t count;            /* items of an array */
    str bytes;                 /* the value as the file holds it; of an array its items */
} gguf_value;
size_t gguf_key_count(const gguf *g);
gguf_value gguf_key_at(const gguf *g, size_t index); /* index below the count */

/* Metadata. A key that is absent leaves *out and returns false; a key of another type is E_CORRUPT.
 */
bool gguf_has(const gguf *g, const char *key);
err gguf_get_str(const gguf *g, const char *key, str fallback, str *out, fail *f) MUST_CHECK;
err gguf_get_int(const gguf *g, const char *key, int64_t fallback, int64_t *out,
                 fail *f) MUST_CHECK; /* any integer type */
err gguf_get_float(const gguf *g, const char *key, double fallback, double *out,
                   fail *f) MUST_CHECK; /* any finite number */
err gguf_get_bool(const gguf *g, const char *key, bool fallback, bool *out, fail *f) MUST_CHECK;

/* Arrays: *n is 0 when the key is absent. Strings are borrowed, in an array owned by g's caller's
 * arena. */
err gguf_get_strs(const gguf *g, const char *key, arena *a, str **out, size_t *n,
                  fail *f) MUST_CHECK;
err gguf_get_ints(const gguf *g, const char *key, arena *a, int32_t **out, size_t *n,
                  fail *f) MUST_CHECK;
err gguf_get_floats(const gguf *g, const char *key, arena *a, float **out, size_t *n,
                    fail *f) MUST_CHECK;

#endif
