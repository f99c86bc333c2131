/* serve_config.h - the settings of a server, merged from where they may stand:
 *
 *     command line > environment > file > default
 *
 * The value of the highest that says anything holds, a list as a whole. The file is one YAML map
 * whose keys are the options' names; an unknown key or a wrong value is an error with its place,
 * also where something higher would win. A config is immutable once read; main thread reads and
 * frees. */
#ifndef BANTAM_APP_SERVE_CONFIG_H
#define BANTAM_APP_SERVE_CONFIG_H

#include "app/serve_option.h"
#include "text/yaml.h"

enum { SERVE_FILE_BYTES_MAX = 1 << 20 };

typedef enum serve_source {
    SERVE_FROM_DEFAULT,
    SERVE_FROM_FILE,
    SERVE_FROM_ENV,
    SERVE_FROM_COMMAND
} serve_source;

typedef struct serve_config {
    cli values;                            /* read by cli_value and its like */
    serve_source sources[CLI_OPTIONS_MAX]; /* of serve_option_at(i) */
    int lines[CLI_OPTIONS_MAX];            /* from the file */
    const char *path;                      /* of the file; NULL = none was read */
    arena arena;
} serve_config;

typedef struct serve_config_from {
    const cli *command; /* of a verb with serve's options; NULL = none */
    const char *path;   /* this file instead of what command and environment name */
    bool only_file;     /* neither command nor environment */
} serve_config_from;

/* E_INPUT or E_USAGE name the place and what was wanted; E_NOT_FOUND a named file that is not
 * there; E_DENIED a file with a key that all may read. */
err serve_config_open(serve_config **out, const serve_config_from *from, fail *f) MUST_CHECK;
void serve_config_close(serve_config *c); /* NULL is fine */

serve_source serve_config_source(const serve_config *c, const char *name);
/* "default", "command line", "environment BANTAM_SERVE_PORT", "FILE:3" */
str serve_config_origin(const serve_config *c, size_t index, arena *a);
/* The value for people: lists with commas, secrets as stars, "" none. */
str serve_config_text(const serve_config *c, size_t index, arena *a);
bool serve_config_same(const serve_config *x, const serve_config *y, size_t index);

#endif
