/* gen_remote.h - a provider that asks any OpenAI-compatible server (/v1/chat/completions). Who
 * gives a sink gets text and calls as the server streams them; who gives none gets them whole, and
 * so does a sink whose server does not stream. Tools and choice are passed on; a call in the reply
 * must be of a tool that was offered, with a JSON object as arguments (its schema is not checked:
 * whoever runs it does). An answer that breaks off is an error, also in the middle of a call's
 * arguments, and its reply is left untouched; one that reached its limit of tokens there loses that
 * call.
 *
 * Retries and time limits as given; what the server sends is bounded. Errors: E_TIMEOUT, E_BUSY
 * (429, 503 after the retries), E_KEY (401/403), E_NETWORK (5xx, cut connections, replies that are
 * not what was agreed), E_CANCELLED (the client left). Neither the key nor the question is ever
 * part of an error text. Any thread. */
#ifndef BANTAM_GEN_GEN_REMOTE_H
#define BANTAM_GEN_GEN_REMOTE_H

#include "gen/gen.h"

typedef struct gen_remote gen_remote;

typedef struct gen_remote_options {
    str url;            /* "https://host/v1"; "/chat/completions" is added */
    str key;            /* "" none */
    str model;          /* used when a request names none */
    int64_t timeout_ms; /* of all tries together; 0 = 20 s */
    int32_t retries;    /* after the first try */
} gen_remote_options;

/* Copies what it needs. E_INPUT for a URL that is not http(s). */
err gen_remote_open(gen_remote **out, const gen_remote_options *o, fail *f) MUST_CHECK;
void gen_remote_close(gen_remote *r); /* NULL is fine */
gen_provider gen_remote_provider(gen_remote *r);

#endif
