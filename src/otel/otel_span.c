/* otel_span.c - spans as OTLP's JSON, written where the request runs.
 *
 * Monotonic times become wall time by one difference, taken once for all spans that are written
 * together, so a child never begins before its parent because a clock was set. */
#include "otel/otel_int.h"

#include "base/clock.h"

#include <math.h>
#include <stdio.h>

enum {
    SPANS_BYTES_MAX = 256 << 10, /* of one request */
    STATUS_ERROR = 2,
    PARENT_KNOWN = 0x100, /* flags above the eight of W3C: is the parent remote? */
    PARENT_REMOTE = 0x200
};

void otel_field_count(json_writer *w, const char *key, int64_t v) {
    char text[24];
    int n = snprintf(text, sizeof text, "%lld", (long long)v);
    json_field_str(w, key, (str){text, (size_t)n});
}

static void field_id(json_writer *w, const char *key, uint64_t id) {
    char text[24];
    int n = snprintf(text, sizeof text, "%016llx", (unsigned long long)id);
    json_field_str(w, key, (str){text, (size_t)n});
}

uint64_t otel_span_id(otel *t) {
    uint64_t n = atomic_fetch_add_explicit(&t->next_span, 1, memory_order_relaxed);
    /* an odd factor: a bijection, so no two are alike before 2^64 */
    uint64_t id = t->seed ^ (n * 0x9e3779b97f4a7c15u);
    return id ? id : 1;
}

/* ---- attributes ---- */

static void begin_attribute(json_writer *w, const char *key) {
    json_begin_object(w);
    json_field_str(w, "key", str_from(key));
    json_key(w, "value");
    json_begin_object(w);
}

static void end_attribute(json_writer *w) {
    json_end_object(w);
    json_end_object(w);
}

void otel_attribute_text(json_writer *w, const char *key, str value) {
    begin_attribute(w, key);
    json_field_str(w, "stringValue", value);
    end_attribute(w);
}

void otel_attribute_int(json_writer *w, const char *key, int64_t value) {
    begin_attribute(w, key);
    otel_field_count(w, "intValue", value);
    end_attribute(w);
}

void otel_put_text(otel_spans *s, const char *key, str value) {
    if (value.n) otel_attribute_text(&s->w, key, value);
}

void otel_put_int(otel_spans *s, const char *key, int64_t value) {
    otel_attribute_int(&s->w, key, value);
}

void otel_put_double(otel_spans *s, const char *key, double value) {
    if (!isfinite(value)) return;
    begin_attribute(&s->w, key);
    json_field_double(&s->w, "doubleValue", value);
    end_attribute(&s->w);
}

void otel_put_bool(otel_spans *s, const char *key, bool value) {
    begin_attribute(&s->w, key);
    json_field_bool(&s->w, "boolValue", value);
    end_attribute(&s->w);
}

void otel_put_list(otel_spans *s, const char *key, const str *values, size_t n) {
    json_writer *w = &s->w;
    if (!n) return;
    begin_attribute(w, key);
    json_key(w, "arrayValue");
    json_begin_object(w);
    json_key(w, "values");
    json_begin_array(w);
    for (size_t i = 0; i < n; i++) {
        json_begin_object(w);
        json_field_str(w, "stringValue", values[i].p ? values[i] : STR(""));
        json_end_object(w);
    }
    json_end_array(w);
    json_end_object(w);
    end_attribute(w);
}

/* ---- spans ---- */

static void put_ids(json_writer *w, const otel_span *span) {
    char trace[OTEL_TRACE_BYTES];
    int flags =
        (span->of->flags & OTEL_SAMPLED) | PARENT_KNOWN | (span->remote ? PARENT_REMOTE : 0);
    otel_trace_text(span->of, trace);
    json_field_str(w, "traceId", str_from(trace));
    field_id(w, "spanId", span->id);
    if (span->parent) field_id(w, "parentSpanId", span->parent);
    if (span->of->state.n) json_field_str(w, "traceState", span->of->state);
    json_field_int(w, "flags", flags);
}

void otel_span_begin(otel_spans *s, const otel_span *span) {
    json_writer *w = &s->w;
    if (!s->w.out) {
        s->w = (json_writer){.out = &s->out};
        s->out.bytes_max = SPANS_BYTES_MAX;
        s->wall_ns = clock_wall_ns() - clock_mono_ns();
    }
    json_begin_object(w);
    put_ids(w, span);
    json_field_str(w, "name", span->name);
    json_field_int(w, "kind", span->kind);
    otel_field_count(w, "startTimeUnixNano", s->wall_ns + span->start_ns);
    otel_field_count(w, "endTimeUnixNano", s->wall_ns + span->end_ns);
    if (span->error) {
        json_key(w, "status");
        json_begin_object(w);
        json_field_int(w, "code", STATUS_ERROR);
        json_end_object(w);
    }
    json_key(w, "attributes");
    json_begin_array(w);
    if (span->error) otel_put_text(s, "error.type", str_from(span->error));
}

void otel_span_end(otel_spans *s) {
    json_end_array(&s->w);
    json_end_object(&s->w);
    s->n++;
}
