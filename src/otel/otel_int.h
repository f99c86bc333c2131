/* otel_int.h - what the files of otel/ share. */
#ifndef BANTAM_OTEL_OTEL_INT_H
#define BANTAM_OTEL_OTEL_INT_H

#include "otel/otel.h"

#include "base/thread.h"

#include <stdatomic.h>

enum {
    OTEL_BOUNDS_MAX = 20,
    OTEL_SERIES_MAX = 64, /* sets of attributes; what is beyond shares one */
    OTEL_NAME_BYTES = 64  /* of a model's name in a metric; longer ones are cut */
};

/* ---- writing (otel_span.c) ---- */
/* A 64-bit number as OTLP's JSON has it: digits between quotation marks. */
void otel_field_count(json_writer *w, const char *key, int64_t v);
/* {"key":..,"value":{"stringValue":..}} */
void otel_attribute_text(json_writer *w, const char *key, str value);
void otel_attribute_int(json_writer *w, const char *key, int64_t value);

/* ---- metrics (otel_metric.c) ---- */

typedef struct otel_histogram {
    int64_t counts[OTEL_BOUNDS_MAX + 1];
    int64_t n;
    double sum;
} otel_histogram;

typedef struct otel_series {
    char operation[24], provider[24], error[40];
    char request_model[OTEL_NAME_BYTES], response_model[OTEL_NAME_BYTES], address[OTEL_NAME_BYTES];
    otel_histogram duration, first_token, per_token, input, output;
} otel_series;

typedef struct otel_metrics {
    mutex lock;
    otel_series *series; /* [OTEL_SERIES_MAX + 1]; the last takes what has no place */
    size_t n;
} otel_metrics;

err otel_metrics_init(otel_metrics *m, fail *f) MUST_CHECK;
void otel_metrics_deinit(otel_metrics *m);
/* When a point was counted from, and when it was read: nanoseconds since 1970. */
typedef struct otel_window {
    int64_t start_ns, now_ns;
} otel_window;
/* Metric after metric of an array that is open. */
void otel_metrics_put(otel_metrics *m, json_writer *w, const otel_window *at);

/* ---- Prometheus' text as OTLP's metrics (otel_text.c) ---- */
/* The same; names stay as they are. What is not understood is left out. */
void otel_text_put(str text, json_writer *w, const otel_window *at);

typedef struct otel_item otel_item;
struct otel_item {
    otel_item *next;
    buf json; /* spans with commas between them */
    size_t spans;
};

struct otel {
    otel_options o;
    otel_metrics metrics;
    buf resource, scope; /* JSON objects that stand in every body */
    int64_t start_ns;    /* since 1970 */
    uint64_t seed;
    _Atomic uint64_t next_span;
    atomic_llong sent, dropped, tries, failures;
    thread thread;
    mutex lock; /* guards what follows */
    cond wake;
    otel_item *head, **tail;
    size_t spans, bytes; /* that wait */
    bool closing;
    int64_t close_ns; /* closing: nothing is tried after this */
    /* the exporter thread's own */
    bool failing;
    int64_t failing_dropped; /* before it began to fail */
};

#endif
