/* api_int.h - what the files of api/ share: one call, its body and its answer. */
#ifndef BANTAM_API_API_INT_H
#define BANTAM_API_API_INT_H

#include "api/api.h"
#include "api/api_meter.h"

#include "base/thread.h"

#include <stdatomic.h>

enum {
    API_MESSAGES_MAX = 2048,
    API_STOPS_MAX = 16,
    API_BIAS_MAX = 1024,
    API_PRIORITY_MAX = 10,   /* -10 to 10 */
    API_PRIORITY_BATCH = -5, /* of lines of batches */
    API_CHOICES_MAX = 8,
    API_CHECKS = 4,      /* health checks */
    API_CALLS_MAX = 128, /* of one message */
    API_INPUTS_MAX = 2048,
    API_PAGE_LIMIT = 50, /* rows of a list when the asker names no number */
    API_WAIT_S_MAX = 300,
    API_TICK_MS = 1000 /* another process may answer: look this often, once for all who wait */
};

/* A health check's last answer, sent again while it would say the same. */
typedef struct api_check {
    const struct api_route_row *route; /* for the meter */
    int64_t facts[8];                  /* what the body was made of */
    int status;                        /* 0: never made */
    buf body;
} api_check;

typedef struct api_call api_call;
typedef err (*api_route)(api_call *c, fail *f);

/* A row of the table of what exists. */
typedef struct api_route_row {
    const char *method, *pattern; /* "*" = one segment; at the end "**" = all that is left */
    api_route run;
    who_action action; /* who may: who/who_role.h; a row without one is for admins alone */
} api_route_row;

struct api_once;
struct api_inside;
typedef struct api_runner api_runner;

struct api {
    api_options o;
    const api_route_row *routes; /* [routes_n] api.c's */
    size_t routes_n;
    arena arena;
    int64_t started_ms;
    _Atomic(http_server *) server;
    atomic_bool draining;
    api_check checks[API_CHECKS]; /* api_health.c's, on the server's loop alone */
    api_meter meter;
    api_runner *runner;        /* NULL: nothing runs in the background */
    mutex access_lock;         /* guards access, which is immutable itself */
    struct api_access *access; /* api_access.c */
    mutex once_lock;           /* guards the keys whose first request is being answered */
    struct api_once *once_claims;
    int64_t next_tick_ms, desk_seen; /* api_tick's caller's; seen: the last event of the queue */
};

/* What is told of a request beside its answer; shared by its choices, filled by the first. */
typedef struct api_told {
    otel_context of; /* its trace and its own span */
    str model, question;
    const char *purpose; /* "embed", "rerank": what an encoder was asked for; NULL = nothing */
    int64_t tokens_in, tokens_out;
    const char *error; /* error.type; NULL = none */
} api_told;

/* A family of routes and how it says what went wrong. NULL: as OpenAI does. */
typedef struct api_dialect {
    const char *prefix;    /* of its paths */
    const char *id_header; /* for the id, beside x-request-id */
    bool any_type;         /* bodies are JSON whatever Content-Type says */
    void (*put_error)(api_call *c, const fail *f, int status); /* into c->w */
    /* c->out as the last piece of a stream that has begun. */
    err (*put_last)(api_call *c, fail *f);
} api_dialect;
const api_dialect *api_dialect_of(str path);

/* One request on its worker. A route fills `w` and returns E_OK: the dispatcher sends it as 200.
 * It may also answer by itself, or park, and then sets `done`. */
struct api_call {
    api *api;
    const api_dialect *dialect;
    http_request *rq;
    http_reply *rp;
    arena *a;
    str arg;            /* what "*" of the route's pattern stands for */
    const json *body;   /* an object; NULL for GET */
    const char *param;  /* of an error: which field */
    const char *code;   /* of an error: one word for machines; NULL = from the err */
    const char *shaped; /* the field that says what the answer must look like, if one does */
    buf out;
    json_writer w;
    bool done;
    const api_route_row *route; /* NULL: none, or it ran inside */
    who_actor who;              /* who asks; kind WHO_NOBODY where auth is off */
    int64_t tokens;             /* that the answer cost: taken off the key's minute */
    int status;                 /* of an answer that the dispatcher sends; 0 = 200 */
    str location;               /* its header, as it is kept; "" none */
    api_told *told;             /* api_trace.c */
    struct api_once *once;      /* api_keep.h; NULL: no key */
    struct api_inside *inside;  /* NULL: a client waits for the answer */
};

typedef struct api_allowed {
    char text[40]; /* "GET, HEAD, POST", as the header Allow has it; "": there is nothing */
} api_allowed;
/* The row; NULL: none, and *allow the methods that are done there. *arg is what "*" of the pattern
 * stands for. */
const api_route_row *api_route_find(const api *a, str method, str path, str *arg,
                                    api_allowed *allow);

/* ---- errors ---- */
/* E_INPUT about one field; param must be static or live in the request's arena. */
err api_refuse(api_call *c, fail *f, const char *param, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* {"error":{"message","type","param","code"}} */
void api_error_put(json_writer *w, const fail *f, int status, const char *param, const char *code);
void api_error_send(api_call *c, const fail *f);
/* The error's body into c->out; returns its status. */
int api_error_make(api_call *c, const fail *f);
/* One word for an error: the answer's code. */
const char *api_error_word(const api_call *c, err e);
/* What went wrong and what to do about it, as one sentence. */
void api_error_text(const fail *f, char *out, size_t n);
enum { API_ERROR_TEXT_BYTES = FAIL_TEXT_BYTES + FAIL_HINT_BYTES + 4 };

/* ---- the head of an answer (api_head.c) ---- */
/* openai-processing-ms: how long this took. */
void api_put_duration(api_call *c);
/* What every answer says to browsers: keep nothing, guess no type. */
void api_put_safety(http_reply *rp);

/* ---- reading the body and the query (api_read.c) ---- */
/* Whether the body is what Content-Type may say here: JSON in UTF-8; 415 otherwise. */
err api_check_type(api_call *c, fail *f) MUST_CHECK;
/* c->param names the key on failure. */
err api_get_str(api_call *c, const char *key, str fallback, str *out, fail *f) MUST_CHECK;
err api_get_int(api_call *c, const char *key, int64_t fallback, int64_t min, int64_t max,
                int64_t *out, fail *f) MUST_CHECK;
err api_get_double(api_call *c, const char *key, double fallback, double min, double max,
                   double *out, fail *f) MUST_CHECK;
err api_get_bool(api_call *c, const char *key, bool fallback, bool *out, fail *f) MUST_CHECK;
err api_query_int(api_call *c, const char *key, int64_t fallback, int64_t min, int64_t max,
                  int64_t *out, fail *f) MUST_CHECK;
str api_query(api_call *c, const char *key); /* "" when absent */
/* Whom the request is about, so that its record can be found and erased: user, or what OpenAI calls
 * it now, safety_identifier. */
err api_read_subject(api_call *c, str *out, fail *f) MUST_CHECK;
/* Who acts: whoever is logged in; a program may name the person it acts for ("by"). */
err api_get_by(api_call *c, str *out, fail *f) MUST_CHECK;

/* ---- whose a review is, and what an asker is told while a person answers (api_person.c) ---- */
/* The review that the path names: to a key with a tenant another's is not there. */
err api_own_review(api_call *c, fail *f) MUST_CHECK;
/* Address at which an answer can be asked for. */
str api_answer_url(api *api, arena *a, str ref);
/* A plain sentence: reference, expected time, address. */
str api_person_sentence(arena *a, str ref, int64_t expected_by_ms, str url);
str api_time_text(arena *a, int64_t ms); /* "20:45 UTC on 2026-11-23" */

/* ---- counting (api_metrics.c) ---- */
void api_meter_request(api_call *c);               /* behind each run of a handler */
void api_meter_input(api_call *c, int64_t tokens); /* of what is no generation */

/* ---- health checks (api_health.c) ---- */
void api_health_init(api *a);
void api_health_deinit(api *a);

/* ---- those who wait for a person (api_answer.c) ---- */
err api_answer_open(api *a, fail *f) MUST_CHECK;
/* Whoever waits for this review's answer looks again. Any thread. */
void api_answer_wake(api *a, str ref);

/* ---- telling (api_trace.c) ---- */
/* Finds the request's trace and says it in the answer's head. told is the caller's. */
void api_trace_begin(api_call *c, api_told *told);
void api_trace_end(api_call *c); /* behind each run of a handler */
err api_trace_name(const api_call *c, gen_request *rq, fail *f) MUST_CHECK; /* its trace's id */
/* Status that an answer is counted under; 499: the client left; 0: not over, it is parked. */
int api_status_of(const api_call *c);

#endif
