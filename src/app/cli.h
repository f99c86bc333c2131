/* cli.h - command lines: options by table, help made from the same table, errors that teach.
 *
 * An option is --name VALUE, --name=VALUE, -x VALUE or a flag (--name, or --name=true,
 * --name=false);
 * "--" ends options; a repeated option adds to its list where `many` is set. Main thread only. */
#ifndef BANTAM_APP_CLI_H
#define BANTAM_APP_CLI_H

#include "base/arena.h"
#include "base/err.h"

enum { CLI_OPTIONS_MAX = 64, CLI_ARGS_MAX = 64, CLI_MANY_MAX = 64 };

typedef struct cli_option {
    const char *name;  /* without the dashes */
    char letter;       /* 0 none */
    const char *value; /* name of the value in help; NULL = a flag */
    const char *help;
    bool many;
} cli_option;
/* of every command whose answer a script may read */
#define CLI_JSON_OPTION \
    { "json", 0, NULL, "print one JSON object on stdout", false }

typedef struct cli cli;
typedef struct cli_verb {
    const char *name;    /* "task init" */
    const char *args;    /* "NAME --from ROWS" */
    const char *summary; /* one line, for the list */
    const char *help;    /* paragraphs and examples, after the options; NULL none */
    const cli_option *options;
    size_t n_options;
    size_t args_min, args_max;
    err (*run)(const cli *c, fail *f);
} cli_verb;

struct cli {
    const cli_verb *verb;
    const char *args[CLI_ARGS_MAX];
    size_t n_args;
    const char *values[CLI_OPTIONS_MAX][CLI_MANY_MAX]; /* by row of the options table */
    size_t n_values[CLI_OPTIONS_MAX];
    arena *arena; /* lives as long as the command */
};

/* Fills c from argv (after the verb). *help = true when --help or -h was given. */
err cli_parse(cli *c, const cli_verb *verb, int argc, char **argv, bool *help, fail *f) MUST_CHECK;
void cli_print_help(const cli_verb *verb);

bool cli_has(const cli *c, const char *name); /* does the verb have this option? */
bool cli_flag(const cli *c, const char *name);
const char *cli_value(const cli *c, const char *name); /* NULL when not given */
size_t cli_count(const cli *c, const char *name);
const char *cli_value_at(const cli *c, const char *name, size_t index);
err cli_int(const cli *c, const char *name, int64_t fallback, int64_t min, int64_t max,
            int64_t *out, fail *f) MUST_CHECK;
err cli_double(const cli *c, const char *name, double fallback, double min, double max, double *out,
               fail *f) MUST_CHECK;

#endif
