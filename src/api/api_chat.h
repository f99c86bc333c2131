/* api_chat.h - a question to a model or a task, whatever the dialect: read (api_ask.c,
 * api_chat_read.c), run through the stages (api_chat_run.c), written (api_chat_write.c), counted
 * and told of. */
#ifndef BANTAM_API_API_CHAT_H
#define BANTAM_API_API_CHAT_H

#include "api/api_field.h"

typedef struct api_chat api_chat;
/* Reads the body into a gen request; refuses what would change the result and is not done here. */
err api_chat_read(api_call *c, api_chat *chat, fail *f) MUST_CHECK;

struct api_chat {
    api_call *call;
    gen_request request;
    bool is_task, stream, include_usage;
    bool judges;  /* a task's small tier alone decides, and nobody else is asked */
    bool legacy;  /* asked with `functions`: answers with `function_call` */
    bool blended; /* what the model thinks stays in its text (reasoning_format none) */
    str task_name;
    int32_t n;     /* choices */
    int32_t index; /* of this one */
    /* Answers in another way than by generating; NULL = generate. */
    err (*how)(void *how_self, const gen_provider *p, gen_exchange *x, fail *f);
    void *how_self;
    uint64_t span, asked_span; /* of this generation; of the question to another server */
    /* the stream being written */
    str id;       /* "chatcmpl-..." */
    int64_t at_s; /* created */
    bool begun;   /* its first event is out */
};

/* What chats and completions have alike: model, sampling, limits, stops, biases, n, stream. */
err api_chat_read_common(api_call *c, api_chat *chat, fail *f) MUST_CHECK;
/* Parts of api_chat_read. */
err api_chat_read_messages(api_call *c, gen_request *rq, fail *f) MUST_CHECK;
err api_chat_read_tools(api_call *c, api_chat *chat, fail *f) MUST_CHECK;
/* One tool of a list in a dialect's form. */
typedef err (*api_tool_reader)(api_call *c, const json *v, size_t at, gen_tool *out, fail *f);
/* The body's list of tools, whatever the dialect calls it; an empty one is none. */
err api_read_tool_list(api_call *c, gen_request *rq, const char *key, api_tool_reader read,
                       fail *f) MUST_CHECK;
bool api_has_tool(const gen_request *rq, str name);

/* Writing an answer (api_chat_write.c). */
typedef struct api_said {
    api_chat *chat;
    const gen_exchange *x;
    str content;
} api_said;
/* said [n], n >= 1; sum: usage of all */
void api_chat_put_whole(json_writer *w, const api_said *said, size_t n, const gen_reply *sum);
err api_chat_send_role(api_chat *chat, fail *f) MUST_CHECK;
err api_chat_send_event(api_chat *chat, const gen_event *event, fail *f) MUST_CHECK;
err api_chat_send_finish(api_chat *chat, const gen_exchange *x, fail *f) MUST_CHECK;
err api_chat_send_usage(api_chat *chat, const gen_reply *sum, fail *f) MUST_CHECK;
void api_put_timings(json_writer *w, const gen_reply *r);

/* The bantam extension of an answer; x->trace may be NULL. */
void api_chat_put_extension(api_chat *chat, json_writer *w, const gen_exchange *x);
/* What the client reads as content: the answer, or that a person will answer. */
err api_chat_content(api_chat *chat, const gen_exchange *x, str *out, fail *f) MUST_CHECK;
void api_put_usage(json_writer *w, const gen_reply *r);
/* [{"token", "logprob", "bytes", "top_logprobs"}] */
void api_put_token_list(json_writer *w, const gen_token *tokens, size_t n);
void api_put_logprobs(json_writer *w, const gen_token *tokens, size_t n);
/* Runs request through audit and what answers it. */
err api_run_chat(api_chat *chat, gen_exchange *x, fail *f) MUST_CHECK;
/* priority, deadline_ms and adapter into the request; api_run_chat does it (api_admit.c). */
err api_read_admission(api_call *c, gen_request *rq, fail *f) MUST_CHECK;
/* Tokens of the request's prompt; E_UNSUPPORTED for a task, and where they cannot be told. */
err api_count_tokens(api_chat *chat, int64_t *tokens, fail *f) MUST_CHECK;

/* ---- what all dialects read alike of a question (api_ask.c) ---- */

/* Of a model or a task: which, and all that stands in every request. E_INPUT when model is "". */
err api_ask_begin(api_call *c, api_chat *chat, str model, fail *f) MUST_CHECK;
/* v: a text, or a list of texts; field names it in errors. */
err api_ask_stops(api_call *c, const json *v, const char *field, gen_request *rq,
                  fail *f) MUST_CHECK;
/* logprobs and top_logprobs. */
err api_ask_logprobs(api_call *c, api_chat *chat, fail *f) MUST_CHECK;
/* E_INPUT where a task is asked: its answer is chosen, not written. */
err api_only_models(api_call *c, const api_chat *chat, const char *field, fail *f) MUST_CHECK;

/* ---- counting and telling (api_metrics.c, api_trace.c) ---- */

err api_trace_open(api_chat *chat, fail *f) MUST_CHECK; /* before a generation */
/* One generation that began at start_ns; its first piece came at first_ns, 0 = not seen. */
void api_meter_answer(api_chat *chat, err e, int64_t start_ns, int64_t first_ns,
                      const gen_reply *r);
/* Behind one that began at start_ns; as api_meter_answer. */
void api_trace_answer(api_chat *chat, err e, int64_t start_ns, int64_t first_ns,
                      const gen_exchange *x);

#endif
