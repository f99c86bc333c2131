/* http_client.h - asking other servers, over libcurl, blocking.
 *
 * Any thread; a call holds no state but its options and answer. TLS certificates are checked
 * always. Redirects are followed for GET alone, a few times, never from https down to http, and not
 * at all when fields other than Accept and User-Agent are sent, so that a key goes to no other
 * host. Header values and URLs may be secret: neither they nor a URL's user part or query ever
 * appear in an error text. Environment variables (proxies) are not read; they come in as options.
 */
#ifndef BANTAM_NET_HTTP_CLIENT_H
#define BANTAM_NET_HTTP_CLIENT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

typedef struct http_field {
    const char *name;
    str value; /* refused when it holds CR, LF or NUL */
} http_field;

/* Takes the next bytes of the body; false stops the transfer (E_CANCELLED). */
typedef bool (*http_sink)(void *ctx, str bytes);
/* Told before the first byte goes to the sink: status (200 or 206), where in the whole the bytes
 * begin (-1: a 206 that does not say), how many come (-1: unknown), and the entity tag ("" for
 * none). false stops the transfer (E_CANCELLED). */
typedef bool (*http_begin)(void *ctx, int status, int64_t from, int64_t bytes, const char *etag);
/* Asked several times a second, also while nothing comes; false stops (E_CANCELLED). */
typedef bool (*http_progress)(void *ctx, int64_t bytes, int64_t bytes_total);

/* 0 or NULL takes the default in brackets. */
typedef struct http_call {
    const char *url;    /* http:// or https://; nothing else, also not by redirect */
    const char *method; /* [GET; POST when body.p is set] */
    str body;
    const http_field *fields; /* [fields_n] */
    size_t fields_n;
    const char *user_password; /* "name:secret" for basic authentication */
    int64_t connect_ms_max;    /* [10 s] */
    int64_t total_ms_max;  /* [10 min]; < 0 = no limit, as for a download that stalls are watched */
    int64_t stall_ms_max;  /* [30 s] without a byte */
    size_t body_bytes_max; /* [16 MiB] of the answer; with a sink: no limit unless set */
    int redirects_max;     /* [5]; < 0 = none */
    int64_t range_from;    /* > 0: ask for the bytes from here on (status 206 when honoured) */
    const char *if_range;  /* entity tag that range_from belongs to, or NULL */
    const char *proxy;     /* NULL: none. "http://host:port" */
    const char *no_proxy;  /* hosts that are asked directly, comma separated */
    const char *ca_file;   /* bundle instead of the system's */
    bool insecure_tls;     /* only where the user's own pip configuration trusts the host */
    http_sink sink;        /* body goes here instead of answer.body; only for 2xx */
    http_begin begin;      /* before the first bytes of the sink; may be NULL */
    http_progress progress;
    void *ctx; /* of sink, begin and progress */
} http_call;

typedef struct http_answer {
    int status;
    str body;         /* in the arena; of an error status at most 64 KiB of it */
    str content_type; /* without parameters, lower case */
    str etag;
    str url;                /* after redirects */
    int64_t retry_after_ms; /* -1 when the server did not say */
    int64_t content_length; /* -1 when unknown */
    int64_t range_total;    /* whole size said by Content-Range; -1 when unknown */
    int64_t wall_us;
} http_answer;

/* Any HTTP status is E_OK: look at answer.status. Failures: E_NETWORK (name, connection, TLS),
 * E_TIMEOUT, E_TOO_LARGE, E_CANCELLED, E_INPUT (a URL or header that cannot be sent). */
err http_ask(arena *a, const http_call *c, http_answer *out, fail *f) MUST_CHECK;
/* An error for a status that is not 2xx: 404 E_NOT_FOUND, 401/403 E_KEY/E_DENIED, 429/503 E_BUSY...
 * naming the public part of the URL. E_OK for 2xx. */
err http_status_err(const http_call *c, const http_answer *answer, fail *f) MUST_CHECK;

/* Repeats http_ask after a failed connection, a timeout, 408, 425, 429, 500, 502, 503, 504, waiting
 * base_ms * 2^n with full jitter or what Retry-After says, whichever is longer. Once a sink has taken
 * a byte there is no other try: it holds half an answer. */
typedef struct http_retry {
    int tries_max;                /* [3] in all */
    int64_t base_ms;              /* [500] */
    int64_t wait_ms_max;          /* [20 s] of one wait; a longer Retry-After ends the tries */
    int64_t total_ms_max;         /* [60 s] for all tries and waits together */
    bool (*cancelled)(void *ctx); /* asked between and during waits; may be NULL */
    void *ctx;
    int tries; /* out: how many were made */
} http_retry;
err http_ask_retry(arena *a, const http_call *c, http_retry *r, http_answer *out,
                   fail *f) MUST_CHECK;
/* The wait before try n+1 (n = 1, 2, ...), or -1 to give up. Pure; seed makes the jitter. */
int64_t http_retry_wait_ms(const http_retry *r, int n, int64_t retry_after_ms, uint64_t seed);

#endif
