/* bantam.h - small language models on ordinary CPUs, as a C library: open a model, make a session,
 * generate with a callback or step by step, embed, score, tokenise, render.
 *
 *     bantam_error error;
 *     bantam_model *model;
 *     if (bantam_model_open(&model, "model.gguf", NULL, &error)) return complain(&error);
 *     bantam_session *session;
 *     if (bantam_session_open(&session, model, &error)) ...
 *     bantam_session_put_text(session, "The sea is", &error);
 *     bantam_generate(session, &(bantam_generate_options){.max_tokens = 32}, print, NULL, NULL,
 * &error); bantam_session_close(session); bantam_model_close(model);
 *
 * Errors. A function that can fail returns a bantam_status, BANTAM_OK being 0, and fills `error`
 * (which may be NULL): what was attempted, on what, with which value, and what to do. On failure
 * its other outputs are untouched. Nothing here prints, exits, or reads the environment.
 *
 * Threads. A model may be used by any number of threads at once; generation of several sessions is
 * batched together, embedding calls wait for each other. A session belongs to one thread at a time
 * (bantam_session_cancel: any). Numeric work runs on the model's own threads.
 *
 * Ownership. What *_open gives is freed by *_close, which accepts NULL; sessions are closed before
 * their model. Options and texts are read during the call only. Pointers that a function returns
 * say how long they live.
 *
 * Text is UTF-8. Text that you put in is never read as a control token unless you say so. Options
 * that are zero mean the default, so {0} and NULL are always valid options. */
#ifndef BANTAM_H
#define BANTAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BANTAM_API __attribute__((visibility("default")))

/* "0.2.0" */
BANTAM_API const char *bantam_version(void);

typedef enum bantam_status {
    BANTAM_OK = 0,
    BANTAM_INPUT,       /* an argument or a text is not what it must be */
    BANTAM_USAGE,       /* a call that cannot be made now */
    BANTAM_DENIED,      /* the operating system says no */
    BANTAM_KEY,         /* a key is missing or wrong */
    BANTAM_NOT_FOUND,   /* no such file or weight */
    BANTAM_EXISTS,      /* is there already */
    BANTAM_TOO_LARGE,   /* above a stated limit */
    BANTAM_CONTEXT,     /* prompt and answer do not fit the context */
    BANTAM_UNSUPPORTED, /* a kind of file, model or option that we cannot serve; the text names it
                         */
    BANTAM_CORRUPT,     /* a damaged file */
    BANTAM_IO,          /* reading or writing failed */
    BANTAM_NO_SPACE,    /* the disk is full */
    BANTAM_NO_MEMORY,   /* the text says how much is missing, where it is known */
    BANTAM_NETWORK,     /* unused by this library */
    BANTAM_TIMEOUT,     /* took too long */
    BANTAM_BUSY,        /* too many sessions at once; try again */
    BANTAM_CANCELLED,   /* bantam_session_cancel, or the callback said so */
    BANTAM_INTERNAL     /* our mistake */
} bantam_status;

typedef struct bantam_error {
    bantam_status status;
    char text[512]; /* what went wrong */
    char hint[320]; /* what to do about it; may be empty */
} bantam_error;

/* "out of memory"; static */
BANTAM_API const char *bantam_status_name(bantam_status status);

/* ---- models ---- */

typedef struct bantam_model bantam_model;

typedef struct bantam_model_options {
    int threads;          /* 0: as many as this process really has */
    int context;          /* tokens of a session at most; 0: the model's own, where memory allows */
    int sessions;         /* that generate at once; 0: 16 */
    size_t kv_bytes;      /* budget of keys and values; 0: what the sessions need, at most 1 GiB */
    const char *kv;       /* "f16", "q8", "f32"; NULL: f16 */
    const char *kernels;  /* "f32" (float reference), "ref", "avx2", ...; NULL: the fastest */
    bool vocabulary_only; /* tokenise and render alone; any architecture */
    const char *cache; /* a folder for packed weights, which the next open maps instead of packing
                          them again; NULL: packed at each open */
} bantam_model_options;

/* A GGUF file, or a folder with config.json, tokenizer.json and safetensors. The file is mapped and
 * must not change while it is open. */
BANTAM_API bantam_status bantam_model_open(bantam_model **out, const char *path,
                                           const bantam_model_options *options,
                                           bantam_error *error);
BANTAM_API void bantam_model_close(bantam_model *model);

typedef struct bantam_model_info {
    const char *architecture; /* "llama"; these three live as long as the model */
    const char *name;         /* as the file says; may be "" */
    const char *kernels;      /* in use: "avx2" */
    int64_t file_bytes;
    int32_t context, width, layers, vocabulary; /* tokens, numbers, blocks, pieces */
    int threads;
    bool generates, embeds, has_template;
} bantam_model_info;

BANTAM_API void bantam_model_about(const bantam_model *model, bantam_model_info *out);

/* ---- text and tokens ---- */

/* Token ids of `bytes` bytes of text. At most `room` ids are written to `ids`; *count is how many
 * there are, so a call with room 0 measures. With `control`, the text of control tokens is read as
 * those tokens; BOS and EOS are not added. */
BANTAM_API bantam_status bantam_tokenise(const bantam_model *model, const char *text, size_t bytes,
                                         bool control, int32_t *ids, size_t room, size_t *count,
                                         bantam_error *error);
/* The bytes of one token, borrowed from the model; several tokens may share one character. Empty
 * for an id outside the vocabulary. Not zero-terminated. */
BANTAM_API const char *bantam_token_text(const bantam_model *model, int32_t id, size_t *bytes);
/* BOS, EOS (what ends a turn, where the model knows one); -1 where there is none. */
BANTAM_API int32_t bantam_token_bos(const bantam_model *model);
BANTAM_API int32_t bantam_token_eos(const bantam_model *model);
/* Whether generation ends at this token. */
BANTAM_API bool bantam_token_ends(const bantam_model *model, int32_t id);

/* What the model reads for a chat: its own template over `messages`, a JSON array of
 * {"role": ..., "content": ...} as OpenAI writes them, and `tools`, a JSON array or NULL. *out is
 * zero-terminated and freed by bantam_text_free. */
BANTAM_API bantam_status bantam_render(const bantam_model *model, const char *messages,
                                       const char *tools, bool ask_for_answer, char **out,
                                       bantam_error *error);
BANTAM_API void bantam_text_free(char *text);

/* ---- sessions: what the model has read and said ---- */

typedef struct bantam_session bantam_session;

/* An empty session. BANTAM_UNSUPPORTED where the model is no generator. */
BANTAM_API bantam_status bantam_session_open(bantam_session **out, bantam_model *model,
                                             bantam_error *error);
BANTAM_API void bantam_session_close(bantam_session *session);
/* Forgets all text. */
BANTAM_API void bantam_session_clear(bantam_session *session);

/* Adds plain text, or tokens, behind what is there. */
BANTAM_API bantam_status bantam_session_put_text(bantam_session *session, const char *text,
                                                 bantam_error *error);
BANTAM_API bantam_status bantam_session_put_tokens(bantam_session *session, const int32_t *ids,
                                                   size_t count, bantam_error *error);
/* Replaces all text by a chat that asks for an answer (see bantam_render). */
BANTAM_API bantam_status bantam_session_put_chat(bantam_session *session, const char *messages,
                                                 const char *tools, bantam_error *error);
/* Tokens in the session, what was generated included. */
BANTAM_API size_t bantam_session_tokens(const bantam_session *session);

typedef struct bantam_generate_options {
    int max_tokens;           /* 0: as many as the context holds */
    double temperature;       /* 0: greedy, the likeliest token */
    double top_p, min_p;      /* 0: off */
    int top_k;                /* 0: off */
    uint64_t seed;            /* same seed, model, build and threads: same tokens */
    const char *const *stops; /* [n_stops] generation ends before the first of these */
    size_t n_stops;
    bool ignore_end; /* go on after end tokens */
} bantam_generate_options;

typedef enum bantam_finish {
    BANTAM_RUNNING = 0,
    BANTAM_STOP,  /* an end token or a stop text */
    BANTAM_LENGTH /* max_tokens made */
} bantam_finish;

/* One step. */
typedef struct bantam_token {
    int32_t id;           /* -1 in the last step where it brings no token */
    const char *text;     /* what is now certain: whole characters, never part of a stop text;
                             zero-terminated, may be empty; lives until the next call */
    bantam_finish finish; /* BANTAM_RUNNING: go on */
} bantam_token;

/* Step by step: start, then next until finish is not BANTAM_RUNNING. The tokens join the session.
 * Starting again, putting text or clearing ends a generation that is running. */
BANTAM_API bantam_status bantam_session_start(bantam_session *session,
                                              const bantam_generate_options *options,
                                              bantam_error *error);
BANTAM_API bantam_status bantam_session_next(bantam_session *session, bantam_token *out,
                                             bantam_error *error);
/* Any thread: the running generation ends with BANTAM_CANCELLED. */
BANTAM_API void bantam_session_cancel(bantam_session *session);

typedef struct bantam_result {
    bantam_finish finish;
    int64_t prompt_tokens, made_tokens;
    double prefill_tok_s, decode_tok_s, first_token_ms; /* NAN where nothing can be said */
} bantam_result;

/* All steps, each handed to `put` (may be NULL); put returns false to end it (BANTAM_CANCELLED).
 * result may be NULL. */
typedef bool (*bantam_put)(void *user, const bantam_token *token);
BANTAM_API bantam_status bantam_generate(bantam_session *session,
                                         const bantam_generate_options *options, bantam_put put,
                                         void *user, bantam_result *result, bantam_error *error);

/* ---- numbers ---- */

/* logprob[i] = natural log of the probability that the model, having read `prompt`, goes on with
 * choices[i]; the sum over its tokens. */
BANTAM_API bantam_status bantam_score(bantam_model *model, const char *prompt,
                                      const char *const *choices, size_t count, double *logprob,
                                      bantam_error *error);

/* out [count, width]: unit-length embeddings. A text above the model's context is BANTAM_CONTEXT,
 * never cut silently. BANTAM_UNSUPPORTED where the model is no encoder. */
BANTAM_API bantam_status bantam_embed(bantam_model *model, const char *const *texts, size_t count,
                                      float *out, bantam_error *error);

#ifdef __cplusplus
}
#endif

#endif
