/* t_api_metrics.c - tests api_metrics.c: the text line by line against the format's own rules, what
 * is counted, who may see it, readiness. */
#include "api_fake.h"

#include <ctype.h>

#define CHAT(model, more) \
    "{\"model\":\"" model "\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]" more "}"

static int reset(void **state) {
    (void)state;
    arena_reset(&fx.arena);
    return 0;
}

static const char *text_of(const char *path, int status) {
    http_answer answer;
    http_call call = {.url = url_of(path)};
    assert_ok(http_ask(&fx.arena, &call, &answer, &fx.f), &fx.f);
    if (answer.status != status)
        fail_msg("%s -> %d: %.*s", path, answer.status, STR_ARG(answer.body));
    return arena_printf(&fx.arena, "\n%.*s", STR_ARG(answer.body)).p;
}

/* ---- the format, read by its rules and not by our writer ---- */

static bool is_name(char c, bool first) {
    return isalpha((unsigned char)c) || c == '_' || c == ':' ||
           (!first && isdigit((unsigned char)c));
}

static const char *read_name(const char *p) {
    assert_true(is_name(*p, true));
    while (is_name(*p, false)) p++;
    return p;
}

/* name="value",...} with \\, \" and \n */
static const char *read_labels(const char *p) {
    while (*p != '}') {
        p = read_name(p);
        assert_int_equal(*p++, '=');
        assert_int_equal(*p++, '"');
        for (; *p != '"'; p++) {
            assert_true((unsigned char)*p >= ' ');
            if (*p != '\\') continue;
            p++;
            assert_non_null(strchr("\\\"n", *p));
        }
        p++;
        assert_true(*p == ',' || *p == '}');
        if (*p == ',') p++;
    }
    return p + 1;
}

static bool has_suffix(const char *name, size_t n, const char *suffix) {
    return n > strlen(suffix) && !memcmp(name + n - strlen(suffix), suffix, strlen(suffix));
}

/* Lines that are not comments; each must belong to the family whose TYPE came last. */
static int read_all(const char *text) {
    char family[128] = "", type[32] = "", seen[256][128];
    int samples = 0, families = 0;
    double bucket = 0;
    text++;
    while (*text) {
        const char *end = strchr(text, '\n');
        assert_non_null(end);
        if (!strncmp(text, "# TYPE ", 7)) {
            assert_int_equal(sscanf(text, "# TYPE %127s %31s", family, type), 2);
            assert_true(!strcmp(type, "counter") || !strcmp(type, "gauge") ||
                        !strcmp(type, "histogram"));
            for (int i = 0; i < families; i++) assert_string_not_equal(seen[i], family);
            assert_true(families < 256);
            strcpy(seen[families++], family);
            if (!strcmp(type, "counter")) assert_true(has_suffix(family, strlen(family), "_total"));
        } else if (*text != '#') {
            const char *p = read_name(text);
            size_t n = (size_t)(p - text), fn = strlen(family);
            assert_true(n >= fn && !memcmp(text, family, fn));
            bool is_bucket = has_suffix(text, n, "_bucket"),
                 is_count = has_suffix(text, n, "_count");
            if (strcmp(type, "histogram") != 0) assert_int_equal(n, fn);
            if (*p == '{') p = read_labels(p + 1);
            assert_int_equal(*p, ' ');
            char *stop;
            double v = strtod(p + 1, &stop);
            assert_ptr_equal(stop, end);
            if (is_bucket) {
                assert_true(v >= bucket); /* they are cumulative */
                bucket = v;
            } else if (is_count && !strcmp(type, "histogram")) {
                assert_true(v == bucket); /* +Inf is the count */
                bucket = 0;
            }
            samples++;
        }
        text = end + 1;
    }
    return samples;
}

/* Of one line that begins so; -1 when there is none. */
static double value(const char *text, const char *line) {
    const char *at = strstr(text, arena_printf(&fx.arena, "\n%s ", line).p);
    return at ? atof(at + strlen(line) + 2) : -1;
}

/* An answer is counted just behind its last byte: look until it is there. */
static const char *wait_for(const char *line, double wanted) {
    for (int i = 0; i < 500; i++) {
        const char *text = text_of("/metrics", 200);
        if (value(text, line) >= wanted) return text;
        clock_sleep_ms(10);
    }
    fail_msg("%s does not become %g", line, wanted);
    return "";
}

/* ---- tests ---- */

static void is_well_formed(void **state) {
    (void)state;
    ask("/v1/chat/completions", CHAT("echo", ""), 200);
    assert_true(read_all(text_of("/metrics", 200)) > 60);
    const char *both = text_of("/metrics?names=vllm", 200);
    assert_true(read_all(both) > 70);
    assert_true(value(both, "vllm:num_requests_running{model_name=\"echo\"}") == 2);
    assert_null(strstr(text_of("/metrics", 200), "vllm:"));
    text_of("/metrics?names=other", 400);
}

#define CHAT_LABELS "method=\"POST\",route=\"/v1/chat/completions\""

static void counts_answers_and_tokens(void **state) {
    (void)state;
    const char *ok = "bantam_requests_total{" CHAT_LABELS ",code=\"200\"}";
    const char *none = "bantam_requests_total{method=\"none\",route=\"none\",code=\"404\"}";
    const char *missing = "bantam_requests_total{" CHAT_LABELS ",code=\"404\"}";
    ask("/v1/chat/completions", CHAT("echo", ""), 200);
    const char *before = wait_for(ok, 1);
    double was = value(before, ok), in = value(before, "bantam_prompt_tokens_total");
    double out = value(before, "bantam_generation_tokens_total");
    const json *v = ask("/v1/chat/completions", CHAT("echo", ""), 200);
    assert_true(value(wait_for(ok, was + 1), "bantam_time_to_first_token_seconds_count") >= 2);
    ask("/v1/chat/completions", CHAT("nobody", ""), 404);
    ask("/nowhere", NULL, 404);
    wait_for(none, 1);
    wait_for(missing, 1);
    const char *after = wait_for(ok, was + 1);
    assert_true(value(after, ok) == was + 1);
    int64_t prompt = at(v, "usage.prompt_tokens")->integer;
    int64_t made = at(v, "usage.completion_tokens")->integer;
    assert_true(value(after, "bantam_prompt_tokens_total") == in + (double)prompt);
    assert_true(value(after, "bantam_generation_tokens_total") == out + (double)made);
    assert_true(value(after, "bantam_request_duration_seconds_count{" CHAT_LABELS "}") == was + 2);
}

static void counts_inputs_of_embeddings(void **state) {
    (void)state;
    double in = value(text_of("/metrics", 200), "bantam_prompt_tokens_total");
    ask("/v1/embeddings", "{\"model\":\"bag\",\"input\":\"three small words\"}", 200);
    wait_for("bantam_prompt_tokens_total", in + 3);
}

static void shows_the_models(void **state) {
    (void)state;
    const char *text = text_of("/metrics", 200);
    assert_true(value(text, "bantam_models_loaded") == 1);
    assert_true(value(text, "bantam_model_memory_bytes{model=\"echo\"}") == 4096);
    assert_true(value(text, "bantam_kv_cache_pages{model=\"echo\"}") == 8);
    assert_true(value(text, "bantam_kv_cache_usage_ratio{model=\"echo\"}") == 0.25);
    assert_true(value(text, "bantam_engine_sequences_waiting{model=\"echo\"}") == 3);
    assert_true(value(text, "bantam_prefix_cache_hits_total{model=\"echo\"}") == 40);
    assert_true(value(text, "bantam_build_info{version=\"test\"}") == 1);
    assert_true(value(text, "process_resident_memory_bytes") > 100000);
    assert_null(strstr(text, "model=\"bag\"")); /* not open */
}

static void holds_no_word_of_a_prompt(void **state) {
    (void)state;
    ask("/v1/chat/completions",
        "{\"model\":\"echo\",\"user\":\"kimberly\",\"messages\":[{\"role\":\"user\",\"content\":"
        "\"xyzzyplugh\"}]}",
        200);
    ask("/xyzzyplugh", NULL, 404);
    const char *text = text_of("/metrics?names=vllm", 200);
    assert_null(strstr(text, "xyzzy"));
    assert_null(strstr(text, "kimberly"));
}

static void says_when_it_drains(void **state) {
    (void)state;
    assert_text(ask("/ready", NULL, 200), "status", "ready");
    assert_text(ask("/healthz/ready", NULL, 200), "status", "ready");
    assert_true(value(text_of("/metrics", 200), "bantam_ready") == 1);
    api_drain(fx.api);
    assert_text(ask("/ready", NULL, 503), "status", "draining");
    assert_text(ask("/healthz/ready", NULL, 503), "status", "draining");
    assert_text(ask("/healthz/live", NULL, 200), "status", "alive");
    assert_true(value(text_of("/metrics", 200), "bantam_ready") == 0);
    ask("/v1/chat/completions", CHAT("echo", ""), 200); /* answered all the same */
}

/* Last: the server is opened again, with a key. */
static void wants_a_key_where_one_is_required(void **state) {
    (void)state;
    close_server();
    open_server(true);
    text_of("/metrics", 401);
    text_of("/ready", 200);
    text_of("/healthz/live", 200);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(is_well_formed, reset),
        cmocka_unit_test_setup(counts_answers_and_tokens, reset),
        cmocka_unit_test_setup(counts_inputs_of_embeddings, reset),
        cmocka_unit_test_setup(shows_the_models, reset),
        cmocka_unit_test_setup(holds_no_word_of_a_prompt, reset),
        cmocka_unit_test_setup(says_when_it_drains, reset),
        cmocka_unit_test_setup(wants_a_key_where_one_is_required, reset),
    };
    return cmocka_run_group_tests(tests, fake_open, fake_close);
}
