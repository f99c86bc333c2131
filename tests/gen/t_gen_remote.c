/* t_gen_remote.c - tests gen_remote against a server on loopback that says what it is told to:
 * tools go out and calls come back, whole or as a stream; what was not offered, or is no JSON, is
 * not agreed; what breaks off is no answer. Chunks as OpenAI's API reference shows them. */
#include "gen/gen_remote.h"

#include "base/clock.h"
#include "net/http_server.h"
#include "test.h"

#include <stdatomic.h>
#include <string.h>

static arena a;
static http_server *server;
static gen_remote *remote;
static str asked, said;
static buf told; /* the events as text: words, "[name" begins a call, "|piece" of its arguments */
static const char *const *chunks;   /* NULL at the end; NULL = said, whole */
static bool cut;                    /* the connection, behind the last chunk */
static int busy;                    /* so many answers of 503 first */
static atomic_int asks, seen, late; /* requests; events; chunks whose event did not come */

/* A chunk of a call is followed by the next one only when its event has come, so that one that is
 * passed on late is seen. */
static void stream(const http_request *rq, http_reply *rp) {
    fail f;
    const char *const *own = chunks; /* the test may be at the next ones before we notice */
    if (http_stream_begin(rp, 200, "text/event-stream", &f) != E_OK) return;
    for (size_t i = 0; own[i]; i++) {
        atomic_store(&seen, 0);
        if (sse_put(rp, NULL, str_from(own[i]), &f) != E_OK) return;
        int ms = strstr(own[i], "arguments") ? 5000 : 0;
        while (ms && !atomic_load(&seen) && !http_gone(rq)) clock_sleep_ms(1), ms--;
        if (strstr(own[i], "arguments") && !ms) atomic_fetch_add(&late, 1);
    }
    if (!cut) (void)!http_stream_end(rp, &f);
}

static void answer(void *ctx, http_request *rq, http_reply *rp) {
    (void)ctx;
    asked = arena_str(&a, rq->body);
    if (atomic_fetch_add(&asks, 1) < busy)
        (void)!http_send(rp, 503, "text/plain", STR("later"), NULL);
    else if (chunks)
        stream(rq, rp);
    else
        (void)!http_send(rp, 200, "application/json", said, NULL);
}

static int setup(void **state) {
    (void)state;
    fail f = {0};
    arena_init(&a, 0);
    assert_ok(http_server_open(&server, &(http_options){.handler = answer, .workers = 1}, &f), &f);
    str url = arena_printf(&a, "http://127.0.0.1:%d/v1", http_server_port(server));
    gen_remote_options o = {.url = url, .model = STR("big"), .retries = 2};
    assert_ok(gen_remote_open(&remote, &o, &f), &f);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    gen_remote_close(remote);
    http_server_close(server, 1000);
    buf_deinit(&told);
    arena_deinit(&a);
    return 0;
}

static int events;
static err sink_fails;

static err note(void *self, const gen_event *event, fail *f) {
    (void)self;
    events += event->call ? 10 : 1;
    if (event->call_begins) buf_printf(&told, "[%.*s", STR_ARG(event->call->name));
    if (event->text.n) buf_printf(&told, "%s%.*s", event->call ? "|" : "", STR_ARG(event->text));
    atomic_fetch_add(&seen, 1);
    return sink_fails ? fail_set(f, sink_fails, "the sink is full") : E_OK;
}

static err ask_all(gen_tool_choice choice, gen_reply *out, fail *f) {
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
    events = 0;
    atomic_store(&asks, 0);
    atomic_store(&seen, 0);
    buf_reset(&told);
    return p.generate(p.self, &rq, (gen_sink){.put = note}, out, f);
}

static err ask(gen_tool_choice choice, const char *message, gen_reply *out, fail *f) {
    chunks = NULL;
    said = arena_printf(&a,
                        "{\"model\":\"big\",\"choices\":[{\"finish_reason\":\"tool_calls\","
                        "\"message\":%s}],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2}}",
                        message);
    return ask_all(choice, out, f);
}

static err ask_stream(const char *const *all, bool cuts, gen_reply *out, fail *f) {
    chunks = all;
    cut = cuts;
    *out = (gen_reply){0};
    return ask_all(GEN_TOOLS_AUTO, out, f);
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

/* ---- as a stream ---- */

#define DELTA(delta) "{\"model\":\"big\",\"choices\":[{\"index\":0,\"delta\":{" delta "}}]}"
#define PIECE(call) DELTA("\"tool_calls\":[{" call "}]")
#define BEGIN(n, id, name)                                                                  \
    PIECE("\"index\":" n ",\"id\":\"" id "\",\"type\":\"function\",\"function\":{\"name\":" \
          "\"" name "\",\"arguments\":\"\"}")
#define MORE(n, text) PIECE("\"index\":" n ",\"function\":{\"arguments\":\"" text "\"}")
#define FINISH(why) "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"" why "\"}]}"
#define USAGE "{\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2}}"

static void calls_come_as_they_are_made(void **state) {
    (void)state;
    static const char *const all[] = {DELTA("\"role\":\"assistant\",\"content\":\"\""),
                                      DELTA("\"content\":\"Wait.\""),
                                      BEGIN("0", "c1", "add"),
                                      MORE("0", "{\\\"a\\\""),
                                      MORE("0", ":1}"),
                                      BEGIN("1", "c2", "now"),
                                      MORE("1", "{}"),
                                      FINISH("tool_calls"),
                                      USAGE,
                                      "[DONE]",
                                      NULL};
    fail f = {0};
    gen_reply r;
    assert_ok(ask_stream(all, false, &r, &f), &f);
    assert_string_equal(buf_z(&told), "Wait.[add|{\"a\"|:1}[now|{}");
    assert_int_equal(r.n_calls, 2);
    assert_int_equal(r.finish, GEN_CALLS);
    assert_true(str_is(r.text, "Wait.") && str_is(r.model, "big"));
    assert_true(str_is(r.calls[0].id, "c1") && str_is(r.calls[0].arguments, "{\"a\":1}"));
    assert_true(str_is(r.calls[1].name, "now") && str_is(r.calls[1].arguments, "{}"));
    assert_int_equal(r.prompt_tokens, 7);
    assert_int_equal(r.completion_tokens, 2);
    assert_int_equal(atomic_load(&late), 0);
    assert_true(went_out("\"stream\":true,\"stream_options\":{\"include_usage\":true}"));
}

/* Some servers leave the index out, and some say a whole call at once. */
static void whole_calls_without_an_index(void **state) {
    (void)state;
    static const char *const all[] = {
        PIECE("\"id\":\"c1\",\"function\":{\"name\":\"add\",\"arguments\":\"{\\\"a\\\":1}\"}"),
        PIECE("\"id\":\"c2\",\"function\":{\"name\":\"now\",\"arguments\":\"{\"}"),
        PIECE("\"function\":{\"arguments\":\"}\"}"), FINISH("tool_calls"), NULL};
    fail f = {0};
    gen_reply r;
    assert_ok(ask_stream(all, false, &r, &f), &f);
    assert_string_equal(buf_z(&told), "[add|{\"a\":1}[now|{|}");
    assert_true(r.n_calls == 2 && str_is(r.calls[1].arguments, "{}"));
}

/* No half call as a whole one: the connection cut, or ended without a word; the reply stays as it
 * was. */
static void broken_off_in_arguments(void **state) {
    (void)state;
    static const char *const all[] = {BEGIN("0", "c1", "add"), MORE("0", "{\\\"a\\\""), NULL};
    for (int cuts = 0; cuts < 2; cuts++) {
        fail f = {0};
        gen_reply r;
        assert_int_equal(ask_stream(all, cuts, &r, &f), E_NETWORK);
        assert_non_null(strstr(f.text, "broke off while it called \"add\""));
        assert_true(r.n_calls == 0 && !r.text.p);
        assert_int_equal(atomic_load(&asks), 1); /* half an answer went out: no other try */
    }
}

static void bad_streams_are_refused(void **state) {
    (void)state;
    static const char *const rows[][5] = {
        {BEGIN("0", "c1", "fly"), FINISH("tool_calls")},
        {BEGIN("0", "", "add"), FINISH("tool_calls")},
        {BEGIN("1", "c1", "add"), FINISH("tool_calls")},
        {MORE("0", "{}"), FINISH("tool_calls")},
        {BEGIN("0", "c1", "add"), FINISH("tool_calls")},
        {BEGIN("0", "c1", "add"), MORE("0", "{"), FINISH("tool_calls")},
        {BEGIN("0", "c1", "add"), MORE("0", "[]"), FINISH("tool_calls")},
        {BEGIN("0", "c1", "add"), MORE("0", "{}"), BEGIN("1", "c2", "now"), MORE("0", "{}")},
        {DELTA("\"tool_calls\":7")},
        {DELTA("\"content\":7")},
        {DELTA("\"content\":\"half\"")},
        {"{\"choices\":[{\"index\":0}]}"},
        {"{\"error\":{\"message\":\"secret\"}}"},
        {"nonsense"},
        {NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fail f = {0};
        gen_reply r;
        assert_int_equal(ask_stream(rows[i], false, &r, &f), E_NETWORK);
        assert_true(r.n_calls == 0 && !r.text.p);
        assert_null(strstr(f.text, "secret"));
    }
}

/* A limit of tokens ends an answer where it stands: the call it cut is none. */
static void a_limit_cuts_the_last_call(void **state) {
    (void)state;
    static const char *const all[] = {BEGIN("0", "c1", "add"), MORE("0", "{}"),
                                      BEGIN("1", "c2", "now"), MORE("1", "{\\\"a"),
                                      FINISH("length"),        NULL};
    fail f = {0};
    gen_reply r;
    assert_ok(ask_stream(all, false, &r, &f), &f);
    assert_int_equal(r.finish, GEN_LENGTH);
    assert_true(r.n_calls == 1 && str_is(r.calls[0].name, "add"));
}

static void a_busy_server_is_asked_again(void **state) {
    (void)state;
    static const char *const all[] = {DELTA("\"content\":\"Noon.\""), FINISH("stop"), NULL};
    fail f = {0};
    gen_reply r;
    busy = 1;
    err e = ask_stream(all, false, &r, &f);
    busy = 0;
    assert_ok(e, &f);
    assert_int_equal(atomic_load(&asks), 2);
    assert_true(str_is(r.text, "Noon.") && r.finish == GEN_STOP);
}

static void the_sinks_error_is_the_answers(void **state) {
    (void)state;
    static const char *const all[] = {BEGIN("0", "c1", "add"), MORE("0", "{}"),
                                      FINISH("tool_calls"), NULL};
    fail f = {0};
    gen_reply r;
    sink_fails = E_LIMIT;
    err e = ask_stream(all, false, &r, &f);
    sink_fails = E_OK;
    assert_int_equal(e, E_LIMIT);
    assert_string_equal(f.text, "the sink is full");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(tools_go_out_and_calls_come_back),
                                       cmocka_unit_test(what_was_not_agreed_is_refused),
                                       cmocka_unit_test(calls_come_as_they_are_made),
                                       cmocka_unit_test(whole_calls_without_an_index),
                                       cmocka_unit_test(broken_off_in_arguments),
                                       cmocka_unit_test(bad_streams_are_refused),
                                       cmocka_unit_test(a_limit_cuts_the_last_call),
                                       cmocka_unit_test(a_busy_server_is_asked_again),
                                       cmocka_unit_test(the_sinks_error_is_the_answers)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
