/* serve_option.h - the settings of `bantam serve`: one table, from which its options, the keys of
 * its file, its environment variables, `bantam config` and the table in docs/config.md are made.
 *
 * A new setting is one row. Its name is the option (--NAME), the key (NAME:) and, in capitals
 * behind BANTAM_SERVE_, the variable. (Not BANTAM_ alone: Kubernetes sets BANTAM_PORT for a service
 * that is called bantam.) Main thread. */
#ifndef BANTAM_APP_SERVE_OPTION_H
#define BANTAM_APP_SERVE_OPTION_H

#include "app/cli.h"

typedef enum serve_kind {
    SERVE_FLAG,   /* true or false; as an option without a value */
    SERVE_SWITCH, /* on or off */
    SERVE_WORD,   /* one of `value`, which lists them: "f32|f16" */
    SERVE_NUMBER, /* whole, from min to max */
    SERVE_BYTES,  /* "6GiB", from min on */
    SERVE_TIME,   /* "5m", "1h", "never" */
    SERVE_TEXT,
    SERVE_UNIX,   /* "unix:/PATH" */
    SERVE_ORIGIN, /* "https://NAME:PORT" */
    SERVE_PAIR    /* "NAME=VALUE"; in the file a map as well */
} serve_kind;

enum { SERVE_ENV_BYTES = 64, SERVE_WANTED_BYTES = 160 };

typedef struct serve_option {
    const char *name;
    const char *value; /* what the value is called in help; NULL for a flag */
    const char *help;
    const char *fallback; /* the value when nobody says one; NULL = none, and `usual` says it */
    const char *usual;    /* in words */
    int64_t min, max;
    serve_kind kind;
    char letter;     /* 0 none */
    bool many;       /* a list */
    bool live;       /* taken at SIGHUP; all others need a restart */
    bool secret;     /* shown as stars; never an option, for others see a command line */
    bool no_file;    /* makes no sense in the file itself */
    const char *env; /* instead of BANTAM_SERVE_NAME */
} serve_option;

const serve_option *serve_option_at(size_t index); /* NULL behind the last */
size_t serve_option_count(void);
const serve_option *serve_option_find(const char *name); /* must be there */
const char *serve_option_env(const serve_option *o, char out[SERVE_ENV_BYTES]);

/* Rows for the verb's table: those that may stand on a command line, and `extra` before them. */
const cli_option *serve_option_rows(size_t *n);
/* Every setting, in the order of serve_option_at: what a merged cli is read by. */
const cli_verb *serve_option_verb(void);

/* Is text a value of this kind? If not, `wanted` says what one is: "a whole number from 1 to 9". */
bool serve_option_takes(const serve_option *o, str text, char wanted[SERVE_WANTED_BYTES]);
bool serve_bytes_of(str text, int64_t *bytes); /* "6GiB" */
bool serve_time_of(str text, int64_t *ms);     /* "5m"; "never" is 0 */

#endif
