/* t_api_tools.c - tests the chat's tools, choices and template variables: what reaches the
 * provider, and what its calls look like whole and as a stream, for tools and for the older
 * functions. */
#include "api_wire.h"

#define ROUTE "/v1/chat/completions"
#define ASK(model, more) \
    "{\"model\":\"" model "\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]" more "}"
#define TOOLS                                                                                  \
    ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"add\",\"description\":\"d\"," \
    "\"parameters\":{\"type\":\"object\"}}},{\"type\":\"function\",\"function\":{\"name\":"    \
    "\"stop\"}}]"

static int reset(void **state) {
    (void)state;
    arena_reset(&fx.arena);
    return 0;
}

/* ---- what is read ---- */

static void reads_tools(void **state) {
    (void)state;
    ask(ROUTE, ASK("echo", TOOLS), 200);
    assert_int_equal(last_request.n_tools, 2);
    assert_int_equal(last_request.tool_choice, GEN_TOOLS_AUTO);
    assert_false(last_request.one_call);
    ask(ROUTE, ASK("echo", TOOLS ",\"tool_choice\":\"none\",\"parallel_tool_calls\":false"), 200);
    assert_int_equal(last_request.tool_choice, GEN_TOOLS_NONE);
    assert_true(last_request.one_call);
    ask(ROUTE, ASK("echo", TOOLS ",\"tool_choice\":\"required\""), 200);
    assert_int_equal(last_request.tool_choice, GEN_TOOLS_REQUIRED);
    ask(ROUTE,
        ASK("echo",
            TOOLS ",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"stop\"}}"),
        200);
    assert_int_equal(last_request.tool_choice, GEN_TOOLS_ONE);
    ask(ROUTE, ASK("echo", ",\"functions\":[{\"name\":\"f\"}],\"function_call\":{\"name\":\"f\"}"),
        200);
    assert_int_equal(last_request.tool_choice, GEN_TOOLS_ONE);
    ask(ROUTE, ASK("echo", ",\"tools\":[],\"tool_choice\":\"auto\",\"functions\":null"), 200);
    assert_int_equal(last_request.n_tools, 0);
}

static void reads_calls_and_results(void **state) {
    (void)state;
    ask(ROUTE,
        "{\"model\":\"echo\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"},"
        "{\"role\":\"assistant\",\"content\":null,\"reasoning_content\":\"hm\",\"tool_calls\":["
        "{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"add\",\"arguments\":"
        "\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"4\"},"
        "{\"role\":\"assistant\",\"function_call\":{\"name\":\"old\",\"arguments\":\"{}\"}},"
        "{\"role\":\"function\",\"name\":\"old\",\"content\":\"5\"},"
        "{\"role\":\"user\",\"content\":\"and?\"}],\"chat_template_kwargs\":{\"a\":1},"
        "\"reasoning_effort\":\"none\",\"verbosity\":\"low\"}",
        200);
    assert_int_equal(last_request.n_messages, 6);
    /* they lie in an arena that is gone: only what the record and counts say is looked at */
    assert_int_equal(last_request.n_tools, 0);
}

static void refuses(void **state) {
    (void)state;
    static const struct {
        const char *more, *param;
    } rows[] = {
        {",\"tools\":[{\"type\":\"function\"}]", "tools[0].function"},
        {",\"tools\":[{\"type\":\"web_search\"}]", "tools[0].type"},
        {",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"\"}}]", "tools[0].function"},
        {",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":7}}]",
         "tools[0].function"},
        {",\"tools\":7", "tools"},
        {",\"functions\":[{}]", "functions[0].name"},
        {TOOLS ",\"functions\":[{\"name\":\"f\"}]", "functions"},
        {TOOLS ",\"tool_choice\":\"maybe\"", "tool_choice"},
        {TOOLS ",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"no\"}}",
         "tool_choice"},
        {",\"tool_choice\":\"required\"", "tool_choice"},
        {TOOLS ",\"parallel_tool_calls\":1", "parallel_tool_calls"},
        {",\"messages\":[{\"role\":\"tool\",\"content\":\"x\"}]", "messages[0].tool_call_id"},
        {",\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c\"}]}]",
         "messages[0].tool_calls"},
        {",\"messages\":[{\"role\":\"user\",\"content\":\"x\",\"tool_calls\":[{\"id\":\"c\"}]}]",
         "messages[0].tool_calls"},
        {",\"messages\":[{\"role\":\"assistant\",\"content\":null}]", "messages[0].content"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        str body = arena_printf(&fx.arena,
                                "{\"model\":\"echo\",\"messages\":[{\"role\":\"user\","
                                "\"content\":\"hi\"}]%s}",
                                rows[i].more);
        assert_text(ask(ROUTE, body.p, 400), "error.param", rows[i].param);
    }
    assert_text(ask(ROUTE, ASK("task:desk", TOOLS), 400), "error.param", "tools");
    assert_text(ask(ROUTE, ASK("task:desk", ",\"n\":2"), 400), "error.param", "n");
}

/* ---- what is answered ---- */

static void calls_whole(void **state) {
    (void)state;
    const json *v = ask(ROUTE, ASK("caller", TOOLS), 200);
    assert_text(v, "choices.0.finish_reason", "tool_calls");
    assert_text(v, "choices.0.message.content", "Let me see");
    assert_int_equal(at(v, "choices.0.message.tool_calls")->count, 2);
    assert_text(v, "choices.0.message.tool_calls.1.id", "call_2");
    assert_text(v, "choices.0.message.tool_calls.1.type", "function");
    assert_text(v, "choices.0.message.tool_calls.1.function.name", "add");
    assert_text(v, "choices.0.message.tool_calls.1.function.arguments", "{\"a\":1}");
    assert_int_equal(at(v, "usage.prompt_tokens_details.cached_tokens")->integer, 16);
    assert_int_equal(at(v, "timings.cache_n")->integer, 16);
    assert_int_equal(at(v, "timings.prompt_n")->integer, 4);
    assert_int_equal(at(v, "timings.predicted_ms")->integer, 180);
    assert_true(str_starts(text_at(v, "system_fingerprint"), STR("fp_")));
    str path = arena_printf(&fx.arena, "/v1/requests/%.*s", STR_ARG(text_at(v, "bantam.trace")));
    assert_text(ask(path.p, NULL, 200), "answer",
                "Let me see\n{\"call\":\"add\",\"arguments\":{\"a\":1}}\n"
                "{\"call\":\"add\",\"arguments\":{\"a\":1}}");
    v = ask(ROUTE, ASK("caller", ",\"functions\":[{\"name\":\"add\"}]"), 200);
    assert_text(v, "choices.0.finish_reason", "function_call");
    assert_text(v, "choices.0.message.function_call.name", "add");
    assert_text(v, "choices.0.message.function_call.arguments", "{\"a\":1}");
    assert_null(at(v, "choices.0.message.tool_calls"));
}

#define CALL "choices.0.delta.tool_calls.0."
static void calls_streamed(void **state) {
    (void)state;
    wire_stream(ROUTE, ASK("caller", TOOLS ",\"stream\":true"));
    assert_text(event_at(1), "choices.0.delta.content", "Let me see");
    assert_text(event_at(2), CALL "id", "call_1");
    assert_text(event_at(2), CALL "function.name", "add");
    assert_text(event_at(2), CALL "function.arguments", "");
    assert_int_equal(at(event_at(2), CALL "index")->integer, 0);
    assert_text(event_at(3), CALL "function.arguments", "{\"a\":");
    assert_null(at(event_at(3), CALL "id"));
    assert_null(at(event_at(3), CALL "function.name"));
    assert_text(event_at(4), CALL "function.arguments", "1}");
    assert_int_equal(at(event_at(5), CALL "index")->integer, 1);
    assert_text(event_at(8), "choices.0.finish_reason", "tool_calls");
    assert_int_equal(at(event_at(8), "choices.0.delta")->count, 0);
    assert_non_null(at(event_at(8), "timings"));
    wire_stream(ROUTE, ASK("caller", ",\"functions\":[{\"name\":\"add\"}],\"stream\":true"));
    assert_text(event_at(2), "choices.0.delta.function_call.name", "add");
    assert_text(event_at(3), "choices.0.delta.function_call.arguments", "{\"a\":");
}

static void several_choices(void **state) {
    (void)state;
    const json *v = ask(ROUTE, ASK("seeded", ",\"n\":4,\"seed\":5"), 200);
    assert_int_equal(at(v, "choices")->count, 4);
    assert_text(v, "choices.0.message.content", "5");
    assert_text(v, "choices.3.message.content", "8");
    assert_int_equal(at(v, "choices.3.index")->integer, 3);
    assert_int_equal(at(v, "usage.prompt_tokens")->integer, 5);
    assert_int_equal(at(v, "usage.completion_tokens")->integer, 4);
    str path = arena_printf(&fx.arena, "/v1/requests/%.*s-3", STR_ARG(text_at(v, "bantam.trace")));
    assert_text(ask(path.p, NULL, 200), "answer", "8");
    v = ask(ROUTE, ASK("seeded", ",\"n\":4,\"seed\":1,\"max_tokens\":7"), 500);
    assert_text(v, "error.message", "the third broke");
}

static void several_choices_streamed(void **state) {
    (void)state;
    bool role[3] = {false}, finished[3] = {false};
    wire_stream(ROUTE, ASK("seeded", ",\"n\":3,\"seed\":5,\"stream\":true,\"stream_options\":"
                                     "{\"include_usage\":true}"));
    size_t i = 0;
    for (; i < 9; i++) {
        const json *v = event_at(i), *text = at(v, "choices.0.delta.content");
        int64_t k = at(v, "choices.0.index")->integer;
        assert_in_range(k, 0, 2);
        if (at(v, "choices.0.delta.role")) {
            assert_false(role[k]);
            role[k] = true;
        } else if (text) {
            assert_true(role[k] && !finished[k]);
            assert_int_equal(text->string.p[0], '5' + k);
        } else {
            assert_text(v, "choices.0.finish_reason", "stop");
            finished[k] = true;
        }
    }
    assert_true(finished[0] && finished[1] && finished[2]);
    assert_int_equal(at(event_at(i), "usage.completion_tokens")->integer, 3);
    assert_non_null(strstr(wire, "data: [DONE]\n\n"));
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(reads_tools, reset),
        cmocka_unit_test_setup(reads_calls_and_results, reset),
        cmocka_unit_test_setup(refuses, reset),
        cmocka_unit_test_setup(calls_whole, reset),
        cmocka_unit_test_setup(calls_streamed, reset),
        cmocka_unit_test_setup(several_choices, reset),
        cmocka_unit_test_setup(several_choices_streamed, reset),
    };
    return cmocka_run_group_tests_name("api: tools", tests, fake_open, fake_close);
}
