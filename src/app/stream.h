/* stream.h - an answer on the terminal while it comes. Main thread. */
#ifndef BANTAM_APP_STREAM_H
#define BANTAM_APP_STREAM_H

#include "gen/gen.h"

typedef struct stream {
    arena *arena;
    buf text;      /* all that came */
    bool terminal; /* control bytes become '?' there */
} stream;

/* A gen_sink's put; self is the stream. E_CANCELLED when a stop is wanted. */
err stream_put(void *self, const gen_event *event, fail *f) MUST_CHECK;
void stream_print_timings(const gen_reply *r); /* to stderr */

#endif
