/* grammar_lexer.h - regular languages over bytes as deterministic automata, and how to build them.
 *
 * A lexer is immutable once built. A counted one is a small automaton of quoted strings and two
 * bounds on their characters; its states are numbered count * states + state, so that a string of
 * up to a million characters costs no more than any string. Expressions (lexer_expr) are small
 * trees in an arena; characters beyond ASCII are sequences of UTF-8 bytes, so an automaton never
 * sees half of one as a whole. Limits are named; what is above them is E_TOO_LARGE, never an
 * endless build. */
#ifndef BANTAM_GRAMMAR_LEXER_H
#define BANTAM_GRAMMAR_LEXER_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

enum {
    LEXER_STATES_MAX = 32768,  /* of an automaton */
    LEXER_NFA_MAX = 262144,    /* of what it is built from */
    LEXER_REPEAT_MAX = 8192,   /* {m,n} */
    LEXER_WORK_MAX = 40000000, /* steps of building one: a fraction of a second */
    LEXER_COUNT_MAX = 1 << 24, /* of a counted lexer */
    LEXER_DEAD = 0             /* the state from which nothing is accepted */
};

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

/* ---- expressions ---- */

typedef enum lexer_op { LEXER_BYTES, LEXER_CAT, LEXER_ALT, LEXER_REPEAT } lexer_op;
typedef struct lexer_expr lexer_expr;
struct lexer_expr {
    lexer_op op;
    byte_set bytes;          /* BYTES: one of them */
    const lexer_expr *a, *b; /* CAT, ALT: both; REPEAT: a. CAT with NULL is the empty text */
    int32_t least, most;     /* REPEAT; most -1: no end */
};

/* All return NULL when memory is out, or when a part is NULL (so calls may be nested). */
const lexer_expr *lexer_empty(arena *a);
const lexer_expr *lexer_bytes(arena *a, byte_set set);
const lexer_expr *lexer_text(arena *a, str text);
const lexer_expr *lexer_cat(arena *a, const lexer_expr *x, const lexer_expr *y);
const lexer_expr *lexer_alt(arena *a, const lexer_expr *x, const lexer_expr *y);
const lexer_expr *lexer_repeat(arena *a, const lexer_expr *x, int32_t least, int32_t most);
/* One character of [from, to] (code points, surrogates left out) as UTF-8. */
const lexer_expr *lexer_chars(arena *a, uint32_t from, uint32_t to);

/* ---- automata ---- */

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

/* The automaton lives in the arena `to`; scratch is freed. States that lead nowhere are dead. */
err lexer_build(const lexer **out, arena *to, const lexer_expr *e, fail *f) MUST_CHECK;
/* x and not y; x and y; x or y */
err lexer_subtract(const lexer **out, arena *to, const lexer *x, const lexer *y,
                   fail *f) MUST_CHECK;
err lexer_intersect(const lexer **out, arena *to, const lexer *x, const lexer *y,
                    fail *f) MUST_CHECK;
err lexer_unite(const lexer **out, arena *to, const lexer *x, const lexer *y, fail *f) MUST_CHECK;
/* JSON numbers without exponent that are whole multiples of m / 10^places, m from 1 on. */
err lexer_multiples(const lexer **out, arena *to, int32_t m, int32_t places, fail *f) MUST_CHECK;
/* base, a lexer of quoted strings, with at least and at most that many characters (a byte that is
 * read between two characters and does not end the string begins one); most -1: no end. Nothing, if
 * most is less than least. base outlives it. */
err lexer_count(const lexer **out, arena *to, const lexer *base, int32_t least, int32_t most,
                fail *f) MUST_CHECK;
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
