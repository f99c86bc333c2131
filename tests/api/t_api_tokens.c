/* t_api_tokens.c - /tokenize and /detokenize in llama-server's shapes; what a body may be called;
 * which errors say that the same request may be tried again. */
#include "api_fake.h"

#include "../net/http_test.h"

static int reset(void **state) {
    (void)state;
    arena_reset(&fx.arena);
    return 0;
}

static void assert_ids(const json *v, const int *want, size_t n) {
    assert_int_equal(at(v, "tokens")->count, n);
    for (size_t i = 0; i < n; i++) assert_int_equal(json_at(at(v, "tokens"), i)->integer, want[i]);
}

static void cuts(void **state) {
    (void)state;
    assert_ids(ask("/tokenize", "{\"model\":\"echo\",\"content\":\"a<s>\"}", 200),
               (int[]){'a', 257}, 2);
    assert_ids(ask("/tokenize",
                   "{\"model\":\"echo\",\"content\":\"<s>\",\"parse_special\":false,"
                   "\"add_special\":true}",
                   200),
               (int[]){256, '<', 's', '>'}, 4);
    assert_ids(ask("/tokenize", "{\"model\":\"echo\",\"content\":\"\"}", 200), NULL, 0);
    const json *v = ask("/tokenize",
                        "{\"model\":\"echo\",\"content\":\"a\xc3\xa9\",\"with_pieces\":true}", 200);
    assert_int_equal(at(v, "tokens.0.id")->integer, 'a');
    assert_text(v, "tokens.0.piece", "a");
    assert_int_equal(at(v, "tokens.1.piece.0")->integer, 0xc3); /* half a character */
}

static void puts_together(void **state) {
    (void)state;
    const json *v = ask("/detokenize", "{\"model\":\"bag\",\"tokens\":[72,105]}", 200);
    assert_text(v, "content", "Hi");
    assert_text(ask("/detokenize", "{\"model\":\"bag\",\"tokens\":[]}", 200), "content", "");
    assert_text(ask("/detokenize", "{\"model\":\"bag\",\"tokens\":[999]}", 400), "error.param",
                "tokens");
    assert_text(ask("/detokenize", "{\"model\":\"bag\",\"tokens\":[-1]}", 400), "error.param",
                "tokens");
    assert_text(ask("/detokenize", "{\"model\":\"bag\",\"tokens\":[1.5]}", 400), "error.param",
                "tokens");
    assert_text(ask("/detokenize", "{\"model\":\"bag\",\"tokens\":\"x\"}", 400), "error.param",
                "tokens");
}

static void refuses(void **state) {
    (void)state;
    assert_text(ask("/tokenize", "{\"model\":\"echo\"}", 400), "error.param", "content");
    assert_text(ask("/tokenize", "{\"content\":\"x\"}", 400), "error.param", "model"); /* of two */
    assert_text(ask("/tokenize", "{\"model\":\"no\",\"content\":\"x\"}", 404), "error.code",
                "model_not_found");
    assert_text(ask("/tokenize", "{\"model\":\"echo\",\"content\":\"x\",\"texts\":1}", 400),
                "error.param", "texts");
}

/* ids hold '/' and ':', as they are and percent-encoded. */
static void names_with_marks(void **state) {
    (void)state;
    assert_text(ask("/v1/models/lab/echo:q4", NULL, 200), "id", "lab/echo:q4");
    assert_text(ask("/v1/models/lab%2Fecho%3Aq4", NULL, 200), "id", "lab/echo:q4");
    const json *v = ask("/v1/models/echo", NULL, 200);
    assert_text(v, "object", "model");
    assert_text(v, "owned_by", "bantam");
    assert_true(at(v, "created")->integer > 0);
    assert_text(v, "architecture.output_modalities.1", "decisions");
    assert_text(ask("/v1/models/bag", NULL, 200), "architecture.output_modalities.0", "embeddings");
    v = ask("/v1/models/task:desk", NULL, 200);
    assert_text(v, "bantam.kind", "task");
    assert_int_equal(at(v, "architecture.output_modalities")->count, 1); /* /v1/decide takes none */
}

/* What a raw request is answered with. */
static const char *say(const char *path, const char *header, const char *body) {
    static char wire[16 * 1024];
    str text = arena_printf(&fx.arena,
                            "POST %s HTTP/1.1\r\nHost: localhost:%d\r\n%sContent-Length: %zu\r\n"
                            "Connection: close\r\n\r\n%s",
                            path, fx.port, header, strlen(body), body);
    wire_ask(fx.port, text.p, wire, sizeof wire);
    return wire;
}

#define GOOD "{\"model\":\"echo\",\"content\":\"x\"}"
static void says_what_the_body_is(void **state) {
    (void)state;
    static const char *const fine[] = {"", "Content-Type: application/json\r\n",
                                       "Content-Type: Application/JSON ; charset=\"UTF-8\"\r\n",
                                       "Content-Type: application/vnd.api+json\r\n"};
    static const char *const bad[] = {"Content-Type: application/x-www-form-urlencoded\r\n",
                                      "Content-Type: text/plain\r\n",
                                      "Content-Type: multipart/form-data; boundary=x\r\n",
                                      "Content-Type: application/json; charset=utf-16\r\n",
                                      "Content-Type: application/jsonx\r\n"};
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
        assert_non_null(strstr(say("/tokenize", fine[i], GOOD), "HTTP/1.1 200"));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *wire = say("/tokenize", bad[i], GOOD);
        assert_non_null(strstr(wire, "HTTP/1.1 415"));
        assert_non_null(strstr(wire, "\"code\":\"unsupported_media_type\""));
    }
    static const char coded[] = "Content-Encoding: gzip\r\n";
    assert_non_null(strstr(say("/tokenize", coded, GOOD), "HTTP/1.1 415"));
    assert_non_null(strstr(say("/tokenize", coded, GOOD), "without Content-Encoding"));
    assert_non_null(
        strstr(say("/tokenize", "Content-Encoding: identity\r\n", GOOD), "HTTP/1.1 200"));
    assert_null(strstr(say("/tokenize", "", GOOD), "WWW-Authenticate")); /* nobody is asked here */
    /* Ollama's examples are curl -d without a type */
    assert_non_null(strstr(say("/api/show", bad[0], "{\"model\":\"echo\"}"), "HTTP/1.1 200"));
    assert_non_null(strstr(say("/tokenize", fine[1], "{\"content\":\"\xff\"}"), "HTTP/1.1 400"));
    assert_non_null(strstr(say("/tokenize", fine[1], "[1]"), "HTTP/1.1 400"));
}

#define CHAT(model) "{\"model\":\"" model "\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}"
static void says_when_to_try_again(void **state) {
    (void)state;
    const char *wire = say("/v1/chat/completions", "", CHAT("busy"));
    assert_non_null(strstr(wire, "HTTP/1.1 429"));
    assert_non_null(strstr(wire, "x-should-retry: true\r\n"));
    assert_non_null(strstr(wire, "Retry-After: 17\r\n"));
    assert_non_null(strstr(wire, "retry-after-ms: 17000\r\n"));
    wire = say("/v1/decide", "",
               "{\"model\":\"phone\",\"state\":\"x\",\"questions\":{\"q\":{\"type\":\"noul\","
               "\"instructions\":\"?\"}}}");
    assert_non_null(strstr(wire, "HTTP/1.1 501"));
    assert_non_null(strstr(wire, "x-should-retry: false\r\n"));
    wire = say("/v1/chat/completions", "", CHAT("broken"));
    assert_non_null(strstr(wire, "HTTP/1.1 500"));
    assert_null(strstr(wire, "x-should-retry"));
    wire = say("/v1/chat/completions", "", CHAT("nobody"));
    assert_null(strstr(wire, "x-should-retry"));
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(cuts, reset),
        cmocka_unit_test_setup(puts_together, reset),
        cmocka_unit_test_setup(refuses, reset),
        cmocka_unit_test_setup(names_with_marks, reset),
        cmocka_unit_test_setup(says_what_the_body_is, reset),
        cmocka_unit_test_setup(says_when_to_try_again, reset),
    };
    return cmocka_run_group_tests_name("api: tokens and errors", tests, fake_open, fake_close);
}
