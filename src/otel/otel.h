/* otel.h - traces and metrics for an OpenTelemetry collector: OTLP over HTTP, as JSON.
 *
 *     worker: otel_span_begin, otel_put_..., otel_span_end, otel_send -> bounded queue (or dropped)
 *     worker: otel_count -> histograms
 *     exporter thread: every delay_ms the queue, every metrics_ms the metrics -> POST, again if
 * need
 *
 * A request's thread writes its spans as JSON into memory of its own and leaves them in the queue;
 * it never waits for a collector, and where the queue is full they are dropped and counted. A body
 * that is refused for now (429, 502, 503, 504, no connection) is sent again with back-off, for two
 * minutes at most. One line in the log says when sending begins to fail, one when it works again.
 *
 * Specifications: OTLP 1.10 (JSON: lowerCamelCase, ids as hexadecimal digits, 64-bit whole numbers
 * as text), gen_ai conventions of open-telemetry/semantic-conventions-genai, which are in
 * development: their names stand in api/api_trace.c and otel_metric.c, nowhere else.
 *
 * Threads: open and close by the owner, all else on any. Not here: what a request's spans say
 * (api), the text of /metrics (api, meter), the environment (app). */
#ifndef BANTAM_OTEL_OTEL_H
#define BANTAM_OTEL_OTEL_H

#include "base/buf.h"
#include "otel/otel_context.h"
#include "otel/otel_settings.h"
#include "text/json.h"

typedef struct otel otel;

typedef struct otel_options {
    otel_settings settings; /* its strings outlive the otel */
    str version;            /* of this program */
    /* Prometheus' text of everything that is counted, sent with the metrics; NULL = nothing more.
     * Called on the exporter's thread. */
    void (*measure)(void *self, buf *out);
    void *self;
} otel_options;

/* Starts the exporter's thread; asks nobody yet, so a collector may come later. */
err otel_open(otel **out, const otel_options *o, fail *f) MUST_CHECK;
/* Sends what waits and the metrics once more, for at most flush_ms; the rest is dropped. NULL is
 * fine. */
void otel_close(otel *t, int64_t flush_ms);

typedef struct otel_counts {
    int64_t sent, dropped;   /* spans; dropped: no room, refused, or given up */
    int64_t tries, failures; /* bodies posted; of those, not taken */
} otel_counts;
void otel_counts_get(const otel *t, otel_counts *out);

/* Decides whether this trace is kept: sets or clears OTEL_SAMPLED. */
void otel_sample(const otel *t, otel_context *c);

/* ---- spans: otel_span.c ---- */

typedef enum otel_kind { OTEL_INTERNAL = 1, OTEL_SERVER = 2, OTEL_CLIENT = 3 } otel_kind;

typedef struct otel_span {
    const otel_context *of; /* its trace */
    uint64_t id, parent;    /* parent 0 = none */
    bool remote;            /* the parent is another program's */
    otel_kind kind;
    str name;
    int64_t start_ns, end_ns; /* monotonic */
    const char *error;        /* error.type; NULL = it went well */
} otel_span;

/* Spans being written, by one thread; all zero = none. */
typedef struct otel_spans {
    buf out;
    json_writer w;
    size_t n;
    int64_t wall_ns; /* since 1970, of monotonic 0 */
} otel_spans;

uint64_t otel_span_id(otel *t); /* a new one, never 0 */
void otel_span_begin(otel_spans *s, const otel_span *span);
/* Attributes of the span that was begun. "" and NAN are left out: nothing is known. */
void otel_put_text(otel_spans *s, const char *key, str value);
void otel_put_int(otel_spans *s, const char *key, int64_t value);
void otel_put_double(otel_spans *s, const char *key, double value);
void otel_put_bool(otel_spans *s, const char *key, bool value);
void otel_put_list(otel_spans *s, const char *key, const str *values, size_t n);
void otel_span_end(otel_spans *s);
/* Into the queue, or dropped; s is empty afterwards. */
void otel_send(otel *t, otel_spans *s);

/* ---- metrics: otel_metric.c ---- */

/* One operation of a model as gen_ai.* metrics tell it. "" and NAN: not known. */
typedef struct otel_operation {
    str operation, provider, request_model, response_model;
    str address;       /* of another server that was asked; "" = this one answered */
    const char *error; /* error.type; NULL = it went well */
    double duration_s;
    double first_token_s, per_token_s;
    int64_t input_tokens, output_tokens; /* < 0 = not known */
} otel_operation;

void otel_count(otel *t, const otel_operation *o);

#endif
