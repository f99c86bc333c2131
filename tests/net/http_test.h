/* http_test.h - raw loopback sockets for tests that must send what no client library would. */
#ifndef BANTAM_TEST_HTTP_TEST_H
#define BANTAM_TEST_HTTP_TEST_H

#include "test.h"

#include "base/clock.h"
#include "net/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static inline int wire_open(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static inline void wire_send(int fd, const char *text) {
    size_t n = strlen(text);
    assert_int_equal(send(fd, text, n, MSG_NOSIGNAL), (ssize_t)n);
}

/* Reads until `until` stands in out (NULL: until the end), at most ms; false when it never came. */
static inline bool wire_read(int fd, const char *until, char *out, size_t out_bytes, int ms) {
    size_t n = 0;
    int64_t end_ns = clock_mono_ns() + (int64_t)ms * 1000000;
    out[0] = 0;
    for (;;) {
        if (until && strstr(out, until)) return true;
        int64_t left_ms = (end_ns - clock_mono_ns()) / 1000000;
        struct pollfd poller = {.fd = fd, .events = POLLIN};
        if (left_ms < 0 || n + 1 >= out_bytes || poll(&poller, 1, (int)left_ms) <= 0) return false;
        ssize_t got = recv(fd, out + n, out_bytes - n - 1, 0);
        if (got <= 0) return until == NULL && got == 0;
        n += (size_t)got;
        out[n] = 0;
    }
}

/* One connection, one text, everything that comes back until the server closes. */
static inline void wire_ask(int port, const char *text, char *out, size_t out_bytes) {
    int fd = wire_open(port);
    wire_send(fd, text);
    assert_true(wire_read(fd, NULL, out, out_bytes, 5000));
    close(fd);
}

#endif
