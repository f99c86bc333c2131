/* secret.h - asks for a password without showing it, or takes it from a pipe. Main thread. */
#ifndef BANTAM_APP_SECRET_H
#define BANTAM_APP_SECRET_H

#include "base/arena.h"
#include "base/err.h"

/* Twice when `again`, on the terminal itself; E_USAGE where nobody sits. */
err secret_ask(arena *a, const char *prompt, bool again, str *out, fail *f) MUST_CHECK;
/* The first line of standard input. */
err secret_read(arena *a, str *out, fail *f) MUST_CHECK;

#endif
