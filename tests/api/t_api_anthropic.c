/* t_api_anthropic.c - tests api/'s Anthropic dialect against fake models, through a real server on
 * loopback. Shapes and names as Anthropic's API reference gives them. */
#include "api_wire.h"

#include "base/log.h"

#include <sys/resource.h>

#define ASK(model, more)  \
    "{\"model\":\"" model \
    "\",\"max_tokens\":50,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]" more "}"
#define TOOLS                                                                                   \
    ",\"tools\":[{\"name\":\"weather\",\"description\":\"Says it\",\"input_schema\":{\"type\":" \
    "\"object\"}},{\"name\":\"now\",\"input_schema\":{\"type\":\"object\"}}]"

static int reset(void **state) {
    (void)state;
    arena_reset(&fx.arena);
    last_request = (gen_request){0};
    return 0;
}

/* ---- whole ---- */

static void answers_whole(void **state) {
    (void)state;
    const json *v = ask("/v1/messages", ASK("echo", ""), 200);
    assert_text(v, "type", "message");
    assert_text(v, "role", "assistant");
    assert_text(v, "model", "echo");
    assert_true(str_starts(text_at(v, "id"), STR("msg_")));
    assert_text(v, "content.0.type", "text");
    assert_text(v, "content.0.text", "You said hi");
    assert_int_equal(at(v, "content")->count, 1);
    assert_text(v, "stop_reason", "end_turn");
    assert_null_at(v, "stop_sequence");
    assert_int_equal(at(v, "usage.input_tokens")->integer, 11);
    assert_int_equal(at(v, "usage.output_tokens")->integer, 3);
    assert_int_equal(at(v, "usage.cache_read_input_tokens")->integer, 0);
    const char *path =
        arena_printf(&fx.arena, "/v1/requests/%.*s", STR_ARG(text_at(v, "bantam.trace"))).p;
    assert_text(ask(path, NULL, 200), "question", "hi");
}

/* Two thousand blocks of a kilobyte once took two gigabytes: each was joined to a new copy. */
static void many_blocks_take_no_more_than_their_bytes(void **state) {
    enum { BLOCKS = 2000, BYTES = 1000, GROWTH_KIB_MAX = 200 * 1024 };
    (void)state;
    struct rusage before, after;
    char text[BYTES + 1];
    buf b = {0};
    memset(text, 'x', BYTES);
    text[BYTES] = 0;
    buf_put_z(&b, "{\"model\":\"echo\",\"max_tokens\":3,\"messages\":[{\"role\":\"user\","
                  "\"content\":[");
    for (int i = 0; i < BLOCKS; i++)
        buf_printf(&b, "%s{\"type\":\"text\",\"text\":\"%s\"}", i ? "," : "", text);
    buf_put_z(&b, "]}]}");
    buf_put_char(&b, 0);
    assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);
    const json *v = ask("/v1/messages/count_tokens", b.p, 200);
    assert_int_equal(getrusage(RUSAGE_SELF, &after), 0);
    buf_deinit(&b);
    assert_true(at(v, "input_tokens")->integer >= BLOCKS * (BYTES + 1) - 1);
    assert_true(after.ru_maxrss - before.ru_maxrss < GROWTH_KIB_MAX);
}

static void reads_every_field(void **state) {
    (void)state;
    const json *v = ask("/v1/messages",
                        "{\"model\":\"echo\",\"max_tokens\":3,\"system\":[{\"type\":\"text\","
                        "\"text\":\"Be brief.\",\"cache_control\":{\"type\":\"ephemeral\"}},"
                        "{\"type\":\"text\",\"text\":\"Be kind.\"}],\"messages\":[{\"role\":"
                        "\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":"
                        "\"text\",\"text\":\"b\"}]}],\"temperature\":0.5,\"top_p\":0.9,\"top_k\":7,"
                        "\"stop_sequences\":[\"X\"],\"metadata\":{\"user_id\":\"kim\"},"
                        "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":1024},"
                        "\"output_config\":{\"effort\":\"low\",\"format\":{\"type\":"
                        "\"json_schema\",\"schema\":{\"type\":\"null\"}}},"
                        "\"service_tier\":\"auto\"}",
                        200);
    assert_text(v, "stop_reason", "max_tokens");
    assert_int_equal(last_request.max_tokens, 3);
    assert_int_equal(last_request.n_messages, 2);
    assert_int_equal(last_request.messages[0].role, GEN_SYSTEM);
    assert_true(str_is(last_request.messages[0].content, "Be brief.\nBe kind."));
    assert_true(str_is(last_request.messages[1].content, "a\nb"));
    assert_true(last_request.sampling.temperature > 0.49 && last_request.sampling.top_p < 0.91);
    assert_int_equal(last_request.sampling.top_k, 7);
    assert_int_equal(last_request.n_stops, 1);
    assert_true(str_is(last_request.subject, "kim"));
    assert_true(json_get(last_request.extra, "enable_thinking")->boolean);
    assert_int_equal(last_request.shape.kind, GEN_SHAPE_SCHEMA);
    assert_int_equal(last_request.top_logprobs, -1);
}

static void says_which_stop_struck(void **state) {
    (void)state;
    const json *v = ask("/v1/messages", ASK("echo", ",\"stop_sequences\":[\"!\"]"), 200);
    assert_text(v, "stop_reason", "stop_sequence");
    assert_text(v, "stop_sequence", "!");
}

/* ---- tools ---- */

static void calls_tools(void **state) {
    (void)state;
    const json *v = ask("/v1/messages",
                        ASK("phone", TOOLS ",\"tool_choice\":{\"type\":\"tool\",\"name\":\"now\","
                                           "\"disable_parallel_tool_use\":true}"),
                        200);
    assert_int_equal(last_request.n_tools, 2);
    assert_int_equal(last_request.tool_choice, GEN_TOOLS_ONE);
    assert_true(str_is(last_request.tool_name, "now") && last_request.one_call);
    assert_true(str_is(last_request.tools[0].description, "Says it"));
    assert_int_equal(at(v, "content")->count, 3);
    assert_text(v, "content.1.type", "tool_use");
    assert_text(v, "content.1.id", "call_1");
    assert_text(v, "content.1.name", "weather");
    assert_text(v, "content.1.input.city", "Bern");
    assert_int_equal(at(v, "content.2.input")->count, 0);
    assert_text(v, "stop_reason", "tool_use");
    assert_int_equal(at(v, "usage.input_tokens")->integer, 5);
    assert_int_equal(at(v, "usage.cache_read_input_tokens")->integer, 16);
    ask("/v1/messages", ASK("phone", TOOLS ",\"tool_choice\":{\"type\":\"any\"}"), 200);
    assert_int_equal(last_request.tool_choice, GEN_TOOLS_REQUIRED);
    ask("/v1/messages", ASK("phone", TOOLS ",\"tool_choice\":{\"type\":\"none\"}"), 200);
    assert_int_equal(last_request.tool_choice, GEN_TOOLS_NONE);
}

static void hands_results_on(void **state) {
    (void)state;
    ask("/v1/messages",
        "{\"model\":\"echo\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":\"q\"},"
        "{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\","
        "\"signature\":\"s\"},{\"type\":\"text\",\"text\":\"Wait.\"},{\"type\":\"tool_use\","
        "\"id\":\"t1\",\"name\":\"weather\",\"input\":{\"city\":\"Bern\"}},{\"type\":\"tool_use\","
        "\"id\":\"t2\",\"name\":\"now\",\"input\":{}}]},{\"role\":\"user\",\"content\":["
        "{\"type\":\"tool_result\",\"tool_use_id\":\"t1\",\"content\":\"snow\"},"
        "{\"type\":\"tool_result\",\"tool_use_id\":\"t2\",\"is_error\":true,\"content\":["
        "{\"type\":\"text\",\"text\":\"no clock\"}]},{\"type\":\"text\",\"text\":\"go on\"}]},"
        "{\"role\":\"system\",\"content\":\"Be brief.\"}]}",
        200);
    const gen_message *m = last_request.messages;
    assert_int_equal(last_request.n_messages, 6);
    assert_true(str_is(m[1].content, "Wait.") && str_is(m[1].reasoning, "hm"));
    assert_int_equal(m[1].n_calls, 2);
    assert_true(str_is(m[1].calls[0].arguments, "{\"city\":\"Bern\"}"));
    assert_int_equal(m[2].role, GEN_TOOL);
    assert_true(str_is(m[2].content, "snow") && str_is(m[2].call_id, "t1"));
    assert_true(str_is(m[2].name, "weather"));
    assert_true(str_is(m[3].content, "error: no clock"));
    assert_int_equal(m[4].role, GEN_USER);
    assert_true(str_is(m[4].content, "go on"));
    assert_int_equal(m[5].role, GEN_SYSTEM);
}

/* ---- what it does not do ---- */

static void refuses_what_it_does_not_do(void **state) {
    (void)state;
    static const struct {
        const char *more, *part;
    } rows[] = {
        {",\"max_tokens\":null", "max_tokens"},
        {",\"max_tokens\":0", "max_tokens"},
        {",\"model\":\"\"", "model"},
        {",\"temprature\":0", "temprature"},
        {",\"temperature\":3", "temperature"},
        {",\"container\":\"c\"", "container"},
        {",\"mcp_servers\":[{}]", "mcp_servers"},
        {",\"stop_sequences\":[\"\"]", "stop_sequences"},
        {",\"thinking\":{\"type\":\"deep\"}", "thinking.type"},
        {",\"output_format\":{\"type\":\"xml\"}", "output_format"},
        {",\"output_config\":{\"format\":{\"type\":\"json_schema\"}}", "format.schema"},
        {",\"metadata\":{\"name\":\"x\"}", "metadata.name"},
        {",\"tool_choice\":{\"type\":\"any\"}", "needs tools"},
        {",\"tools\":[{\"type\":\"web_search_20250305\",\"name\":\"w\"}]", "web_search_20250305"},
        {",\"tools\":[{\"name\":\"w\"}]", "tools[0].input_schema"},
        {",\"tools\":[{\"input_schema\":{}}]", "tools[0]"},
        {TOOLS ",\"tool_choice\":{\"type\":\"tool\",\"name\":\"no\"}", "tool_choice.name"},
        {TOOLS ",\"tool_choice\":{\"type\":\"some\"}", "tool_choice.type"},
        {",\"messages\":[]", "messages"},
        {",\"messages\":[7]", "messages[0].role"},
        {",\"messages\":[{\"role\":\"boss\",\"content\":\"x\"}]", "messages[0].role"},
        {",\"messages\":[{\"role\":\"system\",\"content\":\"\"}]", "messages[0].content"},
        {",\"messages\":[{\"role\":\"user\"}]", "messages[0].content"},
        {",\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\","
         "\"content\":\"b\"}]",
         "prefill"},
        {",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"source\":{}}]}]",
         "\\\"image\\\""},
        {",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"document\"}]}]",
         "\\\"document\\\""},
        {",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\","
         "\"tool_use_id\":\"t9\"}]}]",
         "t9"},
        {",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\","
         "\"bold\":true}]}]",
         "messages[0].content[0].bold"},
        {",\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_result\"}]}]",
         "tool_result"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        str body = arena_printf(&fx.arena,
                                "{\"model\":\"echo\",\"max_tokens\":5,\"messages\":[{\"role\":"
                                "\"user\",\"content\":\"hi\"}]%s}",
                                rows[i].more);
        const json *v = ask("/v1/messages", body.p, 400);
        assert_text(v, "type", "error");
        assert_text(v, "error.type", "invalid_request_error");
        assert_true(str_starts(text_at(v, "request_id"), STR("req_")));
        str message = text_at(v, "error.message");
        str part = str_from(rows[i].part);
        if (part.p[0] == '\\') part = str_from(strchr(part.p, '"') + 1), part.n -= 2;
        if (str_find(message, part) == STR_INDEX_NONE)
            fail_msg("%s: %.*s", rows[i].more, STR_ARG(message));
    }
    ask("/v1/messages", "{\"model\":\"echo\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
        400);
    ask("/v1/messages", ASK("task:desk", TOOLS), 400);
}

static void errors_have_their_shape(void **state) {
    (void)state;
    assert_text(ask("/v1/messages", ASK("nobody", ""), 404), "error.type", "not_found_error");
    assert_text(ask("/v1/messages", "{", 400), "error.type", "invalid_request_error");
    assert_text(ask("/v1/messages/x", "{}", 404), "error.type", "not_found_error");
    assert_text(ask("/v1/messages", ASK("broken", ""), 500), "error.type", "api_error");
}

static const char *post(const char *headers, const char *body, const char *until) {
    wire_say("POST", "/v1/messages", headers, body, until);
    return wire;
}

static void headers_are_read(void **state) {
    (void)state;
    post("anthropic-version: 2023-06-01\r\nx-api-key: any\r\n", ASK("echo", ""), "You said");
    assert_non_null(strstr(wire, "\r\nrequest-id: req_"));
    post("anthropic-version: 2026-10-21\r\n", ASK("echo", ""), "You said");
    post("anthropic-version: 2023-01-01\r\n", ASK("echo", ""), "2023-06-01 is");
    assert_int_equal(strncmp(wire, "HTTP/1.1 400", 12), 0);
    close_server();
    open_server(true);
    post("x-api-key: sesame\r\n", ASK("echo", ""), "You said");
    post("", ASK("echo", ""), "authentication_error");
    assert_int_equal(strncmp(wire, "HTTP/1.1 401", 12), 0);
    post("x-api-key: wrong\r\n", ASK("echo", ""), "\"request_id\":\"req_");
    close_server();
    open_server(false);
}

/* ---- streams ---- */

/* The names of the events, in order, and the bodies of all as one array. */
static const json *events_of(const char *body, str *names) {
    buf b = {0}, n = {0};
    const json *v;
    post("", body, "\r\n0\r\n\r\n");
    assert_non_null(strstr(wire, "text/event-stream"));
    buf_put_char(&b, '[');
    for (const char *p = strstr(wire, "event: "); p; p = strstr(p + 1, "event: ")) {
        const char *end = strchr(p, '\n'), *data = strstr(p, "data: ") + 6;
        buf_put_bytes(&n, p + 7, (size_t)(end - p - 7));
        buf_put_char(&n, ' ');
        if (b.n > 1) buf_put_char(&b, ',');
        buf_put_bytes(&b, data, (size_t)(strstr(data, "\n\n") - data));
    }
    buf_put_char(&b, ']');
    assert_ok(json_parse(&fx.arena, arena_str(&fx.arena, buf_str(&b)), &v, &fx.f), &fx.f);
    *names = arena_str(&fx.arena, buf_str(&n));
    buf_deinit(&b);
    buf_deinit(&n);
    return v;
}

static void streams_text(void **state) {
    (void)state;
    str names;
    const json *v = events_of(ASK("echo", ",\"stream\":true"), &names);
    assert_string_equal(names.p,
                        "message_start ping content_block_start content_block_delta "
                        "content_block_delta content_block_delta content_block_stop message_delta "
                        "message_stop ");
    assert_text(v, "0.type", "message_start");
    assert_text(v, "0.message.role", "assistant");
    assert_int_equal(at(v, "0.message.content")->count, 0);
    assert_text(v, "2.content_block.type", "text");
    assert_int_equal(at(v, "3.index")->integer, 0);
    assert_text(v, "3.delta.type", "text_delta");
    assert_text(v, "3.delta.text", "You ");
    assert_text(v, "7.delta.stop_reason", "end_turn");
    assert_int_equal(at(v, "7.usage.output_tokens")->integer, 3);
    assert_non_null(at(v, "7.bantam.trace"));
}

static void streams_calls(void **state) {
    (void)state;
    str names;
    const json *v = events_of(ASK("phone", TOOLS ",\"stream\":true"), &names);
    assert_int_equal(at(v, "0.message.usage.input_tokens")->integer, 21);
    assert_text(v, "3.delta.text", "Wait. ");
    assert_text(v, "5.content_block.type", "tool_use");
    assert_text(v, "5.content_block.id", "call_1");
    assert_int_equal(at(v, "5.content_block.input")->count, 0);
    assert_int_equal(at(v, "5.index")->integer, 1);
    assert_text(v, "6.delta.type", "input_json_delta");
    assert_text(v, "6.delta.partial_json", "{\"city\": ");
    assert_text(v, "7.delta.partial_json", "\"Bern\"}");
    assert_int_equal(at(v, "9.index")->integer, 2);
    assert_text(v, "9.content_block.name", "now");
    assert_text(v, "12.type", "message_delta");
    assert_text(v, "12.delta.stop_reason", "tool_use");
    assert_int_equal(at(v, "12.usage.cache_read_input_tokens")->integer, 16);
}

static void thoughts_are_blocks(void **state) {
    (void)state;
    str names;
    const json *v = ask("/v1/messages", ASK("thinker", TOOLS), 200);
    assert_text(v, "content.0.type", "thinking");
    assert_text(v, "content.0.thinking", "Let me think.");
    assert_text(v, "content.0.signature", "");
    assert_text(v, "content.1.text", "Yes.");
    assert_text(v, "content.2.type", "tool_use");
    v = events_of(ASK("thinker", ",\"stream\":true"), &names);
    assert_string_equal(names.p,
                        "message_start ping content_block_start content_block_delta "
                        "content_block_delta content_block_stop content_block_start "
                        "content_block_delta content_block_stop message_delta message_stop ");
    assert_text(v, "2.content_block.type", "thinking");
    assert_text(v, "3.delta.type", "thinking_delta");
    assert_text(v, "3.delta.thinking", "Let me ");
    assert_int_equal(at(v, "6.index")->integer, 1);
    assert_text(v, "7.delta.text", "Yes.");
}

static void a_stream_that_breaks_says_so(void **state) {
    (void)state;
    str names;
    const json *v = events_of(ASK("broken", ",\"stream\":true"), &names);
    assert_string_equal(names.p,
                        "message_start ping content_block_start content_block_delta error ");
    assert_text(v, "4.error.type", "api_error");
    assert_text(v, "4.error.message", "the model broke");
}

static void a_task_answers(void **state) {
    (void)state;
    static const char *const question =
        "{\"model\":\"task:desk\",\"max_tokens\":9,\"stream\":%s,\"messages\":[{\"role\":\"user\","
        "\"content\":\"please how do i cancel my car policy\"}]}";
    char body[256];
    str names;
    snprintf(body, sizeof body, question, "false");
    const json *v = ask("/v1/messages", body, 200);
    assert_text(v, "content.0.text", "You can cancel whenever you like.");
    assert_text(v, "bantam.tier", "slm");
    snprintf(body, sizeof body, question, "true");
    v = events_of(body, &names);
    assert_text(v, "3.delta.text", "You can cancel whenever you like.");
    assert_text(v, "5.bantam.label", "cancel");
}

/* ---- counting ---- */

static void counts_tokens(void **state) {
    (void)state;
    const json *v = ask("/v1/messages/count_tokens",
                        "{\"model\":\"echo\",\"system\":\"abc\",\"messages\":[{\"role\":\"user\","
                        "\"content\":\"hello\"}]" TOOLS "}",
                        200);
    assert_int_equal(at(v, "input_tokens")->integer, 8);
    assert_int_equal(last_request.n_tools, 2);
    assert_text(ask("/v1/messages/count_tokens", ASK("phone", ""), 400), "type", "error");
    ask("/v1/messages/count_tokens", ASK("task:desk", ""), 400);
    ask("/v1/messages/count_tokens", ASK("nobody", ""), 404);
}

static void a_client_that_leaves_stops_it(void **state) {
    (void)state;
    atomic_store(&stuck_ended, 0);
    int fd = wire_open(fx.port);
    const char *body = ASK("stuck", ",\"stream\":true");
    wire_send(fd, arena_printf(&fx.arena,
                               "POST /v1/messages HTTP/1.1\r\nHost: localhost:%d\r\n"
                               "Content-Length: %zu\r\n\r\n%s",
                               fx.port, strlen(body), body)
                      .p);
    assert_true(wire_read(fd, "text_delta", wire, WIRE_BYTES, 5000));
    close(fd);
    for (int i = 0; i < 5000 && !atomic_load(&stuck_ended); i++) clock_sleep_ms(1);
    assert_int_equal(atomic_load(&stuck_ended), E_CANCELLED + 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(answers_whole, reset),
        cmocka_unit_test_setup(reads_every_field, reset),
        cmocka_unit_test_setup(many_blocks_take_no_more_than_their_bytes, reset),
        cmocka_unit_test_setup(says_which_stop_struck, reset),
        cmocka_unit_test_setup(calls_tools, reset),
        cmocka_unit_test_setup(hands_results_on, reset),
        cmocka_unit_test_setup(refuses_what_it_does_not_do, reset),
        cmocka_unit_test_setup(errors_have_their_shape, reset),
        cmocka_unit_test_setup(headers_are_read, reset),
        cmocka_unit_test_setup(streams_text, reset),
        cmocka_unit_test_setup(streams_calls, reset),
        cmocka_unit_test_setup(thoughts_are_blocks, reset),
        cmocka_unit_test_setup(a_stream_that_breaks_says_so, reset),
        cmocka_unit_test_setup(a_task_answers, reset),
        cmocka_unit_test_setup(counts_tokens, reset),
        cmocka_unit_test_setup(a_client_that_leaves_stops_it, reset),
    };
    return cmocka_run_group_tests(tests, fake_open, fake_close);
}
