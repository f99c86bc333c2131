/* Fuzz: any bytes into the request parser, in pieces whose size the first byte chooses; then into
 * the Host and Origin check. A whole request must be sound, whatever it was made of. */
#include "net/http_origin.h"
#include "net/http_parse.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_request(http_request *rq) {
    static const http_origin_rules rules = {0};
    const char *code;
    CHECK(rq->method.n && rq->path.n && (rq->path.p[0] == '/' || rq->path.p[0] == '*'));
    CHECK(rq->body.n <= 4096);
    for (size_t i = 0; i < rq->headers_n; i++) CHECK(rq->headers[i].name.n);
    (void)http_origin_refusal(&rules, rq, &code);
    (void)http_query(rq, "a");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    if (n < 1) return 0;
    size_t step = (size_t)data[0] + 1, at = 0, given = 0, used;
    const http_limits limits = {256, 2048, 4096, NULL, 0};
    str text = {(const char *)data + 1, n - 1};
    arena a;
    http_request rq = {.arena = &a};
    http_parse p;
    arena_init(&a, 0);
    http_parse_init(&p, &limits, &a, &rq);
    while (given < text.n) {
        given = given + step < text.n ? given + step : text.n;
        /* a copy of exact size, so that a read past it is seen */
        char *piece = malloc(given - at + 1);
        for (size_t i = at; i < given; i++) piece[i - at] = text.p[i];
        http_parse_state state = http_parse_feed(&p, (str){piece, given - at}, &used);
        free(piece);
        at += used;
        if (state == HTTP_PARSE_BAD) break;
        if (state != HTTP_PARSE_WHOLE) continue;
        check_request(&rq);
        rq = (http_request){.arena = &a};
        http_parse_reset(&p);
        arena_reset(&a);
        if (given > at) given = at;
    }
    http_parse_deinit(&p);
    arena_deinit(&a);
    return 0;
}
