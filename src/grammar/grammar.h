/* grammar.h - output that cannot be wrong: a JSON schema, a regular expression or a list of choices
 * becomes an automaton over bytes, and that a mask over the tokens of a vocabulary.
 *
 *     grammar          what may be written; immutable, shared by threads
 *     grammar_vocabulary   a tokenizer's pieces as a trie, with the masks found so far; shared
 *     grammar_walk     one sequence on its way; one thread at a time
 *
 * A grammar is a set of rules, each a small automaton whose edges are a byte, a lexer (a regular
 * language: a JSON string, a number, white space) or another rule, so values nest without end. A
 * walk is a set of (state, stack) pairs: several ways of reading what was written may be open. What
 * a schema says and we cannot bound is refused by the keyword's name, never ignored (see
 * grammar_schema.h); annotations are ignored, as the specification says. */
#ifndef BANTAM_GRAMMAR_GRAMMAR_H
#define BANTAM_GRAMMAR_GRAMMAR_H

#include "text/json.h"

typedef struct grammar grammar;

enum {
    GRAMMAR_RULES_MAX = 65536,
    GRAMMAR_STATES_MAX = 1 << 20,
    GRAMMAR_OPEN_MAX = 512,    /* ways of reading that a walk keeps open */
    GRAMMAR_STACKS_MAX = 65536 /* different stacks of one walk: bounds nesting */
};

/* White space between JSON's tokens. */
typedef enum grammar_space {
    GRAMMAR_SPACE_SOME, /* up to 20 blanks, tabs or newlines, as models like to write */
    GRAMMAR_SPACE_NONE
} grammar_space;

/* E_UNSUPPORTED names the keyword and where it stands; E_INPUT a malformed schema, or one that
 * nothing satisfies; E_TOO_LARGE what is above a limit. Drafts 7 and 2020-12. */
err grammar_open_schema(grammar **out, const json *schema, grammar_space space, fail *f) MUST_CHECK;
/* Any JSON value of this kind at the top: an object (json_object), or anything. */
err grammar_open_json(grammar **out, bool object, grammar_space space, fail *f) MUST_CHECK;
/* The whole text matches: ECMA-262's syntax without look-around, back references and flags. */
err grammar_open_regex(grammar **out, str pattern, fail *f) MUST_CHECK;
err grammar_open_choices(grammar **out, const str *choices, size_t n, fail *f) MUST_CHECK;

/* Calls of tools inside of a text:
 *
 *     [free text] trigger lead item (between item)* close      or, unless required: free text
 *     item = before arguments after
 *
 * Free text is anything without the trigger in it. Arguments are JSON objects of their schema; an
 * object that names its properties and does not speak of others has no others here, which every
 * such schema allows. The trigger, or before, is not empty; texts are borrowed during the call. */
typedef struct grammar_call {
    str name; /* for errors */
    str before;
    const json *arguments; /* schema; NULL = the empty object only */
    str after;
} grammar_call;

typedef struct grammar_calls {
    str trigger, lead;
    const grammar_call *items; /* [n], n >= 1; no `before` is the beginning of another */
    size_t n;
    str between, close;
    int32_t most;       /* calls, 1 to GRAMMAR_CALLS_MAX */
    bool required;      /* begins with the trigger: no free text */
    bool anchored;      /* the trigger counts at the beginning of the text only */
    const json *answer; /* in place of free text: JSON of this schema; NULL = free */
} grammar_calls;
enum { GRAMMAR_CALLS_MAX = 64 };
/* As grammar_open_schema; the error begins with the tool's name. */
err grammar_open_calls(grammar **out, const grammar_calls *calls, fail *f) MUST_CHECK;
void grammar_close(grammar *g); /* NULL is fine */

/* Whether the whole text is one that the grammar writes (tests, checks of a foreign answer). */
err grammar_matches(const grammar *g, str text, bool *out, fail *f) MUST_CHECK;

/* ---- tokens ---- */

/* One token: its bytes (none: never allowed, as control tokens), and whether generation may end
 * with it. */
typedef struct grammar_token {
    str bytes;
    bool ends;
} grammar_token;

typedef struct grammar_vocabulary grammar_vocabulary;
/* tokens [n] are read during the call only. */
err grammar_vocabulary_open(grammar_vocabulary **out, const grammar_token *tokens, int32_t n,
                            fail *f) MUST_CHECK;
void grammar_vocabulary_close(grammar_vocabulary *v); /* NULL is fine; no walk is open */
int32_t grammar_vocabulary_count(const grammar_vocabulary *v);

typedef struct grammar_walk grammar_walk;
/* At the beginning of a text; g and v outlive it. */
err grammar_walk_open(grammar_walk **out, const grammar *g, grammar_vocabulary *v,
                      fail *f) MUST_CHECK;
void grammar_walk_close(grammar_walk *w);
/* Sets the bits of the tokens that may come next in bits [(n + 63) / 64], zero before; end tokens
 * where the text may end. At least one bit is set. */
err grammar_walk_allowed(grammar_walk *w, uint64_t *bits, fail *f) MUST_CHECK;
/* E_INPUT when the token is not allowed; the walk stays where it was. */
err grammar_walk_accept(grammar_walk *w, int32_t id, fail *f) MUST_CHECK;
/* The bytes that must come next whatever is chosen, at most max; the walk does not move. */
size_t grammar_walk_forced(grammar_walk *w, char *out, size_t max);
bool grammar_walk_may_end(const grammar_walk *w);
/* Nothing but the end may come. */
bool grammar_walk_must_end(const grammar_walk *w);

#endif
