/* api_ollama.h - what the files of Ollama's dialect share. */
#ifndef BANTAM_API_API_OLLAMA_H
#define BANTAM_API_API_OLLAMA_H

#include "api/api_chat.h"

extern const api_dialect api_ollama;

typedef struct ollama_keep {
    bool said;
    int64_t ms; /* < 0 for ever, 0 only as long as it is in use */
} ollama_keep;

typedef struct ollama_chat {
    api_chat chat;
    bool generates; /* /api/generate: words stand under "response" */
    bool empty;     /* nothing was asked: the model is loaded, or unloaded */
    str asked;      /* the model as it was named */
    ollama_keep keep;
    int64_t load_ns, run_ns;
} ollama_chat;

/* ---- reading (api_ollama_read.c, api_ollama_options.c) ---- */

err api_ollama_read_chat(api_call *c, ollama_chat *m, fail *f) MUST_CHECK;
err api_ollama_read_generate(api_call *c, ollama_chat *m, fail *f) MUST_CHECK;
/* "name:latest" is "name". */
err api_ollama_read_model(api_call *c, str *asked, str *name, fail *f) MUST_CHECK;
err api_ollama_read_keep(api_call *c, ollama_keep *out, fail *f) MUST_CHECK;
/* options into the request; *context: num_ctx, 0 where it is not said. */
err api_ollama_read_options(api_call *c, gen_request *rq, int64_t *context, fail *f) MUST_CHECK;
/* E_CONTEXT where num_ctx is above what the model has. */
err api_ollama_check_context(api_call *c, str model, int64_t context, fail *f) MUST_CHECK;

/* ---- models (api_ollama_models.c) ---- */

/* Loads it, unless it is; *ns: what that took. */
err api_ollama_load(api_call *c, str model, int64_t *ns, fail *f) MUST_CHECK;
/* After the answer. */
err api_ollama_settle(api_call *c, str model, const ollama_keep *keep, fail *f) MUST_CHECK;
void api_ollama_put_now(json_writer *w, const char *key);

#endif
