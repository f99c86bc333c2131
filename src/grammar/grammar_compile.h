/* grammar_compile.h - from the ways of a set of schemas to rules; what its files share.
 *
 * A rule stands for each set of schemas that hold for one value together, made once: a schema that
 * refers to itself becomes a rule that calls itself. Rules are filled from a list of those still to
 * be done, so nothing recurses. */
#ifndef BANTAM_GRAMMAR_COMPILE_H
#define BANTAM_GRAMMAR_COMPILE_H

#include "grammar/grammar_schema.h"

typedef struct pending {
    schema_set set;
    int32_t rule;
} pending;

typedef struct compiler {
    grammar *g;
    arena a;
    schema_doc doc;
    map rules, made; /* the set's pointers -> rule; see schema_doc */
    pending **todo;  /* [room] */
    int32_t n_todo, room;
    bool spaces, closed;
    int32_t space, number, integer; /* lexers; -1: not made yet */
    const lexer *any_way, *one_way; /* any string; NULL: not made yet */
} compiler;

/* ---- grammar_set.c ---- */

err compile_space(compiler *c, int32_t *at, fail *f) MUST_CHECK;
err compile_text(compiler *c, int32_t *at, const char *z, fail *f) MUST_CHECK;
/* The rule of a set that is not resolved yet; filled later. */
err compile_set(compiler *c, const schema_set *set, int32_t *out, fail *f) MUST_CHECK;
/* The smallest of the counts of this word, or the largest; -1: none. */
err compile_count_word(const schema_set *s, const char *word, bool largest, int64_t *out,
                       fail *f) MUST_CHECK;

/* ---- grammar_scalar.c; sets are resolved ---- */

err compile_number(compiler *c, const grammar_rule *r, const schema_set *s, bool whole,
                   fail *f) MUST_CHECK;
err compile_string(compiler *c, const grammar_rule *r, const schema_set *s, fail *f) MUST_CHECK;
/* Any string; one_way: each character in one way (see grammar_json.h). */
err compile_any_string(compiler *c, bool one_way, const lexer **out, fail *f) MUST_CHECK;
/* The strings of a set that is not resolved yet, each character in one way. */
err compile_keys(compiler *c, const schema_set *set, const lexer **out, fail *f) MUST_CHECK;
/* Those of the values that the set's bounds leave. */
err compile_fitting(compiler *c, const schema_set *s, const json **values, int *n,
                    fail *f) MUST_CHECK;
err compile_values(compiler *c, const grammar_rule *r, const json *const *values, int n,
                   fail *f) MUST_CHECK;
/* From *at, one value. */
err compile_value(compiler *c, int32_t *at, const json *v, fail *f) MUST_CHECK;

/* ---- grammar_array.c, grammar_object.c ---- */

err compile_array(compiler *c, const grammar_rule *r, const schema_set *s, fail *f) MUST_CHECK;
err compile_object(compiler *c, const grammar_rule *r, const schema_set *s, fail *f) MUST_CHECK;

#endif
