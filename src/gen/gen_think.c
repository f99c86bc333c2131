/* gen_think.c - see gen_think.h. */
#include "gen/gen_think.h"

#include "gen/gen_text.h"

#include <string.h>

static const gen_think_tags known[] = {{STR("<think>"), STR("</think>")},
                                       {STR("<seed:think>"), STR("</seed:think>")},
                                       {STR("[THINK]"), STR("[/THINK]")}};

const gen_think_tags *gen_think_find(str template_text) {
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (str_find(template_text, known[i].close) != STR_INDEX_NONE) return &known[i];
    return NULL;
}

gen_think_state gen_think_begin(const gen_think_tags *tags, str prompt_end) {
    str end = str_trim(prompt_end);
    if (!tags || str_ends(end, tags->close)) return GEN_THINK_OFF;
    return str_ends(end, tags->open) ? GEN_THINK_ON : GEN_THINK_MAYBE;
}

void gen_think_init(gen_think *t, const gen_think_tags *tags, gen_think_state state, bool as_text) {
    *t = (gen_think){.tags = tags, .state = state, .as_text = as_text};
}

void gen_think_deinit(gen_think *t) {
    buf_deinit(&t->held);
    buf_deinit(&t->text);
}

/* ---- what goes out ---- */

static err send(gen_sink sink, gen_event *out, gen_event *in, fail *f) {
    out->tokens = in->tokens;
    out->n_tokens = in->n_tokens;
    out->prompt_tokens = in->prompt_tokens;
    in->tokens = NULL;
    in->n_tokens = 0;
    return sink.put ? sink.put(sink.self, out, f) : E_OK;
}

/* The first n bytes that are held are thought. */
static err send_thought(gen_think *t, size_t n, gen_event *in, fail *f) {
    str text = str_slice(buf_str(&t->held), 0, n);
    if (!n) return E_OK;
    buf_put(&t->text, text);
    TRY(send(t->sink, &(gen_event){.text = text, .thinks = !t->as_text}, in, f));
    buf_drop_front(&t->held, n);
    return E_OK;
}

/* The first n bytes belong to no words: tags, and white space around them. */
static err pass_over(gen_think *t, size_t n, gen_event *in, fail *f) {
    if (t->as_text) return send_thought(t, n, in, f);
    buf_drop_front(&t->held, n);
    return E_OK;
}

/* ---- states ---- */

static err take_maybe(gen_think *t, gen_event *in, fail *f) {
    size_t space = gen_text_space_before(buf_str(&t->held));
    str text = str_slice(buf_str(&t->held), space, t->held.n);
    if (str_starts(text, t->tags->open)) {
        TRY(pass_over(t, space + t->tags->open.n, in, f));
        t->state = GEN_THINK_ON;
    } else if (!str_starts(t->tags->open, text)) {
        t->state = GEN_THINK_OFF;
        t->tokens = 0;
    }
    return E_OK;
}

static err take_on(gen_think *t, gen_event *in, fail *f) {
    bool whole;
    if (!t->text.n) TRY(pass_over(t, gen_text_space_before(buf_str(&t->held)), in, f));
    size_t at = gen_text_find(buf_str(&t->held), t->tags->close, &whole);
    size_t space = gen_text_space_behind(buf_str(&t->held), at);
    TRY(send_thought(t, at - space, in, f));
    if (!whole) return E_OK;
    TRY(pass_over(t, space + t->tags->close.n, in, f));
    t->state = GEN_THINK_BEHIND;
    return E_OK;
}

static err take_behind(gen_think *t, gen_event *in, fail *f) {
    TRY(pass_over(t, gen_text_space_before(buf_str(&t->held)), in, f));
    if (t->held.n) t->state = GEN_THINK_OFF;
    return E_OK;
}

static err take_rest(gen_think *t, gen_event *in, fail *f) {
    str text = buf_str(&t->held);
    if (!text.n) return E_OK;
    TRY(send(t->rest, &(gen_event){.text = text}, in, f));
    buf_reset(&t->held);
    return E_OK;
}

err gen_think_put(gen_think *t, const gen_event *event, int64_t n, fail *f) {
    gen_event in = *event;
    gen_think_state was;
    if (t->state == GEN_THINK_MAYBE || t->state == GEN_THINK_ON) t->tokens += n;
    buf_put(&t->held, in.text);
    do {
        was = t->state;
        TRY(buf_ok(&t->held, f));
        switch (t->state) {
        case GEN_THINK_MAYBE: TRY(take_maybe(t, &in, f)); break;
        case GEN_THINK_ON: TRY(take_on(t, &in, f)); break;
        case GEN_THINK_BEHIND: TRY(take_behind(t, &in, f)); break;
        case GEN_THINK_OFF: TRY(take_rest(t, &in, f)); break;
        }
    } while (t->state != was);
    if (!in.n_tokens) return E_OK;
    bool off = t->state == GEN_THINK_OFF;
    return send(off ? t->rest : t->sink,
                &(gen_event){.text = STR(""), .thinks = !off && !t->as_text}, &in, f);
}

err gen_think_end(gen_think *t, fail *f) {
    gen_event none = {.text = STR("")};
    str held = buf_str(&t->held);
    if (t->state == GEN_THINK_MAYBE) t->tokens = 0;
    if (t->state == GEN_THINK_MAYBE || t->state == GEN_THINK_OFF)
        TRY(take_rest(t, &none, f));
    else if (t->state == GEN_THINK_ON)
        TRY(send_thought(t, t->as_text ? held.n : held.n - gen_text_space_behind(held, held.n),
                         &none, f));
    return buf_ok(&t->text, f);
}
