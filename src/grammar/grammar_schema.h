/* grammar_schema.h - JSON Schema (drafts 7 and 2020-12) to rules. What is held and what refused:
 *
 *   held: type, enum, const, properties, required, additionalProperties, patternProperties,
 *     minProperties, maxProperties, items, prefixItems, additionalItems, minItems, maxItems,
 *     minLength, maxLength, pattern, minimum, maximum, exclusiveMinimum, exclusiveMaximum,
 *     multipleOf (whole numbers up to 4096, and powers of ten below one), anyOf, allOf, $ref within
 *     the document, oneOf where its alternatives are shown to exclude each other, boolean schemas
 *   refused by name: not, if, dependent*, dependencies, propertyNames, contains, uniqueItems (where
 *     it could matter), unevaluated*, $dynamicRef, references to other documents, and what is held
 *     only in combinations that are not (an enum beside a minimum)
 *   ignored, as the specification says: format and other annotations, unknown words
 *
 * Members are written in the order of the schema's properties, further ones behind; a key that the
 * schema names is never written twice. Numbers with bounds are written without exponent. */
#ifndef BANTAM_GRAMMAR_SCHEMA_H
#define BANTAM_GRAMMAR_SCHEMA_H

#include "grammar/grammar_int.h"

enum {
    SCHEMA_JOINED_MAX = 48, /* schemas that hold for one value at once */
    SCHEMA_WAYS_MAX = 512,  /* combinations of alternatives of one value */
    SCHEMA_DEPTH_MAX = 128, /* of references and alternatives without a value between */
    SCHEMA_MEMBERS_MAX = 1024,
    SCHEMA_ITEMS_MAX = 4096,
    SCHEMA_PATTERNS_MAX = 4, /* patternProperties of one object */
    SCHEMA_MULTIPLE_MAX = 4096
};

/* Schemas that all hold for one value, $ref, allOf and alternatives resolved. */
typedef struct schema_set {
    const json *s[SCHEMA_JOINED_MAX];
    int n;
} schema_set;

/* ---- the words of a set; schema_ways.c ---- */

typedef struct schema_doc {
    const json *root;
    arena *a;
    bool draft7;
} schema_doc;

typedef struct schema_ways {
    schema_set *way[SCHEMA_WAYS_MAX];
    int n;
} schema_ways;

/* All ways in which the schemas of `in` can hold: alternatives multiplied out. */
err schema_find_ways(const schema_doc *d, const schema_set *in, schema_ways *out,
                     fail *f) MUST_CHECK;
err schema_set_add(schema_set *s, const json *schema, fail *f) MUST_CHECK;
/* Bits of json kinds that the set's type, enum and const leave; `whole`: numbers without fraction
 * only. */
enum { SCHEMA_ALL_KINDS = 63 };
err schema_kinds(const schema_set *s, int *kinds, bool *whole, fail *f) MUST_CHECK;
/* The values that enum and const leave; *n = -1 where there is neither. */
err schema_values(const schema_doc *d, const schema_set *s, const json ***out, int *n,
                  fail *f) MUST_CHECK;
/* A rule for the JSON that satisfies all schemas of `top` ([n], at most SCHEMA_JOINED_MAX), the
 * first of which is the document that $ref means. closed: objects that name their properties, and
 * say nothing of others, have no others. The grammar is not sealed yet. */
typedef struct schema_ask {
    const json *top[2];
    int n;
    grammar_space space;
    bool closed;
} schema_ask;
err schema_add_rule(grammar *g, const schema_ask *ask, int32_t *rule, fail *f) MUST_CHECK;
bool schema_equal(const json *x, const json *y);
err schema_refuse(const char *word, const json *schema, fail *f);

#endif
