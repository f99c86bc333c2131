/* chat.h - messages to a model's prompt, through the model's own Jinja template.
 *
 * Only here do role markers exist. What the template itself writes is trusted and may become
 * special tokens; what comes out of messages, tools and variables is not, whatever it looks like
 * and whatever the template does with it. The one exception: a message's role that is one of the
 * words system, developer, user, assistant, tool, function, ipython counts as written by the
 * template, for templates spell markers with it ("<|" + role + "|>").
 * A chat is immutable once open and shared by threads; it borrows its tokenizer. */
#ifndef BANTAM_TOKEN_CHAT_H
#define BANTAM_TOKEN_CHAT_H

#include "text/json.h"
#include "token/token.h"

enum { CHAT_MESSAGES_MAX = 65536, CHAT_TOOL_CALLS_MAX = 1024 /* of one message */ };

typedef struct chat chat;

/* E_UNSUPPORTED or E_INPUT when the template uses what our Jinja cannot do (line said). A model
 * without a template (template_text empty) whose vocabulary has both markers of ChatML,
 * <|im_start|> and <|im_end|>, as control tokens is asked in plain ChatML (chat_about says so);
 * without them it is E_NOT_FOUND: such a model takes plain text only (run --raw). */
err chat_open(chat **out, const tokenizer *t, str template_text, fail *f) MUST_CHECK;
void chat_close(chat *c); /* NULL is fine */

/* What a template makes of things, found out by asking it when the chat was opened. */
typedef struct chat_features {
    bool chatml;            /* no template of the model's own: plain ChatML */
    bool parts;             /* it reads content that is an array of parts */
    bool tools;             /* it tells the model about tools (or refuses to say) */
    bool calls;             /* it shows the calls that the assistant made */
    bool arguments_as_text; /* a call's arguments as JSON text, shown as they stand */
    bool arguments_as_object;
} chat_features;
chat_features chat_about(const chat *c);

/* Messages are objects as OpenAI writes them: role, content (text, null, or an array of parts),
 * reasoning_content, tool_calls, tool_call_id, name; other members reach the template as they are.
 * Before it sees them, as transformers does it: members that are null are left out, and reasoning
 * given as `reasoning` or `thinking` stands under reasoning_content as well. A call's arguments are
 * turned from JSON text to an object, or back, where the template reads only the other; parts of
 * type text become one text, with line ends between them, where it reads no parts. */
typedef struct chat_input {
    const json *messages;  /* array */
    const json *tools;     /* array of {"type": "function", "function": {...}}, or NULL */
    const json *documents; /* array of {"title", "text"}, or NULL */
    const json *extra;     /* object of further template variables (enable_thinking...), or NULL */
    bool add_generation_prompt;
    bool continue_last; /* the prompt ends where the last message's text ends, for the model to go
                           on; not together with add_generation_prompt */
    int64_t now_ms;     /* for strftime_now; 0 = the clock */
} chat_input;

typedef struct chat_text {
    const token_span *spans; /* in order, in the arena of the call */
    size_t count;
} chat_text;

/* E_INPUT when the template refuses the messages (raise_exception) or they are malformed;
 * E_UNSUPPORTED when there are tools, or parts that are no text, and the template has no place for
 * them. */
err chat_render(const chat *c, arena *a, const chat_input *in, chat_text *out, fail *f) MUST_CHECK;
/* Renders and tokenises. BOS is added only where the tokenizer asks for it and the rendered text
 * does not begin with it already. */
err chat_encode(const chat *c, arena *a, const chat_input *in, token_ids *out, fail *f) MUST_CHECK;
/* The rendered bytes as one string. */
err chat_join(arena *a, const chat_text *text, str *out, fail *f) MUST_CHECK;

#endif
