/* chat.h - messages to a model's prompt, through the model's own Jinja template.
 *
 * Only here do role markers exist. What the template itself writes is trusted and may become
 * special tokens; what comes out of messages and tools is not, whatever it looks like. A chat is
 * immutable once open and shared by threads; it borrows its tokenizer. */
#ifndef BANTAM_TOKEN_CHAT_H
#define BANTAM_TOKEN_CHAT_H

#include "text/json.h"
#include "token/token.h"

typedef struct chat chat;

/* E_UNSUPPORTED or E_INPUT when the template uses what our Jinja cannot do (line and column said);
 * E_NOT_FOUND when template_text is empty: such a model takes plain text only (run --raw). */
err chat_open(chat **out, const tokenizer *t, str template_text, fail *f) MUST_CHECK;
void chat_close(chat *c); /* NULL is fine */

typedef struct chat_input {
    const json *messages; /* array of {"role","content",...} as OpenAI writes them */
    const json *tools;    /* array or NULL */
    const json *extra;    /* object of further template variables, or NULL */
    bool add_generation_prompt;
} chat_input;

typedef struct chat_text {
    const token_span *spans; /* in order, in the arena of the call */
    size_t count;
} chat_text;

/* E_INPUT when the template refuses the messages (raise_exception) or they are malformed. */
err chat_render(const chat *c, arena *a, const chat_input *in, chat_text *out, fail *f) MUST_CHECK;
/* Renders and tokenises. BOS is added only where the tokenizer asks for it and the rendered text
 * does not begin with it already. */
err chat_encode(const chat *c, arena *a, const chat_input *in, token_ids *out, fail *f) MUST_CHECK;
/* The rendered bytes as one string. */
err chat_join(arena *a, const chat_text *text, str *out, fail *f) MUST_CHECK;

#endif
