/* http_int.h - what the server's files share: the connection and the server. Room net only. */
#ifndef BANTAM_NET_HTTP_INT_H
#define BANTAM_NET_HTTP_INT_H

#include "base/rand.h"
#include "base/thread.h"
#include "net/http_origin.h"
#include "net/http_parse.h"

#include <stdatomic.h>
#include <sys/types.h>
#include <sys/uio.h>

enum { HTTP_LISTEN_MAX = 16, HTTP_UNIX_PATH_BYTES = 108, HTTP_PARK_BUCKETS = 256 };
/* defaults */
enum {
    HTTP_BODY_BYTES = 16 << 20,
    HTTP_HEADER_MS = 10000,
    HTTP_BODY_MS = 60000,
    HTTP_IDLE_MS = 75000
};

/*            +-------------- next request on the same connection --------------+
 *            v                                                                 |
 *  READ --whole--> BUSY --worker done--> FLUSH --all sent, keep-alive-----------+
 *   |               ^ |                    |---- all sent, close --> LINGER --> closed
 *   |          wake | | park               +---- client does not read ---------> closed
 *   |               | v
 *   +--limit-->   PARKED --client left--> closed
 *   (answer, FLUSH, LINGER)
 * A connection in BUSY is queued or running; it is freed only after its worker has let go. */
typedef enum http_conn_state {
    HTTP_CONN_READ,
    HTTP_CONN_BUSY,
    HTTP_CONN_PARKED,
    HTTP_CONN_FLUSH,
    HTTP_CONN_LINGER, /* our side is shut down; what the client still sends is thrown away, so that
                         a reset does not destroy the answer on its way */
    HTTP_CONN_CLOSED  /* waits for the end of this loop turn to be freed */
} http_conn_state;

typedef enum http_outcome { HTTP_OUTCOME_NONE, HTTP_OUTCOME_DONE, HTTP_OUTCOME_PARK } http_outcome;

typedef struct http_listener {
    int fd;
    int port;                        /* -1: a UNIX socket */
    char path[HTTP_UNIX_PATH_BYTES]; /* of the file that we made; "" none */
    dev_t dev;
    ino_t ino;
} http_listener;

struct http_conn {
    http_server *server;
    int fd;
    int port;                  /* that it came in by; -1: a UNIX socket */
    struct http_tls_conn *tls; /* NULL: none; used under lock */

    /* the loop's alone */
    http_conn_state state;
    size_t slot; /* in server->conns */
    int phase;   /* in READ: 0 idle, 1 in the head, 2 in the body */
    bool can_read, saw_end;
    bool unparsed;       /* `in` holds bytes behind a request that were not looked at yet */
    int64_t deadline_ns; /* 0 = none */
    int64_t served;      /* requests on this connection */
    size_t lingered_bytes;
    size_t body_held; /* of parse.body, as counted in server->bodies_held */
    buf in;
    http_conn *retry_next; /* in server->retry */
    http_conn *dead_next;

    /* the loop's in READ, the worker's in BUSY */
    arena arena;
    http_parse parse;
    http_request rq;
    http_reply rp;
    bool keep_alive, chunked;
    bool cut;        /* the answer is not whole: close */
    bool wants_park; /* http_park was called in this run of the handler */

    /* shared */
    atomic_bool gone;   /* the client left, or we stop waiting for it */
    atomic_bool broken; /* nothing can be sent any more */
    mutex lock;         /* of out */
    cond drained;
    buf out;
    size_t out_at;                           /* bytes of out sent already */
    int64_t out_progress_ns;                 /* when the client last took bytes */
    bool promised, early_sent, sse, watched; /* http_ping.c */
    buf early;                               /* the head that was promised */

    /* under server->lock */
    http_conn *inbox_next;
    bool in_inbox, woken;
    http_outcome outcome;
    http_conn *park_next, *park_prev;
    bool parked; /* in the park table, from http_park on */
    size_t bucket;
    char key[HTTP_KEY_BYTES];
    size_t key_n;
};

struct http_server {
    http_options o;
    http_limits limits;
    struct http_tls *tls; /* NULL: none */
    int port;
    http_listener listeners[HTTP_LISTEN_MAX];
    size_t listeners_n;
    int epoll_fd, event_fd, spare_fd;

    thread loop;
    thread *workers; /* [o.workers] */
    queue jobs;      /* http_conn*, each in BUSY */

    /* the loop's alone */
    http_conn **conns; /* [o.connections_max] */
    size_t conns_n;
    size_t bodies_held; /* by the bodies of all connections */
    buf spare; /* of the last connection that had read all it got: the next one's `in` */
    http_conn *dead;
    http_conn *retry, *retry_last; /* first come, first served */
    int64_t now_ns;                /* when this turn of the loop began */
    rand_pool ids;
    int64_t next_deadline_ns; /* no deadline of any connection is earlier; INT64_MAX = none */
    bool draining, cancelled;
    struct http_rules *rules; /* http_live.c */

    mutex lock;                    /* of the park table, inbox, next_rules and stop */
    struct http_rules *next_rules; /* NULL: no change waits */
    http_conn *inbox;
    http_conn *parks[HTTP_PARK_BUCKETS];
    bool stop;
    int64_t drain_end_ns;

    atomic_llong requests, refused, left;
    atomic_llong sse_ping_ms; /* 0 = none */
    atomic_int watched;       /* connections that may be silent streams */
    int64_t ping_next_ns;     /* the loop's */
    atomic_llong turns;       /* of the loop */
    atomic_int running, parked;
    atomic_int connections;
};

/* http_listen.c */
err http_listen_open(http_server *s, fail *f) MUST_CHECK;
void http_listen_close(http_server *s);

/* http_unix.c */
err http_unix_listen(http_listener *out, const char *path, fail *f) MUST_CHECK;
void http_unix_remove(const http_listener *l); /* the file, if it is ours */

/* http_live.c: what can change while we serve, one immutable piece; the loop swaps it */
typedef struct http_rules {
    arena arena;
    http_origin_rules origin;
    size_t body_bytes_max;
    int64_t header_ms_max, body_ms_max, idle_ms_max, sse_ping_ms;
} http_rules;
err http_rules_make(http_rules **out, const http_live *live, fail *f) MUST_CHECK;
void http_rules_free(http_rules *r);                /* NULL is fine */
void http_rules_use(http_server *s, http_rules *r); /* loop, or before it runs; r is the server's */

/* http_socket.c: everything that touches a connection's socket, with TLS or without */
ssize_t http_socket_read(http_conn *c, void *to, size_t n); /* -1 with errno, 0 = end */
void http_socket_shut(http_conn *c);
void http_socket_close(http_conn *c);
/* Sends now what the socket takes and keeps the rest in c->out. Any thread; takes c->lock. */
void http_out_put(http_conn *c, struct iovec *parts, int n);
/* Sends from c->out; true when nothing is left. Loop. */
bool http_out_flush(http_conn *c);
size_t http_out_pending(http_conn *c);
void http_conn_break(http_conn *c);  /* nothing can be sent; wakes a waiting worker */
void http_conn_cancel(http_conn *c); /* gone: the handler should stop; wakes it */

/* http_head.c: the head of an answer, but for the handler's own headers and the last CRLF */
enum { HTTP_HEAD_BYTES = 768 };
typedef struct http_head {
    char p[HTTP_HEAD_BYTES];
    size_t n;
    bool full; /* it did not fit */
} http_head;
/* length < 0: a stream. Settles whether c is chunked and kept alive. */
void http_head_write(http_head *h, http_conn *c, int status, const char *type, int64_t length);

/* http_reply.c */
void http_reply_reset(http_reply *rp);
void http_reply_deinit(http_reply *rp);
/* An answer of the loop itself. */
void http_reply_refuse(http_conn *c, int status, const char *code, const char *text);

/* http_ping.c */
void http_ping_stream(http_conn *c, bool on); /* worker: a stream of events begins or ends */
void http_ping_reset(http_conn *c);           /* loop */
void http_ping_scan(http_server *s);          /* loop */

/* http_worker.c */
err http_workers_start(http_server *s, fail *f) MUST_CHECK;
void http_workers_stop(http_server *s);

/* http_park.c */
void http_park_remove(http_conn *c);                      /* from the table and the inbox */
void http_inbox_post(http_conn *c, http_outcome outcome); /* worker: the loop's again */
/* loop: the next connection of the inbox, or NULL */
http_conn *http_inbox_take(http_server *s, http_outcome *outcome, bool *woken);

/* http_conn.c: one connection through its states; loop only */
http_conn *http_conn_open(http_server *s, int fd, int port); /* NULL: no memory; fd is closed */
void http_conn_close(http_conn *c);                          /* freed by http_conn_bury */
void http_conn_watch(http_conn *c, bool again); /* by epoll; again: report readiness once more */
void http_conn_bury(http_server *s);
void http_conn_ready(http_conn *c, uint32_t events);
void http_conn_returned(http_conn *c, http_outcome outcome, bool woken);
void http_conn_expire(http_conn *c, int64_t now_ns);
void http_conn_drain(http_conn *c);   /* the server is stopping */
void http_conn_retry(http_server *s); /* woken requests that found the pool's queue full */

/* http_loop.c */
err http_loop_open(http_server *s, fail *f) MUST_CHECK;
void http_loop_run(void *server);
void http_loop_close(http_server *s);

/* http_nudge.c: any thread */
void http_nudge(http_server *s);

#endif
