/* grammar_draft.h - a deterministic automaton while it is built; inside this room only.
 *
 *     states are added (grammar_lexer.c: of sets of others; grammar_combine.c: of pairs, by hand)
 *       -> what leads nowhere becomes dead -> what cannot be told apart becomes one -> a lexer
 *
 * State LEXER_DEAD comes first. Owner: the thread that builds. */
#ifndef BANTAM_GRAMMAR_DRAFT_H
#define BANTAM_GRAMMAR_DRAFT_H

#include "grammar/grammar_lexer.h"

typedef struct lexer_draft {
    int32_t *next; /* [room, classes] */
    bool *accepts; /* [room] */
    int32_t n, room, classes;
    int64_t work; /* done on it so far, in steps over a state's members or classes */
    uint8_t class_of[256];
} lexer_draft;

/* A state more, all its ways to LEXER_DEAD. E_TOO_LARGE above LEXER_STATES_MAX. */
err lexer_draft_add(lexer_draft *d, bool accepts, int32_t *out, fail *f) MUST_CHECK;
/* A short pattern may stand for an automaton that takes minutes to build: steps are counted. */
err lexer_draft_spend(lexer_draft *d, int64_t steps, fail *f) MUST_CHECK;
/* The smallest automaton of the same language, in the arena `to` (one with more states where
 * finding the smallest would take too long); d is changed. */
err lexer_draft_finish(const lexer **out, arena *to, lexer_draft *d, int32_t start,
                       fail *f) MUST_CHECK;
void lexer_draft_free(lexer_draft *d);

/* h with v stirred in: for hashes of automata. */
uint64_t lexer_mix(uint64_t h, uint64_t v);

#endif
