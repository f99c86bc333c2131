/* http_server.h - HTTP/1.1 for people's browsers and programs: one loop thread, a bounded pool of
 * workers, plain blocking handlers.
 *
 * The loop reads a whole request under limits and hands it to a worker (the pool and its queue are
 * the admission limit; when both are full the client gets 503 with Retry-After). The handler runs
 * top to bottom on the worker and answers through http_reply: once and whole (http_send), or as a
 * stream. What may wait longer than a generation is parked: the worker returns, the loop keeps the
 * connection, and http_wake or the deadline runs the same handler again for the same request.
 *
 *   reading --whole--> queued --> running --http_send/stream end--> reading (keep-alive) or closed
 *                        ^           | http_park
 *                        +-- wake ---+--> parked --client leaves--> closed
 *
 * Specifications: RFC 9110, RFC 9112 (stricter than it allows: a bare LF, a folded header, both
 * lengths, or a length twice are refused), HTML Living Standard 9.2 for server-sent events.
 * A client that closes its sending half while its request runs counts as gone, as with nginx and
 * Go; a whole answer is still sent to it.
 *
 * Threads: open, stop and close by the owner; the handler on any worker; http_wake on any thread.
 * SIGPIPE must be ignored by the process: OpenSSL writes without MSG_NOSIGNAL.
 * Not here: routing, authentication, JSON. */
#ifndef BANTAM_NET_HTTP_SERVER_H
#define BANTAM_NET_HTTP_SERVER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#include <stdatomic.h>

typedef struct http_server http_server;
typedef struct http_conn http_conn;

enum { HTTP_HEADERS_MAX = 100, HTTP_ID_BYTES = 24, HTTP_KEY_BYTES = 96, HTTP_PEER_BYTES = 48 };

typedef struct http_header {
    str name, value; /* value trimmed */
} http_header;

/* Everything here lives until the reply is over, through every park. */
typedef struct http_request {
    str method;                 /* "GET", as sent */
    str target;                 /* as sent, path and query */
    str path;                   /* percent-decoded; starts with '/', or is "*" (OPTIONS) */
    str query;                  /* without '?', not decoded; see http_query */
    str host;                   /* Host as sent; empty with HTTP/1.0 */
    str body;                   /* whole, de-chunked */
    const http_header *headers; /* [headers_n] */
    size_t headers_n;
    char id[HTTP_ID_BYTES];     /* "req_..."; also sent back as x-request-id */
    char peer[HTTP_PEER_BYTES]; /* the client's address, as text */
    bool peer_is_loopback;
    int64_t start_ns;        /* monotonic, when the head was complete */
    int wakes;               /* times this request came back from a park */
    bool timed_out;          /* this time it came back because its deadline had passed */
    bool stopping;           /* the server is stopping: answer what can be said now */
    int64_t deadline_ms;     /* of the last park, monotonic; 0 before the first */
    void *state;             /* the handler's own across parks; NULL at first, lives in `arena` */
    arena *arena;            /* reset after the reply */
    http_conn *conn;         /* the loop's; NULL: a request that the handler's room made itself */
    const atomic_bool *left; /* without a conn: true when it is not wanted any more; NULL = never */
} http_request;

/* The answer being made. Fields are for reading only. */
typedef struct http_reply {
    http_conn *conn;
    bool sent;      /* a whole answer was given, or the stream is ended */
    bool streaming; /* between http_stream_begin and http_stream_end, also across parks */
    int status;
    int64_t bytes; /* of the body, so far */
    buf headers;
} http_reply;

typedef void (*http_handler)(void *ctx, http_request *rq, http_reply *rp);
/* Asked on the loop thread before a request is queued: answers by http_send and returns true, or
 * leaves it alone and returns false. For what takes microseconds and must be answered while every
 * worker is busy (health checks): it may not block, stream or park. */
typedef bool (*http_quick)(void *ctx, http_request *rq, http_reply *rp);
/* Writes the JSON body of an error that the loop itself answers with (before any handler runs).
 * code: one stable word such as "body_too_large"; text: a sentence. Called on the loop thread. */
typedef void (*http_error_body)(void *ctx, int status, const char *code, const char *text,
                                buf *body);

/* 0 or NULL takes the default in brackets. */
typedef struct http_options {
    const char *host; /* address to bind [127.0.0.1, and ::1 when the machine has it] */
    int port;         /* 0 = any free one, see http_server_port */
    bool no_tcp;      /* neither host nor port: only what follows */
    const char *const *unix_paths; /* [unix_paths_n] UNIX sockets, mode 0600, never TLS; a file that
                                      nobody answers at is replaced; removed at the end */
    size_t unix_paths_n;
    const int *fds; /* [fds_n] sockets that listen already (socket activation); the server's now */
    size_t fds_n;
    /* PEM files: the certificate with its chain, its private key. Both: all is TLS (1.2, 1.3). */
    const char *tls_cert, *tls_key;
    http_handler handler;
    http_quick quick;           /* [none] */
    http_error_body error_body; /* [a plain {"error":{"code","message"}}] */
    void *ctx;                  /* for all three */

    int workers;             /* [8] threads that run handlers */
    int queue_max;           /* [64] whole requests waiting for a worker */
    int connections_max;     /* [1024] */
    size_t target_bytes_max; /* [8 KiB] request line; above: 414 */
    size_t header_bytes_max; /* [32 KiB] whole head; above: 431 */
    size_t body_bytes_max;   /* [16 MiB] above: 413 */
    const char *large_path;  /* [none] whose bodies may have large_bytes_max */
    size_t large_bytes_max;
    size_t bodies_bytes_max; /* [1 GiB] of all bodies together that arrive or are worked on; one
                                that is above 64 KiB and finds no room: 503 */
    size_t stream_bytes_max; /* [256 KiB] unsent bytes at which http_stream_put waits */
    int64_t header_ms_max;   /* [10 s] from the first byte to the end of the head; then 408 */
    int64_t body_ms_max;     /* [60 s] from there to the end of the body; then 408 */
    int64_t idle_ms_max;     /* [75 s] between requests; then closed */
    int64_t sse_ping_ms;     /* [0 = none] see http_live */
    int64_t write_ms_max;    /* [30 s] without progress of a client that does not read */

    /* Who may speak to us. localhost, 127.0.0.1 and [::1] with our port are always allowed as
     * Host. hosts adds "name" (any port) or "name:port"; "*" allows all. A request with an Origin
     * is refused (403) unless it is http(s)://HOST of the same request or listed in origins as
     * "https://name[:port]"; state-changing methods with Sec-Fetch-Site other than same-origin or
     * none as well, unless their Origin is listed. */
    const char *const *hosts;
    size_t hosts_n;
    const char *const *origins;
    size_t origins_n;
} http_options;

/* Binds, starts the loop and the workers. A busy port is E_EXISTS; the text names the port and,
 * where /proc shows it, the process. Of o only large_path and ctx must live on. */
err http_server_open(http_server **out, const http_options *o, fail *f) MUST_CHECK;
int http_server_port(const http_server *s); /* a TCP one; 0 where there is none */
/* Where a socket listens that somebody else opened; E_INPUT when it does not. */
typedef struct http_place {
    int port; /* -1: a UNIX socket */
    bool loopback;
    char host[HTTP_PEER_BYTES];
} http_place;
err http_place_of(http_place *out, int fd, fail *f) MUST_CHECK;
/* What can change while it serves; 0 or NULL takes the default of http_options. Copied. */
typedef struct http_live {
    const char *const *hosts; /* [hosts_n] */
    size_t hosts_n;
    const char *const *origins; /* [origins_n] */
    size_t origins_n;
    const char *tls_cert, *tls_key; /* NULL: the same files, read again; ignored without TLS */
    size_t body_bytes_max;
    int64_t header_ms_max, body_ms_max, idle_ms_max;
    int64_t sse_ping_ms; /* of silence in a stream of events, then a comment line; 0 = none */
} http_live;
/* For requests and connections to come. On failure (of certificate or key) all stays as it was.
 * One thread at a time. */
err http_server_change(http_server *s, const http_live *live, fail *f) MUST_CHECK;
/* Stops accepting, closes idle connections, runs parked requests once more (rq->stopping), lets the
 * rest finish for up to drain_ms; then http_gone is true for all that still run. Returns when no
 * handler runs any more, so handlers must ask http_gone or fail on http_stream_put. Frees s. */
void http_server_close(http_server *s, int64_t drain_ms);

typedef struct http_counts {
    int64_t requests, refused,
        cancelled; /* since the start: handed on, answered by the loop, left */
    int connections, queued, running, parked;
} http_counts;
/* How often the loop has turned; asks it to turn once more, so that a later call tells a loop that
 * works from one that hangs. Any thread. */
int64_t http_server_turns(http_server *s);
void http_server_counts(http_server *s, http_counts *out); /* any thread */

/* --- reading a request --- */
/* Value of a header, name in any case; {NULL,0} when absent. With several, the first. */
str http_header_get(const http_request *rq, const char *name);
/* Decoded value of a query parameter into the request's arena; {NULL,0} when absent or malformed,
 * STR("") when empty. With several, the first. */
str http_query(const http_request *rq, const char *name);
/* True when the client has left, or the server's drain time is over: stop working. Any thread. */
bool http_gone(const http_request *rq);

/* --- answering --- */
/* Adds a header to the answer; once a stream has begun it does nothing, and what a run added that
 * parked without one is forgotten. A name or value with bytes that a header cannot carry (CR, LF,
 * NUL) is left out and makes the following http_send/http_stream_begin E_INTERNAL. */
void http_reply_header(http_reply *rp, const char *name, str value);
/* Header lines as they stand, each with its CR LF: for constants, nothing is checked. */
void http_reply_lines(http_reply *rp, str lines);
/* The whole answer. content_type may be NULL for none (with an empty body). E_CANCELLED when the
 * client left; nothing else need be done then. */
err http_send(http_reply *rp, int status, const char *content_type, str body, fail *f) MUST_CHECK;

/* Streaming: chunked (close-delimited for HTTP/1.0). A handler that returns without
 * http_stream_end cuts the connection, so that the client sees that the answer is not whole. */
err http_stream_begin(http_reply *rp, int status, const char *content_type, fail *f) MUST_CHECK;
/* The answer will be a stream of events with status 200 unless an error comes first. When nothing
 * was said for sse_ping_ms the loop sends the head as it is now, and comment lines from then on, so
 * that who stands between does not cut the line. Headers that are added later may not be sent. */
void http_stream_promise(http_reply *rp);
/* Is the head of a stream out? From then on an error can only be an event. Ends the promise. */
bool http_stream_begun(http_reply *rp);
/* Waits while more than stream_bytes_max lie unsent; E_CANCELLED when the client left or read
 * nothing for write_ms_max. Empty bytes are fine and send nothing. */
err http_stream_put(http_reply *rp, str bytes, fail *f) MUST_CHECK;
err http_stream_end(http_reply *rp, fail *f) MUST_CHECK;
/* One server-sent event: "event: NAME" when event is not NULL, then data line by line. */
err sse_put(http_reply *rp, const char *event, str data, fail *f) MUST_CHECK;
/* A comment line, which clients ignore: keeps proxies awake and finds out who left. */
err sse_ping(http_reply *rp, fail *f) MUST_CHECK;

/* --- waiting without a worker --- */
/* From now on http_wake(s, key) is remembered for this request, so: park first, look at the state
 * second, and return from the handler when there is nothing to say yet. Answering after all
 * forgets the park. deadline_ms is on the monotonic clock (clock_mono_ns() / 1000000 + wait);
 * parking again replaces key and deadline. Key: 1..95 bytes. May be used inside a stream. */
err http_park(http_request *rq, str key, int64_t deadline_ms, fail *f) MUST_CHECK;
/* Another deadline for the park of this run; a wake that came since is kept. */
void http_park_until(http_request *rq, int64_t deadline_ms);
/* Runs every request parked under key again. Returns how many. Any thread; never blocks long. */
int http_wake(http_server *s, str key);

#endif
