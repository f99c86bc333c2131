/* grammar_rules.c - puts rules together and seals them; see grammar_int.h. */
#include "base/mem.h"
#include "grammar/grammar_int.h"

#include <string.h>

err grammar_new(grammar **out, fail *f) {
    grammar *g = mem_zero(sizeof *g);
    if (!g) return fail_memory(f, "a grammar");
    arena_init(&g->arena, 0);
    *out = g;
    return E_OK;
}

void grammar_close(grammar *g) {
    if (!g) return;
    mem_free(g->states);
    mem_free(g->edges);
    mem_free(g->rules);
    mem_free(g->lexers);
    arena_deinit(&g->arena);
    mem_free(g);
}

/* Room for one more of `size` bytes in *list. */
static err make_room(void **list, int32_t n, int32_t *room, size_t size, int32_t most, fail *f) {
    if (n < *room) return E_OK;
    if (n >= most)
        return fail_set(f, E_TOO_LARGE, "the grammar needs more than %d parts of one kind", most);
    int32_t more = *room ? 2 * *room : 64;
    void *at = mem_alloc((size_t)more * size);
    if (!at) return fail_memory(f, "a grammar");
    if (n) memcpy(at, *list, (size_t)n * size);
    mem_free(*list);
    *list = at;
    *room = more;
    return E_OK;
}

err grammar_add_state(grammar *g, int32_t *out, fail *f) {
    void *list = g->states;
    TRY(make_room(&list, g->n_states, &g->room_states, sizeof *g->states, GRAMMAR_STATES_MAX, f));
    g->states = list;
    g->states[g->n_states] = (grammar_state){.edge = -1};
    *out = g->n_states++;
    return E_OK;
}

err grammar_add_edge(grammar *g, int32_t from, grammar_edge e, fail *f) {
    void *list = g->edges;
    TRY(make_room(&list, g->n_edges, &g->room_edges, sizeof *g->edges, 2 * GRAMMAR_STATES_MAX, f));
    g->edges = list;
    e.next = g->states[from].edge;
    g->edges[g->n_edges] = e;
    g->states[from].edge = g->n_edges++;
    return E_OK;
}

err grammar_add_rule(grammar *g, int32_t *out, fail *f) {
    void *list = g->rules;
    grammar_rule r = {0};
    TRY(make_room(&list, g->n_rules, &g->room_rules, sizeof *g->rules, GRAMMAR_RULES_MAX, f));
    g->rules = list;
    TRY(grammar_add_state(g, &r.first, f));
    TRY(grammar_add_state(g, &r.last, f));
    g->rules[g->n_rules] = r;
    *out = g->n_rules++;
    return E_OK;
}

err grammar_add_lexer(grammar *g, const lexer *l, int32_t *out, fail *f) {
    void *list = g->lexers;
    for (int32_t i = 0; i < g->n_lexers; i++)
        if (g->lexers[i] == l) {
            *out = i;
            return E_OK;
        }
    TRY(make_room(&list, g->n_lexers, &g->room_lexers, sizeof *g->lexers, GRAMMAR_RULES_MAX, f));
    g->lexers = list;
    g->lexers[g->n_lexers] = l;
    *out = g->n_lexers++;
    return E_OK;
}

err grammar_free_edge(grammar *g, int32_t from, int32_t to, fail *f) {
    return grammar_add_edge(g, from, (grammar_edge){.kind = EDGE_FREE, .to = to}, f);
}

static err then(grammar *g, int32_t *at, grammar_edge e, fail *f) {
    TRY(grammar_add_state(g, &e.to, f));
    TRY(grammar_add_edge(g, *at, e, f));
    *at = e.to;
    return E_OK;
}

err grammar_then_text(grammar *g, int32_t *at, str text, fail *f) {
    for (size_t i = 0; i < text.n; i++)
        TRY(then(g, at, (grammar_edge){.kind = EDGE_BYTE, .byte = (uint8_t)text.p[i]}, f));
    return E_OK;
}
err grammar_then_lexer(grammar *g, int32_t *at, int32_t lexer, fail *f) {
    return then(g, at, (grammar_edge){.kind = EDGE_LEXER, .what = lexer}, f);
}
err grammar_then_rule(grammar *g, int32_t *at, int32_t rule, fail *f) {
    return then(g, at, (grammar_edge){.kind = EDGE_RULE, .what = rule}, f);
}

/* ---- sealing ---- */

static bool passable(const grammar *g, const grammar_edge *e) {
    return e->kind == EDGE_RULE    ? g->rules[e->what].alive
           : e->kind == EDGE_LEXER ? !lexer_is_empty(g->lexers[e->what])
                                   : true;
}

/* A state is good when the end of its rule can be reached from it; a rule is alive when its first
 * state is good. Rounds until nothing changes; goodness only grows. */
static void find_alive(grammar *g, bool *good) {
    for (int32_t r = 0; r < g->n_rules; r++) good[g->rules[r].last] = true;
    for (bool changed = true; changed;) {
        changed = false;
        for (int32_t s = g->n_states - 1; s >= 0; s--) {
            for (int32_t i = g->states[s].edge; i >= 0 && !good[s]; i = g->edges[i].next)
                if (good[g->edges[i].to] && passable(g, &g->edges[i])) changed = good[s] = true;
        }
        for (int32_t r = 0; r < g->n_rules; r++)
            if (!g->rules[r].alive && good[g->rules[r].first]) changed = g->rules[r].alive = true;
    }
}

static void cut(grammar *g, const bool *good) {
    for (int32_t s = 0; s < g->n_states; s++) {
        int32_t *link = &g->states[s].edge;
        while (*link >= 0) {
            grammar_edge *e = &g->edges[*link];
            if (good[e->to] && passable(g, e))
                link = &e->next;
            else
                *link = e->next;
        }
    }
}

static bool may_be_empty(const lexer *l) {
    return lexer_accepts(l, l->start);
}

/* Rules that can be read as the empty text; like find_alive, over edges that take no byte. */
static void find_empty(const grammar *g, bool *rule_empty, bool *reaches) {
    for (int32_t r = 0; r < g->n_rules; r++) reaches[g->rules[r].last] = true;
    for (bool changed = true; changed;) {
        changed = false;
        for (int32_t s = g->n_states - 1; s >= 0; s--)
            for (int32_t i = g->states[s].edge; i >= 0 && !reaches[s]; i = g->edges[i].next) {
                const grammar_edge *e = &g->edges[i];
                bool takes_none = e->kind == EDGE_FREE ||
                                  (e->kind == EDGE_RULE && rule_empty[e->what]) ||
                                  (e->kind == EDGE_LEXER && may_be_empty(g->lexers[e->what]));
                if (takes_none && reaches[e->to]) changed = reaches[s] = true;
            }
        for (int32_t r = 0; r < g->n_rules; r++)
            if (!rule_empty[r] && reaches[g->rules[r].first]) changed = rule_empty[r] = true;
    }
}

/* Marks what can be entered from state s before any byte; *stack is [n_states]. */
typedef struct entering {
    const grammar *g;
    const bool *rule_empty;
    int32_t *stack;
    int32_t *seen; /* [n_states] round */
} entering;

static bool enters(entering *w, int32_t rule, int32_t round) {
    int32_t n = 0;
    w->stack[n++] = w->g->rules[rule].first;
    w->seen[w->g->rules[rule].first] = round;
    while (n > 0) {
        for (int32_t i = w->g->states[w->stack[--n]].edge; i >= 0;) {
            const grammar_edge *e = &w->g->edges[i];
            int32_t to[2] = {-1, -1};
            i = e->next;
            if (e->kind == EDGE_RULE && e->what == rule) return true;
            if (e->kind == EDGE_RULE) to[0] = w->g->rules[e->what].first;
            bool skips = e->kind == EDGE_FREE || (e->kind == EDGE_RULE && w->rule_empty[e->what]) ||
                         (e->kind == EDGE_LEXER && may_be_empty(w->g->lexers[e->what]));
            if (skips) to[1] = e->to;
            for (int k = 0; k < 2; k++)
                if (to[k] >= 0 && w->seen[to[k]] != round) {
                    w->seen[to[k]] = round;
                    w->stack[n++] = to[k];
                }
        }
    }
    return false;
}

static err check_left(const grammar *g, bool *rule_empty, bool *reaches, int32_t *stack,
                      int32_t *seen, fail *f) {
    find_empty(g, rule_empty, reaches);
    entering w = {g, rule_empty, stack, seen};
    for (int32_t r = 0; r < g->n_rules; r++)
        if (g->rules[r].alive && enters(&w, r, r + 1))
            return fail_set(f, E_INPUT, "the grammar refers to itself without writing anything");
    return E_OK;
}

err grammar_seal(grammar *g, fail *f) {
    size_t n = (size_t)g->n_states + 1;
    bool *good = mem_zero(n), *reaches = mem_zero(n),
         *rule_empty = mem_zero((size_t)g->n_rules + 1);
    int32_t *stack = mem_alloc(2 * n * sizeof *stack), *seen = mem_zero(n * sizeof *seen);
    err e = good && reaches && rule_empty && stack && seen ? E_OK : fail_memory(f, "a grammar");
    if (e == E_OK) {
        find_alive(g, good);
        cut(g, good);
        if (!g->rules[g->top].alive)
            e = fail_set(f, E_INPUT, "nothing satisfies it: there is no text to write");
    }
    if (e == E_OK) e = check_left(g, rule_empty, reaches, stack, seen, f);
    mem_free(good);
    mem_free(reaches);
    mem_free(rule_empty);
    mem_free(stack);
    mem_free(seen);
    return e;
}
