/* api_keep.h - what is kept between requests: responses, files, batches, answers under a key,
 * requests that run without their client. Shared by api_once, api_inside, api_runner, api_async,
 * api_response*, api_file and api_batch*.
 *
 *     POST -> key seen before? -> the same answer again
 *          -> Prefer: respond-async? -> a job, 202
 *          -> the route; its answer and its key are committed together, then sent
 *
 * A job is run by a slot of the runner: a thread that calls the same route with a request that has
 * no connection. */
#ifndef BANTAM_API_API_KEEP_H
#define BANTAM_API_API_KEEP_H

#include "api/api_field.h"
#include "keep/keep.h"

/* ---- which requests may be run again, later, or in a batch ---- */

typedef struct api_deferral {
    const char *path;
    bool once;  /* an Idempotency-Key is honoured */
    bool later; /* Prefer: respond-async is, too: its route runs without a connection */
    bool batch; /* as an endpoint of a batch */
    bool form;  /* its body is a form with files */
} api_deferral;
const api_deferral *api_deferral_of(str path); /* NULL: none of these */

/* ---- what all of them need ---- */

keep_owner api_owner(const api_call *c);
/* E_DENIED where keys are asked for and this one may not. */
err api_may(api_call *c, who_action action, fail *f) MUST_CHECK;
/* limit, order, after of a list. */
err api_read_page(api_call *c, int64_t fallback, int64_t max, keep_page *out, fail *f) MUST_CHECK;
void api_put_list_begin(api_call *c);
/* ids may be "" when the list is empty */
void api_put_list_end(api_call *c, str first, str last, bool more);
void api_put_deleted(api_call *c, const char *object, str id);
void api_put_seconds(json_writer *w, const char *key, int64_t ms); /* 0: null */
/* user or safety_identifier of the body; "" none */
str api_subject_of(const json *body);

/* ---- once (api_once.c) ---- */

typedef struct api_once api_once;
struct api_once {
    str actor, key;
    char digest[65];
    bool kept; /* its row is committed */
    api_once *next;
};
/* Reads the key; *answered: the stored answer stands in c->out. Claims it otherwise. */
err api_once_begin(api_call *c, bool *answered, fail *f) MUST_CHECK;
/* The route has run (e): keeps the answer where the route did not, gives the claim back. */
err api_once_end(api_call *c, err e, fail *f) MUST_CHECK;
/* Answers that nobody can take back: the key's row goes into tx with what the route keeps. */
err api_keep_commit(api_call *c, store_tx *tx, err e, fail *f) MUST_CHECK;

/* ---- inside (api_inside.c) ---- */

typedef struct api_inside {
    const keep_job *job;
    int32_t priority;
    bool ended; /* the route has ended the job in its own transaction */
} api_inside;

typedef struct api_inside_answer {
    int status;
    str body;    /* in the arena */
    str request; /* id */
    err why;     /* E_OK, or what the route failed with */
    fail fail;
    const char *code; /* word of the error */
    bool ended;
} api_inside_answer;
/* Runs the job's request on this thread. E_CANCELLED when *left became true. */
err api_inside_run(api *a, const keep_job *job, const atomic_bool *left, arena *mem,
                   api_inside_answer *out, fail *f) MUST_CHECK;

/* ---- runner: what it is at (api_slot.c), its threads (api_runner.c) ---- */

enum {
    API_SLOTS_ASKED = 4, /* for those with a client who looks for the answer */
    API_SLOTS_LINES = 4,
    API_SLOTS = API_SLOTS_ASKED + API_SLOTS_LINES
};

typedef struct api_slot {
    api_runner *runner;
    thread thread;
    bool lines, tends;
    int64_t job, batch; /* at work on; 0 none */
    atomic_bool left;   /* break it off */
} api_slot;

struct api_runner {
    api *api;
    mutex lock; /* guards what follows, and job and batch of the slots */
    cond changed;
    uint64_t news; /* how often changed was told: a slot that looked without the lock compares */
    bool stop;
    api_slot slots[API_SLOTS];
};

/* r may be NULL: nothing runs in the background. Any thread. */
void api_runner_wake(api_runner *r); /* something was committed that it must see */
void api_runner_tell(api_runner *r); /* the same; the lock is held */
bool api_runner_is_at(api_runner *r, int64_t job);
void api_runner_leave(api_runner *r, int64_t job, int64_t batch); /* 0 = not by this */

err api_runner_open(api_runner **out, api *a, fail *f) MUST_CHECK;
void api_runner_stop(api_runner *r);  /* what runs is broken off and stays queued; NULL is fine */
void api_runner_close(api_runner *r); /* stops it first */

/* ---- later (api_async.c) ---- */

/* Prefer: respond-async: *taken, the request is a job and the answer says where to look. */
err api_async_take(api_call *c, bool *taken, fail *f) MUST_CHECK;
/* Those who wait at the job's address look again. */
void api_async_wake(api *a, str ref);

/* ---- batches (api_batch_run.c): the runner's ---- */

/* Validates or ends one batch; *worked false: there was none. */
err api_batch_tend(api *a, bool *worked, fail *f) MUST_CHECK;

/* ---- responses ---- */

/* A background response that cannot be answered: failed, and its job ended. */
err api_response_fail(api *a, const keep_job *job, const api_inside_answer *why,
                      fail *f) MUST_CHECK;

#endif
