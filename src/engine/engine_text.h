/* engine_text.h - tokens' bytes to text that may be shown: whole characters, never a part of a stop
 * string. Owner: the reader of the sequence. */
#ifndef BANTAM_ENGINE_TEXT_H
#define BANTAM_ENGINE_TEXT_H

#include "base/str.h"

enum { ENGINE_TEXT_STOPS_MAX = 16, ENGINE_TEXT_STOP_BYTES_MAX = 256 };

typedef struct engine_text {
    char *held; /* [cap] bytes that are not certain yet */
    char *out;  /* [cap] what the last call gave */
    size_t n, cap;
    char stops[ENGINE_TEXT_STOPS_MAX][ENGINE_TEXT_STOP_BYTES_MAX];
    size_t stop_bytes[ENGINE_TEXT_STOPS_MAX];
    size_t n_stops;
    bool stopped;
    int32_t struck; /* which stop is complete; -1 none */
} engine_text;

/* Bytes that `cap` must have for pieces of up to piece_bytes. */
size_t engine_text_bytes(size_t piece_bytes);
/* memory: 2 * cap bytes. Stops are copied; each 1 to ENGINE_TEXT_STOP_BYTES_MAX bytes. */
void engine_text_init(engine_text *t, char *memory, size_t cap, const str *stops, size_t n);
/* Adds a piece; returns what is now certain, borrowed until the next call. Sets `stopped` when a
 * stop string is complete: what stands before it is returned, and nothing afterwards. */
str engine_text_put(engine_text *t, str piece);
/* The rest, at the end: an unfinished character comes out as its bytes. */
str engine_text_flush(engine_text *t);

#endif
