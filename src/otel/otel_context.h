/* otel_context.h - which trace a request belongs to: W3C Trace Context (Recommendation of
 * 23 November 2021), the headers traceparent and tracestate.
 *
 *     traceparent: 00-TRACE-PARENT-FLAGS     32, 16 and 2 lower-case hexadecimal digits
 *
 * A valid one is honoured: the request is a child in its caller's trace. Otherwise a trace begins,
 * whose id is the first half of SHA-256 of the request's id: who has one id can find the other. The
 * request's own span follows from its id alone, so a request that was parked has the same again.
 * Pure functions, any thread. */
#ifndef BANTAM_OTEL_OTEL_CONTEXT_H
#define BANTAM_OTEL_OTEL_CONTEXT_H

#include "base/str.h"

enum {
    OTEL_TRACE_BYTES = 33,  /* as hexadecimal digits, with its zero byte */
    OTEL_PARENT_BYTES = 56, /* a traceparent, with its zero byte */
    OTEL_STATE_BYTES_MAX = 512,
    OTEL_SAMPLED = 1 /* a flag: whoever gave it keeps this trace */
};

typedef struct otel_context {
    unsigned char trace[16];
    uint64_t span;       /* the request's own */
    uint64_t parent;     /* its caller's; 0 = the trace begins here */
    unsigned char flags; /* OTEL_SAMPLED */
    str state;           /* tracestate as it came; "" none; borrowed */
} otel_context;

/* parent, state: headers as they came; {NULL,0} absent. */
void otel_context_of(str request_id, str parent, str state, otel_context *out);
bool otel_parent_read(str header, otel_context *out); /* trace, parent, flags; false: not valid */
void otel_trace_text(const otel_context *c, char out[OTEL_TRACE_BYTES]);
/* What is told to others: span is the one that they are children of. */
void otel_parent_text(const otel_context *c, uint64_t span, char out[OTEL_PARENT_BYTES]);

#endif
