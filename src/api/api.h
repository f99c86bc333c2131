/* api.h - bytes <-> gen: the OpenAI routes, the people's queue, the record, the tasks, the page.
 *
 * api_handle is a http_handler: it checks the key, finds the row of the route table, reads the body
 * once, and speaks to the rooms below in their own words. OpenAI's field names stand in this room
 * (and in gen's remote provider) only. docs/api.md says for each field whether it is honoured,
 * ignored or refused.
 *
 * A chat passes the stages of one table: audit (keeps the record before the last byte leaves), then
 * the task's route or the model's provider. What waits for a person is parked and costs no worker.
 *
 * Threads: open, stop and close by the owner, api_set_server once before or while it serves;
 * api_handle on any worker, so the callbacks must lock for themselves. An `api` holds no request's
 * state. Not here: the loop, limits, Host and Origin (net); which models and tasks exist (app). */
#ifndef BANTAM_API_API_H
#define BANTAM_API_API_H

#include "audit/audit.h"
#include "desk/desk.h"
#include "net/http_server.h"
#include "otel/otel.h"
#include "route/route.h"
#include "who/who.h"

typedef struct api api;

typedef enum api_kind { API_GENERATOR, API_ENCODER, API_TASK } api_kind;

/* What the engine of an open generator says; the counters since it was opened. */
typedef struct api_engine {
    bool present;
    int64_t running, waiting;              /* sequences */
    int64_t pages, pages_free, pages_kept; /* of keys and values; kept: free, known as prefixes */
    int64_t queried, known;                /* tokens of prompts; of those, known before */
    int64_t drafted, held;                 /* tokens guessed; of those, right */
    int64_t postponed, refused;
} api_engine;

typedef struct api_model {
    str id; /* "smollm2"; a task stands as "task:support" */
    api_kind kind;
    str title;
    int64_t created_ms; /* 0 unknown */
    bool loaded;        /* open now; another is opened when it is first asked for */
    const char *state;  /* "unloaded", "loading", "loaded", "unloading", "failed"; NULL not said */
    int percent;        /* of loading */
    int64_t bytes;      /* of memory that it takes, with its keys and values; 0 not said */
    int32_t users;      /* requests that are at it */
    int64_t left_ms;    /* loaded: until it is unloaded if nobody asks; -1 never by time */
    int32_t retry_s;    /* failed: seconds until it is tried again */
    str parent;         /* what an alias or a model with an adapter stands for; "" itself */
    str adapter;        /* "" none */
    bool is_alias;
    api_engine engine;
} api_model;

/* What is known of a model's file; 0 and "" where it is not. */
typedef struct api_about {
    str format, family, quantisation; /* "gguf", "llama", "Q4_K_M" */
    str digest;                       /* SHA-256 hex */
    str licence, chat_template;
    int64_t bytes, parameters, modified_ms;
    int64_t context, width, layers, heads, kv_heads;
} api_about;

/* What can be asked for. Called on workers, several at once. A name that is not offered is
 * E_NOT_FOUND; a model of the other kind E_UNSUPPORTED. */
typedef struct api_models {
    void *self;
    err (*list)(void *self, arena *a, api_model **out, size_t *n, fail *f);
    err (*provider)(void *self, str model, gen_provider *out, fail *f);
    err (*embedder)(void *self, str model, const gen_embedder **out, fail *f);
    /* name without "task:"; *task_id lives as long as the route */
    err (*task)(void *self, str name, route **out, str *task_id, fail *f);
    /* NULL: not possible. E_BUSY while it is in use. keep_ms: < 0 for ever, 0 only as long as it is
     * in use, else for so long after its last request. */
    err (*load)(void *self, str model, fail *f);
    err (*unload)(void *self, str model, fail *f);
    err (*keep)(void *self, str model, int64_t keep_ms, fail *f);
    err (*context)(void *self, str model, int32_t *tokens, fail *f); /* prompt and answer; loads */
    err (*about)(void *self, arena *a, str model, api_about *out, fail *f);
    err (*vocabulary)(void *self, str model, gen_vocabulary *out, fail *f); /* loads at its calls */
} api_models;

typedef struct api_options {
    api_models models;
    store *store;
    audit *audit;
    desk *desk;
    bool
        require_key; /* false (loopback): no key is asked, any is accepted, until there are users */
    bool open_to_all;           /* users or not (--insecure-no-auth) */
    str key;                    /* one that may everything ($BANTAM_KEY); "" none */
    who_book *who;              /* keys and users; NULL = none but `key` */
    bool secure;                /* reached by TLS: cookies say so */
    bool proxied;               /* the last of X-Forwarded-For is the client\'s address */
    const char *const *origins; /* [origins_n] whose pages may call us: "https://name[:port]" */
    size_t origins_n;
    otel *otel;        /* gets a trace of each request and counts its operations; NULL = nobody */
    bool otel_content; /* prompts and answers, too */
    bool log_requests; /* one line of the log each */
    bool log_content;  /* the question in it as it is; else as its length */
    str build;         /* of this program, for system_fingerprint; "" none */
    bool background;   /* run what waits in the store: batches, background responses */
    str url_base;      /* "http://127.0.0.1:8080", for the addresses given to askers; "" none */
} api_options;

/* Everything in the options must outlive the api; strings are copied. */
err api_open(api **out, const api_options *o, fail *f) MUST_CHECK;
void api_close(api *a);
/* Ends what runs in the background, which stays queued: before the server is closed, which it would
 * wake. Requests are answered all the same. */
void api_stop(api *a);
/* Whom to wake when a review is answered; without it those who wait look now and then. */
void api_set_server(api *a, http_server *server);
/* Sees what other processes did with the people's queue. One thread, once a second or oftener. */
void api_tick(api *a);
/* Another key and other origins, for requests to come; copied. Any thread. */
err api_set_access(api *a, str key, const char *const *origins, size_t origins_n,
                   fail *f) MUST_CHECK;
/* From now on /ready says that no more requests should be sent here; they are answered all the
 * same. Any thread. */
void api_drain(api *a);

/* What GET /metrics answers. E_NO_MEMORY, or what api_models.list says. Any thread. */
err api_metrics_put(api *a, arena *mem, buf *out, fail *f) MUST_CHECK;

bool api_quick(void *a, http_request *rq, http_reply *rp);  /* the http_quick; ctx = the api */
void api_handle(void *a, http_request *rq, http_reply *rp); /* the http_handler; ctx = the api */
/* The http_error_body: the loop's own errors in OpenAI's shape. ctx is not used. */
void api_error_body(void *ctx, int status, const char *code, const char *text, buf *body);

#endif
