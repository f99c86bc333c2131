/* sse_read.h - reads a stream of server-sent events (WHATWG HTML, "Server-sent events") as it comes
 * in: pieces of any size in, the data of each event out, its lines joined by \n. Lines end with LF,
 * CR or CRLF; comments and every field but data are dropped; an event that the end cuts off is
 * none. Owner: one thread at a time. */
#ifndef BANTAM_NET_SSE_READ_H
#define BANTAM_NET_SSE_READ_H

#include "base/buf.h"
#include "base/err.h"

/* The data of one event, borrowed for the call. An error ends the reading. */
typedef err (*sse_take)(void *ctx, str data, fail *f);

/* All zero is ready; then take, ctx and event_bytes_max. */
typedef struct sse_reader {
    sse_take take;
    void *ctx;
    size_t event_bytes_max; /* of one line, and of one event's data */
    buf line, data;
    bool has_data, after_cr;
} sse_reader;

void sse_reader_deinit(sse_reader *r);
/* E_TOO_LARGE, E_NO_MEMORY, or what take returned. */
err sse_read(sse_reader *r, str bytes, fail *f) MUST_CHECK;

#endif
