/* otel_settings.h - what is sent, where to and how often: --otlp and OpenTelemetry's own variables
 * of the environment, by their published names and defaults.
 *
 * Without --otlp URL and without an endpoint in the environment nothing is sent. Pure but for the
 * warnings it logs; the environment comes in as a function. docs/cli.md lists what is honoured. */
#ifndef BANTAM_OTEL_OTEL_SETTINGS_H
#define BANTAM_OTEL_OTEL_SETTINGS_H

#include "base/arena.h"
#include "base/err.h"
#include "net/http_client.h"

enum { OTEL_FIELDS_MAX = 16, OTEL_PAIRS_MAX = 32 };

/* A variable's value, NULL when it is unset or empty. */
typedef const char *(*otel_env)(void *self, const char *name);

typedef struct otel_pair {
    str key, value;
} otel_pair;

typedef enum otel_sampler { OTEL_SAMPLE_ALL, OTEL_SAMPLE_NONE, OTEL_SAMPLE_RATIO } otel_sampler;

typedef struct otel_settings {
    const char *traces_url, *metrics_url; /* NULL: not sent; both: nothing is */
    http_field fields[OTEL_FIELDS_MAX];   /* [n_fields] sent along; may hold keys, never logged */
    size_t n_fields;
    otel_pair about[OTEL_PAIRS_MAX]; /* [n_about] the resource's attributes, service.name first */
    size_t n_about;
    const char *ca_file; /* NULL = the system's */
    int64_t timeout_ms;  /* of one try */
    int64_t delay_ms;    /* spans wait at most so long */
    int64_t metrics_ms;  /* between two readings of the metrics */
    int64_t queue_max;   /* spans that wait; more are dropped and counted */
    int64_t batch_max;   /* spans of one body, and what its last request brings more */
    otel_sampler sampler;
    bool asks_parent; /* what the caller decided holds; the sampler decides for those without */
    double ratio;
} otel_settings;

/* url: of --otlp; NULL when not given, "off" whatever the environment says. E_USAGE names the
 * variable that cannot be meant, E_UNSUPPORTED what is not done here. Strings live in a. */
err otel_settings_read(arena *a, const char *url, otel_env env, void *env_self, otel_settings *out,
                       fail *f) MUST_CHECK;

#endif
