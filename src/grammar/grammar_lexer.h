/* grammar_lexer.h - how automata (grammar_automaton.h) are built: of expressions, or of others.
 *
 * Expressions (lexer_expr) are small
 * trees in an arena; characters beyond ASCII are sequences of UTF-8 bytes, so an automaton never
 * sees half of one as a whole. Limits are named; what is above them is E_TOO_LARGE, never an
 * endless build. */
#ifndef BANTAM_GRAMMAR_LEXER_H
#define BANTAM_GRAMMAR_LEXER_H

#include "base/arena.h"
#include "grammar/grammar_automaton.h"

enum {
    LEXER_STATES_MAX = 32768,  /* of an automaton */
    LEXER_NFA_MAX = 262144,    /* of what it is built from */
    LEXER_REPEAT_MAX = 8192,   /* {m,n} */
    LEXER_WORK_MAX = 40000000, /* steps of building one: a fraction of a second */
    LEXER_COUNT_MAX = 1 << 24  /* of a counted lexer */
};

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

#endif
