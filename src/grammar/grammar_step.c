/* grammar_step.c - the set of open ways of reading, byte by byte; see grammar_int.h. */
#include "base/mem.h"
#include "grammar/grammar_int.h"

#include <string.h>

enum { BUCKETS = 1024 };

err walker_init(walker *w, const grammar *g, fail *f) {
    *w = (walker){.g = g, .buckets = BUCKETS, .room_stacks = 64};
    w->stacks = mem_alloc((size_t)w->room_stacks * sizeof *w->stacks);
    w->heads = mem_alloc((size_t)w->buckets * sizeof *w->heads);
    if (!w->stacks || !w->heads) {
        walker_deinit(w);
        return fail_memory(f, "a walk through a grammar");
    }
    memset(w->heads, -1, (size_t)w->buckets * sizeof *w->heads);
    w->stacks[0] = (walk_stack){.state = -1, .below = -1, .hash_next = -1};
    w->n_stacks = 1;
    return E_OK;
}

void walker_deinit(walker *w) {
    mem_free(w->stacks);
    mem_free(w->heads);
    *w = (walker){0};
}

static err push(walker *w, int32_t state, int32_t below, int32_t *out, fail *f) {
    uint32_t h = ((uint32_t)state * 2654435761u ^ (uint32_t)below * 2246822519u) >> 22;
    int32_t *head = &w->heads[h % (uint32_t)w->buckets];
    for (int32_t i = *head; i >= 0; i = w->stacks[i].hash_next)
        if (w->stacks[i].state == state && w->stacks[i].below == below) {
            *out = i;
            return E_OK;
        }
    if (w->n_stacks == GRAMMAR_STACKS_MAX)
        return fail_set(f, E_TOO_LARGE, "the text nests deeper than the grammar's limit");
    if (w->n_stacks == w->room_stacks) {
        walk_stack *more = mem_alloc(2 * (size_t)w->room_stacks * sizeof *more);
        if (!more) return fail_memory(f, "a walk through a grammar");
        memcpy(more, w->stacks, (size_t)w->n_stacks * sizeof *more);
        mem_free(w->stacks);
        w->stacks = more;
        w->room_stacks *= 2;
    }
    w->stacks[w->n_stacks] = (walk_stack){.state = state, .below = below, .hash_next = *head};
    *out = *head = w->n_stacks++;
    return E_OK;
}

static err add(walk_set *s, walk_open o, fail *f) {
    for (int32_t i = 0; i < s->n; i++) {
        const walk_open *k = &s->open[i];
        if (k->state == o.state && k->lexer == o.lexer && k->at == o.at && k->stack == o.stack)
            return E_OK;
    }
    if (s->n == GRAMMAR_OPEN_MAX)
        return fail_set(f, E_TOO_LARGE, "more than %d ways to read the text are open",
                        GRAMMAR_OPEN_MAX);
    s->open[s->n++] = o;
    return E_OK;
}

/* All that takes no byte: free edges, entering and leaving rules and lexers. */
static err close_set(walker *w, walk_set *s, fail *f) {
    const grammar *g = w->g;
    for (int32_t i = 0; i < s->n; i++) {
        walk_open o = s->open[i];
        if (o.lexer >= 0) {
            if (lexer_accepts(g->lexers[o.lexer], o.at))
                TRY(add(s, (walk_open){o.state, -1, 0, o.stack}, f));
            continue;
        }
        if (o.state == g->rules[g->top].last && o.stack == 0) s->ends = true;
        bool is_last = g->states[o.state].edge < 0;
        if (is_last && o.stack > 0)
            TRY(add(s, (walk_open){w->stacks[o.stack].state, -1, 0, w->stacks[o.stack].below}, f));
        for (int32_t k = g->states[o.state].edge; k >= 0; k = g->edges[k].next) {
            const grammar_edge *e = &g->edges[k];
            walk_open to = {e->to, -1, 0, o.stack};
            if (e->kind == EDGE_BYTE) continue;
            if (e->kind == EDGE_LEXER) {
                to.lexer = e->what;
                to.at = g->lexers[e->what]->start;
            } else if (e->kind == EDGE_RULE) {
                TRY(push(w, e->to, o.stack, &to.stack, f));
                to.state = g->rules[e->what].first;
            }
            TRY(add(s, to, f));
        }
    }
    return E_OK;
}

err walker_start(walker *w, walk_set *out, fail *f) {
    out->n = 0;
    out->ends = false;
    TRY(add(out, (walk_open){w->g->rules[w->g->top].first, -1, 0, 0}, f));
    return close_set(w, out, f);
}

err walker_step(walker *w, const walk_set *from, uint8_t byte, walk_set *out, fail *f) {
    const grammar *g = w->g;
    out->n = 0;
    out->ends = false;
    for (int32_t i = 0; i < from->n; i++) {
        walk_open o = from->open[i];
        if (o.lexer >= 0) {
            o.at = lexer_step(g->lexers[o.lexer], o.at, byte);
            if (o.at != LEXER_DEAD) TRY(add(out, o, f));
            continue;
        }
        for (int32_t k = g->states[o.state].edge; k >= 0; k = g->edges[k].next)
            if (g->edges[k].kind == EDGE_BYTE && g->edges[k].byte == byte)
                TRY(add(out, (walk_open){g->edges[k].to, -1, 0, o.stack}, f));
    }
    return close_set(w, out, f);
}

err walker_leave(walker *w, const walk_open *o, walk_set *out, fail *f) {
    out->n = 0;
    out->ends = false;
    TRY(add(out, (walk_open){o->state, -1, 0, o->stack}, f));
    return close_set(w, out, f);
}

byte_set walker_next_bytes(const walker *w, const walk_set *s) {
    const grammar *g = w->g;
    byte_set out = {0};
    for (int32_t i = 0; i < s->n; i++) {
        const walk_open *o = &s->open[i];
        if (o->lexer >= 0) {
            out = byte_set_or(out, lexer_next_bytes(g->lexers[o->lexer], o->at));
            continue;
        }
        for (int32_t k = g->states[o->state].edge; k >= 0; k = g->edges[k].next)
            if (g->edges[k].kind == EDGE_BYTE) byte_set_add(&out, g->edges[k].byte);
    }
    return out;
}

err grammar_matches(const grammar *g, str text, bool *out, fail *f) {
    walker w;
    walk_set *sets = mem_alloc(2 * sizeof *sets);
    if (!sets) return fail_memory(f, "a walk through a grammar");
    err e = walker_init(&w, g, f);
    if (e == E_OK) e = walker_start(&w, &sets[0], f);
    for (size_t i = 0; e == E_OK && i < text.n; i++)
        e = walker_step(&w, &sets[i % 2], (uint8_t)text.p[i], &sets[(i + 1) % 2], f);
    if (e == E_OK) *out = sets[text.n % 2].ends;
    walker_deinit(&w);
    mem_free(sets);
    return e;
}
