/* t_otel.c - tests otel/: traceparent by the cases of W3C's own test suite, settings, spans and
 * metrics as a JSON parser sees them, and the exporter against a collector of ours that refuses,
 * hangs and is not there. */
#include "test.h"

#include "base/clock.h"
#include "base/log.h"
#include "net/http_server.h"
#include "otel/otel_int.h"
#include "text/hash.h"

#include <math.h>
#include <stdatomic.h>

static arena mem;
static fail f;

static int each_setup(void **state) {
    (void)state;
    arena_init(&mem, 0);
    f = (fail){0};
    return 0;
}
static int each_teardown(void **state) {
    (void)state;
    arena_deinit(&mem);
    return 0;
}

/* ---- traceparent ---- */

#define TRACE "12345678901234567890123456789012"
#define SPAN "1234567890123456"

static void parents(void **state) {
    (void)state;
    static const struct {
        const char *header;
        bool good;
    } rows[] = {
        {"00-" TRACE "-" SPAN "-01", true},
        {"00-" TRACE "-" SPAN "-00", true},
        {"00-" TRACE "-" SPAN "-ff", true}, /* flags that nobody knows */
        {"cc-" TRACE "-" SPAN "-01", true}, /* a later version */
        {"cc-" TRACE "-" SPAN "-01-what-the-future-will-be-like", true},
        {"cc-" TRACE "-" SPAN "-01.what-the-future-will-not-be-like", false},
        {"ff-" TRACE "-" SPAN "-01", false},
        {"00-" TRACE "-" SPAN "-01-what-the-future-will-be-like", false},
        {"00-00000000000000000000000000000000-" SPAN "-01", false},
        {"00-" TRACE "-0000000000000000-01", false},
        {"00-.2345678901234567890123456789012-" SPAN "-01", false},
        {"00-1234567890123456789012345678901X-" SPAN "-01", false},
        {"00-12345678901234567890123456789O12-" SPAN "-01", false},
        {"00-ABCDEF78901234567890123456789012-" SPAN "-01", false},
        {"00-" TRACE "-" SPAN "-.0", false},
        {"00-" TRACE "-" SPAN "-0", false},
        {"00-" TRACE "-123456789012345-01", false},
        {"0-" TRACE "-" SPAN "-01", false},
        {"00_" TRACE "-" SPAN "-01", false},
        {"00-" TRACE "." SPAN "-01", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        otel_context c = {0};
        if (otel_parent_read(str_from(rows[i].header), &c) != rows[i].good)
            fail_msg("%s", rows[i].header);
        assert_int_equal(c.parent != 0, rows[i].good);
    }
}

static void a_context_of_a_request(void **state) {
    (void)state;
    otel_context a, b;
    char trace[OTEL_TRACE_BYTES], parent[OTEL_PARENT_BYTES], want[HASH_SHA256_HEX_BYTES];
    otel_context_of(STR("req_abc"), STR_NONE, STR("x=1"), &a);
    hash_sha256_hex(STR("req_abc"), want);
    otel_trace_text(&a, trace);
    assert_memory_equal(trace, want, 32);
    assert_true(a.parent == 0 && a.flags == 0 && a.state.n == 0); /* a state of no parent */
    otel_context_of(STR("req_abc"), STR("00-" TRACE "-" SPAN "-01"), STR("x=1"), &b);
    assert_true(b.span == a.span && b.parent == 0x1234567890123456 && b.flags == OTEL_SAMPLED);
    assert_true(str_is(b.state, "x=1"));
    otel_parent_text(&b, 0xab, parent);
    assert_string_equal(parent, "00-" TRACE "-00000000000000ab-01");
    otel_context_of(STR("req_abc"), STR("00-" TRACE "-" SPAN "-01"), STR("x=\x01"), &b);
    assert_int_equal(b.state.n, 0);
}

/* ---- settings ---- */

static const char *vars[8][2];
static const char *env(void *self, const char *name) {
    (void)self;
    for (size_t i = 0; i < 8 && vars[i][0]; i++)
        if (!strcmp(vars[i][0], name)) return vars[i][1];
    return NULL;
}
static otel_settings settings_of(const char *url) {
    otel_settings s;
    assert_ok(otel_settings_read(&mem, url, env, NULL, &s, &f), &f);
    return s;
}
#define SET(...) memcpy(vars, (const char *[8][2])__VA_ARGS__, sizeof vars)

static void settings(void **state) {
    (void)state;
    SET({{0}});
    otel_settings s = settings_of(NULL);
    assert_true(!s.traces_url && !s.metrics_url); /* nobody asked for it */
    s = settings_of("http://c:4318/");
    assert_string_equal(s.traces_url, "http://c:4318/v1/traces");
    assert_string_equal(s.metrics_url, "http://c:4318/v1/metrics");
    assert_true(s.delay_ms == 5000 && s.metrics_ms == 60000 && s.timeout_ms == 10000);
    assert_true(s.queue_max == 2048 && s.batch_max == 512 && s.asks_parent);
    SET({{"OTEL_EXPORTER_OTLP_ENDPOINT", "https://c/x"},
         {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://m:1/own"},
         {"OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b, x=1,"},
         {"OTEL_RESOURCE_ATTRIBUTES", "service.name=other,deployment.environment.name=test"},
         {"OTEL_TRACES_SAMPLER", "traceidratio"},
         {"OTEL_TRACES_SAMPLER_ARG", "0.25"}});
    s = settings_of(NULL);
    assert_string_equal(s.traces_url, "https://c/x/v1/traces");
    assert_string_equal(s.metrics_url, "http://m:1/own");
    assert_int_equal(s.n_fields, 2);
    assert_true(str_is(s.fields[0].value, "a b") && str_is(s.fields[1].value, "1"));
    assert_true(s.n_about == 2 && str_is(s.about[0].value, "other"));
    assert_true(s.sampler == OTEL_SAMPLE_RATIO && !s.asks_parent && s.ratio == 0.25);
    s = settings_of("http://c");
    assert_string_equal(s.metrics_url, "http://c/v1/metrics"); /* the option goes first */
    assert_null(settings_of("off").traces_url);
    SET({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"},
         {"OTEL_SERVICE_NAME", "desk"},
         {"OTEL_RESOURCE_ATTRIBUTES", "service.name=other"},
         {"OTEL_TRACES_EXPORTER", "none"}});
    s = settings_of(NULL);
    assert_true(str_is(s.about[0].value, "desk") && !s.traces_url && s.metrics_url);
    SET({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"}, {"OTEL_SDK_DISABLED", "true"}});
    assert_null(settings_of(NULL).traces_url);
}

static void settings_that_cannot_be(void **state) {
    (void)state;
    static const struct {
        const char *name, *value;
        err e;
    } rows[] = {{"OTEL_EXPORTER_OTLP_ENDPOINT", "c:4317", E_USAGE},
                {"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", E_UNSUPPORTED},
                {"OTEL_TRACES_EXPORTER", "zipkin", E_UNSUPPORTED},
                {"OTEL_TRACES_SAMPLER", "jaeger_remote", E_UNSUPPORTED},
                {"OTEL_EXPORTER_OTLP_HEADERS", "secret", E_USAGE},
                {"OTEL_EXPORTER_OTLP_HEADERS", "a=%zz", E_USAGE},
                {"OTEL_BSP_SCHEDULE_DELAY", "soon", E_USAGE},
                {"OTEL_EXPORTER_OTLP_TIMEOUT", "0", E_USAGE}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        otel_settings s;
        bool endpoint = !strcmp(rows[i].name, "OTEL_EXPORTER_OTLP_ENDPOINT");
        SET({{0}});
        vars[0][0] = rows[i].name;
        vars[0][1] = rows[i].value;
        err e = otel_settings_read(&mem, endpoint ? NULL : "http://c", env, NULL, &s, &f);
        if (e != rows[i].e) fail_msg("%s=%s gives %d", rows[i].name, rows[i].value, (int)e);
        assert_non_null(strstr(f.text, rows[i].name));
        assert_null(strstr(f.text, "secret"));
    }
}

/* ---- a collector ---- */

enum { BODIES_MAX = 64 };
/* Collectors that misbehave, beside those that answer with a status. */
enum { HANGS, GARBAGE, CUTS, TRICKLES, FLOODS, BEHAVIOURS };

static http_server *server;
static char base[64];
static struct {
    int status; /* of answers from now on, or how it misbehaves */
    int refuse; /* so many get 503 first */
    const char *answer;
    int asked, n;
    char *bodies[BODIES_MAX]; /* taken */
    char paths[BODIES_MAX][32], keys[BODIES_MAX][32];
} collector;
static mutex lock;

/* A body that is no JSON; one that breaks off; one that never ends, slowly or fast. */
static void misbehave(int how, http_request *rq, http_reply *rp) {
    static char much[64 << 10];
    if (how == GARBAGE) (void)!http_send(rp, 200, "text/html", STR("<html>\xff{"), NULL);
    if (how < CUTS || http_stream_begin(rp, 200, "application/json", NULL) != E_OK) return;
    (void)!http_stream_put(rp, STR("{\"partialSuc"), NULL);
    memset(much, ' ', sizeof much);
    while (how == TRICKLES && http_stream_put(rp, STR(" "), NULL) == E_OK && !http_gone(rq))
        clock_sleep_ms(10);
    while (how == FLOODS && http_stream_put(rp, (str){much, sizeof much}, NULL) == E_OK) continue;
}

static void collect(void *ctx, http_request *rq, http_reply *rp) {
    (void)ctx;
    mutex_lock(&lock);
    int status = collector.refuse > 0 ? 503 : collector.status;
    collector.refuse -= collector.refuse > 0;
    collector.asked++;
    if (status == 200 && collector.n < BODIES_MAX) {
        int i = collector.n++;
        collector.bodies[i] = strndup(rq->body.p, rq->body.n);
        snprintf(collector.paths[i], 32, "%.*s", STR_ARG(rq->path));
        snprintf(collector.keys[i], 32, "%.*s", STR_ARG(http_header_get(rq, "api-key")));
    }
    const char *answer = collector.answer;
    mutex_unlock(&lock);
    while (status == HANGS && !http_gone(rq)) clock_sleep_ms(5);
    if (status < BEHAVIOURS) {
        misbehave(status, rq, rp);
        return;
    }
    if (status == 503) http_reply_header(rp, "Retry-After", STR("0"));
    (void)!http_send(rp, status, "application/json", str_from(answer), NULL);
}

static void begin(int status) {
    mutex_lock(&lock);
    for (int i = 0; i < collector.n; i++) free(collector.bodies[i]);
    memset(&collector, 0, sizeof collector);
    collector.status = status;
    collector.answer = "{}";
    mutex_unlock(&lock);
}

static int asked(void) {
    mutex_lock(&lock);
    int n = collector.asked;
    mutex_unlock(&lock);
    return n;
}

static int setup(void **state) {
    (void)state;
    mutex_init(&lock);
    log_set_level((log_level)-1); /* it complains, as it should */
    http_options o = {.handler = collect, .workers = 3};
    if (http_server_open(&server, &o, &f) != E_OK) return -1;
    snprintf(base, sizeof base, "http://127.0.0.1:%d", http_server_port(server));
    return 0;
}
static int teardown(void **state) {
    (void)state;
    http_server_close(server, 100);
    begin(0);
    return 0;
}

static void put_measure(void *self, buf *out) {
    buf_put_z(out, self);
}

static otel *open_to(const char *url, int64_t queue_max, const char *text) {
    otel *t;
    SET({{"OTEL_EXPORTER_OTLP_HEADERS", "api-key=k"}});
    otel_options o = {.settings = settings_of(url), .version = STR("1.2.3")};
    o.settings.delay_ms = 20;
    o.settings.queue_max = queue_max;
    if (text) {
        o.measure = put_measure;
        o.self = (void *)(uintptr_t)text;
    }
    assert_ok(otel_open(&t, &o, &f), &f);
    return t;
}

/* One that waits timeout_ms for an answer, for tests of those that give none. */
static otel *open_hasty(const char *url, int64_t timeout_ms) {
    otel *t;
    SET({{"OTEL_EXPORTER_OTLP_HEADERS", "api-key=k"}});
    otel_options o = {.settings = settings_of(url), .version = STR("1.2.3")};
    o.settings.delay_ms = 20;
    o.settings.timeout_ms = timeout_ms;
    assert_ok(otel_open(&t, &o, &f), &f);
    return t;
}

static otel_context sampled(void) {
    otel_context c;
    otel_context_of(STR("req_1"), STR("00-" TRACE "-" SPAN "-01"), STR("v=1"), &c);
    return c;
}

static void send_one(otel *t, const otel_context *c, const char *error) {
    otel_spans s = {.n = 0};
    otel_span_begin(&s, &(otel_span){.of = c,
                                     .id = c->span,
                                     .parent = c->parent,
                                     .remote = true,
                                     .kind = OTEL_SERVER,
                                     .name = STR("POST /x"),
                                     .start_ns = 1000,
                                     .end_ns = 3500,
                                     .error = error});
    otel_put_text(&s, "text", STR("a \"b\" \xff"));
    otel_put_text(&s, "nothing", STR(""));
    otel_put_int(&s, "int", INT64_MAX);
    otel_put_double(&s, "double", 0.5);
    otel_put_double(&s, "nan", (double)NAN);
    otel_put_bool(&s, "bool", true);
    otel_put_list(&s, "list", (str[]){STR("stop"), STR("length")}, 2);
    otel_span_end(&s);
    otel_send(t, &s);
    assert_true(s.n == 0 && s.out.p == NULL);
}

static const json *body_of(const char *path, int which) {
    const json *v = NULL;
    mutex_lock(&lock);
    for (int i = 0; i < collector.n && !v; i++)
        if (!strcmp(collector.paths[i], path) && which-- == 0)
            assert_ok(json_parse(&mem, str_from(collector.bodies[i]), &v, &f), &f);
    mutex_unlock(&lock);
    return v;
}

static const json *list_of(const json *body, const char *outer, const char *scope,
                           const char *list) {
    const json *resource = json_at(json_get(body, outer), 0);
    const json *about = json_get(json_get(resource, "resource"), "attributes");
    assert_true(str_is(json_get(json_at(about, 0), "key")->string, "service.name"));
    const json *one = json_at(json_get(resource, scope), 0);
    assert_true(str_is(json_get(json_get(one, "scope"), "version")->string, "1.2.3"));
    return json_get(one, list);
}

/* The value of an attribute, NULL when it is not there. */
static const json *attribute(const json *of, const char *key) {
    const json *list = json_get(of, "attributes");
    for (size_t i = 0; list && i < list->count; i++)
        if (str_is(json_get(&list->items[i], "key")->string, key))
            return &json_get(&list->items[i], "value")->members[0].value;
    return NULL;
}

static bool is_text(const json *v, const char *wanted) {
    return v && v->kind == JSON_STRING && str_is(v->string, wanted);
}

static void spans_as_json(void **state) {
    (void)state;
    begin(200);
    otel *t = open_to(base, 100, NULL);
    otel_context c = sampled();
    send_one(t, &c, NULL);
    send_one(t, &c, "timeout");
    otel_close(t, 2000);
    const json *list = list_of(body_of("/v1/traces", 0), "resourceSpans", "scopeSpans", "spans");
    assert_true(list->count >= 1);
    const json *s = json_at(list, 0);
    assert_true(is_text(json_get(s, "traceId"), TRACE));
    assert_true(is_text(json_get(s, "parentSpanId"), SPAN));
    assert_int_equal(json_get(s, "spanId")->string.n, 16);
    assert_true(is_text(json_get(s, "traceState"), "v=1"));
    assert_int_equal(json_get(s, "kind")->integer, 2);
    assert_int_equal(json_get(s, "flags")->integer, 0x301);
    int64_t start, end;
    assert_true(str_to_int(json_get(s, "startTimeUnixNano")->string, &start));
    assert_true(str_to_int(json_get(s, "endTimeUnixNano")->string, &end));
    assert_int_equal(end - start, 2500);
    assert_null(json_get(s, "status"));
    assert_true(is_text(attribute(s, "text"), "a \"b\" \xef\xbf\xbd"));
    assert_true(is_text(attribute(s, "int"), "9223372036854775807"));
    assert_true(attribute(s, "double")->number == 0.5 && attribute(s, "bool")->boolean);
    assert_null(attribute(s, "nothing"));
    assert_null(attribute(s, "nan"));
    const json *values = json_get(attribute(s, "list"), "values");
    assert_true(values->count == 2 && is_text(&values->items[1].members[0].value, "length"));
    const json *bad =
        list->count > 1
            ? json_at(list, 1)
            : json_at(list_of(body_of("/v1/traces", 1), "resourceSpans", "scopeSpans", "spans"), 0);
    assert_int_equal(json_get(json_get(bad, "status"), "code")->integer, 2);
    assert_true(is_text(attribute(bad, "error.type"), "timeout"));
    assert_string_equal(collector.keys[0], "k");
}

static const char text[] = "# HELP seen_total How many.\n"
                           "# TYPE seen_total counter\n"
                           "seen_total{route=\"/a\\\"b\\n\"} 7\nseen_total 1.5\n"
                           "# HELP bytes_free Room.\n# TYPE bytes_free gauge\nbytes_free NaN\n"
                           "bytes_free{x=\"1\"} 3\n"
                           "# HELP took_seconds Time.\n# TYPE took_seconds histogram\n"
                           "took_seconds_bucket{op=\"a\",le=\"0.5\"} 2\n"
                           "took_seconds_bucket{op=\"a\",le=\"1\"} 2\n"
                           "took_seconds_bucket{op=\"a\",le=\"+Inf\"} 5\n"
                           "took_seconds_sum{op=\"a\"} 9.25\ntook_seconds_count{op=\"a\"} 5\n"
                           "# TYPE odd summary\nodd 3\nnonsense{ 4\n";

static const json *metric(const json *list, const char *name) {
    for (size_t i = 0; i < list->count; i++)
        if (is_text(json_get(&list->items[i], "name"), name)) return &list->items[i];
    return NULL;
}

static const json *point(const json *of, const char *kind, size_t i) {
    return json_at(json_get(json_get(of, kind), "dataPoints"), i);
}

static void metrics_as_json(void **state) {
    (void)state;
    begin(200);
    otel *t = open_to(base, 100, text);
    for (int i = 0; i < 3; i++)
        otel_count(t, &(otel_operation){.operation = STR("chat"),
                                        .provider = STR("bantam"),
                                        .request_model = STR("m"),
                                        .response_model = STR("m"),
                                        .duration_s = 0.02, /* a bound belongs to its bucket */
                                        .first_token_s = 0.003,
                                        .per_token_s = (double)NAN,
                                        .input_tokens = 16,
                                        .output_tokens = -1});
    otel_count(t, &(otel_operation){.operation = STR("chat"),
                                    .provider = STR("openai"),
                                    .request_model = STR("big"),
                                    .address = STR("api.openai.com"),
                                    .error = "timeout",
                                    .duration_s = 100,
                                    .first_token_s = (double)NAN,
                                    .per_token_s = (double)NAN,
                                    .input_tokens = -1,
                                    .output_tokens = -1});
    otel_close(t, 2000);
    const json *list =
        list_of(body_of("/v1/metrics", 0), "resourceMetrics", "scopeMetrics", "metrics");
    const json *p = point(metric(list, "gen_ai.server.request.duration"), "histogram", 0);
    assert_true(is_text(json_get(p, "count"), "3"));
    assert_true(is_text(json_at(json_get(p, "bucketCounts"), 1), "3"));
    assert_int_equal(json_get(p, "bucketCounts")->count, 15);
    assert_int_equal(json_get(p, "explicitBounds")->count, 14);
    assert_true(is_text(attribute(p, "gen_ai.request.model"), "m"));
    assert_null(point(metric(list, "gen_ai.server.request.duration"), "histogram", 1));
    assert_null(metric(list, "gen_ai.server.time_per_output_token"));
    p = point(metric(list, "gen_ai.client.token.usage"), "histogram", 0);
    assert_true(is_text(attribute(p, "gen_ai.token.type"), "input"));
    assert_true(json_get(p, "sum")->number == 48);
    p = point(metric(list, "gen_ai.client.operation.duration"), "histogram", 0);
    assert_true(is_text(attribute(p, "error.type"), "timeout"));
    assert_true(is_text(attribute(p, "server.address"), "api.openai.com"));
    assert_true(is_text(json_at(json_get(p, "bucketCounts"), 14), "1"));
    /* the text */
    p = point(metric(list, "seen_total"), "sum", 0);
    assert_true(is_text(json_get(p, "asInt"), "7") && is_text(attribute(p, "route"), "/a\"b\n"));
    assert_true(point(metric(list, "seen_total"), "sum", 1)->count > 0);
    assert_true(json_get(json_get(metric(list, "seen_total"), "sum"), "isMonotonic")->boolean);
    assert_true(is_text(json_get(point(metric(list, "bytes_free"), "gauge", 0), "asInt"), "3"));
    assert_null(point(metric(list, "bytes_free"), "gauge", 1));
    p = point(metric(list, "took_seconds"), "histogram", 0);
    assert_true(is_text(json_get(p, "count"), "5") && json_get(p, "sum")->number == 9.25);
    assert_true(is_text(json_at(json_get(p, "bucketCounts"), 0), "2"));
    assert_true(is_text(json_at(json_get(p, "bucketCounts"), 1), "0"));
    assert_true(is_text(json_at(json_get(p, "bucketCounts"), 2), "3"));
    assert_true(json_at(json_get(p, "explicitBounds"), 1)->number == 1);
    assert_null(attribute(p, "le"));
    assert_true(is_text(attribute(p, "op"), "a"));
    assert_true(is_text(json_get(metric(list, "took_seconds"), "unit"), "s"));
    assert_null(metric(list, "odd"));
}

/* More sets of attributes than there are places are one set that says so. */
static void sets_are_bounded(void **state) {
    (void)state;
    begin(200);
    otel *t = open_to(base, 100, NULL);
    for (int i = 0; i < OTEL_SERIES_MAX + 5; i++) {
        char name[100];
        snprintf(name, sizeof name, "%080d", i); /* all alike in their first 64 bytes... */
        otel_count(t, &(otel_operation){.operation = STR("chat"),
                                        .request_model = str_from(name + 40),
                                        .duration_s = 1,
                                        .first_token_s = (double)NAN,
                                        .per_token_s = (double)NAN,
                                        .input_tokens = -1,
                                        .output_tokens = -1});
    }
    otel_close(t, 2000);
    const json *list =
        list_of(body_of("/v1/metrics", 0), "resourceMetrics", "scopeMetrics", "metrics");
    const json *m = metric(list, "gen_ai.server.request.duration");
    assert_int_equal(json_get(json_get(m, "histogram"), "dataPoints")->count, OTEL_SERIES_MAX + 1);
    const json *last = point(m, "histogram", OTEL_SERIES_MAX);
    assert_true(attribute(last, "otel.metric.overflow")->boolean);
    assert_true(is_text(json_get(last, "count"), "5"));
}

static otel_counts wait_for(otel *t, int64_t sent, int64_t dropped) {
    otel_counts n;
    for (int i = 0; i < 1000; i++) {
        otel_counts_get(t, &n);
        if (n.sent >= sent && n.dropped >= dropped) return n;
        clock_sleep_ms(10);
    }
    fail_msg("%lld sent, %lld dropped", (long long)n.sent, (long long)n.dropped);
    return n;
}

static void refused_for_now_is_sent_again(void **state) {
    (void)state;
    begin(200);
    mutex_lock(&lock);
    collector.refuse = 2;
    mutex_unlock(&lock);
    otel *t = open_to(base, 100, NULL);
    otel_context c = sampled();
    send_one(t, &c, NULL);
    otel_counts n = wait_for(t, 1, 0);
    assert_true(n.tries == 3 && n.failures == 2 && n.dropped == 0);
    otel_close(t, 2000);
    assert_int_equal(
        list_of(body_of("/v1/traces", 0), "resourceSpans", "scopeSpans", "spans")->count, 1);
}

static void refused_for_good_is_dropped(void **state) {
    (void)state;
    begin(400);
    otel *t = open_to(base, 100, NULL);
    otel_context c = sampled();
    send_one(t, &c, NULL);
    otel_counts n = wait_for(t, 0, 1);
    assert_true(n.tries == 1 && n.failures == 1 && n.sent == 0);
    mutex_lock(&lock);
    collector.status = 200;
    collector.answer = "{\"partialSuccess\":{\"rejectedSpans\":\"1\",\"errorMessage\":\"no\"}}";
    mutex_unlock(&lock);
    send_one(t, &c, NULL);
    n = wait_for(t, 0, 2); /* taken, but for one */
    assert_int_equal(n.sent, 0);
    otel_close(t, 2000);
}

/* Nobody listens: who sends never waits, what has no room is dropped, and the end is bounded. */
static void nobody_there(void **state) {
    (void)state;
    begin(200);
    otel *t = open_to("http://127.0.0.1:1", 8, NULL);
    otel_context c = sampled();
    int64_t start_ns = clock_mono_ns();
    for (int i = 0; i < 1000; i++) send_one(t, &c, NULL);
    assert_true(clock_mono_ns() - start_ns < 2000000000); /* 2 ms each would be a wait */
    otel_counts n;
    otel_counts_get(t, &n);
    assert_true(n.sent == 0 && n.dropped > 900);
    otel_close(t, 100);
}

static void one_that_hangs_ends_in_time(void **state) {
    (void)state;
    begin(0);
    otel *t = open_to(base, 100, NULL);
    otel_context c = sampled();
    send_one(t, &c, NULL);
    while (asked() == 0) clock_sleep_ms(5);
    int64_t start_ns = clock_mono_ns();
    otel_close(t, 200);
    assert_true(clock_mono_ns() - start_ns < (int64_t)5 * 1000000000); /* not its 10 s */
}

/* Whatever the collector does, each span is sent or counted as dropped, and the end is bounded.
 * What was answered with 2xx is taken: no second copy of it is sent. */
static void collectors_that_misbehave(void **state) {
    (void)state;
    static const struct {
        int status;
        bool sent;  /* the span counts as taken */
        bool again; /* it is tried more than once */
    } rows[] = {{GARBAGE, true, false}, {CUTS, false, true}, {TRICKLES, false, true},
                {FLOODS, false, false}, {301, false, false}, {401, false, false},
                {404, false, false},    {413, false, false}, {429, false, true},
                {500, false, false},    {502, false, true},  {504, false, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        begin(rows[i].status);
        otel *t = open_hasty(base, 300);
        otel_context c = sampled();
        otel_counts n;
        send_one(t, &c, NULL);
        for (int ms = 0; ms < 20000; ms++) {
            otel_counts_get(t, &n);
            if (n.sent + n.dropped || n.failures > 1) break;
            clock_sleep_ms(1);
        }
        if (n.sent != rows[i].sent || (n.failures > 1) != rows[i].again)
            fail_msg("%d: %lld sent, %lld failures", rows[i].status, (long long)n.sent,
                     (long long)n.failures);
        int64_t start_ns = clock_mono_ns();
        otel_close(t, 200);
        assert_true(clock_mono_ns() - start_ns < (int64_t)5 * 1000000000);
    }
}

/* What waits is bounded in bytes, too, and a collector that came back gets it. */
static void memory_is_bounded(void **state) {
    (void)state;
    begin(HANGS);
    otel *t = open_to(base, 1000000, NULL);
    otel_context c = sampled();
    char *large = calloc(1, 100001);
    assert_non_null(large);
    memset(large, 'x', 100000);
    send_one(t, &c, NULL);
    while (asked() == 0) clock_sleep_ms(5); /* from now on all that is sent waits */
    for (int i = 0; i < 1000; i++) send_one(t, &c, large);
    otel_counts n;
    otel_counts_get(t, &n);
    /* of 100 MB at most 16 MiB lie in the queue, 2 MiB or one more in the body on its way */
    assert_true(n.dropped >= 1000 - (18 << 20) / 100000 - 1 && n.dropped < 1000);
    otel_close(t, 100);
    free(large);
}

static void sampling(void **state) {
    (void)state;
    otel t = {.o.settings = {.sampler = OTEL_SAMPLE_RATIO, .asks_parent = true, .ratio = 0.25}};
    int kept = 0;
    for (int i = 0; i < 4000; i++) {
        char id[32];
        otel_context c;
        snprintf(id, sizeof id, "req_%d", i);
        otel_context_of(str_from(id), STR_NONE, STR_NONE, &c);
        otel_sample(&t, &c);
        kept += c.flags & OTEL_SAMPLED;
    }
    assert_true(kept > 880 && kept < 1120); /* 1000, 4.4 deviations */
    otel_context c = sampled();
    t.o.settings.sampler = OTEL_SAMPLE_NONE;
    otel_sample(&t, &c);
    assert_int_equal(c.flags, OTEL_SAMPLED); /* its caller decided */
    t.o.settings.asks_parent = false;
    otel_sample(&t, &c);
    assert_int_equal(c.flags, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, each_setup, each_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {TEST(parents),
                                       TEST(a_context_of_a_request),
                                       TEST(settings),
                                       TEST(settings_that_cannot_be),
                                       TEST(spans_as_json),
                                       TEST(metrics_as_json),
                                       TEST(sets_are_bounded),
                                       TEST(refused_for_now_is_sent_again),
                                       TEST(refused_for_good_is_dropped),
                                       TEST(nobody_there),
                                       TEST(one_that_hangs_ends_in_time),
                                       TEST(collectors_that_misbehave),
                                       TEST(memory_is_bounded),
                                       TEST(sampling)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
