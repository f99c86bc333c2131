/* gen_remote_int.h - what the files of the remote provider share: an answer that comes as a stream.
 *
 * OpenAI's chunks in (SSE), events out as they come. Each call's pieces follow each other: a piece
 * for an earlier call than the last is refused, as no reader could put it right. A call is one of
 * the tools that were offered, known by id and name before any of its arguments; whole arguments
 * are a JSON object, looked at when the answer ends. What breaks off before its finish_reason is
 * E_NETWORK, and nothing of it is in the reply. Owner: the worker of the request. */
#ifndef BANTAM_GEN_GEN_REMOTE_INT_H
#define BANTAM_GEN_GEN_REMOTE_INT_H

#include "gen/gen.h"
#include "net/sse_read.h"

enum { GEN_REMOTE_CALLS_MAX = 128, GEN_REMOTE_REPLY_BYTES_MAX = 4 << 20 };

typedef struct gen_remote_stream {
    const gen_request *rq;
    gen_sink sink;
    sse_reader reader;
    bool begun;      /* a byte of a good answer has come */
    bool plain;      /* it is no stream: the server sent the answer whole, which lies in `body` */
    bool done;       /* [DONE] */
    bool finished;   /* a finish_reason has come */
    bool said;       /* an event went out */
    buf body, text;  /* text: what went out as the answer's words */
    buf arguments;   /* of the last call */
    gen_call *calls; /* [GEN_REMOTE_CALLS_MAX] in the request's arena */
    size_t n_calls;
    gen_reply reply; /* finish, usage, model */
    err error;       /* what ended it before its time, with its text in why */
    fail why;
} gen_remote_stream;

err gen_remote_stream_open(gen_remote_stream *s, const gen_request *rq, gen_sink sink,
                           fail *f) MUST_CHECK;
void gen_remote_stream_close(gen_remote_stream *s);
/* Bytes of the answer's body, any number; false: enough, see error. */
bool gen_remote_stream_take(gen_remote_stream *s, str bytes);
/* The transfer is over and came to `e` with f: the whole reply, or why there is none. Not for a
 * plain one. */
err gen_remote_stream_end(gen_remote_stream *s, err e, gen_reply *out, fail *f) MUST_CHECK;

/* ---- gen_remote_read.c ---- */

/* E_NETWORK: what came is not what was agreed. */
err gen_remote_not_agreed(fail *f);
bool gen_remote_offered(const gen_request *rq, str name);
/* Are whole arguments a JSON object? */
bool gen_remote_is_object(const gen_request *rq, str arguments);
/* prompt_tokens and completion_tokens of {"usage"}, where there is one; and "model". */
err gen_remote_read_head(const json *v, gen_reply *out, fail *f) MUST_CHECK;
/* A whole answer; E_NETWORK, or E_NO_MEMORY. Its texts live in the request's arena. */
err gen_remote_read_reply(const gen_request *rq, str body, gen_reply *out, fail *f) MUST_CHECK;

#endif
