/* gen_calls.h - reads calls out of an answer as it is made.
 *
 *     TEXT -trigger-> BEFORE -name known-> ARGUMENTS -object closed-> AFTER -between-> BEFORE
 *
 * What comes in follows the plan's grammar, in pieces that never split a character; what goes out
 * are events: text, then per call one that begins it and pieces of its arguments. Text that could
 * be the beginning of a trigger or of a stop is held back, and so is white space, which is dropped
 * before a call. Stops count in the text and not inside of calls. A call that was not finished is
 * not among `calls`. Owner: the worker of the request. */
#ifndef BANTAM_GEN_GEN_CALLS_H
#define BANTAM_GEN_GEN_CALLS_H

#include "gen/gen_tools.h"

typedef enum gen_calls_state {
    GEN_CALLS_TEXT,
    GEN_CALLS_BEFORE,
    GEN_CALLS_ARGUMENTS,
    GEN_CALLS_AFTER
} gen_calls_state;

typedef struct gen_calls {
    const gen_tools_plan *plan;
    const str *stops;
    size_t n_stops;
    gen_sink sink;
    arena *a;
    gen_calls_state state;
    bool stopped;  /* a stop has come: nothing more is wanted */
    int32_t stop;  /* which one, when it has */
    bool begun;    /* text has gone out, so that an anchored trigger cannot come */
    buf held;      /* not certain yet: of the text, or of what stands around a call */
    buf text;      /* that has gone out */
    buf arguments; /* of the call being read */
    int32_t depth;
    bool quoted, escaped;
    gen_call calls[GEN_CALLS_MAX]; /* those that are whole come first */
    size_t n_calls;
} gen_calls;

/* plan, stops and arena (of the request) outlive it. plan NULL: nothing can be called, stops count.
 */
void gen_calls_init(gen_calls *c, const gen_tools_plan *plan, const gen_request *rq, gen_sink sink);
void gen_calls_deinit(gen_calls *c);
/* in->text is what was made; its tokens go with the first event that comes of it. */
err gen_calls_put(gen_calls *c, const gen_event *in, fail *f) MUST_CHECK;
/* What is still held of the text goes out. */
err gen_calls_end(gen_calls *c, fail *f) MUST_CHECK;

#endif
