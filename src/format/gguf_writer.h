/* gguf_writer.h - writes GGUF v3, streaming: metadata, then declared tensors, then their bytes.
 *
 *   open -> put keys, declare tensors -> begin -> data* -> commit
 *                                              \-> close before commit: nothing is left behind
 *
 * Keys and tensors keep their order. The file appears under its name only at commit (synced); until
 * then it is "PATH.tmp-PID". Putting keys never fails on the spot: begin reports it, and keys or
 * tensors that stand twice. One thread. Reading: gguf.h. */
#ifndef BANTAM_FORMAT_GGUF_WRITER_H
#define BANTAM_FORMAT_GGUF_WRITER_H

#include "format/gguf.h"

typedef struct gguf_writer gguf_writer;

enum { GGUF_ALIGNMENT = 32 };

/* alignment: a power of two from 8 to 65536; another than 32 is written as general.alignment. */
err gguf_writer_open(gguf_writer **out, const char *path, int64_t alignment, fail *f) MUST_CHECK;
void gguf_writer_close(gguf_writer *w); /* drops what was not committed; NULL is fine */

void gguf_put_u32(gguf_writer *w, const char *key, uint32_t v);
void gguf_put_i32(gguf_writer *w, const char *key, int32_t v);
void gguf_put_f32(gguf_writer *w, const char *key, float v);
void gguf_put_bool(gguf_writer *w, const char *key, bool v);
void gguf_put_str(gguf_writer *w, const char *key, str v);
/* Arrays: bytes as they lie in memory; kind any but GGUF_STR, GGUF_ARRAY. */
void gguf_put_array(gguf_writer *w, const char *key, gguf_kind kind, const void *items, size_t n);
void gguf_put_strs(gguf_writer *w, const char *key, const str *items, size_t n);
/* A key of another file as it stands, under its own name. */
void gguf_put_value(gguf_writer *w, const gguf_value *v);

/* dims outermost first, as everywhere here; E_CORRUPT where the shape does not fit the type. */
err gguf_writer_tensor(gguf_writer *w, str name, dtype type, int32_t n_dims, const int64_t *dims,
                       fail *f) MUST_CHECK;
/* Bytes that the whole file will have: known once everything is declared. */
int64_t gguf_writer_bytes(const gguf_writer *w);
/* Creates the file and writes everything before the tensors' bytes. E_NO_SPACE when the disk cannot
 * hold the file. */
err gguf_writer_begin(gguf_writer *w, fail *f) MUST_CHECK;
/* The tensors' bytes in order of declaration, in any pieces; padding is the writer's. */
err gguf_writer_data(gguf_writer *w, const void *bytes, size_t n, fail *f) MUST_CHECK;
/* All bytes are there: makes the file durable and gives it its name. */
err gguf_writer_commit(gguf_writer *w, fail *f) MUST_CHECK;

#endif
