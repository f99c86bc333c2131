/* serve_telemetry.h - what a server tells its operators beside its answers: traces and metrics for
 * an OpenTelemetry collector, and how its log looks. Nothing is sent unless --otlp or the
 * environment names a collector.
 *
 *     read -> open -> serve -> hold -> (the server closes) -> last -> (the api closes) -> close
 *
 * hold and last: while the server goes away nobody reads its numbers. Owner: the main thread. */
#ifndef BANTAM_APP_SERVE_TELEMETRY_H
#define BANTAM_APP_SERVE_TELEMETRY_H

#include "api/api.h"
#include "app/cli.h"
#include "base/thread.h"

typedef struct serve_telemetry {
    otel_settings settings;
    otel *otel;        /* NULL: nobody is told */
    bool content;      /* --otlp-content */
    bool log_requests; /* --log-format json */
    bool log_content;  /* --log-content */
    mutex lock;        /* guards what follows: the exporter's thread reads it */
    api *api;          /* NULL: ask it not */
    buf kept;          /* its last numbers */
} serve_telemetry;

/* The options and the environment; the log's form holds from here on. */
err serve_telemetry_read(const cli *c, serve_telemetry *t, fail *f) MUST_CHECK;
err serve_telemetry_open(serve_telemetry *t, str version, fail *f) MUST_CHECK;
void serve_telemetry_options(const serve_telemetry *t, api_options *o);
void serve_telemetry_start(serve_telemetry *t, api *a); /* the api is open */
void serve_telemetry_print(const serve_telemetry *t);   /* where what goes; nothing when off */
void serve_telemetry_hold(serve_telemetry *t);
void serve_telemetry_last(serve_telemetry *t, api *a); /* a: NULL when it was never open */
void serve_telemetry_close(serve_telemetry *t);

#endif
