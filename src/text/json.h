/* json.h - JSON (RFC 8259) in an arena: parse once, read, write.
 *
 * Parsing: strict RFC 8259 (no comments, no trailing commas), UTF-8 checked, \u escapes decoded
 * (lone surrogates refused), depth and bytes limited; duplicate keys: the last one wins and the
 * others are dropped; a number beyond the range of double is refused. Errors are E_INPUT with line
 * and column. Values are immutable once parsed and may be read by many threads. All of it
 * lives in the arena; strings may hold zero bytes and are not zero-terminated. */
#ifndef BANTAM_TEXT_JSON_H
#define BANTAM_TEXT_JSON_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

typedef enum json_kind {
    JSON_NULL,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
} json_kind;

typedef struct json json;
typedef struct json_member json_member;
struct json {
    json_kind kind;
    bool boolean;
    bool is_int; /* number written without fraction or exponent that fits int64 */
    bool plain; /* the parser's: a string that is written as it is, nothing in it needs an escape */
    int64_t integer; /* valid when is_int */
    double number;
    str string;                 /* string: decoded UTF-8; number: as written */
    size_t count;               /* items or members */
    const json *items;          /* array: [count] */
    const json_member *members; /* object: [count], in order of writing */
    const char *plain_key; /* the parser's: the key before this value where that is plain; a key put
                              in its place is another pointer, and so is looked at */
};
struct json_member {
    str key;
    json value;
};

enum { JSON_DEPTH_MAX = 128, JSON_BYTES_MAX = 1 << 30 };

err json_parse(arena *a, str text, const json **out, fail *f) MUST_CHECK;

const char *json_kind_name(json_kind k); /* "a string", "null" */
/* NULL when v is NULL, not an object, or has no such key */
const json *json_get(const json *v, const char *key);
const json *json_at(const json *v, size_t index);
/* Typed reads with a default when the key is absent or null; E_INPUT naming the key when it has
 * another kind (or, for ints, a fraction or is outside [min, max]; 3.0 is whole). */
err json_get_str(const json *v, const char *key, str fallback, str *out, fail *f) MUST_CHECK;
err json_get_int(const json *v, const char *key, int64_t fallback, int64_t min, int64_t max,
                 int64_t *out, fail *f) MUST_CHECK;
err json_get_double(const json *v, const char *key, double fallback, double *out,
                    fail *f) MUST_CHECK;
err json_get_bool(const json *v, const char *key, bool fallback, bool *out, fail *f) MUST_CHECK;

/* Writing: straight-line code over a buf; commas are placed by the writer. Invalid UTF-8 is written
 * as U+FFFD. Non-finite numbers are written as null. */
typedef struct json_writer {
    buf *out;
    bool need_comma;
    bool after_key; /* the writer's own */
    bool pretty;    /* two-space indent, for people */
    int depth;
} json_writer;
void json_begin_object(json_writer *w);
void json_end_object(json_writer *w);
void json_begin_array(json_writer *w);
void json_end_array(json_writer *w);
void json_key(json_writer *w, const char *key);
void json_key_str(json_writer *w, str key);
void json_put_str(json_writer *w, str s);       /* .p == NULL writes null */
void json_put_z(json_writer *w, const char *z); /* NULL writes null */
void json_put_int(json_writer *w, int64_t v);
void json_put_double(json_writer *w, double v); /* shortest form that reads back the same */
void json_put_bool(json_writer *w, bool v);
void json_put_null(json_writer *w);
void json_put_raw(json_writer *w, str json_text); /* already JSON */
void json_put_value(json_writer *w, const json *v);

/* One member of an object: key and value. */
void json_field_str(json_writer *w, const char *key, str s);  /* .p == NULL writes null */
void json_field_text(json_writer *w, const char *key, str s); /* an empty one writes null, too */
void json_field_z(json_writer *w, const char *key, const char *z); /* NULL writes null */
void json_field_int(json_writer *w, const char *key, int64_t v);
void json_field_double(json_writer *w, const char *key, double v);
void json_field_bool(json_writer *w, const char *key, bool v);

#endif
