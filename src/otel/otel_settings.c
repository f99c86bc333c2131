/* otel_settings.c - see otel_settings.h. Names and defaults: OpenTelemetry specification 1.56,
 * "OpenTelemetry Protocol Exporter" and "Environment Variable Specification". */
#include "otel/otel_settings.h"

#include "base/log.h"
#include "net/url.h"

#include <string.h>

enum {
    TIMEOUT_MS = 10000,
    DELAY_MS = 5000,
    METRICS_MS = 60000,
    QUEUE_MAX = 2048,
    BATCH_MAX = 512,
    DAY_MS = 86400000,
    QUEUE_MOST = 1 << 20
};

typedef struct reader {
    arena *a;
    otel_env env;
    void *env_self;
    otel_settings *out;
} reader;

static str value_of(const reader *r, const char *name) {
    const char *v = r->env(r->env_self, name);
    return v ? str_trim(str_from(v)) : STR("");
}

/* ---- where to ---- */

static err check_url(const char *name, str url, fail *f) {
    if (url_has_scheme(url, "http") || url_has_scheme(url, "https")) return E_OK;
    fail_set(f, E_USAGE, "%s is \"%.*s\", not an http:// or https:// URL", name,
             STR_ARG(str_slice(url, 0, 100)));
    return fail_hint(f, "a collector on this machine: http://127.0.0.1:4318");
}

/* One signal's names in the environment, and its path behind an endpoint that all share. */
typedef struct signal_names {
    const char *exporter, *endpoint, *path;
} signal_names;

/* *out stays NULL where this signal is not wanted. An endpoint of its own is used as it is; --otlp
 * (given) goes before everything. */
static err read_url(const reader *r, const char *given, const signal_names *n, const char **out,
                    fail *f) {
    const char *base_name = given ? "--otlp" : "OTEL_EXPORTER_OTLP_ENDPOINT";
    str base = given ? str_from(given) : value_of(r, base_name);
    str own = given ? STR("") : value_of(r, n->endpoint), exporter = value_of(r, n->exporter);
    if (str_is(exporter, "none")) return E_OK;
    if (exporter.n && !str_is(exporter, "otlp"))
        return fail_set(f, E_UNSUPPORTED, "%s is \"%.*s\"; otlp and none are done", n->exporter,
                        STR_ARG(str_slice(exporter, 0, 40)));
    if (!own.n && !base.n) return E_OK;
    TRY(check_url(own.n ? n->endpoint : base_name, own.n ? own : base, f));
    while (base.n && base.p[base.n - 1] == '/') base.n--;
    str url = own.n ? arena_str(r->a, own) : arena_printf(r->a, "%.*s%s", STR_ARG(base), n->path);
    if (!url.p) return fail_memory(f, "an address");
    *out = url.p;
    return E_OK;
}

static err read_urls(const reader *r, const char *given, fail *f) {
    static const signal_names traces = {"OTEL_TRACES_EXPORTER",
                                        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "/v1/traces"};
    static const signal_names metrics = {"OTEL_METRICS_EXPORTER",
                                         "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "/v1/metrics"};
    TRY(read_url(r, given, &traces, &r->out->traces_url, f));
    return read_url(r, given, &metrics, &r->out->metrics_url, f);
}

/* JSON over HTTP is what is spoken; a port for gRPC would not understand it. */
static err check_protocol(const reader *r, fail *f) {
    str protocol = value_of(r, "OTEL_EXPORTER_OTLP_PROTOCOL");
    if (str_is(protocol, "grpc")) {
        fail_set(f, E_UNSUPPORTED,
                 "OTEL_EXPORTER_OTLP_PROTOCOL is grpc; only http/json is spoken here");
        return fail_hint(f, "name the collector's HTTP port (4318) and http/json");
    }
    if (str_is(protocol, "http/protobuf"))
        log_warn("otel", "OTEL_EXPORTER_OTLP_PROTOCOL is http/protobuf; http/json is sent instead");
    str compression = value_of(r, "OTEL_EXPORTER_OTLP_COMPRESSION");
    if (compression.n && !str_is(compression, "none"))
        log_warn("otel", "OTEL_EXPORTER_OTLP_COMPRESSION is %.*s; nothing is compressed",
                 STR_ARG(str_slice(compression, 0, 40)));
    return E_OK;
}

/* ---- pairs: "key=value,key=value", values percent-encoded ---- */

static err next_pair(const reader *r, const char *name, str *rest, otel_pair *out, fail *f) {
    str part = str_trim(str_cut(rest, ','));
    size_t at = str_find_char(part, '=');
    *out = (otel_pair){STR(""), STR("")};
    if (!part.n) return E_OK;            /* a comma too many */
    if (at == STR_INDEX_NONE || at == 0) /* the value may be a key: it is not shown */
        return fail_set(f, E_USAGE, "%s is not key=value,key=value", name);
    out->key = arena_str(r->a, str_trim(str_slice(part, 0, at)));
    if (!out->key.p) return fail_memory(f, "settings");
    if (url_decode(r->a, str_trim(str_slice(part, at + 1, part.n)), false, &out->value, NULL) !=
        E_OK)
        return fail_set(f, E_USAGE, "%s: the value of %.*s is not percent-encoded", name,
                        STR_ARG(out->key));
    return E_OK;
}

static err read_fields(const reader *r, fail *f) {
    const char *name = "OTEL_EXPORTER_OTLP_HEADERS";
    str rest = value_of(r, name);
    while (rest.p && rest.n) {
        otel_pair pair;
        TRY(next_pair(r, name, &rest, &pair, f));
        if (!pair.key.n) continue;
        if (r->out->n_fields == OTEL_FIELDS_MAX)
            return fail_set(f, E_USAGE, "%s holds more than %d headers", name, OTEL_FIELDS_MAX);
        r->out->fields[r->out->n_fields++] = (http_field){pair.key.p, pair.value};
    }
    return E_OK;
}

static err read_about(const reader *r, fail *f) {
    const char *name = "OTEL_RESOURCE_ATTRIBUTES";
    str rest = value_of(r, name), service = value_of(r, "OTEL_SERVICE_NAME");
    otel_pair *first = &r->out->about[0];
    *first = (otel_pair){STR("service.name"), service.n ? arena_str(r->a, service) : STR("bantam")};
    if (!first->value.p) return fail_memory(f, "settings");
    r->out->n_about = 1;
    while (rest.p && rest.n) {
        otel_pair pair;
        TRY(next_pair(r, name, &rest, &pair, f));
        if (!pair.key.n) continue;
        if (str_is(pair.key, "service.name")) {
            if (!service.n) first->value = pair.value;
            continue;
        }
        if (r->out->n_about == OTEL_PAIRS_MAX)
            return fail_set(f, E_USAGE, "%s holds more than %d attributes", name,
                            OTEL_PAIRS_MAX - 1);
        r->out->about[r->out->n_about++] = pair;
    }
    return E_OK;
}

/* ---- how ---- */

static err read_number(const reader *r, const char *name, int64_t fallback, int64_t min,
                       int64_t max, int64_t *out, fail *f) {
    str v = value_of(r, name);
    int64_t n = fallback;
    if (v.n && (!str_to_int(v, &n) || n < min || n > max))
        return fail_set(f, E_USAGE, "%s is \"%.*s\", not a whole number from %lld to %lld", name,
                        STR_ARG(str_slice(v, 0, 40)), (long long)min, (long long)max);
    *out = n;
    return E_OK;
}

static err read_sampler(const reader *r, fail *f) {
    static const struct {
        const char *name;
        otel_sampler sampler;
        bool asks_parent;
    } known[] = {{"parentbased_always_on", OTEL_SAMPLE_ALL, true},
                 {"parentbased_always_off", OTEL_SAMPLE_NONE, true},
                 {"parentbased_traceidratio", OTEL_SAMPLE_RATIO, true},
                 {"always_on", OTEL_SAMPLE_ALL, false},
                 {"always_off", OTEL_SAMPLE_NONE, false},
                 {"traceidratio", OTEL_SAMPLE_RATIO, false}};
    enum { N_KNOWN = sizeof known / sizeof *known };
    str name = value_of(r, "OTEL_TRACES_SAMPLER"), ratio = value_of(r, "OTEL_TRACES_SAMPLER_ARG");
    size_t i = 0;
    while (name.n && i < N_KNOWN && !str_is(name, known[i].name)) i++;
    if (i == N_KNOWN)
        return fail_set(f, E_UNSUPPORTED,
                        "OTEL_TRACES_SAMPLER is \"%.*s\", which is not known here",
                        STR_ARG(str_slice(name, 0, 40)));
    r->out->sampler = known[i].sampler;
    r->out->asks_parent = known[i].asks_parent;
    r->out->ratio = 1;
    if (known[i].sampler == OTEL_SAMPLE_RATIO && ratio.n &&
        (!str_to_double(ratio, &r->out->ratio) || r->out->ratio < 0 || r->out->ratio > 1))
        return fail_set(f, E_USAGE, "OTEL_TRACES_SAMPLER_ARG is \"%.*s\", not from 0 to 1",
                        STR_ARG(str_slice(ratio, 0, 40)));
    return E_OK;
}

static err read_pace(const reader *r, fail *f) {
    otel_settings *o = r->out;
    TRY(read_number(r, "OTEL_EXPORTER_OTLP_TIMEOUT", TIMEOUT_MS, 1, DAY_MS, &o->timeout_ms, f));
    TRY(read_number(r, "OTEL_BSP_SCHEDULE_DELAY", DELAY_MS, 1, DAY_MS, &o->delay_ms, f));
    TRY(read_number(r, "OTEL_METRIC_EXPORT_INTERVAL", METRICS_MS, 1, DAY_MS, &o->metrics_ms, f));
    TRY(read_number(r, "OTEL_BSP_MAX_QUEUE_SIZE", QUEUE_MAX, 1, QUEUE_MOST, &o->queue_max, f));
    return read_number(r, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", BATCH_MAX, 1, QUEUE_MOST, &o->batch_max,
                       f);
}

err otel_settings_read(arena *a, const char *url, otel_env env, void *env_self, otel_settings *out,
                       fail *f) {
    reader r = {.a = a, .env = env, .env_self = env_self, .out = out};
    *out = (otel_settings){.traces_url = NULL};
    if (url ? str_is(str_from(url), "off") : str_is(value_of(&r, "OTEL_SDK_DISABLED"), "true"))
        return E_OK;
    TRY(read_urls(&r, url, f));
    if (!out->traces_url && !out->metrics_url) return E_OK;
    TRY(check_protocol(&r, f));
    TRY(read_fields(&r, f));
    TRY(read_about(&r, f));
    TRY(read_pace(&r, f));
    str ca = value_of(&r, "OTEL_EXPORTER_OTLP_CERTIFICATE");
    if (ca.n && !(out->ca_file = arena_z(a, ca))) return fail_memory(f, "settings");
    return read_sampler(&r, f);
}
