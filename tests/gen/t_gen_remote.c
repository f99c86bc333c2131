/* t_gen_remote.c - tests gen_remote against a server on loopback that says what it is told to:
 * tools go out and calls come back; what was not offered, or is no JSON, is not agreed. */
#include "gen/gen_remote.h"

#include "net/http_server.h"
#include "test.h"

static arena a;
static http_server *server;
static gen_remote *remote;
static str asked, said;

static void answer(void *ctx, http_request *rq, http_reply *rp) {
    (void)ctx;
    asked = arena_str(&a, rq->body);
    (void)!http_send(rp, 200, "application/json", said, NULL);
}

static int setup(void **state) {
    (void)state;
    fail f = {0};
    arena_init(&a, 0);
    assert_ok(http_server_open(&server, &(http_options){.handler = answer, .workers = 1}, &f), &f);
    str url = arena_printf(&a, "http://127.0.0.1:%d/v1", http_server_port(server));
    assert_ok(gen_remote_open(&remote, &(gen_remote_options){.url = url, .model = STR("big")}, &f),
              &f);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    gen_remote_close(remote);
    http_server_close(server, 1000);
    arena_deinit(&a);
    return 0;
}

static int events;
static err count(void *self, const gen_event *event, fail *f) {
    (void)self, (void)f;
    events += event->call ? 10 : 1;
    return E_OK;
}

static err ask(gen_tool_choice choice, const char *message, gen_reply *out, fail *f) {
    static const gen_tool tools[] = {{STR("now"), STR("the time"), NULL},
                                     {STR("add"), STR(""), NULL}};
    static const gen_call before = {STR("c0"), STR("now"), STR("{}")};
    static const gen_message messages[] = {
        {.role = GEN_USER, .content = STR("When?")},
        {.role = GEN_ASSISTANT, .content = STR(""), .calls = &before, .n_calls = 1},
        {.role = GEN_TOOL, .content = STR("noon"), .call_id = STR("c0")}};
    gen_request rq = {.messages = messages,
                      .n_messages = 3,
                      .tools = tools,
                      .n_tools = 2,
                      .tool_choice = choice,
                      .tool_name = STR("now"),
                      .one_call = true,
                      .arena = &a};
    gen_provider p = gen_remote_provider(remote);
    said = arena_printf(&a,
                        "{\"model\":\"big\",\"choices\":[{\"finish_reason\":\"tool_calls\","
                        "\"message\":%s}],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2}}",
                        message);
    events = 0;
    return p.generate(p.self, &rq, (gen_sink){.put = count}, out, f);
}

static bool went_out(const char *part) {
    return str_find(asked, str_from(part)) != STR_INDEX_NONE;
}

#define CALL(name, arguments)                                                           \
    "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c1\",\"type\":" \
    "\"function\",\"function\":{\"name\":\"" name "\",\"arguments\":\"" arguments "\"}}]}"

static void tools_go_out_and_calls_come_back(void **state) {
    (void)state;
    fail f = {0};
    gen_reply r = {0};
    assert_ok(ask(GEN_TOOLS_ONE, CALL("add", "{\\\"a\\\":1}"), &r, &f), &f);
    assert_int_equal(r.n_calls, 1);
    assert_int_equal(r.finish, GEN_CALLS);
    assert_true(str_is(r.calls[0].id, "c1") && str_is(r.calls[0].name, "add"));
    assert_true(str_is(r.calls[0].arguments, "{\"a\":1}") && str_is(r.text, ""));
    assert_int_equal(r.prompt_tokens, 7);
    assert_int_equal(events, 20); /* it begins, and its arguments */
    assert_true(went_out("\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"now\","
                         "\"description\":\"the time\",\"parameters\":{"));
    assert_true(
        went_out("\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"now\"}}"));
    assert_true(went_out("\"parallel_tool_calls\":false"));
    assert_true(went_out("\"tool_calls\":[{\"id\":\"c0\""));
    assert_true(went_out("\"tool_call_id\":\"c0\""));
    assert_ok(ask(GEN_TOOLS_REQUIRED, CALL("now", "{}"), &r, &f), &f);
    assert_true(went_out("\"tool_choice\":\"required\""));
    assert_ok(ask(GEN_TOOLS_NONE, "{\"content\":\"At noon.\"}", &r, &f), &f);
    assert_true(!went_out("\"tools\"") && str_is(r.text, "At noon.") && events == 1);
}

static void what_was_not_agreed_is_refused(void **state) {
    (void)state;
    static const char *const rows[] = {CALL("fly", "{}"),
                                       CALL("now", "{"),
                                       CALL("now", "[]"),
                                       "{\"content\":null}",
                                       "{\"content\":null,\"tool_calls\":7}",
                                       "{\"content\":null,\"tool_calls\":[{\"id\":\"x\"}]}"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fail f = {0};
        gen_reply r = {0};
        assert_int_equal(ask(GEN_TOOLS_AUTO, rows[i], &r, &f), E_NETWORK);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(tools_go_out_and_calls_come_back),
                                       cmocka_unit_test(what_was_not_agreed_is_refused)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
