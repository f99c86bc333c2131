/* safetensors_writer.h - writes a folder's weights as safetensors, streaming: one file, or several
 * with model.safetensors.index.json where they are larger than a shard may be.
 *
 *   open -> declare tensors -> begin -> data* -> commit
 *                                   \-> close before commit: nothing is left behind
 *
 * Files get their names at commit only, the index last. One thread. Reading: safetensors.h. */
#ifndef BANTAM_FORMAT_SAFETENSORS_WRITER_H
#define BANTAM_FORMAT_SAFETENSORS_WRITER_H

#include "format/safetensors.h"

typedef struct safetensors_writer safetensors_writer;

enum { SAFETENSORS_SHARD_BYTES_LEAST = 64 };

/* folder exists; shard_bytes_max: of the numbers in one file, 0 = 5 GB. A tensor is never split. */
err safetensors_writer_open(safetensors_writer **out, const char *folder, int64_t shard_bytes_max,
                            fail *f) MUST_CHECK;
void safetensors_writer_close(safetensors_writer *w); /* NULL is fine */
/* F32, F16 or BF16; E_UNSUPPORTED for other types, E_INPUT for a name that stands twice. */
err safetensors_writer_tensor(safetensors_writer *w, str name, dtype type, int32_t n_dims,
                              const int64_t *dims, fail *f) MUST_CHECK;
/* E_NO_SPACE when the disk cannot hold the files. */
err safetensors_writer_begin(safetensors_writer *w, fail *f) MUST_CHECK;
/* The tensors' bytes in order of declaration, in any pieces. */
err safetensors_writer_data(safetensors_writer *w, const void *bytes, size_t n, fail *f) MUST_CHECK;
err safetensors_writer_commit(safetensors_writer *w, fail *f) MUST_CHECK;

#endif
