/* grammar_schema.h - JSON Schema (drafts 7 and 2020-12) to rules. What is held and what refused:
 *
 *   held: type, enum, const, properties, required, additionalProperties, patternProperties,
 *     propertyNames, minProperties, maxProperties, items, prefixItems, additionalItems, minItems,
 *     maxItems, contains with minContains and maxContains, uniqueItems where the items' values are
 *     few, minLength, maxLength, pattern, minimum, maximum, exclusiveMinimum, exclusiveMaximum,
 *     multipleOf (digits without the point up to 4096), anyOf, allOf, oneOf, not, if, then, else,
 *     dependentRequired, dependentSchemas, dependencies, unevaluatedProperties, unevaluatedItems
 *     (but beside contains), $ref and $dynamicRef within the document, boolean schemas
 *   refused by name: references to other documents, $recursiveRef, a $dynamicRef that several
 *     anchors answer to, the opposite (in not, if, oneOf) of uniqueItems and unevaluated..., an
 * enum's arrays and objects beside words that bound them, uniqueItems of items with many values
 *   ignored, as the specification says: format and other annotations, unknown words
 *
 * Members are written in the order of the schema's properties, further ones behind; a key that the
 * schema names is never written twice. Numbers with bounds are written without exponent.
 *
 *     schema -> ways (sets of schemas without choices) -> rules
 *     grammar_word: what a word says   grammar_ref: where references lead
 *     grammar_negate: opposites   grammar_derive: alternatives   grammar_ways: the sets
 *     grammar_compile.h: the rules of a set, by kinds of values */
#ifndef BANTAM_GRAMMAR_SCHEMA_H
#define BANTAM_GRAMMAR_SCHEMA_H

#include "base/map.h"
#include "grammar/grammar_int.h"

enum {
    SCHEMA_JOINED_MAX = 64, /* schemas that hold for one value at once */
    SCHEMA_WAYS_MAX = 512,  /* combinations of alternatives of one value */
    SCHEMA_DEPTH_MAX = 128, /* of references and alternatives without a value between */
    SCHEMA_OWNERS_MAX = 8,  /* unevaluated... of one value */
    SCHEMA_SEVERAL_MAX = 6, /* alternatives of an anyOf within unevaluated... */
    SCHEMA_ONE_OF_MAX = 64,
    SCHEMA_COMPARED_MAX = 8000, /* pairs of schemas looked at for one oneOf */
    SCHEMA_MEMBERS_MAX = 1024,
    SCHEMA_ITEMS_MAX = 4096,
    SCHEMA_CONTAINS_MAX = 3, /* contains of one array */
    SCHEMA_UNIQUE_MAX = 10,  /* values of an array's items that must differ */
    SCHEMA_PATTERNS_MAX = 4, /* patternProperties of one object */
    SCHEMA_SOME_MAX = 3,     /* SCHEMA_SOME of one object */
    SCHEMA_MULTIPLE_MAX = 4096
};

/* Words of our own; their first byte is no UTF-8. */
#define SCHEMA_DERIVED "\xff derived"   /* made by us, not by the schema's author */
#define SCHEMA_FRACTION "\xff fraction" /* numbers that are not whole */
#define SCHEMA_NONE_OF "\xff none of"   /* not these numbers, or strings */
#define SCHEMA_NOT_MULTIPLE "\xff not a multiple of"
#define SCHEMA_NOT_PATTERN "\xff not the pattern"
#define SCHEMA_FROM "\xff from" /* contains: counted from this item on */
/* An object with a member that breaks what the value says: {"propertyNames"}, {"pattern", "value"}
 * of patternProperties, or {"properties", "patternProperties", "additionalProperties"}. */
#define SCHEMA_SOME "\xff some member breaks"

/* Schemas that all hold for one value, $ref, allOf and alternatives resolved. Those that an owner
 * (a schema with unevaluated...) includes have its bit. */
typedef struct schema_set {
    const json *s[SCHEMA_JOINED_MAX];
    uint8_t under[SCHEMA_JOINED_MAX];
    const json *owner[SCHEMA_OWNERS_MAX];
    int n, owners;
} schema_set;

/* ---- a document; grammar_ref.c ---- */

typedef struct schema_doc {
    const json *root;
    arena *a;
    bool draft7;
    map bases;                  /* an object's members -> str: the URI it stands under */
    struct named_schema *names; /* what references may lead to */
    map *made;                  /* derived schemas, each once */
} schema_doc;

/* root, a, draft7 and made are set by the caller. */
err schema_doc_init(schema_doc *d, fail *f) MUST_CHECK;
void schema_doc_deinit(schema_doc *d);
/* Where schema's $ref or $dynamicRef leads. */
err schema_follow(const schema_doc *d, const json *schema, const char *word, const json **out,
                  fail *f) MUST_CHECK;

/* ---- single words; grammar_word.c ---- */

/* Bits of json kinds that the set's type, enum and const leave; `whole`: numbers without fraction
 * only. */
enum { SCHEMA_ALL_KINDS = 63 };
err schema_kinds(const schema_set *s, int *kinds, bool *whole, fail *f) MUST_CHECK;
err schema_kinds_of(const json *type, int *kinds, bool *whole, fail *f) MUST_CHECK;
/* The first word of s that bounds values of this kind, beside type, enum and const; NULL: none. */
const char *schema_bound_beside(const json *s, json_kind kind);
/* The values that type, enum and const leave; *n = -1 where there is no enum or const. */
err schema_values(const schema_doc *d, const schema_set *s, const json ***out, int *n,
                  fail *f) MUST_CHECK;
bool schema_equal(const json *x, const json *y);
/* E_UNSUPPORTED, naming the word. */
err schema_refuse(const char *word, const json *schema, fail *f);

/* ---- derived schemas; grammar_negate.c, grammar_derive.c; made with grammar_made.h ---- */

bool schema_says_nothing(const json *s); /* true, or {} */
/* The schema of all values that s does not allow. */
err schema_negate(const schema_doc *d, const json *s, const json **out, fail *f) MUST_CHECK;
/* Lists of alternatives: what "if" of s says; what holds if a member is there; exactly one of
 * `list`, where bit k of apart[i] says that i and k are known never to hold at once. */
err schema_if(const schema_doc *d, const json *s, const json **out, fail *f) MUST_CHECK;
err schema_dependent(const schema_doc *d, str name, const json *v, const json **out,
                     fail *f) MUST_CHECK;
err schema_exactly_one(const schema_doc *d, const json *list, const uint64_t *apart,
                       const json **out, fail *f) MUST_CHECK;

/* ---- the ways of a set; grammar_ways.c ---- */

typedef struct schema_ways {
    schema_set *way[SCHEMA_WAYS_MAX];
    int n;
} schema_ways;

/* All ways in which the schemas of `in` can hold: alternatives multiplied out. */
err schema_find_ways(const schema_doc *d, const schema_set *in, schema_ways *out,
                     fail *f) MUST_CHECK;
err schema_set_add(schema_set *s, const json *schema, fail *f) MUST_CHECK;

/* ---- grammar_schema.c ---- */

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

#endif
