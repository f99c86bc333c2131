/* grammar_made.h - schemas being made of others, as JSON in the document's arena; see
 * grammar_schema.h. A part that is copied shares its members, by which it is known what was made of
 * it before. Compilation, one thread. */
#ifndef BANTAM_GRAMMAR_MADE_H
#define BANTAM_GRAMMAR_MADE_H

#include "grammar/grammar_schema.h"

enum { MADE_MEMBERS = 6 };

/* An object being made. */
typedef struct made {
    json_member m[MADE_MEMBERS];
    size_t n;
} made;

/* A list being made; grows in the arena. */
typedef struct made_list {
    json *items;
    size_t n, room;
} made_list;

extern const json made_yes, made_no; /* true and false */

/* A member more; below MADE_MEMBERS. The value is copied, what it holds is shared. */
void made_put(made *o, const char *key, const json *value);
/* The object, in the arena. */
err made_done(const schema_doc *d, const made *o, json *out, fail *f) MUST_CHECK;
err made_add(const schema_doc *d, made_list *l, const json *item, fail *f) MUST_CHECK;
/* The list as it is now. */
json made_list_json(const made_list *l);
err made_add_object(const schema_doc *d, made_list *l, const made *o, fail *f) MUST_CHECK;
json made_number(double n);
json made_text(const char *z);
/* {word: value} */
err made_single(const schema_doc *d, const char *word, const json *value, json *out,
                fail *f) MUST_CHECK;
/* {"not": s}, or the other of true and false */
err made_opposite(const schema_doc *d, const json *s, json *out, fail *f) MUST_CHECK;
/* {name: schema} as a value of "properties" */
err made_property(const schema_doc *d, str name, const json *schema, json *out, fail *f) MUST_CHECK;
/* Objects in which `name` is there and satisfies schema (NULL: is not there). */
err made_member(const schema_doc *d, str name, const json *schema, bool objects, json *out,
                fail *f) MUST_CHECK;
/* {"allOf": [x, y]} */
err made_both(const schema_doc *d, const json *x, const json *y, json *out, fail *f) MUST_CHECK;

/* What was made of `from` for the word is made once, so that schemas that refer to themselves end.
 * Known by what copies share. */
typedef struct made_key {
    const void *from;
    size_t word;
} made_key;
enum { MADE_OPPOSITE, MADE_IF, MADE_DEPENDENT, MADE_ONE_OF };

const json *made_known(const schema_doc *d, const made_key *k);
err made_keep(const schema_doc *d, const made_key *k, const json *v, const json **out,
              fail *f) MUST_CHECK;

#endif
