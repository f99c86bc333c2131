/* chat_int.h - what the files of chat rendering share. */
#ifndef BANTAM_TOKEN_CHAT_INT_H
#define BANTAM_TOKEN_CHAT_INT_H

#include "text/template.h"
#include "token/chat.h"

enum { CHAT_SPECIALS = 4 };

/* Put behind the last message's text to find where it ends; the blank shows whether it is kept. */
#define CHAT_MARK "<bantam goes on here> "

struct chat {
    arena a;
    const tokenizer *t;
    const template *compiled;
    json trusted; /* object of the special tokens' texts */
    json_member specials[CHAT_SPECIALS];
    chat_features features;
};

/* chat_values.c: what the template sees. E_INPUT names the message that cannot be. */
err chat_check(const chat_input *in, fail *f) MUST_CHECK;
err chat_values(const chat *c, arena *a, const chat_input *in, const json **out,
                fail *f) MUST_CHECK;

/* chat_fill.c: template and values to text and spans. */
err chat_fill(const chat *c, arena *a, const json *values, int64_t now_ms, buf *out,
              template_spans *spans, fail *f) MUST_CHECK;

/* chat_probe.c: asks the template. Only E_NO_MEMORY comes back. */
err chat_probe(chat *c, fail *f) MUST_CHECK;

#endif
