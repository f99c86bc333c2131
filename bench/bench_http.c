/* bench_http.c - what an HTTP server does with requests that cost nothing: keep-alive connections,
 * each asks, reads its whole answer and asks again (a closed loop, nothing pipelined).
 *
 *   bench_http PORT CONNECTIONS SECONDS [PATH [PID]]
 *
 * A warm-up of a tenth of the time is not counted. Prints one JSON line: answers a second, their
 * latencies in microseconds, and with PID (of the server's process that answers) what its threads
 * spent of processor time for one request: that figure does not depend on how fast this program is,
 * the rate does where both share cores. One thread, level-triggered epoll, one send and one recv a
 * request. Any answer but 200 ends it. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CONNECTIONS_MAX = 20000,
    SAMPLES_MAX = 8 << 20,
    EVENTS = 256,
    READ_BYTES = 8192,
    HEAD_BYTES_MAX = 4096
};

typedef struct client {
    int fd;
    size_t n, whole; /* bytes of this answer so far, and in all once its head is known; 0 not yet */
    int64_t start_ns;
    char head[HEAD_BYTES_MAX];
} client;

typedef struct load {
    int port, connections;
    double seconds;
    const char *path;
    long pid;
    char request[512];
    size_t request_n;
    client *clients;
    int epoll_fd;
    bool counting;
    uint32_t *latency_ns; /* [SAMPLES_MAX] */
    size_t samples;
    int64_t answers;
} load;

static load l;

static void die(const char *what) {
    fprintf(stderr, "bench_http: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void ask(client *c) {
    c->n = c->whole = 0;
    c->start_ns = clock_mono_ns();
    if (send(c->fd, l.request, l.request_n, MSG_NOSIGNAL) != (ssize_t)l.request_n) die("send");
}

static void open_client(client *c) {
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)l.port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to)) die("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    if (epoll_ctl(l.epoll_fd, EPOLL_CTL_ADD, c->fd, &event)) die("epoll");
}

/* Bytes of the whole answer, from its head; 0: the head is not whole. */
static size_t whole_of(client *c) {
    c->head[c->n] = 0;
    const char *end = strstr(c->head, "\r\n\r\n");
    if (!end) return 0;
    if (strncmp(c->head, "HTTP/1.1 200", 12) != 0) {
        fprintf(stderr, "bench_http: %.60s\n", c->head);
        exit(1);
    }
    const char *length = strcasestr(c->head, "\r\nContent-Length: ");
    if (!length || length > end) die("an answer without Content-Length");
    return (size_t)(end + 4 - c->head) + strtoul(length + 18, NULL, 10);
}

static void take(client *c) {
    char rest[READ_BYTES];
    bool in_head = c->whole == 0;
    char *to = in_head ? c->head + c->n : rest;
    size_t room = in_head ? HEAD_BYTES_MAX - 1 - c->n : sizeof rest;
    ssize_t got = recv(c->fd, to, room, 0);
    if (got <= 0) die(got ? "recv" : "the server closed a connection");
    c->n += (size_t)got;
    if (in_head) c->whole = whole_of(c);
    if (!c->whole || c->n < c->whole) return;
    if (l.counting) {
        l.answers++;
        if (l.samples < SAMPLES_MAX)
            l.latency_ns[l.samples++] = (uint32_t)(clock_mono_ns() - c->start_ns);
    }
    ask(c);
}

static void run_for(double seconds) {
    struct epoll_event events[EVENTS];
    int64_t end_ns = clock_mono_ns() + (int64_t)(seconds * 1e9);
    while (clock_mono_ns() < end_ns) {
        int n = epoll_wait(l.epoll_fd, events, EVENTS, 100);
        for (int i = 0; i < n; i++) take(events[i].data.ptr);
    }
}

/* Processor time of a process in seconds, from /proc; -1 unknown. */
static double cpu_s(long pid) {
    char path[64], text[1024];
    unsigned long user, kernel;
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    FILE *from = pid ? fopen(path, "r") : NULL;
    if (!from) return -1;
    size_t n = fread(text, 1, sizeof text - 1, from);
    fclose(from);
    text[n] = 0;
    const char *after = strrchr(text, ')');
    bool ok = after && sscanf(after + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                              &user, &kernel) == 2;
    return ok ? (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK) : -1;
}

static int by_size(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static double percentile_us(double p) {
    return l.samples ? l.latency_ns[(size_t)(p * (double)(l.samples - 1))] / 1e3 : 0;
}

static void report(double took_s, double cpu) {
    qsort(l.latency_ns, l.samples, sizeof *l.latency_ns, by_size);
    printf(
        "{\"connections\":%d,\"requests_s\":%.0f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.0f",
        l.connections, (double)l.answers / took_s, percentile_us(0.5), percentile_us(0.99),
        percentile_us(1));
    if (cpu >= 0) printf(",\"server_cpu_us\":%.3f", cpu * 1e6 / (double)l.answers);
    printf("}\n");
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: bench_http PORT CONNECTIONS SECONDS [PATH [PID]]\n");
        return 2;
    }
    l = (load){.port = atoi(argv[1]),
               .connections = atoi(argv[2]),
               .seconds = atof(argv[3]),
               .path = argc > 4 ? argv[4] : "/health",
               .pid = argc > 5 ? atol(argv[5]) : 0};
    if (l.connections < 1 || l.connections > CONNECTIONS_MAX) die("CONNECTIONS");
    l.request_n = (size_t)snprintf(l.request, sizeof l.request,
                                   "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", l.path, l.port);
    l.clients = mem_zero((size_t)l.connections * sizeof *l.clients);
    l.latency_ns = mem_zero(SAMPLES_MAX * sizeof *l.latency_ns);
    l.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (!l.clients || !l.latency_ns || l.epoll_fd < 0) die("memory");
    for (int i = 0; i < l.connections; i++) open_client(&l.clients[i]);
    for (int i = 0; i < l.connections; i++) ask(&l.clients[i]);
    run_for(l.seconds / 10);
    l.counting = true;
    int64_t start_ns = clock_mono_ns();
    double before = cpu_s(l.pid);
    run_for(l.seconds);
    double took_s = (double)(clock_mono_ns() - start_ns) / 1e9, after = cpu_s(l.pid);
    report(took_s, before < 0 || after < 0 ? -1 : after - before);
    return 0;
}
