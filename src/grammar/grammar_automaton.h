/* grammar_automaton.h - regular languages over bytes as deterministic automata: what is built in
 * grammar_lexer.h and walked by all.
 *
 * A lexer is immutable once built. A counted one is a small automaton of quoted strings and two
 * bounds on their characters; its states are numbered count * states + state, so that a string of
 * up to a million characters costs no more than any string. */
#ifndef BANTAM_GRAMMAR_AUTOMATON_H
#define BANTAM_GRAMMAR_AUTOMATON_H

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

typedef struct byte_set {
    uint64_t bits[4];
} byte_set;
byte_set byte_set_range(int from, int to); /* both included */
byte_set byte_set_or(byte_set a, byte_set b);
byte_set byte_set_not(byte_set a);
static inline bool byte_set_has(const byte_set *s, uint8_t b) {
    return s->bits[b >> 6] >> (b & 63) & 1;
}
static inline void byte_set_add(byte_set *s, uint8_t b) {
    s->bits[b >> 6] |= 1ull << (b & 63);
}
bool byte_set_empty(const byte_set *s);

/* ---- automata ---- */

enum { LEXER_DEAD = 0 }; /* the state from which nothing is accepted */

typedef struct lexer {
    int32_t states; /* LEXER_DEAD included; without counts */
    int32_t start;
    int32_t classes; /* bytes that behave alike */
    uint8_t class_of[256];
    const int32_t *next;     /* [states, classes] */
    const bool *accepts;     /* [states] */
    const byte_set *members; /* [classes] */
    const byte_set *follows; /* [states] what may come next; NULL: many states, or counted */
    uint64_t hash;           /* of the language's automaton: equal lexers share their masks */
    int32_t inside;          /* counted: the state between two characters; 0: not counted */
    int32_t least, most;     /* counted: characters; most -1: no end */
    uint64_t base_hash;      /* counted: without the bounds */
} lexer;

int32_t lexer_step_counted(const lexer *l, int32_t state, uint8_t byte);
static inline int32_t lexer_step(const lexer *l, int32_t state, uint8_t byte) {
    return l->inside ? lexer_step_counted(l, state, byte)
                     : l->next[state * l->classes + l->class_of[byte]];
}
static inline bool lexer_accepts(const lexer *l, int32_t state) {
    return l->accepts[l->inside ? state % l->states : state];
}
byte_set lexer_next_bytes(const lexer *l, int32_t state);
bool lexer_is_empty(const lexer *l); /* accepts nothing at all */
bool lexer_matches(const lexer *l, str text);

#endif
