/* t_api_complete.c - /v1/completions: which prompts reach the provider, OpenAI's older shape whole
 * and as a stream, what is refused. */
#include "api_wire.h"

#define ROUTE "/v1/completions"
#define ASK(model, prompt, more) "{\"model\":\"" model "\",\"prompt\":" prompt more "}"

static int reset(void **state) {
    (void)state;
    arena_reset(&fx.arena);
    return 0;
}

static void takes_a_text(void **state) {
    (void)state;
    const json *v = ask(ROUTE, ASK("echo", "\"Once\"", ""), 200);
    assert_true(last_request.raw);
    assert_int_equal(last_request.max_tokens, 16); /* OpenAI's default */
    assert_int_equal(last_request.top_logprobs, -1);
    assert_text(v, "object", "text_completion");
    assert_true(str_starts(text_at(v, "id"), STR("cmpl-")));
    assert_text(v, "choices.0.text", "You said Once");
    assert_text(v, "choices.0.finish_reason", "stop");
    assert_int_equal(at(v, "choices.0.logprobs")->kind, JSON_NULL);
    assert_int_equal(at(v, "usage.total_tokens")->integer, 14);
    v = ask(ROUTE, ASK("echo", "\"Once\"", ",\"max_tokens\":3,\"echo\":true"), 200);
    assert_text(v, "choices.0.text", "OnceYou said Once");
    assert_text(v, "choices.0.finish_reason", "length");
}

static void takes_tokens(void **state) {
    (void)state;
    ask(ROUTE, ASK("echo", "[5,6,70]", ""), 200);
    assert_int_equal(last_request.n_ids, 3);
    const json *v = ask(ROUTE, ASK("echo", "[[5],[6,7]]", ""), 200);
    assert_int_equal(last_request.n_ids, 2);
    assert_int_equal(at(v, "choices")->count, 2);
}

static void one_deadline_for_all(void **state) {
    (void)state;
    ask(ROUTE, ASK("sleepy", "[\"a\",\"b\"]", ",\"deadline_ms\":60000"), 200);
    int64_t later_ms = sleepy_deadline_ms[1] - sleepy_deadline_ms[0];
    assert_true(later_ms >= -1 && later_ms <= 1); /* two clocks are read, each in whole ones */
}

static void says_what_answered(void **state) {
    (void)state;
    assert_text(ask(ROUTE, ASK("nick", "[\"a\",\"b\"]", ""), 200), "model", "echo");
    wire_stream(ROUTE, ASK("nick", "\"a\"", ",\"stream\":true,\"echo\":true"));
    assert_non_null(strstr(wire, "\"model\":\"echo\""));
    assert_null(strstr(wire, "nick"));
    assert_text(event_at(0), "choices.0.text", "a");
    /* what fails before the first word has its own status, whatever is said again */
    ask(ROUTE, ASK("busy", "\"a\"", ",\"stream\":true,\"echo\":true"), 429);
}

static void numbers_choices(void **state) {
    (void)state;
    const json *v = ask(ROUTE, ASK("seeded", "[\"a\",\"b\"]", ",\"n\":2,\"seed\":4"), 200);
    assert_int_equal(at(v, "choices")->count, 4);
    assert_int_equal(at(v, "choices.3.index")->integer, 3);
    assert_text(v, "choices.0.text", "4");
    assert_text(v, "choices.1.text", "5");
    assert_text(v, "choices.2.text", "4");
    assert_int_equal(at(v, "usage.prompt_tokens")->integer, 10); /* each prompt once */
    assert_int_equal(at(v, "usage.completion_tokens")->integer, 4);
}

static void says_logprobs(void **state) {
    (void)state;
    const json *v = ask(ROUTE, ASK("echo", "\"x\"", ",\"logprobs\":2"), 200);
    assert_int_equal(last_request.top_logprobs, 2);
    assert_text(v, "choices.0.logprobs.tokens.0", "You");
    assert_true(at(v, "choices.0.logprobs.token_logprobs.0")->number == -0.25);
    assert_int_equal(at(v, "choices.0.logprobs.text_offset.0")->integer, 0);
    assert_int_equal(at(v, "choices.0.logprobs.top_logprobs")->count, 1);
}

static void streams(void **state) {
    (void)state;
    const char *body =
        ASK("echo", "\"Hi\"", ",\"stream\":true,\"stream_options\":{\"include_usage\":true}");
    wire_stream(ROUTE, body);
    assert_non_null(strstr(wire, "\"text\":\"You \""));
    assert_non_null(strstr(wire, "\"text\":\"Hi\""));
    assert_non_null(strstr(wire, "\"finish_reason\":\"stop\""));
    assert_non_null(strstr(wire, "\"choices\":[],\"usage\":{\"prompt_tokens\":11"));
    assert_non_null(strstr(wire, "data: [DONE]"));
}

static void refuses(void **state) {
    (void)state;
    assert_text(ask(ROUTE, "{\"model\":\"echo\"}", 400), "error.param", "prompt");
    assert_text(ask(ROUTE, ASK("echo", "\"\"", ""), 400), "error.param", "prompt");
    assert_text(ask(ROUTE, ASK("echo", "[]", ""), 400), "error.param", "prompt");
    assert_text(ask(ROUTE, ASK("echo", "[1,-2]", ""), 400), "error.param", "prompt");
    assert_text(ask(ROUTE, ASK("echo", "[1.5]", ""), 400), "error.param", "prompt");
    assert_text(ask(ROUTE, ASK("echo", "[\"a\",7]", ""), 400), "error.param", "prompt");
    assert_text(ask(ROUTE, ASK("echo", "\"a\"", ",\"suffix\":\"b\""), 400), "error.param",
                "suffix");
    assert_text(ask(ROUTE, ASK("echo", "\"a\"", ",\"best_of\":3"), 400), "error.param", "best_of");
    assert_text(ask(ROUTE, ASK("echo", "[7]", ",\"echo\":true"), 400), "error.param", "echo");
    assert_text(ask(ROUTE, ASK("echo", "\"a\"", ",\"messages\":[]"), 400), "error.param",
                "messages");
    assert_text(ask(ROUTE, ASK("task:desk", "\"a\"", ""), 400), "error.param", "model");
    assert_text(ask(ROUTE, ASK("nobody", "\"a\"", ""), 404), "error.code", "model_not_found");
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(takes_a_text, reset),
        cmocka_unit_test_setup(takes_tokens, reset),
        cmocka_unit_test_setup(one_deadline_for_all, reset),
        cmocka_unit_test_setup(says_what_answered, reset),
        cmocka_unit_test_setup(numbers_choices, reset),
        cmocka_unit_test_setup(says_logprobs, reset),
        cmocka_unit_test_setup(streams, reset),
        cmocka_unit_test_setup(refuses, reset),
    };
    return cmocka_run_group_tests_name("api: completions", tests, fake_open, fake_close);
}
