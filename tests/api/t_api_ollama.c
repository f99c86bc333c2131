/* t_api_ollama.c - tests api/'s Ollama dialect against fake models, through a real server on
 * loopback. Shapes and names as Ollama's API reference gives them. */
#include "api_wire.h"

#define CHAT(model, more) \
    "{\"model\":\"" model "\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]" more "}"
#define GENERATE(more) "{\"model\":\"echo\",\"prompt\":\"hi\"" more "}"
#define WHOLE ",\"stream\":false"

static int reset(void **state) {
    (void)state;
    arena_reset(&fx.arena);
    last_request = (gen_request){0};
    asked_last[0] = 0;
    return 0;
}

/* ---- whole ---- */

static void chats_whole(void **state) {
    (void)state;
    const json *v = ask("/api/chat", CHAT("echo:latest", WHOLE), 200);
    assert_text(v, "model", "echo:latest");
    assert_text(v, "message.role", "assistant");
    assert_text(v, "message.content", "You said hi");
    assert_true(at(v, "done")->boolean);
    assert_text(v, "done_reason", "stop");
    assert_int_equal(at(v, "prompt_eval_count")->integer, 11);
    assert_int_equal(at(v, "eval_count")->integer, 3);
    int64_t total = at(v, "total_duration")->integer;
    assert_true(total >= at(v, "prompt_eval_duration")->integer + at(v, "eval_duration")->integer +
                             at(v, "load_duration")->integer);
    assert_int_equal(text_at(v, "created_at").n, strlen("2026-11-25T11:00:00.000Z"));
    assert_true(str_is(last_request.model, "echo"));
    /* Ollama's own defaults */
    assert_true(last_request.sampling.temperature > 0.79 &&
                last_request.sampling.temperature < 0.81);
    assert_int_equal(last_request.sampling.top_k, 40);
    assert_true(last_request.sampling.repeat_penalty > 1.09);
    assert_int_equal(last_request.max_tokens, 0);
    assert_string_equal(asked_last, "load echo");
}

static void generates_whole(void **state) {
    (void)state;
    const json *v = ask("/api/generate", GENERATE(",\"system\":\"Be kind.\"" WHOLE), 200);
    assert_text(v, "response", "You said hi");
    assert_null(at(v, "message"));
    assert_int_equal(last_request.n_messages, 2);
    assert_int_equal(last_request.messages[0].role, GEN_SYSTEM);
    ask("/api/generate", GENERATE(",\"raw\":true" WHOLE), 200);
    assert_true(last_request.raw);
    assert_int_equal(last_request.n_messages, 1);
}

static void reads_options(void **state) {
    (void)state;
    const json *v = ask("/api/chat",
                        CHAT("echo", WHOLE
                             ",\"options\":{\"num_ctx\":512,\"num_predict\":3,\"temperature\":0,"
                             "\"top_k\":5,\"top_p\":0.5,\"min_p\":0.1,\"typical_p\":0.7,"
                             "\"repeat_penalty\":1.3,\"repeat_last_n\":-1,\"presence_penalty\":1,"
                             "\"frequency_penalty\":0.5,\"seed\":42,\"stop\":[\"x\"],"
                             "\"num_thread\":2,\"num_keep\":4,\"mirostat\":0,\"tfs_z\":1.0},"
                             "\"format\":{\"type\":\"null\"},\"think\":\"high\",\"logprobs\":true,"
                             "\"top_logprobs\":2,\"keep_alive\":\"1h30m\",\"deadline_ms\":9000"),
                        200);
    const gen_sampling *s = &last_request.sampling;
    assert_text(v, "done_reason", "length");
    assert_text(v, "logprobs.0.token", "You");
    assert_int_equal(last_request.max_tokens, 3);
    assert_true(s->temperature < 0.01 && s->top_p < 0.51 && s->min_p > 0.09);
    assert_true(s->typical_p < 0.71 && s->repeat_penalty > 1.29 && s->presence_penalty > 0.9);
    assert_int_equal(s->top_k, 5);
    assert_int_equal(s->penalty_last_n, -1);
    assert_int_equal(s->seed, 42);
    assert_int_equal(last_request.n_stops, 1);
    assert_int_equal(last_request.shape.kind, GEN_SHAPE_SCHEMA);
    assert_true(json_get(last_request.extra, "enable_thinking")->boolean);
    assert_true(str_is(json_get(last_request.extra, "reasoning_effort")->string, "high"));
    assert_int_equal(last_request.top_logprobs, 2);
    assert_true(last_request.deadline_ms > 0);
    assert_string_equal(asked_last, "keep echo 5400000");
    ask("/api/chat", CHAT("echo", WHOLE ",\"format\":\"json\",\"keep_alive\":-1"), 200);
    assert_int_equal(last_request.shape.kind, GEN_SHAPE_JSON);
    assert_string_equal(asked_last, "keep echo -1");
}

static void nothing_asked_loads_and_unloads(void **state) {
    (void)state;
    const json *v = ask("/api/generate", "{\"model\":\"echo\"}", 200);
    assert_text(v, "done_reason", "load");
    assert_text(v, "response", "");
    assert_string_equal(asked_last, "load echo");
    v = ask("/api/chat", "{\"model\":\"echo\",\"messages\":[],\"keep_alive\":0}", 200);
    assert_text(v, "done_reason", "unload");
    assert_text(v, "message.content", "");
    assert_string_equal(asked_last, "keep echo 0");
    ask("/api/generate", "{\"model\":\"nobody\"}", 404);
}

/* ---- tools ---- */

#define TOOLS                                                                                \
    ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"weather\",\"description\":" \
    "\"Says it\",\"parameters\":{\"type\":\"object\"}}}]"

static void calls_tools(void **state) {
    (void)state;
    const json *v = ask("/api/chat", CHAT("phone", TOOLS WHOLE), 200);
    assert_int_equal(last_request.n_tools, 1);
    assert_text(v, "message.tool_calls.0.function.name", "weather");
    assert_text(v, "message.tool_calls.0.function.arguments.city", "Bern");
    assert_int_equal(at(v, "message.tool_calls.1.function.index")->integer, 1);
    assert_text(v, "done_reason", "stop");
}

static void hands_results_on(void **state) {
    (void)state;
    ask("/api/chat",
        "{\"model\":\"echo\",\"stream\":false,\"messages\":[{\"role\":\"user\",\"content\":\"q\"},"
        "{\"role\":\"assistant\",\"content\":\"\",\"thinking\":\"hm\",\"tool_calls\":["
        "{\"function\":{\"name\":\"weather\",\"arguments\":{\"city\":\"Bern\"}}},"
        "{\"function\":{\"name\":\"now\",\"arguments\":{}}}]},"
        "{\"role\":\"tool\",\"content\":\"noon\",\"tool_name\":\"now\"},"
        "{\"role\":\"tool\",\"content\":\"snow\"}]}",
        200);
    const gen_message *m = last_request.messages;
    assert_int_equal(last_request.n_messages, 4);
    assert_true(str_is(m[1].reasoning, "hm"));
    assert_int_equal(m[1].n_calls, 2);
    assert_true(str_is(m[1].calls[0].arguments, "{\"city\":\"Bern\"}"));
    assert_true(str_eq(m[2].call_id, m[1].calls[1].id));
    assert_true(str_eq(m[3].call_id, m[1].calls[0].id));
    assert_true(str_is(m[3].name, "weather"));
}

/* ---- what it does not do ---- */

static void refuses_what_it_does_not_do(void **state) {
    (void)state;
    static const struct {
        const char *path, *more, *part;
    } rows[] = {
        {"/api/chat", ",\"model\":\"\"", "model"},
        {"/api/chat", ",\"temperature\":0", "temperature"},
        {"/api/chat", ",\"truncate\":true", "truncate"},
        {"/api/chat", ",\"format\":\"xml\"", "format"},
        {"/api/chat", ",\"think\":7", "think"},
        {"/api/chat", ",\"keep_alive\":\"soon\"", "keep_alive"},
        {"/api/chat", ",\"options\":{\"temp\":0}", "options.temp"},
        {"/api/chat", ",\"options\":{\"mirostat\":2}", "options.mirostat"},
        {"/api/chat", ",\"options\":{\"num_ctx\":513}", "num_ctx is 513; echo reads at most 512"},
        {"/api/chat", ",\"options\":{\"top_p\":2}", "options.top_p"},
        {"/api/chat", ",\"options\":{\"stop\":[\"\"]}", "options.stop"},
        {"/api/chat", ",\"options\":7", "options"},
        {"/api/chat", ",\"top_logprobs\":2", "top_logprobs"},
        {"/api/chat", ",\"messages\":[{\"role\":\"user\",\"content\":\"a\",\"images\":[\"x\"]}]",
         "messages[0].images"},
        {"/api/chat", ",\"messages\":[{\"role\":\"boss\",\"content\":\"a\"}]", "messages[0].role"},
        {"/api/chat", ",\"messages\":[{\"role\":\"tool\",\"content\":\"a\"}]", "no earlier call"},
        {"/api/chat", ",\"messages\":[{\"role\":\"assistant\",\"content\":\"a\"}]", "assistant"},
        {"/api/generate", ",\"suffix\":\"x\"", "suffix"},
        {"/api/generate", ",\"template\":\"x\"", "template"},
        {"/api/generate", ",\"context\":[1]", "context"},
        {"/api/generate", ",\"images\":[\"x\"]", "images"},
        {"/api/generate", ",\"raw\":true,\"system\":\"x\"", "raw"},
        {"/api/embed", ",\"input\":[7]", "input"},
        {"/api/embed", ",\"input\":[[7]]", "input"},
        {"/api/embed", ",\"input\":\"a\",\"dimensions\":5", "dimensions"},
        {"/api/embed", ",\"input\":\"a\",\"mode\":5", "mode"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *head = strstr(rows[i].path, "chat")  ? ",\"messages\":[{\"role\":\"user\","
                                                           "\"content\":\"hi\"}]"
                           : strstr(rows[i].path, "gen") ? ",\"prompt\":\"hi\""
                                                         : ",\"model\":\"bag\"";
        str body = arena_printf(&fx.arena, "{\"model\":\"echo\"%s%s}", head, rows[i].more);
        const json *v = ask(rows[i].path, body.p, 400);
        assert_int_equal(v->count, 1);
        str message = text_at(v, "error");
        if (str_find(message, str_from(rows[i].part)) == STR_INDEX_NONE)
            fail_msg("%s: %.*s", rows[i].more, STR_ARG(message));
    }
}

static void errors_have_their_shape(void **state) {
    (void)state;
    assert_int_equal(ask("/api/chat", CHAT("nobody", ""), 404)->count, 1);
    text_at(ask("/api/chat", "{", 400), "error");
    text_at(ask("/api/nothing", "{}", 404), "error");
    assert_text(ask("/api/chat", CHAT("broken", WHOLE), 500), "error", "the model broke");
    static const char *const paths[] = {"/api/pull", "/api/push", "/api/create", "/api/copy",
                                        "/api/blobs/sha256:00"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_true(str_find(text_at(ask(paths[i], "{}", 501), "error"), STR("bantam ")) !=
                    STR_INDEX_NONE);
}

/* ---- streams ---- */

/* The lines of a stream, as one array. */
static const json *lines_of(const char *path, const char *body) {
    buf b = {0};
    const json *v;
    wire_say("POST", path, "", body, "\r\n0\r\n\r\n");
    assert_non_null(strstr(wire, "Content-Type: application/x-ndjson"));
    buf_put_char(&b, '[');
    for (const char *p = strstr(wire, "\r\n{"); p; p = strstr(p + 2, "\r\n{")) {
        if (b.n > 1) buf_put_char(&b, ',');
        buf_put_bytes(&b, p + 2, (size_t)(strchr(p + 2, '\n') - p - 2));
    }
    buf_put_char(&b, ']');
    assert_ok(json_parse(&fx.arena, arena_str(&fx.arena, buf_str(&b)), &v, &fx.f), &fx.f);
    buf_deinit(&b);
    return v;
}

static void streams_by_default(void **state) {
    (void)state;
    const json *v = lines_of("/api/chat", CHAT("echo", ",\"logprobs\":true"));
    assert_int_equal(v->count, 4);
    assert_text(v, "0.message.content", "You ");
    assert_false(at(v, "0.done")->boolean);
    assert_text(v, "0.logprobs.0.token", "You ");
    assert_text(v, "2.message.content", "hi");
    assert_text(v, "3.message.content", "");
    assert_true(at(v, "3.done")->boolean);
    assert_int_equal(at(v, "3.eval_count")->integer, 3);
    v = lines_of("/api/generate", GENERATE(""));
    assert_text(v, "0.response", "You ");
    assert_text(v, "3.done_reason", "stop");
}

static void streams_calls_whole(void **state) {
    (void)state;
    const json *v = lines_of("/api/chat", CHAT("phone", TOOLS));
    assert_int_equal(v->count, 3);
    assert_text(v, "0.message.content", "Wait. ");
    assert_text(v, "1.message.tool_calls.0.function.arguments.city", "Bern");
    assert_int_equal(at(v, "1.message.tool_calls")->count, 2);
    assert_int_equal(at(v, "2.prompt_eval_duration")->integer <= 2500000, 1);
}

static void thoughts_have_a_field(void **state) {
    (void)state;
    const json *v = ask("/api/chat", CHAT("thinker", ",\"stream\":false"), 200);
    assert_text(v, "message.thinking", "Let me think.");
    assert_text(v, "message.content", "Yes.");
    v = lines_of("/api/chat", CHAT("thinker", ",\"think\":true"));
    assert_text(v, "0.message.thinking", "Let me ");
    assert_text(v, "0.message.content", "");
    assert_text(v, "2.message.content", "Yes.");
    assert_null(json_get(at(v, "2.message"), "thinking"));
    assert_true(json_get(last_request.extra, "enable_thinking")->boolean);
    v = ask("/api/generate", "{\"model\":\"thinker\",\"prompt\":\"hi\",\"stream\":false}", 200);
    assert_text(v, "thinking", "Let me think.");
    assert_text(v, "response", "Yes.");
}

static void a_stream_that_breaks_says_so(void **state) {
    (void)state;
    const json *v = lines_of("/api/chat", CHAT("broken", ""));
    assert_int_equal(v->count, 2);
    assert_text(v, "0.message.content", "half ");
    assert_text(v, "1.error", "the model broke");
}

static void a_task_answers(void **state) {
    (void)state;
    static const char *const body =
        "{\"model\":\"task:desk\",\"messages\":[{\"role\":\"user\",\"content\":"
        "\"please how do i cancel my car policy\"}]}";
    const json *v = lines_of("/api/chat", body);
    assert_int_equal(v->count, 2);
    assert_text(v, "0.message.content", "You can cancel whenever you like.");
    assert_text(v, "1.bantam.tier", "slm");
}

static void a_client_that_leaves_stops_it(void **state) {
    (void)state;
    atomic_store(&stuck_ended, 0);
    wire_say("POST", "/api/chat", "", CHAT("stuck", ""), "and ");
    for (int i = 0; i < 5000 && !atomic_load(&stuck_ended); i++) clock_sleep_ms(1);
    assert_int_equal(atomic_load(&stuck_ended), E_CANCELLED + 1);
}

/* ---- the rest ---- */

static void embeds(void **state) {
    (void)state;
    const json *v = ask("/api/embed", "{\"model\":\"bag:latest\",\"input\":[\"a b\",\"c\"]}", 200);
    assert_int_equal(at(v, "embeddings")->count, 2);
    assert_int_equal(at(v, "embeddings.0")->count, BAG_WIDTH);
    assert_int_equal(at(v, "prompt_eval_count")->integer, 3);
    v = ask("/api/embed", "{\"model\":\"bag\",\"input\":\"a\",\"keep_alive\":\"5m\"}", 200);
    assert_int_equal(at(v, "embeddings")->count, 1);
    assert_string_equal(asked_last, "keep bag 300000");
    assert_int_equal(
        at(ask("/api/embed", "{\"model\":\"bag\",\"input\":[]}", 200), "embeddings")->count, 0);
    v = ask("/api/embeddings", "{\"model\":\"bag\",\"prompt\":\"a b\"}", 200);
    assert_int_equal(at(v, "embedding")->count, BAG_WIDTH);
    char *text = arena_alloc(&fx.arena, 2200);
    memset(text, 'a', 2100);
    text[2100] = 0;
    v = ask("/api/embed", arena_printf(&fx.arena, "{\"model\":\"bag\",\"input\":\"%s\"}", text).p,
            200);
    assert_true(at(v, "truncated")->boolean); /* cut, as Ollama does it, but said */
    assert_null(
        json_get(ask("/api/embed", "{\"model\":\"bag\",\"input\":\"a\"}", 200), "truncated"));
    ask("/api/embed",
        arena_printf(&fx.arena, "{\"model\":\"bag\",\"truncate\":false,\"input\":\"%s\"}", text).p,
        400);
    v = ask("/api/embeddings",
            arena_printf(&fx.arena, "{\"model\":\"bag\",\"prompt\":\"%s\"}", text).p, 200);
    assert_true(at(v, "truncated")->boolean);
}

static void tells_of_models(void **state) {
    (void)state;
    const json *v = ask("/api/tags", NULL, 200);
    assert_text(v, "models.0.name", "echo:latest");
    assert_text(v, "models.0.model", "echo:latest");
    assert_text(v, "models.0.details.family", "llama");
    assert_text(v, "models.0.details.parameter_size", "134.52M");
    assert_int_equal(at(v, "models.0.size")->integer, 1000);
    assert_text(v, "models.2.name", "task:desk");
    char before[CLOCK_TEXT_BYTES], after[CLOCK_TEXT_BYTES];
    clock_text(clock_now_ms() + 300000, before);
    v = ask("/api/ps", NULL, 200);
    clock_text(clock_now_ms() + 300000, after);
    assert_int_equal(at(v, "models")->count, 1);
    assert_int_equal(at(v, "models.0.context_length")->integer, 512);
    const char *expires = arena_z(&fx.arena, text_at(v, "models.0.expires_at"));
    assert_true(strcmp(before, expires) <= 0 && strcmp(expires, after) <= 0);
    assert_int_equal(at(v, "models.0.size_vram")->integer, 0);
    v = ask("/api/show", "{\"model\":\"echo:latest\"}", 200);
    assert_text(v, "details.quantization_level", "Q4_0");
    assert_int_equal(at(v, "model_info")->count, 4);
    assert_int_equal(json_get(at(v, "model_info"), "llama.context_length")->integer, 512);
    assert_text(v, "capabilities.0", "completion");
    assert_text(v, "capabilities.1", "tools");
    assert_text(v, "capabilities.2", "thinking");
    assert_text(v, "license", "MIT");
    text_at(ask("/api/show", "{\"name\":\"nobody\"}", 404), "error");
    text_at(ask("/api/version", NULL, 200), "version");
}

static void the_root_knows_whom_it_greets(void **state) {
    (void)state;
    wire_say("GET", "/", "", "", "Ollama is running");
    wire_say("HEAD", "/", "", "", "\r\n\r\n");
    assert_int_equal(strncmp(wire, "HTTP/1.1 200", 12), 0);
    wire_say("GET", "/", "Accept: text/html,*/*;q=0.8\r\n", "", "</html>");
    wire_say("DELETE", "/api/delete", "", "{\"model\":\"echo\"}", "bantam rm");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(chats_whole, reset),
        cmocka_unit_test_setup(generates_whole, reset),
        cmocka_unit_test_setup(reads_options, reset),
        cmocka_unit_test_setup(nothing_asked_loads_and_unloads, reset),
        cmocka_unit_test_setup(calls_tools, reset),
        cmocka_unit_test_setup(hands_results_on, reset),
        cmocka_unit_test_setup(refuses_what_it_does_not_do, reset),
        cmocka_unit_test_setup(errors_have_their_shape, reset),
        cmocka_unit_test_setup(streams_by_default, reset),
        cmocka_unit_test_setup(streams_calls_whole, reset),
        cmocka_unit_test_setup(thoughts_have_a_field, reset),
        cmocka_unit_test_setup(a_stream_that_breaks_says_so, reset),
        cmocka_unit_test_setup(a_task_answers, reset),
        cmocka_unit_test_setup(a_client_that_leaves_stops_it, reset),
        cmocka_unit_test_setup(embeds, reset),
        cmocka_unit_test_setup(tells_of_models, reset),
        cmocka_unit_test_setup(the_root_knows_whom_it_greets, reset),
    };
    return cmocka_run_group_tests(tests, fake_open, fake_close);
}
