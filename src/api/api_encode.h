/* api_encode.h - what embeddings and reranking have alike: texts of the body, the encoder, and the
 * record. Each request has one record, like a chat: who, which model, tokens, how long, and the
 * texts up to API_ENCODE_KEPT_BYTES (what was left out is said in the step's note). */
#ifndef BANTAM_API_API_ENCODE_H
#define BANTAM_API_API_ENCODE_H

#include "api/api_int.h"

enum { API_ENCODE_KEPT_BYTES = 32 << 10 };

typedef struct api_encoding {
    str model, subject;  /* as the body says */
    const char *purpose; /* of the record: "embed", "rerank" */
    const char *field;   /* of the body, that the encoder's errors are about */
    str question, note;  /* of the record */
    /* Asks the encoder; *answer is what the record says of the result. */
    err (*run)(void *self, const gen_embedder *m, str *answer, int64_t *tokens, fail *f);
    void *self;
} api_encoding;

/* The body's texts to embed: one, many, or token arrays of one or many. */
typedef struct api_inputs {
    const str *texts;   /* [n]; NULL: ids */
    const gen_ids *ids; /* [n] */
    size_t n;
} api_inputs;
/* empty: an array of none is allowed. */
err api_read_inputs(api_call *c, bool empty, api_inputs *out, fail *f) MUST_CHECK;
/* What the record holds of them. */
err api_encode_keep(api_call *c, const api_inputs *in, api_encoding *e, fail *f) MUST_CHECK;
/* out [n, width] in the request's arena; n may be 0. */
err api_encode_vectors(arena *a, const gen_embedder *m, const api_inputs *in, bool truncate,
                       float **out, int64_t *tokens, fail *f) MUST_CHECK;
/* "2 vectors of 384": what the record says of them. */
err api_encode_answer(arena *a, const gen_embedder *m, size_t n, str *out, fail *f) MUST_CHECK;
/* Runs it under the record's stage and counts its tokens. */
err api_encode_run(api_call *c, const api_encoding *e, int64_t *tokens, fail *f) MUST_CHECK;

#endif
