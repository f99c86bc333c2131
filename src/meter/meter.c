/* meter.c - see meter.h. Specification: Prometheus exposition formats, text 0.0.4. */
#include "meter/meter.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static const double durations[] = {.01,  .02,  .04,  .08,   .16,   .32,   .64,
                                   1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92};
static const double first_token[] = {.001, .005, .01, .02, .04, .06, .08, .1,
                                     .25,  .5,   .75, 1,   2.5, 5,   7.5, 10};
static const double per_token[] = {.0005, .001, .0025, .005, .01, .025, .05, .075,
                                   .1,    .15,  .2,    .3,   .4,  .5,   1,   2.5};
const meter_scale meter_durations = {durations, COUNT(durations)};
const meter_scale meter_first_token = {first_token, COUNT(first_token)};
const meter_scale meter_per_token = {per_token, COUNT(per_token)};

void meter_observe(meter_histogram *h, const meter_scale *scale, double seconds) {
    if (!(seconds >= 0) || seconds > 1e9) return;
    size_t i = 0;
    while (i < scale->n && seconds > scale->bounds[i]) i++;
    atomic_fetch_add_explicit(&h->counts[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->sum_ns, (int64_t)(seconds * 1e9), memory_order_relaxed);
}

static int64_t value_of(const meter_count *c) {
    return atomic_load_explicit(c, memory_order_relaxed);
}

int64_t meter_observed(const meter_histogram *h) {
    int64_t n = 0;
    for (size_t i = 0; i <= METER_BOUNDS_MAX; i++) n += value_of(&h->counts[i]);
    return n;
}

/* ---- as text ---- */

void meter_label(meter_labels *l, const char *name, str value) {
    size_t at = l->n, need = strlen(name) + 2 * value.n + 5;
    if (need > METER_LABELS_BYTES - at) return;
    at += (size_t)snprintf(l->text + at, METER_LABELS_BYTES - at, "%s%s=\"", at ? "," : "", name);
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (c == '"' || c == '\\' || c == '\n') l->text[at++] = '\\';
        l->text[at++] = c == '\n' ? 'n' : c;
    }
    l->text[at++] = '"';
    l->n = at;
}

void meter_put_head(buf *out, const char *name, const char *type, const char *help) {
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_name(buf *out, const char *name, const meter_labels *l) {
    buf_put_z(out, name);
    if (!l || !l->n) return;
    buf_printf(out, "{%.*s}", (int)l->n, l->text);
}

void meter_put_int(buf *out, const char *name, const meter_labels *l, int64_t v) {
    put_name(out, name, l);
    buf_printf(out, " %lld\n", (long long)v);
}

void meter_put_double(buf *out, const char *name, const meter_labels *l, double v) {
    put_name(out, name, l);
    if (isnan(v))
        buf_put_z(out, " NaN\n");
    else
        buf_printf(out, " %.15g\n", v);
}

static void put_bucket(buf *out, const char *name, const meter_labels *l, const char *le,
                       int64_t v) {
    buf_printf(out, "%s_bucket{", name);
    if (l && l->n) buf_printf(out, "%.*s,", (int)l->n, l->text);
    buf_printf(out, "le=\"%s\"} %lld\n", le, (long long)v);
}

void meter_put_histogram(buf *out, const char *name, const meter_labels *l,
                         const meter_histogram *h, const meter_scale *scale) {
    char text[64];
    int64_t sum = 0;
    for (size_t i = 0; i < scale->n; i++) {
        sum += value_of(&h->counts[i]);
        snprintf(text, sizeof text, "%.10g", scale->bounds[i]);
        put_bucket(out, name, l, text, sum);
    }
    sum += value_of(&h->counts[scale->n]);
    put_bucket(out, name, l, "+Inf", sum);
    snprintf(text, sizeof text, "%s_sum", name);
    meter_put_double(out, text, l, (double)value_of(&h->sum_ns) * 1e-9);
    snprintf(text, sizeof text, "%s_count", name);
    meter_put_int(out, text, l, sum);
}
