/* gen_local.h - a decoder of this machine as a provider: renders the template, tokenises, posts a
 * sequence to the engine and hands the tokens on as they come. Any thread; several at once. */
#ifndef BANTAM_GEN_GEN_LOCAL_H
#define BANTAM_GEN_GEN_LOCAL_H

#include "engine/engine.h"
#include "gen/gen.h"

typedef struct gen_local gen_local;

/* Adapters by name, for requests that name one; calls come from any thread. */
typedef struct gen_adapters {
    void *self;
    err (*take)(void *self, str name, const model_adapter **out,
                fail *f); /* NULL = there are none */
    void (*give)(void *self, const model_adapter *a);
} gen_adapters;

typedef struct gen_local_options {
    model *m; /* a decoder; borrowed */
    kv_type kv;
    str name;                     /* as it is called in replies */
    int32_t sequences_max;        /* at once; 0 = the engine's default */
    int32_t waiting_max;          /* behind them; 0 = the engine's default */
    size_t kv_bytes_max;          /* of keys and values; 0 = the engine's default */
    bool isolate_tenants;         /* known prefixes are shared within a tenant only */
    int32_t context_max;          /* prompt and answer; 0 = the model's */
    const model *draft;           /* guesses tokens, where that pays; NULL = none; borrowed */
    const model_adapter *adapter; /* on answers that name none; NULL = none; borrowed */
    gen_adapters adapters;
} gen_local_options;

/* Starts the engine. A model whose template we cannot render opens all the same: raw prompts work,
 * chats are E_UNSUPPORTED with the template's own error. */
err gen_local_open(gen_local **out, const gen_local_options *o, fail *f) MUST_CHECK;
void gen_local_close(gen_local *g); /* NULL is fine; every generation must have ended */
gen_provider gen_local_provider(gen_local *g);
void gen_local_stats(const gen_local *g, engine_stats *out);
bool gen_local_has_template(const gen_local *g);
int64_t gen_local_bytes(const gen_local *g);   /* of keys and values, at most */
int32_t gen_local_context(const gen_local *g); /* prompt and answer of one request */

/* Log-probability of each choice behind the prompt (natural log, summed over its tokens; both
 * tokenised apart, special tokens' text read as text). BOS as the model's metadata says. logprob
 * [n]. */
err gen_local_score(gen_local *g, arena *a, str prompt, const str *choices, size_t n,
                    double *logprob, fail *f) MUST_CHECK;

#endif
