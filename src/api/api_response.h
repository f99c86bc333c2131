/* api_response.h - what the files of OpenAI's Responses share. */
#ifndef BANTAM_API_API_RESPONSE_H
#define BANTAM_API_API_RESPONSE_H

#include "api/api_chat.h"
#include "api/api_keep.h"

enum { RESPONSE_TAG_BYTES = 40 };

typedef enum response_block {
    RESPONSE_NONE,
    RESPONSE_TEXT,
    RESPONSE_CALL,
    RESPONSE_THOUGHT
} response_block;

typedef struct api_response {
    api_chat chat;
    char tag[RESPONSE_TAG_BYTES]; /* of all ids: resp_TAG, msg_TAG, fc_TAG_0, ... */
    str id;
    bool store, background, logprobs;
    bool counting;    /* input_tokens: nothing is answered */
    str previous;     /* "" none */
    keep_item *input; /* [n_input] of this request alone, with ids */
    size_t n_input;
    int64_t created_ms;
    /* the stream being written */
    int64_t sequence;
    response_block open;
    size_t n_output;   /* items begun */
    size_t call_index; /* of the open one */
    const gen_call *call;
    buf text; /* of the open item */
} api_response;

/* How it ended, or stands. */
typedef struct response_end {
    const char *status;
    const gen_exchange *x; /* NULL: no answer yet, or none */
    str content;           /* the answer's text */
    const fail *why;       /* status failed */
    const char *code;
} response_end;

/* The body into r->chat and the rest; what is not done is refused by name. */
err api_response_read(api_call *c, api_response *r, fail *f) MUST_CHECK;
/* instructions, what came before and input into the request's messages; input into r->input. */
err api_response_turns(api_call *c, api_response *r, fail *f) MUST_CHECK;

/* The object, as answered and as kept. */
void api_response_put(api_response *r, json_writer *w, const response_end *end);
void api_response_put_message(api_response *r, json_writer *w, str text, const gen_token *tokens,
                              size_t n_tokens, const char *status);
void api_response_put_call(api_response *r, json_writer *w, const gen_call *call, size_t index,
                           str arguments, const char *status);
void api_response_put_text(api_response *r, json_writer *w, str text, const gen_token *tokens,
                           size_t n);
void api_response_put_text_logprobs(json_writer *w, const gen_token *tokens, size_t n);
/* text .p NULL: without content yet */
void api_response_put_thought(api_response *r, json_writer *w, str text, const char *status);
void api_response_put_thought_text(json_writer *w, str text);
str api_response_message_id(api_response *r);
str api_response_thought_id(api_response *r);
str api_response_call_id(api_response *r, size_t index);
const char *api_response_status(const gen_exchange *x); /* "completed", "incomplete" */
/* A kept object again, with another status (and error). */
err api_response_rewrite(arena *a, str object, const char *status, const fail *why,
                         const char *code, str *out, fail *f) MUST_CHECK;

/* ---- keeping (api_response_keep.c) ---- */
/* A new row with the input's items into tx; *id is the row's. */
err api_response_add(api_response *r, store_tx *tx, const char *status, str object, int64_t *id,
                     fail *f) MUST_CHECK;
/* Its row stood before it ran: it runs in the background. */
bool api_response_is_kept(const api_response *r);
/* Commits response and items, with the key and the job if there are any; object is r's. */
err api_response_keep(api_response *r, const response_end *end, str object, fail *f) MUST_CHECK;
err api_response_stream(api_response *r, gen_exchange *x, fail *f) MUST_CHECK;

#endif
