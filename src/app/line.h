/* line.h - one line from a terminal, with editing and history (libedit, BSD licence).
 *
 * History is a file of mode 0600, a line each; it is appended to as lines are typed. Main thread.
 */
#ifndef BANTAM_APP_LINE_H
#define BANTAM_APP_LINE_H

#include "base/arena.h"
#include "base/err.h"

typedef struct line line;

typedef enum line_end { LINE_READ, LINE_EOF, LINE_INTERRUPTED } line_end;

/* history_path: NULL = none is kept. A history that cannot be read is none. */
err line_open(line **out, const char *history_path, fail *f) MUST_CHECK;
void line_close(line *l); /* NULL is fine */
void line_keep_history(line *l, bool keep);
/* text lives in a, without its line break. */
line_end line_read(line *l, arena *a, const char *prompt, str *text);

#endif
