/* t_api_trace.c - tests api_trace.c: the spans of choices, of errors, of streams and of a task, as
 * a collector gets them; what they never say. */
#include "api_fake.h"

#include "api/api_int.h"

static http_server *collector;
static otel *telemetry;
static mutex lock;
static buf bodies; /* of traces, one a line */

static void collect(void *ctx, http_request *rq, http_reply *rp) {
    (void)ctx;
    mutex_lock(&lock);
    if (str_is(rq->path, "/v1/traces")) {
        buf_put(&bodies, rq->body);
        buf_put_char(&bodies, '\n');
    }
    mutex_unlock(&lock);
    (void)!http_send(rp, 200, "application/json", STR("{}"), NULL);
}

static int open_all(void **state) {
    fail f;
    static char url[64]; /* outlives the exporter */
    mutex_init(&lock);
    if (fake_open(state) != 0) return -1;
    assert_ok(http_server_open(&collector, &(http_options){.handler = collect, .workers = 1}, &f),
              &f);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/v1/traces", http_server_port(collector));
    otel_options o = {.settings = {.traces_url = url,
                                   .timeout_ms = 5000,
                                   .delay_ms = 10,
                                   .metrics_ms = 60000,
                                   .queue_max = 1000,
                                   .batch_max = 100,
                                   .asks_parent = true},
                      .version = STR("test")};
    assert_ok(otel_open(&telemetry, &o, &f), &f);
    fx.api->o.otel = telemetry; /* nobody asked yet */
    return 0;
}

static int close_all(void **state) {
    int bad = fake_close(state);
    otel_close(telemetry, 1000);
    http_server_close(collector, 100);
    buf_deinit(&bodies);
    return bad;
}

static int reset(void **state) {
    (void)state;
    arena_reset(&fx.arena);
    return 0;
}

/* ---- asking within a trace of our own ---- */

static const char *begin_trace(int n) {
    return arena_printf(&fx.arena, "%032x", 0xabc000 + n).p;
}

static void ask_in(const char *trace, const char *path, const char *body, int status) {
    http_answer answer;
    str parent = arena_printf(&fx.arena, "00-%s-00f067aa0ba902b7-01", trace);
    http_field fields[] = {{"Content-Type", STR("application/json")}, {"traceparent", parent}};
    http_call call = {.url = url_of(path), .body = str_from(body), .fields = fields, .fields_n = 2};
    assert_ok(http_ask(&fx.arena, &call, &answer, &fx.f), &fx.f);
    if (answer.status != status) fail_msg("%s -> %d", path, answer.status);
}

enum { SPANS_MAX = 32 };
typedef struct found {
    const json *spans[SPANS_MAX];
    size_t n;
} found;

static bool is_text(const json *v, const char *wanted) {
    return v && v->kind == JSON_STRING && str_is(v->string, wanted);
}

static void take(found *out, const json *body, const char *trace) {
    const json *scope =
        json_at(json_get(json_at(json_get(body, "resourceSpans"), 0), "scopeSpans"), 0);
    const json *list = json_get(scope, "spans");
    for (size_t i = 0; list && i < list->count && out->n < SPANS_MAX; i++)
        if (is_text(json_get(&list->items[i], "traceId"), trace))
            out->spans[out->n++] = &list->items[i];
}

/* All spans of a trace, once its request's own is there: it is the last. */
static found spans_of(const char *trace) {
    for (int i = 0; i < 500; i++) {
        found out = {.n = 0};
        bool whole = false;
        mutex_lock(&lock);
        str all = arena_str(&fx.arena, buf_str(&bodies));
        mutex_unlock(&lock);
        while (all.p && all.n) {
            const json *v;
            str line = str_cut(&all, '\n');
            if (line.n && json_parse(&fx.arena, line, &v, NULL) == E_OK) take(&out, v, trace);
        }
        for (size_t k = 0; k < out.n; k++)
            whole |= json_get(out.spans[k], "kind")->integer == OTEL_SERVER;
        if (whole) return out;
        clock_sleep_ms(10);
    }
    fail_msg("the trace %s does not come", trace);
    return (found){.n = 0};
}

static const json *named(const found *all, const char *name, size_t which) {
    for (size_t i = 0; i < all->n; i++)
        if (is_text(json_get(all->spans[i], "name"), name) && which-- == 0) return all->spans[i];
    return NULL;
}

static const json *attribute(const json *span, const char *key) {
    const json *list = json_get(span, "attributes");
    for (size_t i = 0; list && i < list->count; i++)
        if (is_text(json_get(&list->items[i], "key"), key))
            return &json_get(&list->items[i], "value")->members[0].value;
    return NULL;
}

static bool below(const json *child, const json *parent) {
    return str_eq(json_get(child, "parentSpanId")->string, json_get(parent, "spanId")->string);
}

#define CHAT(model, more) \
    "{\"model\":\"" model "\",\"messages\":[{\"role\":\"user\",\"content\":\"otter\"}]" more "}"

static void choices_are_spans_of_one_request(void **state) {
    (void)state;
    const char *trace = begin_trace(1);
    ask_in(trace, "/v1/chat/completions", CHAT("echo", ",\"n\":3"), 200);
    found all = spans_of(trace);
    const json *root = named(&all, "POST /v1/chat/completions", 0);
    assert_non_null(root);
    assert_true(is_text(json_get(root, "parentSpanId"), "00f067aa0ba902b7"));
    for (size_t i = 0; i < 3; i++) {
        const json *one = named(&all, "chat echo", i);
        assert_true(one && below(one, root));
        assert_true(is_text(attribute(one, "gen_ai.request.choice.count"), "3"));
        assert_true(is_text(attribute(one, "gen_ai.usage.output_tokens"), "3"));
        for (size_t k = 0; k < i; k++)
            assert_false(str_eq(json_get(one, "spanId")->string,
                                json_get(named(&all, "chat echo", k), "spanId")->string));
    }
    assert_null(named(&all, "chat echo", 3));
}

static void an_error_has_its_type(void **state) {
    (void)state;
    const char *trace = begin_trace(2);
    ask_in(trace, "/v1/chat/completions", CHAT("broken", ""), 500);
    found all = spans_of(trace);
    const json *one = named(&all, "chat broken", 0),
               *root = named(&all, "POST /v1/chat/completions", 0);
    assert_true(attribute(one, "error.type") && attribute(root, "error.type"));
    assert_int_equal(json_get(json_get(one, "status"), "code")->integer, 2);
    assert_int_equal(json_get(json_get(root, "status"), "code")->integer, 2);
    assert_null(attribute(one, "gen_ai.usage.output_tokens"));
}

static void a_refused_request_is_one_span(void **state) {
    (void)state;
    const char *trace = begin_trace(3);
    ask_in(trace, "/v1/chat/completions", "{\"model\":7}", 400);
    ask_in(trace, "/v1/no/such/place", "{}", 404);
    found all = spans_of(trace);
    const json *root = named(&all, "POST /v1/chat/completions", 0);
    assert_true(is_text(attribute(root, "http.response.status_code"), "400"));
    assert_null(json_get(root, "status")); /* the client's fault is no error of the server */
    for (int i = 0; i < 500 && !named(&all, "POST", 0); i++) all = spans_of(trace);
    assert_null(attribute(named(&all, "POST", 0), "http.route"));
}

static void a_stream_says_so(void **state) {
    (void)state;
    const char *trace = begin_trace(4);
    ask_in(trace, "/v1/chat/completions", CHAT("echo", ",\"stream\":true,\"top_k\":4"), 200);
    found all = spans_of(trace);
    const json *one = named(&all, "chat echo", 0);
    assert_true(attribute(one, "gen_ai.request.stream")->boolean);
    assert_true(attribute(one, "gen_ai.response.time_to_first_chunk")->number > 0);
    assert_true(attribute(one, "gen_ai.request.top_k")->number == 4);
}

static void a_task_says_its_tiers(void **state) {
    (void)state;
    const char *trace = begin_trace(5);
    ask_in(trace, "/v1/tasks/desk/ask", "{\"text\":\"an otter in my boot\",\"user\":\"otto\"}",
           200);
    found all = spans_of(trace);
    const json *one = named(&all, "chat task:desk", 0), *tier = named(&all, "tier slm", 0);
    assert_true(one && tier && below(tier, one));
    assert_non_null(attribute(tier, "bantam.reason"));
    assert_non_null(attribute(one, "bantam.tier"));
}

/* Behind the others: of all that was sent. */
static void no_word_is_told(void **state) {
    (void)state;
    mutex_lock(&lock);
    str all = buf_str(&bodies);
    assert_true(all.n > 1000);
    assert_true(str_find(all, STR("otter")) == STR_INDEX_NONE);
    assert_true(str_find(all, STR("otto")) == STR_INDEX_NONE);
    assert_true(str_find(all, STR("You said")) == STR_INDEX_NONE);
    assert_true(str_find(all, STR("127.0.0.1:")) == STR_INDEX_NONE);
    mutex_unlock(&lock);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(choices_are_spans_of_one_request, reset),
        cmocka_unit_test_setup(an_error_has_its_type, reset),
        cmocka_unit_test_setup(a_refused_request_is_one_span, reset),
        cmocka_unit_test_setup(a_stream_says_so, reset),
        cmocka_unit_test_setup(a_task_says_its_tiers, reset),
        cmocka_unit_test_setup(no_word_is_told, reset)};
    return cmocka_run_group_tests(tests, open_all, close_all);
}
