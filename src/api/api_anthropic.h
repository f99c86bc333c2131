/* api_anthropic.h - what the files of Anthropic's dialect share. */
#ifndef BANTAM_API_API_ANTHROPIC_H
#define BANTAM_API_API_ANTHROPIC_H

#include "api/api_chat.h"

extern const api_dialect api_anthropic;

typedef enum anthropic_block {
    ANTHROPIC_NONE,
    ANTHROPIC_TEXT,
    ANTHROPIC_CALL,
    ANTHROPIC_THOUGHT
} anthropic_block;

typedef struct anthropic_chat {
    api_chat chat;
    bool counting;        /* count_tokens: max_tokens need not be there */
    anthropic_block open; /* of the stream: the block that is being written */
    size_t index;         /* of that block */
    size_t call_index;    /* which call it is */
} anthropic_chat;

/* The body into m->chat; what is not done is refused by name. */
err api_anthropic_read(api_call *c, anthropic_chat *m, fail *f) MUST_CHECK;
/* messages and system into the request (api_anthropic_turns.c). */
err api_anthropic_turns(api_call *c, gen_request *rq, fail *f) MUST_CHECK;

#endif
