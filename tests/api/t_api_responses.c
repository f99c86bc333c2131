/* t_api_responses.c - tests /v1/responses against fake models, through a real server on loopback.
 * Shapes, names and the order of events as OpenAI's API reference gives them. */
#include "api_fake.h"

#include "../net/http_test.h"

enum { WIRE_BYTES = 256 * 1024 };
static char wire[WIRE_BYTES];

#define ASK(model, more) "{\"model\":\"" model "\",\"input\":\"hi\"" more "}"
#define TOOLS                                                                                   \
    ",\"tools\":[{\"type\":\"function\",\"name\":\"add\",\"parameters\":{\"type\":\"object\"}," \
    "\"strict\":true}]"

static int reset(void **state) {
    (void)state;
    arena_reset(&fx.arena);
    last_request = (gen_request){0};
    return 0;
}

static const char *below(str id, const char *rest) {
    return arena_printf(&fx.arena, "/v1/responses/%.*s%s", STR_ARG(id), rest).p;
}

/* ---- whole ---- */

static void answers_whole(void **state) {
    (void)state;
    const json *v = ask("/v1/responses", ASK("echo", ",\"metadata\":{\"k\":\"v\"}"), 200);
    assert_text(v, "object", "response");
    assert_text(v, "status", "completed");
    assert_true(str_starts(text_at(v, "id"), STR("resp_")));
    assert_text(v, "model", "echo");
    assert_text(v, "output.0.type", "message");
    assert_text(v, "output.0.role", "assistant");
    assert_text(v, "output.0.status", "completed");
    assert_text(v, "output.0.content.0.type", "output_text");
    assert_text(v, "output.0.content.0.text", "You said hi");
    assert_int_equal(at(v, "output.0.content.0.annotations")->count, 0);
    assert_int_equal(at(v, "usage.input_tokens")->integer, 11);
    assert_int_equal(at(v, "usage.output_tokens")->integer, 3);
    assert_int_equal(at(v, "usage.total_tokens")->integer, 14);
    assert_null_at(v, "error");
    assert_null_at(v, "incomplete_details");
    assert_null_at(v, "previous_response_id");
    assert_text(v, "metadata.k", "v");
    assert_text(v, "text.format.type", "text");
    assert_text(v, "tool_choice", "auto");
    assert_text(v, "truncation", "disabled");
}

static void says_when_it_is_cut(void **state) {
    (void)state;
    const json *v = ask("/v1/responses", ASK("echo", ",\"max_output_tokens\":3"), 200);
    assert_text(v, "status", "incomplete");
    assert_text(v, "incomplete_details.reason", "max_output_tokens");
    assert_int_equal(last_request.max_tokens, 3);
}

static void reads_items(void **state) {
    (void)state;
    ask("/v1/responses",
        "{\"model\":\"echo\",\"instructions\":\"Be brief.\",\"user\":\"kim\",\"input\":["
        "{\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"a\"},"
        "{\"type\":\"input_text\",\"text\":\"b\"}]},"
        "{\"type\":\"message\",\"role\":\"assistant\",\"id\":\"msg_x\",\"content\":"
        "[{\"type\":\"output_text\",\"text\":\"c\",\"annotations\":[]}]},"
        "{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[]},"
        "{\"type\":\"function_call\",\"call_id\":\"c1\",\"name\":\"add\",\"arguments\":\"{}\"},"
        "{\"type\":\"function_call\",\"call_id\":\"c2\",\"name\":\"sub\",\"arguments\":\"{}\"},"
        "{\"type\":\"function_call_output\",\"call_id\":\"c2\",\"output\":\"7\"}],"
        "\"temperature\":0.5,\"top_p\":0.25,\"text\":{\"format\":{\"type\":\"json_schema\","
        "\"name\":\"n\",\"schema\":{\"type\":\"null\"},\"strict\":true}},"
        "\"reasoning\":{\"effort\":\"none\"},\"include\":[\"message.output_text.logprobs\","
        "\"reasoning.encrypted_content\"],\"top_logprobs\":2" TOOLS
        ",\"tool_choice\":{\"type\":\"function\",\"name\":\"add\"},"
        "\"parallel_tool_calls\":false}",
        200);
    assert_int_equal(last_request.n_messages, 4);
    assert_int_equal(last_request.messages[0].role, GEN_SYSTEM);
    assert_true(str_is(last_request.messages[0].content, "Be brief."));
    assert_true(str_is(last_request.messages[1].content, "ab"));
    assert_int_equal(last_request.messages[2].n_calls, 2);
    assert_true(str_is(last_request.messages[2].content, "c"));
    assert_true(str_is(last_request.messages[2].calls[1].name, "sub"));
    assert_int_equal(last_request.messages[3].role, GEN_TOOL);
    assert_true(str_is(last_request.messages[3].call_id, "c2"));
    assert_true(str_is(last_request.messages[3].name, "sub"));
    assert_true(str_is(last_request.subject, "kim"));
    assert_int_equal(last_request.shape.kind, GEN_SHAPE_SCHEMA);
    assert_int_equal(last_request.top_logprobs, 2);
    assert_int_equal(last_request.tool_choice, GEN_TOOLS_ONE);
    assert_true(last_request.one_call);
    assert_false(json_get(last_request.extra, "enable_thinking")->boolean);
    assert_true(last_request.sampling.top_p < 0.26 && last_request.sampling.temperature > 0.49);
}

static void answers_with_calls(void **state) {
    (void)state;
    const json *v = ask("/v1/responses", ASK("caller", TOOLS), 200);
    assert_int_equal(at(v, "output")->count, 3);
    assert_text(v, "output.0.content.0.text", "Let me see");
    assert_text(v, "output.1.type", "function_call");
    assert_text(v, "output.1.call_id", "call_1");
    assert_text(v, "output.2.name", "add");
    assert_text(v, "output.2.arguments", "{\"a\":1}");
}

static void refuses_by_name(void **state) {
    (void)state;
    static const struct {
        const char *more, *param;
    } rows[] = {
        {",\"conversation\":\"conv_1\"", "conversation"},
        {",\"truncation\":\"auto\"", "truncation"},
        {",\"nonsense\":1", "nonsense"},
        {",\"tools\":[{\"type\":\"web_search\"}]", "tools[0].type"},
        {",\"include\":[\"file_search_call.results\"]", "include"},
        {",\"prompt\":{\"id\":\"p\"}", "prompt"},
        {",\"background\":true,\"stream\":true", "stream"},
        {",\"background\":true,\"store\":false", "store"},
        {",\"max_output_tokens\":0", "max_output_tokens"},
        {",\"text\":{\"format\":{\"type\":\"xml\"}}", "text.format.type"},
        {",\"tool_choice\":\"required\"", "tool_choice"},
        {",\"top_logprobs\":2", "top_logprobs"},
        {",\"metadata\":{\"a\":1}", "metadata"},
        {",\"reasoning\":{\"effort\":\"huge\"}", "reasoning.effort"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        str body = arena_printf(&fx.arena, "{\"model\":\"echo\",\"input\":\"hi\"%s}", rows[i].more);
        assert_text(ask("/v1/responses", body.p, 400), "error.param", rows[i].param);
    }
    static const struct {
        const char *input, *param;
    } inputs[] = {
        {"[]", "input"},
        {"7", "input"},
        {"[{\"type\":\"web_search_call\"}]", "input[0].type"},
        {"[{\"role\":\"king\",\"content\":\"x\"}]", "input[0].role"},
        {"[{\"role\":\"user\",\"content\":[{\"type\":\"input_image\",\"image_url\":\"x\"}]}]",
         "input[0].content[0]"},
        {"[{\"type\":\"function_call_output\",\"call_id\":\"z\",\"output\":\"1\"}]",
         "input[0].call_id"},
    };
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        str body = arena_printf(&fx.arena, "{\"model\":\"echo\",\"input\":%s}", inputs[i].input);
        assert_text(ask("/v1/responses", body.p, 400), "error.param", inputs[i].param);
    }
    assert_text(ask("/v1/responses", ASK("nosuch", ""), 404), "error.code", "model_not_found");
}

/* ---- kept ---- */

static void keeps_what_it_said(void **state) {
    (void)state;
    const json *v = ask("/v1/responses", ASK("echo", ""), 200);
    str id = text_at(v, "id");
    const json *again = ask(below(id, ""), NULL, 200);
    assert_text(again, "output.0.content.0.text", "You said hi");
    const json *items = ask(below(id, "/input_items"), NULL, 200);
    assert_int_equal(at(items, "data")->count, 1);
    assert_text(items, "data.0.type", "message");
    assert_text(items, "data.0.content.0.type", "input_text");
    assert_text(items, "data.0.content.0.text", "hi");
    assert_true(str_eq(text_at(items, "first_id"), text_at(items, "data.0.id")));
    assert_false(at(items, "has_more")->boolean);
    assert_true(at(ask_delete(below(id, ""), 200), "deleted")->boolean);
    assert_text(ask(below(id, ""), NULL, 404), "error.code", "not_found");
    ask_delete(below(id, ""), 404);
    v = ask("/v1/responses", ASK("echo", ",\"store\":false"), 200);
    ask(below(text_at(v, "id"), ""), NULL, 404);
}

/* A text beside a refusal is not measured, so it must not be copied either. */
static void a_refusal_is_its_refusal(void **state) {
    (void)state;
    char text[20001];
    memset(text, 'A', sizeof text - 1);
    text[sizeof text - 1] = 0;
    const char *const extra[] = {arena_printf(&fx.arena, "\"%s\"", text).p, "5", "{\"a\":1}"};
    for (size_t i = 0; i < 3; i++) {
        str body = arena_printf(&fx.arena,
                                "{\"model\":\"echo\",\"store\":false,\"input\":[{\"role\":"
                                "\"assistant\",\"content\":[{\"type\":\"refusal\","
                                "\"refusal\":\"no\",\"text\":%s}]},{\"role\":\"user\","
                                "\"content\":\"b\"}]}",
                                extra[i]);
        ask("/v1/responses", body.p, 200);
        assert_true(str_is(last_request.messages[0].content, "no"));
    }
}

static void goes_on_from_an_earlier_one(void **state) {
    (void)state;
    const json *v = ask("/v1/responses", ASK("caller", TOOLS ",\"instructions\":\"once\""), 200);
    str body = arena_printf(&fx.arena,
                            "{\"model\":\"echo\",\"previous_response_id\":\"%.*s\",\"input\":["
                            "{\"type\":\"function_call_output\",\"call_id\":\"call_2\","
                            "\"output\":\"5\"}]}",
                            STR_ARG(text_at(v, "id")));
    const json *second = ask("/v1/responses", body.p, 200);
    assert_int_equal(last_request.n_messages, 3); /* instructions are not carried over */
    assert_true(str_is(last_request.messages[0].content, "hi"));
    assert_true(str_is(last_request.messages[1].content, "Let me see"));
    assert_int_equal(last_request.messages[1].n_calls, 2);
    assert_int_equal(last_request.messages[2].role, GEN_TOOL);
    body = arena_printf(&fx.arena,
                        "{\"model\":\"echo\",\"previous_response_id\":\"%.*s\",\"input\":\"and?\"}",
                        STR_ARG(text_at(second, "id")));
    ask("/v1/responses", body.p, 200);
    assert_int_equal(last_request.n_messages, 5);
    assert_true(str_is(last_request.messages[3].content, "You said 5"));
    assert_text(ask("/v1/responses", ASK("echo", ",\"previous_response_id\":\"resp_no\""), 404),
                "error.code", "previous_response_not_found");
}

static void follows_references(void **state) {
    (void)state;
    const json *v = ask("/v1/responses", ASK("echo", ""), 200);
    str body = arena_printf(&fx.arena,
                            "{\"model\":\"echo\",\"input\":[{\"type\":\"item_reference\",\"id\":"
                            "\"%.*s\"},{\"role\":\"user\",\"content\":\"on\"}]}",
                            STR_ARG(text_at(v, "output.0.id")));
    ask("/v1/responses", body.p, 200);
    assert_int_equal(last_request.n_messages, 2);
    assert_true(str_is(last_request.messages[0].content, "You said hi"));
    assert_text(ask("/v1/responses",
                    "{\"model\":\"echo\",\"input\":[{\"type\":\"item_reference\",\"id\":\"no\"}]}",
                    404),
                "error.param", "input[0].id");
}

static void counts_tokens(void **state) {
    (void)state;
    const json *v =
        ask("/v1/responses/input_tokens", ASK("echo", ",\"instructions\":\"abc\""), 200);
    assert_text(v, "object", "response.input_tokens");
    assert_int_equal(at(v, "input_tokens")->integer, 5);
    v = ask("/v1/responses/input_tokens", ASK("echo", ",\"adapter\":7"), 400);
    assert_text(v, "error.param", "adapter");
}

static void pages_its_items(void **state) {
    (void)state;
    const json *v = ask("/v1/responses",
                        "{\"model\":\"echo\",\"input\":[{\"role\":\"user\",\"content\":\"1\"},"
                        "{\"role\":\"user\",\"content\":\"2\"},{\"role\":\"user\",\"content\":"
                        "\"3\"}]}",
                        200);
    str id = text_at(v, "id");
    const json *page = ask(below(id, "/input_items?limit=2"), NULL, 200);
    assert_text(page, "data.0.content.0.text", "3");
    assert_true(at(page, "has_more")->boolean);
    str next = arena_printf(&fx.arena, "/input_items?limit=2&after=%.*s",
                            STR_ARG(text_at(page, "last_id")));
    page = ask(below(id, next.p), NULL, 200);
    assert_int_equal(at(page, "data")->count, 1);
    assert_text(page, "data.0.content.0.text", "1");
    page = ask(below(id, "/input_items?order=asc&limit=1"), NULL, 200);
    assert_text(page, "data.0.content.0.text", "1");
}

/* ---- in the background ---- */

static const json *await(str id, const char *status) {
    for (int i = 0; i < 2000; i++) {
        const json *v = ask(below(id, ""), NULL, 200);
        if (str_is(text_at(v, "status"), status)) return v;
        clock_sleep_ms(5);
    }
    fail_msg("the response never became %s", status);
    return NULL;
}

static void answers_in_the_background(void **state) {
    (void)state;
    const json *v = ask("/v1/responses", ASK("echo", ",\"background\":true"), 200);
    assert_text(v, "status", "queued");
    assert_int_equal(at(v, "output")->count, 0);
    v = await(text_at(v, "id"), "completed");
    assert_text(v, "output.0.content.0.text", "You said hi");
    assert_true(at(v, "background")->boolean);
    str body = arena_printf(
        &fx.arena, "{\"model\":\"echo\",\"previous_response_id\":\"%.*s\",\"input\":\"x\"}",
        STR_ARG(text_at(v, "id")));
    ask("/v1/responses", body.p, 200);
    assert_int_equal(last_request.n_messages, 3);
    assert_text(ask(below(text_at(v, "id"), "/cancel"), "{}", 200), "status", "completed");
}

static void fails_in_the_background(void **state) {
    (void)state;
    const json *v = ask("/v1/responses", ASK("broken", ",\"background\":true"), 200);
    v = await(text_at(v, "id"), "failed");
    assert_text(v, "error.message", "the model broke");
    assert_text(ask("/v1/responses", ASK("nosuch", ",\"background\":true"), 404), "error.param",
                "model");
}

static void cancels_what_runs(void **state) {
    (void)state;
    atomic_store(&stuck_ended, 0);
    const json *v = ask("/v1/responses", ASK("stuck", ",\"background\":true"), 200);
    str id = text_at(v, "id");
    await(id, "in_progress");
    str body = arena_printf(
        &fx.arena, "{\"model\":\"echo\",\"previous_response_id\":\"%.*s\",\"input\":\"x\"}",
        STR_ARG(id));
    assert_text(ask("/v1/responses", body.p, 400), "error.param", "previous_response_id");
    assert_text(ask(below(id, "/cancel"), "{}", 200), "status", "cancelled");
    for (int i = 0; i < 2000 && !atomic_load(&stuck_ended); i++) clock_sleep_ms(5);
    assert_int_equal(atomic_load(&stuck_ended), E_CANCELLED + 1);
    assert_text(ask(below(id, ""), NULL, 200), "status", "cancelled");
    v = ask("/v1/responses", ASK("echo", ""), 200);
    ask(below(text_at(v, "id"), "/cancel"), "{}", 400);
}

/* ---- streamed ---- */

static void stream(const char *body) {
    str request =
        arena_printf(&fx.arena,
                     "POST /v1/responses HTTP/1.1\r\nHost: localhost:%d\r\nContent-Type: "
                     "application/json\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
                     fx.port, strlen(body), body);
    wire_ask(fx.port, request.p, wire, sizeof wire);
}

/* The n-th event's data, from 0; its name must be `name`, its sequence_number n. */
static const json *event_at(size_t n, const char *name) {
    const char *p = wire;
    for (size_t i = 0; i <= n; i++) {
        p = strstr(i ? p + 1 : p, "event: ");
        if (!p) fail_msg("there is no event %zu in %s", n, wire);
    }
    const char *data = strstr(p, "data: ") + 6;
    str line = {data, (size_t)(strchr(data, '\n') - data)};
    const json *v;
    assert_ok(json_parse(&fx.arena, line, &v, &fx.f), &fx.f);
    assert_text(v, "type", name);
    assert_true(!strncmp(p + 7, name, strlen(name)));
    assert_int_equal(at(v, "sequence_number")->integer, n);
    return v;
}

static void streams_in_order(void **state) {
    (void)state;
    stream(ASK("echo", ",\"stream\":true"));
    assert_text(event_at(0, "response.created"), "response.status", "in_progress");
    event_at(1, "response.in_progress");
    const json *v = event_at(2, "response.output_item.added");
    assert_int_equal(at(v, "output_index")->integer, 0);
    str item = text_at(v, "item.id");
    v = event_at(3, "response.content_part.added");
    assert_true(str_eq(text_at(v, "item_id"), item));
    assert_text(event_at(4, "response.output_text.delta"), "delta", "You ");
    assert_text(event_at(5, "response.output_text.delta"), "delta", "said ");
    assert_text(event_at(6, "response.output_text.delta"), "delta", "hi");
    assert_text(event_at(7, "response.output_text.done"), "text", "You said hi");
    assert_text(event_at(8, "response.content_part.done"), "part.text", "You said hi");
    assert_text(event_at(9, "response.output_item.done"), "item.status", "completed");
    v = event_at(10, "response.completed");
    assert_text(v, "response.output.0.content.0.text", "You said hi");
    assert_true(str_eq(text_at(v, "response.output.0.id"), item));
    assert_text(ask(below(text_at(v, "response.id"), ""), NULL, 200), "status", "completed");
}

static void streams_calls(void **state) {
    (void)state;
    stream(ASK("caller", ",\"stream\":true" TOOLS));
    event_at(2, "response.output_item.added");
    event_at(4, "response.output_text.delta");
    event_at(7, "response.output_item.done");
    const json *v = event_at(8, "response.output_item.added");
    assert_text(v, "item.type", "function_call");
    assert_text(v, "item.arguments", "");
    assert_int_equal(at(v, "output_index")->integer, 1);
    str item = text_at(v, "item.id");
    v = event_at(9, "response.function_call_arguments.delta");
    assert_true(str_eq(text_at(v, "item_id"), item));
    event_at(10, "response.function_call_arguments.delta");
    v = event_at(11, "response.function_call_arguments.done");
    assert_text(v, "arguments", "{\"a\":1}");
    assert_text(v, "name", "add");
    assert_text(event_at(12, "response.output_item.done"), "item.call_id", "call_1");
    event_at(13, "response.output_item.added");
    v = event_at(18, "response.completed");
    assert_true(str_eq(text_at(v, "response.output.1.id"), item));
    assert_int_equal(at(v, "response.output")->count, 3);
}

static void thoughts_are_items(void **state) {
    (void)state;
    const json *v = ask("/v1/responses", ASK("thinker", ""), 200);
    assert_text(v, "output.0.type", "reasoning");
    assert_text(v, "output.0.content.0.type", "reasoning_text");
    assert_text(v, "output.0.content.0.text", "Let me think.");
    assert_int_equal(at(v, "output.0.summary")->count, 0);
    assert_text(v, "output.1.content.0.text", "Yes.");
    assert_int_equal(at(v, "usage.output_tokens_details.reasoning_tokens")->integer, 5);
    /* gone on from: the template gets what was thought */
    str body = arena_printf(&fx.arena,
                            "{\"model\":\"thinker\",\"input\":\"and?\",\"previous_response_id\":"
                            "\"%.*s\"}",
                            STR_ARG(text_at(v, "id")));
    ask("/v1/responses", body.p, 200);
    assert_int_equal(last_request.n_messages, 3);
    assert_true(str_is(last_request.messages[1].content, "Yes."));
    assert_true(str_is(last_request.messages[1].reasoning, "Let me think."));
    assert_true(str_is(last_request.messages[2].reasoning, ""));
    stream(ASK("thinker", ",\"stream\":true"));
    v = event_at(2, "response.output_item.added");
    assert_text(v, "item.type", "reasoning");
    str item = text_at(v, "item.id");
    assert_text(event_at(3, "response.content_part.added"), "part.type", "reasoning_text");
    v = event_at(4, "response.reasoning_text.delta");
    assert_text(v, "delta", "Let me ");
    assert_true(str_eq(text_at(v, "item_id"), item));
    assert_int_equal(at(v, "content_index")->integer, 0);
    assert_text(event_at(6, "response.reasoning_text.done"), "text", "Let me think.");
    assert_text(event_at(7, "response.content_part.done"), "part.text", "Let me think.");
    assert_text(event_at(8, "response.output_item.done"), "item.content.0.text", "Let me think.");
    v = event_at(9, "response.output_item.added");
    assert_text(v, "item.type", "message");
    assert_int_equal(at(v, "output_index")->integer, 1);
    v = event_at(15, "response.completed");
    assert_true(str_eq(text_at(v, "response.output.0.id"), item));
    assert_int_equal(at(v, "response.output")->count, 2);
}

static void a_broken_stream_says_so(void **state) {
    (void)state;
    stream(ASK("broken", ",\"stream\":true"));
    const json *v = event_at(5, "response.failed");
    assert_text(v, "response.status", "failed");
    assert_text(v, "response.error.message", "the model broke");
    stream(ASK("nosuch", ",\"stream\":true"));
    assert_true(str_starts(str_from(wire), STR("HTTP/1.1 404")));
}

static void answers_with_a_task(void **state) {
    (void)state;
    const json *v = ask("/v1/responses",
                        "{\"model\":\"task:desk\",\"input\":\"hello how do i cancel my boat "
                        "policy\"}",
                        200);
    assert_text(v, "output.0.content.0.text", "You can cancel whenever you like.");
    assert_text(v, "bantam.label", "cancel");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(answers_whole, reset),
        cmocka_unit_test_setup(says_when_it_is_cut, reset),
        cmocka_unit_test_setup(reads_items, reset),
        cmocka_unit_test_setup(answers_with_calls, reset),
        cmocka_unit_test_setup(refuses_by_name, reset),
        cmocka_unit_test_setup(keeps_what_it_said, reset),
        cmocka_unit_test_setup(goes_on_from_an_earlier_one, reset),
        cmocka_unit_test_setup(a_refusal_is_its_refusal, reset),
        cmocka_unit_test_setup(follows_references, reset),
        cmocka_unit_test_setup(counts_tokens, reset),
        cmocka_unit_test_setup(pages_its_items, reset),
        cmocka_unit_test_setup(answers_in_the_background, reset),
        cmocka_unit_test_setup(fails_in_the_background, reset),
        cmocka_unit_test_setup(cancels_what_runs, reset),
        cmocka_unit_test_setup(streams_in_order, reset),
        cmocka_unit_test_setup(streams_calls, reset),
        cmocka_unit_test_setup(a_broken_stream_says_so, reset),
        cmocka_unit_test_setup(thoughts_are_items, reset),
        cmocka_unit_test_setup(answers_with_a_task, reset),
    };
    return cmocka_run_group_tests(tests, fake_open, fake_close);
}
