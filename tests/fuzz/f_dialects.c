/* f_dialects.c - bodies of Anthropic's and Ollama's dialects: read or refused with a sentence,
 * never more. */
#include "api/api_anthropic.h"
#include "api/api_ollama.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* What was read is whole: no tool without a name, no empty stop. */
static void check_request(const gen_request *rq, size_t n) {
    for (size_t i = 0; i < rq->n_messages; i++) {
        const gen_message *m = &rq->messages[i];
        CHECK(m->role <= GEN_TOOL && m->content.n <= 2 * n + 16);
        for (size_t k = 0; k < m->n_calls; k++) CHECK(m->calls[k].id.n <= n + 32);
    }
    for (size_t i = 0; i < rq->n_tools; i++) CHECK(rq->tools[i].name.n > 0);
    for (size_t i = 0; i < rq->n_stops; i++) CHECK(rq->stops[i].n > 0);
}

static err read_as(int dialect, api_call *c, gen_request *rq, fail *f) {
    anthropic_chat a = {.chat = {.call = c}, .counting = dialect == 1};
    ollama_chat o = {.chat = {.call = c}};
    err e;
    if (dialect < 2)
        e = api_anthropic_read(c, &a, f);
    else if (dialect == 2)
        e = api_ollama_read_chat(c, &o, f);
    else
        e = api_ollama_read_generate(c, &o, f);
    *rq = dialect < 2 ? a.chat.request : o.chat.request;
    return e;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    static struct api server; /* without models */
    for (int dialect = 0; dialect < 4; dialect++) {
        arena a;
        fail f = {0};
        gen_request rq;
        http_request http = {.arena = &a};
        api_call c = {.api = &server, .a = &a, .rq = &http};
        arena_init(&a, 4096);
        a.bytes_max = 64 << 20;
        if (json_parse(&a, (str){(const char *)data, n}, &c.body, &f) == E_OK &&
            c.body->kind == JSON_OBJECT) {
            err e = read_as(dialect, &c, &rq, &f);
            CHECK(e == E_OK || f.text[0]);
            if (e == E_OK) check_request(&rq, n);
        }
        arena_deinit(&a);
    }
    return 0;
}
