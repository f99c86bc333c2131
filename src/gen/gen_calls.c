/* gen_calls.c - see gen_calls.h. */
#include "gen/gen_calls.h"

#include "base/rand.h"
#include "gen/gen_text.h"

#include <string.h>

enum { CALL_ID_CHARS = 24, CALL_ID_SHORT = 9 };

void gen_calls_init(gen_calls *c, const gen_tools_plan *plan, const gen_request *rq,
                    gen_sink sink) {
    *c = (gen_calls){
        .plan = plan, .stops = rq->stops, .n_stops = rq->n_stops, .sink = sink, .a = rq->arena};
}

void gen_calls_deinit(gen_calls *c) {
    buf_deinit(&c->held);
    buf_deinit(&c->text);
    buf_deinit(&c->arguments);
}

/* ---- what goes out ---- */

/* The event's tokens go with the first part of it, even where that says nothing yet. */
static err send(gen_calls *c, gen_event *out, gen_event *in, fail *f) {
    out->tokens = in->tokens;
    out->n_tokens = in->n_tokens;
    out->prompt_tokens = in->prompt_tokens;
    in->n_tokens = 0;
    in->tokens = NULL;
    return c->sink.put ? c->sink.put(c->sink.self, out, f) : E_OK;
}

static err send_text(gen_calls *c, size_t n, gen_event *in, fail *f) {
    str text = str_slice(buf_str(&c->held), 0, n);
    if (!n) return E_OK;
    c->begun = true;
    buf_put(&c->text, text);
    TRY(send(c, &(gen_event){.text = text}, in, f));
    buf_drop_front(&c->held, n);
    return E_OK;
}

static err new_id(gen_calls *c, str *out, fail *f) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    bool is_short = c->plan->format->short_ids;
    unsigned char random[CALL_ID_CHARS];
    char id[CALL_ID_CHARS + 1] = "";
    int n = is_short ? CALL_ID_SHORT : CALL_ID_CHARS;
    rand_secret(random, sizeof random);
    for (int i = 0; i < n; i++) id[i] = letters[random[i] % (sizeof letters - 1)];
    *out = arena_printf(c->a, "%s%s", is_short ? "" : "call_", id);
    return out->p ? E_OK : fail_memory(f, "a call");
}

/* ---- text ---- */

/* Where the trigger stands or might; for an anchored one, or where JSON is the other choice, only
 * at the beginning of all. */
static size_t find_trigger(const gen_calls *c, str text, bool *whole) {
    *whole = false;
    if (!c->plan) return text.n;
    const grammar_calls *g = &c->plan->grammar;
    str trigger = g->trigger;
    if (!g->anchored && !g->answer) return gen_text_find(text, trigger, whole);
    *whole = !c->begun && str_starts(text, trigger);
    return !c->begun && (*whole || str_starts(trigger, text)) ? 0 : text.n;
}

static err take_text(gen_calls *c, gen_event *in, fail *f) {
    str text = buf_str(&c->held);
    bool called, stopped = false;
    size_t sure = find_trigger(c, text, &called);
    for (size_t i = 0; i < c->n_stops; i++) {
        bool whole;
        size_t at = gen_text_find(text, c->stops[i], &whole);
        if (at < sure || (whole && at == sure)) {
            sure = at;
            stopped = whole;
            called = false;
            if (whole) c->stop = (int32_t)i;
        }
    }
    size_t kept = sure;
    if (!stopped) kept -= gen_text_space_behind(text, kept);
    TRY(send_text(c, kept, in, f));
    if (stopped) {
        c->stopped = true;
        buf_reset(&c->held);
    } else if (called) {
        buf_drop_front(&c->held, sure - kept + c->plan->grammar.trigger.n);
        c->state = GEN_CALLS_BEFORE;
    }
    return E_OK;
}

/* ---- calls ---- */

/* What stands before a call's arguments, once it is whole: which tool. */
static const grammar_call *find_item(const gen_calls *c, size_t *bytes) {
    const grammar_calls *g = &c->plan->grammar;
    str text = buf_str(&c->held), lead = c->n_calls ? STR("") : g->lead;
    if (!str_starts(text, lead)) return NULL;
    str rest = str_slice(text, lead.n, text.n);
    for (size_t i = 0; i < g->n; i++)
        if (str_starts(rest, g->items[i].before)) {
            *bytes = lead.n + g->items[i].before.n;
            return &g->items[i];
        }
    return NULL;
}

static err take_before(gen_calls *c, gen_event *in, fail *f) {
    size_t bytes = 0;
    const grammar_call *item = find_item(c, &bytes);
    if (!item) return E_OK;
    CHECK(c->n_calls < GEN_CALLS_MAX);
    gen_call *call = &c->calls[c->n_calls];
    *call = (gen_call){.name = item->name, .arguments = STR("")};
    TRY(new_id(c, &call->id, f));
    buf_drop_front(&c->held, bytes);
    buf_reset(&c->arguments);
    c->depth = 0;
    c->quoted = c->escaped = false;
    c->state = GEN_CALLS_ARGUMENTS;
    return send(
        c,
        &(gen_event){.text = STR(""), .call = call, .call_index = c->n_calls, .call_begins = true},
        in, f);
}

/* How many bytes still belong to the object; *closed: it ends with them. */
static size_t scan_object(gen_calls *c, str text, bool *closed) {
    *closed = false;
    for (size_t i = 0; i < text.n; i++) {
        char b = text.p[i];
        if (c->quoted) {
            c->quoted = c->escaped || b != '"';
            c->escaped = !c->escaped && b == '\\';
            continue;
        }
        c->quoted = b == '"';
        c->depth += (b == '{' || b == '[') - (b == '}' || b == ']');
        *closed = c->depth == 0 && b == '}';
        if (*closed) return i + 1;
    }
    return text.n;
}

static err take_arguments(gen_calls *c, gen_event *in, fail *f) {
    bool closed;
    gen_call *call = &c->calls[c->n_calls];
    size_t n = scan_object(c, buf_str(&c->held), &closed);
    str piece = str_slice(buf_str(&c->held), 0, n);
    buf_put(&c->arguments, piece);
    if (n) TRY(send(c, &(gen_event){.text = piece, .call = call, .call_index = c->n_calls}, in, f));
    buf_drop_front(&c->held, n);
    if (!closed) return E_OK;
    call->arguments = arena_str(c->a, buf_str(&c->arguments));
    if (!call->arguments.p) return fail_memory(f, "a call");
    c->n_calls++;
    c->state = GEN_CALLS_AFTER;
    return E_OK;
}

static void take_after(gen_calls *c) {
    str text = buf_str(&c->held), after = str_from(c->plan->format->after),
        between = c->plan->grammar.between;
    if (c->n_calls == GEN_CALLS_MAX || !between.n || text.n < after.n + between.n) return;
    if (!str_starts(str_slice(text, after.n, text.n), between)) return;
    buf_drop_front(&c->held, after.n + between.n);
    c->state = GEN_CALLS_BEFORE;
}

err gen_calls_put(gen_calls *c, const gen_event *event, fail *f) {
    gen_event in = *event;
    gen_calls_state was;
    if (c->stopped) return E_OK;
    buf_put(&c->held, in.text);
    do {
        was = c->state;
        TRY(buf_ok(&c->held, f));
        switch (c->state) {
        case GEN_CALLS_TEXT: TRY(take_text(c, &in, f)); break;
        case GEN_CALLS_BEFORE: TRY(take_before(c, &in, f)); break;
        case GEN_CALLS_ARGUMENTS: TRY(take_arguments(c, &in, f)); break;
        case GEN_CALLS_AFTER: take_after(c); break;
        }
    } while (c->state != was && !c->stopped);
    return in.n_tokens ? send(c, &(gen_event){.text = STR("")}, &in, f) : E_OK;
}

err gen_calls_end(gen_calls *c, fail *f) {
    gen_event none = {.text = STR("")};
    if (c->state == GEN_CALLS_TEXT && !c->stopped) TRY(send_text(c, c->held.n, &none, f));
    TRY(buf_ok(&c->text, f));
    return buf_ok(&c->arguments, f);
}
