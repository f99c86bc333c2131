/* gen.h - the vocabulary of a request, and the interfaces at which the rooms above meet.
 *
 * Everything here is plain data or a table of one or two functions with a `self`. A request's data
 * lives in the request's arena and is immutable once handed down. Interfaces are called from worker
 * threads, several at once; who implements one says how it locks.
 *
 * A request goes down through stages and comes up again as one reply:
 *
 *     api -> [audit] -> [guard] -> [route: cache, slm, llm, human] -> provider
 *
 * The stages are composed in one table in app/. */
#ifndef BANTAM_GEN_GEN_H
#define BANTAM_GEN_GEN_H

#include "base/arena.h"
#include "base/err.h"
#include "text/json.h"

#include <stdatomic.h>

typedef struct store_tx
    store_tx; /* store/store.h; opaque here: one transaction from room to room */

/* ---- what a client asks ---------------------------------------------------------------------- */

typedef enum gen_role { GEN_SYSTEM, GEN_USER, GEN_ASSISTANT, GEN_TOOL } gen_role;

/* A function that the model may ask for; it is the client who runs it. */
typedef struct gen_tool {
    str name, description;
    const json *parameters; /* JSON Schema of its arguments, an object; NULL = takes none */
} gen_tool;

typedef struct gen_call {
    str id, name;
    str arguments; /* a JSON object as text */
} gen_call;

typedef enum gen_tool_choice {
    GEN_TOOLS_AUTO, /* the model decides */
    GEN_TOOLS_NONE,
    GEN_TOOLS_REQUIRED, /* at least one call */
    GEN_TOOLS_ONE       /* exactly the tool called tool_name */
} gen_tool_choice;

typedef struct gen_message {
    gen_role role;
    str content;
    str name;
    str reasoning;         /* what an assistant thought before; "" none */
    const gen_call *calls; /* [n_calls] that an assistant made */
    size_t n_calls;
    str call_id; /* role tool: which call this is the result of */
} gen_message;

/* All zero = greedy. What each does, and in which order: engine/engine.h, engine_sampling. */
typedef struct gen_sampling {
    double temperature; /* 0 = greedy */
    double top_p;       /* 1 = off, 0 = the likeliest alone */
    double min_p;       /* 0 = off */
    int32_t top_k;      /* 0 = off */
    uint64_t seed;
    double typical_p;      /* 0 and 1 = off */
    double repeat_penalty; /* 0 and 1 = off */
    double frequency_penalty, presence_penalty;
    int32_t penalty_last_n;     /* 0 = 64, -1 = all */
    double dry_multiplier;      /* 0 = off */
    double dry_base;            /* 0 = 1.75 */
    int32_t dry_allowed_length; /* 0 = 2 */
} gen_sampling;

/* What the answer must look like; held while it is made, so it cannot be otherwise. */
typedef enum gen_shape_kind {
    GEN_SHAPE_NONE,
    GEN_SHAPE_JSON,   /* a JSON object */
    GEN_SHAPE_SCHEMA, /* JSON that satisfies schema */
    GEN_SHAPE_REGEX,  /* text that matches pattern as a whole */
    GEN_SHAPE_CHOICES /* one of choices */
} gen_shape_kind;

typedef struct gen_shape {
    gen_shape_kind kind;
    const json *schema;
    str pattern;
    const str *choices;
    size_t n_choices;
} gen_shape;

enum { GEN_STOP_BYTES_MAX = 256 }; /* of one stop text */

typedef struct gen_bias {
    int32_t id;
    float bias; /* added to the token's logit */
} gen_bias;

typedef struct gen_request {
    str id;      /* "req-..."; one id from the edge to the token */
    str model;   /* as the client named it: "smollm2" or "task:support" */
    str tenant;  /* of the key that asks; "" none */
    str subject; /* whom it is about, when the client says so */
    const gen_message *messages;
    size_t n_messages;
    bool raw;           /* messages[0] is the prompt as it is, no chat template */
    bool apart;         /* what the model thinks is told apart from what it says */
    int32_t max_tokens; /* 0 = as many as the context holds */
    gen_sampling sampling;
    const str *stops;
    size_t n_stops;
    gen_shape shape;
    const gen_tool *tools;
    size_t n_tools;
    gen_tool_choice tool_choice;
    str tool_name;      /* with GEN_TOOLS_ONE */
    bool one_call;      /* no parallel calls */
    const json *extra;  /* object of further template variables; NULL = none */
    const int32_t *ids; /* [n_ids] the prompt as tokens, in place of messages */
    size_t n_ids;
    str adapter;          /* LoRA adapter by name, beside what the model brings; "" = none */
    int32_t priority;     /* who is admitted first: higher; 0 = normal */
    const gen_bias *bias; /* ids of the model's vocabulary */
    size_t n_bias;
    int32_t top_logprobs;         /* -1 = none, 0 = of the chosen token, k = and of the k best */
    int64_t deadline_ms;          /* clock_now_ms scale; 0 = none */
    bool (*gone)(void *gone_ctx); /* the client has left; NULL = cannot leave */
    void *gone_ctx;
    str trace_id; /* W3C Trace Context, 32 hexadecimal digits; "" none: not known */
    /* What another server is told when it is asked on the way; "" = nothing. */
    str traceparent, tracestate;
    arena *arena;
} gen_request;

/* ---- what comes back ---------------------------------------------------------------------------
 */

typedef enum gen_finish { GEN_STOP, GEN_LENGTH, GEN_FINISH_CANCELLED, GEN_CALLS } gen_finish;

typedef struct gen_logprob {
    int32_t id;
    str bytes;
    double logprob; /* natural log */
} gen_logprob;

typedef struct gen_token {
    gen_logprob chosen;
    const gen_logprob *top; /* [n_top], best first */
    int32_t n_top;
} gen_token;

/* One piece of an answer as it is made; text never splits a UTF-8 character. */
typedef struct gen_event {
    str text;
    bool thinks;          /* text is what the model thinks, not of the answer */
    const gen_call *call; /* text is a piece of its arguments; NULL = of the answer */
    size_t call_index;
    bool call_begins;        /* its first event: id and name are known, text may be empty */
    const gen_token *tokens; /* [n_tokens]; only when log-probabilities were asked for */
    size_t n_tokens;
    int64_t prompt_tokens; /* 0 = not said */
} gen_event;

/* Takes events in order. An error (the client has left: E_CANCELLED) stops the generation. put may
 * be NULL: the reply alone is wanted. */
typedef struct gen_sink {
    void *self;
    err (*put)(void *self, const gen_event *event, fail *f);
} gen_sink;

typedef struct gen_timings {
    double prefill_tok_s, decode_tok_s, first_token_ms;
    int64_t known_tokens; /* of the prompt, computed before; -1 = not said */
    /* Monotonic, 0 = not said: handed to the engine, begun, first and last token. */
    int64_t submitted_ns, started_ns, first_ns, last_ns;
} gen_timings;

typedef struct gen_trace gen_trace;

/* What of a request a failure is about, where the provider knows. */
typedef enum gen_fault {
    GEN_FAULT_UNKNOWN,
    GEN_FAULT_MODEL,
    GEN_FAULT_PROMPT, /* its tokens */
    GEN_FAULT_SHAPE,  /* or the parameters of a tool, whose name stands first in the text */
    GEN_FAULT_TOOLS,
    GEN_FAULT_BIAS
} gen_fault;

typedef struct gen_reply {
    gen_fault fault; /* of a failure, which sets nothing else */
    str text;
    str reasoning;            /* what was thought, where that was told apart; "" none */
    int64_t reasoning_tokens; /* of completion_tokens; 0 none, or not known */
    const gen_call *calls;    /* [n_calls]; finish is GEN_CALLS */
    size_t n_calls;
    str model; /* what really answered */
    gen_finish finish;
    str stop; /* which of the request's stops ended it; "" none */
    int64_t prompt_tokens, completion_tokens;
    const int32_t *ids; /* [n_ids] generated, without the end token; local provider only */
    size_t n_ids;
    const gen_token *tokens; /* [n_tokens] when log-probabilities were asked for */
    size_t n_tokens;
    gen_timings timings;
    const gen_trace *trace; /* task runs only */
} gen_reply;

/* Answers a request: the local engine, a remote API, a recording. */
typedef struct gen_provider {
    const char *name;
    void *self;
    str model; /* what really answers: "smollm2" where an alias was asked; .p NULL = not known */
    str url;   /* of another server that is asked; .p NULL = it answers here */
    err (*generate)(void *self, const gen_request *rq, gen_sink sink, gen_reply *out, fail *f);
    /* Tokens of the request's prompt, as generate would count them; NULL: it cannot tell. */
    err (*count)(void *self, const gen_request *rq, int64_t *tokens, fail *f);
    /* Log-probability (natural log, summed over its tokens) of each of choices [n] as what the
     * answer to the request's prompt begins with; nothing is generated. NULL: it cannot tell. */
    err (*score)(void *self, const gen_request *rq, const str *choices, size_t n, double *logprob,
                 int64_t *prompt_tokens, fail *f);
} gen_provider;

typedef struct gen_ids {
    const int32_t *p; /* [n] tokens of a model's vocabulary */
    size_t n;
} gen_ids;

typedef struct gen_embedder {
    const char *name;
    void *self;
    int32_t width;
    int32_t tokens_max; /* a longer text is E_CONTEXT unless truncate */
    /* out: [n, width], each of unit length. tokens: sum over the texts, may be NULL. Any thread. */
    err (*embed)(void *self, const str *texts, size_t n, bool truncate, float *out, int64_t *tokens,
                 fail *f);
    /* The same of texts that are tokens already, each with one or more: without the model's own
     * first and last ones, or with them. E_INPUT for one outside the vocabulary. NULL: texts only.
     */
    err (*embed_ids)(void *self, const gen_ids *texts, size_t n, bool truncate, float *out,
                     int64_t *tokens, fail *f);
    /* scores [n]: how well each text answers the query, higher is better (a cross-encoder's logit).
     * NULL: the model has no such head. Any thread. */
    err (*rank)(void *self, str query, const str *texts, size_t n, float *scores, int64_t *tokens,
                fail *f);
} gen_embedder;

/* How a model cuts texts. Any thread. */
typedef struct gen_encode {
    bool special; /* names of special tokens in the text are those tokens */
    bool markers; /* the model's own first and last tokens around it, where it has them */
    bool pieces;  /* the bytes of each token, too */
} gen_encode;

typedef struct gen_pieces {
    const int32_t *ids; /* [n] */
    const str *pieces;  /* [n]; NULL unless asked for */
    size_t n;
} gen_pieces;

typedef struct gen_vocabulary {
    void *self;
    err (*encode)(void *self, arena *a, str text, const gen_encode *how, gen_pieces *out, fail *f);
    /* Appends their text. E_INPUT for an id outside the vocabulary. */
    err (*decode)(void *self, const int32_t *ids, size_t n, buf *out, fail *f);
} gen_vocabulary;

/* ---- how a task's answer came about
 * -------------------------------------------------------------- */

typedef enum gen_tier {
    GEN_TIER_NONE,
    GEN_TIER_CACHE,
    GEN_TIER_SLM,
    GEN_TIER_LLM,
    GEN_TIER_HUMAN
} gen_tier;

typedef enum gen_outcome {
    GEN_ANSWERED,  /* this tier's answer went out */
    GEN_PASSED_ON, /* it looked and passed on, with a reason and perhaps a draft */
    GEN_SKIPPED,   /* never asked: privacy, mode, not configured */
    GEN_FAILED,    /* asked, and broke */
    GEN_QUEUED     /* a person will answer */
} gen_outcome;

/* Why a tier answered or did not: code for machines, sentence for people. */
#define GEN_REASON_TABLE(X)                                                                     \
    X(GEN_WHY_NONE, "none", "")                                                                 \
    X(GEN_WHY_SURE, "sure", "confidence is at or above the threshold")                          \
    X(GEN_WHY_TAUGHT, "taught", "a person answered a question like this one")                   \
    X(GEN_WHY_UNSURE, "unsure", "confidence is below the threshold")                            \
    X(GEN_WHY_UNKNOWN, "unknown", "it resembles nothing that was taught")                       \
    X(GEN_WHY_OTHER, "other", "it looks like something this desk does not handle")              \
    X(GEN_WHY_LANGUAGE, "language", "it is in a language this task does not know")              \
    X(GEN_WHY_TWO, "two_questions", "it asks for two things at once")                           \
    X(GEN_WHY_FOLLOW_UP, "follow_up", "it cannot be understood without what was said before")   \
    X(GEN_WHY_EMPTY, "empty", "there is no question in it")                                     \
    X(GEN_WHY_TOO_LONG, "too_long", "it is longer than the small model reads")                  \
    X(GEN_WHY_WANTS_PERSON, "wants_person", "the customer asked for a person")                  \
    X(GEN_WHY_SAYS_WRONG, "says_wrong", "the customer said that the answer was wrong")          \
    X(GEN_WHY_ALWAYS_HUMAN, "always_human", "this matter always goes to a person")              \
    X(GEN_WHY_NEEDS_RECORD, "needs_record", "the answer depends on the customer's own file")    \
    X(GEN_WHY_NO_REPLY, "no_reply", "nobody has approved a text for this matter")               \
    X(GEN_WHY_NOT_PROVEN, "not_proven",                                                         \
      "no threshold holds the error limit, so nothing is automatic")                            \
    X(GEN_WHY_SUGGEST, "suggest", "the task is in suggest mode: a person sends")                \
    X(GEN_WHY_ALL_TO_PEOPLE, "all_to_people", "all questions go to people at the moment")       \
    X(GEN_WHY_PRIVACY, "privacy", "this tier may not see the question")                         \
    X(GEN_WHY_NOT_CONFIGURED, "not_configured", "this tier is not configured")                  \
    X(GEN_WHY_TIMEOUT, "timeout", "it did not answer in time")                                  \
    X(GEN_WHY_RATE_LIMITED, "rate_limited", "it refused: too many requests")                    \
    X(GEN_WHY_PROVIDER, "provider_error", "it failed")                                          \
    X(GEN_WHY_DRAFT_ONLY, "draft_only", "its words are neither a listed label nor a quotation") \
    X(GEN_WHY_QUEUED, "queued", "a person will answer")

typedef enum gen_reason {
#define X(code, name, text) code,
    GEN_REASON_TABLE(X)
#undef X
        GEN_REASON_COUNT
} gen_reason;

const char *gen_reason_code(gen_reason r);
const char *gen_reason_text(gen_reason r);
const char *gen_tier_name(gen_tier t);       /* "slm"; "none" */
const char *gen_outcome_name(gen_outcome o); /* "answered", ... */
bool gen_tier_of(str name, gen_tier *out);

/* A number that says how far an answer can be trusted. */
typedef struct gen_signal {
    const char *name; /* "head_margin", "nearest_similarity", ... static */
    double value;
} gen_signal;

enum { GEN_SIGNALS_MAX = 8, GEN_STEPS_MAX = 8, GEN_PASSAGES_MAX = 4 };

typedef struct gen_passage {
    str id, title;
    str text;     /* the sentences that the answer rests on, word for word */
    double score; /* similarity; 1 for the passage that belongs to a label */
} gen_passage;

typedef struct gen_step {
    gen_tier tier;
    gen_outcome outcome;
    gen_reason reason;
    str model;
    str label;         /* its best guess; may be empty */
    double confidence; /* NAN when there is none */
    double threshold;  /* NAN when there is none */
    gen_signal signals[GEN_SIGNALS_MAX];
    size_t n_signals;
    str draft; /* what it would say; goes to the next tier, never to a customer from here */
    int64_t tokens_in, tokens_out;
    int64_t latency_us;
    int64_t queue_us, first_token_us; /* until it began, until its first token; 0 = not said */
    int64_t start_ns;                 /* monotonic; 0 = not said; not part of the record */
    str url;                          /* of the server that was asked; not part of the record */
    double cost_usd;                  /* assumed */
    str note;                         /* error text for people, without the question */
} gen_step;

struct gen_trace {
    str request_id;
    str trace_id; /* W3C Trace Context; "" none */
    int64_t at_ms;
    str task_id, task_name;
    str tenant, subject;
    str purpose;                   /* "answer", "evaluate" */
    str task_digest, model_digest; /* SHA-256 hex of what decided; "" unknown */
    str question;
    gen_step steps[GEN_STEPS_MAX];
    size_t n_steps;
    /* the decision */
    gen_tier tier;
    gen_reason reason;
    str label;
    double confidence; /* NAN when there is none */
    str answer;        /* .p NULL when a person must answer */
    gen_passage passages[GEN_PASSAGES_MAX];
    size_t n_passages;
    str review;             /* reference of the review; "" none */
    str url;                /* where to ask again; "" none */
    int64_t expected_by_ms; /* when a person is expected to have answered; 0 none */
    double cost_usd;
    int64_t latency_us;
};

/* The whole trace as one JSON object: what the journal keeps, `bantam trace --json` prints and
 * GET /v1/requests/ID returns. */
void gen_trace_put_json(json_writer *w, const gen_trace *t);
/* The passages [n] that an answer rests on, as a list. */
void gen_passages_put_json(json_writer *w, const gen_passage *passages, size_t n);

/* ---- people
 * ---------------------------------------------------------------------------------------- */

/* What a person gets to see; route fills it, desk keeps it. */
typedef struct gen_review {
    str request_id;
    str tenant; /* whose request it is; "" none */
    str task_id, task_name;
    str text;    /* the question */
    str history; /* earlier turns as plain text; "" none */
    str draft;   /* "" none */
    gen_tier draft_from;
    str label; /* best guess; "" none */
    double confidence;
    gen_reason reason;
    str evidence; /* JSON object: candidates, passages, steps */
    int64_t expected_minutes;
} gen_review;

typedef struct gen_ticket {
    str ref; /* in the caller's arena */
    int64_t expected_by_ms;
} gen_ticket;

/* The human tier: takes a question into its queue inside the given transaction and returns at once.
 */
typedef struct gen_people {
    void *self;
    err (*ask)(void *self, store_tx *tx, const gen_review *review, arena *a, gen_ticket *out,
               fail *f);
} gen_people;

/* What was learned: knows its source, its person and, from birth, its split. */
typedef struct gen_label {
    int64_t id; /* 0 = new */
    str task_id;
    str text; /* the question */
    str label;
    str by;     /* person; "" unknown */
    str source; /* "review", "correction", "import", "task init" */
    str review; /* "" none */
    str request_id;
    int64_t at_ms;
} gen_label;

/* The learning side: stores (or takes back) a label inside the given transaction. */
typedef struct gen_label_sink {
    void *self;
    err (*learn)(void *self, store_tx *tx, const gen_label *label, int64_t *id, fail *f);
    err (*forget)(void *self, store_tx *tx, int64_t label_id, fail *f);
} gen_label_sink;

/* ---- stages
 * ------------------------------------------------------------------------------------------ */

typedef struct gen_exchange {
    const gen_request *request;
    gen_sink sink;
    gen_reply *reply;
    gen_trace *trace; /* in the request's arena; stages below fill it, audit keeps it */
} gen_exchange;

typedef struct gen_stage gen_stage;
struct gen_stage {
    const char *name;
    void *self;
    /* Does its part, calls gen_next(x, rest) for the stages below, or answers by itself. */
    err (*run)(void *self, gen_exchange *x, const gen_stage *rest, fail *f);
};
/* Runs the first of `rest`; the list ends with a row whose run is NULL, which is never reached. */
err gen_next(gen_exchange *x, const gen_stage *rest, fail *f) MUST_CHECK;

#endif
