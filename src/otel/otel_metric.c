/* otel_metric.c - the gen_ai.* histograms: one series per set of attributes, cumulative since the
 * start.
 *
 * Sets are few (operations times models times errors) and their number is bounded: what is beyond
 * is counted in one series that says otel.metric.overflow, as OpenTelemetry's SDKs do. Names,
 * units and bounds: gen-ai-metrics.md of open-telemetry/semantic-conventions-genai. Per output
 * token three bounds below its list are ours: small models are faster than it begins. */
#include "otel/otel_int.h"

#include "base/mem.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { CUMULATIVE = 2 };

typedef struct scale {
    size_t n;
    double bounds[OTEL_BOUNDS_MAX];
} scale;

static const scale durations = {
    14, {.01, .02, .04, .08, .16, .32, .64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92}};
static const scale firsts = {
    16, {.001, .005, .01, .02, .04, .06, .08, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}};
static const scale pers = {
    16, {.001, .0025, .005, .01, .025, .05, .075, .1, .15, .2, .3, .4, .5, .75, 1, 2.5}};
static const scale tokens = {
    14,
    {1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864}};

err otel_metrics_init(otel_metrics *m, fail *f) {
    mutex_init(&m->lock);
    m->n = 0;
    m->series = mem_zero((OTEL_SERIES_MAX + 1) * sizeof *m->series);
    return m->series ? E_OK : fail_memory(f, "metrics");
}

void otel_metrics_deinit(otel_metrics *m) {
    mem_free(m->series);
    mutex_deinit(&m->lock);
}

/* ---- counting ---- */

static void observe(otel_histogram *h, const scale *s, double v) {
    size_t i = 0;
    if (!(v >= 0) || isinf(v)) return;
    while (i < s->n && v > s->bounds[i]) i++; /* a bucket holds its upper bound */
    h->counts[i]++;
    h->n++;
    h->sum += v;
}

static void put_name(char *out, size_t n, str s) {
    size_t m = s.n < n - 1 ? s.n : n - 1;
    while (m && m < s.n && ((unsigned char)s.p[m] & 0xc0) == 0x80) m--; /* no half character */
    if (m) memcpy(out, s.p, m);
    out[m] = 0;
}

static void name_series(otel_series *s, const otel_operation *o) {
    put_name(s->operation, sizeof s->operation, o->operation);
    put_name(s->provider, sizeof s->provider, o->provider);
    put_name(s->error, sizeof s->error, str_from(o->error));
    put_name(s->request_model, sizeof s->request_model, o->request_model);
    put_name(s->response_model, sizeof s->response_model, o->response_model);
    put_name(s->address, sizeof s->address, o->address);
}

static bool same_names(const otel_series *a, const otel_series *b) {
    return !strcmp(a->operation, b->operation) && !strcmp(a->provider, b->provider) &&
           !strcmp(a->error, b->error) && !strcmp(a->request_model, b->request_model) &&
           !strcmp(a->response_model, b->response_model) && !strcmp(a->address, b->address);
}

static otel_series *find(otel_metrics *m, const otel_operation *o) {
    otel_series wanted = {.operation = ""};
    size_t i = 0;
    name_series(&wanted, o);
    while (i < m->n && !same_names(&m->series[i], &wanted)) i++;
    if (i == m->n && m->n < OTEL_SERIES_MAX) m->series[m->n++] = wanted;
    return &m->series[i];
}

void otel_count(otel *t, const otel_operation *o) {
    mutex_lock(&t->metrics.lock);
    otel_series *s = find(&t->metrics, o);
    observe(&s->duration, &durations, o->duration_s);
    observe(&s->first_token, &firsts, o->first_token_s);
    observe(&s->per_token, &pers, o->per_token_s);
    observe(&s->input, &tokens, (double)o->input_tokens);
    observe(&s->output, &tokens, (double)o->output_tokens);
    mutex_unlock(&t->metrics.lock);
}

/* ---- writing ---- */

typedef struct metric_row {
    const char *name, *unit, *help;
    size_t at;   /* of an otel_histogram in otel_series */
    size_t also; /* another in the same metric; 0 = none */
    const scale *of;
    bool asked; /* of what was asked of other servers; else of what is answered here */
    bool both;
    const char *type, *also_type; /* gen_ai.token.type of the two */
} metric_row;

static const metric_row rows[] = {
    {"gen_ai.server.request.duration", "s", "Of one answer of a model or a task.",
     offsetof(otel_series, duration), 0, &durations, false, false, NULL, NULL},
    {"gen_ai.server.time_to_first_token", "s", "From the request's head to the first token.",
     offsetof(otel_series, first_token), 0, &firsts, false, false, NULL, NULL},
    {"gen_ai.server.time_per_output_token", "s", "Of a token after the first.",
     offsetof(otel_series, per_token), 0, &pers, false, false, NULL, NULL},
    {"gen_ai.client.operation.duration", "s", "Of one question to another server's model.",
     offsetof(otel_series, duration), 0, &durations, true, false, NULL, NULL},
    {"gen_ai.client.token.usage", "{token}", "Tokens of prompts and answers.",
     offsetof(otel_series, input), offsetof(otel_series, output), &tokens, true, true, "input",
     "output"},
};

static const otel_histogram *histogram_at(const otel_series *s, size_t at) {
    return (const otel_histogram *)(const void *)((const char *)s + at);
}

static void put_some(json_writer *w, const char *key, const char *value) {
    if (value[0]) otel_attribute_text(w, key, str_from(value));
}

static void put_attributes(json_writer *w, const otel_series *s, bool overflow, const char *type) {
    json_key(w, "attributes");
    json_begin_array(w);
    if (overflow) {
        json_begin_object(w);
        json_field_str(w, "key", STR("otel.metric.overflow"));
        json_key(w, "value");
        json_begin_object(w);
        json_field_bool(w, "boolValue", true);
        json_end_object(w);
        json_end_object(w);
    }
    put_some(w, "gen_ai.operation.name", s->operation);
    put_some(w, "gen_ai.provider.name", s->provider);
    put_some(w, "gen_ai.request.model", s->request_model);
    put_some(w, "gen_ai.response.model", s->response_model);
    put_some(w, "server.address", s->address);
    put_some(w, "error.type", s->error);
    if (type) otel_attribute_text(w, "gen_ai.token.type", str_from(type));
    json_end_array(w);
}

static void put_point(json_writer *w, const otel_histogram *h, const scale *s,
                      const otel_window *at) {
    otel_field_count(w, "startTimeUnixNano", at->start_ns);
    otel_field_count(w, "timeUnixNano", at->now_ns);
    otel_field_count(w, "count", h->n);
    json_field_double(w, "sum", h->sum);
    json_key(w, "bucketCounts");
    json_begin_array(w);
    for (size_t i = 0; i <= s->n; i++) {
        char text[24];
        int n = snprintf(text, sizeof text, "%lld", (long long)h->counts[i]);
        json_put_str(w, (str){text, (size_t)n});
    }
    json_end_array(w);
    json_key(w, "explicitBounds");
    json_begin_array(w);
    for (size_t i = 0; i < s->n; i++) json_put_double(w, s->bounds[i]);
    json_end_array(w);
}

static void put_series(json_writer *w, const otel_metrics *m, size_t i, const metric_row *row,
                       const otel_window *at) {
    const otel_series *s = &m->series[i];
    if (!row->both && row->asked != (s->address[0] != 0)) return;
    for (size_t k = 0; k < (row->also ? 2 : 1); k++) {
        const otel_histogram *h = histogram_at(s, k ? row->also : row->at);
        if (h->n == 0) continue;
        json_begin_object(w);
        put_attributes(w, s, i == OTEL_SERIES_MAX, k ? row->also_type : row->type);
        put_point(w, h, row->of, at);
        json_end_object(w);
    }
}

static bool is_empty(const otel_metrics *m, const metric_row *row) {
    for (size_t i = 0; i <= OTEL_SERIES_MAX; i++) {
        const otel_series *s = &m->series[i];
        if (!row->both && row->asked != (s->address[0] != 0)) continue;
        if (histogram_at(s, row->at)->n || (row->also && histogram_at(s, row->also)->n))
            return false;
    }
    return true;
}

static void put_metric(json_writer *w, const otel_metrics *m, const metric_row *row,
                       const otel_window *at) {
    if (is_empty(m, row)) return;
    json_begin_object(w);
    json_field_str(w, "name", str_from(row->name));
    json_field_str(w, "description", str_from(row->help));
    json_field_str(w, "unit", str_from(row->unit));
    json_key(w, "histogram");
    json_begin_object(w);
    json_field_int(w, "aggregationTemporality", CUMULATIVE);
    json_key(w, "dataPoints");
    json_begin_array(w);
    for (size_t i = 0; i <= OTEL_SERIES_MAX; i++) put_series(w, m, i, row, at);
    json_end_array(w);
    json_end_object(w);
    json_end_object(w);
}

void otel_metrics_put(otel_metrics *m, json_writer *w, const otel_window *at) {
    mutex_lock(&m->lock);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) put_metric(w, m, &rows[i], at);
    mutex_unlock(&m->lock);
}
