/* bench_serve.c - closed-loop clients over HTTP against one server that speaks OpenAI's chat API.
 *
 *   bench_serve PORT MODEL CLIENTS REQUESTS WORDS TOKENS SEED [SYSTEM_WORDS]
 *
 * Each of CLIENTS asks, reads its stream to the end and asks again, over one kept connection, until
 * REQUESTS are done. A prompt is WORDS random common words, another each time, so that nothing is
 * known of it before; SYSTEM_WORDS words stand before them that are always the same. Sampling is
 * set to the same values for every server and drawn, so that nothing can be guessed. Prints one
 * JSON line; times are from before the request is written. Latencies leave out each client's first
 * request: those all come in one instant; the rates have them. One thread, so the load costs the
 * servers little of their cores. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/rand.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CLIENTS_MAX = 256,
    REQUESTS_MAX = 100000,
    READ_BYTES = 65536,
    WAIT_MS = 600000,
    REOPENED_MAX = 1000
};

static const char *const words[] = {
    "time",  "year",  "people",  "way",    "day",     "man",      "thing",  "woman",    "life",
    "child", "world", "school",  "state",  "family",  "group",    "hand",   "part",     "place",
    "case",  "week",  "company", "system", "program", "question", "work",   "number",   "night",
    "point", "home",  "water",   "room",   "mother",  "area",     "money",  "story",    "fact",
    "month", "right", "study",   "book",   "eye",     "job",      "word",   "business", "issue",
    "side",  "kind",  "head",    "house",  "service", "friend",   "father", "power",    "hour",
    "game",  "line",  "end",     "member", "law",     "car",      "city",   "name",     "team"};

typedef struct client {
    int fd;
    bool busy;
    buf in;
    int answers;
    size_t seen; /* of in, searched */
    int64_t start_ns, first_ns;
} client;

typedef struct load {
    int port, clients, requests, words, tokens, system_words;
    const char *model;
    rand_stream random;
    int asked, done, timed, failed, reopened;
    int64_t made, prompt;
    double first_ms[REQUESTS_MAX], whole_ms[REQUESTS_MAX];
    client client[CLIENTS_MAX];
} load;

static load l;

static void die(const char *what) {
    fprintf(stderr, "bench_serve: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void open_client(client *c) {
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)l.port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to)) die("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
}

static void put_words(buf *b, int n, rand_stream *r) {
    for (int i = 0; i < n; i++)
        buf_printf(b, "%s%s", i ? " " : "",
                   words[rand_next_below(r, sizeof words / sizeof *words)]);
}

static void ask(client *c) {
    buf body = {0}, head = {0};
    buf_printf(&body,
               "{\"model\":\"%s\",\"stream\":true,\"stream_options\":{\"include_usage\":true},"
               "\"max_tokens\":%d,\"temperature\":0.8,\"top_k\":40,\"top_p\":0.95,"
               "\"min_p\":0.05,\"seed\":%d,\"messages\":[",
               l.model, l.tokens, l.asked + 1);
    if (l.system_words) {
        rand_stream same = {.seed = 1};
        buf_put_z(&body, "{\"role\":\"system\",\"content\":\"");
        put_words(&body, l.system_words, &same);
        buf_put_z(&body, "\"},");
    }
    buf_put_z(&body, "{\"role\":\"user\",\"content\":\"");
    put_words(&body, l.words, &l.random);
    buf_put_z(&body, "\"}]}");
    buf_printf(&head,
               "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: "
               "application/json\r\nContent-Length: %zu\r\n\r\n%.*s",
               l.port, body.n, (int)body.n, body.p);
    c->start_ns = clock_mono_ns();
    c->first_ns = 0;
    c->busy = true;
    c->seen = 0;
    buf_reset(&c->in);
    l.asked++;
    for (size_t at = 0; at < head.n;) { /* small: a socket takes it at once */
        ssize_t n = write(c->fd, head.p + at, head.n - at);
        if (n < 0 && errno != EAGAIN) die("write");
        if (n > 0) at += (size_t)n;
    }
    buf_deinit(&body);
    buf_deinit(&head);
}

static const char *find_from(const client *c, size_t from, const char *what) {
    return from < c->in.n ? memmem(c->in.p + from, c->in.n - from, what, strlen(what)) : NULL;
}

/* Words, not the empty content of a role's chunk. */
static void look_for_first(client *c, size_t from) {
    static const char key[] = "\"content\":\"";
    for (const char *at = c->in.p + from; (at = find_from(c, (size_t)(at - c->in.p), key));) {
        at += sizeof key - 1;
        if (at < c->in.p + c->in.n && *at != '"') {
            c->first_ns = clock_mono_ns();
            return;
        }
    }
}

static int64_t number_behind(const client *c, const char *key) {
    const char *at = find_from(c, 0, key);
    return at ? atoll(at + strlen(key)) : 0;
}

static void finish(client *c, bool good) {
    int64_t now = clock_mono_ns();
    c->busy = false;
    if (good) {
        if (c->answers++) { /* the first ones all came at once, as no clients do */
            l.first_ms[l.timed] = (double)((c->first_ns ? c->first_ns : now) - c->start_ns) / 1e6;
            l.whole_ms[l.timed++] = (double)(now - c->start_ns) / 1e6;
        }
        l.done++;
        l.made += number_behind(c, "\"completion_tokens\":");
        l.prompt += number_behind(c, "\"prompt_tokens\":");
        return;
    }
    if (!l.failed++)
        fprintf(stderr, "bench_serve: %.*s\n", (int)(c->in.n < 400 ? c->in.n : 400), c->in.p);
    close(c->fd);
    open_client(c);
}

static void take(client *c) {
    char *to = buf_reserve(&c->in, READ_BYTES);
    ssize_t n = to ? read(c->fd, to, READ_BYTES) : -1;
    if (n < 0 && errno == EAGAIN) return;
    if (n > 0) c->in.n += (size_t)n;
    if (n == 0 && c->in.n == 0 && l.reopened++ < REOPENED_MAX) { /* kept no longer: once more */
        close(c->fd);
        open_client(c);
        l.asked--;
        ask(c);
        return;
    }
    bool refused = c->in.n > 12 && memcmp(c->in.p, "HTTP/1.1 200", 12) != 0;
    if (n <= 0 || refused) {
        finish(c, false);
        return;
    }
    size_t from = c->seen > 64 ? c->seen - 64 : 0;
    if (!c->first_ns) look_for_first(c, from);
    const char *done = find_from(c, from, "data: [DONE]");
    c->seen = done ? (size_t)(done - c->in.p) : c->in.n; /* found again until the chunks end */
    if (done && find_from(c, c->seen, "\r\n0\r\n\r\n")) finish(c, true);
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double part_of(double *sorted, int n, double p) {
    int at = (int)(p * (double)n);
    return n ? sorted[at < n ? at : n - 1] : 0;
}

int main(int argc, char **argv) {
    struct pollfd polls[CLIENTS_MAX];
    if (argc < 8) {
        fprintf(stderr,
                "bench_serve PORT MODEL CLIENTS REQUESTS WORDS TOKENS SEED [SYSTEM_WORDS]\n");
        return 2;
    }
    l.port = atoi(argv[1]);
    l.model = argv[2];
    l.clients = atoi(argv[3]);
    l.requests = atoi(argv[4]);
    l.words = atoi(argv[5]);
    l.tokens = atoi(argv[6]);
    l.random.seed = (uint64_t)atoll(argv[7]);
    l.system_words = argc > 8 ? atoi(argv[8]) : 0;
    if (l.clients < 1 || l.clients > CLIENTS_MAX || l.requests < 1 || l.requests > REQUESTS_MAX)
        return 2;
    for (int i = 0; i < l.clients; i++) open_client(&l.client[i]);
    int64_t start = clock_mono_ns();
    while (l.done + l.failed < l.requests) {
        for (int i = 0; i < l.clients; i++) {
            if (!l.client[i].busy && l.asked < l.requests) ask(&l.client[i]);
            polls[i] = (struct pollfd){.fd = l.client[i].fd, .events = POLLIN};
        }
        if (poll(polls, (nfds_t)l.clients, WAIT_MS) <= 0) die("poll");
        for (int i = 0; i < l.clients; i++)
            if (polls[i].revents && l.client[i].busy) take(&l.client[i]);
    }
    double s = (double)(clock_mono_ns() - start) / 1e9;
    qsort(l.first_ms, (size_t)l.timed, sizeof(double), by_value);
    qsort(l.whole_ms, (size_t)l.timed, sizeof(double), by_value);
    printf("{\"clients\":%d,\"requests\":%d,\"failed\":%d,\"seconds\":%.3f,\"requests_s\":%.4f,"
           "\"tokens_s\":%.2f,\"prompt_tokens\":%.1f,\"made_tokens\":%.1f,\"first_ms_p50\":%.2f,"
           "\"first_ms_p99\":%.2f,\"whole_ms_p50\":%.2f,\"whole_ms_p99\":%.2f}\n",
           l.clients, l.done, l.failed, s, l.done / s, (double)l.made / s,
           l.done ? (double)l.prompt / l.done : 0, l.done ? (double)l.made / l.done : 0,
           part_of(l.first_ms, l.timed, 0.5), part_of(l.first_ms, l.timed, 0.99),
           part_of(l.whole_ms, l.timed, 0.5), part_of(l.whole_ms, l.timed, 0.99));
    return l.failed > 0;
}
