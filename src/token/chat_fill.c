/* chat_fill.c - template and values to text and spans; see chat.h. */
#include "token/chat_int.h"

/* A role that is one of these is as good as a word of the template: it holds no marker. */
static const str role_words[] = {STR("system"), STR("developer"), STR("user"),   STR("assistant"),
                                 STR("tool"),   STR("function"),  STR("ipython")};

err chat_fill(const chat *c, arena *a, const json *values, int64_t now_ms, buf *out,
              template_spans *spans, fail *f) {
    template_input in = {.values = values,
                         .trusted = &c->trusted,
                         .words_of = STR("role"),
                         .words = role_words,
                         .word_count = sizeof role_words / sizeof *role_words,
                         .now_ms = now_ms};
    TRY(template_render(c->compiled, a, &in, out, spans, f));
    return buf_ok(out, f);
}
