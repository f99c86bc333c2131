/* out.h - what commands print: results to stdout, everything else to stderr; colour only on a
 * terminal. */
#ifndef BANTAM_APP_OUT_H
#define BANTAM_APP_OUT_H

#include "base/arena.h"
#include "base/err.h"
#include "text/json.h"

void out_fail(const fail *f); /* "bantam: text" and the hint, without control bytes, to stderr */
err out_json(buf *b, fail *f) MUST_CHECK; /* one line to stdout; b is given up */
/* {"key": [rows]}: what lists print. */
void out_list_begin(json_writer *j, const char *key);
void out_list_end(json_writer *j);
err out_flush(fail *f) MUST_CHECK; /* a closed or full stdout is an error, not silence */
const char *out_bold(void);        /* "" where stdout is no terminal */
const char *out_dim(void);
const char *out_plain(void);
const char *out_err_dim(void); /* the same for stderr */
const char *out_err_plain(void);
/* A customer's or a model's words for a terminal: control bytes, with which a terminal can be told
 * to do things, become '?'; one_line turns line breaks into blanks. Lives in a. */
str out_safe(arena *a, str text, bool one_line);
void out_time(int64_t ms, char text[32]); /* local time, "23 Nov 20:45" */
const char *out_user(void);               /* name for "who": $USER, else "someone" */

#endif
