/* t_api_remote.c - calls that another server streams, through gen_remote and every dialect: they go
 * on piece by piece and are whole in the end; what breaks off is an error in the stream, and no
 * half call is on the record or in a stored response. Events as OpenAI's and Anthropic's API
 * references name them. */
#include "api_wire.h"

#include "gen/gen_remote.h"

static http_server *upstream;
static gen_remote *remote;
static atomic_bool breaks; /* the upstream breaks off in the middle of the second piece */

#define CHUNK(call) \
    "{\"model\":\"big\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{" call "}]}}]}"

static void answer(void *ctx, http_request *rq, http_reply *rp) {
    static const char *const chunks[] = {
        CHUNK("\"index\":0,\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"weather\","
              "\"arguments\":\"\"}"),
        CHUNK("\"index\":0,\"function\":{\"arguments\":\"{\\\"city\\\":\"}"),
        CHUNK("\"index\":0,\"function\":{\"arguments\":\"\\\"Bern\\\"}\"}"),
        "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}", "[DONE]"};
    (void)ctx, (void)rq;
    size_t n = atomic_load(&breaks) ? 2 : sizeof chunks / sizeof *chunks;
    if (http_stream_begin(rp, 200, "text/event-stream", NULL) != E_OK) return;
    for (size_t i = 0; i < n; i++)
        if (sse_put(rp, NULL, str_from(chunks[i]), NULL) != E_OK) return;
    if (n > 2) (void)!http_stream_end(rp, NULL);
}

static int setup(void **state) {
    fail f = {0};
    if (fake_open(state) != 0) return -1;
    assert_ok(http_server_open(&upstream, &(http_options){.handler = answer, .workers = 2}, &f),
              &f);
    str url = arena_printf(&fx.arena, "http://127.0.0.1:%d/v1", http_server_port(upstream));
    assert_ok(gen_remote_open(&remote, &(gen_remote_options){.url = url, .model = STR("big")}, &f),
              &f);
    other_provider = gen_remote_provider(remote);
    return 0;
}
static int teardown(void **state) {
    int rc = fake_close(state);
    gen_remote_close(remote);
    http_server_close(upstream, 1000);
    return rc;
}
static int reset(void **state) {
    (void)state;
    arena_reset(&fx.arena);
    atomic_store(&breaks, false);
    return 0;
}

#define SCHEMA "{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}}}"
#define MESSAGES "\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],"
#define FUNCTION "{\"name\":\"weather\",\"parameters\":" SCHEMA "}"

static const struct {
    const char *path, *body;
    const char *first, *second, *end; /* in the stream, in this order */
    const char *failed;               /* and when it breaks off */
} dialects[] = {
    {"/v1/chat/completions",
     "{\"model\":\"other\"," MESSAGES "\"tools\":[{\"type\":\"function\",\"function\":" FUNCTION
     "}]}",
     "\"arguments\":\"{\\\"city\\\":\"", "\"arguments\":\"\\\"Bern\\\"}\"",
     "\"finish_reason\":\"tool_calls\"", "data: {\"error\":{"},
    {"/v1/responses",
     "{\"model\":\"other\",\"stream\":true,\"input\":\"hi\",\"tools\":[{\"type\":\"function\","
     "\"name\":\"weather\",\"parameters\":" SCHEMA "}]}",
     "\"delta\":\"{\\\"city\\\":\"", "\"delta\":\"\\\"Bern\\\"}\"", "event: response.completed",
     "event: response.failed"},
    {"/v1/messages",
     "{\"model\":\"other\",\"max_tokens\":50," MESSAGES
     "\"tools\":[{\"name\":\"weather\",\"input_schema\":" SCHEMA "}]}",
     "{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"city\\\":\"}",
     "{\"type\":\"input_json_delta\",\"partial_json\":\"\\\"Bern\\\"}\"}",
     "\"stop_reason\":\"tool_use\"", "event: error"}};

static const char *in_order(const char *from, const char *part) {
    const char *at = strstr(from, part);
    if (!at) fail_msg("\"%s\" is not in %s", part, from);
    return at;
}

/* The record of what was streamed last: the newest of the list. */
static const json *last_record(void) {
    const json *list = ask("/v1/requests?limit=1", NULL, 200);
    str id = text_at(list, "requests.0.id");
    return ask(arena_printf(&fx.arena, "/v1/requests/%.*s", STR_ARG(id)).p, NULL, 200);
}

static void calls_go_on_in_pieces(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof dialects / sizeof *dialects; i++) {
        wire_stream(dialects[i].path, dialects[i].body);
        const char *at = in_order(wire, dialects[i].first);
        at = in_order(at, dialects[i].second);
        in_order(at, dialects[i].end);
        const json *record = last_record();
        assert_text(record, "answer", "{\"call\":\"weather\",\"arguments\":{\"city\":\"Bern\"}}");
    }
}

static void no_half_call_is_kept(void **state) {
    (void)state;
    atomic_store(&breaks, true);
    for (size_t i = 0; i < sizeof dialects / sizeof *dialects; i++) {
        wire_stream(dialects[i].path, dialects[i].body);
        const char *at = in_order(wire, dialects[i].first);
        at = in_order(at, dialects[i].failed);
        in_order(at, "broke off while it called");
        assert_null(strstr(wire, dialects[i].end));
        assert_null(strstr(wire, "function_call_arguments.done"));
        assert_null(strstr(wire, "[DONE]"));
        const json *record = last_record();
        assert_null_at(record, "answer");
        in_order(arena_z(&fx.arena, text_at(record, "steps.0.note")), "broke off");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup(calls_go_on_in_pieces, reset),
                                       cmocka_unit_test_setup(no_half_call_is_kept, reset)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
