/* t_api.c - tests api/: OpenAI's routes against fake models, tasks, the queue, waiting askers, the
 * record, keys and the page, through a real server on loopback. */
#include "api_wire.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "text/base64.h"

#define CHAT(model, more) \
    "{\"model\":\"" model "\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]" more "}"
#define TASK_CHAT(text, more) \
    "{\"model\":\"task:desk\",\"messages\":[{\"role\":\"user\",\"content\":\"" text "\"}]" more "}"

static int reset(void **state) {
    (void)state;
    arena_reset(&fx.arena);
    return 0;
}

/* ---- chats with a model ---- */

static void chats_whole(void **state) {
    (void)state;
    const json *v = ask("/v1/chat/completions", CHAT("echo", ""), 200);
    assert_text(v, "object", "chat.completion");
    assert_text(v, "model", "echo");
    assert_text(v, "choices.0.message.role", "assistant");
    assert_text(v, "choices.0.message.content", "You said hi");
    assert_text(v, "choices.0.finish_reason", "stop");
    assert_null_at(v, "choices.0.logprobs");
    assert_int_equal(at(v, "usage.total_tokens")->integer, 14);
    assert_null_at(v, "bantam.tier");
    const char *path =
        arena_printf(&fx.arena, "/v1/requests/%.*s", STR_ARG(text_at(v, "bantam.trace"))).p;
    assert_text(ask(path, NULL, 200), "question", "hi");
}

static void reads_every_field(void **state) {
    (void)state;
    const json *v = ask("/v1/chat/completions",
                        CHAT("echo", ",\"max_completion_tokens\":3,\"temperature\":0.5,"
                                     "\"top_p\":0.9,\"seed\":42,\"stop\":[\"x\",\"yy\"],"
                                     "\"logprobs\":true,\"top_logprobs\":2,\"user\":\"kim\","
                                     "\"n\":1,\"tools\":[],\"response_format\":{\"type\":"
                                     "\"text\"},\"presence_penalty\":0,\"metadata\":{\"a\":\"b\"}"),
                        200);
    assert_text(v, "choices.0.finish_reason", "length");
    assert_text(v, "choices.0.logprobs.content.0.token", "You");
    assert_int_equal(at(v, "choices.0.logprobs.content.0.bytes.0")->integer, 'Y');
    assert_int_equal(last_request.max_tokens, 3);
    assert_int_equal(last_request.sampling.seed, 42);
    assert_true(last_request.sampling.temperature > 0.49 && last_request.sampling.top_p < 0.91);
    assert_int_equal(last_request.n_stops, 2);
    assert_int_equal(last_request.top_logprobs, 2);
    ask("/v1/chat/completions",
        "{\"model\":\"echo\",\"messages\":[{\"role\":\"developer\",\"content\":\"be kind\"},"
        "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
        "{\"type\":\"text\",\"text\":\"b\"}]}]}",
        200);
    assert_int_equal(last_request.n_messages, 2);
    assert_int_equal(last_request.top_logprobs, -1);
    ask("/v1/chat/completions",
        "{\"model\":\"echo\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],"
        "\"logit_bias\":{\"7\":-1.5},\"presence_penalty\":0.5,\"response_format\":"
        "{\"type\":\"json_schema\",\"json_schema\":{\"schema\":{\"type\":\"null\"}}}}",
        200);
    assert_int_equal(last_request.shape.kind, GEN_SHAPE_SCHEMA);
    assert_int_equal(last_request.n_bias, 1);
    assert_true(last_request.sampling.presence_penalty > 0.4);
}

static void reads_how_urgent_it_is(void **state) {
    (void)state;
    int64_t now_ms = clock_now_ms();
    ask("/v1/chat/completions",
        CHAT("echo", ",\"priority\":-3,\"deadline_ms\":60000,\"adapter\":\"support\""), 200);
    assert_int_equal(last_request.priority, -3);
    assert_true(last_request.deadline_ms >= now_ms + 60000);
    assert_true(last_request.deadline_ms <= clock_now_ms() + 60000);
    assert_true(str_is(last_request.adapter, "support"));
    ask("/v1/chat/completions",
        "{\"model\":\"echo\",\"safety_identifier\":\"kim\",\"messages\":[{\"role\":\"user\","
        "\"content\":"
        "\"hi\"}]}",
        200);
    assert_true(str_is(last_request.subject, "kim"));
    const json *v = ask("/v1/chat/completions", CHAT("echo", ",\"priority\":11"), 400);
    assert_text(v, "error.param", "priority");
    v = ask("/v1/chat/completions", CHAT("echo", ",\"deadline_ms\":0"), 400);
    assert_text(v, "error.param", "deadline_ms");
    v = ask("/v1/chat/completions", TASK_CHAT("hi", ",\"adapter\":\"support\""), 400);
    assert_text(v, "error.param", "adapter");
    v = ask("/v1/chat/completions", CHAT("busy", ""), 429);
    assert_text(v, "error.code", "rate_limit_exceeded");
}

#define SIXTEEN "0123456789abcdef"
#define SIXTY_FOUR SIXTEEN SIXTEEN SIXTEEN SIXTEEN
#define LONG SIXTY_FOUR SIXTY_FOUR SIXTY_FOUR SIXTY_FOUR

/* A typing mistake must not lose what was asked for. */
static void routes_of_its_own_know_their_fields(void **state) {
    (void)state;
    static const struct {
        const char *path, *body;
    } rows[] = {
        {"/v1/tasks/desk/ask", "{\"text\":\"hi\",\"usr\":\"kim\"}"},
        {"/v1/tasks/desk/mode", "{\"mode\":\"auto\",\"usr\":1}"},
        {"/v1/tasks/desk/reply", "{\"label\":\"a\",\"text\":\"b\",\"usr\":1}"},
        {"/v1/reviews/aaaaaaaa/claim", "{\"by\":\"ann\",\"usr\":1}"},
        {"/v1/reviews/aaaaaaaa/release", "{\"by\":\"ann\",\"usr\":1}"},
        {"/v1/reviews/aaaaaaaa/answer", "{\"text\":\"x\",\"usr\":1}"},
        {"/v1/reviews/aaaaaaaa/correct", "{\"text\":\"x\",\"usr\":1}"},
        {"/v1/reviews/aaaaaaaa/unlearn", "{\"usr\":1}"},
        {"/v1/requests/req_x/verdict", "{\"verdict\":\"right\",\"usr\":1}"},
        {"/v1/models/load", "{\"model\":\"echo\",\"usr\":1}"},
        {"/v1/models/unload", "{\"model\":\"echo\",\"usr\":1}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const json *v = ask(rows[i].path, rows[i].body, 400);
        assert_text(v, "error.param", "usr");
    }
}

/* The server's option says how large a body may be, and nobody else. */
static void takes_what_the_server_takes(void **state) {
    (void)state;
    enum { PAD_BYTES = 6 << 20 };
    char *pad = arena_alloc(&fx.arena, PAD_BYTES);
    assert_non_null(pad);
    memset(pad, 'x', PAD_BYTES);
    str body = arena_printf(&fx.arena, "{\"model\":\"echo\",\"pad\":\"%.*s\"}", PAD_BYTES, pad);
    assert_text(ask("/v1/chat/completions", body.p, 400), "error.param", "pad");
    assert_text(ask("/v1/files", "{\"purpose\":\"batch\"}", 400), "error.param", "file");
}

static void refuses_what_it_does_not_do(void **state) {
    (void)state;
    static const struct {
        const char *more, *param;
    } rows[] = {
        {",\"n\":9", "n"},
        {",\"n\":0", "n"},
        {",\"verbosity\":\"loud\"", "verbosity"},
        {",\"reasoning_effort\":\"huge\"", "reasoning_effort"},
        {",\"chat_template_kwargs\":[1]", "chat_template_kwargs"},
        {",\"response_format\":{\"type\":\"json_schema\"}", "response_format.json_schema"},
        {",\"response_format\":{\"type\":\"xml\"}", "response_format.type"},
        {",\"response_format\":\"json\"", "response_format"},
        {",\"logit_bias\":{\"seven\":1}", "logit_bias"},
        {",\"logit_bias\":{\"7\":101}", "logit_bias"},
        {",\"presence_penalty\":2.5", "presence_penalty"},
        {",\"modalities\":[\"audio\"]", "modalities"},
        {",\"modalities\":\"audio\"", "modalities"},
        {",\"top_logprobs\":2", "top_logprobs"},
        {",\"temperature\":3", "temperature"},
        {",\"temperature\":\"hot\"", "temperature"},
        {",\"max_tokens\":0", "max_tokens"},
        {",\"max_tokens\":1.5", "max_tokens"},
        {",\"stop\":[\"\"]", "stop"},
        {",\"stop\":7", "stop"},
        {",\"stop\":[\"x\",\"" LONG "x\"]", "stop"},
        {",\"stream\":1", "stream"},
        {",\"stream\":true,\"stream_options\":{\"includ_usage\":true}",
         "stream_options.includ_usage"},
        {",\"stream_options\":{\"include_usage\":true}", "stream_options"},
        {",\"temprature\":0", "temprature"},
        {",\"messages\":[]", "messages"},
        {",\"messages\":[7]", "messages[0].role"},
        {",\"messages\":[{\"role\":\"robot\",\"content\":\"x\"}]", "messages[0].role"},
        {",\"messages\":[{\"role\":\"user\"}]", "messages[0].content"},
        {",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\"}]}]",
         "messages[0].content"},
        {",\"model\":\"\"", "model"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        str body = arena_printf(&fx.arena,
                                "{\"model\":\"echo\",\"messages\":[{\"role\":\"user\","
                                "\"content\":\"hi\"}]%s}",
                                rows[i].more);
        const json *v = ask("/v1/chat/completions", body.p, 400);
        assert_text(v, "error.param", rows[i].param);
        assert_text(v, "error.type", "invalid_request_error");
        assert_int_equal(at(v, "error")->count, 4);
    }
}

static void says_what_is_wrong(void **state) {
    (void)state;
    const json *v = ask("/v1/chat/completions", CHAT("nobody", ""), 404);
    assert_text(v, "error.code", "model_not_found");
    assert_text(v, "error.param", "model");
    v = ask("/v1/chat/completions", CHAT("task:nobody", ""), 404);
    assert_text(v, "error.code", "model_not_found");
    v = ask("/v1/chat/completions", "{\"model\":", 400);
    assert_text(v, "error.code", "invalid_json");
    assert_null_at(v, "error.param");
    ask("/v1/chat/completions", "[1]", 400);
    v = ask("/v1/chat/completions", CHAT("broken", ""), 500);
    assert_text(v, "error.type", "server_error");
    v = ask("/v1/nothing", NULL, 404);
    assert_text(v, "error.code", "not_found");
    v = ask("/v1/chat/completions", NULL, 405);
    assert_text(v, "error.code", "method_not_allowed");
    v = ask("/v1/chat/completions/", "{}", 404);
    assert_int_equal(at(v, "error")->count, 4);
}

static void words_that_no_record_has_are_named(void **state) {
    (void)state;
    assert_text(ask("/v1/requests?tier=zz", NULL, 400), "error.param", "tier");
    assert_text(ask("/v1/requests?verdict=zz", NULL, 400), "error.param", "verdict");
    ask("/v1/requests?tier=none", NULL, 200);
}

/* RFC 9110, 15.5.6: all of them. */
static void says_which_methods_are_done(void **state) {
    (void)state;
    static const char *const cases[][2] = {{"/v1/files", "POST, GET, HEAD"},
                                           {"/v1/files/x", "GET, HEAD, DELETE"},
                                           {"/v1/models/load", "GET, HEAD, POST"},
                                           {"/v1/chat/completions", "POST"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char wire[4096];
        str text = arena_printf(&fx.arena,
                                "PUT %s HTTP/1.1\r\nHost: localhost:%d\r\nConnection: close\r\n"
                                "Content-Length: 0\r\n\r\n",
                                cases[i][0], fx.port);
        wire_ask(fx.port, text.p, wire, sizeof wire);
        str line = arena_printf(&fx.arena, "\r\nAllow: %s\r\n", cases[i][1]);
        if (!strstr(wire, line.p)) fail_msg("no \"%s\" in %s", line.p, wire);
    }
}

/* ---- streams ---- */

static void streams_words_as_they_come(void **state) {
    (void)state;
    wire_stream("/v1/chat/completions",
                CHAT("echo", ",\"stream\":true,\"stream_options\":{\"include_usage\":true},"
                             "\"logprobs\":true"));
    assert_non_null(strstr(wire, "Content-Type: text/event-stream"));
    assert_text(event_at(0), "object", "chat.completion.chunk");
    assert_text(event_at(0), "choices.0.delta.role", "assistant");
    assert_text(event_at(0), "choices.0.delta.content", "");
    assert_null_at(event_at(0), "usage");
    assert_text(event_at(1), "choices.0.delta.content", "You ");
    assert_text(event_at(1), "choices.0.logprobs.content.0.token", "You ");
    assert_null_at(event_at(1), "choices.0.finish_reason");
    assert_text(event_at(2), "choices.0.delta.content", "said ");
    assert_text(event_at(3), "choices.0.delta.content", "hi");
    assert_text(event_at(4), "choices.0.finish_reason", "stop");
    assert_int_equal(at(event_at(4), "choices.0.delta")->count, 0);
    assert_non_null(at(event_at(4), "bantam.trace"));
    assert_int_equal(at(event_at(5), "choices")->count, 0);
    assert_int_equal(at(event_at(5), "usage.total_tokens")->integer, 14);
    assert_null(event_at(6));
    assert_non_null(strstr(wire, "data: [DONE]\n\n"));
    assert_true(str_eq(text_at(event_at(0), "id"), text_at(event_at(5), "id")));
}

static void tells_thoughts_apart(void **state) {
    (void)state;
    const json *v = ask("/v1/chat/completions", CHAT("thinker", ""), 200);
    assert_text(v, "choices.0.message.reasoning_content", "Let me think.");
    assert_text(v, "choices.0.message.content", "Yes.");
    assert_int_equal(at(v, "usage.completion_tokens_details.reasoning_tokens")->integer, 5);
    v = ask(arena_printf(&fx.arena, "/v1/requests/%.*s", STR_ARG(text_at(v, "bantam.trace"))).p,
            NULL, 200);
    assert_text(v, "answer", "<think>\nLet me think.\n</think>\nYes.");
    v = ask("/v1/chat/completions", CHAT("thinker", ",\"n\":2"), 200);
    assert_int_equal(at(v, "usage.completion_tokens_details.reasoning_tokens")->integer, 10);
    v = ask("/v1/chat/completions", CHAT("thinker", ",\"reasoning_format\":\"none\""), 200);
    assert_text(v, "choices.0.message.content", "Let me think.Yes.");
    assert_null(json_get(at(v, "choices.0.message"), "reasoning_content"));
    v = ask("/v1/chat/completions", CHAT("echo", ""), 200);
    assert_null(json_get(at(v, "choices.0.message"), "reasoning_content"));
    assert_text(ask("/v1/chat/completions", CHAT("thinker", ",\"reasoning_format\":\"x\""), 400),
                "error.param", "reasoning_format");
    ask("/v1/chat/completions", CHAT("thinker", ",\"reasoning_effort\":\"none\""), 200);
    assert_false(json_get(last_request.extra, "enable_thinking")->boolean);
    assert_false(json_get(last_request.extra, "thinking")->boolean);
    wire_stream("/v1/chat/completions", CHAT("thinker", ",\"stream\":true"));
    assert_text(event_at(1), "choices.0.delta.reasoning_content", "Let me ");
    assert_null(json_get(at(event_at(1), "choices.0.delta"), "content"));
    assert_text(event_at(2), "choices.0.delta.reasoning_content", "think.");
    assert_text(event_at(3), "choices.0.delta.content", "Yes.");
    assert_text(event_at(4), "choices.0.finish_reason", "stop");
}

static void a_stream_that_breaks_says_so(void **state) {
    (void)state;
    wire_stream("/v1/chat/completions", CHAT("broken", ",\"stream\":true"));
    assert_text(event_at(1), "choices.0.delta.content", "half ");
    assert_text(event_at(2), "error.message", "the model broke");
    assert_null(strstr(wire, "[DONE]"));
    const json *v = ask("/v1/chat/completions", CHAT("nobody", ",\"stream\":true"), 404);
    assert_text(v, "error.code", "model_not_found");
}

static void who_leaves_stops_the_model(void **state) {
    (void)state;
    int fd = wire_open(fx.port);
    atomic_store(&stuck_ended, 0);
    wire_put(fd, "POST", "/v1/chat/completions", JSON_TYPE, CHAT("stuck", ",\"stream\":true"));
    assert_true(wire_read(fd, "and ", wire, WIRE_BYTES, 5000));
    close(fd);
    for (int i = 0; i < 2000 && !atomic_load(&stuck_ended); i++) clock_sleep_ms(2);
    assert_int_equal(atomic_load(&stuck_ended), E_CANCELLED + 1);
}

/* ---- embeddings, models ---- */

static void embeds(void **state) {
    (void)state;
    const json *v =
        ask("/v1/embeddings", "{\"model\":\"bag\",\"input\":[\"one two\",\"three\"]}", 200);
    assert_int_equal(at(v, "data")->count, 2);
    assert_int_equal(at(v, "data.1.index")->integer, 1);
    assert_int_equal(at(v, "data.0.embedding")->count, BAG_WIDTH);
    assert_int_equal(at(v, "usage.prompt_tokens")->integer, 3);
    const json *b =
        ask("/v1/embeddings",
            "{\"model\":\"bag\",\"input\":\"one two\",\"encoding_format\":\"base64\"}", 200);
    str bytes;
    assert_ok(
        base64_decode(&fx.arena, BASE64_STANDARD, text_at(b, "data.0.embedding"), &bytes, &fx.f),
        &fx.f);
    assert_int_equal(bytes.n, 4 * BAG_WIDTH);
    for (size_t i = 0; i < BAG_WIDTH; i++) {
        const unsigned char *p = (const unsigned char *)bytes.p + 4 * i;
        uint32_t bits =
            (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        float x;
        memcpy(&x, &bits, sizeof x);
        assert_true(fabs((double)x - json_at(at(v, "data.0.embedding"), i)->number) < 1e-7);
    }
}

static void refuses_embeddings(void **state) {
    (void)state;
    static const struct {
        const char *body, *param;
    } rows[] = {
        {"{\"model\":\"bag\"}", "input"},
        {"{\"model\":\"bag\",\"input\":[]}", "input"},
        {"{\"model\":\"bag\",\"input\":\"\"}", "input"},
        {"{\"model\":\"bag\",\"input\":[1,2.5]}", "input"},
        {"{\"model\":\"bag\",\"input\":[1,\"a\"]}", "input"},
        {"{\"model\":\"bag\",\"input\":[\"a\",1]}", "input"},
        {"{\"model\":\"bag\",\"input\":[[1],[]]}", "input"},
        {"{\"model\":\"bag\",\"input\":[[1],[-1]]}", "input"},
        {"{\"model\":\"bag\",\"input\":[[1],\"a\"]}", "input"},
        {"{\"model\":\"bag\",\"input\":[999]}", "input"},
        {"{\"model\":\"cross\",\"input\":[1]}", "input"},
        {"{\"model\":\"bag\",\"input\":\"a\",\"dimensions\":7}", "dimensions"},
        {"{\"model\":\"bag\",\"input\":\"a\",\"encoding_format\":\"hex\"}", "encoding_format"},
        {"{\"input\":\"a\"}", "model"},
        {"{\"model\":\"bag\",\"input\":\"a\",\"colour\":1}", "colour"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_text(ask("/v1/embeddings", rows[i].body, 400), "error.param", rows[i].param);
    char *text = arena_alloc(&fx.arena, 3001);
    memset(text, 'a', 3000);
    str body = arena_printf(&fx.arena, "{\"model\":\"bag\",\"input\":\"%s\"}", text);
    assert_text(ask("/v1/embeddings", body.p, 400), "error.code", "context_length_exceeded");
    ask("/v1/embeddings", "{\"model\":\"none\",\"input\":\"a\"}", 404);
}

static void embeds_tokens(void **state) {
    (void)state;
    const json *words = ask("/v1/embeddings", "{\"model\":\"bag\",\"input\":\"7 8\"}", 200);
    const json *one = ask("/v1/embeddings", "{\"model\":\"bag\",\"input\":[7,8]}", 200);
    const json *many = ask("/v1/embeddings", "{\"model\":\"bag\",\"input\":[[1],[7,8]]}", 200);
    assert_int_equal(at(one, "data")->count, 1);
    assert_int_equal(at(many, "data")->count, 2);
    assert_int_equal(at(many, "usage.prompt_tokens")->integer, 3);
    for (size_t i = 0; i < BAG_WIDTH; i++) {
        double want = json_at(at(words, "data.0.embedding"), i)->number;
        assert_true(json_at(at(one, "data.0.embedding"), i)->number == want);
        assert_true(json_at(at(many, "data.1.embedding"), i)->number == want);
    }
}

/* The newest record. */
static const json *newest(void) {
    const json *list = ask("/v1/requests?limit=1", NULL, 200);
    str id = text_at(list, "requests.0.id");
    return ask(arena_printf(&fx.arena, "/v1/requests/%.*s", STR_ARG(id)).p, NULL, 200);
}

static void embeddings_are_on_the_record(void **state) {
    (void)state;
    ask("/v1/embeddings", "{\"model\":\"bag\",\"input\":[\"one two\",\"three\"],\"user\":\"kim\"}",
        200);
    const json *v = newest();
    assert_text(v, "purpose", "embed");
    assert_text(v, "task", "bag");
    assert_text(v, "subject", "kim");
    assert_text(v, "question", "one two\nthree");
    assert_text(v, "answer", "2 vectors of 256");
    assert_text(v, "steps.0.model", "bag");
    assert_text(v, "steps.0.note", "2 texts");
    assert_int_equal(at(v, "steps.0.tokens_in")->integer, 3);
    ask("/v1/embeddings", "{\"model\":\"bag\",\"input\":[[7,8]]}", 200);
    v = newest();
    assert_text(v, "question", "[7,8]");
    assert_text(v, "steps.0.note", "1 array of token ids");
    ask("/v1/embeddings", "{\"model\":\"bag\",\"input\":[999]}", 400);
    assert_text(newest(), "steps.0.outcome", "failed");
}

/* A megabyte of texts: the beginning is held, and what was left out is said. */
static void a_long_record_is_cut(void **state) {
    (void)state;
    buf b = {0};
    buf_put_z(&b, "{\"model\":\"bag\",\"input\":[\"\xc3\xa9\"");
    for (int i = 0; i < 1000; i++) buf_printf(&b, ",\"%01000d\"", i);
    buf_put_z(&b, "]}");
    ask("/v1/embeddings", arena_z(&fx.arena, buf_str(&b)), 200);
    buf_deinit(&b);
    const json *v = newest();
    assert_int_equal(text_at(v, "question").n, 32768);
    assert_text(v, "steps.0.note", "1001 texts; the record holds the first 32768 bytes");
}

static void lists_models(void **state) {
    (void)state;
    const json *v = ask("/v1/models", NULL, 200);
    assert_text(v, "object", "list");
    assert_int_equal(at(v, "data")->count, 4);
    assert_text(v, "data.2.id", "task:desk");
    assert_text(v, "data.2.bantam.kind", "task");
    assert_text(ask("/v1/models/task%3Adesk", NULL, 200), "id", "task:desk");
    assert_text(ask("/v1/models/no%2Fthing", NULL, 404), "error.code", "model_not_found");
    assert_text(ask("/health", NULL, 200), "status", "ok");
    assert_text(ask("/healthz/live", NULL, 200), "status", "alive");
    assert_text(ask("/ready", NULL, 200), "status", "ready");
    ask("/health", "{}", 405);
}

/* ---- tasks and people ---- */

static void a_task_answers(void **state) {
    (void)state;
    const json *v =
        ask("/v1/chat/completions",
            TASK_CHAT("please how do i cancel my car policy", ",\"max_tokens\":5"), 200);
    assert_text(v, "bantam.tier", "slm");
    assert_text(v, "bantam.label", "cancel");
    assert_text(v, "model", "task:desk");
    assert_text(v, "bantam.passages.0.title", "Cancelling");
    assert_non_null(strstr(text_at(v, "choices.0.message.content").p, "cancel whenever"));
    assert_null_at(v, "bantam.review");
    wire_stream("/v1/chat/completions",
                TASK_CHAT("please how do i cancel my car policy", ",\"stream\":true"));
    assert_non_null(strstr(text_at(event_at(1), "choices.0.delta.content").p, "cancel whenever"));
    assert_text(event_at(2), "choices.0.finish_reason", "stop");
    assert_text(event_at(2), "bantam.tier", "slm");
    assert_non_null(strstr(wire, "data: [DONE]\n\n"));
    v = ask("/v1/chat/completions", TASK_CHAT("hi", ",\"logprobs\":true"), 400);
    assert_text(v, "error.param", "logprobs");
}

/* Asks what a person must answer; returns the reference. */
static str ask_person(void) {
    const json *v =
        ask("/v1/chat/completions", TASK_CHAT("hello your boat service made me furious", ""), 200);
    assert_text(v, "bantam.tier", "human");
    assert_text(v, "choices.0.finish_reason", "stop");
    str ref = text_at(v, "bantam.review");
    str url = arena_printf(&fx.arena, "http://desk.test/v1/answers/%.*s", STR_ARG(ref));
    assert_true(str_eq(text_at(v, "bantam.url"), url));
    str content = text_at(v, "choices.0.message.content");
    assert_true(str_find(content, ref) != STR_INDEX_NONE);
    assert_true(str_find(content, url) != STR_INDEX_NONE);
    assert_true(str_find(content, STR("UTC")) != STR_INDEX_NONE);
    return ref;
}

static const char *path_of(const char *form, str ref) {
    buf b = {0};
    size_t mark = str_find_char(str_from(form), '*');
    buf_put(&b, (str){form, mark});
    buf_put(&b, ref);
    buf_put_z(&b, form + mark + 1);
    const char *path = arena_z(&fx.arena, buf_str(&b));
    buf_deinit(&b);
    return path;
}

static void a_person_answers(void **state) {
    (void)state;
    str ref = ask_person();
    const json *v = ask(path_of("/v1/answers/*", ref), NULL, 200);
    assert_text(v, "status", "waiting");
    assert_null_at(v, "answer");
    v = ask("/v1/reviews?search=boat&limit=5", NULL, 200);
    assert_text(v, "reviews.0.status", "open");
    assert_true(at(v, "total")->integer >= 1 && at(v, "counts.open")->integer >= 1);
    ask(path_of("/v1/reviews/*/claim", ref), "{}", 400);
    v = ask(path_of("/v1/reviews/*/claim", ref), "{\"by\":\"ann\"}", 200);
    assert_text(v, "review.claimed_by", "ann");
    v = ask(path_of("/v1/reviews/*/claim", ref), "{\"by\":\"bob\"}", 409);
    assert_text(v, "error.code", "claimed");
    v = ask(path_of("/v1/reviews/*/answer", ref), "{\"by\":\"bob\",\"text\":\"x\"}", 409);
    ask(path_of("/v1/reviews/*/release", ref), "{\"by\":\"ann\"}", 200);
    v = ask(path_of("/v1/reviews/*/answer", ref),
            "{\"by\":\"bob\",\"text\":\"We are sorry <b>\",\"label\":\"angry\"}", 200);
    assert_text(v, "text", "We are sorry <b>");
    assert_true(at(v, "learned")->boolean);
    assert_text(ask(path_of("/v1/reviews/*/answer", ref), "{\"text\":\"again\"}", 409),
                "error.code", "conflict");
    v = ask(path_of("/v1/answers/*", ref), NULL, 200);
    assert_text(v, "status", "answered");
    assert_text(v, "answer", "We are sorry <b>");
    assert_text(v, "answered_by", "bob");
    v = ask(path_of("/v1/reviews/*/correct", ref), "{\"by\":\"ann\",\"text\":\"Very sorry\"}", 200);
    assert_text(v, "text", "Very sorry");
    ask(path_of("/v1/reviews/*/unlearn", ref), "{\"by\":\"ann\"}", 200);
    v = ask(path_of("/v1/reviews/*", ref), NULL, 200);
    assert_text(v, "review.answer", "Very sorry");
    assert_true(at(v, "events")->count >= 5);
    ask("/v1/reviews/nothing", NULL, 404);
    ask("/v1/answers/nothing?wait=5", NULL, 404);
    ask("/v1/answers/nothing?wait=x", NULL, 400);
}

static size_t count_of(str text, str part) {
    size_t n = 0, at;
    while ((at = str_find(text, part)) != STR_INDEX_NONE) {
        text = str_slice(text, at + part.n, text.n);
        n++;
    }
    return n;
}

typedef struct asker {
    thread thread;
    str ref;
    arena arena;
    http_answer answer;
    int64_t ms;
    bool ok, streams;
    buf heard; /* of a stream */
    atomic_int events;
} asker;

static bool hear(void *arg, str bytes) {
    asker *x = arg;
    buf_put(&x->heard, bytes);
    atomic_store(&x->events, (int)count_of(buf_str(&x->heard), STR("\n\n")));
    return true;
}

static void wait_for_answer(void *arg) {
    asker *x = arg;
    char url[128];
    int64_t start_ns = clock_mono_ns();
    snprintf(url, sizeof url, "http://127.0.0.1:%d/v1/answers/%.*s?wait=20", fx.port,
             STR_ARG(x->ref));
    const http_field accept = {"Accept", STR("text/html, text/event-stream;q=0.9")};
    http_call call = {.url = url, .fields = &accept, .fields_n = x->streams ? 1 : 0, .ctx = x};
    if (x->streams) call.sink = hear;
    x->ok = http_ask(&x->arena, &call, &x->answer, NULL) == E_OK;
    x->ms = (clock_mono_ns() - start_ns) / 1000000;
}

static void parked(int n) {
    http_counts counts = {0};
    for (int i = 0; i < 2000; i++) {
        http_server_counts(fx.server, &counts);
        if (counts.parked == n && !counts.running) return;
        clock_sleep_ms(2);
    }
    fail_msg("%d parked", counts.parked);
}

/* Ten askers wait on four workers, and other requests go on; one answer wakes them all. */
static void askers_wait_without_a_worker(void **state) {
    (void)state;
    asker askers[10] = {0};
    str ref = ask_person();
    for (size_t i = 0; i < 10; i++) {
        askers[i].ref = ref;
        arena_init(&askers[i].arena, 0);
        assert_ok(thread_start(&askers[i].thread, "asker", wait_for_answer, &askers[i], &fx.f),
                  &fx.f);
    }
    parked(10);
    ask("/v1/models", NULL, 200);
    clock_sleep_ms(1200); /* they have looked once more, and stay */
    parked(10);
    int64_t start_ns = clock_mono_ns();
    ask(path_of("/v1/reviews/*/answer", ref), "{\"text\":\"Done\"}", 200);
    for (size_t i = 0; i < 10; i++) {
        thread_join(&askers[i].thread);
        assert_true(askers[i].ok);
        assert_int_equal(askers[i].answer.status, 200);
        assert_true(str_find(askers[i].answer.body, STR("\"answer\":\"Done\"")) != STR_INDEX_NONE);
        arena_deinit(&askers[i].arena);
    }
    assert_true(clock_mono_ns() - start_ns < 5000000000);
    ref = ask_person();
    start_ns = clock_mono_ns();
    const json *v = ask(path_of("/v1/answers/*?wait=1", ref), NULL, 200);
    assert_text(v, "status", "waiting");
    assert_true(clock_mono_ns() - start_ns >= 900000000);
}

/* As the server's main thread does. */
static void tick_until_parked(int n) {
    http_counts counts = {.parked = -1};
    for (int i = 0; i < 2000 && counts.parked != n; i++) {
        api_tick(fx.api);
        http_server_counts(fx.server, &counts);
        clock_sleep_ms(5);
    }
    assert_int_equal(counts.parked, n);
}

static void heard(const asker *x, int events) {
    for (int i = 0; i < 2000 && atomic_load(&x->events) < events; i++) {
        api_tick(fx.api);
        clock_sleep_ms(5);
    }
    assert_int_equal(atomic_load(&x->events), events);
}

/* How it stands, then each change, then the answer, and the end. */
static void an_asker_may_listen(void **state) {
    (void)state;
    asker x = {.ref = ask_person(), .streams = true};
    arena_init(&x.arena, 0);
    assert_ok(thread_start(&x.thread, "asker", wait_for_answer, &x, &fx.f), &fx.f);
    parked(1);
    heard(&x, 1);
    assert_ok(desk_claim(&fx.desk, x.ref, STR("ann"), 5, &fx.f), &fx.f); /* by another process */
    heard(&x, 2);
    ask(path_of("/v1/reviews/*/answer", x.ref), "{\"text\":\"Heard\",\"by\":\"ann\"}", 200);
    thread_join(&x.thread);
    assert_true(x.ok);
    assert_int_equal(x.answer.status, 200);
    str body = buf_str(&x.heard);
    assert_true(str_starts(body, STR("data: {\"reference\":")));
    assert_int_equal(count_of(body, STR("data: ")), 3);
    assert_int_equal(count_of(body, STR("\"claimed\":true")), 1);
    assert_int_equal(count_of(body, STR("\"status\":\"waiting\"")), 2);
    assert_int_equal(count_of(body, STR("\"answer\":\"Heard\"")), 1);
    arena_deinit(&x.arena);
    buf_deinit(&x.heard);
    tick_until_parked(0);
}

static void an_answer_of_another_process_is_seen(void **state) {
    (void)state;
    asker x = {.ref = ask_person()};
    desk_outcome outcome;
    arena_init(&x.arena, 0);
    assert_ok(thread_start(&x.thread, "asker", wait_for_answer, &x, &fx.f), &fx.f);
    parked(1);
    assert_ok(desk_answer(&fx.desk, x.ref, &(desk_decision){.text = STR("From elsewhere")},
                          &fx.arena, &outcome, &fx.f),
              &fx.f);
    tick_until_parked(0); /* nobody else wakes the asker */
    thread_join(&x.thread);
    assert_true(str_find(x.answer.body, STR("From elsewhere")) != STR_INDEX_NONE);
    assert_true(x.ms < 10000);
    arena_deinit(&x.arena);
}

static void the_switch_sends_all_to_people(void **state) {
    (void)state;
    const json *v = ask("/v1/tasks", NULL, 200);
    assert_text(v, "tasks.0.name", "desk");
    assert_text(v, "tasks.0.mode", "auto");
    assert_text(ask("/v1/tasks/desk", NULL, 200), "title", "A small desk");
    ask("/v1/tasks/nobody", NULL, 404);
    ask("/v1/tasks/desk/mode", "{\"mode\":\"none\"}", 400);
    ask("/v1/tasks/desk/mode", "{\"mode\":\"all-to-people\",\"by\":\"ann\"}", 200);
    v = ask("/v1/tasks/desk/ask", "{\"text\":\"please how do i cancel my car policy\"}", 200);
    assert_text(v, "tier", "human");
    assert_null_at(v, "answer");
    assert_true(str_find(text_at(v, "message"), text_at(v, "review")) != STR_INDEX_NONE);
    ask("/v1/tasks/desk/mode", "{\"mode\":\"auto\"}", 200);
    v = ask("/v1/tasks/desk/ask", "{\"text\":\"please how do i cancel my car policy\"}", 200);
    assert_text(v, "tier", "slm");
    assert_true(at(v, "steps")->count >= 1);
    ask("/v1/tasks/desk/ask", "{\"text\":\" \"}", 400);
    ask("/v1/tasks/desk/reply", "{\"label\":\"angry\"}", 400);
    ask("/v1/tasks/desk/reply", "{\"label\":\"refund\",\"text\":\"Money comes back.\"}", 200);
}

static void customers_may_object(void **state) {
    (void)state;
    const json *v =
        ask("/v1/tasks/desk/ask", "{\"text\":\"please how do i cancel my car policy\"}", 200);
    str id = text_at(v, "id");
    assert_text(ask(path_of("/v1/requests/*/verdict", id), "{\"verdict\":\"so-so\"}", 400),
                "error.param", "verdict");
    v = ask(path_of("/v1/requests/*/verdict", id), "{\"verdict\":\"right\"}", 200);
    assert_null_at(v, "review");
    v = ask(path_of("/v1/requests/*/verdict", id), "{\"verdict\":\"wrong\",\"note\":\"no\"}", 200);
    str ref = text_at(v, "review");
    v = ask(path_of("/v1/reviews/*", ref), NULL, 200);
    assert_text(v, "review.reason", "says_wrong");
    assert_text(v, "review.guess", "cancel");
    assert_text(ask(path_of("/v1/requests/*", id), NULL, 200), "verdict", "wrong");
    v = ask("/v1/requests?verdict=wrong&limit=5", NULL, 200);
    assert_int_equal(at(v, "requests")->count, 1);
    ask("/v1/requests/nothing", NULL, 404);
    ask("/v1/requests/nothing/verdict", "{\"verdict\":\"wrong\"}", 404);
    v = ask("/v1/cost?large_price=0.01", NULL, 200);
    assert_true(at(v, "by_tier.human.requests")->integer > 0);
    assert_true(at(v, "people_share")->number > 0.9);
    assert_true(at(v, "quoted_mix.usd")->number > 0.13);
    ask("/v1/cost?large_price=x", NULL, 400);
}

/* ---- who may ask ---- */

static void other_websites_may_not(void **state) {
    (void)state;
    int fd = wire_open(fx.port);
    wire_put(fd, "POST", "/v1/tasks/desk/mode", JSON_TYPE "Origin: http://evil.example\r\n",
             "{\"mode\":\"auto\"}");
    assert_true(wire_read(fd, "\r\n\r\n{", wire, WIRE_BYTES, 5000));
    assert_non_null(strstr(wire, "HTTP/1.1 403"));
    assert_non_null(strstr(wire, "\"type\":\"permission_error\""));
    close(fd);
}

#define TRACE "00-4bf92f3577b34da6a3ce929d0e0e4736-"
static void headers_for_callers(void **state) {
    (void)state;
    char text[256];
    snprintf(text, sizeof text,
             "GET /v1/models HTTP/1.1\r\nHost: localhost:%d\r\ntraceparent: " TRACE
             "00f067aa0ba902b7-01\r\nConnection: close\r\n\r\n",
             fx.port);
    wire_ask(fx.port, text, wire, WIRE_BYTES);
    assert_non_null(strstr(wire, "traceparent: " TRACE)); /* its trace, and our span in it */
    assert_null(strstr(wire, "00f067aa0ba902b7"));
    assert_non_null(strstr(wire, "openai-processing-ms: "));
    assert_non_null(strstr(wire, "x-request-id: req_"));
    snprintf(text, sizeof text,
             "GET /nosuch HTTP/1.1\r\nHost: localhost:%d\r\ntraceparent: 00-nonsense\r\n"
             "Connection: close\r\n\r\n",
             fx.port);
    wire_ask(fx.port, text, wire, WIRE_BYTES);
    assert_non_null(strstr(wire, "traceparent: 00-")); /* what is not valid begins a new one */
    assert_null(strstr(wire, "nonsense"));
    assert_non_null(strstr(wire, "openai-processing-ms: "));
}

static void the_page_is_inside(void **state) {
    (void)state;
    static const char *const paths[] = {"/", "/index.html", "/app.css", "/app.js"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        str text = arena_printf(&fx.arena,
                                "GET %s HTTP/1.1\r\nHost: localhost:%d\r\n"
                                "Accept: text/html\r\nConnection: close\r\n\r\n",
                                paths[i], fx.port);
        wire_ask(fx.port, text.p, wire, WIRE_BYTES);
        assert_non_null(strstr(wire, "HTTP/1.1 200"));
        assert_non_null(strstr(wire, "Content-Security-Policy: default-src 'self'"));
        assert_non_null(strstr(wire, "X-Content-Type-Options: nosniff"));
        assert_non_null(strstr(wire, "Cache-Control: no-store"));
    }
    str icon = arena_printf(&fx.arena,
                            "GET /favicon.ico HTTP/1.1\r\nHost: localhost:%d\r\n"
                            "Connection: close\r\n\r\n",
                            fx.port);
    wire_ask(fx.port, icon.p, wire, WIRE_BYTES);
    assert_non_null(strstr(wire, "HTTP/1.1 204"));
}

/* Each allocation of a request fails in turn: an error in OpenAI's shape, or a connection that
 * ends, and the server goes on. */
static void lives_without_memory(void **state) {
    (void)state;
    static const struct {
        const char *path, *body;
    } rows[] = {
        {"/v1/chat/completions", CHAT("echo", ",\"logprobs\":true,\"stop\":[\"a\"]")},
        {"/v1/chat/completions", CHAT("echo", ",\"stream\":true")},
        {"/v1/chat/completions", TASK_CHAT("hello your boat service made me furious", "")},
        {"/v1/tasks/desk/ask", "{\"text\":\"please how do i cancel my car policy\"}"},
        {"/v1/embeddings", "{\"model\":\"bag\",\"input\":\"a\",\"encoding_format\":\"base64\"}"},
    };
    log_set_level(LOG_ERROR);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int64_t n = 1, before = 0, used = 1; n <= used; n++) {
            int fd = wire_open(fx.port);
            before = mem_count();
            mem_fail_at(n, false);
            arena_reset(&fx.arena);
            char text[2048];
            snprintf(text, sizeof text,
                     "POST %s HTTP/1.1\r\nHost: localhost:%d\r\nConnection: close\r\n"
                     "Content-Length: %zu\r\n\r\n%s",
                     rows[i].path, fx.port, strlen(rows[i].body), rows[i].body);
            wire_send(fd, text);
            (void)!wire_read(fd, NULL, wire, WIRE_BYTES, 5000);
            mem_fail_at(0, false);
            close(fd);
            if (n == 1 || mem_count() - before > used) used = mem_count() - before;
            if (used > 400) used = 400;
            const char *body = strstr(wire, "\r\n\r\n");
            bool shaped = body && strstr(body, "{\"error\":{\"message\":\"");
            if (strstr(wire, "HTTP/1.1 5") && !shaped && !strstr(wire, "Content-Length: 0"))
                fail_msg("row %zu, allocation %lld: %s", i, (long long)n, wire);
        }
    log_set_level(LOG_INFO);
    ask("/v1/models", NULL, 200);
    assert_text(ask("/v1/chat/completions", CHAT("echo", ""), 200), "model", "echo");
}

/* Last: the server is opened again, with a key. */
static void a_key_is_asked_where_one_is_required(void **state) {
    (void)state;
    close_server();
    open_server(true);
    assert_text(ask("/v1/models", NULL, 401), "error.code", "invalid_api_key");
    assert_text(ask("/health", NULL, 200), "status", "ok");
    assert_text(ask("/healthz/ready", NULL, 200), "status", "ready");
    static const struct {
        const char *header;
        int status;
    } rows[] = {{"Bearer sesame", 200}, {"bearer  sesame", 200},      {"Bearer sesamf", 401},
                {"Bearer ", 401},       {"Bearer sesamesesame", 401}, {"sesame", 401}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        http_field key = {"Authorization", str_from(rows[i].header)};
        http_call call = {.url = url_of("/v1/models"), .fields = &key, .fields_n = 1};
        http_answer answer;
        assert_ok(http_ask(&fx.arena, &call, &answer, &fx.f), &fx.f);
        assert_int_equal(answer.status, rows[i].status);
    }
    api *none;
    api_options o = {.models = {.list = fake_list},
                     .store = fx.store,
                     .audit = fx.audit,
                     .desk = &fx.desk,
                     .require_key = true,
                     .key = STR("")};
    assert_int_equal(api_open(&none, &o, &fx.f), E_USAGE);
    api_drain(fx.api);
    assert_text(ask("/ready", NULL, 503), "status", "draining");
    assert_text(ask("/healthz/live", NULL, 200), "status", "alive");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(chats_whole, reset),
        cmocka_unit_test_setup(reads_every_field, reset),
        cmocka_unit_test_setup(reads_how_urgent_it_is, reset),
        cmocka_unit_test_setup(routes_of_its_own_know_their_fields, reset),
        cmocka_unit_test_setup(takes_what_the_server_takes, reset),
        cmocka_unit_test_setup(refuses_what_it_does_not_do, reset),
        cmocka_unit_test_setup(says_what_is_wrong, reset),
        cmocka_unit_test_setup(says_which_methods_are_done, reset),
        cmocka_unit_test_setup(words_that_no_record_has_are_named, reset),
        cmocka_unit_test_setup(streams_words_as_they_come, reset),
        cmocka_unit_test_setup(tells_thoughts_apart, reset),
        cmocka_unit_test_setup(a_stream_that_breaks_says_so, reset),
        cmocka_unit_test_setup(who_leaves_stops_the_model, reset),
        cmocka_unit_test_setup(embeds, reset),
        cmocka_unit_test_setup(embeds_tokens, reset),
        cmocka_unit_test_setup(embeddings_are_on_the_record, reset),
        cmocka_unit_test_setup(a_long_record_is_cut, reset),
        cmocka_unit_test_setup(refuses_embeddings, reset),
        cmocka_unit_test_setup(lists_models, reset),
        cmocka_unit_test_setup(a_task_answers, reset),
        cmocka_unit_test_setup(a_person_answers, reset),
        cmocka_unit_test_setup(askers_wait_without_a_worker, reset),
        cmocka_unit_test_setup(an_asker_may_listen, reset),
        cmocka_unit_test_setup(an_answer_of_another_process_is_seen, reset),
        cmocka_unit_test_setup(the_switch_sends_all_to_people, reset),
        cmocka_unit_test_setup(customers_may_object, reset),
        cmocka_unit_test_setup(other_websites_may_not, reset),
        cmocka_unit_test_setup(the_page_is_inside, reset),
        cmocka_unit_test_setup(lives_without_memory, reset),
        cmocka_unit_test_setup(headers_for_callers, reset),
        cmocka_unit_test_setup(a_key_is_asked_where_one_is_required, reset),
    };
    return cmocka_run_group_tests(tests, fake_open, fake_close);
}
