/* engine.h - tokens in, tokens out: many sequences at once on one decoder model.
 *
 *     worker: engine_submit -> engine_next, engine_next, ... -> engine_release
 *     engine thread: admit -> take pages -> batch -> forward -> sample -> post, for ever
 *
 * The engine thread owns the model's workspace, the pages and all sampling. Each step runs one
 * ragged batch: a row for every sequence that generates, then pieces of waiting prompts, so a long
 * prompt never stops the others. Tokens reach their reader through a bounded queue per sequence; a
 * sequence whose queue is full waits, one whose reader has left is cancelled by engine_release.
 *
 * What a prompt shares with an earlier one is not computed again: whole pages of tokens stay known
 * (kv.h). The same prompt, seed, build and kernels give the same tokens, alone or in company, with
 * a shared prefix or without: the random number of a token is a function of seed and position.
 *
 * A sequence is admitted with pages for its prompt and `reserve` tokens more, and takes others as
 * it grows. When none is left the one admitted last gives its pages back, waits, and is computed
 * again later: that costs time and changes no token.
 *
 * Functions are called by any thread; one sequence by one thread at a time (cancel: any). After
 * engine_open the engine thread allocates nothing. */
#ifndef BANTAM_ENGINE_ENGINE_H
#define BANTAM_ENGINE_ENGINE_H

#include "kv/kv.h"
#include "model/model_adapter.h"
#include "token/token.h"

enum {
    ENGINE_TOP_MAX = 20,   /* candidates reported beside a token */
    ENGINE_STOPS_MAX = 16, /* stop strings */
    ENGINE_STOP_BYTES_MAX = 256,
    ENGINE_STOP_IDS_MAX = 16,
    ENGINE_BIAS_MAX = 1024,
    ENGINE_BREAKERS_MAX = 16,
    ENGINE_BREAKER_BYTES_MAX = 40,
    ENGINE_FORCED_MAX = 8,    /* tokens that a mask forces at once */
    ENGINE_PRIORITY_MAX = 10, /* from -10 to 10; 0 = normal */
    ENGINE_QUEUE_TOKENS = 32  /* made, not yet read */
};

typedef struct engine engine;
typedef struct engine_sequence engine_sequence;

typedef struct engine_options {
    const model *model; /* a decoder; outlives the engine, whose forwards run on its team */
    kv_type kv;
    size_t kv_bytes_max;   /* 0 = what sequences_max full contexts need, at most 1 GiB */
    int32_t sequences_max; /* generating at once; 0 = 16 */
    int32_t waiting_max;   /* behind them; 0 = 64 */
    int32_t rows_max;      /* tokens of one step; 0 = 160 */
    int32_t rows_busy;     /* of prompts, in one step, while others generate: what these wait for; 0
                              = as many as the machine computes in a tenth of a second */
    int32_t reserve;       /* tokens that a sequence has room for when it is admitted; 0 = 256 */
    int32_t context_max;   /* 0 = the model's */
    /* Speculation: tokens are guessed from the sequence's own past, or by a draft model, and
     * checked in one forward; where that pays, and without changing a token (engine_draft.h). */
    int32_t draft_max;         /* tokens guessed at once; 0 = 8, -1 = never guess */
    bool draft_always;         /* also where it does not pay (tests, measurements) */
    const model *draft;        /* a smaller model of the same vocabulary; NULL = none */
    size_t draft_kv_bytes_max; /* 0 = 256 MiB */
} engine_options;

/* E_UNSUPPORTED for an encoder; E_NO_MEMORY says how much is missing. Starts the engine thread. */
err engine_open(engine **out, const engine_options *o, fail *f) MUST_CHECK;
/* Cancels what runs, joins the thread. Every sequence must have been released. NULL is fine. */
void engine_close(engine *e);

typedef struct engine_bias {
    int32_t id;
    float bias; /* added to the logit; -INFINITY bans the token */
} engine_bias;

/* How a token is chosen from the logits; all zero = greedy. The order is llama.cpp's default chain:
 * mask, bias, repetition / frequency / presence penalties, DRY, top_k, typical_p, top_p, min_p,
 * temperature, draw. Each cut works on what the one before left, with probabilities at temperature
 * 1. */
typedef struct engine_sampling {
    double temperature; /* below 0.0001 = greedy: the likeliest, at a tie the lower id */
    double top_p;       /* keep the likeliest that sum to top_p; 0 or >= 1 = off */
    double min_p;       /* keep those at least min_p times as likely as the best; 0 = off */
    int32_t top_k;      /* keep the k likeliest; 0 = off */
    uint64_t seed;
    double typical_p; /* locally typical (Meister et al. 2022): keep those whose surprise is nearest
                         the expected one, up to typical_p; 0 or >= 1 = off */
    /* Of tokens among the last penalty_last_n (prompt included; 0 = 64, -1 = all): */
    double repeat_penalty; /* divides a positive logit, multiplies a negative one; 0 or 1 = off */
    double frequency_penalty; /* subtracted as often as the token stands there; -10 to 10 */
    double presence_penalty;  /* subtracted once; -10 to 10 */
    int32_t penalty_last_n;
    /* DRY: a token that would go on repeating what stands among the last dry_last_n (0, -1 = all)
     * loses dry_multiplier * dry_base^(length of the repetition - dry_allowed_length). A repetition
     * does not reach across a token whose text contains a breaker. */
    double dry_multiplier;      /* 0 = off */
    double dry_base;            /* 0 = 1.75 */
    int32_t dry_allowed_length; /* 0 = 2 */
    int32_t dry_last_n;
    const str *dry_breakers; /* NULL = newline, colon, quotation mark, asterisk; copied */
    size_t n_dry_breakers;
    const engine_bias *bias; /* ids of the vocabulary; copied */
    size_t n_bias;
} engine_sampling;

/* What may come next, said by a grammar. Called by the engine thread between submit and the last
 * event (or the return of engine_release), one call at a time; must not block. An error ends the
 * sequence with it. */
typedef struct engine_mask {
    void *self;
    /* Sets the bits of the tokens that may come next in bits [(vocabulary + 63) / 64], which are
     * zero; or *all = true: every one may. */
    err (*allowed)(void *self, uint64_t *bits, bool *all, fail *f);
    err (*accept)(void *self, int32_t id, fail *f); /* this one was taken; not called for an end */
    /* The next tokens where only one text is possible: at most max (ENGINE_FORCED_MAX
     * or what max_tokens leaves), accepted already; they are not
     * sampled and not given log-probabilities. Not called when these are asked for. NULL = never.
     */
    int32_t (*forced)(void *self, int32_t *ids, int32_t max);
} engine_mask;

typedef struct engine_ask {
    const int32_t *prompt; /* [n_prompt], n_prompt >= 1; copied */
    size_t n_prompt;
    int32_t max_tokens; /* >= 1; 0 = as many as the context holds */
    engine_sampling sampling;
    const int32_t *stop_ids; /* beside the model's own end tokens; copied */
    size_t n_stop_ids;
    const str *stops; /* generation ends before the first of these texts; copied */
    size_t n_stops;
    bool ignore_end;      /* go on after end tokens (benchmarks) */
    bool cache_off;       /* neither use nor leave known prefixes */
    bool draft_off;       /* guess nothing */
    uint64_t cache_scope; /* prefixes are shared within a scope only: one a tenant; 0 = of all */
    int32_t top_logprobs; /* -1 = no log-probabilities, 0 = of the token, k = and the k likeliest */
    const model_adapter
        *adapter; /* of this model; borrowed until the sequence is released; NULL = none */
    const engine_mask *mask; /* borrowed until the sequence is released; NULL = none */
    /* Who goes first where more ask than run: engine_admit.c. */
    uint64_t tenant;     /* shares with others are even; 0 = nobody's */
    int32_t priority;    /* higher first */
    int64_t deadline_ns; /* clock_mono_ns scale; not begun by then: never is. 0 = none */
} engine_ask;

/* E_CONTEXT when prompt and max_tokens are above the context (the text says all three numbers),
 * E_TOO_LARGE when they are above the budget of pages, E_LIMIT when waiting_max are waiting (with
 * retry_s: when a quarter of them will have begun, at the pace measured last),
 * E_INPUT for an id outside the vocabulary or a number out of range. */
err engine_submit(engine *e, const engine_ask *ask, engine_sequence **out, fail *f) MUST_CHECK;

typedef enum engine_finish {
    ENGINE_RUNNING,
    ENGINE_STOP,   /* end token, stop id or stop string */
    ENGINE_LENGTH, /* max_tokens made */
    ENGINE_CANCELLED,
    ENGINE_EXPIRED /* its deadline passed before it was begun */
} engine_finish;

typedef struct engine_candidate {
    int32_t id;
    float logprob; /* natural log, before temperature and cuts */
} engine_candidate;

typedef struct engine_event {
    int32_t id; /* the token; TOKEN_NONE in the last event, which brings finish and rest of text */
    float logprob; /* NAN when not asked for */
    int32_t n_top;
    engine_candidate top[ENGINE_TOP_MAX]; /* likeliest first */
    str text; /* what is now certain: whole characters, never part of a stop string; borrowed until
                 the next call */
    engine_finish finish;
    int32_t stop; /* in the last event: which of the ask's stops ended it; -1 none */
} engine_event;

/* The next token. E_TIMEOUT when none came in wait_ms (ask again); E_CANCELLED after engine_close
 * began; E_INTERNAL and others when the forward failed. After the last event: E_INPUT. */
err engine_next(engine_sequence *s, int64_t wait_ms, engine_event *out, fail *f) MUST_CHECK;
void engine_cancel(engine_sequence *s); /* any thread; the last event says ENGINE_CANCELLED */
/* Cancels what still runs and waits for the end of its step; NULL is fine. */
void engine_release(engine_sequence *s);

typedef struct engine_timings {
    int64_t prompt_tokens, made_tokens; /* made: those that engine_next gave out */
    int64_t known_tokens;               /* of the prompt, computed before */
    int64_t drafted, drafts_held;       /* tokens guessed; of those, right */
    double prefill_tok_s, decode_tok_s; /* NAN when too few tokens */
    double first_token_ms;              /* from submit; NAN when there was none */
    /* Monotonic, 0 = not yet: handed in, first computed, first and last token. */
    int64_t submitted_ns, started_ns, first_ns, last_ns;
} engine_timings;
void engine_timings_get(engine_sequence *s, engine_timings *out);

/* logprob[c] = sum of the log-probabilities of choice c's tokens behind the prompt (adapter: NULL =
 * none). Choices are
 * not empty; waits until done. Errors as engine_submit's. */
err engine_score(engine *e, const token_ids *prompt, const token_ids *choices, size_t n,
                 const model_adapter *adapter, double *logprob, fail *f) MUST_CHECK;

/* A prefix on disk: keys and values of whole pages of tokens, so that a long system prompt is
 * computed once for all starts (file: kv/kv_snapshot.h). */
typedef struct engine_snapshot_options {
    const char *path;
    str model; /* what identifies the weights, such as their digest; at most 64 bytes */
    str build; /* of this program; at most 32 bytes */
    uint64_t cache_scope;
    const model_adapter *adapter; /* `model` must name it too */
} engine_snapshot_options;
/* Computes what of the tokens' whole pages is not known and writes them; *saved: how many tokens.
 * E_INPUT below 32 tokens; what engine_submit gives; E_NO_SPACE and others of the file. Waits. */
err engine_snapshot_save(engine *e, const token_ids *tokens, const engine_snapshot_options *o,
                         int64_t *saved, fail *f) MUST_CHECK;
/* Makes a saved prefix known, as if it had been computed; *known: how many tokens. E_UNSUPPORTED
 * names what the file is another's of (model, build, kernels, type of keys and values), E_CORRUPT
 * for a damaged one. Kept as long as pages last, as every prefix. Waits. */
err engine_snapshot_load(engine *e, const engine_snapshot_options *o, int64_t *known,
                         fail *f) MUST_CHECK;

typedef struct engine_stats {
    int64_t running, waiting;
    int64_t pages, pages_free, pages_kept; /* kept: free, and known as prefixes */
    /* since open */
    int64_t prompt_tokens, made_tokens;
    int64_t steps, rows;              /* rows / steps = tokens of a forward */
    int64_t known_hits, known_tokens; /* sequences that began with a known prefix; tokens saved */
    int64_t drafted, drafts_held;     /* tokens guessed; of those, right */
    int64_t postponed;        /* times that a sequence gave its pages back to an older one */
    int64_t refused, expired; /* for want of a place; deadline over before they began */
} engine_stats;
void engine_stats_get(engine *e, engine_stats *out);
int64_t engine_kv_bytes(const engine *e); /* of the pages there are, and of a draft model's */
int32_t engine_context(const engine *e);  /* prompt + generated tokens of one sequence */

#endif
