/* otel_text.c - Prometheus' text format (0.0.4) read as OTLP's metrics, so that a collector gets
 * what /metrics says under the names that it has there, and there is one list of them.
 *
 *     # TYPE name counter      -> sum, monotonic, cumulative
 *     # TYPE name gauge        -> gauge
 *     # TYPE name histogram    -> name_bucket{le=...} in rising order, name_sum, name_count
 *
 * Samples stand behind their TYPE, as the format asks for. What is not understood, and NaN, is left
 * out. */
#include "otel/otel_int.h"

#include <math.h>
#include <stdio.h>

enum { LABELS_MAX = 16, VALUE_BYTES = 512, CUMULATIVE = 2 };

typedef enum kind { KIND_NONE, KIND_SUM, KIND_GAUGE, KIND_HISTOGRAM } kind;

typedef struct label {
    str name, value; /* value as it stands between the quotation marks */
} label;

typedef struct sample {
    str name;
    label labels[LABELS_MAX];
    size_t n_labels;
    str value;
} sample;

typedef struct reading {
    json_writer *w;
    const otel_window *at;
    str name, help; /* of the family */
    kind kind;
    bool open;             /* its metric is begun */
    int64_t below;         /* of the histogram being read: all buckets so far */
    otel_histogram filled; /* .n: its bounds so far */
    double bounds[OTEL_BOUNDS_MAX];
    bool broken; /* its bounds do not rise, or are too many */
} reading;

/* ---- reading ---- */

/* The place behind a quoted value that begins at `from`; STR_INDEX_NONE when it never ends. */
static size_t quote_end(str s, size_t from) {
    for (size_t i = from; i < s.n; i++) {
        if (s.p[i] == '\\')
            i++;
        else if (s.p[i] == '"')
            return i;
    }
    return STR_INDEX_NONE;
}

static bool read_labels(str *rest, sample *out) {
    while (rest->n && rest->p[0] != '}') {
        size_t eq = str_find_char(*rest, '=');
        if (eq == STR_INDEX_NONE || eq + 1 >= rest->n || rest->p[eq + 1] != '"') return false;
        size_t end = quote_end(*rest, eq + 2);
        if (end == STR_INDEX_NONE || out->n_labels == LABELS_MAX) return false;
        out->labels[out->n_labels++] =
            (label){str_slice(*rest, 0, eq), str_slice(*rest, eq + 2, end)};
        *rest = str_slice(*rest, end + 1, rest->n);
        if (rest->n && rest->p[0] == ',') *rest = str_slice(*rest, 1, rest->n);
    }
    if (!rest->n) return false;
    *rest = str_slice(*rest, 1, rest->n);
    return true;
}

static bool read_sample(str line, sample *out) {
    size_t n = 0;
    *out = (sample){.n_labels = 0};
    while (n < line.n && line.p[n] != '{' && line.p[n] != ' ') n++;
    out->name = str_slice(line, 0, n);
    str rest = str_slice(line, n, line.n);
    if (rest.n && rest.p[0] == '{') {
        rest = str_slice(rest, 1, rest.n);
        if (!read_labels(&rest, out)) return false;
    }
    out->value = str_trim(rest);
    return out->name.n && out->value.n;
}

/* ---- writing ---- */

static void put_label(json_writer *w, const label *l) {
    char key[OTEL_NAME_BYTES], value[VALUE_BYTES];
    size_t n = 0;
    snprintf(key, sizeof key, "%.*s", STR_ARG(l->name));
    for (size_t i = 0; i < l->value.n && n < sizeof value; i++) {
        char c = l->value.p[i];
        if (c == '\\' && i + 1 < l->value.n) c = l->value.p[++i] == 'n' ? '\n' : l->value.p[i];
        value[n++] = c;
    }
    otel_attribute_text(w, key, (str){value, n});
}

static void begin_point(reading *r, const sample *s) {
    json_begin_object(r->w);
    json_key(r->w, "attributes");
    json_begin_array(r->w);
    for (size_t i = 0; i < s->n_labels; i++)
        if (r->kind != KIND_HISTOGRAM || !str_is(s->labels[i].name, "le"))
            put_label(r->w, &s->labels[i]);
    json_end_array(r->w);
    if (r->kind != KIND_GAUGE) otel_field_count(r->w, "startTimeUnixNano", r->at->start_ns);
    otel_field_count(r->w, "timeUnixNano", r->at->now_ns);
}

static const char *unit_of(str name) {
    if (str_ends(name, STR("_total"))) name = str_slice(name, 0, name.n - 6);
    if (str_ends(name, STR("_seconds"))) return "s";
    return str_ends(name, STR("_bytes")) ? "By" : "1";
}

static void open_metric(reading *r) {
    static const char *const fields[] = {"", "sum", "gauge", "histogram"};
    if (r->open) return;
    r->open = true;
    json_begin_object(r->w);
    json_field_str(r->w, "name", r->name);
    json_field_str(r->w, "description", r->help.p ? r->help : STR(""));
    json_field_str(r->w, "unit", str_from(unit_of(r->name)));
    json_key(r->w, fields[r->kind]);
    json_begin_object(r->w);
    if (r->kind != KIND_GAUGE) json_field_int(r->w, "aggregationTemporality", CUMULATIVE);
    if (r->kind == KIND_SUM) json_field_bool(r->w, "isMonotonic", true);
    json_key(r->w, "dataPoints");
    json_begin_array(r->w);
}

static void close_metric(reading *r) {
    if (r->open) {
        json_end_array(r->w);
        json_end_object(r->w);
        json_end_object(r->w);
    }
    r->open = false;
    r->kind = KIND_NONE;
}

static void put_number(reading *r, const sample *s) {
    int64_t whole;
    double v = 0;
    bool is_int = str_to_int(s->value, &whole);
    if (!is_int && !str_to_double(s->value, &v)) return; /* NaN: nothing is known */
    open_metric(r);
    begin_point(r, s);
    if (is_int)
        otel_field_count(r->w, "asInt", whole);
    else
        json_field_double(r->w, "asDouble", v);
    json_end_object(r->w);
}

/* ---- histograms ---- */

static void begin_histogram(reading *r) {
    r->filled = (otel_histogram){.n = 0};
    r->below = 0;
    r->broken = false;
}

static void take_bucket(reading *r, const sample *s) {
    int64_t upto, n = r->filled.n;
    double bound;
    str le = STR("");
    for (size_t i = 0; i < s->n_labels; i++)
        if (str_is(s->labels[i].name, "le")) le = s->labels[i].value;
    if (!str_to_int(s->value, &upto) || upto < r->below) {
        r->broken = true;
        return;
    }
    r->filled.counts[n] = upto - r->below;
    r->below = upto;
    if (str_is(le, "+Inf")) return;
    r->broken |=
        n == OTEL_BOUNDS_MAX || !str_to_double(le, &bound) || (n && bound <= r->bounds[n - 1]);
    if (r->broken) return;
    r->bounds[n] = bound;
    r->filled.n++;
}

static void put_histogram(reading *r, const sample *s) {
    json_writer *w = r->w;
    if (r->broken) return;
    open_metric(r);
    begin_point(r, s);
    otel_field_count(w, "count", r->below);
    json_field_double(w, "sum", r->filled.sum);
    json_key(w, "bucketCounts");
    json_begin_array(w);
    for (int64_t i = 0; i <= r->filled.n; i++) {
        char text[24];
        int n = snprintf(text, sizeof text, "%lld", (long long)r->filled.counts[i]);
        json_put_str(w, (str){text, (size_t)n});
    }
    json_end_array(w);
    json_key(w, "explicitBounds");
    json_begin_array(w);
    for (int64_t i = 0; i < r->filled.n; i++) json_put_double(w, r->bounds[i]);
    json_end_array(w);
    json_end_object(w);
}

/* _bucket, _bucket, ..., _sum, _count: the last one ends it. */
static void take_histogram(reading *r, const sample *s) {
    str part = str_slice(s->name, r->name.n, s->name.n);
    if (str_is(part, "_bucket")) {
        if (!r->broken) take_bucket(r, s);
    } else if (str_is(part, "_sum")) {
        r->broken |= !str_to_double(s->value, &r->filled.sum);
    } else if (str_is(part, "_count")) {
        put_histogram(r, s);
        begin_histogram(r);
    }
}

/* ---- lines ---- */

static void take_comment(reading *r, str line) {
    str hash = str_cut(&line, ' '), word = str_cut(&line, ' '), name = str_cut(&line, ' ');
    if (!str_is(hash, "#") || !name.p) return;
    if (str_is(word, "HELP")) {
        close_metric(r);
        r->help = line;
    } else if (str_is(word, "TYPE")) {
        close_metric(r);
        r->name = name;
        r->kind = str_is(line, "counter")     ? KIND_SUM
                  : str_is(line, "gauge")     ? KIND_GAUGE
                  : str_is(line, "histogram") ? KIND_HISTOGRAM
                                              : KIND_NONE;
        begin_histogram(r);
    }
}

static void take_line(reading *r, str line) {
    sample s;
    if (line.n && line.p[0] == '#') {
        take_comment(r, line);
        return;
    }
    if (r->kind == KIND_NONE || !read_sample(line, &s) || !str_starts(s.name, r->name)) return;
    if (r->kind == KIND_HISTOGRAM)
        take_histogram(r, &s);
    else if (s.name.n == r->name.n)
        put_number(r, &s);
}

void otel_text_put(str text, json_writer *w, const otel_window *at) {
    reading r = {.w = w, .at = at};
    while (text.p) take_line(&r, str_cut(&text, '\n'));
    close_metric(&r);
}
