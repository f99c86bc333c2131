/* grammar_int.h - rules, states and edges, and how compilers put them together.
 *
 * A fragment has one way in and one way out. State 0 of the whole grammar is its end. */
#ifndef BANTAM_GRAMMAR_INT_H
#define BANTAM_GRAMMAR_INT_H

#include "grammar/grammar.h"
#include "grammar/grammar_lexer.h"

typedef enum edge_kind { EDGE_FREE, EDGE_BYTE, EDGE_LEXER, EDGE_RULE } edge_kind;

typedef struct grammar_edge {
    edge_kind kind;
    uint8_t byte;
    int32_t what; /* index of the lexer or rule */
    int32_t to;   /* state */
    int32_t next; /* edge of the same state; -1: last */
} grammar_edge;

typedef struct grammar_state {
    int32_t edge; /* first; -1: none */
} grammar_state;

/* A rule returns to its caller from its last state. */
typedef struct grammar_rule {
    int32_t first, last;
    bool alive; /* some text satisfies it */
} grammar_rule;

struct grammar {
    arena arena;
    grammar_state *states;
    grammar_edge *edges;
    grammar_rule *rules;
    const lexer **lexers;
    int32_t n_states, n_edges, n_rules, n_lexers;
    int32_t room_states, room_edges, room_rules, room_lexers;
    int32_t top; /* the rule of the whole text */
};

err grammar_new(grammar **out, fail *f) MUST_CHECK;
err grammar_add_state(grammar *g, int32_t *out, fail *f) MUST_CHECK;
err grammar_add_edge(grammar *g, int32_t from, grammar_edge e, fail *f) MUST_CHECK;
/* Two new states, its first and last; edges are the caller's. */
err grammar_add_rule(grammar *g, int32_t *out, fail *f) MUST_CHECK;
err grammar_add_lexer(grammar *g, const lexer *l, int32_t *out, fail *f) MUST_CHECK;

/* From `*at`, one step that ends in a new state, which *at becomes. */
err grammar_then_text(grammar *g, int32_t *at, str text, fail *f) MUST_CHECK;
err grammar_then_lexer(grammar *g, int32_t *at, int32_t lexer, fail *f) MUST_CHECK;
err grammar_then_rule(grammar *g, int32_t *at, int32_t rule, fail *f) MUST_CHECK;
err grammar_free_edge(grammar *g, int32_t from, int32_t to, fail *f) MUST_CHECK;

/* Finds which rules are alive and cuts edges into dead ones; E_INPUT when the top is dead, or when
 * a rule could begin with itself. */
err grammar_seal(grammar *g, fail *f) MUST_CHECK;

/* ---- walking; grammar_walk.c ---- */

/* One way of reading: in a state, or inside a lexer that leads to it. */
typedef struct walk_open {
    int32_t state;
    int32_t lexer; /* -1: none */
    int32_t at;    /* the lexer's state */
    int32_t stack; /* index; 0: empty */
} walk_open;

typedef struct walk_set {
    walk_open open[GRAMMAR_OPEN_MAX];
    int32_t n;
    bool ends; /* the text may end here */
} walk_set;

/* Stacks of states to return to, each once: equal stacks have equal numbers. */
typedef struct walk_stack {
    int32_t state, below, hash_next;
} walk_stack;

typedef struct walker {
    const grammar *g;
    walk_stack *stacks;
    int32_t n_stacks, room_stacks;
    int32_t *heads; /* [buckets] */
    int32_t buckets;
} walker;

err walker_init(walker *w, const grammar *g, fail *f) MUST_CHECK;
void walker_deinit(walker *w);
err walker_start(walker *w, walk_set *out, fail *f) MUST_CHECK;
/* What is open after one more byte; n == 0: nothing reads so. out is not from. */
err walker_step(walker *w, const walk_set *from, uint8_t byte, walk_set *out, fail *f) MUST_CHECK;
/* out = what is open once the lexer of `o` has ended here. */
err walker_leave(walker *w, const walk_open *o, walk_set *out, fail *f) MUST_CHECK;
/* Bytes that may come next. */
byte_set walker_next_bytes(const walker *w, const walk_set *s);

#endif
