/* api_field.h - one table a body: what happens to each of its fields. What would change the result
 * and is not done is refused by name, and so is a field that nobody has heard of. Pure, any thread.
 */
#ifndef BANTAM_API_API_FIELD_H
#define BANTAM_API_API_FIELD_H

#include "api/api_int.h"

typedef enum api_field_rule {
    API_FIELD_READ,    /* read elsewhere */
    API_FIELD_IGNORED, /* cannot change the result */
    API_FIELD_EMPTY,   /* refused unless null, false, empty or 0 */
    API_FIELD_WORD     /* refused unless null or this word, number, true or false */
} api_field_rule;

typedef struct api_field {
    const char *name;
    api_field_rule rule;
    const char *word;
} api_field;

/* Every member of the object v against its row; where stands before the name in errors: "",
 * "options.". */
err api_check_fields(api_call *c, const json *v, const char *where, const api_field *rows, size_t n,
                     fail *f) MUST_CHECK;
/* The same where all that is known is read; names ends with NULL. */
err api_check_names(api_call *c, const char *const *names, fail *f) MUST_CHECK;
/* A member of the body that is an object with a table of its own; *out NULL where it is absent. */
err api_get_object(api_call *c, const char *key, const api_field *rows, size_t n, const json **out,
                   fail *f) MUST_CHECK;
/* null, false, 0, "", [] or {}; NULL, too. */
bool api_is_empty(const json *v);
/* The name of a place in the body, for api_refuse; "" when there is no memory for it. */
const char *api_place(api_call *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A string member; "" when it is absent or something else. */
str api_text_of(const json *v, const char *key);
/* An array of token ids, perhaps of none, into the request's arena; param names it in errors. */
err api_read_ids(api_call *c, const json *v, const char *param, gen_ids *out, fail *f) MUST_CHECK;
/* The chat template's words for whether the model may think: API_THINK_VARIABLES members. */
enum { API_THINK_VARIABLES = 2 };
void api_think_variables(json_member *m, bool on);
/* A value as JSON text in the request's arena. */
err api_json_text(api_call *c, const json *v, str *out, fail *f) MUST_CHECK;
/* JSON text as a value on one line, {} where it is empty; what is no JSON as a string. */
void api_put_json_text(api_call *c, json_writer *w, str text);

#endif
