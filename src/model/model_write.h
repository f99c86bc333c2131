/* model_write.h - tensors into a file: read from one type, changed on the way, written as another,
 * by the whole compute team, some megabytes at a time.
 *
 * Used by quantising (a file as it is, in other types), converting (a folder in other names and
 * orders) and exporting (back again). One thread calls; the team works for it. */
#ifndef BANTAM_MODEL_MODEL_WRITE_H
#define BANTAM_MODEL_MODEL_WRITE_H

#include "base/team.h"
#include "format/gguf_writer.h"
#include "format/safetensors_writer.h"

/* Who is told how far it is, and who is asked whether to go on. Called on the calling thread. */
typedef struct model_watch {
    void *self;
    void (*progress)(void *self, const char *what, uint64_t done, uint64_t total); /* bytes read */
    bool (*stop)(void *self);
} model_watch;

/* Where the bytes go. */
typedef struct model_sink {
    void *self;
    err (*put)(void *self, const void *bytes, size_t n, fail *f);
} model_sink;
model_sink model_sink_gguf(gguf_writer *w);
model_sink model_sink_safetensors(safetensors_writer *w);

typedef struct model_change {
    int64_t turn_heads; /* rows of each head from halves to pairs: row i and i + half side by side
                           (rotary order of GGUF's Llama files); 0 = as they are */
    bool turn_back;     /* the other way: pairs to halves */
    float add;          /* to each number */
} model_change;

/* A tensor of the output: its rows are those of the sources, one after the other. */
typedef struct model_piece {
    const tensor *const *sources;
    size_t n_sources;
    dtype type;
    model_change change;
    const float *importance; /* [experts, cols] (quantise.h); NULL = none */
    int64_t experts;         /* the rows are that many matrices; 0 = 1 */
} model_piece;

/* The next tensor of the file, which has been declared with these rows and this type. E_UNSUPPORTED
 * when a number does not fit the type, E_CANCELLED when told to stop. *done counts bytes of
 * sources. */
err model_write_piece(const model_sink *sink, team *team, const model_piece *p,
                      const model_watch *watch, uint64_t *done, uint64_t total, fail *f) MUST_CHECK;

#endif
