/* yaml.h - YAML as people write settings: one document of maps, lists and scalars, in an arena.
 *
 * libyaml reads the syntax (YAML 1.1); on top of it this is refused, with line and column:
 * duplicate keys, anchors, aliases, tags, keys that are no scalar, several documents, an empty
 * text, more than YAML_DEPTH_MAX levels. Scalars stay text; what they mean is asked for by key, so
 * `no`, `007` and `1.10` are never changed behind anybody's back. A tree is immutable and may be
 * shared by threads. Not here: changing a file and keeping its comments. */
#ifndef BANTAM_TEXT_YAML_H
#define BANTAM_TEXT_YAML_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum { YAML_DEPTH_MAX = 32, YAML_BYTES_MAX = 64 << 20 };

typedef enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP } yaml_kind;

typedef struct yaml yaml;
typedef struct yaml_member yaml_member;
struct yaml {
    yaml_kind kind;
    bool quoted;                /* scalar in quotes or as a block: always a text */
    int line, column;           /* from 1; of a key's value, where the value begins */
    const char *name;           /* of the file, for errors */
    str text;                   /* scalar */
    size_t count;               /* items or members */
    const yaml *items;          /* list: [count] */
    const yaml_member *members; /* map: [count], in order of writing */
};
struct yaml_member {
    str key;
    int line, column;
    yaml value;
};

/* name: the file's, for errors; may be NULL; must live as long as the tree. */
err yaml_parse(arena *a, const char *name, str text, const yaml **out, fail *f) MUST_CHECK;

const yaml *yaml_get(const yaml *map, const char *key); /* NULL when absent or not a map */
const yaml *yaml_at(const yaml *list, size_t index);    /* NULL when absent or not a list */
bool yaml_is_null(const yaml *v); /* NULL, or an unquoted nothing, ~ or null */
const char *yaml_kind_name(const yaml *v);

/* E_INPUT, "FILE line L, column C: " and the text. Returns E_INPUT. */
err yaml_fail(const yaml *at, fail *f, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Typed reads by key: the fallback when absent or null, E_INPUT naming place and key otherwise.
 * Numbers and booleans must be unquoted; booleans are `true` or `false`. */
err yaml_get_str(const yaml *map, const char *key, str fallback, str *out, fail *f) MUST_CHECK;
err yaml_get_int(const yaml *map, const char *key, int64_t fallback, int64_t min, int64_t max,
                 int64_t *out, fail *f) MUST_CHECK;
err yaml_get_double(const yaml *map, const char *key, double fallback, double min, double max,
                    double *out, fail *f) MUST_CHECK;
err yaml_get_bool(const yaml *map, const char *key, bool fallback, bool *out, fail *f) MUST_CHECK;
/* *out is NULL when absent or null. */
err yaml_get_list(const yaml *map, const char *key, const yaml **out, fail *f) MUST_CHECK;
err yaml_get_map(const yaml *map, const char *key, const yaml **out, fail *f) MUST_CHECK;
/* The value itself must be a scalar (what: its name in the error, "an example"). */
err yaml_text(const yaml *v, const char *what, str *out, fail *f) MUST_CHECK;
/* A required key. */
err yaml_need(const yaml *map, const char *key, const yaml **out, fail *f) MUST_CHECK;
/* v is a map and has no key but these; names the nearest one in the hint. */
err yaml_only(const yaml *v, const char *const *allowed, size_t n, fail *f) MUST_CHECK;

/* ---- writing ---- */

/* A scalar behind "key: " or "- ", in block context, that reads back as exactly this text (U+FFFD
 * for what is not UTF-8): plain where no reader could take it for something else, a literal block
 * with its lines indented by `indent` for several lines, else double-quoted. The caller puts a line
 * end behind. */
void yaml_put(buf *b, str text, int indent);

#endif
