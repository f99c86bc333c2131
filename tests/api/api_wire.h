/* api_wire.h - for tests of api/ that look at an answer's bytes: a request is written by hand, what
 * comes back lies in `wire`. */
#ifndef BANTAM_API_WIRE_H
#define BANTAM_API_WIRE_H

#include "../net/http_test.h"
#include "api_fake.h"

enum { WIRE_BYTES = 256 * 1024 };
static char wire[WIRE_BYTES];

#define JSON_TYPE "Content-Type: application/json\r\n"

/* headers: lines, each with CRLF */
static inline void wire_put(int fd, const char *method, const char *path, const char *headers,
                            const char *body) {
    str text = arena_printf(&fx.arena,
                            "%s %s HTTP/1.1\r\nHost: localhost:%d\r\nContent-Length: %zu\r\n"
                            "%s\r\n%s",
                            method, path, fx.port, strlen(body), headers, body);
    wire_send(fd, text.p);
}

/* Asks and reads until `until` came; then the client leaves. */
static inline void wire_say(const char *method, const char *path, const char *headers,
                            const char *body, const char *until) {
    int fd = wire_open(fx.port);
    wire_put(fd, method, path, headers, body);
    assert_true(wire_read(fd, until, wire, WIRE_BYTES, 5000));
    close(fd);
}

/* A stream to its end. */
static inline void wire_stream(const char *path, const char *body) {
    wire_say("POST", path, JSON_TYPE, body, "\r\n0\r\n\r\n");
}

/* The n-th "data: {...}" of what was read, as JSON; NULL when there are fewer. */
static inline const json *event_at(size_t n) {
    const char *p = wire;
    const json *v = NULL;
    for (size_t i = 0; p && i <= n; i++) {
        p = strstr(p, "data: {");
        if (p) p += 6;
    }
    if (!p) return NULL;
    const char *end = strstr(p, "\n\n");
    assert_non_null(end);
    assert_ok(json_parse(&fx.arena, (str){p, (size_t)(end - p)}, &v, &fx.f), &fx.f);
    return v;
}

#endif
